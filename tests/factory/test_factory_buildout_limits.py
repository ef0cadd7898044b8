"""Shadow prices by quarter, policies that see less, and what is said where no plan fits or a platform is of no use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from buildout_cases import build_outs, columns, three_generations
from hypothesis import assume, given, settings

from gigawatt.core.errors import Infeasible
from gigawatt.factory import Points
from gigawatt.factory.buildout import BuildInputs, PeriodLimit, build_out
from gigawatt.factory.buildout.limits import activity

QUICK = settings(max_examples=20, deadline=None)


def between(low: float, value: float, high: float) -> bool:
    """low and high in any order, with room for the solver's tolerance over the step."""
    room = 1e-5 * max(abs(value), 1.0)
    return min(low, high) - room <= value <= max(low, high) + room


@QUICK
@given(build_outs())
def test_duals_lie_between_one_sided_differences(inputs: BuildInputs) -> None:
    try:
        best = build_out(inputs)
    except Infeasible:
        assume(False)
    for limit in best.limits:
        assert limit.probed
        assert between(limit.up, limit.dual, limit.down), limit
        assert between(limit.lasting_up, limit.lasting_dual, limit.lasting_down), limit


def test_a_megawatt_more_is_worth_what_is_said() -> None:
    inputs = three_generations()
    best = build_out(inputs)
    power = {limit.t: limit for limit in best.limits if limit.kind == "power"}
    short = [t for t, limit in power.items() if limit.lasting_up > 0]
    assert short
    t = short[0]
    for name, worth in (("from", power[t].lasting_up), ("alone", power[t].up)):
        more = inputs.power_mw.copy()
        more[t : None if name == "from" else t + 1] += 0.01
        gain = build_out(replace(inputs, power_mw=more), prices=False).npv_usd - best.npv_usd
        assert gain / 0.01 == pytest.approx(worth, rel=1e-3, abs=1e3)
    assert power[t].lasting_dual == pytest.approx(sum(power[k].dual for k in range(t, 12)))
    assert any(text.startswith(inputs.quarters[t]) and "power is short" in text for text in best.sentences())


def test_a_dollar_is_worth_as_much_in_every_quarter_before_it_is_spent() -> None:
    best = build_out(three_generations(capital_usd=np.where(np.arange(12) % 4 == 0, 1.5e9, 0.0)))
    capital = [limit.dual for limit in best.limits if limit.kind == "capital"]
    assert capital[0] > 0
    assert np.all(np.diff(capital) <= 1e-9)  # money that comes early can always wait


def test_a_platform_that_is_banned_has_a_price_all_the_same() -> None:
    inputs = three_generations()
    supply = inputs.supply_racks.copy()
    supply[2] = 0.0
    best = build_out(replace(inputs, supply_racks=supply))
    banned = [limit for limit in best.limits if limit.kind == "supply" and limit.subject == "third"]
    assert max(limit.up for limit in banned) > 0
    useless = replace(
        inputs.points, tokens_out_per_s=np.where(inputs.points.platform == 2, 1.0, inputs.points.tokens_out_per_s)
    )
    worse = build_out(replace(inputs, supply_racks=supply, points=useless))
    assert not any(limit.binding for limit in worse.limits if limit.subject == "third")
    assert "third is not on offer in any quarter." in best.notes


def test_limits_that_are_not_solved_for_on_both_sides_say_so() -> None:
    best = build_out(three_generations(), probed=2)
    tight = [limit for limit in best.limits if limit.binding]
    assert sum(limit.probed for limit in tight) == 2
    assert all(limit.up == limit.dual == limit.down for limit in tight if not limit.probed)


def test_a_full_window_is_perfect_foresight_and_shorter_ones_lose() -> None:
    inputs = three_generations()
    perfect = build_out(inputs)
    full = build_out(inputs, policy="rolling", window=12)
    for name in ("racks", "bought", "retired", "use", "sold", "built_mw", "cash_usd"):
        assert getattr(full, name).tobytes() == getattr(perfect, name).tobytes()
    assert full.npv_usd == perfect.npv_usd
    rolling = build_out(inputs, policy="rolling", window=2, prices=False)
    myopic = build_out(inputs, policy="myopic", prices=False)
    assert myopic.npv_usd < rolling.npv_usd < perfect.npv_usd
    assert myopic.lost_share > rolling.lost_share > 0
    assert any("Seeing 1 quarter at a time loses" in note for note in myopic.notes)
    assert {limit.t for limit in full.limits if limit.kind == "power"} == set(range(12))
    seen = build_out(inputs, policy="myopic").limits
    assert [limit.t for limit in seen if limit.kind == "power"] == list(range(12))
    assert [limit.name for limit in seen] == [limit.name for limit in perfect.limits]


def test_where_nothing_changes_a_quarter_sees_as_much_as_all() -> None:
    inputs = three_generations()
    still = {"price_usd_per_mtok": np.array([0.5, 0.3, 1.0]), "demand_tokens_per_s": np.array([2e8, 8e8, 1e8])}
    columns_ = {name: np.repeat(values[:, None], 12, axis=1) for name, values in still.items()}
    once = np.where(np.arange(12) == 0, 1.0, 0.0)
    inputs = replace(
        inputs,
        **columns_,
        power_mw=np.full(12, 100.0),
        capital_usd=20e9 * once,
        supply_racks=np.array([[5000.0], [0.0], [0.0]]) * np.ones(12),
        owed_tokens_per_s=np.full((1, 12), 8e6),
        speed=np.ones((3, 2, 12)),
        lead_quarters=np.zeros(3, dtype=np.int64),
    )
    assert build_out(inputs, policy="myopic", prices=False).lost_share == pytest.approx(0.0, abs=1e-9)


@QUICK
@given(build_outs())
def test_a_plan_that_sees_less_fits_and_is_worth_no_more(inputs: BuildInputs) -> None:
    try:
        perfect = build_out(inputs, prices=False)
        plans = [build_out(inputs, policy="rolling", window=n, prices=False) for n in (1, 2, 5)]
    except Infeasible:
        assume(False)
    for plan in plans:
        assert plan.npv_usd <= perfect.npv_usd + 1e-7 * abs(perfect.npv_usd) + 100.0
        programme, x = columns(plan, inputs)
        done = activity(programme, x)
        assert np.all(done <= programme.program.row_high + 1e-4)
        assert np.all(done >= programme.program.row_low - 1e-4)
    assert plans[-1].npv_usd == perfect.npv_usd


def test_a_quarter_without_power_and_a_run_that_is_owed_in_it() -> None:
    inputs = three_generations()
    dark = inputs.power_mw.copy()
    dark[4] = 0.0
    with pytest.raises(Infeasible) as told:
        build_out(replace(inputs, power_mw=dark))
    assert set(told.value.conflict) == {"power in 2028 Q1", "obligation run in 2028 Q1"}
    changes = {change.limit: change for change in told.value.changes}
    assert len(changes) == 1  # one of the two is moved, as far as it takes
    for name, change in changes.items():
        moved = dark.copy()
        if name.startswith("power"):
            moved[4] = change.needed * (1 + 1e-6)
            build_out(replace(inputs, power_mw=moved), prices=False)
        else:
            assert change.needed == pytest.approx(0.0, abs=1e-3)
    owed = np.zeros((1, 12))
    best = build_out(replace(inputs, power_mw=dark, owed_tokens_per_s=owed), prices=False)
    assert best.draw_mw[4] == 0
    assert "There is no power in 2028 Q1: nothing runs then." in best.notes


def test_money_that_is_short_for_a_run_is_named_with_its_quarters() -> None:
    inputs = three_generations(capital_usd=np.full(12, 1e5), reinvest_share=0.0)
    with pytest.raises(Infeasible) as told:
        build_out(inputs)
    assert "obligation run in 2027 Q3" in told.value.conflict
    assert "capital in 2027 Q1" in told.value.conflict
    assert "One change alone" in str(told.value)


def test_racks_that_come_after_the_horizon() -> None:
    late = three_generations(lead_quarters=np.array([0, 1, 8]))
    best = build_out(late, prices=False)
    assert best.bought[2].sum() == 0
    assert any(
        note.startswith("third is on offer from 2029 Q1 on") and "after the horizon" in note for note in best.notes
    )
    with pytest.raises(Infeasible) as told:
        build_out(three_generations(lead_quarters=np.full(3, 20)))
    assert "would arrive after the horizon" in str(told.value)


def test_a_rival_that_runs_none_of_the_workloads_is_a_result() -> None:
    inputs = three_generations()
    runs = inputs.points.platform != 1
    best = build_out(inputs.take(runs), prices=False)
    assert best.bought[1].sum() == 0
    assert "second runs none of the workloads, so none is bought." in best.notes
    nobody = inputs.take(inputs.points.workload != 1)
    with pytest.raises(Infeasible) as told:
        build_out(nobody)
    assert "no platform runs train" in str(told.value)


def test_a_window_that_saw_too_little_says_when_it_was_caught() -> None:
    # The run is owed from the tenth quarter on; racks are on offer in the first alone, and nothing else is paid for.
    inputs = three_generations()
    supply = np.zeros((3, 12))
    supply[0, 0] = 2000.0
    owed = np.where(np.arange(12) >= 9, 2e7, 0.0)[None, :]
    inputs = replace(inputs, supply_racks=supply, owed_tokens_per_s=owed, price_usd_per_mtok=np.zeros((3, 12)))
    assert build_out(inputs, prices=False).racks[0, 9] > 0
    with pytest.raises(Infeasible, match="after what was decided before with a window of 1 quarter"):
        build_out(inputs, policy="myopic")


def test_the_limits_of_a_site_with_nothing_to_run_are_no_crash() -> None:
    inputs = three_generations(owed_tokens_per_s=np.zeros((1, 12)))
    empty = inputs.take(np.zeros(18, dtype=np.bool_))
    best = build_out(replace(empty, points=Points.of([], [], [], []) if len(empty.points) else empty.points))
    assert best.npv_usd == 0
    assert not any(isinstance(limit, PeriodLimit) and limit.binding for limit in best.limits)
