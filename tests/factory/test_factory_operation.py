"""The hours of a site: another solver, laws of optima and of watts, blocks, batteries, hand-overs, conflicts, same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from operation_cases import site, sites, with_power
from scipy.optimize import linprog

from gigawatt.core.errors import Infeasible
from gigawatt.factory.operation import (
    Lanes,
    OperateInputs,
    Operation,
    Segments,
    Sources,
    Stores,
    Ways,
    Works,
    operate,
    priority,
    static_split,
)

QUICK = settings(max_examples=25, deadline=None)
HOUR_S = 3600.0
NEAR = 3e-4  # hours of blocks are looked for to 1e-4 of the value


def fits(inputs: OperateInputs) -> Operation:
    """The best hours; sites where what must run does not fit are left out of the law."""
    try:
        return operate(inputs, prices=False)
    except Infeasible:
        assume(False)
        raise


def test_the_optimum_is_that_of_another_solver_and_another_formulation() -> None:
    """One service and one run on one platform, written out hour by hour with no unit of our own."""
    base = site(6, kind="elastic", pace=(4e5, 0.0, 0.0), cut=0.3, swing=0.6)
    assert operate(base).value_usd == pytest.approx(_by_scipy(base), rel=1e-7)


def _by_scipy(inputs: OperateInputs) -> float:
    """Columns an hour: racks held [4], taken over [4], busy [5], sold [2], off [1], bought MW [1]."""
    n_h, width = inputs.hours, 17
    held, gain, busy, sold, off, gen = (
        np.arange(a, b) for a, b in ((0, 4), (4, 8), (8, 13), (13, 15), (15, 16), (16, 17))
    )
    rows: list[tuple[np.ndarray, float]] = []
    equal: list[tuple[np.ndarray, float]] = []
    cost = np.zeros(n_h * width)
    bounds: list[tuple[float, float | None]] = []
    lane, ready, idle = inputs.ways.lane, inputs.lanes.ready_it_mw, inputs.idle_it_mw[0]
    rate = inputs.ways.tokens_out_per_s
    for h in range(n_h):
        at, before = h * width, ((h - 1) % n_h) * width

        def row() -> np.ndarray:
            return np.zeros(n_h * width)

        up = inputs.up_racks[0, h]
        racks = row()
        racks[at + held], racks[at + off] = 1, 1
        rows.append((racks, up))
        for g in range(4):
            use, hand = row(), row()
            use[at + busy[lane == g]] = 1
            use[at + gain[g]], use[at + held[g]] = inputs.lanes.start_hours[g], -inputs.lanes.up_share[g]
            hand[at + held[g]] += 1
            hand[before + held[g]] -= 1
            hand[at + gain[g]] = -1
            rows += [(use, 0.0), (hand, 0.0)]
            if np.isfinite(inputs.lanes.most_racks[g]):
                size = row()
                size[at + busy[lane == g]] = 1
                rows.append((size, inputs.lanes.most_racks[g]))
        tokens = row()
        tokens[at + sold] = 1
        tokens[at + busy[lane == 0]] = -rate[lane == 0]
        rows.append((tokens, 0.0))
        it, peak = row(), row()
        for out, watts in ((it, inputs.ways.mean_it_mw), (peak, inputs.ways.peak_it_mw)):
            out[at + held] = ready - idle
            out[at + busy] = watts - ready[lane]
            out[at + off] = -idle
        meter = inputs.per_it[h] * it
        meter[at + gen] = -1
        there = inputs.sources.available_mw[0, h]
        equal.append((meter, -inputs.fixed_mw[h] - inputs.per_it[h] * idle * up))
        rows.append((inputs.per_it[h] * peak, there - inputs.fixed_mw[h] - inputs.per_it[h] * idle * up))
        rows.append((peak, inputs.hall_it_mw - idle * up))
        cost[at + sold] = -inputs.segments.usd_per_mtok * HOUR_S / 1e6
        cost[at + gen] = inputs.sources.usd_per_mwh[0, h]
        most: list[float | None] = [None] * width
        for s in range(2):
            most[sold[s]] = inputs.segments.tokens_per_s[s, h]
        most[off[0]] = None if inputs.may_stop[h] else 0.0
        most[gen[0]] = there
        bounds += [(0.0, value) for value in most]
    owed = np.zeros(n_h * width)
    for h in range(n_h):
        owed[h * width + busy[lane == 1]] = -rate[lane == 1]
    rows.append((owed, -inputs.works.owed_tokens_per_s[1] * n_h))
    found = linprog(
        cost,
        np.array([r for r, _ in rows]),
        np.array([b for _, b in rows]),
        np.array([r for r, _ in equal]),
        np.array([b for _, b in equal]),
        bounds,
    )
    assert found.status == 0
    return -float(found.fun)


@QUICK
@given(sites())
def test_watts_balance_and_stay_below_what_there_is(inputs: OperateInputs) -> None:
    done = fits(inputs)
    given_mw = done.gen_mw.sum(axis=0) + (done.discharge_mw - done.charge_mw).sum(axis=0)
    assert done.meter_mw == pytest.approx(given_mw, abs=1e-5)
    assert done.meter_mw == pytest.approx(inputs.fixed_mw + inputs.per_it * done.it_mw, abs=1e-9)
    assert np.all(done.peak_mw <= inputs.cap_mw + 1e-5)
    without_work = inputs.idle_it_mw @ (inputs.up_racks - done.off - done.held.sum(axis=0))
    assert done.work_it_mw.sum(axis=0) + without_work == pytest.approx(done.it_mw, abs=1e-6)


@QUICK
@given(sites())
def test_what_is_sold_is_asked_for_and_made(inputs: OperateInputs) -> None:
    done = fits(inputs)
    assert np.all(done.sold_tokens_per_s <= inputs.segments.tokens_per_s * (1 + 1e-6) + 1.0)
    assert np.all(done.sold_tokens_per_s.sum(axis=0) <= done.tokens_out_per_s[0] * (1 + 1e-6) + 1.0)
    fastest = np.array([inputs.ways.tokens_out_per_s[inputs.ways.lane == g].max() for g in range(4)])
    could = (fastest * inputs.lanes.up_share)[:, None] * done.held
    assert np.all(done.tokens_out_per_s <= could * (1 + 1e-6) + 1.0)
    assert np.all(done.held.sum(axis=0) + done.off.sum(axis=0) <= inputs.up_racks[0] + 1e-6)
    for w, every in enumerate(inputs.works.check_hours):
        made = np.cumsum(done.tokens_out_per_s[w])[every - 1 :: every]
        owed = inputs.works.owed_tokens_per_s[w] * every * np.arange(1, len(made) + 1)
        assert np.all(made >= owed * (1 - 1e-6) - 1.0)


@QUICK
@given(sites())
def test_more_power_and_less_idle_draw_never_lower_the_margin(inputs: OperateInputs) -> None:
    done = fits(inputs)
    more = operate(with_power(inputs, 0.5), prices=False)
    assert more.value_usd >= done.value_usd - NEAR * abs(done.value_usd)
    idle = replace(inputs, idle_it_mw=np.zeros(1))
    assert operate(idle, prices=False).value_usd >= done.value_usd - NEAR * abs(done.value_usd)


@QUICK
@given(sites())
def test_no_policy_is_worth_more(inputs: OperateInputs) -> None:
    done = fits(inputs)
    assert done.value_usd <= done.bound_usd + 1e-6 * abs(done.bound_usd)
    for other in (static_split(inputs), priority(inputs)):
        if np.isfinite(other.value_usd) and other.keeps_pace:
            assert other.value_usd <= done.value_usd + NEAR * abs(done.value_usd), other.name


@QUICK
@given(sites())
def test_the_worth_of_a_mw_lies_between_its_one_sided_differences(inputs: OperateInputs) -> None:
    plain = replace(inputs, works=replace(inputs.works, kind=("service", "elastic", "elastic", "waiting")))
    fits(plain)
    dual, both = operate(plain, prices=False).worth_usd_per_mwh, operate(plain)
    room = 1e-3 * (1.0 + np.abs(dual))
    assert np.all(both.worth_usd_per_mwh <= dual + room)
    assert np.all(dual <= both.last_usd_per_mwh + room)


def test_a_worth_is_what_another_mw_brings() -> None:
    inputs = site(kind="elastic", cut=0.4)
    done = operate(inputs)
    hour = int(np.argmax(done.worth_usd_per_mwh))
    step = 1e-3
    moved = operate(with_power(inputs, step, hour)).value_usd
    assert moved - done.value_usd == pytest.approx(done.worth_usd_per_mwh[hour] * step, rel=1e-3)
    assert inputs.may_stop[hour]  # it is the curtailment that makes power short


def test_what_is_short_is_named() -> None:
    inputs = site(kind="elastic", cut=0.4)
    done = operate(inputs)
    assert all("power" in words for words in np.array(done.binds)[inputs.may_stop])
    few = operate(site(kind="elastic", racks=50.0))
    assert "racks of gb300" in few.binds[20]
    assert not any("power" in words for words in few.binds)
    small = operate(replace(site(kind="elastic"), hall_it_mw=6.0))
    assert "building" in small.binds[20]
    rich = operate(site(kind="elastic", racks=200.0, cap_mw=40.0, demand=5e6, pace=(1e5, 1e4, 1e4)))
    assert not any(rich.binds)


def test_an_even_day_is_the_same_in_every_hour() -> None:
    inputs = site(swing=0.0, price_swing=0.0, cut=0.0)
    inputs = replace(inputs, per_it=np.full(24, 1.14))
    done = operate(inputs)
    for columns in (done.meter_mw, done.tokens_out_per_s, done.sold_tokens_per_s):
        assert columns == pytest.approx(np.broadcast_to(columns[..., :1], columns.shape), rel=1e-6)
    assert np.all(done.gain == 0)


def test_a_block_runs_whole_or_not_at_all_and_keeps_its_size() -> None:
    inputs = site(cut=0.4)
    done = operate(inputs)
    racks = done.busy[inputs.ways.lane == 1].sum(axis=0)
    size = racks.max()
    assert np.all((racks < 1e-6) | (np.abs(racks - size) < 1e-6 * size))
    assert 0 < (racks < 1e-6).sum() < 24  # the curtailment makes it pause
    free = operate(inputs.divisible())
    again = operate(inputs, on=done.on)
    assert again.value_usd == pytest.approx(done.value_usd, rel=1e-9)
    assert operate(inputs, on=np.zeros((1, 24))).value_usd == pytest.approx(done.value_usd, rel=1e-9)  # it owes a pace
    assert done.value_usd <= free.value_usd + 1e-6 * abs(free.value_usd)
    assert free.value_usd == pytest.approx(done.bound_usd, rel=2e-3)


def test_a_block_pauses_as_often_as_it_must() -> None:
    """Two hours in which nothing but the house can run leave no single pause."""
    inputs = site(8, pace=(2e5, 0.0, 0.0))
    available = inputs.sources.available_mw.copy()
    available[0, [2, 5]] = 0.2
    stop = available[0] < 10.0
    inputs = replace(inputs, sources=replace(inputs.sources, available_mw=available), may_stop=stop)
    racks = operate(inputs).busy[inputs.ways.lane == 1].sum(axis=0)
    assert np.all(racks[[2, 5]] == 0)
    assert racks.max() > 0


def test_several_days_keep_each_days_pace() -> None:
    inputs = site(72, cut=0.3, pace=(6e5, 1e5, 6e4))
    done = operate(inputs)
    made = done.tokens_out_per_s[1].reshape(3, 24).sum(axis=1)
    assert np.all(made >= 6e5 * 24 * (1 - 1e-6))


def test_racks_that_are_taken_over_lose_their_hand_over() -> None:
    """One rack, two services that want it in turn; each takeover costs a quarter of an hour, worked out by hand."""
    quarter, hours = 0.25, 4
    wants = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]) * 100.0
    inputs = OperateInputs(
        ("p",),
        np.ones((1, hours)),
        np.zeros(1),
        Works(("a", "b"), ("service", "service"), np.zeros(2), np.full(2, hours)),
        Lanes(np.zeros(2, int), np.arange(2), np.zeros(2), np.full(2, quarter), np.full(2, np.inf), np.ones(2)),
        Ways(np.arange(2), ("x", "x"), np.ones(2), np.ones(2), np.zeros(2), np.full(2, 100.0)),
        Segments(("a", "b"), np.arange(2), np.ones(2), wants),
        Sources(("grid",), np.full((1, hours), 2.0), np.zeros((1, hours)), np.zeros((1, hours))),
        np.ones(hours),
        np.zeros(hours),
        np.zeros(hours, dtype=bool),
    )
    done = operate(inputs)
    assert done.sold_tokens_per_s.sum() == pytest.approx(4 * 100.0 - 2 * quarter * 100.0)
    assert done.gain.sum() == pytest.approx(2.0)


def test_a_battery_carries_a_curtailment_and_ends_as_it_began() -> None:
    bare = site(cut=0.4)
    store = Stores(("battery",), np.array([2.0]), np.array([8.0]), np.array([0.95]), np.array([0.95]))
    done = operate(replace(bare, stores=store))
    assert done.value_usd > operate(bare).value_usd
    rise = 0.95 * done.charge_mw[0] - done.discharge_mw[0] / 0.95
    assert np.diff(done.level_mwh[0], prepend=done.level_mwh[0, -1]) == pytest.approx(rise, abs=1e-6)
    assert done.level_mwh.max() <= 8.0 + 1e-6
    assert done.discharge_mw[0, bare.may_stop].sum() > 0


def test_the_cheapest_source_gives_first() -> None:
    inputs = site(kind="elastic")
    own = Sources(
        ("grid", "sun"),
        np.stack([inputs.sources.available_mw[0], np.full(24, 2.0)]),
        np.stack([inputs.sources.usd_per_mwh[0], np.zeros(24)]),
        np.zeros((2, 24)),
    )
    done = operate(replace(inputs, sources=own))
    assert done.gen_mw[1] == pytest.approx(2.0)
    assert done.value_usd > operate(inputs).value_usd


def test_racks_without_work_are_switched_off_only_in_curtailed_hours() -> None:
    inputs = site(cut=0.5)
    done = operate(inputs)
    assert np.all(done.off[0, ~inputs.may_stop] == 0)
    assert np.all(done.off[0, inputs.may_stop] > 0)


def test_what_can_not_run_is_named_with_the_change_that_fits() -> None:
    inputs = site(cap_mw=2.8, pace=(8.4e5, 0.0, 0.0))
    with pytest.raises(Infeasible) as told:
        operate(inputs)
    assert any("power at the meter" in name for name in told.value.conflict)
    assert any("pretrain" in name for name in told.value.conflict)
    by_name = {change.limit: change for change in told.value.changes}
    power, pace = by_name["least power at the meter"], by_name["pace of pretrain"]
    assert power.now == pytest.approx(2.8)
    operate(with_power(inputs, power.needed - power.now + 1e-4))
    slower = replace(inputs.works, owed_tokens_per_s=np.array([0.0, pace.needed * (1 - 1e-6), 0.0, 0.0]))
    operate(replace(inputs, works=slower))
    with pytest.raises(Infeasible):
        operate(with_power(inputs, 0.8 * (power.needed - power.now)))


def test_a_pace_beyond_a_runs_size_is_no_matter_of_power() -> None:
    with pytest.raises(Infeasible) as told:
        operate(site(pace=(2e6, 0.0, 0.0)))
    assert any("size of pretrain" in name for name in told.value.conflict)
    assert [change.limit for change in told.value.changes] == ["pace of pretrain"]


def test_a_static_split_says_when_it_can_not() -> None:
    inputs = site(cut=0.9)
    other = static_split(inputs)
    assert np.isnan(other.value_usd)
    assert not other.keeps_pace
    assert np.isfinite(operate(inputs).value_usd)


def test_the_same_hours_give_the_same_bytes() -> None:
    one, two = operate(site(cut=0.4)), operate(site(cut=0.4))
    for name in ("busy", "held", "gain", "sold_tokens_per_s", "off", "gen_mw", "worth_usd_per_mwh", "meter_mw"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


def test_columns_that_do_not_fit_are_refused() -> None:
    inputs = site(6)
    with pytest.raises(ValueError, match="up_racks"):
        replace(inputs, up_racks=np.ones((1, 5)))
    with pytest.raises(ValueError, match="a work is one of"):
        replace(inputs, works=replace(inputs.works, kind=("service", "nap", "elastic", "waiting")))
