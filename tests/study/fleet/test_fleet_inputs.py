"""The columns of a build-out: what a scenario says of the years, quarter by quarter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gigawatt.core.errors import Infeasible
from gigawatt.economics.cost import quarterly_crf, quarterly_rate
from gigawatt.study.fleet.inputs import FleetInputs, inputs_of
from gigawatt.study.fleet.paths import speeds
from gigawatt.study.load import load
from gigawatt.study.resolve import resolve

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL = EXAMPLES / "build-out-small.yaml"


@pytest.fixture(scope="module")
def small() -> FleetInputs:
    return inputs_of(resolve(load(SMALL)))


def changed(base: FleetInputs, *changes: str) -> FleetInputs:
    """The small example with other words of the years; its points are those of `base`."""
    return inputs_of(resolve(load(SMALL, changes)), base.performance)


def row(inputs: FleetInputs, name: str) -> int:
    return inputs.build.platforms.index(name)


def test_power_follows_the_ramp_and_stands_at_once_without_one(small: FleetInputs) -> None:
    assert small.build.power_mw.tolist() == [8.0] * 4 + [20.0] * 8
    flat = changed(small, "site.ramp=[]")
    assert flat.build.power_mw.tolist() == [20.0] * 12
    mid = changed(small, "site.ramp=[{from: 2026-01-01, power: 5 MW}, {from: 2027-05-10, power: 20 MW}]")
    assert mid.build.power_mw.tolist() == [5.0] * 2 + [20.0] * 10


def test_capital_comes_in_by_steps_or_at_the_start(small: FleetInputs) -> None:
    assert small.build.capital_usd[[0, 4]].tolist() == [200e6, 400e6]
    assert small.build.capital_usd.sum() == 600e6
    once = changed(small, "build_out.capital=[]", "capital=1 billion USD")
    assert once.build.capital_usd.tolist() == [1e9] + [0.0] * 11
    free = changed(small, "build_out.capital=[]")
    assert np.isinf(free.build.capital_usd[0])


def test_supply_is_by_steps_in_equal_parts_or_without_limit(small: FleetInputs) -> None:
    build = small.build
    # Ordered in the last quarter, a GB300 would work only after the horizon.
    assert build.supply_racks[row(small, "gb300")].tolist() == [0.0] * 3 + [20.0] * 8 + [0.0]
    assert np.isinf(build.supply_racks[row(small, "b200")]).all()
    assert not build.supply_racks[row(small, "h200")].any()
    spread = changed(small, "fleet.b200.supply=120")
    assert spread.build.supply_racks[row(small, "b200")].tolist() == [10.0] * 12


def test_prices_move_from_the_day_an_offer_is_there(small: FleetInputs) -> None:
    moved = changed(small, "build_out.offers.gb300.price=-20 %/yr")
    usd = moved.build.list_usd[row(small, "gb300")]
    assert usd[:4] == pytest.approx(usd[0])
    assert usd[7] == pytest.approx(0.8 * usd[0])
    assert np.all(moved.build.resale_usd[row(small, "gb300")] < moved.build.cost_usd[row(small, "gb300")])


def test_demand_price_and_energy_follow_their_trends(small: FleetInputs) -> None:
    build = small.build
    assert build.demand_tokens_per_s[0, [0, 4, 8]] == pytest.approx(25e6 * 1.6 ** np.arange(3))
    assert build.price_usd_per_mtok[0, [4, 8]] / build.price_usd_per_mtok[0, 0] == pytest.approx([0.8, 0.64])
    dear = changed(small, "build_out.energy_price=5 %/yr")
    assert dear.build.energy_usd_per_yr[:, 4] == pytest.approx(1.05 * small.build.energy_usd_per_yr[:, 0])


def test_software_follows_the_curve_or_is_held(small: FleetInputs) -> None:
    value, held = speeds(small.performance, small.resolved, small.line)
    used = [(p, w) for p, w in small.performance.software]
    assert not held
    for p, w in used:
        assert np.all(np.diff(value[p, w]) >= 0)
        assert value[p, w, 5] <= 1.0 <= value[p, w, 6] * (1 + 1e-12)  # the points are of the middle of the horizon
    assert np.array_equal(changed(small, "build_out.software=release").build.speed, np.ones(value.shape))
    own = changed(small, "fleet.b200.maturity=1.2")
    assert own.build.speed[row(small, "b200")].tolist() == np.ones((1, 12)).tolist()


def test_software_is_one_at_the_release_of_the_calibrations() -> None:
    from gigawatt.physics.chip.maturity import calibrated_release, decimal_years, maturity

    release = calibrated_release("serving")
    found = maturity("cuda", "blackwell", "serving", decimal_years(release), release)
    assert float(found.value) == pytest.approx(1.0)


def test_resale_falls_with_age_and_costs_a_tenth_to_sell(small: FleetInputs) -> None:
    build = small.build
    share = build.resale_usd / build.cost_usd
    b200 = row(small, "b200")
    known = small.resolved.catalog.get("price", "market-2026").resale_share_by_age
    assert share[b200, [4, 8]] == pytest.approx([0.9 * known["1"].value, 0.9 * known["2"].value])
    assert np.all(np.diff(share[b200]) <= 0)
    # The racks of the first day are a year old then.
    assert share[row(small, "h200"), 4] == pytest.approx(0.9 * known["2"].value)
    assert build.terminal_usd[b200] == pytest.approx(0.9 * known["3"].value * build.cost_usd[b200, 0])


def test_nothing_is_worth_anything_at_the_end_where_the_scenario_says_so(small: FleetInputs) -> None:
    none = changed(small, "build_out.terminal=none").build
    assert not none.terminal_usd.any() and not none.shell_terminal_usd_per_mw.any()


def test_shell_is_worth_the_rent_that_remains_of_its_life(small: FleetInputs) -> None:
    build, rate = small.build, small.resolved.scenario.discount_rate
    life = round(small.priced.shell_life_years * 4)
    rent = build.shell_usd_per_mw[0] * float(quarterly_crf(rate, life / 4))
    step = float(quarterly_rate(rate))
    paid = sum(rent / (1 + step) ** k for k in range(1, len(small.line) + 1))
    ends = build.shell_terminal_usd_per_mw[0] / (1 + step) ** len(small.line)
    assert paid + ends == pytest.approx(build.shell_usd_per_mw[0])


def test_racks_of_the_first_day_bring_their_shell_and_leave_at_their_life(small: FleetInputs) -> None:
    build = small.build
    h200 = row(small, "h200")
    mine = build.points.platform == h200
    assert build.opening_racks[h200] == 60
    assert build.opening_mw == pytest.approx(60 * build.points.mw[mine].max())
    old = changed(small, "build_out.offers.h200.opening.age_years=5")
    life = int(old.build.life_quarters[h200])
    assert old.build.expiring_racks is not None
    assert old.build.expiring_racks[h200, life - 20] == 60


def test_what_is_owed_is_spread_as_power_grows_and_sums_to_the_run() -> None:
    loaded = load(
        EXAMPLES / "one-rack.yaml",
        [
            "workloads=[{id: run, kind: training, model: llama3-8b, tokens: 1e9, sequence_length: 4096, global_batch: 64, "
            "obligation: {finish_by: 2028-03-31}}]",
            "horizon.years=2",
            "site.ramp=[{from: 2027-04-01, power: 50 kW}, {from: 2027-10-01, power: 200 kW}]",
        ],
    )
    build = inputs_of(resolve(loaded)).build
    owed = build.owed_tokens_per_s[0]
    assert owed[0] == 0 and not owed[5:].any()
    assert owed[3] == pytest.approx(4 * owed[1])
    assert owed.sum() * 8760 * 3600 / 4 == pytest.approx(1e9)


def test_an_offer_after_the_horizon_is_refused_with_its_reason(small: FleetInputs) -> None:
    late = inputs_of(resolve(load(SMALL, ["fleet.gb300.available=2031-01-01"])))
    said = [r for r in late.refusals if r.offer == row(late, "gb300")]
    assert len(said) == 1 and "2031-01-01" in said[0].reason
    slow = changed(small, "build_out.offers.gb300.lead_quarters=10", "build_out.offers.gb300.supply=[]")
    assert not slow.build.supply_racks[row(slow, "gb300")].any()
    assert any("10 quarters from order to use" in r.reason for r in slow.refusals)


def test_work_that_no_offer_can_do_within_the_horizon_has_no_plan() -> None:
    with pytest.raises(Infeasible) as found:
        inputs_of(resolve(load(SMALL, [f"fleet.{name}.available=2031-01-01" for name in ("b200", "h200", "gb300")])))
    assert "after the last quarter" in str(found.value.conflict)


def test_the_system_counts_its_vendor_at_cost_and_an_operator_at_list(small: FleetInputs) -> None:
    system, operator = small.build, changed(small, "objective.for=operator").build
    assert np.all(system.cost_usd < system.list_usd)
    assert np.array_equal(operator.cost_usd, operator.list_usd)
    assert np.array_equal(operator.list_usd, system.list_usd)


def test_points_are_those_of_the_one_period_plan(small: FleetInputs) -> None:
    assert replace(small.build).points is small.priced.inputs.points


def test_own_plant_adds_its_power_from_its_day_and_takes_its_capital(small: FleetInputs) -> None:
    gas = "site.generation=[{id: gas, technology: gas-engine, capacity: 150 MW, available: 2028-01-01}]"
    own = changed(small, gas, "site.ramp=[]", "site.grid_power=8 MW")
    assert own.build.power_mw[:4] == pytest.approx(np.full(4, 8.0), rel=0.02)
    assert np.all(own.build.power_mw[4:] > 20)
    usd = own.site.own_capital_usd
    assert usd[4] > 0 and usd.sum() == usd[4]
    assert own.build.capital_usd.sum() == pytest.approx(600e6 - usd[4])
    assert not own.site.own_upkeep_usd[:4].any() and np.all(own.site.own_upkeep_usd[4:] > 0)
    assert 0 < own.site.own_end_usd < usd[4]
    # Money of the first quarter is kept back only where later steps do not pay for the plant.
    assert own.build.capital_usd[0] == pytest.approx(min(200e6, 600e6 - usd[4]))


def test_own_plant_that_no_money_has_come_in_for_is_named(small: FleetInputs) -> None:
    dear = "site.generation=[{id: gas, technology: gas-engine, capacity: 2 GW}]"
    with pytest.raises(Infeasible) as found:
        changed(small, dear, "site.grid_power=2 GW")
    assert "2027Q1" in str(found.value.conflict)
