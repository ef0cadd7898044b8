"""A deals run from file to result: settle the file's own case, draw bands, trace money, try shocks, write tables."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.finance import npv_usd
from gigawatt.finance.batch import settle_draws
from gigawatt.finance.contracts import counts_as_cash, counts_in_headline
from gigawatt.finance.settlement import NEVER, Settlement, settle
from gigawatt.study.deals import tables
from gigawatt.study.deals.case import Case, Change
from gigawatt.study.deals.circular import Circular, circular
from gigawatt.study.deals.explained import trees
from gigawatt.study.deals.load import LoadedDeals
from gigawatt.study.deals.stress import outside_usd, stress_table
from gigawatt.study.deals.texts import headline, hindsight, texts
from gigawatt.study.explained.kept import kept
from gigawatt.study.result import RunResult
from gigawatt.study.source import digest

Progress = Callable[[str], Any]


def run_deals(loaded: LoadedDeals, progress: Progress = lambda text: None, catalog: Catalog | None = None) -> RunResult:
    """Answer a deals file.

    Raises:
        InputError: a contract that asks for what the file does not give.
    """
    began = time.perf_counter()
    scenario, facts = loaded.scenario, catalog or Catalog.load()
    case = Case(loaded)
    keep = 1 - scenario.default_costs
    progress("settling who pays whom")
    base = settle(case.obligations(), case.firms, alpha=keep, beta=keep)
    drawn = None
    if scenario.samples:
        progress(f"drawing {scenario.samples} futures")
        drawn = draw(Case(loaded, scenario.samples), progress)
    progress("tracing the money")
    ring = circular(case, base)
    # headlines rest on nothing of grade C: without those contracts, where there are any
    sure = _sure(case)
    sure_base = base if sure is case else settle(sure.obligations(), sure.firms, alpha=keep, beta=keep)
    sure_ring = ring if sure is case else circular(sure, sure_base)
    sure_drawn = drawn
    if drawn is not None and sure is not case:
        progress("drawing futures without grade C")
        sure_drawn = draw(sure.changed(sure.change, scenario.samples), progress)
    progress("trying shocks")
    shocks = stress_table(case, base)
    sure_shocks = shocks if sure is case else stress_table(sure, sure_base)
    progress("writing tables")
    firm, announced = tables.backlog(case)
    metrics = metrics_table(sure, sure_base, sure_drawn, sure_ring)
    service = tables.debt_service_table(case, base)
    made = [
        tables.contracts_table(case, base),
        ring.table(),
        tables.whose_money_table(ring.by_vendor),
        shocks,
        tables.defaults_table(base),
        tables.claims_table(case),
        tables.cash_links_table(case, base),
        tables.network_table(case, base),
        tables.quarters_table(case, base),
        tables.backlog_table(case, firm, announced),
        service,
        tables.covenants_table(case, service),
        tables.companies_table(case, base, drawn, firm),
    ]
    found = {table.name: table for table in made if len(table)}
    manifest = {
        "question": "deals",
        "version": __version__,
        "scenario": loaded.source.data,
        "scenario_file": loaded.source.file,
        "scenario_hash": digest(loaded.source.data)[:16],
        "as_of": loaded.as_of.isoformat() if loaded.as_of else None,
        "seed": scenario.seed,
        "samples": scenario.samples,
        "stock_flow_residual": max(base.residual, drawn.residual if drawn is not None else 0.0),
        **kept(trees(sure, sure_base, sure_ring, metrics, facts), facts, loaded.source),
        "wall_s": time.perf_counter() - began,
    }
    title = (scenario.title or scenario.name) + (f", seen on {loaded.as_of}" if hindsight(case) else "")
    line = headline(sure, sure_base, sure_ring, sure_shocks)
    return RunResult(scenario.name, title, line, found, metrics, texts(case, base, line), manifest)


def _sure(case: Case) -> Case:
    """The case without what is known from secondary sources only: contracts, guarantees of them, other money, balances.

    A company whose balances are of grade C has no stated purse, and so can not run out.
    """
    weak = {one.id for one in case.contracts if one.grade == "C"}
    weak |= {one.id for one in case.contracts if one.kind.name == "guarantee" and one.terms.covers in weak}
    flows = {money.id: 0.0 for money in case.other_money if money.grade == "C"}
    companies = tuple(
        replace(one, opening=None) if one.opening is not None and one.opening.grade == "C" else one
        for one in case.loaded.companies
    )
    if not weak and not flows and companies == case.loaded.companies:
        return case
    loaded = replace(case.loaded, companies=companies)
    return Case(loaded, case.draws).changed(Change(without=frozenset(weak), flows=flows))


def draw(case: Case, progress: Progress = lambda text: None, workers: int | None = None) -> Settlement:
    """Settle every draw of a case."""
    keep = 1 - case.loaded.scenario.default_costs
    return settle_draws(
        case.obligations,
        case.firms,
        case.draws,
        workers=workers or min(os.cpu_count() or 1, 4),
        alpha=keep,
        beta=keep,
        progress=lambda done: progress(f"drawing futures: {done} of {case.draws}"),
    )


def metrics_table(case: Case, base: Settlement, drawn: Settlement | None, ring: Circular) -> Table:
    """Headline numbers with their bands; nothing of grade C is among them."""
    rows: list[dict[str, Any]] = []

    def say(name: str, value: float | None, unit: str, formula: str, inputs: str, draws: Any = None) -> None:
        if value is None:
            return
        low, middle, high = (
            (float(x) for x in np.quantile(draws, [0.1, 0.5, 0.9])) if draws is not None else (None,) * 3
        )
        rows.append(
            {"name": name, "value": float(value), "unit": unit, "low": low, "high": high, "p50": middle}
            | {"formula": formula, "inputs": inputs}
        )

    trusted = case.contracts
    announced = sum(one.headline_usd or 0.0 for one in trusted if counts_in_headline(one.status))
    signed = sum(one.headline_usd or 0.0 for one in trusted if counts_as_cash(one.status))
    say("announced", announced, "USD", "sum of announced amounts that stand, letters of intent included", "contracts")
    say("signed", signed, "USD", "the same of contracts in force", "contracts")
    say("paid", float(np.abs(base.paid_usd).sum()), "USD", "all payments over the horizon", "ledger")
    named = {str(row["name"]): row for row in ring.rows}
    for key, words in (
        ("finn_cycling_index", "sum T c / sum T on the payment graph"),
        *((name, str(row["meaning"])) for name, row in named.items() if name.startswith(_SHOWN)),
    ):
        row = named.get(key)
        if row is not None and isinstance(row["value"], float):
            say(
                key.replace(":", "_").replace("-", "_"), row["value"], str(row["unit"]), words, "payments of the ledger"
            )
    fallen = None if drawn is None else (drawn.default_period < NEVER).sum(axis=0)
    count = float((base.default_period < NEVER).sum())
    say("companies_in_default", count, "", "companies that run out of cash within the horizon", "settlement", fallen)
    say(
        "money_from_outside",
        outside_usd(case, base),
        "USD",
        "most that purses without a stated size ever need",
        "ledger",
    )
    rate = case.loaded.scenario.discount_rate
    for company in case.loaded.companies:
        if company.id not in base.parties:
            continue
        years = base.schedule.time_years
        change = np.diff(base.of("cash", company.id)[:, 0], prepend=_opening(case, company.id))
        draws = None
        if drawn is not None:
            flows = np.diff(
                drawn.of("cash", company.id).T.astype(np.float64), axis=1, prepend=_opening(case, company.id)
            )
            draws = npv_usd(flows, company.discount_rate or rate, years)
        formula = "net cash discounted at the company's own rate; what stands at the end is left out"
        name = f"cash_npv_{company.id.replace('-', '_')}"
        say(name, float(npv_usd(change, company.discount_rate or rate, years)), "USD", formula, "ledger", draws)
    names = ["name", "value", "unit", "low", "high", "p50", "formula", "inputs"]
    note = "low and high are P10 and P90 over the draws of paths and delays; sums of announcements leave out grade C."
    return Table.from_rows("metrics", rows, names, {}, "Headline numbers", note)


_SHOWN = (
    "own_funded_share",
    "own_funded_share_here",
    "invested_over_sales",
    "demand_removed_share",
    "contingent_over_sales",
)


def _opening(case: Case, company: str) -> float:
    opening = next(c.opening for c in case.loaded.companies if c.id == company)
    return float(opening.cash or 0.0) if opening is not None else 0.0
