"""Writes `docs/reference/api.md` from the docstrings of the face: `python -m gigawatt.api.pages docs`."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import gigawatt as gw

PLACE = "reference/api.md"
WIDE = 96  # characters up to which a signature stands in one line
# In the order in which one meets them.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Questions", ("load", "templates", "Scenario")),
    ("Answers", ("run", "serve", "train", "net", "Result", "Metric", "Metrics", "Table", "Explanation", "open")),
    ("Studies", ("risk", "compare", "sweep", "SweepResult", "query")),
    ("Facts", ("catalog",)),
    ("Errors", ("GigawattError", "InputError", "Infeasible")),
)
FACTS = ("kinds", "ids", "find", "show", "get")
HEAD = """# Python API

`import gigawatt as gw`. What stands here is public and pinned by a test; everything else may change without notice. How it
is used: [From Python](../how-to/from-python.md). Inputs are said as in a file ([Study](../model/study.md)), by dotted paths,
as texts with units such as `'500 MW'`. Results are plain numbers in the unit that stands beside them.
"""


def api_page() -> str:
    """The whole page as Markdown."""
    lines = [HEAD]
    for title, names in PARTS:
        lines.append(f"## {title}\n")
        for name in names:
            lines += _of(name)
    return "\n".join(lines).rstrip() + "\n"


def write_api(folder: Path) -> Path:
    """Write the page below the docs folder."""
    path = folder / PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(api_page(), encoding="utf-8", newline="\n")
    return path


def _of(name: str) -> Iterator[str]:
    found = getattr(gw, name)
    if name == "catalog":
        for fact in FACTS:
            yield from _function(f"gw.catalog.{fact}", getattr(found, fact))
    elif inspect.isclass(found):
        yield from _class(name, found)
    else:
        yield from _function(f"gw.{name}", found)


def _function(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"```text\n{signature(name, function)}\n```\n"
    yield from described(inspect.getdoc(function) or "")


def _class(name: str, cls: type) -> Iterator[str]:
    yield f"### gw.{name}\n"
    yield from described((inspect.getdoc(cls) or "").replace("Attributes:", "Fields:"))
    if not cls.__module__.startswith("gigawatt.api"):
        return
    for one, member in members(cls):
        if isinstance(member, (property, cached_property)):
            shown = f".{one}"
        else:
            shown = signature(f".{one}", member)
        yield f"**`{_one_line(shown)}`**\n"
        yield from described(inspect.getdoc(member) or "")


def members(cls: type) -> list[tuple[str, Any]]:
    """Public properties and methods of a class, in their order; those of another class of the face stand there."""
    wanted = (property, cached_property)
    own = [cls, *(base for base in cls.__bases__ if base.__module__.startswith("gigawatt.core"))]
    found = {
        name: one
        for base in reversed(own)
        for name, one in vars(base).items()
        if not name.startswith("_") and (isinstance(one, wanted) or inspect.isfunction(one))
    }
    return list(found.items())


def signature(name: str, function: Callable[..., Any]) -> str:
    """As one would write it: no `self`, annotations without quotes, a line a parameter where it is long.

    >>> signature("gw.templates", gw.templates)
    'gw.templates() -> list[str]'
    """
    made = inspect.signature(function)
    kept = [one for one in made.parameters.values() if one.name != "self"]
    text = name + _unquoted(str(made.replace(parameters=kept)))
    if len(text) <= WIDE:
        return text
    shown, star = [], False
    for one in kept:
        if one.kind is one.KEYWORD_ONLY and not star:
            shown.append("*")
            star = True
        shown.append(_unquoted(str(one)))
    back = _unquoted(f" -> '{made.return_annotation}'") if made.return_annotation is not made.empty else ""
    return f"{name}(\n" + "".join(f"    {one},\n" for one in shown) + f"){back}"


def _unquoted(text: str) -> str:
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("( ", "(").replace(", )", ")")


def described(text: str) -> Iterator[str]:
    """A docstring as Markdown: sections as lists, examples as consoles.

    >>> list(described("Sum.\\n\\nRaises:\\n    ValueError: never."))
    ['Sum.\\n', '- *raises* `ValueError`: never.\\n']
    """
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if not lines:
            continue
        head = lines[0].strip()
        if head.startswith(">>> "):
            yield "```pycon\n" + "\n".join(re.sub(r"\s*# doctest: .*", "", line) for line in lines) + "\n```\n"
        elif head in ("Args:", "Raises:", "Returns:", "Fields:"):
            word = {"Raises:": "*raises* ", "Returns:": "*returns* "}.get(head, "")
            yield "\n".join(f"- {word}{item}" for item in _items(lines[1:])) + "\n"
        else:
            yield " ".join(line.strip() for line in lines) + "\n"


def _items(lines: Sequence[str]) -> list[str]:
    """Entries of a section: a name and what it is; what is indented further goes on."""
    out: list[str] = []
    for line in lines:
        text = line.strip()
        if len(line) - len(line.lstrip()) > 4 and out:
            out[-1] += f" {text}"
        else:
            name, colon, said = text.partition(": ")
            out.append(f"`{name}`: {said}" if colon and " " not in name.replace(", ", "") else text)
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m gigawatt.api.pages", description=__doc__)
    parser.add_argument("folder", type=Path, help="the docs folder")
    print(write_api(parser.parse_args(arguments).folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
