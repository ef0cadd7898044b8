"""The fleet: published figures, another solver, laws of optima, whole racks, same bytes, a quiet solver."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from factory_cases import menu, programmes
from hypothesis import assume, given, settings
from scipy.optimize import linprog

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.factory import Obligation, Phase, PlanInputs, plan, plan_all_objectives, value_of
from gigawatt.factory.model import MILLION, build

QUICK = settings(max_examples=30, deadline=None)


def fits(inputs: PlanInputs) -> float:
    """The optimum; infeasible programmes are left out of the law."""
    try:
        return plan(inputs, prices=False).value_usd_per_yr
    except Infeasible:
        assume(False)
        raise


def test_one_gigawatt_of_public_figures() -> None:
    best = plan(menu())
    by_name = dict(zip(best.inputs.platforms.names, best.racks, strict=True))
    assert by_name["gb300"] * 2.30 == pytest.approx(805, abs=0.5)  # MW, all on chat
    assert by_name["tpu7x"] * 1.30 == pytest.approx(195, abs=0.5)  # MW, all that is on offer, on the dense model
    assert {(r["platform"], r["workload"]) for r in best.table().rows()} == {("gb300", "chat"), ("tpu7x", "dense")}
    assert best.capital_usd == pytest.approx(40.2e9, rel=2e-3)
    limits = {limit.name: limit for limit in best.limits}
    assert limits["power"].dual == pytest.approx(2.46e6, rel=5e-3)
    assert not limits["capital"].binding


def test_less_capital_swaps_the_limits() -> None:
    best = plan(menu(capital_usd=40e9))
    limits = {limit.name: limit for limit in best.limits}
    assert best.site_mw == pytest.approx(995, abs=0.5)
    assert not limits["power"].binding
    assert limits["capital"].dual == pytest.approx(0.059, abs=5e-4)
    assert limits["capital"].then == ("power",)


@pytest.mark.parametrize(
    ("capital", "power", "rent"), [(43e9, 1.19e6, 0.031), (46e9, 1.59e6, 0.022), (50e9, 2.67e6, 0.0)]
)
def test_capital_buys_power_where_a_slow_mode_is_on_offer(capital: float, power: float, rent: float) -> None:
    limits = {limit.name: limit for limit in plan(menu(capital_usd=capital, low_power=True)).limits}
    assert limits["power"].dual == pytest.approx(power, rel=0.01)
    assert limits["capital"].dual == pytest.approx(rent, abs=1e-3)


@QUICK
@given(programmes())
def test_another_solver_finds_the_same_optimum(inputs: PlanInputs) -> None:
    program = build(inputs).program
    dense = np.zeros((program.row_low.size, program.cost.size))
    np.add.at(dense, (program.rows, program.columns), program.values)
    upper, lower = np.isfinite(program.row_high), np.isfinite(program.row_low)
    found = linprog(
        -program.cost,
        A_ub=np.vstack([dense[upper], -dense[lower]]),
        b_ub=np.concatenate([program.row_high[upper], -program.row_low[lower]]),
        method="highs-ipm",
    )
    if found.status == 2:
        with pytest.raises(Infeasible):
            plan(inputs, prices=False)
    else:
        ours = plan(inputs, prices=False).value_usd_per_yr
        assert ours == pytest.approx(-found.fun * MILLION, rel=1e-6, abs=1.0)


@QUICK
@given(programmes())
def test_a_looser_limit_never_lowers_the_optimum(inputs: PlanInputs) -> None:
    base = fits(inputs)
    slack = 1e-9 * abs(base) + 1e-3
    assert fits(replace(inputs, power_mw=inputs.power_mw * 1.3)) >= base - slack
    assert fits(replace(inputs, capital_usd=inputs.capital_usd * 1.3)) >= base - slack
    more = replace(inputs.platforms, supply_racks=inputs.platforms.supply_racks * 1.3)
    assert fits(replace(inputs, platforms=more)) >= base - slack
    wider = replace(inputs.segments, tokens_per_s=inputs.segments.tokens_per_s * 1.3)
    assert fits(replace(inputs, segments=wider)) >= base - slack
    assert fits(replace(inputs, obligations=())) >= base - slack


@QUICK
@given(programmes())
def test_the_plan_keeps_every_limit_and_its_value_adds_up(inputs: PlanInputs) -> None:
    fits(inputs)
    best = plan(inputs, prices=False)
    points = inputs.points
    for f in range(len(inputs.phases)):
        used = np.bincount(points.platform, best.use[:, f], minlength=len(best.racks))
        assert np.all(used <= best.racks + 1e-5)
        assert best.use[:, f] @ points.mw <= inputs.power_mw * (1 + 1e-7)
    assert best.capital_usd <= inputs.capital_usd * (1 + 1e-7)
    made = best.made_tokens_per_s()
    sold = np.zeros_like(made)
    np.add.at(sold, inputs.segments.workload, best.sold_tokens_per_s)
    assert np.all(sold <= made * (1 + 1e-6) + 1)
    for owed in inputs.obligations:
        assert np.all(made[owed.workload, list(owed.phases)] >= owed.tokens_per_s * (1 - 1e-6))
    mine = inputs.chosen
    value = best.revenue_usd_per_yr * mine.revenue_share + best.mean_use @ mine.other_usd_per_yr
    value -= best.mean_use @ mine.energy_usd_per_yr + best.racks @ mine.platform_usd_per_yr
    value -= best.site_mw * mine.shell_usd_per_mw_yr
    assert value == pytest.approx(best.value_usd_per_yr, rel=1e-6, abs=10.0)


@QUICK
@given(programmes())
def test_no_party_does_better_with_another_partys_plan(inputs: PlanInputs) -> None:
    fits(inputs)
    best = plan_all_objectives(inputs)
    for party, own in best.items():
        assert value_of(own, party) == pytest.approx(own.value_usd_per_yr, rel=1e-6, abs=10.0)
        for other in best.values():
            assert value_of(other, party) <= own.value_usd_per_yr + 1e-6 * abs(own.value_usd_per_yr) + 10.0


@QUICK
@given(programmes())
def test_hull_points_lose_nothing(inputs: PlanInputs) -> None:
    thin = inputs.thinned()
    assert len(thin.points) <= len(inputs.points)
    assert fits(thin) == pytest.approx(fits(inputs), rel=1e-9, abs=1.0)


@settings(max_examples=12, deadline=None)
@given(programmes(owed=False))
def test_whole_racks_never_beat_parts_of_racks(inputs: PlanInputs) -> None:
    linear = plan(inputs, prices=False)
    whole = plan(replace(inputs, integer_racks=True, block_racks=4), prices=False)
    assert whole.value_usd_per_yr <= linear.value_usd_per_yr * (1 + 1e-9) + 1e-3
    assert whole.bound_usd_per_yr == pytest.approx(linear.value_usd_per_yr)
    assert np.all(whole.racks % 4 == 0)


def test_whole_blocks_give_three_prices() -> None:
    best = plan(menu(integer=True, block=16))
    assert np.all(best.racks % 16 == 0)
    power = next(limit for limit in best.limits if limit.name == "power")
    assert power.dual > 0 and power.operating is not None
    assert power.increment is not None and power.increment_step == pytest.approx(10.0)
    assert best.value_usd_per_yr < best.bound_usd_per_yr


def test_the_conflict_is_named_exactly_and_the_smallest_change_fits() -> None:
    owed = (Obligation("pretrain", 2, 2e8), Obligation("small", 0, 1e6))
    with pytest.raises(Infeasible) as caught:
        plan(menu(power_mw=100, obligations=owed))
    assert caught.value.conflict == ("power", "obligation pretrain")
    (change,) = caught.value.changes
    moved = {change.limit: change.needed}
    eased = tuple(replace(o, tokens_per_s=moved.get(f"obligation {o.name}", o.tokens_per_s)) for o in owed)
    again = menu(power_mw=moved.get("power", 100.0) * (1 + 1e-9), obligations=eased)
    assert np.isfinite(plan(again, prices=False).value_usd_per_yr)


def test_a_run_that_no_platform_can_do_conflicts_alone() -> None:
    base = menu()
    keep = base.points.workload != 2
    party = base.coefficients[0]
    party = replace(
        party, other_usd_per_yr=party.other_usd_per_yr[keep], energy_usd_per_yr=party.energy_usd_per_yr[keep]
    )
    inputs = replace(
        base, points=base.points.take(keep), coefficients=(party,), obligations=(Obligation("run", 2, 1e6),)
    )
    with pytest.raises(Infeasible) as caught:
        plan(inputs)
    assert caught.value.conflict == ("obligation run",)


def test_phases_free_racks_after_an_owed_run() -> None:
    inputs = menu(obligations=(Obligation("run", 3, 1e9, (0,)),))
    phases = (Phase("with run", 0.4), Phase("after", 0.6))
    best = plan(replace(inputs, phases=phases))
    trained = best.made_tokens_per_s()[3]
    assert trained[0] >= 1e9 * (1 - 1e-9)
    assert trained[1] == pytest.approx(0, abs=1)


def test_demand_is_sold_from_the_dearest_segment() -> None:
    base = menu(("gb300",), demand_tokens_per_s=5e8)
    tiers = replace(base.segments, workload=np.zeros(4, dtype=np.int64), usd_per_mtok=np.array([0.1, 0.4, 0.2, 0.3]))
    sold = plan(replace(base, segments=tiers), prices=False).sold_tokens_per_s[:, 0]
    assert sold[[1, 3, 2]] == pytest.approx(5e8)
    assert sold[0] < 5e8


def test_a_platform_that_is_not_on_offer_has_a_price_for_the_first_rack() -> None:
    base = menu(("gb300", "b200"))
    none = replace(base.platforms, supply_racks=np.array([0.0, np.inf]))
    limit = next(x for x in plan(replace(base, platforms=none)).limits if x.name == "supply of gb300")
    one = plan(replace(base, platforms=replace(none, supply_racks=np.array([1.0, np.inf])))).value_usd_per_yr
    assert limit.up == pytest.approx(one - plan(replace(base, platforms=none)).value_usd_per_yr, rel=1e-4)
    assert limit.up > 0 and limit.down == np.inf


def test_wrong_inputs_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        replace(menu(), power_mw=-1.0, objective="sytem", phases=(Phase("half", 0.5),))
    assert {p.code for p in caught.value.problems} == {"unknown_name", "out_of_range"}
    assert len(caught.value.problems) == 3
    with pytest.raises(ValueError, match="rows"):
        replace(menu(), platforms=menu(("gb300",)).platforms)


_SCRIPT = """
import sys; sys.path.insert(0, {folder!r})
from factory_cases import menu
from gigawatt.factory import plan
best = plan(menu(capital_usd=43e9, low_power=True, integer={integer}))
sys.stderr.write(repr((best.racks.tolist(), best.use.tolist(), best.limits, best.alternatives)))
"""


@pytest.mark.parametrize("integer", [False, True])
def test_same_bytes_twice_and_no_banner(integer: bool) -> None:
    from pathlib import Path

    code = _SCRIPT.format(folder=str(Path(__file__).parent), integer=integer)
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(2)]
    assert runs[0].stdout == b""
    assert len(runs[0].stderr) > 100
    assert runs[0].stderr == runs[1].stderr


def test_the_public_constructor_is_kept_quiet_too(capfd: pytest.CaptureFixture[str]) -> None:
    from gigawatt.core.highs import _turned_away

    _turned_away()
    print("after")
    assert capfd.readouterr().out == "after\n"
