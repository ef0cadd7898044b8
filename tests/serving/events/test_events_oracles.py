"""One instance beside answers that are known: queueing theory, and a simpy queue of the same rules."""

from __future__ import annotations

import numpy as np
import pytest
from events_reference import run
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.physics.serving.events import Fleet, Requests, StepCurve, simulate
from gigawatt.physics.serving.events.compiled import has_numba

SERVER = StepCurve.affine(step_s=0.0, chunk_token_s=1e-4, max_num_seqs=1)


def waits(outcome):
    return outcome.scheduled_s - outcome.arrival_s


@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_one_slot_waits_as_lindley_says(load):
    draw = np.random.default_rng(1)
    tokens = draw.integers(1, 2000, 3000)
    arrival = np.cumsum(draw.exponential(tokens.mean() * 1e-4 / load, len(tokens)))
    outcome = simulate(Requests.of(arrival, tokens, 1), Fleet.of(SERVER))
    wait, expected = 0.0, [0.0]
    for service, gap in zip(tokens[:-1] * 1e-4, np.diff(arrival), strict=True):
        wait = max(0.0, wait + service - gap)
        expected.append(wait)
    assert np.allclose(waits(outcome), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("load", "runs"), [(0.3, 1), (0.6, 2), (0.8, 4), (0.9, 12)])
@pytest.mark.skipif(not has_numba(), reason="millions of requests need the extra `fast`")
def test_one_slot_waits_as_pollaczek_and_khinchine_say(load, runs):
    """Runs of half a million: near saturation the mean of a wait needs many."""
    n, ratios = 500_000, []
    for seed in range(runs):
        draw = np.random.default_rng(seed)
        tokens = draw.integers(1, 2000, n)
        service = tokens * 1e-4
        arrival = np.cumsum(draw.exponential(service.mean() / load, n))
        outcome = simulate(Requests.of(arrival, tokens, 1), Fleet.of(SERVER), solver="numba")
        rate = n / arrival[-1]
        theory = rate * np.mean(service**2) / (2 * (1 - rate * service.mean()))
        ratios.append(np.mean(waits(outcome)) / theory)
        assert outcome.use.busy_s[0] / outcome.end_s == pytest.approx(load, rel=0.01)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.01)


def traffic(seed, n=120, classes=1, per_s=4.0, longest=300):
    draw = np.random.default_rng(seed)
    return Requests.of(
        np.cumsum(draw.exponential(1 / per_s, n)),
        draw.integers(1, longest, n),
        draw.integers(1, 80, n),
        priority=draw.integers(0, classes, n),
    )


@given(
    seed=st.integers(0, 10_000),
    seats=st.sampled_from([1, 2, 5, 16]),
    budget=st.sampled_from([16, 64, 100_000]),
    blocks=st.sampled_from([25, 60, 10_000]),
    classes=st.sampled_from([1, 3]),
    per_s=st.sampled_from([0.5, 3.0, 1000.0]),
)
@settings(max_examples=40, deadline=None)
def test_every_request_as_in_simpy(seed, seats, budget, blocks, classes, per_s):
    curve = StepCurve.affine(
        step_s=0.011,
        request_s=3e-4,
        token_s=1.3e-6,
        chunk_s=0.004,
        chunk_token_s=7e-5,
        pair_s=1.1e-8,
        max_num_seqs=seats,
        token_budget=max(budget, seats + 1),
        kv_blocks=blocks,
        block_size=16,
    )
    requests = traffic(seed, classes=classes, per_s=per_s)
    outcome = simulate(requests, Fleet.of(curve))
    jobs, instance = run(curve, requests)
    for mine, theirs in (
        (outcome.scheduled_s, [job.scheduled for job in jobs]),
        (outcome.first_token_s, [job.first for job in jobs]),
        (outcome.finish_s, [job.finish for job in jobs]),
    ):
        assert np.allclose(mine, theirs, rtol=1e-9, atol=1e-9)
    assert outcome.preemptions.tolist() == [job.preempted for job in jobs]
    assert outcome.use.most_used[0] == instance.most_used
