"""Where a number comes from, as a tree that reads in a terminal and unfolds in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

OPEN_TO = 2  # levels that a notebook shows unfolded


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """A node of the tree: a fact, a calibration, a formula or a choice, with what it rests on below it.

    Attributes:
        kind: 'datum', 'calibration', 'formula' or 'choice'.
        name: what it is.
        value: its number (or word) in `unit`.
        unit: of the value.
        source: who says so.
        where: file, line and column, or dotted path, where it is said; '' of what is worked out.
        children: what it follows from.
    """

    kind: str
    name: str
    value: Any
    unit: str
    source: str
    where: str
    children: tuple[Explanation, ...]

    def walk(self) -> Iterator[Explanation]:
        """This node and all below it, depth first.

        >>> import gigawatt as gw
        >>> any(node.kind == "datum" for node in gw.run("one-rack").explain("capex").walk())
        True
        """
        yield self
        for child in self.children:
            yield from child.walk()

    def __repr__(self) -> str:
        return f"<Explanation of {self.name}: {sum(1 for _ in self.walk())} nodes>"

    def __str__(self) -> str:
        return "\n".join(self._lines("", ""))

    def _lines(self, first: str, rest: str) -> Iterator[str]:
        said = " <- ".join(text for text in (self._said(), " ".join(filter(None, (self.source, self.where)))) if text)
        yield f"{first}{said}"
        for at, child in enumerate(self.children):
            last = at == len(self.children) - 1
            yield from child._lines(rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))

    def _said(self) -> str:
        from gigawatt.report.numbers import number

        shown = number(self.value, 4) if isinstance(self.value, (int, float)) else str(self.value or "")
        return f"{self.kind} {self.name}" + (f" = {shown} {self.unit}".rstrip() if shown else "")

    def _repr_html_(self) -> str:
        from gigawatt.core.markup import framed

        return framed(self._html(OPEN_TO))

    def _html(self, depth: int) -> str:
        source = " ".join(text for text in (self.source, self.where) if text)
        words = f'{escape(self._said())} <span class="dim">{escape(source)}</span>'
        if not self.children:
            return f'<div style="margin-left:1.4em">{words}</div>'
        inside = "".join(child._html(depth - 1) for child in self.children)
        opened = " open" if depth > 0 else ""
        return f'<details style="margin-left:1.1em"{opened}><summary>{words}</summary>{inside}</details>'


def explanation_of(node: Mapping[str, Any]) -> Explanation:
    """A node of a run's manifest."""
    return Explanation(
        str(node.get("kind", "")),
        str(node.get("name", "")),
        node.get("value"),
        str(node.get("unit") or ""),
        str(node.get("source") or ""),
        str(node.get("where") or node.get("path") or ""),
        tuple(explanation_of(child) for child in node.get("children", ())),
    )
