"""A site's hours in the terminal, within 100 columns: the day in words, hour by hour, work by work, what steering is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.report.grid import words_of
from gigawatt.report.money_terminal import fitted
from gigawatt.report.numbers import quantity, span
from gigawatt.report.operate_parts import LABELS, MOST_HOURS, hour_labels, shown_hours
from gigawatt.report.sections import has
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

DROP_WORKS = ("hand_over_hours", "racks_least", "racks_taken_over_per_day", "kind")


def render_operate(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt operate`.

    Args:
        result: the answer.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    page.text(result.title, style="bold")
    for sentence in (result.headline, *result.texts.get("answer", [])):
        page.text(sentence, hang=2)
    page.heading("HOUR BY HOUR")
    table = shown_hours(result)
    page.grid(
        fitted(table, page.width, (), ("wet_bulb_c", "binds", "pue", "cap_mw"), hour_labels(result), most=MOST_HOURS),
        most=MOST_HOURS,
    )
    page.text("MW at the meter; a MW more is worth so much for the hour, its energy paid for", style="dim", hang=2)
    page.heading("WORK")
    page.grid(fitted(result.tables["works"], page.width, (), DROP_WORKS, LABELS))
    page.text(result.tables["works"].note, style="dim", hang=2)
    if has(result, "policies"):
        page.heading("WHAT STEERING IS WORTH")
        page.grid(fitted(result.tables["policies"], page.width, (), ("energy_mwh_per_day",), LABELS))
    page.heading("HEADLINES")
    for row in result.metrics.rows():
        name = words_of(str(row["name"]))
        band = span(row["low"], row["high"], str(row["unit"]))
        said = f"  {name:<36}{quantity(row['value'], str(row['unit'])):>18}{f'   [{band}]' if band else ''}"
        page.console.print(page._safe(said.rstrip()), markup=False, soft_wrap=True)
    for note in result.texts.get("notes", []):
        page.text(note, style="dim", hang=2)
    seconds = f"{len(result.tables['hours'])} hours steered in {result.manifest['search_s']:.2f} s"
    page.text(seconds, style="dim")
    page.ending(folder, result.texts.get("next", [])[:2])
