"""The essay's claim that a file is about; every question's file may state one, and its report says how it fares."""

from __future__ import annotations

from gigawatt.study.door import Strict


class Claim(Strict):
    """A claim of the essay: its number, what it says, what happened since, what would refute it, sources."""

    number: int
    says: str
    since: tuple[str, ...] = ()
    refuted_by: str = ""
    sources: tuple[str, ...] = ()
