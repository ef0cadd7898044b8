"""A table as text, and as a small piece of HTML for a notebook: colours are the page's own, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDEST = 40  # characters of a cell of plain text
# Colours are the page's own ink at some strength, so that a dark theme needs no second set.
STYLE = (
    "<style>"
    ".gw{font:13.5px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:inherit;max-width:76em}"
    ".gw table{border-collapse:collapse;margin:6px 0;font-size:13px}"
    ".gw caption{text-align:left;padding:2px 0 4px;font-weight:600}"
    ".gw th,.gw td{padding:3px 14px 3px 0;text-align:left;vertical-align:top;border:0;background:none;max-width:36em;"
    "white-space:normal}"
    ".gw thead th{border-bottom:1px solid currentColor;vertical-align:bottom;font-weight:600}"
    ".gw thead th span{display:block;font-weight:400;opacity:.65;font-size:11.5px}"
    ".gw tbody td{border-bottom:1px solid rgba(128,128,128,.28)}"
    ".gw td.n,.gw th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".gw .dim{opacity:.68;font-size:12.5px}"
    ".gw .wide{overflow-x:auto}"
    "</style>"
)


def framed(body: str) -> str:
    """A piece of HTML with its style around it."""
    return f'{STYLE}<div class="gw">{body}</div>'


def table_html(
    headers: Sequence[tuple[str, str]],
    numeric: Sequence[bool],
    rows: Sequence[Sequence[str]],
    title: str = "",
    note: str = "",
    more: int = 0,
) -> str:
    """Rows of text as HTML; `headers` are (label, unit), `more` is how many rows are not among `rows`.

    >>> "[MW]" in table_html([("power", "MW")], [True], [["12"]])
    True
    """
    side = [' class="n"' if one else "" for one in numeric]
    head = "".join(
        f"<th{cls}>{escape(label)}{f'<span>[{escape(unit)}]</span>' if unit else ''}</th>"
        for (label, unit), cls in zip(headers, side, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{cls}>{escape(cell)}</td>" for cell, cls in zip(row, side, strict=True)) + "</tr>"
        for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    rest = f'<div class="dim">{more:,} more rows</div>' if more > 0 else ""
    words = f'<div class="dim">{escape(note)}</div>' if note else ""
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}{words}'


def table_text(
    headers: Sequence[tuple[str, str]],
    numeric: Sequence[bool],
    rows: Sequence[Sequence[str]],
    title: str = "",
    more: int = 0,
) -> str:
    """The same in lines of plain text.

    >>> print(table_text([("power", "MW"), ("rack", "")], [True, False], [["12", "a"]]))
    power [MW]  rack
            12  a
    """
    head = [f"{label} [{unit}]" if unit else label for label, unit in headers]
    cells = [[cell if len(cell) <= WIDEST else cell[: WIDEST - 3] + "..." for cell in row] for row in rows]
    wide = [max(len(text) for text in column) for column in zip(head, *cells, strict=True)]
    lines = [
        "  ".join(c.rjust(n) if right else c.ljust(n) for c, n, right in zip(row, wide, numeric, strict=True)).rstrip()
        for row in (head, *cells)
    ]
    return "\n".join([*([title] if title else []), *lines, *([f"... and {more:,} more rows"] if more > 0 else [])])
