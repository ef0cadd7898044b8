"""An answer about a network in the terminal, within 100 columns: times, what binds, comparison, checks, parts, assumptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.core.table import Table
from gigawatt.report.money_terminal import fitted
from gigawatt.report.net_parts import LABELS, MOST_POINTS, shown_assumed, shown_measured, shown_rows
from gigawatt.report.sections import has
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Part:
    """How a table is printed: its columns ('' all), those that go first where room is short, how many rows, its note."""

    table: str
    heading: str
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    shows: Callable[[RunResult], Table] | None = None
    most: int = MOST_POINTS
    note: bool = False
    least: int = 16


PARTS: tuple[Part, ...] = (
    Part("rows", "HOW LONG IT TAKES", drop=("fabric", "per_domain", "busbw_gb_per_s"), shows=shown_rows, least=14),
    Part("compare", "WHICH IS FASTEST", drop=("over_first", "clear"), note=True),
    Part(
        "flows",
        "FLOW BY FLOW",
        (
            "network", "collective", "n", "schedule", "routing", "queue_pairs", "mean_share", "p1_share", "min_share",
            "efficiency", "transfer_us", "time_us", "checked_us", "bottleneck",
        ),
        ("bottleneck", "schedule", "p1_share", "network"),
        note=True,
    ),
    Part("jobs", "JOBS BESIDE EACH OTHER", drop=("network",), note=True),
    Part(
        "network_totals",
        "WHAT THE NETWORK TAKES",
        (
            "network", "chips", "switches", "switch_links", "watts", "watts_per_chip", "usd", "usd_low", "usd_high",
            "usd_per_chip",
        ),
        ("switch_links",),
    ),
    Part(
        "parts",
        "PARTS",
        ("network", "role", "part", "count", "each_w", "watts", "each_usd", "usd", "counted"),
        ("network", "counted", "each_w"),
        note=True,
    ),
    Part("across", "OVER SITES", note=True),
    Part("across_step", "ONE SYNCHRONOUS STEP", drop=("busy_share_low", "busy_share_high"), note=True),
    Part("measured", "PUBLISHED POINTS", drop=("collective", "network"), shows=shown_measured, most=6, least=20),
    Part("assumed", "ASSUMED FOR YOU", shows=shown_assumed, least=20),
)  # fmt: skip


def render_net(result: RunResult, console: Console, folder: Path | None = None, most: int | None = None) -> None:
    """Print an answer of `gigawatt net`.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
        most: rows of the first table; `MOST_POINTS` where None.
    """
    page = _Page(console)
    for line in result.texts.get("answer", []):
        page.text(line, hang=2)
    for part in PARTS:
        if not has(result, part.table):
            continue
        table = part.shows(result) if part.shows is not None else result.tables[part.table]
        if not len(table) or (len(table) == 1 and part.table == "rows"):
            continue
        rows = most if most is not None and part.table == "rows" else part.most
        page.heading(part.heading)
        several = len(set(table.columns.get("network", ()))) > 1
        drop = [name for name in part.drop if not (several and name == "network")]
        shown = fitted(table, page.width, part.columns, drop, LABELS, part.least, rows)
        page.grid(shown, most=rows)
        if part.note and table.note:
            page.text(table.note, style="dim", hang=2)
    for line in result.texts.get("notes", []):
        page.text(line, style="dim", hang=2)
    if folder is not None:
        page.console.print()
    page.ending(folder)
