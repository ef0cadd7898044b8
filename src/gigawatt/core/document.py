"""Reads a YAML file with the place of every value, and refuses what no scenario needs.

YAML 1.2 (so that `1e6` is a number and `NO` is text). Refused with a clear problem: files over 8 MB, binary files, bad
syntax, duplicate keys, nesting over 40 levels, more than 200,000 nodes after aliases are followed (alias bombs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 200_000

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and where each path of it stands."""

    file: str
    data: Any
    places: Mapping[Path_, tuple[int, int]] = field(default_factory=dict)

    def where(self, path: Path_) -> Where:
        """The place of `path`, or of its nearest ancestor that has one."""
        for length in range(len(path), -1, -1):
            place = self.places.get(path[:length])
            if place:
                return Where(self.file, *place)
        return Where(self.file)


def read(path: Path | str) -> Document:
    """Read a file.

    Raises:
        InputError: it is missing, too large, not text, not YAML, too deep or too big.
    """
    file = Path(path)
    name = str(path)
    try:
        size = file.stat().st_size
        if file.is_dir():
            raise InputError(Problem("not_a_file", f"'{name}' is a folder, not a file", Where(name)))
        if size > MAX_BYTES:
            message = f"'{name}' has {size / 1e6:,.0f} MB; a scenario has at most {MAX_BYTES / 1e6:.0f} MB"
            raise InputError(Problem("too_large", message, Where(name)))
        raw = file.read_bytes()
    except FileNotFoundError:
        near = sorted(p.name for p in file.parent.glob("*.yaml")) if file.parent.is_dir() else []
        hints = (f"in that folder: {', '.join(near[:8])}",) if near else ()
        raise InputError(Problem("no_such_file", f"there is no file '{name}'", Where(name), hints)) from None
    except OSError as error:
        raise InputError(Problem("unreadable", f"'{name}' can not be read: {error.strerror}", Where(name))) from None
    if b"\x00" in raw:
        raise InputError(Problem("binary", f"'{name}' is a binary file, not YAML", Where(name)))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(Problem("not_utf8", f"'{name}' is not UTF-8 text", Where(name, line, 1))) from None
    return parse(text, name)


def parse(text: str, name: str = "<text>") -> Document:
    """Parse YAML text; see `read` for what is refused."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="rt", pure=True)
    yaml.version = (1, 2)
    try:
        _guard_depth(text, name)
        tree = yaml.load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Where(name, mark.line + 1, mark.column + 1) if mark else Where(name)
        what = " ".join(str(error.problem or error.context or "bad syntax").split())
        raise InputError(Problem("yaml_syntax", f"not valid YAML: {what}", place)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())[:200]
        raise InputError(Problem("yaml_syntax", f"not valid YAML: {what}", Where(name))) from None
    places: dict[Path_, tuple[int, int]] = {(): (1, 1)}
    data = _plain(tree, (), places, name, _Count())
    return Document(name, data, places)


def _guard_depth(text: str, name: str) -> None:
    """Refuse deep flow nesting before the parser recurses into it."""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        deepest = len(line) - len(line.lstrip(" ")) > 4 * MAX_DEPTH or line.lstrip().startswith("- " * (MAX_DEPTH + 1))
        for bracket in re.findall(r"[\[\]{}]", line):
            depth += 1 if bracket in "[{" else -1
            deepest = deepest or depth > MAX_DEPTH
        if deepest:
            raise InputError(Problem("too_deep", f"nested deeper than {MAX_DEPTH} levels", Where(name, number, 1)))


class _Count:
    def __init__(self) -> None:
        self.nodes = 0


def _plain(node: Any, path: Path_, places: dict[Path_, tuple[int, int]], name: str, count: _Count) -> Any:
    count.nodes += 1
    if count.nodes > MAX_NODES:
        message = f"more than {MAX_NODES:,} values (do aliases refer to aliases?)"
        raise InputError(Problem("too_many_values", message, Where(name)))
    if len(path) > MAX_DEPTH:
        place = next((places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), (1, 1))
        raise InputError(Problem("too_deep", f"nested deeper than {MAX_DEPTH} levels", Where(name, *place)))
    if isinstance(node, Mapping):
        marks = getattr(node, "lc", None)
        out: dict[str, Any] = {}
        for key, value in node.items():
            text = str(key)
            below = (*path, text)
            if marks is not None and marks.data and key in marks.data:
                line, column = marks.data[key][2:4] if len(marks.data[key]) > 2 else marks.data[key][:2]
                places[below] = (line + 1, column + 1)
            out[text] = _plain(value, below, places, name, count)
        return out
    if isinstance(node, (list, tuple)):
        marks = getattr(node, "lc", None)
        items: list[Any] = []
        for index, value in enumerate(node):
            below = (*path, index)
            if marks is not None and marks.data and index in marks.data:
                line, column = marks.data[index][:2]
                places[below] = (line + 1, column + 1)
            items.append(_plain(value, below, places, name, count))
        return items
    return _scalar(node)


def _scalar(node: Any) -> Any:
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, int):
        return int(node)
    if isinstance(node, float):
        return float(node)
    if isinstance(node, str):
        return str(node)
    if hasattr(node, "isoformat"):
        return node.isoformat()
    return str(node)


def leaves(data: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every scalar of plain data with its path."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data
