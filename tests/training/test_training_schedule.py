"""Pipeline formulas against schedules run unit by unit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import LLAMA_405B, chip

from gigawatt.core.errors import InputError
from gigawatt.physics.training import Mapping, evaluate
from gigawatt.physics.training.columns import (
    DUAL_PIPE,
    DUAL_PIPE_V,
    GPIPE,
    ONE_F_ONE_B,
    SCHEDULES,
    ZERO_BUBBLE_H1,
    ZERO_BUBBLE_V,
)
from gigawatt.physics.training.schedule.orders import order_of
from gigawatt.physics.training.schedule.pipeline import (
    bubble_share,
    idle_s,
    pipeline_s,
    sends,
    stored_micro_batches,
    uneven_1f1b_s,
    weight_copies,
)
from gigawatt.physics.training.schedule.replay import replay
from gigawatt.physics.training.schedule.valid import RULES, schedule_problem, valid_schedule

ALL = [
    (GPIPE, 1),
    (ONE_F_ONE_B, 1),
    (ONE_F_ONE_B, 2),
    (ONE_F_ONE_B, 3),
    (ZERO_BUBBLE_H1, 1),
    (ZERO_BUBBLE_V, 2),
    (DUAL_PIPE, 1),
    (DUAL_PIPE_V, 2),
]
EXACT = ALL[:6]
IDS = [f"{SCHEDULES[int(s)]}-{v}" for s, v in ALL]


def fitting(schedule: float, stages: int, extra: int, chunks: int) -> int:
    """The least number of micro-batches, `extra` or more over twice the stages, for which a schedule is defined."""
    m = 2 * stages + extra
    while not valid_schedule(schedule, m, stages, chunks):
        m += 1
    return m


def closed(schedule: float, m: int, p: int, v: int, f: float, b: float, w: float, **more: float) -> float:
    stage = f + b + w
    return float(
        pipeline_s(m, p, v, stage, stage, schedule=schedule, forward_share=f / stage, weight_share=w / stage, **more)
    )


@pytest.mark.parametrize(("schedule", "chunks"), EXACT, ids=IDS[:6])
@given(half=st.integers(1, 5), extra=st.integers(0, 9), b=st.floats(1.0, 3.0), w=st.floats(0.1, 1.0))
@settings(deadline=None, max_examples=25)
def test_closed_form_is_exact_where_said(
    schedule: float, chunks: int, half: int, extra: int, b: float, w: float
) -> None:
    p = 2 * half
    m = fitting(schedule, p, extra, chunks)
    run = replay(schedule, m, p, chunks, forward_s=1.0, input_s=b, weight_s=w)
    assert run.makespan_s == pytest.approx(closed(schedule, m, p, chunks, 1.0, b, w))


@pytest.mark.parametrize(("schedule", "chunks"), ALL, ids=IDS)
@given(half=st.integers(1, 5), extra=st.integers(0, 9), b=st.floats(0.5, 3.0), w=st.floats(0.1, 2.0))
@settings(deadline=None, max_examples=25)
def test_closed_form_is_near_everywhere(
    schedule: float, chunks: int, half: int, extra: int, b: float, w: float
) -> None:
    p = 2 * half
    m = fitting(schedule, p, extra, chunks)
    run = replay(schedule, m, p, chunks, forward_s=1.0, input_s=b, weight_s=w)
    off = closed(schedule, m, p, chunks, 1.0, b, w) / run.makespan_s - 1.0
    usual = w <= 1.0 <= b
    if schedule in (DUAL_PIPE, DUAL_PIPE_V):
        assert (-1e-9 if usual else -0.06) <= off <= 0.04
    else:
        assert abs(off) <= (0.11 if schedule == ZERO_BUBBLE_H1 else 0.06)


@pytest.mark.parametrize(("schedule", "chunks"), ALL, ids=IDS)
@pytest.mark.parametrize("stages", [2, 4, 6])
@pytest.mark.parametrize("extra", [0, 5])
def test_activations_in_flight(schedule: float, chunks: int, stages: int, extra: int) -> None:
    m = fitting(schedule, stages, extra, chunks)
    run = replay(schedule, m, stages, chunks, forward_s=1.0, input_s=1.2, weight_s=0.8)
    assert max(run.until_weights) == pytest.approx(float(stored_micro_batches(m, stages, chunks, schedule)))
    assert run.busy_s == pytest.approx([3.0 * m] * stages)


@given(stages=st.integers(1, 8), m=st.integers(1, 6), forward=st.floats(0.5, 2.0), backward=st.floats(0.5, 4.0))
@settings(deadline=None, max_examples=40)
def test_few_micro_batches(stages: int, m: int, forward: float, backward: float) -> None:
    for schedule in (GPIPE, ONE_F_ONE_B):
        run = replay(schedule, m, stages, forward_s=forward, input_s=backward, weight_s=0.0)
        assert run.makespan_s == pytest.approx(closed(schedule, m, stages, 1, forward, backward, 0.0))
        assert max(run.in_flight) == float(stored_micro_batches(m, stages, 1, schedule))


@pytest.mark.parametrize(("schedule", "chunks"), ALL, ids=IDS)
@pytest.mark.parametrize("stages", [2, 4, 8])
@pytest.mark.parametrize("rounds", [2, 3, 6])
def test_messages_on_the_longest_path(schedule: float, chunks: int, stages: int, rounds: int) -> None:
    m = rounds * stages
    apart = replay(schedule, m, stages, chunks, send_s=1e-3).makespan_s - replay(schedule, m, stages, chunks).makespan_s
    form = float(sends(schedule, m, stages, chunks)) * 1e-3
    slack = 2 * stages * 1e-3 if schedule in (DUAL_PIPE, DUAL_PIPE_V) else 1e-9
    assert apart - 1e-9 <= form <= apart + slack


@given(
    p=st.integers(1, 6),
    rounds=st.integers(1, 4),
    f=st.lists(st.floats(0.5, 2.0), min_size=6, max_size=6),
    back=st.floats(1.0, 3.0),
)
@settings(deadline=None, max_examples=60)
def test_uneven_stages(p: int, rounds: int, f: list[float], back: float) -> None:
    forward = f[:p]
    backward = [back * x for x in forward]
    m = rounds * p
    run = replay(ONE_F_ONE_B, m, p, forward_s=forward, input_s=backward, weight_s=[0.0] * p).makespan_s
    assert 0.93 * run <= float(uneven_1f1b_s(m, forward, backward)) <= run * (1 + 1e-9)
    stage = np.array(forward) + np.array(backward)
    assert run <= float(pipeline_s(m, p, 1, stage.max(), stage.mean())) * (1 + 1e-9)


def test_a_long_last_stage_is_exact() -> None:
    # a head on the last stage: the usual case of unequal stages
    forward, backward = [1.0, 1.0, 1.0, 1.4], [2.0, 2.0, 2.0, 2.8]
    run = replay(ONE_F_ONE_B, 12, 4, forward_s=forward, input_s=backward, weight_s=[0.0] * 4).makespan_s
    assert float(uneven_1f1b_s(12, forward, backward)) == pytest.approx(run)


@pytest.mark.parametrize(("schedule", "chunks"), [x for x in ALL if x != (GPIPE, 1)], ids=IDS[1:])
@given(f=st.lists(st.floats(0.8, 1.25), min_size=12, max_size=12))
@settings(deadline=None, max_examples=15)
def test_uneven_stages_of_every_schedule(schedule: float, chunks: int, f: list[float]) -> None:
    # m x the longest rank + idle time at the mean: within 10 % where chunks differ by a quarter either way
    p, m = 4, 12
    length = order_of(schedule, m, p, chunks).chain_stages
    forward = [x / (length // p) for x in f[:length]]
    run = replay(schedule, m, p, chunks, forward_s=forward, input_s=forward, weight_s=forward)
    ranks = np.array(run.busy_s) / m
    form = pipeline_s(m, p, chunks, ranks.max(), ranks.mean(), schedule=schedule)
    assert float(form) == pytest.approx(run.makespan_s, rel=0.10)


def test_columns_of_schedules() -> None:
    schedule = np.array([s for s, _ in ALL])
    chunks = np.array([float(v) for _, v in ALL])
    together = pipeline_s(24.0, 4.0, chunks, 3.0, 3.0, schedule=schedule)
    alone = [float(pipeline_s(24.0, 4.0, float(v), 3.0, 3.0, schedule=s)) for s, v in ALL]
    assert together.tolist() == pytest.approx(alone)
    stored = stored_micro_batches(24.0, 4.0, chunks, schedule)
    assert stored.tolist() == [24.0, 4.0, 5.5, 5.0, 4.0, 4.0, 5.0, 4.5]
    assert weight_copies(schedule).tolist() == [1, 1, 1, 1, 1, 1, 2, 1]


@given(m=st.integers(16, 64), p=st.integers(1, 8))
@settings(deadline=None, max_examples=30)
def test_schedules_in_order(m: int, p: int) -> None:
    # with W = B = F each schedule wastes no more than the one it was made to better
    idle = [float(idle_s(m, p, v, 3.0, s)) for s, v in ((GPIPE, 1), (ONE_F_ONE_B, 1), (ONE_F_ONE_B, 2))]
    assert idle[0] == idle[1] >= idle[2]
    zero = [float(idle_s(m, p, v, 3.0, s)) for s, v in ((ZERO_BUBBLE_H1, 1), (DUAL_PIPE, 1), (ZERO_BUBBLE_V, 2))]
    assert idle[1] >= zero[0] >= max(zero[1:])


def test_bubbles_of_the_papers() -> None:
    # Narayanan et al. (SC'21) sec. 2.2.1: ideal time m, bubble (p - 1) / m of it; interleaved 1 / v of that
    assert bubble_share(64, 8) / (1 - bubble_share(64, 8)) == pytest.approx(7 / 64)
    assert bubble_share(64, 8, 4) / (1 - bubble_share(64, 8, 4)) == pytest.approx(7 / 256)
    # Qi et al. table 1: zb-h1 (p - 1)(F + B - W); DeepSeek-V3 table 2: (p/2 - 1)(F&B + B - 3W), both backward passes in B
    f, b, w = 1.0, 1.1, 0.8
    stage = f + b + w
    shares = {"forward_share": f / stage, "weight_share": w / stage}
    assert float(idle_s(64, 8, 1, stage, ZERO_BUBBLE_H1, **shares)) == pytest.approx(7 * (f + b - w))
    both = b + w
    assert float(idle_s(64, 8, 1, stage, DUAL_PIPE, **shares)) == pytest.approx(3 * ((f + both) + both - 3 * w))


def test_stored_micro_batches_of_the_paper() -> None:
    # Korthikanti et al. sec. 4.2.3: 1F1B stores p, interleaving L (1 + (p - 1) / (p v))
    assert float(stored_micro_batches(1000, 8, 1)) == 8
    assert float(stored_micro_batches(1000, 8, 4)) / 8 == pytest.approx(1 + 7 / 32)
    assert float(stored_micro_batches(3, 8, 1)) == 3


@pytest.mark.parametrize(
    ("schedule", "m", "p", "v", "words"),
    [
        (GPIPE, 8, 4, 2, "one model chunk"),
        (ONE_F_ONE_B, 9, 4, 2, "no multiple of 4"),
        (ONE_F_ONE_B, 8, 1, 2, "no chunks to interleave"),
        (ONE_F_ONE_B, 0.5, 1, 1, "whole number"),
        (ZERO_BUBBLE_V, 16, 4, 1, "two model chunks"),
        (ZERO_BUBBLE_V, 6, 4, 2, "2 pp - 1"),
        (DUAL_PIPE, 16, 5, 1, "5 is odd"),
        (DUAL_PIPE, 17, 4, 1, "micro-batches are odd"),
        (DUAL_PIPE, 6, 4, 1, "at least twice"),
        (DUAL_PIPE_V, 7, 4, 2, "at least twice"),
    ],
)
def test_undefined_rows_say_why(schedule: float, m: float, p: float, v: float, words: str) -> None:
    assert words in schedule_problem(schedule, m, p, v)
    assert ": " in schedule_problem(schedule, m, p, v)  # and what to change
    assert not valid_schedule(schedule, m, p, v)
    with pytest.raises(InputError, match=words):
        order_of(schedule, int(m), int(p), int(v))


def test_valid_is_a_mask() -> None:
    rows = valid_schedule(
        np.array([1.0, 1.0, 4.0, 4.0]), np.array([8.0, 9.0, 8.0, 8.0]), 4.0, np.array([2.0, 2.0, 1.0, 2.0])
    )
    assert rows.tolist() == [True, False, True, False]
    assert all(len(words) == 2 for words in RULES.values())


def test_schedules_count_in_the_step() -> None:
    machine = chip("h100-sxm")
    mapping = Mapping(
        chips=512.0, tp=8.0, pp=8.0, vpp=np.array([1.0, 1.0, 1.0, 2.0, 1.0, 2.0, 2.0]), dp=8.0, cp=1.0, ep=1.0,
        micro_batch=1.0, global_batch=256.0, seq=8192.0,
        schedule=np.array([GPIPE, ONE_F_ONE_B, ZERO_BUBBLE_H1, ZERO_BUBBLE_V, DUAL_PIPE, DUAL_PIPE_V, ONE_F_ONE_B]),
    )  # fmt: skip
    steps = evaluate(LLAMA_405B, machine, mapping)
    gpipe, plain, h1, v, dual, dual_v, chunks = steps.bubble_s.tolist()
    assert gpipe == pytest.approx(plain)
    assert steps.data_s[4] > 1.5 * steps.data_s[1] and steps.data_s[5] == steps.data_s[1]  # two stages' gradients
    assert max(v, dual, dual_v) < h1 < plain and 0.4 * plain < chunks < plain
    alone = evaluate(LLAMA_405B, machine, replace(mapping, schedule=ONE_F_ONE_B, vpp=1.0))
    assert float(np.ravel(alone.step_s)[0]) == pytest.approx(float(steps.step_s[1]), rel=1e-12)
