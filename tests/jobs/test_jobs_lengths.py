"""Lengths of answers against draws of the same law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.jobs import lengths

cases = st.tuples(st.floats(100.0, 9000.0), st.floats(0.0, 1.5), st.floats(1.5, 20.0))


@given(cases)
def test_the_mean_is_what_was_asked_for(case):
    mean, sigma, room = case
    made = lengths(mean, sigma, mean * room)
    grid = np.linspace(0, made.cut, 20_001)
    whole = np.trapezoid(made.survival(np.minimum(grid, made.cut * (1 - 1e-12))), grid)
    assert whole == pytest.approx(mean, rel=2e-3)
    assert made.weighted_mean >= mean * (1 - 1e-9)
    assert made.longest(1) == pytest.approx(mean, rel=0.01)


@given(cases, st.integers(1, 5000), st.integers(1, 5000))
def test_more_answers_have_a_longer_longest_one(case, few, more):
    mean, sigma, room = case
    made = lengths(mean, sigma, mean * room)
    one, two = sorted((few, more))
    assert made.longest(one) <= made.longest(two) * (1 + 1e-9) <= made.cut * (1 + 1e-6)


def test_against_draws():
    made = lengths(8000, 0.99, 65536)
    rng = np.random.default_rng(7)
    drawn = made.draw(400_000, rng)
    assert drawn.mean() == pytest.approx(8000, rel=0.01)
    assert (drawn**2).mean() == pytest.approx(made.second_moment, rel=0.02)
    tops = np.array([made.draw(256, rng).max() for _ in range(400)])
    assert made.longest(256) == pytest.approx(tops.mean(), rel=0.01)
    # The 99th percentile is ten times the median, before the cut.
    assert np.quantile(drawn, 0.99) / np.median(drawn) == pytest.approx(10, rel=0.05)
    # What is left of answers under way: pick a random moment, weighted by length.
    picked = rng.choice(drawn, 100_000, p=drawn / drawn.sum())
    left = picked * rng.random(picked.size)
    for at in (1000.0, 8000.0, 30000.0):
        assert made.residual(at) == pytest.approx((left > at).mean(), abs=0.01)


def test_a_mean_beyond_the_cut_says_what_would_do():
    with pytest.raises(InputError, match="does not fit a cut"):
        lengths(9000, 1.0, 8192)
    with pytest.raises(InputError, match="too near the cut"):
        lengths(8190, 1.0, 8192)
