"""An answer about moats in the terminal, within 100 columns: values by regime, what binds, what each moat is when off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.report.moat_parts import LABELS, by_direction, by_regime, shown_regimes
from gigawatt.report.sections import has
from gigawatt.report.serve_terminal import Part, print_part
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

PARTS: tuple[Part, ...] = (
    Part("moats", "WHAT EACH MOAT IS WORTH [M USD a MW and year; P10 to P90]", shows=by_regime, note=True, least=18),
    Part("moats", "TAKEN FROM THE VENDOR, OR GIVEN TO ITS RIVALS [M USD a MW and year]", shows=by_direction),
    Part(
        "regimes",
        "THE REGIMES",
        ("best_price", "premium", "premium_without"),
        shown_regimes,
        most=8,
        note=True,
        least=24,
    ),
    Part(
        "terms",
        "WHAT EACH MOAT IS WHEN IT IS OFF",
        ("tokens_out_per_s_per_mw", "rival_tokens_out_per_s_per_mw", "domain", "links", "fabric", "sites"),
        most=18,
        note=True,
        least=22,
    ),
)


def render_moats(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print an answer of `gigawatt moats`.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written.
    """
    page = _Page(console)
    page.text(result.title, style="bold")
    page.text(result.headline, hang=2)
    for part in PARTS:
        if not has(result, part.table):
            continue
        print_part(page, result, part, LABELS)
    page.console.print()
    for line in result.texts.get("notes", []):
        page.text(line, style="dim", hang=2)
    page.ending(folder, result.texts.get("next", [])[:2])
