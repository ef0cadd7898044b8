"""Power swings: laws of a step at the meter, ballast and stores, and a store run through a step by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.reliability.swings import meter_phases, ramps, smooth, swing_of

WATTS = st.lists(st.floats(100.0, 1400.0), min_size=2, max_size=5)


def test_two_phases_by_hand() -> None:
    # 10,000 chips, 1.2 kW for 3 s and 0.4 kW for 1 s: mean 10 MW, swing 8 MW, four seconds
    watts = meter_phases(10_000, [1200.0, 400.0])
    found = swing_of(watts, [3.0, 1.0])
    assert found.mean_w == pytest.approx(10e6)
    assert found.swing_w == pytest.approx(8e6)
    assert found.frequency_hz == pytest.approx(0.25)
    # a rectangular wave of duty 3/4 has 2 A / pi sin(3 pi / 4) at its first harmonic
    assert found.harmonics_w[0] == pytest.approx(2 * 8e6 / np.pi * np.sin(0.75 * np.pi), rel=1e-3)


def test_what_stands_beside_and_behind_counts() -> None:
    bare = meter_phases(8, [1000.0, 300.0])
    whole = meter_phases(8, [1000.0, 300.0], beside_w=400.0, supply_efficiency=0.97, meter_per_it=1.2)
    assert np.all(whole > bare)
    assert whole[0] - whole[1] == pytest.approx((bare[0] - bare[1]) / 0.97 * 1.2)


@settings(max_examples=25, deadline=None)
@given(watts=WATTS, more=st.floats(1.1, 4.0), spread=st.floats(0.01, 1.0))
def test_swings_grow_with_the_job_and_shrink_with_spread(watts: list[float], more: float, spread: float) -> None:
    seconds = np.linspace(0.5, 1.5, len(watts))
    small = swing_of(meter_phases(100, watts), seconds)
    large = swing_of(meter_phases(100 * more, watts), seconds)
    assert large.swing_w == pytest.approx(more * small.swing_w, rel=1e-9, abs=1e-6)
    soft = swing_of(meter_phases(100, watts), seconds, spread_s=spread)
    assert soft.swing_w <= small.swing_w * (1 + 1e-6) + 1e-6
    assert soft.mean_w == pytest.approx(small.mean_w)


@settings(max_examples=15, deadline=None)
@given(watts=WATTS, joules=st.floats(1.0, 2000.0), round_trip=st.floats(0.8, 1.0))
def test_a_store_cuts_peaks_and_its_losses_are_paid(watts: list[float], joules: float, round_trip: float) -> None:
    seconds = np.linspace(0.5, 1.5, len(watts))
    none, some, double = (
        smooth(watts, seconds, storage_joules=e, round_trip=round_trip) for e in (0.0, joules, 2 * joules)
    )
    assert double.swing.peak_w <= some.swing.peak_w * (1 + 1e-9) <= none.swing.peak_w * (1 + 1e-6)
    assert some.stored_joules <= joules * (1 + 1e-6)
    assert some.added_w >= -1e-6 * none.swing.mean_w
    assert some.swing.trough_w >= none.swing.trough_w * (1 - 1e-6)
    assert none.added_w == pytest.approx(0.0, abs=1e-6 * none.swing.mean_w)


def test_a_store_large_enough_flattens_the_step() -> None:
    # 1.0 s of 1000 W over 1.0 s of 500 W, no loss: 250 W above the mean for a second
    found = smooth([1000.0, 500.0], [1.0, 1.0], storage_joules=1e6, round_trip=1.0)
    assert found.whole_joules == pytest.approx(250.0, rel=1e-3)
    assert found.swing.swing_w == pytest.approx(0.0, abs=1e-3)
    assert found.peak_cut == pytest.approx(0.25, abs=1e-3)


def test_half_the_store_halves_what_lies_over_the_cap() -> None:
    found = smooth([1000.0, 500.0], [1.0, 1.0], storage_joules=125.0, round_trip=1.0)
    assert found.swing.peak_w == pytest.approx(875.0, rel=1e-3)


def test_thirty_percent_of_the_peak_can_go() -> None:
    # a supply's store is said to cut the peak by up to 30 %: so does one that flattens a step which waits 46 % of its time
    # at 35 % of the draw; no store can cut more than mean and peak lie apart
    wave = [1400.0, 490.0], [0.54, 0.46]
    found = smooth(*wave, storage_joules=1e4, round_trip=1.0)
    assert found.peak_cut == pytest.approx(0.30, abs=0.01)


def test_ballast_lifts_the_trough_and_burns_joules() -> None:
    found = smooth([1000.0, 200.0], [3.0, 1.0], floor_w=800.0)
    assert found.swing.swing_w == pytest.approx(200.0)
    assert found.added_w == pytest.approx(600.0 / 4)
    assert found.peak_cut == pytest.approx(0.0, abs=1e-9)


def test_ramps_of_a_failure_come_in_pairs() -> None:
    found = ramps(1e8, 2e7, failures_per_day=8.0, snapshots_per_day=100.0)
    assert sum(r.watts for r in found[:2]) == pytest.approx(0.0)
    assert found[2].per_day == 100.0


def test_swings_say_what_is_wrong() -> None:
    with pytest.raises(InputError, match="as many seconds"):
        swing_of([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="round trip"):
        smooth([1.0, 2.0], [1.0, 1.0], round_trip=0.0)
    with pytest.raises(InputError, match="positive"):
        meter_phases(0, [1.0])
