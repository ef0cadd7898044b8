"""A held plan in another world is the same plan priced and settled anew; physics is never asked again."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from risk_sample import base, held_of, priced_anew

from gigawatt.factory import plan as solve
from gigawatt.factory import value_of
from gigawatt.factory.draws import replan
from gigawatt.study.bands import BLOCK, draw_bands, inputs_for, reoptimised
from gigawatt.study.headline import headline_draws, values
from gigawatt.study.risk.channels import channels
from gigawatt.study.risk.costs import costs_of, paid_by
from gigawatt.study.risk.spec import Uncertainty
from gigawatt.study.risk.world import World

# (path of the file, what the file says, factor that it is on what stands there)
MOVED = [
    ("site.energy_price", "65 USD/MWh", 1.3),
    ("fleet.rack.list_price", "6.036 million USD", 1.2),
    ("workloads.chat.price.output", "0.90 USD/Mtok", 0.75),
    ("workloads.chat.price.input", "0.36 USD/Mtok", 1.2),
    ("workloads.chat.price.realised_share", "20 %", 0.8),
    ("workloads.chat.demand.output", "120e3 tokens/s", 0.8),
    ("workloads.chat.demand.peak_to_mean", 1.5, 1.2),
    ("contracts.offtake.price", "15.6 million USD/MW/yr", 1.2),
    ("contracts.letter.amount", "1.5 million USD", 1.5),
    ("contracts.loan.rate", "12 %", 12 / 9),
    ("contracts.loan.share_of_capex", "75 %", 1.25),
    ("discount_rate", "13 %", 1.3),
    ("catalog.platform/gb300-nvl72.network_share", 0.28, 0.28 / 0.22),
    ("catalog.platform/gb300-nvl72.storage_share", 0.01, 0.25),
    ("catalog.platform/gb300-nvl72.production_cost_share", 0.4, 1.6),
    ("catalog.facility/liquid-cooled-2026.shell_price", "16 million USD/MW", 16 / 11.3),
    ("catalog.cost/baseline-2026.maintenance_share", 0.05, 5 / 3),
    ("catalog.cost/baseline-2026.facility_maintenance_share", 0.03, 1.5),
    ("catalog.cost/baseline-2026.insurance_share", 0.006, 2.0),
    ("catalog.cost/baseline-2026.property_tax_share", 0.02, 4.0),
    ("catalog.cost/baseline-2026.spares_share", 0.04, 2.0),
    ("catalog.cost/baseline-2026.staff", "0.2 million USD/MW/yr", 1 / 0.6),
]


def _columns(path: str, factor: float) -> dict[str, np.ndarray]:
    answer = base()
    targets = channels(answer.resolved)[path].targets
    world = World(2, {target: np.full(2, factor) for target in targets})
    return headline_draws(answer, held_of(answer).columns(world))


def test_a_world_of_ones_is_the_plan() -> None:
    answer = base()
    columns = held_of(answer).columns(World(3))
    found = headline_draws(answer, columns)
    stands = values(answer)
    for name, column in found.items():
        assert column == pytest.approx(np.full(3, stands[name][0]), rel=1e-7, abs=1e-9), name
    for party in ("system", "operator", "lab"):
        worth = value_of(answer.plan, party) * answer.line.annuity_years
        assert columns[f"value.{party}"][0] == pytest.approx(worth, rel=1e-7)
    assert {"system_npv", "operator_npv", "lab_npv", "vendor_npv", "lender_npv", "dscr_min", "operator_irr", "project_irr",
            "payback", "capex", "cost_per_mtok", "vendor_funded_share"} <= set(found)  # fmt: skip


def test_coefficients_of_a_world_of_ones_are_those_of_the_prices() -> None:
    answer = base()
    one = World(1)
    costs = costs_of(answer.resolved, answer.priced, one)
    paid = paid_by(answer.resolved, answer.priced, answer.line, costs, one, answer.line.annuity_years)
    mw = answer.priced.inputs.points.mw
    for mine in answer.priced.inputs.coefficients:
        assert paid[mine.name].platform_usd_per_yr[0] == pytest.approx(mine.platform_usd_per_yr)
        assert float(paid[mine.name].shell_usd_per_mw_yr[0]) == pytest.approx(mine.shell_usd_per_mw_yr)
        assert paid[mine.name].other_usd_per_mw_yr[0] * mw == pytest.approx(mine.other_usd_per_yr)


@pytest.mark.parametrize(("path", "said", "factor"), MOVED, ids=[path for path, _, _ in MOVED])
def test_every_input_moves_every_metric_as_pricing_anew_does(path: str, said: object, factor: float) -> None:
    anew = values(priced_anew({path: said}))
    found = _columns(path, factor)
    moved = 0
    for name, column in found.items():
        if name in ("joules_per_output_token", "carbon_per_mtok"):
            continue  # of tokens made when the plan stands, of tokens sold in a draw: what is unsold differs
        if name not in anew:  # never paid back, no return
            assert np.isnan(column[0]), name
            continue
        assert column[0] == pytest.approx(anew[name][0], rel=2e-6, abs=1e-9), name
        moved += abs(anew[name][0] - values(base())[name][0]) > 1e-9 * abs(anew[name][0])
    assert moved, "the input moves nothing"


def test_load_is_linear_but_for_the_losses_of_the_building() -> None:
    anew = values(priced_anew({"catalog.cost/baseline-2026.load_factor": 0.9}))
    found = _columns("catalog.cost/baseline-2026.load_factor", 0.9 / 0.8)
    for name in ("system_npv", "operator_npv", "cost_per_mtok"):
        assert found[name][0] == pytest.approx(anew[name][0], rel=2e-3)


def test_money_between_companies_cancels_in_every_draw() -> None:
    """Contracts and loans only move money inside: all listed companies together are worth what the system is."""
    answer = base()
    held = held_of(answer)
    world = inputs_for(answer.resolved, answer.priced).draw(0, 64)
    columns = held.columns(world)
    inside = sum(columns[f"npv.{name}"] for name in held.companies)
    # What the vendor's racks are worth at the end above their cost is the owner's gain and none of the system's.
    last = (1 + answer.rate) ** -answer.settled.schedule.time_years[-1]
    marked = sum(p.usd - p.made_usd for p in answer.settled.purchases if p.made_usd)
    share = answer.settled.residual_markup_usd / marked
    costs = costs_of(answer.resolved, answer.priced, world)
    above = (costs.part_usd[:, :, 0] + costs.part_usd[:, :, 3]) * (1 - costs.production)
    assert inside - share * last * (above @ answer.plan.racks) == pytest.approx(columns["system_npv"], rel=1e-6)


def test_draws_of_prices_never_search_physics_again() -> None:
    answer = base()
    law = Uncertainty.model_validate({"samples": 4096, "reoptimise": True})
    scenario = answer.resolved.scenario.model_copy(update={"uncertainty": law})
    resolved = replace(answer.resolved, loaded=replace(answer.resolved.loaded, scenario=scenario))
    searched = mock.Mock(side_effect=AssertionError("physics was asked again"))
    with (
        mock.patch("gigawatt.study.perform.frontiers", searched),
        mock.patch("gigawatt.study.perform.trained", searched),
        mock.patch("gigawatt.study.perform.perform", searched),
        mock.patch("gigawatt.study.price.make_points", searched),
    ):
        bands = draw_bands(resolved, answer.priced, answer.plan, answer.line, answer.settled)
    assert bands.count == 4096
    assert bands.replanned is not None
    assert searched.call_count == 0


def test_choosing_anew_is_never_worse_than_holding() -> None:
    answer = base()
    inputs = inputs_for(answer.resolved, answer.priced)
    free = type(inputs)(tuple(one for one in inputs.uncertain if one.kind != "calibration"), inputs.seed)
    held = held_of(answer)
    anew = reoptimised(held, free, 256)
    kept = held.columns(free.draw(0, BLOCK))["value.system"][:256]
    assert np.all(anew >= kept - 1e-6 * np.abs(kept))
    assert np.any(anew > kept + 1e-6 * np.abs(kept)) or np.all(kept > 0)


def test_choosing_anew_in_a_world_of_ones_is_the_plan() -> None:
    answer = base()
    draws, annuity = held_of(answer).for_objective(World(2))
    found = replan(answer.priced.inputs, draws)
    worth = answer.plan.value_usd_per_yr * answer.line.annuity_years
    assert found.value_usd_per_yr * annuity == pytest.approx(np.full(2, worth), rel=1e-9)
    assert found.racks[0] == pytest.approx(answer.plan.racks, rel=1e-6)


@pytest.mark.parametrize("path", ["discount_rate", "workloads.chat.demand.output", "workloads.chat.demand.peak_to_mean",
                                  "catalog.facility/liquid-cooled-2026.shell_price", "site.energy_price"])  # fmt: skip
def test_the_programme_in_another_world_is_that_of_other_inputs(path: str) -> None:
    """Solved again in place, against the programme that is built from prices made anew."""
    said, factor = next((said, factor) for one, said, factor in MOVED if one == path)
    anew = priced_anew({path: said})
    answer = base()
    targets = channels(answer.resolved)[path].targets
    draws, annuity = held_of(answer).for_objective(World(1, {target: np.array([factor]) for target in targets}))
    best = solve(anew.priced.inputs, prices=False)
    assert replan(answer.priced.inputs, draws).value_usd_per_yr[0] == pytest.approx(best.value_usd_per_yr, rel=1e-7)
    assert annuity[0] == pytest.approx(anew.line.annuity_years)
