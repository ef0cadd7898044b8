"""Bands: a held fleet is never worth more than one chosen anew; no draw changes another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factory_cases import menu, programmes
from hypothesis import given, settings

from gigawatt.core.errors import Infeasible
from gigawatt.factory import Draws, PlanInputs, plan, replan, revalue
from gigawatt.factory.draws import draw_throughput


def draws_for(inputs: PlanInputs, count: int = 40, seed: int = 1) -> Draws:
    rng = np.random.default_rng(seed)
    groups = int(inputs.points.group.max()) + 1
    return Draws(
        count,
        np.exp(0.2 * rng.standard_normal((count, groups))),
        np.exp(0.2 * rng.standard_normal((count, len(inputs.workloads)))),
        np.exp(0.2 * rng.standard_normal(count)),
        np.exp(0.1 * rng.standard_normal((count, len(inputs.platforms.names)))),
    )


@settings(max_examples=20, deadline=None)
@given(programmes(owed=False))
def test_without_change_the_plan_keeps_its_value(inputs: PlanInputs) -> None:
    best = plan(inputs, prices=False)
    assert revalue(best, Draws(3)).value_usd_per_yr == pytest.approx(best.value_usd_per_yr, rel=1e-6, abs=10.0)
    assert replan(inputs, Draws(3)).value_usd_per_yr == pytest.approx(best.value_usd_per_yr, rel=1e-9, abs=1.0)


@settings(max_examples=15, deadline=None)
@given(programmes(owed=False))
def test_a_fleet_chosen_anew_is_worth_no_less_than_a_held_one(inputs: PlanInputs) -> None:
    best = plan(inputs, prices=False)
    draws = draws_for(inputs)
    held, fresh = revalue(best, draws).value_usd_per_yr, replan(inputs, draws).value_usd_per_yr
    assert np.all(held <= fresh + 1e-6 * np.abs(fresh) + 10.0)


@settings(max_examples=10, deadline=None)
@given(programmes())
def test_solving_in_place_equals_solving_from_scratch(inputs: PlanInputs) -> None:
    draws = draws_for(inputs, count=3)
    assert draws.throughput is not None and draws.price is not None and draws.energy is not None
    fresh = replan(inputs, replace(draws, platform=None))
    for d in range(3):
        factor = draws.throughput[d][inputs.points.group]
        party = inputs.chosen
        changed = replace(
            inputs,
            points=inputs.points.scaled(tokens=factor),
            segments=replace(
                inputs.segments, usd_per_mtok=inputs.segments.usd_per_mtok * draws.price[d][inputs.segments.workload]
            ),
            coefficients=(replace(party, energy_usd_per_yr=party.energy_usd_per_yr * draws.energy[d]),),
        )
        try:
            expected = plan(changed, prices=False).value_usd_per_yr
        except Infeasible:
            assert np.isnan(fresh.value_usd_per_yr[d])
            continue
        assert fresh.value_usd_per_yr[d] == pytest.approx(expected, rel=1e-8, abs=1.0)


def test_missed_obligations_are_counted() -> None:
    from gigawatt.factory import Obligation

    inputs = menu(("gb300",), obligations=(Obligation("run", 3, 1e9),))
    best = plan(inputs, prices=False)
    groups = int(inputs.points.group.max()) + 1
    factor = np.ones((4, groups))
    factor[:2] = 0.9
    assert revalue(best, Draws(4, throughput=factor)).missed == {"run": 0.5}


def test_throughput_draws_have_the_stated_band() -> None:
    points = menu(("gb300",)).points
    points = replace(points, low=np.full(len(points), 0.8), high=np.full(len(points), 1.3))
    normal = np.random.default_rng(0).standard_normal((40_000, 4))
    factor = draw_throughput(points, normal)
    assert np.percentile(factor, [10, 50, 90], axis=0) == pytest.approx(
        np.repeat([[0.8], [1.0], [1.3]], 4, axis=1), rel=0.01
    )


def test_revenue_falls_no_lower_than_linearly_when_demand_caps_it() -> None:
    inputs = menu(("gb300",), demand_tokens_per_s=1e9)
    best = plan(inputs, prices=False)
    groups = int(inputs.points.group.max()) + 1
    more = revalue(best, Draws(1, throughput=np.full((1, groups), 1.2)))
    assume_same = revalue(best, Draws(1))
    assert float(more.revenue_usd_per_yr[0]) <= 1.2 * float(assume_same.revenue_usd_per_yr[0]) + 1e-6
    with pytest.raises(ValueError, match="draws"):
        Draws(3, energy=np.ones(2))
