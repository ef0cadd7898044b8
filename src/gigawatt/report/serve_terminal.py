"""An answer about serving in the terminal, within 100 columns: the best, the front, what fell out, what was assumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.core.table import Table
from gigawatt.report.money_terminal import fitted
from gigawatt.report.sections import has
from gigawatt.report.serve_parts import (
    LABELS,
    SERVICE_LABELS,
    few_of_front,
    service_best,
    service_front,
    shown_assumed,
    shown_measured,
    side_by_side,
)
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 18


@dataclass(frozen=True, slots=True)
class Part:
    """How a table is printed: columns that go first where room is short, how many rows, its note."""

    table: str
    heading: str
    drop: tuple[str, ...] = ()
    shows: Callable[[RunResult], Table] | None = None
    most: int = MOST_ROWS
    note: bool = False
    least: int = 14


def print_part(page: _Page, result: RunResult, part: Part, labels: Mapping[str, str], more: str = "") -> None:
    """Heading (with `more` behind it), table and note of one part."""
    table = part.shows(result) if part.shows is not None else result.tables[part.table]
    page.heading(part.heading + more)
    page.grid(fitted(table, page.width, (), part.drop, labels, part.least, part.most), most=part.most)
    if part.note and table.note:
        page.text(table.note, style="dim", hang=2)


PARTS: tuple[Part, ...] = (
    Part("anchor", "ONE MEASURED POINT"),
    Part("calibration", "FACTORS ON THE STEP'S TERMS"),
    Part("calibration_errors", "HOW WRONG IT STILL IS", note=True),
    Part("limits", "LIMITS OF THE ENGINE"),
    Part("trace", "THE TRACE", least=20),
    Part("simulated", "THE TRACE, SIMULATED", note=True),
    Part("platforms", "THE BEST WITHIN THE SLO", shows=side_by_side, most=24),
    Part(
        "pareto",
        "INTERACTIVITY AGAINST THROUGHPUT",
        (
            "it_w_per_chip", "tokens_in_per_s_per_chip", "chip_w", "ttft_mean_ms", "chips_per_replica", "mode",
            "joules_per_token", "meter_w_per_chip", "tpot_ms", "bound", "engine", "kv_share", "users",
        ),
        few_of_front,
        note=True,
        least=20,
    ),
    Part("measured", "MEASURED POINTS", ("version", "chips", "pools"), shown_measured, most=6),
    Part("rejected", "WHAT FELL OUT, AND THE NEAREST FIX", least=26),
    Part("assumed", "ASSUMED FOR YOU", shows=shown_assumed, least=20, most=24),
)  # fmt: skip


SERVICE_PARTS: tuple[Part, ...] = (
    Part(
        "points_best",
        "THE BEST OF EACH PLATFORM",
        ("memory_gb", "mode", "chips", "precision", "chip_w", "meter_w_per_chip", "bound", "batch"),
        service_best,
        note=True,
    ),
    Part("pareto", "LATENCY AGAINST RATE", ("memory_gb", "chip_w", "mode", "bound", "meter_w_per_chip"), service_front),
    Part("rejected", "WHAT FELL OUT, AND THE NEAREST FIX", least=26),
    Part("assumed", "ASSUMED FOR YOU", shows=shown_assumed, least=20, most=24),
)


def render_serve(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt serve`.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    for line in result.texts.get("answer", []):
        page.text(line, hang=2)
    beside_chat = "service" in result.manifest
    for part in SERVICE_PARTS if beside_chat else PARTS:
        if not has(result, part.table):
            continue
        table = part.shows(result) if part.shows is not None else result.tables[part.table]
        page.heading(part.heading)
        labels = SERVICE_LABELS if beside_chat else LABELS
        page.grid(fitted(table, page.width, (), part.drop, labels, part.least, part.most), most=part.most)
        if part.note and table.note:
            page.text(table.note, style="dim", hang=2)
    for line in result.texts.get("notes", []):
        page.text(line, style="dim", hang=2)
    looked = f"{result.manifest['candidates']:,} candidates in {result.manifest['search_s']:.2f} s"
    page.text(looked, style="dim")
    page.ending(folder)
