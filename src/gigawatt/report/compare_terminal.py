"""A comparison in the terminal, within 100 columns: the waterfall, the inputs that differ, headline numbers of both sides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.report.compare_charts import window
from gigawatt.report.compare_parts import PLACES, shown_metrics
from gigawatt.report.grid import grid, words_of
from gigawatt.report.money_terminal import fitted
from gigawatt.report.numbers import canonical, number, scaled, signed
from gigawatt.report.sections import has
from gigawatt.report.sentences import rows_of
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

BAR = 24
MOST_NAME, LEAST_CHANGE = 36, 14
MOST_STEPS, MOST_METRICS, MOST_INPUTS = 40, 16, 40


def render_compare(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt compare`.

    Args:
        result: the answer.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    page.text(result.title, style="bold")
    for line in result.texts.get("answer", []):
        page.text(line, hang=2)
    rows = [row for row in rows_of(result, "steps") if row["moves"]]
    if rows:
        made = result.manifest
        levels = [made["a"], *(row["after"] for row in rows), made["b"]]
        factor, unit = scaled(canonical(str(made["unit"])), max(map(abs, levels)))
        page.heading(f"FROM A TO B: {words_of(str(made['metric']))}{f' [{unit}]' if unit else ''}")
        _waterfall(page, rows[:MOST_STEPS], made, factor)
        if len(rows) > MOST_STEPS:
            page.text(f"... and {len(rows) - MOST_STEPS} more steps in the report", style="dim")
        near = window(levels)
        if near:
            page.text(
                f"Bars are drawn from {number(near[0] * factor, 4)} to {number(near[1] * factor, 4)}.", style="dim"
            )
        page.text(result.tables["steps"].note, style="dim", hang=2)
    if has(result, "inputs"):
        page.heading("INPUTS THAT DIFFER")
        table = result.tables["inputs"]
        columns = ("path", "a", "b", "a_where", "b_where")
        drop = ("a_where", "b_where")
        page.grid(fitted(table, page.width, columns, drop, PLACES, least=16, most=MOST_INPUTS), most=MOST_INPUTS)
    if len(result.metrics):
        page.heading("HEADLINE NUMBERS")
        page.grid(grid(shown_metrics(result)), most=MOST_METRICS)
    page.console.print()
    for line in result.texts.get("notes", []):
        page.text(line, style="dim", hang=2)
    page.ending(folder, result.texts.get("next", [])[:2])


def _waterfall(page: _Page, rows: list[dict[str, Any]], made: Mapping[str, Any], factor: float) -> None:
    """The steps as bars of text: '=' a total, '+' up, '-' down; what changes as far as the line has room."""
    levels = [made["a"], *(row["after"] for row in rows), made["b"]]
    near = window(levels) or (min(0.0, *levels), max(0.0, *levels))
    ground = min(max(0.0, near[0]), near[1])
    lines = [("step", "", "moves by", "to", "over orders", "what changes")]
    lines.append(("A", _bar(ground, made["a"], near, "="), "", number(made["a"] * factor), "", str(made["a_name"])))
    before = made["a"]
    for row in rows:
        low, high = row.get("lowest"), row.get("highest")
        over = "" if low is None or high is None else f"{number(low * factor)} to {number(high * factor)}"
        bar = _bar(before, row["after"], near, "+" if row["value"] > 0 else "-" if row["value"] < 0 else "|")
        step = str(row["step"])
        step = step if len(step) <= MOST_NAME else f"{step[: MOST_NAME - 3]}..."
        lines.append(
            (step, bar, signed(row["value"] * factor), number(row["after"] * factor), over, str(row["change"]))
        )
        before = row["after"]
    total = signed(made["gap"] * factor)
    lines.append(("B", _bar(ground, made["b"], near, "="), total, number(made["b"] * factor), "", str(made["b_name"])))
    wide = [max(len(line[at]) for line in lines) for at in range(5)]
    if wide[4] == len("over orders") and not any(line[4] for line in lines[1:]):
        wide[4] = 0
    for at, (step, bar, moved, to, over, change) in enumerate(lines):
        text = f"{step:<{wide[0]}}  {bar:<{wide[1]}}  {moved:>{wide[2]}}  {to:>{wide[3]}}"
        text += f"  {over:>{wide[4]}}" if wide[4] else ""
        left = page.width - len(text) - 2
        if left >= LEAST_CHANGE:
            text += f"  {change if len(change) <= left else change[: left - 3].rstrip() + '...'}"
        page.text(text, style="dim" if at == 0 else "bold" if at in (1, len(lines) - 1) else "")


def _bar(start: float, end: float, near: tuple[float, float], mark: str) -> str:
    """Marks from one level to another on a line of `BAR` characters; a step too short to draw is one mark.

    >>> _bar(0.0, 10.0, (0.0, 20.0), "=")
    '=============='
    """
    low, high = near
    size = high - low or 1.0
    left, right = sorted(round(BAR * (min(max(x, low), high) - low) / size) for x in (start, end))
    left = min(left, BAR - 1)
    return " " * left + mark * max(right - left, 1)
