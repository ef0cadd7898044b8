"""Serving over sites: inverses, limits, capacity that sites share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric.across.serving import (
    added_ttft_s,
    break_even_bytes_per_s,
    break_even_one_way_s,
    cache_move_s,
    movable_share,
    one_way_s,
    shared_capacity,
)


def test_distance_adds_round_trips() -> None:
    assert one_way_s([0.0, 1000.0, 4800.0], switch_s=0.0).tolist() == pytest.approx([0.0, 0.005, 0.024])
    assert one_way_s(1000.0, kind="hollow_core", switch_s=0.0) < one_way_s(1000.0, switch_s=0.0)
    assert float(one_way_s(100.0, hops=3, switch_s=1e-4)) == pytest.approx(5e-4 + 3e-4)
    assert added_ttft_s(0.005, [1, 3]).tolist() == pytest.approx([0.010, 0.030])


def test_moving_a_cache() -> None:
    """A 4 GB cache over 400 Gb/s and 1,000 km: 85 ms whole; layer by layer behind a long prefill, one layer and the way."""
    assert float(cache_move_s(4e9, 50e9, 0.005)) == pytest.approx(0.085)
    assert float(cache_move_s(4e9, 50e9, 0.005, layers=80, hidden_s=10.0)) == pytest.approx(0.006)
    # With a little prefill to hide behind, that much is hidden.
    assert float(cache_move_s(4e9, 50e9, 0.005, layers=80, hidden_s=0.02)) == pytest.approx(0.065)


positive = st.floats(1, 1e6)


@given(tokens=positive, size=positive, rate=positive, delay=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_at_break_even_fetching_takes_as_long_as_computing(
    tokens: float, size: float, rate: float, delay: float
) -> None:
    w = float(break_even_bytes_per_s(tokens, size, rate, delay))
    if not np.isfinite(w):
        assert tokens / rate <= delay
        return
    assert float(cache_move_s(tokens * size, w, delay)) == pytest.approx(tokens / rate)
    assert float(break_even_one_way_s(tokens, size, rate, w)) == pytest.approx(delay, abs=1e-9 * tokens / rate)


def test_long_prompts_pay_sooner() -> None:
    need = break_even_bytes_per_s([1e3, 1e4, 1e5], 70e3, 20e3, 0.02)
    assert np.all(np.diff(need) < 0)
    assert need[-1] == pytest.approx(70e3 * 20e3, rel=0.01)  # the way no longer counts
    assert break_even_bytes_per_s(100, 70e3, 20e3, 0.02) == np.inf
    assert break_even_one_way_s(1e4, 70e3, 20e3, 1e8) < 0


def test_share_that_may_move() -> None:
    sample = np.array([0.2, 0.4, 0.6, 0.8])
    assert movable_share(sample, [0.0, 0.15, 0.2, 0.9], 1.0).tolist() == [1.0, 1.0, 1.0, 0.0]
    assert movable_share(sample, [[0.3, 0.5]], 1.0).tolist() == [[0.75, 0.5]]


loads = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(0, 100))


@given(loads, st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_shared_capacity_lies_between_the_peaks(load: np.ndarray, share: float) -> None:
    n = len(load)
    together, alone = load.sum(axis=0).max(), load.max(axis=1).sum()
    totals = [shared_capacity(load, np.full((n, n), x)).capacity.sum() for x in (0.0, share, 1.0)]
    assert totals[0] == pytest.approx(alone, abs=1e-6)
    assert totals[2] == pytest.approx(together, abs=1e-6)
    assert together - 1e-6 <= totals[1] <= alone + 1e-6
    assert shared_capacity(load).capacity.sum() == pytest.approx(together, abs=1e-6)


def test_following_the_sun() -> None:
    """Three regions with the same day, eight hours apart: a day of sine has no peak together."""
    hours = np.arange(24)
    day = 1 + np.cos(2 * np.pi * hours / 24)
    load = np.stack([np.roll(day, 8 * i) for i in range(3)])
    assert shared_capacity(load).spare_saved == pytest.approx(0.5)
    assert shared_capacity(load, np.eye(3)).spare_saved == pytest.approx(0.0)
    half = shared_capacity(load, np.full((3, 3), 0.25)).spare_saved
    assert 0.0 < half < 0.5
    # Who may serve counts by direction: the first may send to the others, nobody may send to it, so it needs nothing.
    gives = shared_capacity(load, [[1, 1, 1], [0, 1, 0], [0, 0, 1]])
    assert gives.capacity.sum() == pytest.approx(4.0, abs=1e-4)
    takes = shared_capacity(load, [[1, 0, 0], [1, 1, 0], [1, 0, 1]])
    assert takes.capacity.tolist() == pytest.approx([3.0, 0.0, 0.0], abs=1e-4)
    # Of the splits of an even demand, the one that moves nothing.
    assert shared_capacity(np.full((3, 4), 5.0)).capacity.tolist() == pytest.approx([5.0, 5.0, 5.0])


def test_mistakes() -> None:
    with pytest.raises(InputError, match="bytes_per_s must be above 0"):
        cache_move_s(1.0, 0.0, 0.0)
    with pytest.raises(InputError, match="at least one time"):
        movable_share([], 0.0, 1.0)
    with pytest.raises(InputError, match="0 km or more"):
        one_way_s(-1.0)
    with pytest.raises(InputError) as error:
        shared_capacity([[-1.0, 2.0]], [[1.0, 0.0]])
    assert len(error.value.problems) == 2
    with pytest.raises(InputError, match="sites x hours"):
        shared_capacity([1.0, 2.0])
