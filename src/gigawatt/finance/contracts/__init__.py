"""Contracts by kind: from what a scenario says to who pays whom when.

>>> made = read_contract({"id": "offtake", "kind": "take_or_pay", "pays": "lab", "gets": "operator",
...                       "price": "13.3 million USD/MW/yr", "term": 5, "floor": 0.8})
>>> round(made.terms.price_usd_per_mw_year)
13300000
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.finance.contracts import equity, milestone_tranche, prepayment, take_or_pay, term_loan
from gigawatt.finance.contracts.base import Columns, Deal, Kind, Term
from gigawatt.finance.contracts.status import Event, Known, as_known, counts_as_cash, counts_in_headline
from gigawatt.finance.contracts.status import check as check_status
from gigawatt.finance.schedule import Flow

__all__ = [
    "Columns",
    "Contract",
    "Deal",
    "Event",
    "Kind",
    "Known",
    "Term",
    "as_known",
    "counts_as_cash",
    "counts_in_headline",
    "kinds",
    "read_contract",
    "read_contracts",
]

_OWN = (milestone_tranche.KIND, take_or_pay.KIND, term_loan.KIND, equity.KIND, prepayment.KIND)
ENTRY_POINTS = "gigawatt.contracts"


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that is ready to post: its kind, its parties, its status and its terms (the kind's own dataclass).

    `raw` is what it was read from and `events` its history; `known(on)` is the contract as known on a day.
    """

    id: str
    kind: Kind
    deal: Deal
    status: str
    terms: Any
    events: tuple[Event, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)

    def postings(self, columns: Columns) -> list[Flow]:
        return self.kind.postings(self.terms, self.deal, columns)

    def known(self, on: date) -> Contract | None:
        """As known at the end of day `on`; None before its first event. Without a history it is always known."""
        if not self.events:
            return self
        known = as_known(self.events, on)
        if not known.status:
            return None
        return read_contract({**self.raw, **known.terms, "status": known.status})


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """Our kinds and those that installed packages offer under 'gigawatt.contracts'; ours can not be replaced."""
    found = {kind.name: kind for kind in _OWN}
    for point in entry_points(group=ENTRY_POINTS):
        kind = point.load()
        if isinstance(kind, Kind):
            found.setdefault(kind.name, kind)
    return found


def read_contract(raw: Mapping[str, Any]) -> Contract:
    """One contract from a mapping: id, kind, pays, gets, status, optional events, and the terms of its kind.

    Raises:
        InputError: with every problem found.
    """
    return read_contracts([raw])[0]


def read_contracts(rows: Iterable[Mapping[str, Any]]) -> list[Contract]:
    """Contracts from mappings, such as `[deal.model_dump() for deal in scenario.contracts]`.

    Raises:
        InputError: unknown kind, status or term, a term of the wrong unit, a missing one, a contract that pays itself.
    """
    problems = Problems()
    made = [_read(row, problems) for row in rows]
    problems.raise_if_any()
    return [one for one in made if one is not None]


_COMMON = ("id", "kind", "pays", "gets", "status", "events")


def _read(row: Mapping[str, Any], problems: Problems) -> Contract | None:
    name = str(row.get("id", "?"))
    missing = [key for key in ("id", "kind", "pays", "gets") if not row.get(key)]
    if missing:
        problems.add("missing", f"contract '{name}' needs {', '.join(repr(key) for key in missing)}")
        return None
    kind = kinds().get(str(row["kind"]))
    if kind is None:
        problems.extend([unknown_name("kind of contract", str(row["kind"]), kinds())])
        return None
    if row["pays"] == row["gets"]:
        problems.add("pays_itself", f"contract '{name}' pays itself: 'pays' and 'gets' are both '{row['pays']}'")
        return None
    try:
        status = check_status(str(row.get("status") or "definitive (hypothetical)"))
        events = tuple(event if isinstance(event, Event) else _event(event) for event in row.get("events") or ())
    except InputError as error:
        problems.extend(error.problems)
        return None
    terms = kind.read(name, {key: value for key, value in row.items() if key not in _COMMON}, problems)
    if terms is None:
        return None
    raw = {key: value for key, value in row.items() if key not in ("events", "status")}
    return Contract(name, kind, Deal(name, str(row["pays"]), str(row["gets"])), status, terms, events, raw)


def _event(raw: Mapping[str, Any]) -> Event:
    day = raw.get("known_on")
    if day is None or "status" not in raw:
        raise InputError(Problem("missing", "an event needs 'known_on' and 'status'"))
    return Event(_day(day), str(raw["status"]), raw.get("terms") or {})


def _day(value: Any) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise InputError(Problem("bad_date", f"'{value}' is no day such as 2026-02-27")) from None
