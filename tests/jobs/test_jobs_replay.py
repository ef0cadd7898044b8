"""Closed forms of rollouts and of the loop against a replay of every answer."""

from itertools import pairwise

import numpy as np
import pytest
from jobs_replay import batch_seconds, loop_seconds

from gigawatt.core.errors import InputError
from gigawatt.physics.jobs import Batch, Lengths, Parts, lengths, step_seconds
from gigawatt.physics.jobs.rollout import fluid, in_steps

SAMPLES, SYNC = 512, 2.0


def step(answers: float) -> float:
    """Seconds of a decode step: weights, and a part for each answer."""
    return 0.008 + 0.00006 * answers


def closed(samples: int, replicas: int, places: int, answers: Lengths) -> Batch:
    each = samples / replicas
    x, alive, before = fluid(each, places, answers, samples)
    pace = step(alive)
    passed = np.append(0.0, np.cumsum(0.5 * (pace[1:] + pace[:-1]) * np.diff(x)))
    fill = before * step(min(places, each))
    ended = np.append(0.0, 1.0 - np.append(alive[:-1], 0.0) / each)
    ended_s = np.append(0.0, fill + passed)
    return Batch("", "", "", replicas, places, float(ended_s[-1]), ended, ended_s, 0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("sigma", [0.3, 0.99, 1.3])
@pytest.mark.parametrize(
    ("samples", "replicas", "places"), [(512, 8, 1024), (512, 4, 64), (512, 1, 64), (2048, 2, 128), (600, 8, 64)]
)
def test_a_batch_to_its_last_answer(sigma, samples, replicas, places):
    rng = np.random.default_rng(3)
    answers = lengths(3000, sigma, 30000)
    drawn = [batch_seconds(answers.draw(samples, rng), replicas, places, step) for _ in range(6)]
    # A little more than fits (600 on 512 places) is the worst: the fluid starts them evenly, a replica as places get free.
    assert closed(samples, replicas, places, answers).seconds == pytest.approx(np.mean(drawn), rel=0.14)


def test_equal_answers_end_at_once():
    answers = lengths(3000, 0.0, 30000)
    assert closed(512, 8, 64, answers).seconds == pytest.approx(3000 * step(64), rel=0.01)


@pytest.mark.parametrize(("wait_s", "sigma"), [(20.0, 0.5), (60.0, 0.5), (60.0, 1.0)])
def test_answers_that_wait_for_tools(wait_s, sigma):
    rng = np.random.default_rng(5)
    answers = lengths(3000, 0.8, 30000)
    waits = [wait_s * np.exp(rng.normal(-0.5 * sigma**2, sigma, SAMPLES)) for _ in range(6)]
    drawn = np.mean([batch_seconds(answers.draw(SAMPLES, rng), 8, 1024, step, w) for w in waits])
    start = step(64)
    share = answers.mean * start / (answers.mean * start + wait_s)
    x, alive, _ = fluid(64, 1024, in_steps(answers, wait_s, sigma, start, SAMPLES), SAMPLES)
    pace = share * step(np.maximum(alive * share, 1.0)) + (1 - share) * start
    made = float((0.5 * (pace[1:] + pace[:-1]) * np.diff(x)).sum())
    assert made == pytest.approx(drawn, rel=0.25)


@pytest.mark.parametrize("sigma", [0.5, 0.99])
@pytest.mark.parametrize("staleness", [0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 8.0])
@pytest.mark.parametrize(
    ("replicas", "places", "update_s"), [(8, 64, 20.0), (8, 64, 60.0), (4, 64, 30.0), (8, 128, 40.0)]
)
def test_the_loop_at_any_staleness(sigma, staleness, replicas, places, update_s):
    rng = np.random.default_rng(11)
    answers = lengths(3000, sigma, 30000)
    seen = loop_seconds(
        lambda count: answers.draw(count, rng), samples=SAMPLES, replicas=replicas, places=places, step=step,
        update_s=update_s, sync_s=SYNC, staleness=staleness, steps=24, warm=8,
    )  # fmt: skip
    at_once = [k for k in range(1, places + 1) if k * replicas <= (1 + staleness) * SAMPLES]
    stream_s = min(SAMPLES * answers.mean / (replicas * k / step(k)) for k in at_once)
    parts = Parts(closed(SAMPLES, replicas, places, answers), stream_s, answers.mean * step(places), update_s, SYNC)
    assert step_seconds(parts, "asynchronous", staleness) == pytest.approx(seen, rel=0.17)


@pytest.mark.parametrize("update_s", [5.0, 50.0, 500.0])
def test_staleness_nought_is_synchronous_and_more_is_never_slower(update_s):
    answers = lengths(3000, 0.99, 30000)
    parts = Parts(closed(SAMPLES, 8, 64, answers), 36.0, 40.0, update_s, SYNC, 3.0, 11.0)
    synchronous = step_seconds(parts, "synchronous")
    assert synchronous == pytest.approx(parts.batch.seconds + update_s + SYNC + 11.0)
    for strict in (False, True):
        assert step_seconds(parts, "asynchronous", 0.0, strict) == pytest.approx(synchronous)
        steps = [step_seconds(parts, "asynchronous", n, strict) for n in np.linspace(0, 12, 97)]
        assert all(b <= a * (1 + 1e-12) for a, b in pairwise(steps))
        assert steps[-1] >= update_s + SYNC
    assert step_seconds(parts, "asynchronous", 1.0) <= step_seconds(parts, "asynchronous", 1.0, strict=True)
    assert step_seconds(parts, "one-step-off") <= synchronous


def test_one_step_off_from_published_parts():
    # verl documentation, one_step_off: Qwen2.5-Math-7B, 32 H20; seconds of generation, log-probabilities and update of the run
    # itself, its step beside them. (FSDP2, Megatron.)
    for generate, log_probs, update, step_s in ((458, 108, 337, 520), (501, 120, 347, 566)):
        batch = Batch("", "", "", 1, 1, generate, np.array([0.0, 1.0]), np.array([0.0, generate]), 0.0, 0.0, 1.0, 1.0)
        parts = Parts(batch, generate, generate, log_probs + update, 1.0)
        assert step_seconds(parts, "one-step-off") == pytest.approx(step_s, rel=0.13)


def test_wrong_modes_and_numbers():
    parts = Parts(closed(SAMPLES, 8, 64, lengths(3000, 0.5, 30000)), 36.0, 40.0, 20.0)
    with pytest.raises(InputError, match="asynchronous"):
        step_seconds(parts, "asynchron")
    with pytest.raises(InputError, match="staleness"):
        step_seconds(parts, "asynchronous", -1.0)
