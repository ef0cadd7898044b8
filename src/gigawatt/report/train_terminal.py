"""An answer about training in the terminal, within 100 columns: the best, where a step goes, what fell out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.report.money_terminal import fitted
from gigawatt.report.sections import has
from gigawatt.report.serve_parts import shown_assumed
from gigawatt.report.serve_terminal import Part
from gigawatt.report.terminal import _Page
from gigawatt.report.train_parts import (
    LABELS,
    POWER_LABELS,
    shown_front,
    shown_job,
    shown_memory,
    shown_precisions,
    shown_rejected,
    shown_time,
    side_by_side,
)
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

DROP = (
    "tokens_per_s_per_mw", "chip_w", "bubble_share", "exposed_comm_share", "memory_gb", "mode", "tokens_per_s", "job_mw",
    "bound",
)  # fmt: skip
PARTS: tuple[Part, ...] = (
    Part("platforms", "THE BEST MAPPING", shows=side_by_side, most=24),
    Part("job", "THE WHOLE JOB", shows=shown_job, most=24, note=True),
    Part("time", "WHERE A STEP GOES", shows=shown_time, least=28, note=True),
    Part("power", "POWER", most=21, least=28, note=True),
    Part("memory", "MEMORY OF A CHIP", shows=shown_memory, least=28, note=True),
    Part("precisions", "THE BEST OF EACH PRECISION", DROP, shown_precisions, most=12, least=20),
    Part("pareto", "SPEED AGAINST ENERGY", DROP, shown_front, note=True, least=20),
    Part("rejected", "WHAT FELL OUT, AND THE NEAREST FIX"),
    Part("assumed", "ASSUMED FOR YOU", shows=shown_assumed, least=20, most=24),
)


def render_train(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt train`.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    for line in result.texts.get("answer", []):
        page.text(line, hang=2)
    for part in PARTS:
        if not has(result, part.table):
            continue
        table = part.shows(result) if part.shows is not None else result.tables[part.table]
        page.heading(part.heading)
        if part.table == "rejected":  # sentences: no column would be wide enough
            for line in shown_rejected(result):
                page.text(line, hang=2)
            continue
        labels = POWER_LABELS if part.table == "power" else LABELS
        cut = part.table != "assumed"
        page.grid(fitted(table, page.width, (), part.drop, labels, part.least, part.most, cut), most=part.most)
        if part.note and table.note:
            page.text(table.note, style="dim", hang=2)
    for line in result.texts.get("notes", []):
        page.text(line, style="dim", hang=2)
    looked = f"{result.manifest['candidates']:,} candidates in {result.manifest['search_s']:.2f} s"
    page.text(looked, style="dim")
    page.ending(folder)
