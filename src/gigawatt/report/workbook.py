"""Tables as one spreadsheet: a summary, a sheet a table with a row of units, and a sheet of sources."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gigawatt.core.table import Table, plain
from gigawatt.report.grid import cell_text, row_units, unit_in
from gigawatt.report.money_sentences import claim_of, said
from gigawatt.report.sections import UNSHOWN
from gigawatt.study.result import RunResult

# A fixed date of making, so that the same run gives the same bytes.
MADE = dt.datetime(2026, 1, 1)


MOST_ROWS = 1_048_574  # of a sheet, below its two rows of headers


def write_workbook(result: RunResult, path: Path) -> None:
    """Write `tables.xlsx`: summary, headline numbers, every table (numbers as they are, SI), sources."""
    more = [line for line in result.texts.get("answer", []) if line not in result.headline]
    lines = [result.headline, *more, *_claim(result), *said(result)]
    named = (("Left out", "left_out"), ("Weakest inputs", "weakest"), ("Notes", "notes"))
    lists = {heading: result.texts.get(name, []) for heading, name in named}
    tables = [table for table in (result.metrics, *result.tables.values()) if table.name not in UNSHOWN]
    write_book(path, result.title or result.name, lines, lists, tables, sources_of(result.tables.values()))


def write_book(
    path: Path,
    title: str,
    lines: Sequence[str],
    lists: Mapping[str, Sequence[str]],
    tables: Iterable[Table],
    sources: Mapping[str, Sequence[str]],
) -> None:
    """Write a workbook: a summary (lines, then lists under headings), a sheet a table with a row of units, sources.

    Args:
        path: of the workbook.
        title: over the summary.
        lines, lists: sentences.
        tables: in order; each has at most `MOST_ROWS` rows.
        sources: what is named as a source, and what rests on it.
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(str(path), options)
    try:
        book.set_properties({"title": title, "created": MADE})
        styles = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}),
            "unit": book.add_format({"italic": True, "font_color": "#5b6875", "bg_color": "#f6f8fa"}),
            "title": book.add_format({"bold": True, "font_size": 15}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
            "share": book.add_format({"num_format": "0.0 %"}),
            "big": book.add_format({"num_format": "#,##0"}),
        }
        taken: set[str] = set()
        _summary(book.add_worksheet(_sheet_name("summary", taken)), title, lines, lists, styles)
        for table in tables:
            _sheet(book.add_worksheet(_sheet_name(table.name, taken)), table, styles)
        _sources(book.add_worksheet(_sheet_name("sources", taken)), sources, styles)
    finally:
        book.close()


def _sheet_name(name: str, taken: set[str]) -> str:
    """At most 31 characters, none that Excel refuses, no name twice."""
    base = re.sub(r"[\[\]:*?/\\']", " ", name).strip()[:28] or "table"
    made, count = base, 1
    while made.lower() in taken:
        count += 1
        made = f"{base} {count}"
    taken.add(made.lower())
    return made


def _summary(
    sheet: Any, title: str, lines: Sequence[str], lists: Mapping[str, Sequence[str]], styles: dict[str, Any]
) -> None:
    sheet.set_column(0, 0, 110)
    sheet.write_string(0, 0, title, styles["title"])
    for at, line in enumerate(lines, start=2):
        sheet.write_string(at, 0, line, styles["wrap"])
    at = len(lines) + 3
    for heading, given in lists.items():
        texts = [line for line in given if line.strip()]
        if not texts:
            continue
        sheet.write_string(at, 0, heading, styles["head"])
        for offset, line in enumerate(texts, start=1):
            sheet.write_string(at + offset, 0, line, styles["wrap"])
        at += len(texts) + 2


def _claim(result: RunResult) -> list[str]:
    """The essay's claim, what is computed of it and what came, as lines."""
    claim = claim_of(result)
    if claim is None:
        return []
    of = f" (claim {claim.number})" if claim.number else ""
    return [
        *([f"The essay says{of}: {claim.says}"] if claim.says else []),
        *(f"The engine computes: {line}" for line in claim.computes if line != result.headline),
        *(f"Since then: {line}" for line in claim.since),
        *([f"Would be refuted by: {claim.refuted_by}"] if claim.refuted_by else []),
    ]


def _sheet(sheet: Any, table: Table, styles: dict[str, Any]) -> None:
    for column, name in enumerate(table.columns):
        unit = unit_in(table, name)
        sheet.write_string(0, column, name, styles["head"])
        sheet.write_string(1, column, _unit_cell(table, name, unit), styles["unit"])
        widest = len(name)
        for row, value in enumerate(table.columns[name], start=2):
            shown = _write(sheet, row, column, plain(value), unit, styles)
            widest = max(widest, len(shown))
        sheet.set_column(column, column, min(max(9, widest + 1), 60))
    sheet.freeze_panes(2, 1)


def _unit_cell(table: Table, name: str, unit: str) -> str:
    """The unit of a column; where each row has its own, the column that says it."""
    if name not in row_units(table):
        return unit
    priced = name.startswith("shadow_price") and "price_unit" in table.columns
    return "see price_unit" if priced else "see unit"


def _write(sheet: Any, row: int, column: int, value: Any, unit: str, styles: dict[str, Any]) -> str:
    """One cell; what it shows, for the column's width. Infinity is text: a spreadsheet has none."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
        return str(value)
    if isinstance(value, (int, float)):
        if not math.isfinite(value):
            sheet.write_string(row, column, "no limit")
            return "no limit"
        style = styles["share"] if unit == "share" else styles["big"] if abs(value) >= 1e4 else None
        sheet.write_number(row, column, value, style)
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.6g}"
    text = cell_text(value)
    sheet.write_string(row, column, text)
    return text


def sources_of(tables: Iterable[Table]) -> dict[str, list[str]]:
    """Every source named anywhere in some tables, once, with what rests on it."""
    found: dict[str, list[str]] = {}
    for table in tables:
        if "source" not in table.columns:
            continue
        label = next(iter(table.columns))
        for row in table.rows():
            source = str(row.get("source") or "").strip() or "(none: assumed)"
            found.setdefault(source, []).append(f"{table.name}: {row.get(label)}")
    return found


def _sources(sheet: Any, found: Mapping[str, Sequence[str]], styles: dict[str, Any]) -> None:
    for column, (name, width) in enumerate((("source", 70), ("rests on it", 90))):
        sheet.write_string(0, column, name, styles["head"])
        sheet.write_string(1, column, "", styles["unit"])
        sheet.set_column(column, column, width)
    for at, (source, users) in enumerate(found.items(), start=2):
        sheet.write_string(at, 0, source, styles["wrap"])
        sheet.write_string(at, 1, "; ".join(users), styles["wrap"])
    sheet.freeze_panes(2, 0)
