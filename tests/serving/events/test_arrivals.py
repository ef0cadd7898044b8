"""Arrivals against theory: mean rates, the CV of gaps, the dispersion of counts, the shape of a day, shared prefixes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.physics.serving.events.arrivals import (
    Diurnal,
    Gamma,
    Lengths,
    OnOff,
    Pairs,
    Poisson,
    Sessions,
    arrival_times,
    dispersion,
    draw_lengths,
    generate,
    relative_rate,
    stream,
)

LENGTHS = (Lengths(1000.0, 1.0), Lengths(200.0, 0.5))


def counted(times, window_s):
    """Variance over mean of the counts in windows."""
    counts = np.histogram(times, np.arange(0.0, times[-1], window_s))[0]
    return counts.var() / counts.mean()


@pytest.mark.parametrize(
    ("process", "gap_cv"), [(Poisson(), 1.0), (Gamma(3.0), 3.0), (Gamma(1.0), 1.0), (Gamma(0.3), 0.3)]
)
def test_renewals_have_their_rate_and_gap_cv(process, gap_cv):
    times = arrival_times(process, 5.0, 400_000, seed=1)
    gaps = np.diff(times, prepend=0.0)
    assert len(times) / times[-1] == pytest.approx(5.0, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(gap_cv, rel=0.02)


@pytest.mark.parametrize(
    ("process", "window_s"),
    [(Poisson(), 20.0), (Gamma(2.0), 100.0), (OnOff(2.0, 6.0), 400.0), (OnOff(5.0, 5.0, 0.25), 400.0)],
)
def test_counts_of_long_windows_spread_as_theory_says(process, window_s):
    times = arrival_times(process, 10.0, 1_000_000, seed=2)
    assert len(times) / times[-1] == pytest.approx(10.0, rel=4.0 * (dispersion(process, 10.0) / len(times)) ** 0.5)
    assert counted(times, window_s) == pytest.approx(dispersion(process, 10.0), rel=0.15)
    if isinstance(process, OnOff):
        assert counted(times[:20_000], 0.001) == pytest.approx(
            1.0, rel=0.05
        )  # in a moment any such process is a Poisson one


def test_a_quiet_period_without_arrivals_has_none():
    """Off lasts 50 s on average at a rate of nothing: gaps of that length, and 1000 a second while on."""
    gaps = np.diff(arrival_times(OnOff(0.5, 50.0), 10.0, 200_000, seed=3))
    long = gaps[gaps > 1.0]
    assert long.mean() == pytest.approx(51.0, rel=0.15)
    assert gaps[gaps < 1.0].mean() == pytest.approx(1 / 1010, rel=0.05)


@pytest.mark.parametrize("process", [Diurnal(1.8), Diurnal(profile=tuple([1.0] * 8 + [3.0] * 12 + [2.0] * 4))])
def test_a_day_has_its_shape(process):
    """Counts by hour over many days are those of the rate's integral, within what a Poisson process strays."""
    rate, days = 0.5, 20
    times = arrival_times(process, rate, int(rate * 86_400 * days), seed=4)
    hours = np.histogram(times[times < 86_400 * (days - 1)] % 86_400, 24, (0, 86_400))[0]
    fine = relative_rate(process, (np.arange(24 * 60) + 0.5) * 60.0).reshape(24, 60).mean(axis=1)
    expected = rate * 3600 * (days - 1) * fine
    assert np.all(np.abs(hours - expected) < 5 * np.sqrt(expected))
    assert fine.mean() == pytest.approx(1.0)


@settings(deadline=None)
@given(
    process=st.sampled_from([Poisson(), Gamma(4.0), OnOff(1.0, 3.0), OnOff(1.0, 3.0, 1.0), Diurnal(2.0)]),
    rate=st.floats(1e-3, 1e4),
    count=st.integers(0, 300),
    seed=st.integers(0, 2**63 - 1),
)
def test_times_are_sorted_and_as_many_as_asked(process, rate, count, seed):
    times = arrival_times(process, rate, count, seed)
    assert times.shape == (count,)
    assert np.all(np.isfinite(times)) and np.all(np.diff(times, prepend=0.0) >= 0.0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**40), st.sampled_from([Poisson(), Gamma(2.0), OnOff(3.0, 9.0), Diurnal(1.5, period_s=600.0)]))
def test_the_same_seed_gives_the_same_bytes(seed, process):
    def digest(seed):
        made = generate(process, 3.0, 200, LENGTHS, Sessions(3.0, 5.0, system_tokens=100), seed)
        columns = (made.arrival_s, made.input_tokens, made.output_tokens, made.session, made.block_hash)
        return hashlib.sha256(b"".join(c.tobytes() for c in columns)).hexdigest()

    assert digest(seed) == digest(seed)
    assert digest(seed) != digest(seed + 1)


def test_lengths_have_their_mean_and_cv_and_keep_their_range():
    drawn = draw_lengths(Lengths(2000.0, 1.5), 500_000, stream(5, 0))
    assert drawn.mean() == pytest.approx(2000.0, rel=0.02)
    assert drawn.std() / drawn.mean() == pytest.approx(1.5, rel=0.05)
    assert np.all(draw_lengths(Lengths(700.0), 10, stream(5, 0)) == 700)
    clipped = draw_lengths(Lengths(2000.0, 1.5, 100, 4000), 10_000, stream(5, 0))
    assert clipped.min() == 100 and clipped.max() == 4000


def test_pairs_stay_pairs():
    seen = Pairs(np.array([10, 2000, 300]), np.array([1, 200, 30]))
    made = generate(Poisson(), 1.0, 3_000, seen, seed=6)
    assert np.array_equal(made.input_tokens, made.output_tokens * 10)
    assert np.unique(made.input_tokens, return_counts=True)[1].min() > 900


def conversations(**words):
    return generate(Poisson(), 8.0, 20_000, LENGTHS, Sessions(4.0, 30.0, **words), seed=7)


def test_a_conversation_grows_by_what_was_said():
    made = conversations(system_tokens=500)
    assert len(made) / made.arrival_s[-1] == pytest.approx(8.0, rel=0.05)
    order = np.lexsort((made.arrival_s, made.session))
    same = made.session[order][1:] == made.session[order][:-1]
    grown = np.diff(made.input_tokens[order])[same]
    assert np.all(grown > made.output_tokens[order][:-1][same])
    assert 1.0 - len(np.unique(made.session)) / len(made) == pytest.approx(
        0.75, abs=0.03
    )  # 3 of 4 turns are later ones


def test_equal_blocks_are_equal_prefixes():
    """Blocks of a system prompt are common to its sessions, those of a session to its later turns, all others to nobody."""
    made = conversations(system_tokens=1000, system_prompts=3, block_tokens=64)
    held = np.diff(made.block_start)
    assert np.array_equal(held, made.input_tokens // 64)
    rows = [made.block_hash[a:b] for a, b in zip(made.block_start[:-1], made.block_start[1:], strict=True)]
    assert len({int(row[0]) for row in rows}) == 3
    assert all(row[i] < 3 * (1000 // 64) for row in rows[:500] for i in range(1000 // 64))
    owner: dict[int, int] = {}
    for row, session in zip(rows, made.session, strict=True):
        for block in row[1000 // 64 :].tolist():
            assert owner.setdefault(block, int(session)) == session
    by_session: dict[int, np.ndarray] = {}
    for row, session in zip(rows, made.session.tolist(), strict=True):
        before = by_session.get(session)
        assert before is None or np.array_equal(row[: len(before)], before)
        by_session[session] = row


def test_what_is_made_is_what_the_simulation_takes():
    made = conversations(system_tokens=640, block_tokens=64)
    asked = made.requests()
    assert np.array_equal(asked.arrival_s, made.arrival_s) and np.array_equal(asked.hash_from, made.block_start)
    assert 0.4 < asked.reusable_share() < 0.9


def test_a_session_ends_at_its_context():
    made = conversations(context=4000)
    assert (made.input_tokens + made.output_tokens).max() <= 4000


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: arrival_times(Poisson(), 0.0, 5), "rate is above zero"),
        (lambda: arrival_times(Poisson(), 1.0, -5), "not negative"),
        (lambda: arrival_times(Gamma(0.0), 1.0, 5), "CV of gaps"),
        (lambda: arrival_times(OnOff(0.0, 1.0), 1.0, 5), "on_s and off_s"),
        (lambda: arrival_times(Diurnal(2.5), 1.0, 5), "1 to 2 times"),
        (lambda: arrival_times(Diurnal(profile=(0.0, 0.0)), 1.0, 5), "above zero"),
        (lambda: draw_lengths(Lengths(-3.0), 5, stream(0, 0)), "mean above zero"),
        (lambda: generate(Poisson(), 1.0, 5, Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))), "no pairs"),
        (lambda: generate(Poisson(), 1.0, 5, LENGTHS, Sessions(0.5, 1.0)), "one turn"),
        (lambda: generate(Poisson(), 1.0, 5, LENGTHS, Sessions(2.0, 1.0, context=3)), "no first turn"),
    ],
)
def test_what_no_process_has_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
