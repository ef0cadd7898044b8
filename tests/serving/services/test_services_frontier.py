"""The shape that all services share, and the queue behind their latencies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.serving.services.batching import MAX_LOAD, arrivals_of, saturated, stream
from gigawatt.physics.serving.services.frontier import COLUMNS, Candidates, choose, positive

BATCH = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def candidates(fixed=0.1, each=0.02, weights=10e9, cache=1e9, room=20e9, watts=500.0):
    service = fixed + each * BATCH
    ones = np.ones(len(BATCH))
    return Candidates(
        precision=np.array(["bf16"] * len(BATCH)),
        chips=ones,
        batch=BATCH,
        latency_s=service,
        units_per_s_per_chip=BATCH / service,
        chip_w=watts * ones,
        memory_bytes=weights + cache * BATCH,
        room_bytes=room * ones,
        bound=np.array(["compute"] * len(BATCH)),
        low=0.8 * ones,
        high=1.25 * ones,
        rungs=len(BATCH),
        details={"service_s": service},
    )


def test_what_does_not_fit_and_what_is_slow_is_counted_and_told_how_to_mend():
    found = choose("test", "image", candidates(), limit_s=0.2)
    assert found.batch.tolist() == [1.0, 2.0, 4.0]
    assert found.candidates == len(BATCH)
    assert [(r.reason, r.count) for r in found.rejected] == [
        ("does not fit in memory", 1),
        ("latency above the limit", 1),
    ]
    assert "a batch of 8" in found.rejected[0].nearest_fix
    assert found.bound[-1] == "latency limit, compute"
    assert found.best == 2


def test_a_limit_below_the_floor_says_the_floor():
    found = choose("test", "image", candidates(), limit_s=0.01)
    assert len(found) == 0
    assert found.best is None
    assert "0.12 s" in found.rejected[-1].nearest_fix


def test_a_model_that_does_not_fit_says_by_how_much():
    found = choose("test", "image", candidates(weights=30e9))
    assert len(found) == 0
    assert "11.0 GB more than there are" in found.rejected[0].nearest_fix


def test_rows_are_plain_values_with_the_services_own_columns():
    found = choose("test", "image", candidates())
    row = found.rows()[-1]
    assert set(row) == {*COLUMNS, "joules_per_unit", "service_s"}
    assert row["joules_per_unit"] == pytest.approx(row["chip_w"] / row["units_per_s_per_chip"])
    assert len(found.take(np.array([0]))) == 1
    assert found.units_per_s_per_mw == pytest.approx(1e6 / found.joules_per_unit)


def test_wrong_values_are_told_all_at_once():
    with pytest.raises(InputError) as told:
        positive("service", tokens=-1.0, latency_s=0.0, steps=float("nan"), fine=1.0)
    assert len(told.value.problems) == 3


@given(fixed=st.floats(1e-3, 1.0), each=st.floats(1e-5, 0.1))
@settings(max_examples=50, deadline=None)
def test_latency_of_an_open_stream_is_above_the_service_and_rises_with_percentile_and_load(fixed, each):
    service = fixed + each * BATCH
    arrivals = arrivals_of(BATCH)
    at = [stream(arrivals, BATCH, service, p) for p in (0.5, 0.9, 0.95, 0.99)]
    assert np.all(at[0].latency_s >= fixed + each)
    for low, high in pairwise(at):
        assert np.all(high.latency_s >= low.latency_s)
    assert np.all(np.diff(at[-1].latency_s) > 0)
    assert np.all(np.diff(at[-1].rate) > 0)
    assert np.all((at[-1].load >= 0) & (at[-1].load < 1) & (at[-1].busy < 1))


@pytest.mark.parametrize("arrivals", [0.1, 1.0, 4.0, 16.0])
@pytest.mark.parametrize(("fixed", "each", "tolerance"), [(0.05, 0.001, 0.04), (0.02, 0.002, 0.10), (0.01, 0.01, 0.15)])
def test_dynamic_batching_equals_a_simulation_of_the_queue(arrivals, fixed, each, tolerance):
    """A server that takes all who wait as soon as it is free, up to the load beyond which no percentile is stated."""
    ladder = np.arange(1.0, 129.0)
    told = stream(np.array([arrivals]), ladder, fixed + each * ladder)
    if told.load[0] > MAX_LOAD:
        pytest.skip("too near saturation")
    rng = np.random.default_rng(1)
    at = np.cumsum(rng.exponential(1.0 / told.rate[0], 100_000))
    free, first, batches, latency = 0.0, 0, 0, np.empty(len(at))
    while first < len(at):
        start = max(free, at[first])
        last = max(int(np.searchsorted(at, start, side="right")), first + 1)
        free = start + fixed + each * (last - first)
        latency[first:last] = free - at[first:last]
        first, batches = last, batches + 1
    assert told.batch[0] == pytest.approx(len(at) / batches, rel=0.1)
    assert told.latency_s[0] == pytest.approx(np.quantile(latency, 0.99), rel=tolerance)


def test_a_percentile_that_has_no_number_is_refused():
    with pytest.raises(InputError, match="percentile"):
        stream(np.array([1.0]), BATCH, 0.1 + 0.01 * BATCH, 0.42)
    assert saturated(np.array([0.5, 0.9]))[0].tolist() == [False, True]
