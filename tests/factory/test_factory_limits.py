"""Shadow prices and what was not chosen: both sides, ranges, price cuts that are true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factory_cases import menu, programmes
from hypothesis import assume, given, settings

from gigawatt.core.errors import Infeasible
from gigawatt.factory import Limit, Obligation, PlanInputs, at_price, plan
from gigawatt.factory.limits import sentence
from gigawatt.factory.model import build
from gigawatt.factory.solver import Solver


def moved(inputs: PlanInputs, limit: Limit, amount: float) -> PlanInputs:
    """The same question with one limit set to `amount`."""
    subject = limit.name.removeprefix("supply of ").removeprefix("demand of ").removeprefix("obligation ")
    if limit.kind == "power":
        return replace(inputs, power_mw=amount)
    if limit.kind == "capital":
        return replace(inputs, capital_usd=amount)
    if limit.kind == "supply":
        supply = inputs.platforms.supply_racks.copy()
        supply[inputs.platforms.names.index(subject)] = amount
        return replace(inputs, platforms=replace(inputs.platforms, supply_racks=supply))
    if limit.kind == "demand":
        demand = inputs.segments.tokens_per_s.copy()
        demand[inputs.segments.names.index(subject)] = amount
        return replace(inputs, segments=replace(inputs.segments, tokens_per_s=demand))
    return replace(inputs, obligations=tuple(replace(o, tokens_per_s=amount) for o in inputs.obligations))


def optimum(inputs: PlanInputs) -> float:
    return plan(inputs, prices=False).value_usd_per_yr


def per_unit(limit: Limit, usd: float) -> float:
    """USD per year and `unit` in the limit's price unit: USD per million tokens for tokens/s."""
    return usd / (8760 * 3600 / 1e6) if limit.unit == "tokens/s" else usd


@settings(max_examples=40, deadline=None)
@given(programmes())
def test_every_dual_lies_between_its_one_sided_differences(inputs: PlanInputs) -> None:
    try:
        best = plan(inputs)
    except Infeasible:
        assume(False)
    for limit in best.limits:
        low, high = sorted((limit.up, limit.down))
        slack = 1e-5 * max(abs(low), abs(high), 1e-9) if np.isfinite(high) else 1e-9
        scale = max(abs(best.value_usd_per_yr) / max(limit.limit, 1e-12), 1.0)
        assert low - slack - 1e-7 * scale <= limit.dual <= high + slack + 1e-7 * scale, limit
        assert limit.up <= limit.down + slack + 1e-7 * scale  # concave


def test_thirteen_duals_equal_central_differences() -> None:
    supply = np.array([50.0, 60.0, 250.0, 20.0, 100.0, 200.0])
    base = menu(capital_usd=33e9, demand_tokens_per_s=6e8)
    owed = (Obligation("run", 3, 5e7),)
    base = replace(base, platforms=replace(base.platforms, supply_racks=supply), obligations=owed)
    best = plan(base)
    checked = 0
    for limit in best.limits:
        step = 1e-5 * limit.limit
        up, down = (optimum(moved(base, limit, limit.limit + s)) for s in (step, -step))
        assert limit.dual == pytest.approx(per_unit(limit, (up - down) / (2 * step)), rel=1e-5, abs=1e-5), limit.name
        checked += 1
    assert checked == 13
    assert sum(limit.binding for limit in best.limits) >= 3


def test_a_corner_shows_two_prices() -> None:
    # The supply of racks is exactly what the site can power.
    base = menu(("gb300", "b200"))
    supply = np.array([1000 / 2.30, 50.0])
    inputs = replace(base, platforms=replace(base.platforms, supply_racks=supply))
    power = next(limit for limit in plan(inputs).limits if limit.name == "power")
    assert power.corner
    assert power.up < power.down
    step = 1.0
    up = (optimum(replace(inputs, power_mw=1000 + step)) - optimum(inputs)) / step
    down = (optimum(inputs) - optimum(replace(inputs, power_mw=1000 - step))) / step
    assert (power.up, power.down) == (pytest.approx(up, rel=1e-4), pytest.approx(down, rel=1e-4))


def test_a_worth_holds_up_to_where_it_says_and_no_further() -> None:
    inputs = menu()
    power = next(limit for limit in plan(inputs).limits if limit.name == "power")
    base = optimum(inputs)
    inside = optimum(replace(inputs, power_mw=power.until)) - base
    assert inside == pytest.approx(power.up * (power.until - 1000), rel=1e-6)
    beyond = optimum(replace(inputs, power_mw=power.until * 1.05)) - base
    assert beyond < power.up * (power.until * 1.05 - 1000) * (1 - 1e-3)
    assert power.then == ("capital",)
    assert "up to" in sentence(power) and "then capital binds" in sentence(power)


@settings(max_examples=25, deadline=None)
@given(programmes(owed=False))
def test_what_was_not_bought_is_bought_once_its_price_falls_that_far(inputs: PlanInputs) -> None:
    best = plan(inputs)
    for row in best.alternatives:
        assert row.worse_usd_per_rack_yr >= 0
        if row.bought or row.price_cut is None or not 1e-4 < row.price_cut < 0.99:
            continue
        p = inputs.platforms.names.index(row.platform)
        above, below = (
            plan(at_price(inputs, p, 1 - cut), prices=False).value_usd_per_yr
            for cut in (row.price_cut - 1e-3 if row.price_cut > 1e-3 else 0.0, row.price_cut + 5e-3)
        )
        assert above == pytest.approx(best.value_usd_per_yr, rel=1e-7, abs=1.0)
        assert below > best.value_usd_per_yr


@pytest.mark.parametrize("capital", [50e9, 40e9, 43e9])
def test_a_forced_rack_costs_what_the_alternative_says(capital: float) -> None:
    inputs = menu(capital_usd=capital, low_power=capital == 43e9)
    best = plan(inputs)
    model = build(inputs)
    base = Solver(model.program).solve().value
    assert len(best.alternatives) >= 20
    for row in best.alternatives:
        p = inputs.platforms.names.index(row.platform)
        w = inputs.workloads.index(row.workload)
        own = np.flatnonzero((inputs.points.platform == p) & (inputs.points.workload == w))
        run = np.zeros(model.program.cost.size)
        run[model.use[own, 0]] = 1.0  # one rack must run it, at whichever point is best
        amount = 1e-3
        forced = Solver(model.program.with_row(run, amount, np.inf, "forced")).solve().value
        assert (base - forced) * 1e6 / amount == pytest.approx(row.worse_usd_per_rack_yr, rel=1e-5, abs=10), row
