"""Reads contracts: from what a file says to kinds, parties, lives and terms, with every problem told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.core import plugins, units
from gigawatt.core.dates import first_day, last_day
from gigawatt.core.errors import InputError, Problem, Problems, Where, unknown_name
from gigawatt.finance.accounts import account_of
from gigawatt.finance.contracts import (
    compute_lease,
    equity,
    guarantee,
    milestone_tranche,
    prepayment,
    purchase,
    sharing,
    spv,
    take_or_pay,
    term_loan,
    warrant,
)
from gigawatt.finance.contracts.base import Columns, Deal, Kind
from gigawatt.finance.contracts.status import Event, as_known
from gigawatt.finance.contracts.status import check as check_status
from gigawatt.finance.schedule import Flow

OWN = (
    purchase.SPOT,
    purchase.KIND,
    prepayment.KIND,
    milestone_tranche.KIND,
    take_or_pay.KIND,
    compute_lease.KIND,
    guarantee.BACKSTOP,
    guarantee.KIND,
    term_loan.KIND,
    term_loan.BOND,
    spv.KIND,
    equity.KIND,
    warrant.KIND,
    sharing.KIND,
    sharing.ROYALTY,
)
GRADES = ("A", "B", "C", "D")
Place = Callable[[int, str], Where | None]

# What every contract may say beside the terms of its kind.
COMMON = (
    "id", "kind", "pays", "gets", "status", "events", "starts", "ends", "site", "boundary", "grade", "source", "note",
    "headline",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that is ready to post: its kind, its parties, its status and its terms (the kind's own dataclass).

    `raw` is what it was read from and `events` its history; `known(on)` is the contract as known on a day. `grade` and
    `source` say how its facts are known; `headline_usd` is what was announced of it.
    """

    id: str
    kind: Kind
    deal: Deal
    status: str
    terms: Any
    events: tuple[Event, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    grade: str = ""
    source: str = ""
    headline_usd: float | None = None
    known_on: date | None = None

    def postings(self, columns: Columns) -> list[Flow]:
        return self.kind.postings(self.terms, self.deal, columns)

    def known(self, on: date) -> Contract | None:
        """As known at the end of day `on`; None before its first event. Without a history it is always known."""
        if not self.events:
            return self
        known = as_known(self.events, on)
        if not known.status:
            return None
        problems = Problems()
        made = _read({**self.raw, **known.terms, "status": known.status}, problems)
        problems.raise_if_any()
        assert made is not None
        return replace(
            made,
            grade=known.grade or made.grade,
            source=known.source or made.source,
            known_on=known.known_on,
            events=self.events,
        )


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """The kinds of this package, by name."""
    return {kind.name: kind for kind in OWN}


def kind_names() -> list[str]:
    """Our kinds and those that installed packages bring; nothing is imported for it."""
    return [*kinds(), *(name for name in plugins.names(plugins.CONTRACTS) if name not in kinds())]


def kind_named(name: str) -> Kind | None:
    """The kind of that name: ours, which nobody replaces, or an installed package's; None where there is none.

    Raises:
        PluginError: the package that brings it can not be used, or names its kind otherwise.
    """
    if name in kinds():
        return kinds()[name]
    plugin = plugins.find(plugins.CONTRACTS, name)
    return _foreign(plugin) if plugin is not None else None


def _foreign(plugin: plugins.Plugin) -> Kind:
    plugins.note(plugin)
    kind = plugins.load(plugin, Kind)
    if kind.name != plugin.name:
        raise plugins.PluginError(plugin, f"the kind calls itself '{kind.name}': both names must be the same")
    postings, claims, firm = kind.postings, kind.claims, kind.firm
    return replace(
        kind,
        postings=_checked(plugin, "its postings", postings, _flows),
        claims=None if claims is None else _checked(plugin, "its claims", claims, lambda found, columns: ""),
        firm=None if firm is None else _checked(plugin, "what it calls firm", firm, _firm),
    )


def _checked(
    plugin: plugins.Plugin, what: str, function: Callable[..., Any], wrong: Callable[[Any, Columns], str]
) -> Callable[..., Any]:
    """A function of a plug-in whose failures and malformed answers name the plug-in."""

    def asked(terms: Any, deal: Deal, columns: Columns) -> Any:
        with plugins.guarded(plugin, f"{what} of contract '{deal.id}' failed"):
            found = function(terms, deal, columns)
        said = wrong(found, columns)
        if said:
            raise plugins.PluginError(plugin, f"{what} of contract '{deal.id}': {said}")
        return found

    return asked


def _flows(found: Any, columns: Columns) -> str:
    """What is wrong with postings: a list of flows over the periods, finite USD."""
    if not isinstance(found, list) or not all(isinstance(flow, Flow) for flow in found):
        return f"a {type(found).__name__}, not a list of gigawatt.finance.Flow"
    for flow in found:
        try:
            account_of(flow.account)
        except InputError as error:
            return error.problems[0].message
    return next((said for flow in found if (said := _firm(flow.amount_usd, columns))), "")


def _firm(found: Any, columns: Columns) -> str:
    amounts = np.asarray(found, dtype=np.float64)
    if amounts.ndim == 0 or amounts.shape[-1] != columns.schedule.periods:
        return f"amounts of shape {amounts.shape} for {columns.schedule.periods} periods"
    return "" if np.all(np.isfinite(amounts)) else "an amount that is no finite number"


def read_contract(raw: Mapping[str, Any]) -> Contract:
    """One contract from a mapping: id, kind, pays, gets, status, optional events, and the terms of its kind.

    Raises:
        InputError: with every problem found.
    """
    return read_contracts([raw])[0]


def read_contracts(rows: Iterable[Mapping[str, Any]], place: Place | None = None) -> list[Contract]:
    """Contracts from mappings, such as `[deal.model_dump() for deal in scenario.contracts]`.

    `place(index, key)` says where a field of a row stands in its file.

    Raises:
        InputError: unknown kind, status or term, a term of the wrong unit, a missing one, a contract that pays itself or
            ends before it starts, guarantees that run in a circle or cover nothing.
    """
    problems = Problems()
    made = []
    for index, row in enumerate(rows):
        found = Problems()
        one = _read(row, found)
        problems.extend(_placed(problem, index, row, place) for problem in found.found)
        made.append(one)
    contracts = [one for one in made if one is not None]
    for problem, contract in _guarantees(contracts):
        problems.extend([_placed(problem, made.index(contract), contract.raw, place)])
    problems.raise_if_any()
    return contracts


def _placed(problem: Problem, index: int, row: Mapping[str, Any], place: Place | None) -> Problem:
    """The problem with its place: that of the field it names, else of the contract."""
    if place is None or problem.where is not None:
        return problem
    named = next((key for key in row if f"'{key}'" in problem.message or f", {key}:" in problem.message), "")
    return replace(problem, where=place(index, named))


def _read(row: Mapping[str, Any], problems: Problems) -> Contract | None:
    name = str(row.get("id", "?"))
    missing = [key for key in ("id", "kind", "pays", "gets") if not row.get(key)]
    if missing:
        problems.add("missing", f"contract '{name}' needs {', '.join(repr(key) for key in missing)}")
        return None
    try:
        kind = kind_named(str(row["kind"]))
    except InputError as error:
        problems.extend(error.problems)
        return None
    if kind is None:
        problems.extend([unknown_name("kind of contract", str(row["kind"]), kind_names())])
        return None
    if row["pays"] == row["gets"]:
        problems.add("pays_itself", f"contract '{name}' pays itself: 'pays' and 'gets' are both '{row['pays']}'")
        return None
    events: tuple[Event, ...] = ()
    status = "definitive (hypothetical)"
    try:
        status = check_status(str(row.get("status") or status))
        events = tuple(
            sorted((_event(event, name) for event in row.get("events") or ()), key=lambda event: event.known_on)
        )
    except InputError as error:
        problems.extend(error.problems)
        return None
    raw = {key: value for key, value in row.items() if key not in ("events", "status")}
    deal = _deal(raw, problems)
    first = {**raw, **(events[0].terms if events else {})}
    try:
        terms = _read_terms(kind, name, first, problems)
        after = first
        for event in events[1:]:
            after = {**after, **event.terms}
            if event.terms and terms is not None and _read_terms(kind, name, after, problems) is None:
                return None
    except plugins.PluginError as error:
        problems.extend(error.problems)
        return None
    grade = str(row.get("grade") or "")
    if grade and grade not in GRADES:
        problems.add("bad_grade", f"contract '{name}': 'grade' is one of {', '.join(GRADES)}, not '{grade}'")
    headline = _headline(row.get("headline"), name, problems)
    if terms is None or deal is None:
        return None
    return Contract(name, kind, deal, status, terms, events, raw, grade, str(row.get("source") or ""), headline)


def _read_terms(kind: Kind, name: str, row: Mapping[str, Any], problems: Problems) -> Any:
    """The kind's terms; what the code of a plug-in's terms raises names the plug-in."""
    if kind.name in kinds():
        return kind.read(name, _terms(row), problems)
    plugin = plugins.find(plugins.CONTRACTS, kind.name)
    assert plugin is not None
    with plugins.guarded(plugin, f"its terms, as contract '{name}' gives them, failed"):
        return kind.read(name, _terms(row), problems)


def _terms(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in COMMON}


def _deal(row: Mapping[str, Any], problems: Problems) -> Deal | None:
    name = str(row["id"])
    try:
        starts = None if row.get("starts") is None else first_day(row["starts"])
        ends = None if row.get("ends") is None else last_day(row["ends"])
    except ValueError as error:
        problems.add("bad_date", f"contract '{name}': {error}")
        return None
    if starts is not None and ends is not None and ends < starts:
        message = f"contract '{name}' 'starts' on {starts} after it ends on {ends}"
        problems.add("ends_before_start", message, None, "set 'ends' later, or leave it out and give a 'term'")
        return None
    return Deal(name, str(row["pays"]), str(row["gets"]), starts, ends, str(row.get("site") or ""))


def _headline(value: Any, name: str, problems: Problems) -> float | None:
    if value is None:
        return None
    try:
        return float(value) if isinstance(value, (int, float)) else units.parse(value, "money")
    except ValueError as error:
        problems.add("bad_term", f"contract '{name}', headline: {error}")
        return None


def _event(raw: Any, name: str) -> Event:
    if isinstance(raw, Event):
        return raw
    if not isinstance(raw, Mapping) or raw.get("known_on") is None or "status" not in raw:
        raise InputError(Problem("missing", f"contract '{name}': an event needs 'known_on' and 'status'"))
    known = {one.name for one in fields(Event)}
    for key in raw:
        if key not in known:
            raise InputError(unknown_name(f"field of an event (contract '{name}')", str(key), known))
    try:
        terms = dict(raw.get("terms") or {})
        if raw.get("effective_on") is not None:
            terms.setdefault("starts", raw["effective_on"])
        return Event(
            last_day(raw["known_on"]),
            str(raw["status"]),
            terms,
            None if raw.get("effective_on") is None else first_day(raw["effective_on"]),
            *(str(raw.get(key) or "") for key in ("source", "grade", "note")),
        )
    except ValueError as error:
        raise InputError(Problem("bad_date", f"contract '{name}': {error}")) from None


def _guarantees(contracts: list[Contract]) -> Iterable[tuple[Problem, Contract]]:
    """Guarantees of contracts that do not exist, and loops: A guarantees what B owes while B guarantees what A owes."""
    by_id = {one.id: one for one in contracts}
    covers = {one.id: str(one.terms.covers) for one in contracts if one.kind.name == "guarantee"}
    for name, covered in covers.items():
        if covered not in by_id:
            yield unknown_name(f"contract that '{name}' covers:", covered, by_id), by_id[name]
    # who stands in for whom: guarantor -> obligor of what is covered
    stands = [(by_id[name].deal.pays, by_id[c].deal.pays, name) for name, c in covers.items() if c in by_id]
    told: set[frozenset[str]] = set()
    for guarantor, obligor, name in stands:
        chain = _way_back(guarantor, obligor, stands)
        if chain and frozenset(chain) not in told:
            told.add(frozenset(chain))
            circle = " -> ".join(chain)
            message = f"contract '{name}': guarantees run in a circle: {circle}"
            hint = "a guarantee is worth nothing when its guarantor leans on whom it guarantees; take one out"
            yield Problem("guarantee_loop", message, None, (hint,)), by_id[name]


def _way_back(guarantor: str, obligor: str, stands: list[tuple[str, str, str]]) -> list[str]:
    """The shortest chain guarantor -> obligor -> ... -> guarantor; empty where there is none."""
    ways = [[guarantor, obligor]]
    seen = {obligor}
    while ways:
        way = ways.pop(0)
        if way[-1] == guarantor:
            return way
        for a, b, _ in stands:
            if a == way[-1] and b not in seen:
                seen.add(b)
                ways.append([*way, b])
    return []
