"""Small pieces of Markdown for the generated pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gigawatt.report.grid import Grid


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool] | None = None) -> str:
    """A pipe table; bars and line breaks in cells are made harmless.

    >>> print(table(["a", "b"], [["x|y", "1"]], [False, True]))
    | a | b |
    |---|--:|
    | x\\|y | 1 |
    """
    right = numeric or [False] * len(headers)
    lines = [_row(headers), "|" + "|".join("--:" if flag else "---" for flag in right) + "|"]
    return "\n".join([*lines, *(_row(row) for row in rows)])


def of_grid(grid: Grid) -> str:
    """A display grid as a pipe table."""
    return table(grid.headers(), grid.rows, grid.numeric)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(safe(cell) for cell in cells) + " |"


def safe(text: str) -> str:
    """Text that can not end a cell, open a tag or start a line."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def sentence(text: str) -> str:
    """The text with a capital and a full stop.

    >>> sentence(" so it goes ")
    'So it goes.'
    """
    words = " ".join(text.split())
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", ":")) else ".") if words else ""
