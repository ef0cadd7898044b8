"""How circular the money is: the loop's index, what returns, whose money pays the vendor, and what would not be sold
without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.table import Table
from gigawatt.finance.accounts import VENDOR_FUNDING, account_of
from gigawatt.finance.circularity import Circularity, breakers, circularity, loops
from gigawatt.finance.ledger import Line
from gigawatt.finance.origin import OWN, Origins, origins
from gigawatt.finance.schedule import Array
from gigawatt.finance.settlement import Settlement, settle
from gigawatt.study.deals.case import Case, Change

FUNDING_KINDS = ("equity", "milestone_tranche", "term_loan", "bond", "prepayment", "warrant")


@dataclass(frozen=True, slots=True)
class Circular:
    """Rows of the table `circularity`, and the origins of each vendor's revenue."""

    rows: list[dict[str, object]]
    by_vendor: tuple[Origins, ...]
    core: tuple[str, ...]

    def table(self) -> Table:
        units = {"value": "see unit"}
        note = "Over the horizon, as known on the day; payments that are really made, defaults included."
        return Table.from_rows(
            "circularity", self.rows, ("name", "value", "unit", "meaning"), units, "How circular", note
        )


def payments(lines: Sequence[Line], paid_usd: Array, companies: Sequence[str]) -> tuple[Array, Array]:
    """(payments between companies, what enters each from outside), sums over the time of `paid_usd` [lines].

    What a company pays beyond what reaches it is taken to enter from outside: its opening cash, or money not stated.
    """
    at = {name: k for k, name in enumerate(companies)}
    flow, inflow = np.zeros((len(at), len(at))), np.zeros(len(at))
    for line, usd in zip(lines, paid_usd, strict=True):
        payer, payee, amount = (
            (line.payer, line.payee, float(usd)) if usd >= 0 else (line.payee, line.payer, -float(usd))
        )
        if payer in at and payee in at:
            flow[at[payer], at[payee]] += amount
        elif payee in at:
            inflow[at[payee]] += amount
    outward = np.zeros(len(at))
    for line, usd in zip(lines, paid_usd, strict=True):
        payer, payee = (line.payer, line.payee) if usd >= 0 else (line.payee, line.payer)
        if payer in at and payee not in at:
            outward[at[payer]] += abs(float(usd))
    gap = flow.sum(axis=1) + outward - flow.sum(axis=0) - inflow
    return flow, inflow + np.maximum(gap, 0.0)


def circular(case: Case, base: Settlement) -> Circular:
    """All measures of the base case."""
    companies = list(case.loaded.ids)
    paid = base.paid_usd[:, :, 0].sum(axis=1)
    flow, inflow = payments(base.lines, paid, companies)
    rows: list[dict[str, object]] = []

    def say(name: str, value: float | None, unit: str, meaning: str) -> None:
        rows.append({"name": name, "value": value, "unit": unit, "meaning": meaning})

    core: tuple[str, ...] = ()
    found = circularity(flow, inflow, companies)
    if flow.sum() > 0:
        say("finn_cycling_index", found.index, "share", "share of all money that passes a company more than once")
        sets = loops(flow)
        core = tuple(companies[k] for k in sets[0]) if sets else ()
        say("core_size", float(len(core)), "companies", f"can pay each other round: {', '.join(core) or 'none'}")
        stops = [companies[k] for k in breakers(flow)]
        say(
            "loop_breakers",
            float(len(stops)),
            "companies",
            f"whose default alone ends every loop: {', '.join(stops) or 'none'}",
        )
    traced = []
    for vendor, revenue, given, contingent in _vendors(case, base, paid):
        cash = {c.id: float(c.opening.cash or 0.0) for c in case.loaded.companies if c.opening is not None}
        one = origins(base.lines, paid, companies, vendor, cash)
        traced.append(one)
        if not given and not contingent:
            continue
        direct = sum(usd for label, usd in one.usd.items() if label in one.direct)
        loop = one.usd.get(OWN, 0.0) / (revenue - direct) if revenue > direct else None
        say(
            f"own_funded_share:{vendor}",
            one.own_share,
            "share",
            f"of all {vendor} sells, paid with money it put in itself",
        )
        say(
            f"own_funded_share_here:{vendor}",
            loop,
            "share",
            f"the same, of what {vendor} sells to the companies of this file",
        )
        say(
            f"invested_over_sales:{vendor}",
            given / revenue,
            "share",
            f"what {vendor} puts into companies here, over its sales",
        )
        returned = _returned(flow, found, companies, vendor, base.lines, paid)
        say(
            f"returned_share:{vendor}",
            returned,
            "share",
            f"of what {vendor} puts into companies here, comes back by any path",
        )
        removed = demand_removed_usd(case, base, vendor)
        say(
            f"demand_removed:{vendor}",
            removed,
            "USD",
            f"sales of {vendor} that are not made when its funding is taken out",
        )
        say(f"demand_removed_share:{vendor}", removed / revenue, "share", "the same, over its sales")
        say(
            f"contingent_over_sales:{vendor}",
            contingent / revenue,
            "share",
            f"caps of what {vendor} guarantees, over its sales",
        )
    return Circular(rows, tuple(traced), core)


def _vendors(case: Case, base: Settlement, paid: Array) -> list[tuple[str, float, float, float]]:
    """(vendor, sales, what it puts into companies here, caps of what it guarantees), who puts in most first."""
    companies = set(case.loaded.ids)
    found = []
    for vendor in (c.id for c in case.loaded.companies if c.role == "vendor" and c.id in base.parties):
        revenue = float(base.of("revenue", vendor)[:, 0].sum())
        given = sum(
            float(usd)
            for line, usd in zip(base.lines, paid, strict=True)
            if line.payer == vendor and line.payee in companies and account_of(line.account).name in VENDOR_FUNDING
        )
        caps = (
            float(one.terms.cap_usd)
            for one in case.contracts
            if one.kind.name in ("guarantee", "capacity_backstop") and one.deal.pays == vendor
        )
        if revenue > 0:
            found.append((vendor, revenue, given, sum(cap for cap in caps if np.isfinite(cap))))
    return sorted(found, key=lambda row: (-row[2], -row[3], -row[1]))


def _returned(
    flow: Array, found: Circularity, companies: list[str], vendor: str, lines: Sequence[Line], paid: Array
) -> float | None:
    """Of what a vendor invests, the share that comes back along all paths."""
    invested = np.zeros(len(companies))
    for line, usd in zip(lines, paid, strict=True):
        if (
            line.payer == vendor
            and line.payee in companies
            and account_of(line.account).name in VENDOR_FUNDING
            and usd > 0
        ):
            invested[companies.index(line.payee)] += float(usd)
    if invested.sum() <= 0:
        return None
    me = companies.index(vendor)
    share = np.divide(found.returned_usd[me], flow[me], out=np.zeros(len(companies)), where=flow[me] > 0)
    return float(invested @ share / invested.sum())


def demand_removed_usd(case: Case, base: Settlement, vendor: str) -> float:
    """Sales that a vendor loses when its own funding is taken out and everybody's purse is settled again.

    A counterfactual, not an identity: a customer with a purse that holds buys all the same.
    """
    funding = {one.id for one in case.contracts if one.deal.pays == vendor and one.kind.name in FUNDING_KINDS}
    if not funding:
        return 0.0
    taken = Change(without=frozenset(funding)).on_top_of(case.change)
    keep = 1 - case.loaded.scenario.default_costs
    again = settle(case.changed(taken, draws=0).obligations(), case.firms, alpha=keep, beta=keep)
    return float(base.of("revenue", vendor).sum() - again.of("revenue", vendor).sum())
