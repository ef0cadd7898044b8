"""The thin moat table of a run: the focal platform against the best of its rivals, in the regime of the scenario."""

from __future__ import annotations

from gigawatt.core.table import Table
from gigawatt.study.answer import Answer


def moats_table(answer: Answer) -> Table | None:
    """Not worked out yet."""
    return None
