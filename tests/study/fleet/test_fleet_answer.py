"""The answer of `gigawatt fleet`: its money is the programme's, its rows add up, its laws hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gigawatt.core.errors import Infeasible
from gigawatt.factory.buildout import build_out
from gigawatt.study.fleet.answer import FleetAnswer, run_fleet, work_out
from gigawatt.study.fleet.bands import draw_bands
from gigawatt.study.fleet.flows import flows_of
from gigawatt.study.fleet.inputs import FleetInputs, inputs_of
from gigawatt.study.fleet.leaving import earnings, leavings
from gigawatt.study.fleet.result import assemble
from gigawatt.study.fleet.words import leaving_sentence
from gigawatt.study.load import load
from gigawatt.study.resolve import resolve
from gigawatt.study.result import RunResult

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL = EXAMPLES / "build-out-small.yaml"


@pytest.fixture(scope="module")
def answer() -> FleetAnswer:
    return work_out(resolve(load(SMALL)))


@pytest.fixture(scope="module")
def result(answer: FleetAnswer) -> RunResult:
    return assemble(answer, 0.0)


def changed(answer: FleetAnswer, *changes: str) -> FleetInputs:
    return inputs_of(resolve(load(SMALL, changes)), answer.inputs.performance)


def npv(inputs: FleetInputs) -> float:
    return build_out(inputs.build, prices=False).npv_usd


def test_the_flows_are_worth_what_the_programme_says(answer: FleetAnswer) -> None:
    assert answer.flows.npv_usd == pytest.approx(answer.plan.npv_usd, rel=1e-6)


def test_rows_of_the_fleet_add_up_to_the_quarters(result: RunResult) -> None:
    for row in result.tables["periods"].rows():
        mine = [r for r in result.tables["fleet"].rows() if r["quarter"] == row["quarter"]]
        for name in ("mw", "racks", "bought", "retired"):
            assert sum(r[name] for r in mine) == pytest.approx(row[name], rel=1e-6, abs=1e-4)
        assert row["mw"] <= row["power_mw"] * (1 + 1e-6)
        assert row["mw"] <= row["site_mw"] * (1 + 1e-6) + 1e-6


def test_keys_of_the_contract(result: RunResult) -> None:
    keys = result.as_json()
    assert {"periods", "fleet", "limits", "metrics"} <= set(keys)
    assert {
        "quarter",
        "platform",
        "workload",
        "racks",
        "mw",
        "tokens_in_per_s",
        "tokens_out_per_s",
        "bought",
        "retired",
    } <= set(keys["fleet"][0])
    assert {"name", "quarter", "used_share", "shadow_price_up", "shadow_price_down", "unit"} <= set(keys["limits"][0])
    assert {"npv_usd", "mean_mw", "peak_capital_usd", "tokens_out"} <= set(keys["metrics"])
    assert set(result.manifest["explain"]) == {row["name"] for row in result.metrics.rows()}


def test_foresight_is_never_worth_less_than_nothing(answer: FleetAnswer) -> None:
    best = answer.others["perfect"]
    assert all(value <= best + 1e-6 * abs(best) for value in answer.others.values() if np.isfinite(value))
    whole = build_out(answer.inputs.build, policy="rolling", window=len(answer.inputs.line), prices=False).npv_usd
    assert whole == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        "site.ramp=[{from: 2027-01-01, power: 10 MW}, {from: 2028-01-01, power: 20 MW}]",
        "build_out.capital=[{from: 2027-01-01, amount: 250 million USD}, {from: 2028-01-01, amount: 400 million USD}]",
        "build_out.reinvest=50 %",
        "workloads.chat.demand.output=40e6 tokens/s",
    ],
)
def test_a_looser_limit_is_never_worth_less(answer: FleetAnswer, change: str) -> None:
    assert npv(changed(answer, change)) >= answer.plan.npv_usd * (1 - 1e-7)


def test_a_longer_horizon_is_never_worth_less_where_nothing_counts_at_the_end(answer: FleetAnswer) -> None:
    values = [
        npv(changed(answer, "build_out.terminal=none", f"horizon.years={years}", "build_out.offers.gb300.supply=[]",
                    "fleet.gb300.available=2027-04-01", "site.ramp=[]", "build_out.capital=[]", "capital=300 million USD"))
        for years in (1, 2, 3)
    ]  # fmt: skip
    assert values == sorted(values)


def test_a_share_of_racks_leaves_when_its_megawatts_earn_more_elsewhere(answer: FleetAnswer) -> None:
    found = leavings(answer.inputs.build, answer.plan)
    old = next(one for one in found if one.platform == "h200")
    assert old.racks == pytest.approx(60, rel=1e-6)
    assert old.under > old.earns
    said = leaving_sentence(old, answer.inputs.build.quarters)
    assert said.startswith("h200 leaves in 2027Q1") or said.startswith("h200 leaves from")
    earned = earnings(answer.inputs.build, answer.plan)
    p = answer.inputs.build.platforms.index("h200")
    assert earned[p, old.first : old.last + 1].min() <= old.earns <= earned[p, old.first : old.last + 1].max()


def test_with_nothing_drawn_every_draw_is_the_plan(answer: FleetAnswer) -> None:
    loaded = load(SMALL, ["uncertainty={calibration: false, catalog: false, samples: 16}"])
    inputs = inputs_of(resolve(loaded), answer.inputs.performance)
    flows = flows_of(inputs.build, answer.plan)
    bands = draw_bands(inputs, answer.plan, flows)
    assert bands.npv_usd == pytest.approx(np.full(16, answer.plan.npv_usd), rel=1e-6)
    assert bands.revenue_usd == pytest.approx(np.full(16, flows.revenue_usd.sum()), rel=1e-6)


def test_a_drawn_price_moves_the_held_plan_as_the_price_itself_does(answer: FleetAnswer) -> None:
    """A factor on list prices in one draw is worth what repricing the held plan at it gives."""
    dear = "vary: {fleet.list_price: {dist: uniform, low: 0.5, high: 1.5}}"
    law = f"uncertainty={{calibration: false, catalog: false, samples: 16, {dear}}}"
    inputs = inputs_of(resolve(load(SMALL, [law])), answer.inputs.performance)
    build, plan = inputs.build, answer.plan
    bands = draw_bands(inputs, plan, flows_of(build, plan))
    factor = bands.capital_usd - flows_of(build, plan).capital_usd.sum()
    racks = float((plan.bought * build.list_usd).sum())
    for d in (0, 7):
        f = 1 + factor[d] / racks
        costly = replace(
            build,
            cost_usd=build.cost_usd * f,
            list_usd=build.list_usd * f,
            resale_usd=build.resale_usd * f,
            terminal_usd=build.terminal_usd * f,
            upkeep_usd_per_yr=build.upkeep_usd_per_yr * f,
        )
        assert bands.npv_usd[d] == pytest.approx(flows_of(costly, plan).npv_usd, rel=1e-9)


def test_more_samples_do_not_change_the_first(answer: FleetAnswer) -> None:
    few, many = (
        draw_bands(inputs_of(resolve(load(SMALL, [f"uncertainty.samples={n}"])), answer.inputs.performance),
                   answer.plan, answer.flows).npv_usd
        for n in (16, 64)
    )  # fmt: skip
    assert np.array_equal(few, many[:16])


def test_the_same_scenario_gives_the_same_answer(answer: FleetAnswer, result: RunResult) -> None:
    again = assemble(work_out(resolve(load(SMALL))), 0.0)
    kept = {key: value for key, value in result.as_json().items() if key != "wall_s"}
    assert {key: value for key, value in again.as_json().items() if key != "wall_s"} == kept


def test_contradictory_limits_are_named() -> None:
    changes = [
        "workloads=[{id: run, kind: training, model: llama3-8b, tokens: 5e13, sequence_length: 4096, global_batch: 64, "
        "obligation: {finish_by: 2027-06-30}}]",
        "horizon.years=1",
    ]
    with pytest.raises(Infeasible) as found:
        run_fleet(load(EXAMPLES / "one-rack.yaml", changes))
    named = " ".join(found.value.conflict)
    assert "2027" in named and ("run" in named or "power" in named)
