"""Who breaks first: the case under shocks, one at a time, and the draws under their own.

Always tried: prices down by 30 %, a quarter of the sites' use gone, rates up by 3 points, every site a year late, sales to
the outside down by 30 %, shares at half, each vendor's funding taken out. Sizes are ours: large enough to break something,
small enough to have happened (rents of an H100 fell by 43 % in the year to October 2025 and rose by 38 % by March 2026).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gigawatt.core.table import Table
from gigawatt.finance.settlement import NEVER, Settlement, settle
from gigawatt.study.deals.case import Case, Change
from gigawatt.study.deals.circular import FUNDING_KINDS

PRICE, USE, RATE, LATE, SALES, SHARES = 0.7, 0.75, 0.03, 4, 0.7, 0.5
COLUMNS = (
    "shock",
    "means",
    "first_default",
    "date",
    "shortfall_usd",
    "defaults",
    "who",
    "lost_usd",
    "called_usd",
    "outside_usd",
    "lowest_cash_usd",
    "lowest_cash_of",
)


def shocks(case: Case) -> Iterator[tuple[str, str, Change]]:
    """(name, what it means, the change) of every shock that can bite in this file."""
    scenario = case.loaded.scenario
    prices = [path.id for path in scenario.paths if path.kind == "price"]
    shares = [path.id for path in scenario.paths if path.kind == "share"]
    rates = [path.id for path in scenario.paths if path.kind == "rate"]
    sites = {site.id: site.used for site in scenario.sites}
    companies = set(case.loaded.ids)
    sales = [f.id for f in case.other_money if f.account.startswith("revenue") and f.pays not in companies]
    if prices:
        yield "price", f"every price path at {PRICE:.0%}", Change(times=dict.fromkeys(prices, PRICE))
    if sites:
        less = {name: use * USE for name, use in sites.items()}
        yield "utilisation", f"{USE:.0%} of the use of every site", Change(used=less)
        yield "delay", f"every site {LATE} quarters late", Change(delay=dict.fromkeys(sites, LATE))
    if rates:
        yield "rates", f"floating rates up by {100 * RATE:.0f} points", Change(rate=RATE)
    if sales:
        yield "sales", f"sales to the outside at {SALES:.0%}", Change(flows=dict.fromkeys(sales, SALES))
    if shares:
        yield "shares", f"every share price at {SHARES:.0%}", Change(times=dict.fromkeys(shares, SHARES))
    for company in case.loaded.companies:
        funding = [c.id for c in case.contracts if c.deal.pays == company.id and c.kind.name in FUNDING_KINDS]
        if company.role == "vendor" and funding:
            means = f"{company.id} stops funding its customers ({len(funding)} contracts)"
            yield f"no funding by {company.id}", means, Change(without=frozenset(funding))
    for own in scenario.stress:
        change = Change(own.times, own.used, own.rate, own.delay, own.flows, frozenset(own.without))
        yield own.id, own.note or "a shock of the file", change


def stress_table(case: Case, base: Settlement) -> Table:
    """One row a shock, the undisturbed case first."""
    scenario = case.loaded.scenario
    keep = 1 - scenario.default_costs
    rows = [_row("none", "as the file says", case, base)]
    for name, means, change in shocks(case):
        changed = case.changed(change.on_top_of(case.change), draws=0)
        rows.append(_row(name, means, changed, settle(changed.obligations(), changed.firms, alpha=keep, beta=keep)))
    units = {name: "USD" for name in COLUMNS if name.endswith("_usd")}
    note = (
        "Outside: money that companies without a stated purse need beyond what reaches them. Lost: what creditors miss."
    )
    return Table.from_rows("stress", rows, COLUMNS, units, "Who breaks first", note)


def _row(name: str, means: str, case: Case, settled: Settlement) -> dict[str, object]:
    ends = settled.schedule.ends
    first = settled.default_period[:, 0]
    fallen = sorted((int(first[k]), settled.parties[k], k) for k in range(len(first)) if first[k] < NEVER)
    purses = [
        k for k, firm in enumerate(settled.parties) if firm in {c.id for c in case.loaded.companies if c.has_purse}
    ]
    lowest = min(
        ((float(settled.books["cash"][k, :, 0].min()), settled.parties[k]) for k in purses), default=(None, "")
    )
    out: dict[str, object] = {
        "shock": name,
        "means": means,
        "first_default": fallen[0][1] if fallen else "",
        "date": ends[fallen[0][0]].isoformat() if fallen else "",
        "shortfall_usd": float(settled.shortfall_usd[fallen[0][2], 0]) if fallen else 0.0,
        "defaults": len(fallen),
        "who": ", ".join(who for _, who, _ in fallen),
        "lost_usd": float(settled.lost_usd[:, 0].sum()),
        "called_usd": float(settled.called_usd.sum()),
        "outside_usd": outside_usd(case, settled),
        "lowest_cash_usd": lowest[0],
        "lowest_cash_of": lowest[1],
    }
    return out


def outside_usd(case: Case, settled: Settlement) -> float:
    """The most that companies without a stated purse ever need from outside, summed."""
    total = 0.0
    for company in case.loaded.companies:
        if not company.has_purse and company.id in settled.parties:
            total += max(0.0, -float(np.min(settled.of("cash", company.id)[:, 0])))
    return total
