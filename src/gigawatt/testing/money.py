"""Laws of contracts and cost models: money moves between two parties and sums to zero, in the time that was agreed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

import numpy as np

from gigawatt.core.errors import Problems
from gigawatt.core.terms import Term, read_terms
from gigawatt.economics.cost import Charged, CostModel
from gigawatt.economics.cost.models import wrong_rates
from gigawatt.finance import Flow, Kind, Schedule
from gigawatt.finance.accounts import account_of
from gigawatt.finance.contracts import Columns, Deal

START, QUARTERS, USED_MW = date(2027, 1, 1), 12, 100.0


def contract_problems(
    kind: Kind, terms: Mapping[str, Any], paths: Mapping[str, float] | None = None, draws: int = 3
) -> list[str]:
    """What a kind of contract does not keep under terms as a file would say them; an empty list for nothing.

    Held: terms read from text; flows between the contract's two parties, finite and not negative, one amount a period, into
    accounts that the books know; nothing before it starts and after it ends; draws side by side as each alone; a ledger that
    sums to zero. The schedule is three years of a site of 100 MW that sells 10 million USD a quarter; `paths` are levels that
    the kind looks up.
    """
    problems = Problems()
    read = kind.read("trial", terms, problems)
    found = [problem.message for problem in problems.found] + list(_door(kind.door, kind.terms))
    if read is None:
        return found
    try:
        return found + list(_contract(kind, read, paths or {}, draws))
    except Exception as error:  # whatever the author's code does
        return [*found, f"{type(error).__name__}: {' '.join(str(error).split())}"]


def _door(door: Mapping[str, Term], form: type[Any]) -> Iterator[str]:
    """Every term has a field, and every field a term."""
    named, known = {term.field for term in door.values()}, {one.name for one in fields(form)}
    for name in sorted(named - known):
        yield f"the door fills '{name}', which {form.__name__} does not have"
    for name in sorted(known - named):
        yield f"no term of the door fills '{name}'"


def _columns(paths: Mapping[str, float], factor: Any = 1.0) -> Columns:
    schedule = Schedule.quarterly(
        START, QUARTERS, opening=False, mw_active=USED_MW, mw_committed=USED_MW, gw_built=USED_MW / 1e3
    )
    level = np.ones(QUARTERS) * factor
    company = {"payer": 10e6 * level, "payee": 6e6 * level}
    return Columns(
        schedule,
        capex_usd={"payer": 5e6 * level},
        cfads_usd=company,
        service_usd={"payer": 1e6 * level},
        sales_usd=company,
        paths={name: value * level for name, value in paths.items()},
        net_usd=company,
        cash_usd={"payer": 50e6, "payee": 50e6},
    )


def _contract(kind: Kind, terms: Any, paths: Mapping[str, float], draws: int) -> Iterator[str]:
    deal = Deal("trial", "payer", "payee", starts=date(2027, 7, 1), ends=date(2028, 12, 31))
    columns = _columns(paths)
    flows = kind.postings(terms, deal, columns)
    if not isinstance(flows, list) or not all(isinstance(flow, Flow) for flow in flows):
        yield f"postings: a {type(flows).__name__}, not a list of Flow"
        return
    balance = {"payer": np.zeros(QUARTERS), "payee": np.zeros(QUARTERS)}
    for flow in flows:
        amount = np.asarray(flow.amount_usd, dtype=np.float64)
        account_of(flow.account)
        if {flow.payer, flow.payee} != set(balance):
            yield f"{flow.account}: from {flow.payer} to {flow.payee}, who are not the contract's parties"
            continue
        if amount.shape != (QUARTERS,):
            yield f"{flow.account}: amounts of shape {amount.shape} for {QUARTERS} periods"
            continue
        if np.any(amount < 0):
            yield f"{flow.account}: a negative amount; money the other way is a flow with back=True"
        if np.any(amount[:2] != 0) or np.any(amount[8:] != 0):
            yield f"{flow.account}: money outside the contract's life, which is quarters 3 to 8"
        balance[flow.payer] -= amount
        balance[flow.payee] += amount
    if not np.allclose(balance["payer"] + balance["payee"], 0.0):
        yield "money does not sum to zero"
    factors = np.linspace(0.5, 1.5, draws)[:, None]
    together = kind.postings(terms, deal, _columns(paths, factors))
    for d, factor in enumerate(factors[:, 0]):
        alone = kind.postings(terms, deal, _columns(paths, factor))
        pairs = zip(together, alone, strict=True)
        if not all(np.allclose(np.broadcast_to(a.amount_usd, (draws, QUARTERS))[d], b.amount_usd) for a, b in pairs):
            yield "draws side by side ([draws, periods]) give other amounts than each alone"
            break


def cost_problems(model: CostModel, terms: Mapping[str, Any], seen: Charged | None = None) -> list[str]:
    """What a cost model does not keep under terms as a scenario would say them; an empty list for nothing.

    Held: terms read from text; rates of the right shapes, finite; the same each time; a platform's own,
    whatever stands beside it.
    """
    problems = Problems()
    read = read_terms("trial", "cost model", model.door, model.terms, terms, problems)
    found = [problem.message for problem in problems.found] + list(_door(model.door, model.terms))
    if read is None:
        return found
    try:
        return found + list(_rates(model, read, seen or _two_platforms()))
    except Exception as error:  # whatever the author's code does
        return [*found, f"{type(error).__name__}: {' '.join(str(error).split())}"]


def _two_platforms() -> Charged:
    pair = np.array([1.0, 2.0])
    return Charged(("first", "second"), ("maker", "maker"), 8 * pair, pair, 3e6 * pair, 4e11 * pair, 100.0, 50.0, 350.0)


def _rates(model: CostModel, terms: Any, seen: Charged) -> Iterator[str]:
    count = len(seen.platforms)
    rates = model.rates(terms, seen)
    wrong = wrong_rates(rates, count)
    if wrong:
        yield wrong
        return
    names = ("rack_usd", "rack_usd_per_yr", "usd_per_mwh", "usd_per_mw_yr", "life_years")
    again = model.rates(terms, seen)
    if not all(np.array_equal(getattr(rates, name), getattr(again, name)) for name in names):
        yield "other rates the second time"
    for p in range(count):
        alone = model.rates(terms, _only(seen, p))
        for name in ("rack_usd", "rack_usd_per_yr"):
            together = np.broadcast_to(getattr(rates, name), count)[p]
            if not np.allclose(together, getattr(alone, name)):
                yield f"{name} of '{seen.platforms[p]}' depends on the platforms beside it"


def _only(seen: Charged, p: int) -> Charged:
    one = slice(p, p + 1)
    return Charged(
        seen.platforms[one],
        seen.vendors[one],
        seen.chips[one],
        seen.hosts[one],
        seen.list_usd[one],
        seen.nic_bytes_per_s[one],
        seen.power_mw,
        seen.energy_usd_per_mwh,
        seen.carbon_kg_per_mwh,
    )
