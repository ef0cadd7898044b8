"""What every kind of contract is made of: terms with units at the door, columns to look at, flows to hand back.

A kind is one pure function `(terms, deal, columns) -> list[Flow]`; no kind sees another. Kinds that need to know a
company's capital expenditure, its sales or the cash available for its debt service find them as plain columns, already
summed; what the market does (prices, rates, shares) comes as paths, what is built as sites. Leading axes are draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np

from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.core.terms import SECONDS_PER_YEAR, Term, read_terms
from gigawatt.finance.schedule import Array, Flow, Schedule

__all__ = [
    "SECONDS_PER_YEAR",
    "Claim",
    "Columns",
    "Deal",
    "Kind",
    "Term",
    "capped",
    "nothing_firm",
    "quarters_of",
]


@dataclass(frozen=True, slots=True)
class Columns:
    """What a contract may look at.

    capex_usd, cfads_usd: by company, period columns of plant bought and of cash available for debt service (revenue
    less running costs and tax, from the flows that are no financing); service_usd: principal and interest;
    sales_usd: by company, its revenue from outside; net_usd: all its cash in less cash out; cash_usd: cash at the start
    sites:     by id, a schedule of the same periods with the MW of that site
    paths:     by id, a level for each period: a price, a rate, a share price, [..., periods]
    """

    schedule: Schedule
    capex_usd: Mapping[str, Array] = field(default_factory=dict)
    cfads_usd: Mapping[str, Array] = field(default_factory=dict)
    service_usd: Mapping[str, Array] = field(default_factory=dict)
    sales_usd: Mapping[str, Array] = field(default_factory=dict)
    sites: Mapping[str, Schedule] = field(default_factory=dict)
    paths: Mapping[str, Array] = field(default_factory=dict)
    net_usd: Mapping[str, Array] = field(default_factory=dict)
    cash_usd: Mapping[str, float] = field(default_factory=dict)

    def capex_of(self, company: str) -> Array:
        return self.capex_usd.get(company, np.zeros(self.schedule.periods))

    def cfads_of(self, company: str) -> Array:
        return self.cfads_usd.get(company, np.zeros(self.schedule.periods))

    def service_of(self, company: str) -> Array:
        return self.service_usd.get(company, np.zeros(self.schedule.periods))

    def net_of(self, company: str) -> Array:
        return self.net_usd.get(company, np.zeros(self.schedule.periods))

    def sales_of(self, company: str) -> Array:
        return self.sales_usd.get(company, np.zeros(self.schedule.periods))

    def site_of(self, deal: Deal) -> Schedule:
        """The schedule of the contract's site, or the one site there is.

        Raises:
            InputError: a site of that name does not exist.
        """
        if not deal.site:
            return self.schedule
        if deal.site not in self.sites:
            raise InputError(unknown_name(f"site for contract '{deal.id}'", deal.site, self.sites))
        return self.sites[deal.site]

    def built_w(self, deal: Deal) -> Array:
        """The most power that ever stood on the contract's site by each period's end, [..., periods]."""
        return np.maximum.accumulate(np.maximum(self.site_of(deal).gw_built, 0.0), axis=-1) * 1e9

    def path(self, name: str, deal: Deal) -> Array:
        """The path of that name.

        Raises:
            InputError: nobody gives it.
        """
        if name not in self.paths:
            raise InputError(unknown_name(f"path for contract '{deal.id}'", name, self.paths))
        return self.paths[name]

    def capacity_mw(self, deal: Deal, mw: float | None) -> tuple[Array, Array]:
        """(MW made available, MW in use) that a contract meters: its site's, at most `mw`; `mw` alone without a site.

        Raises:
            InputError: neither a site nor MW: a contract without volume.
        """
        site = self.site_of(deal)
        if deal.site or np.any(site.mw_committed > 0):
            if mw is None:
                return site.mw_committed, site.mw_active
            return np.minimum(site.mw_committed, mw), np.minimum(site.mw_active, mw)
        if mw is None:
            hint = "give it 'mw' or a 'site' that is built"
            raise InputError(Problem("no_volume", f"contract '{deal.id}' has no volume to meter", None, (hint,)))
        flat = np.full(self.schedule.periods, mw)
        return flat, flat


@dataclass(frozen=True, slots=True)
class Deal:
    """The names on a contract: `pays` is who pays first (tenant, investor, lender), `gets` the other side.

    `starts` and `ends` bound its life (None: from the first period on, to the end of its term); `site` is what it meters.
    """

    id: str
    pays: str
    gets: str
    starts: date | None = None
    ends: date | None = None
    site: str = ""

    def flow(self, account: str, amount_usd: Array, *, back: bool = False) -> Flow:
        """A flow of this contract: pays -> gets, or the other way for `back`."""
        payer, payee = (self.gets, self.pays) if back else (self.pays, self.gets)
        return Flow(payer, payee, account, amount_usd, self.id)

    def life_years(self, schedule: Schedule, term_years: float | None = None) -> Array:
        """Years of the contract's life in each period, [periods]: from its start to its end, or `term_years` later.

        Time counts in quarters of equal length, so that a life of a whole term sums to the term on whatever day it begins.

        >>> from gigawatt.finance.schedule import Schedule
        >>> half = Deal("rent", "a", "b", starts=date(2027, 2, 15))
        >>> half.life_years(Schedule.quarterly(date(2027, 1, 1), 3, opening=False), 0.25).round(3).tolist()
        [0.125, 0.125, 0.0]
        """
        first = 0.0 if self.starts is None else schedule.years_until(self.starts)
        last = np.inf if term_years is None else first + term_years
        if self.ends is not None:
            last = min(last, schedule.years_until(date.fromordinal(self.ends.toordinal() + 1)))
        after = schedule.time_years
        return np.asarray(np.maximum(np.minimum(after, last) - np.maximum(after - schedule.year_share, first), 0.0))

    def first_period(self, schedule: Schedule) -> int:
        """The period in which the contract starts; negative, in quarters, where that was before the schedule."""
        if self.starts is None or self.starts == schedule.start:
            return 0
        if self.starts >= schedule.start:
            return schedule.at(self.starts)
        months = (schedule.start.year - self.starts.year) * 12 + schedule.start.month - self.starts.month
        return -((months + 2) // 3)


@dataclass(frozen=True, slots=True)
class Claim:
    """What may become due, or is due later: held by one company against another, and what would call it."""

    kind: str
    holder: str
    against: str
    amount_usd: float
    trigger: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of contract. Register a third party's as an entry point of the group 'gigawatt.contracts'.

    terms:     a frozen dataclass of floats and words
    door:      name in a scenario -> Term
    postings:  the pure function
    stage:     'operating' kinds come first; 'financing' kinds see what those left as cash for debt service; 'owner' kinds
               see the debt service too
    firm:      what is owed whatever happens, [..., periods]; without it, what is posted as a sale or a cost
    claims:    what the contract may still call for
    meaning:   one sentence for the documentation
    """

    name: str
    terms: type[Any]
    door: Mapping[str, Term]
    postings: Callable[[Any, Deal, Columns], list[Flow]]
    stage: Literal["operating", "financing", "owner"] = "operating"
    firm: Callable[[Any, Deal, Columns], Array] | None = None
    claims: Callable[[Any, Deal, Columns], list[Claim]] | None = None
    meaning: str = ""

    def read(self, name: str, raw: Mapping[str, Any], problems: Problems) -> Any:
        """Terms from what a scenario says (text with units, or plain numbers in the engine's units); None if wrong."""
        return read_terms(f"contract '{name}'", self.name, self.door, self.terms, raw, problems)


def quarters_of(years: float) -> int:
    """Quarters in a term of `years`, at least one."""
    return max(1, round(years * 4))


def capped(wanted_usd: Array, cap_usd: float) -> Array:
    """A stream until its sum reaches the cap, [..., periods].

    >>> capped(np.array([4.0, 4.0, 4.0]), 6.0).tolist()
    [4.0, 2.0, 0.0]
    """
    return np.diff(np.minimum(np.cumsum(wanted_usd, axis=-1), cap_usd), axis=-1, prepend=0.0)


def nothing_firm(terms: Any, deal: Deal, columns: Columns) -> Array:
    """For kinds under which nothing is owed before it is used, earned or called."""
    return np.zeros(columns.schedule.periods)
