"""The claim of a run in the terminal: what the essay says, what is computed of it, what came, what would refute it."""

from __future__ import annotations

from typing import Protocol

from gigawatt.report.money_sentences import claim_of
from gigawatt.study.result import RunResult


class Page(Protocol):
    """What is needed of a page."""

    def heading(self, words: str) -> None: ...
    def text(self, words: str, style: str = "", indent: int = 0, hang: int = 0) -> None: ...


def claim_part(result: RunResult, page: Page) -> None:
    """Print the claim, where the run has one."""
    claim = claim_of(result)
    if claim is None:
        return
    page.heading(f"THE CLAIM{f' ({claim.number})' if claim.number else ''}")
    parts = [
        ("The essay says: ", [claim.says]),
        ("The engine computes: ", claim.computes),
        ("Since then: ", claim.since),
    ]
    for words, lines in [*parts, ("Would be refuted by: ", [claim.refuted_by])]:
        for line in lines:
            if line:
                page.text(f"{words}{line}", hang=2)
    if claim.sources:
        page.text(f"Sources: {'; '.join(claim.sources)}", style="dim", hang=2)
