"""The world of a deals file: schedule, sites and market paths with their draws, other money, firms; then obligations.

A shock changes the world, not the file: factors on paths and flows, the share of a site in use, a rise of rates, a delay,
contracts taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import TypeVar

import numpy as np

from gigawatt.finance.books import Firm
from gigawatt.finance.contracts import Columns, Contract, counts_as_cash
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Deal
from gigawatt.finance.obligations import Obligations, owe
from gigawatt.finance.paths import Path, SitePath
from gigawatt.finance.schedule import Array, Flow, Schedule
from gigawatt.study.deals.load import LoadedDeals, restated_name
from gigawatt.study.deals.scenario import MarketPath, OtherMoney, Site

QUARTER_S = SECONDS_PER_YEAR / 4
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Change:
    """A shock in plain numbers; see `scenario.Shock`."""

    times: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)
    rate: float = 0.0
    delay: Mapping[str, int] = field(default_factory=dict)
    flows: Mapping[str, float] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def on_top_of(self, below: Change) -> Change:
        """Both at once: factors multiply, rises and delays add, the use of a site is this one's.

        >>> Change(rate=0.01, times={"a": 0.5}).on_top_of(Change(rate=0.02, times={"a": 0.5, "b": 2.0}))
        Change(times={'a': 0.25, 'b': 2.0}, used={}, rate=0.03, delay={}, flows={}, without=frozenset())
        """
        return Change(
            _both(below.times, self.times, lambda a, b: a * b),
            {**below.used, **self.used},
            below.rate + self.rate,
            _both(below.delay, self.delay, lambda a, b: a + b),
            _both(below.flows, self.flows, lambda a, b: a * b),
            below.without | self.without,
        )


def _both(below: Mapping[str, N], above: Mapping[str, N], join: Callable[[N, N], N]) -> dict[str, N]:
    return {**below, **{key: join(below[key], value) if key in below else value for key, value in above.items()}}


NO_CHANGE = Change()


@dataclass(frozen=True)
class Case:
    """A loaded file with its draws; `quarters` may reach beyond the horizon, for what contracts still owe then."""

    loaded: LoadedDeals
    draws: int = 0
    change: Change = NO_CHANGE
    extra_quarters: int = 0

    @cached_property
    def schedule(self) -> Schedule:
        horizon = self.loaded.scenario.horizon
        return Schedule.quarterly(horizon.start, horizon.quarters + self.extra_quarters, opening=False)

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        return tuple(one for one in self.loaded.contracts if one.id not in self.change.without)

    @cached_property
    def firms(self) -> tuple[Firm, ...]:
        """Parties with books. What stood before the first period on contracts of the file is part of their opening."""
        before = self._opening_debts()
        made = []
        for company in self.loaded.companies:
            opening = company.opening
            lent, owed, paid_ahead, got_ahead = before.get(company.id, (0.0, 0.0, 0.0, 0.0))
            made.append(
                Firm(
                    company.id,
                    opening.cash if opening is not None else None,
                    fixed_assets_usd=opening.fixed_assets if opening is not None else 0.0,
                    loans_made_usd=(opening.loans_made if opening is not None else 0.0) + lent,
                    stakes_usd=opening.stakes if opening is not None else 0.0,
                    loans_owed_usd=max(opening.debt if opening is not None else 0.0, owed),
                    advances_paid_usd=paid_ahead,
                    advances_received_usd=got_ahead,
                    tax_rate=company.tax_rate,
                    plant_life_years=company.plant_life_years,
                )
            )
        return tuple(made)

    def _opening_debts(self) -> dict[str, tuple[float, float, float, float]]:
        """By company: (lent, owed, paid ahead, received ahead) under contracts that began before the first period."""
        out: dict[str, list[float]] = {}
        owed = [one for one in self.contracts if counts_as_cash(one.status)]
        begun = [one for one in owed if one.deal.starts and one.deal.starts < self.schedule.start]
        if not begun:
            return {}
        far = replace(self, extra_quarters=self.extra_quarters + 160, draws=0)
        columns = far.columns(0, 1)
        for one in begun:
            for flow in one.postings(columns):
                total = float(flow.amount_usd.sum())
                if flow.account == "loan_repayment":
                    drawn = sum(float(f.amount_usd.sum()) for f in one.postings(columns) if f.account == "loan_draw")
                    out.setdefault(flow.payee, [0.0] * 4)[0] += total - drawn
                    out.setdefault(flow.payer, [0.0] * 4)[1] += total - drawn
                elif flow.account == "prepayment" and total < 0:
                    out.setdefault(flow.payer, [0.0] * 4)[2] -= total
                    out.setdefault(flow.payee, [0.0] * 4)[3] -= total
        return {name: (a, b, c, d) for name, (a, b, c, d) in out.items()}

    @cached_property
    def paths(self) -> dict[str, Array]:
        """[draws or 1, periods] by id."""
        return {path.id: self._path(path) for path in self.loaded.scenario.paths}

    def _path(self, path: MarketPath) -> Array:
        day, schedule = self.loaded.as_of, self.schedule
        seen = {d: v for d, v in path.by_date.items() if day is None or d <= day}
        if seen:
            last = max(seen)
            middle = Path(by_date=seen).middle(schedule)
            ahead = np.array([max((end - last).days, 0) / 365 for end in schedule.ends])
            middle = np.where(ahead > 0, seen[last] * (1 + path.growth) ** ahead, middle)
        else:
            last = day or schedule.start
            middle = Path(path.start, path.growth).middle(schedule)
        made = middle[None, :]
        if path.volatility and self.draws:
            noise = Path(1.0, 0.0, None, path.volatility, path.reversion)
            unknown = replace(
                schedule, year_share=np.where([end > last for end in schedule.ends], schedule.year_share, 0.0)
            )
            made = middle * noise.drawn(unknown, path.id, self.loaded.scenario.seed, self.draws)
        if path.kind == "rate":
            made = made + self.change.rate
        return np.asarray(made * self.change.times.get(path.id, 1.0))

    @cached_property
    def sites(self) -> dict[str, Schedule]:
        made = {site.id: self._site(site) for site in self.loaded.scenario.sites}
        for site in self.loaded.scenario.sites:
            if site.pue is not None:
                other, factor = ("it", 1 / site.pue) if site.boundary == "facility" else ("facility", site.pue)
                made[restated_name(site.id, other)] = _scaled(made[site.id], factor)
        return made

    def _site(self, site: Site) -> Schedule:
        day = self.loaded.as_of
        known = [plan for plan in site.built if day is None or plan.known_on is None or plan.known_on <= day]
        plan = max(known, key=lambda one: one.known_on or date.min, default=None)
        built = plan.built if plan is not None else {}
        used = self.change.used.get(site.id, site.used)
        late = site.delay + self.change.delay.get(site.id, 0)
        return SitePath(built, used, late, site.delay_sd).schedule(
            self.schedule, site.id, self.loaded.scenario.seed, self.draws
        )

    def columns(self, first: int, last: int) -> Columns:
        """What contracts look at, for draws first..last-1."""
        opening = {c.id: c.opening.cash for c in self.loaded.companies if c.has_purse and c.opening is not None}
        return Columns(
            self.schedule,
            sites={name: _cut_site(site, first, last) for name, site in self.sites.items()},
            paths={name: _cut(path, first, last) for name, path in self.paths.items()},
            cash_usd={name: float(cash or 0.0) for name, cash in opening.items()},
        )

    @cached_property
    def other_money(self) -> tuple[OtherMoney, ...]:
        """Money that no contract governs, as known on the day: of two views of it the later."""
        day = self.loaded.as_of
        flows = self.loaded.scenario.flows
        known = [one for one in flows if day is None or one.known_on is None or one.known_on <= day]
        older = {one.replaces for one in known}
        return tuple(one for one in known if one.id not in older)

    def flows(self, columns: Columns) -> list[Flow]:
        """The other money as flows."""
        return [Flow(one.pays, one.gets, one.account, self._money(one, columns)) for one in self.other_money]

    def _money(self, money: OtherMoney, columns: Columns) -> Array:
        schedule = self.schedule
        share = Deal(money.id, money.pays, money.gets, money.starts, money.ends).life_years(schedule) / 0.25
        if money.price is not None:
            site = columns.sites[money.site] if money.site else schedule
            out = money.price * site.mw_active * 1e6 * QUARTER_S * share
        elif money.by_year:
            years = sorted(money.by_year)
            at = [max((y for y in years if y <= end.year), default=years[0]) for end in schedule.ends]
            out = np.array([money.by_year[year] for year in at]) * QUARTER_S * share
        else:
            first = money.starts or schedule.start
            years_on = np.array([max((end - first).days, 0) / 365 for end in schedule.ends])
            out = (money.amount or 0.0) * QUARTER_S * (1 + money.growth) ** years_on * share
        if money.times:
            out = out * columns.paths[money.times]
        return np.asarray(out * self.change.flows.get(money.id, 1.0))

    def obligations(self, first: int = 0, last: int = 1) -> Obligations:
        """What everybody owes in draws first..last-1 (one draw of the middle paths where the case has none)."""
        columns = self.columns(first, last)
        margins = {c.id: c.gross_margin for c in self.loaded.companies if c.gross_margin is not None}
        return owe(self.flows(columns), self.contracts, columns, last - first, gross_margin=margins)

    def changed(self, change: Change, draws: int | None = None) -> Case:
        """The same case under a shock."""
        return Case(self.loaded, self.draws if draws is None else draws, change, self.extra_quarters)


def _scaled(site: Schedule, factor: float) -> Schedule:
    return replace(
        site,
        mw_active=site.mw_active * factor,
        mw_committed=site.mw_committed * factor,
        gw_built=site.gw_built * factor,
    )


def _cut(path: Array, first: int, last: int) -> Array:
    return path[0] if len(path) == 1 else path[first:last]


def _cut_site(site: Schedule, first: int, last: int) -> Schedule:
    if site.gw_built.ndim == 1:
        return site
    return replace(
        site,
        mw_active=site.mw_active[first:last],
        mw_committed=site.mw_committed[first:last],
        gw_built=site.gw_built[first:last],
    )
