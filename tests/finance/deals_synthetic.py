"""A made-up network of companies and contracts of many kinds, with random prices, use, shares and rates."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from gigawatt.finance.books import Firm
from gigawatt.finance.contracts import Columns, Contract, read_contracts
from gigawatt.finance.obligations import Obligations, owe
from gigawatt.finance.paths import Path, SitePath
from gigawatt.finance.schedule import Flow, Schedule

START = date(2027, 1, 1)
KINDS = (
    *["take_or_pay"] * 5, *["term_loan"] * 4, *["purchase"] * 4, "bond", "equity", "milestone_tranche", "royalty",
    *["compute_lease"] * 2, "guarantee", "spot_purchase", "warrant", "revenue_share", "capacity_backstop",
)  # fmt: skip


@dataclass(frozen=True)
class Synthetic:
    """Contracts, firms and a world; `obligations(first, last)` as `settle_draws` wants it."""

    schedule: Schedule
    contracts: list[Contract]
    firms: list[Firm]
    money: list[tuple[str, str, str, float]]
    paths: dict[str, np.ndarray]
    site: Schedule
    margins: dict[str, float]

    def obligations(self, first: int, last: int) -> Obligations:
        paths = {name: path[first:last] for name, path in self.paths.items()}
        site = Schedule(
            self.schedule.start, self.schedule.ends, self.schedule.year_share,
            self.site.mw_active[first:last], self.site.mw_committed[first:last], self.site.gw_built[first:last],
        )  # fmt: skip
        flat = np.ones(self.schedule.periods)
        flows = [Flow(a, b, c, (paths["price"] if c == "revenue" else flat) * usd / 4) for a, b, c, usd in self.money]
        cash = {firm.name: float(firm.cash_usd or 0.0) for firm in self.firms}
        columns = Columns(self.schedule, sites={"hall": site}, paths=paths, cash_usd=cash)
        return owe(flows, self.contracts, columns, last - first, gross_margin=self.margins)


def synthetic(
    draws: int, *, companies: int = 60, contracts: int = 500, quarters: int = 40, seed: int = 0, wealth: float = 1.0
) -> Synthetic:
    """`wealth` scales opening cash: small values make many defaults."""
    rng = np.random.default_rng(seed)
    names = [f"c{k:02d}" for k in range(companies)]
    schedule = Schedule.quarterly(START, quarters, opening=False)
    rows = [_row(k, KINDS[k % len(KINDS)], names, rng) for k in range(contracts)]
    rents = [row["id"] for row in rows if row["kind"] == "take_or_pay"]
    by_id = {row["id"]: row for row in rows}
    for row in rows:
        if row["kind"] == "guarantee" and rents:
            covered = by_id[str(rng.choice(rents))]
            row |= {"pays": "guarantor", "gets": covered["gets"], "covers": covered["id"]}
    rows = [row for row in rows if row["kind"] != "guarantee" or "covers" in row]
    money = []
    for name in names:
        money.append(("customers", name, "revenue", float(rng.lognormal(21.2, 0.8))))
        money.append((name, "staff", "opex", float(rng.lognormal(19.5, 0.8))))
    firms = [
        Firm(name, float(rng.lognormal(22.5, 1.0)) * wealth, fixed_assets_usd=1e9, tax_rate=0.2, plant_life_years=5.0)
        for name in names
    ]
    firms.append(Firm("guarantor", 5e9 * wealth))
    paths = {
        "price": Path(1.0, -0.1, volatility=0.3, reversion=0.5).drawn(schedule, "price", seed, draws),
        "share": Path(100.0, 0.1, volatility=0.4).drawn(schedule, "share", seed, draws),
        "rate": Path(0.04, 0.0, volatility=0.2, reversion=0.5).drawn(schedule, "rate", seed, draws),
    }
    use = np.clip(Path(0.8, 0.0, volatility=0.2, reversion=1.0).drawn(schedule, "use", seed, draws), 0, 1)
    built = SitePath({START: 0.5, date(2028, 1, 1): 2.0, date(2030, 1, 1): 4.0}, delay_sd_quarters=1.5)
    site = built.schedule(schedule, "hall", seed, draws)
    gw = np.broadcast_to(site.gw_built, use.shape)
    world = Schedule(schedule.start, schedule.ends, schedule.year_share, gw * 1e3 * use, gw * 1e3, gw)
    return Synthetic(schedule, read_contracts(rows), firms, money, paths, world, {names[0]: 0.7, names[1]: 0.5})


def _row(k: int, kind: str, names: list[str], rng: np.random.Generator) -> dict[str, Any]:
    payer, payee = rng.choice(len(names), 2, replace=False)
    usd = float(rng.lognormal(20, 1))
    term = float(rng.integers(2, 10))
    row: dict[str, Any] = {"id": f"k{k}", "kind": kind, "pays": names[payer], "gets": names[payee]}
    return (
        row
        | {
            "take_or_pay": {"amount": usd * 5, "term": term, "site": "hall", "prepaid": 0.1 if k % 3 == 0 else 0.0},
            "term_loan": {"amount": usd * 2, "rate": 0.08, "term": term},
            "bond": {"amount": usd * 2, "base": "rate", "spread": 0.03, "term": term},
            "purchase": {"amount": usd * 2, "term": term, "prepaid": 0.2 if k % 4 == 0 else 0.0},
            "equity": {"amount": usd, "index": "share"},
            "milestone_tranche": {"amount": usd, "per": 1e9, "maximum": 5 * usd, "site": "hall"},
            "royalty": {"share": 0.02},
            "compute_lease": {"value": usd * 3, "term": min(term, 6.0), "rate": 0.09},
            "guarantee": {"cap": usd * 2, "share": 0.5},
            "spot_purchase": {"mw": 50e6, "price": 10 / (8760 * 3600), "index": "price"},
            "warrant": {
                "shares": 1e6,
                "price": "share",
                "site": "hall",
                "tranches": [{"power": "1 GW", "price": "110 USD"}],
            },
            "revenue_share": {"share": 0.05, "cap": usd},
            "capacity_backstop": {"price": 10 / (8760 * 3600), "site": "hall", "mw": 100e6, "cap": usd},
        }[kind]
    )
