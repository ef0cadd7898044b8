"""The dispatch: watts balance, batteries create nothing, more is never worse; SciPy and hand-made cases as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.site.dispatch import Dispatch, dispatch
from gigawatt.physics.site.storage import Battery, carry, clip_chain, needed_j
from gigawatt.physics.site.supplied import Source

HOUR = 3600.0


def _case(seed: int, hours: int = 48) -> tuple[np.ndarray, list[Source], dict[str, object]]:
    """A load with a grid that fails, sun and a dearer turbine; watts of order 1."""
    rng = np.random.default_rng(seed)
    load = rng.uniform(0.5, 1.5, hours)
    sun = np.clip(np.sin((np.arange(hours) % 24 - 6) / 12 * np.pi), 0, None) * rng.uniform(0.2, 1.6)
    grid = np.where(rng.random(hours) < 0.15, 0.2, 1.0)
    sources = [
        Source("grid", grid, own=False),
        Source("sun", sun, weather=True),
        Source.of("turbine", float(rng.uniform(0, 0.5)), hours),
    ]
    return load, sources, {"grid": rng.uniform(0.5, 2.0, hours), "sun": 0.0, "turbine": 2.5}


def _balanced(found: Dispatch) -> None:
    made = found.source_w.sum(axis=0) + found.discharge_w.sum(axis=0) + found.unserved_w
    taken = found.load_w + found.charge_w.sum(axis=0) + found.spilt_w
    np.testing.assert_allclose(made, taken, atol=1e-7)


@given(st.integers(0, 10**6), st.floats(0.05, 0.6), st.floats(0.1, 4.0), st.floats(0.7, 1.0))
def test_watts_balance_and_a_battery_creates_nothing(seed: int, power: float, hours: float, efficiency: float) -> None:
    load, sources, weights = _case(seed)
    battery = Battery("store", power, power * hours * HOUR, efficiency, efficiency)
    found = dispatch(load, sources, [battery], weights)
    _balanced(found)
    held = battery.start_share * battery.energy_j
    stored = np.concatenate([[held], found.stored_j[0]])
    expected = HOUR * (efficiency * found.charge_w[0] - found.discharge_w[0] / efficiency)
    np.testing.assert_allclose(np.diff(stored), expected, atol=1e-5 * battery.energy_j)
    assert np.all(stored <= battery.energy_j * (1 + 1e-9)) and np.all(found.discharge_w <= power * (1 + 1e-9))
    out, into = found.discharge_w.sum() * HOUR, found.charge_w.sum() * HOUR
    assert out <= battery.round_trip * into + efficiency * (held - stored[-1]) + 1e-6 * battery.energy_j


@given(st.integers(0, 10**6), st.floats(0.0, 0.5), st.floats(1.0, 3.0))
def test_more_capacity_never_leaves_more_unserved(seed: int, power: float, more: float) -> None:
    load, sources, weights = _case(seed)
    small, big = Battery("store", power, 2 * power * HOUR), Battery("store", power * more, 2 * power * more * HOUR)
    base = dispatch(load, sources, [small], weights)
    larger = dispatch(load, sources, [big], weights)
    assert larger.unserved_w.sum() <= base.unserved_w.sum() + 1e-6
    raised = [*sources[:2], Source("turbine", sources[2].available_w * more)]
    assert dispatch(load, raised, [small], weights).unserved_w.sum() <= base.unserved_w.sum() + 1e-6


@given(st.integers(0, 10**6))
def test_a_lighter_source_never_weighs_more(seed: int) -> None:
    load, sources, weights = _case(seed)
    battery = [Battery("store", 0.3, 0.6 * HOUR, 0.95, 0.95)]
    lighter = {**weights, "turbine": 1.25}
    assert dispatch(load, sources, battery, lighter).weight <= dispatch(load, sources, battery, weights).weight + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_the_programme_agrees_with_another_solvers_front_end(seed: int) -> None:
    """SciPy's linprog on a week, written anew with dense matrices: the same least weight to 1e-7."""
    from scipy.optimize import linprog

    hours = 120
    load, sources, weights = _case(seed, hours)
    power, energy, eta_c, eta_d = 0.4, 1.1, 0.9, 0.95
    battery = Battery("store", power, energy * HOUR, eta_c, eta_d)
    unserved = 50.0
    found = dispatch(load, sources, [battery], {**weights, "store": 0.1}, unserved_weight=unserved)
    eye, lower = np.eye(hours), np.tril(np.ones((hours, hours)))
    zero = np.zeros((hours, hours))
    balance = np.hstack([eye, eye, eye, -eye, eye, eye])
    level = np.hstack([zero, zero, zero, eta_c * lower, -lower / eta_d, zero])
    cost = np.concatenate(
        [np.broadcast_to(weights[s.name], hours) for s in sources]
        + [np.zeros(hours), np.full(hours, 0.1), np.full(hours, unserved)]
    )
    bounds = [(0, a) for s in sources for a in s.available_w] + [(0, power)] * (2 * hours) + [(0, None)] * hours
    start = 0.5 * energy
    least = np.zeros(hours)
    least[-1] = start
    limits = np.vstack([level, -level])
    sides = np.concatenate([np.full(hours, energy - start), start - least])
    best = linprog(cost, limits, sides, balance, load, bounds)
    assert best.status == 0
    assert found.weight / HOUR == pytest.approx(best.fun, rel=1e-7)


def test_a_cut_into_weeks_costs_little() -> None:
    """Six weeks at once by the same programme: the cut loses under a thousandth of the weight and not a joule of load."""
    from gigawatt.physics.site.dispatch import Weights
    from gigawatt.physics.site.supplied import stacked
    from gigawatt.physics.site.windows import in_windows

    hours = 6 * 168
    load, sources, weights = _case(3, hours)
    battery = Battery("store", 0.4, 4 * 0.4 * HOUR, 0.93, 0.93)
    available, floor = stacked(tuple(sources), hours)
    read = Weights.read(weights, sources, [battery], hours, None)
    cut = dispatch(load, sources, [battery], weights)
    whole = in_windows(load, tuple(sources), (battery,), available, floor, read, window=hours)
    unserved = load - whole[0].sum(axis=0) - whole[2].sum(axis=0) + whole[1].sum(axis=0)
    assert cut.unserved_w.sum() == pytest.approx(np.maximum(unserved, 0).sum(), abs=1e-6)
    served = float((read.sources * cut.source_w).sum())
    at_once = float((read.sources * whole[0]).sum())
    assert at_once <= served * (1 + 1e-9)
    assert served <= at_once * 1.001


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_no_schedule_leaves_less_unserved_than_one_that_saves_itself_for_shortages(seed: int, power: float) -> None:
    load, sources, weights = _case(seed, 72)
    battery = Battery("store", power, 3 * power * HOUR, 0.9, 0.9)
    spare = np.sum([s.available_w for s in sources], axis=0) - load
    least = carry(spare, battery)
    found = dispatch(load, sources, [battery], weights)
    # The year must end with what it began with, which may cost what a store run empty would have served.
    ending = 0.9 * battery.start_share * battery.energy_j / HOUR
    assert least.unserved_w.sum() - 1e-6 <= found.unserved_w.sum() <= least.unserved_w.sum() + ending + 1e-6


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.floats(0, 6), st.floats(0, 1))
def test_the_chain_of_clips_is_the_loop(changes: list[float], high: float, share: float) -> None:
    level, expected = share * high, []
    for change in changes:
        level = min(max(level + change, 0.0), high)
        expected.append(level)
    np.testing.assert_allclose(clip_chain(np.array(changes), high, share * high), expected, atol=1e-9)


def test_what_must_be_in_store_for_a_night() -> None:
    battery = Battery("store", 2.0, 10 * HOUR)
    spare = np.array([0.0, 3.0, -1.0, -3.0, 1.0, -4.0])
    # Backwards: the last hour takes 2, the hour before gives 1, then 2, then 1; the second hour may charge 2.
    np.testing.assert_allclose(needed_j(spare, battery) / HOUR, [2.0, 4.0, 3.0, 1.0, 2.0, 0.0])


def test_least_output_by_hand() -> None:
    """A turbine of least 0.6 asked for 0.2: off where the grid can do more, on with the grid turned down where it can not."""
    turbine = Source.of("turbine", 1.0, 3, least_w=0.6)
    grid = Source("grid", np.array([1.0, 1.0, 0.1]), own=False)
    found = dispatch([1.2, 1.0, 0.3], [grid, turbine], weights={"grid": 1.0, "turbine": 2.0})
    np.testing.assert_allclose(found.of("turbine"), [0.6, 0.0, 0.6])
    np.testing.assert_allclose(found.of("grid"), [0.6, 1.0, 0.0])
    np.testing.assert_allclose(found.spilt_w, [0.0, 0.0, 0.3], atol=1e-12)
    assert not found.unserved_w.any()


@pytest.mark.parametrize("seed", range(5))
def test_least_output_against_an_integer_programme(seed: int) -> None:
    """Hours without batteries stand alone: SciPy's milp finds what is found here, in every hour."""
    from scipy.optimize import LinearConstraint, milp

    load, sources, weights = _case(seed, 24)
    sources = [*sources[:2], Source.of("turbine", 0.8, 24, least_w=0.5)]
    unserved = 20.0
    found = dispatch(load, sources, weights=weights, unserved_weight=unserved)
    total = 0.0
    for hour in range(24):
        cost = [float(np.broadcast_to(weights[s.name], 24)[hour]) for s in sources] + [unserved, 0.0, 0.0]
        rows = np.array([[1, 1, 1, 1, -1, 0], [0, 0, 1, 0, 0, -0.8], [0, 0, 1, 0, 0, -0.5]], dtype=float)
        limits = LinearConstraint(rows, [load[hour], -np.inf, 0], [load[hour], 0, np.inf])
        upper = [s.available_w[hour] for s in sources] + [np.inf, np.inf, 1]
        best = milp(cost, constraints=limits, bounds=(np.zeros(6), np.array(upper)), integrality=[0, 0, 0, 0, 0, 1])
        total += best.fun
    assert found.weight / HOUR == pytest.approx(total, rel=1e-6)  # its integrality holds to 1e-6


def test_a_reactor_that_must_run_spills_and_ramps() -> None:
    reactor = Source.of("reactor", 1.0, 6, least_w=0.4, must_run=True, ramp_w_per_h=0.2)
    grid = Source.of("grid", 0.5, 6, own=False)
    load = np.array([1.0, 0.3, 0.3, 0.3, 1.0, 1.0])
    found = dispatch(load, [grid, reactor], weights={"grid": 2.0, "reactor": 1.0})
    _balanced(found)
    assert np.all(found.of("reactor") >= 0.4 - 1e-9)
    assert np.all(np.abs(np.diff(found.of("reactor"))) <= 0.2 + 1e-9)
    assert found.spilt_w[1:4].sum() > 0


def test_wrong_inputs_are_told_together() -> None:
    grid = Source.of("grid", 1.0, 4)
    with pytest.raises(InputError) as raised:
        dispatch([1.0] * 4, [grid], weights={"gird": 1.0})
    assert "did you mean 'grid'" in str(raised.value) and "has no weight" in str(raised.value)
    with pytest.raises(InputError, match="4 hours, the load 3"):
        dispatch([1.0] * 3, [grid], weights={"grid": 1.0})
    with pytest.raises(InputError, match="negative"):
        dispatch([1.0] * 4, [grid], weights={"grid": -1.0})
