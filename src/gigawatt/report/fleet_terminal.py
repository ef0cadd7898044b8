"""A build-out in the terminal, within 100 columns: the fleet by quarter, what limits it, generations, foresight, doubts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.report.fleet_parts import (
    LABELS,
    MOST_QUARTERS,
    dearest,
    legend,
    shown_generations,
    shown_limits,
    shown_performance,
    shown_quarters,
)
from gigawatt.report.grid import words_of
from gigawatt.report.money_terminal import fitted
from gigawatt.report.numbers import quantity, span
from gigawatt.report.sections import has
from gigawatt.report.serve_terminal import Part
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

MOST_LINES = 4
PARTS: tuple[Part, ...] = (
    Part("periods", "THE FLEET, QUARTER BY QUARTER", ("revenue_usd_per_mw_yr", "operating_usd"), shown_quarters,
         most=MOST_QUARTERS, least=44),
    Part("generations", "GENERATIONS", ("last_bought", "retired", "capital_usd", "earns_last_usd_per_mw_yr"),
         shown_generations, note=True),
    Part("limits", "WHAT LIMITS YOU, AND WHEN", ("last", "first", "dearest"), shown_limits, note=True),
    Part("policies", "WHAT FORESIGHT IS WORTH", ("shown",), least=30, note=True),
    Part("performance", "PERFORMANCE", ("mapping", "speed_first", "speed_end", "precision", "mode", "bound"),
         shown_performance, note=True),
)  # fmt: skip


def render_fleet(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt fleet`.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    page.text(result.title or result.name, style="bold")
    for line in result.texts.get("answer", []):
        page.text(line, hang=2)
    for part in PARTS:
        if not has(result, part.table):
            continue
        table = part.shows(result) if part.shows is not None else result.tables[part.table]
        if not len(table):
            continue
        page.heading(part.heading)
        page.grid(fitted(table, page.width, (), part.drop, LABELS, part.least, part.most), most=part.most)
        if part.table == "periods":
            page.text(f"a letter is {_each(result)} at the meter: {legend(result)}", style="dim", hang=2)
        if part.table == "limits":
            for line in dearest(result)[:3]:
                page.text(line, hang=2)
        if part.note and table.note:
            page.text(table.note, style="dim", hang=2)
    _headlines(result, page)
    _doubts(result, page)
    page.console.print()
    page.ending(folder, result.texts.get("next", [])[:2])


def _each(result: RunResult) -> str:
    """MW of a letter of the bars."""
    from gigawatt.report.chart_parts import value_of
    from gigawatt.report.fleet_parts import BAR
    from gigawatt.report.sentences import rows_of

    periods = rows_of(result, "periods")
    most = [float(row["mw"]) for row in periods]
    most += [value for row in periods if (value := value_of(row.get("power_mw"))) is not None]
    return quantity(max(most, default=0.0) / BAR, "MW")


def _headlines(result: RunResult, page: _Page) -> None:
    page.heading("HEADLINE NUMBERS, THE PLAN HELD [P10 to P90]")
    for row in result.metrics.rows():
        band = span(row.get("low"), row.get("high"), row.get("unit") or "")
        name, value = words_of(str(row["name"])), quantity(row.get("value"), row.get("unit") or "")
        page.text(f"{name:<28} {value:>18}   {f'[{band}]' if band else ''}".rstrip(), indent=2, hang=2)


def _doubts(result: RunResult, page: _Page) -> None:
    for words, name in (("Taken for granted", "notes"), ("Left out", "left_out")):
        lines = [line.strip().rstrip(".") for line in result.texts.get(name, []) if line.strip()]
        if lines:
            page.console.print()
            more = f"; {len(lines) - MOST_LINES} more in the report" if len(lines) > MOST_LINES else ""
            page.text(f"{words}: " + "; ".join(lines[:MOST_LINES]) + more + ".", hang=2)
