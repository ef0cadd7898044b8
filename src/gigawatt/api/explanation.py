"""Where a number comes from, as a tree that reads in a terminal and unfolds in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

OPEN_TO = 2  # levels that a notebook shows unfolded


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Explanation:
    """A node of the tree: a fact, a calibration, a formula or a choice, with what it follows from below it.

    Attributes:
        kind: 'datum', 'calibration', 'formula' or 'choice'.
        name: what it is.
        value: its number (or word) in `unit`.
        unit: of the value.
        source: who says so.
        where: file, line and column at which it is said; '' of what is worked out.
        children: what it follows from, then what it rests on.
    """

    kind: str
    name: str
    value: Any
    unit: str
    source: str
    where: str
    children: tuple[Explanation, ...]
    _node: Mapping[str, Any]

    def walk(self) -> Iterator[Explanation]:
        """This node and all below it, depth first.

        >>> import gigawatt as gw
        >>> any(node.kind == "datum" and node.where for node in gw.run("one-rack").explain("capex").walk())
        True
        """
        yield self
        for child in self.children:
            yield from child.walk()

    def text(self, depth: int | None = None) -> str:
        """The tree in lines of at most 100 characters.

        Args:
            depth: levels below the first; as many as fit 70 lines where nothing is said, all where 0.

        >>> import gigawatt as gw
        >>> print(gw.run("one-rack").explain("capex").text(1).splitlines()[0].split(":")[0])
        capex
        """
        from gigawatt.report.explain_terminal import WIDTH, lines_of

        return "\n".join(
            f"{line.text:<{max(WIDTH - len(line.value) - 1, 0)}} {line.value}" if line.value else line.text
            for line in lines_of(dict(self._node), depth)
        )

    def __repr__(self) -> str:
        return f"<Explanation of {self.name!r}: {sum(1 for _ in self.walk())} nodes>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from gigawatt.core.markup import framed

        return framed(self._html("", OPEN_TO))

    def _html(self, sign: str, depth: int) -> str:
        from gigawatt.report.explain_terminal import shown, signs_of
        from gigawatt.report.numbers import span

        node = self._node
        low, high = node.get("low"), node.get("high")
        ranged = span(low, high, self.unit) if isinstance(low, (int, float)) and low != high else ""
        known = " ".join(str(node[key]) for key in ("known", "as_of") if node.get(key))
        told = "; ".join(text for text in (self.where, known, ranged, self.source) if text)
        mark = f"{escape(sign)} " if sign.strip() else ""
        said = f'{mark}{escape(self.name)} <b>{escape(shown(node))}</b> <span class="dim">{escape(told)}</span>'
        if not self.children:
            return f'<div style="margin-left:1.4em">{said}</div>'
        signs = signs_of({**node, "children": list(node["children"])})
        inside = "".join(child._html(by, depth - 1) for child, by in zip(self.children, signs, strict=True))
        opened = " open" if depth > 0 else ""
        return f'<details style="margin-left:1.1em"{opened}><summary>{said}</summary>{inside}</details>'


def explanation_of(node: Mapping[str, Any]) -> Explanation:
    """A tree whose places are filled in."""
    return Explanation(
        str(node.get("kind", "")),
        str(node.get("name", "")),
        node.get("value"),
        str(node.get("unit") or ""),
        str(node.get("source") or ""),
        str(node.get("where") or node.get("path") or ""),
        tuple(explanation_of(child) for child in node.get("children", ())),
        node,
    )
