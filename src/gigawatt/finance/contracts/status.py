"""What a contract's legal status does to cash, and what was known of it on a day.

    intent                                        a letter: headline only
    definitive, definitive (hypothetical),
    effective, amended                            cash, and headline
    lapsed, replaced                              neither

A history is a list of events; as known on day T it is the fold of those with known_on <= T. When money moves is a matter
of the terms (the day of a purchase, the begin of a lease), not of the status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gigawatt.core.errors import InputError, unknown_name

CASH = frozenset({"definitive", "definitive (hypothetical)", "effective", "amended"})
HEADLINE = CASH | {"intent"}
STATUSES = (*sorted(HEADLINE), "lapsed", "replaced")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became known of a contract: its status, and the terms that changed.

    A day known only as a month or a year is entered as that span's last day, so that nothing is known too early.
    """

    known_on: date
    status: str
    terms: Mapping[str, Any] = field(default_factory=dict)
    effective_on: date | None = None
    source: str = ""
    grade: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check(self.status)


@dataclass(frozen=True, slots=True)
class Known:
    """Status and terms as known on a day, and from which event; status '' before the first."""

    status: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)
    known_on: date | None = None
    source: str = ""
    grade: str = ""


def check(status: str) -> str:
    """The status itself.

    Raises:
        InputError: none of `STATUSES`.
    """
    if status not in STATUSES:
        raise InputError(unknown_name("status", status, STATUSES))
    return status


def counts_as_cash(status: str) -> bool:
    """True where money is owed.

    >>> counts_as_cash("effective"), counts_as_cash("intent")
    (True, False)
    """
    return check(status) in CASH


def counts_in_headline(status: str) -> bool:
    """True where an announcement would still count it."""
    return check(status) in HEADLINE


def as_known(events: Iterable[Event], on: date) -> Known:
    """Fold the events known by the end of day `on`; later ones change the terms of earlier ones."""
    known = Known()
    for event in sorted((e for e in events if e.known_on <= on), key=lambda e: e.known_on):
        source, grade = event.source or known.source, event.grade or known.grade
        known = Known(event.status, {**known.terms, **event.terms}, event.known_on, source, grade)
    return known
