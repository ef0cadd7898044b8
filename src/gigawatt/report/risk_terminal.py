"""An answer about risk in the terminal, within 100 columns: bands, promises, causes, how still it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.report.risk_parts import LABELS, shown_causes, shown_covenants, shown_metrics
from gigawatt.report.sections import has
from gigawatt.report.serve_terminal import Part, print_part
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

PARTS: tuple[Part, ...] = (
    Part("metrics", "HOW SURE", ("bad", "shortfall_5"), shown_metrics, most=24),
    Part("covenants", "COVENANTS", ("P50",), shown_covenants, note=True, least=20),
    Part(
        "sensitivity", "WHAT MATTERS TO IT", ("said by", "first", "from P10", "to P90"), shown_causes, most=12, least=22
    ),
)


def render_risk(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt risk`.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    page.text(result.title, style="bold")
    page.text(result.headline, hang=2)
    for part in PARTS:
        if part.table != "metrics" and not has(result, part.table):
            continue
        words = f" [{result.manifest['metric']}]" if part.table == "sensitivity" else ""
        print_part(page, result, part, LABELS, words)
    page.console.print()
    for line in result.texts.get("notes", []):
        page.text(line, style="dim", hang=2)
    page.ending(folder, result.texts.get("next", [])[:2])
