"""A project as a spreadsheet that calculates: inputs in named cells, everything else in formulas, checks that say 0 or 1.

Sheets: Inputs, Timing, Construction, Operations, Debt, Waterfall, Statements, Returns, Checks. An input that changes changes
all that follows from it, but for what a circle ties: the debt (and its cover, and the total need that it is drawn against)
is solved outside and stands as a value in yellow. Beside it is what the sheet's own cash would carry, and the difference;
pasted over the value until that is zero, it is the new debt. The number of periods is fixed when the book is written.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gigawatt.finance.project import ProjectModel
from gigawatt.report.live_sheet import FIRST_COLUMN, Cell, Evaluator, Heading, Row, Sheets, column_name
from gigawatt.report.project_sheets import sheets_of

# A fixed date of making, so that the same project gives the same bytes.
MADE = dt.datetime(2026, 1, 1)
FORMATS = {
    "USD": "#,##0;[Red]-#,##0;-",
    "share": "0.00 %",
    "x": "0.000",
    "years": "0.00",
    "MW": "#,##0.0",
    "date": "yyyy-mm-dd",
    "flag": "0",
    "periods": "0",
}


def write_project_workbook(
    project: Any, path: Path, *, title: str = "", sources: Mapping[str, str] | None = None
) -> None:
    """Write the workbook of a solved project of one draw.

    `project` is a `ProjectModel`, or a result that carries one as `model` (and its sources by input name as `sources`).

    Raises:
        ValueError: the result carries no model, or the model has draws.
    """
    model = project if isinstance(project, ProjectModel) else getattr(project, "model", None)
    if not isinstance(model, ProjectModel):
        raise ValueError("this result carries no project model")
    known = sources if sources is not None else getattr(project, "sources", {})
    name = title or getattr(project, "title", "") or "Project"
    write_sheets(sheets_of(model, known), path, name)


def write_sheets(sheets: Sheets, path: Path, title: str) -> None:
    """Write sheets with their formulas and the values that these have now."""
    import xlsxwriter

    values = Evaluator(sheets)
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    try:
        book.set_properties({"title": title, "created": MADE})
        styles = _Styles(book)
        for name, entries in sheets.entries.items():
            sheet = book.add_worksheet(name)
            sheet.write_string(0, 0, f"{title}: {name}", styles.title)
            sheet.set_column(0, 0, 46)
            sheet.set_column(1, 1, 24 if name == "Inputs" else 12)
            sheet.set_column(2, FIRST_COLUMN + sheets.periods, 16)
            if name == "Inputs":
                sheet.set_column(4, 4, 90)
                for at, head in enumerate(("input", "name", "value", "unit", "source")):
                    sheet.write_string(2, at, head, styles.head)
            else:
                _head(sheet, sheets, styles)
            for at, entry in enumerate(entries, start=3):
                _entry(sheet, name, at, entry, sheets, values, styles)
            sheet.freeze_panes(3, 0 if name == "Inputs" else FIRST_COLUMN)
        for cell, (where, at, _) in sheets.cells.items():
            book.define_name(cell, f"={where}!$C${at + 1}")
    finally:
        book.close()


class _Styles:
    """Formats by unit and kind; inputs blue, solved values on yellow."""

    def __init__(self, book: Any) -> None:
        self._book, self._made = book, dict[tuple[str, str], Any]()
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.head = book.add_format({"bold": True, "bottom": 1})
        self.date = book.add_format({"bold": True, "bottom": 1, "num_format": FORMATS["date"]})
        self.section = book.add_format({"bold": True, "top": 1})
        self.note = book.add_format({"italic": True, "font_color": "#5b6875"})
        self.text = book.add_format({"font_color": "#5b6875"})

    def of(self, unit: str, kind: str) -> Any:
        if (unit, kind) not in self._made:
            look: dict[str, Any] = {"num_format": FORMATS.get(unit, "#,##0.0###")}
            look |= {"font_color": "#1f4fbf"} if kind in ("input", "solved") else {}
            look |= {"bg_color": "#fff6c2"} if kind == "solved" else {}
            self._made[unit, kind] = self._book.add_format(look)
        return self._made[unit, kind]


def _head(sheet: Any, sheets: Sheets, styles: _Styles) -> None:
    for at, head in enumerate(("", "unit", "total")):
        sheet.write_string(2, at, head, styles.head)
    for k, end in enumerate(sheets.dates):
        sheet.write_datetime(2, FIRST_COLUMN + k, dt.datetime(end.year, end.month, end.day), styles.date)


def _entry(
    sheet: Any, name: str, at: int, entry: Heading | Cell | Row, sheets: Sheets, values: Evaluator, styles: _Styles
) -> None:
    if isinstance(entry, Heading):
        sheet.write_string(at, 0, entry.text, styles.note if entry.note else styles.section)
        return
    sheet.write_string(at, 0, entry.label)
    kind = "solved" if entry.solved else "formula" if isinstance(entry.content, str) else "input"
    style = styles.of(entry.unit, kind)
    if isinstance(entry, Cell):
        on_inputs = name == "Inputs"
        sheet.write_string(at, 1, entry.name if on_inputs else entry.unit, styles.text)
        sheet.write_string(at, 3, entry.unit if on_inputs else entry.source, styles.text)
        if on_inputs:
            sheet.write_string(at, 4, entry.source, styles.text)
        _put(sheet, at, 2, entry.content, values.named[entry.name], sheets, name, 0, style)
        return
    sheet.write_string(at, 1, entry.unit, styles.text)
    column = values.columns[entry.key]
    if entry.total:
        last = column_name(FIRST_COLUMN + sheets.periods - 1)
        total = f"=SUM({column_name(FIRST_COLUMN)}{at + 1}:{last}{at + 1})"
        sheet.write_formula(at, 2, total, styles.of(entry.unit, "formula"), float(column.sum()))
    for k in entry.filled(sheets.periods):
        content = entry.content if isinstance(entry.content, str) else float(entry.content[k])
        _put(sheet, at, FIRST_COLUMN + k, content, float(column[k]), sheets, name, k, style)


def _put(
    sheet: Any, row: int, column: int, content: Any, value: float, sheets: Sheets, name: str, k: int, style: Any
) -> None:
    if isinstance(content, str):
        shown: float | str = value if math.isfinite(value) else ""
        sheet.write_formula(row, column, sheets.formula(content, name, k), style, shown)
    else:
        sheet.write_number(row, column, content, style)
