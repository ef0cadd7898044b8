"""The bad end of a result and the convergence of its percentiles, against closed forms and counted coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gigawatt.study.sampling import normals
from gigawatt.study.sensitivity import (
    expected_shortfall,
    halving,
    percentile_band,
    probability_below,
    replicate_errors,
    running,
    stretch_errors,
    wilson,
)

SEED = 20260101


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_the_shortfall_of_a_normal_is_its_formula(share):
    """Mean of the worst a of a normal: mu - sigma pdf(z_a) / a."""
    y = 3 + 2 * normals(SEED, 0, 2**14, 1)[:, 0]
    theory = 3 - 2 * stats.norm.pdf(stats.norm.ppf(share)) / share
    low = expected_shortfall(y, share)
    assert low.mean == pytest.approx(theory, abs=0.01)
    assert low.quantile == pytest.approx(3 + 2 * stats.norm.ppf(share), abs=0.01)
    high = expected_shortfall(-y, share, worst="high")
    assert high.mean == pytest.approx(-low.mean) and high.error == pytest.approx(low.error)


def test_the_shortfall_of_few_draws_by_hand():
    """Worst 30 % of five: the least whole and half of the next one, (1 + 0.5 * 2) / 1.5."""
    made = expected_shortfall([5.0, 2.0, 1.0, 9.0, 4.0], 0.3)
    assert made.mean == pytest.approx((1 + 0.5 * 2) / 1.5)
    assert expected_shortfall([5.0, 2.0, 1.0], 1.0).mean == pytest.approx(8 / 3)
    assert expected_shortfall([5.0, 2.0, 1.0], 1 / 3).mean == pytest.approx(1.0)


def test_the_error_of_the_shortfall_is_what_it_scatters_by():
    rng = np.random.default_rng(3)
    made = [expected_shortfall(rng.standard_normal(1000), 0.1) for _ in range(400)]
    assert np.std([m.mean for m in made]) == pytest.approx(np.mean([m.error for m in made]), rel=0.15)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_the_shortfall_is_no_better_than_its_quantile_nor_the_mean(values, share):
    made = expected_shortfall(values, share)
    room = 1e-6 * (1 + abs(made.mean))
    assert min(values) - room <= made.mean <= made.quantile + room
    assert made.mean <= np.mean(values) + room


@given(st.integers(1, 400), st.data())
def test_wilson_solves_its_equation(of, data):
    """Both ends satisfy (p - x)^2 = z^2 x (1 - x) / n."""
    count = data.draw(st.integers(0, of))
    made, z = wilson(count, of, 0.9), stats.norm.ppf(0.95)
    assert 0 <= made.low <= made.share <= made.high <= 1
    for end in {made.low, made.high} - {0.0, 1.0}:
        assert (made.share - end) ** 2 == pytest.approx(z * z * end * (1 - end) / of, rel=1e-6, abs=1e-12)


def test_wilson_of_a_textbook():
    """10 of 100 at 95 %: 0.0552 to 0.1744 (Newcombe, Statistics in Medicine 17, 857, 1998, method 3)."""
    made = wilson(10, 100, 0.95)
    assert (made.low, made.high) == (pytest.approx(0.0552, abs=5e-5), pytest.approx(0.1744, abs=5e-5))


def test_a_probability_counts_what_lies_below():
    y = np.array([1.0, 1.2, 1.1, np.inf, -np.inf])
    made = probability_below(y, 1.2)
    assert (made.count, made.of, made.share) == (3, 5, 0.6)


def test_running_percentiles_close_in():
    y = normals(SEED, 0, 5000, 1)[:, 0]
    made = running(y)
    assert made.count.tolist() == [64, 128, 256, 512, 1024, 2048, 4096, 5000]
    np.testing.assert_allclose(made.percentiles[-1], np.quantile(y, made.levels))
    np.testing.assert_allclose(made.percentiles[-1], stats.norm.ppf(made.levels), atol=0.005)
    assert np.all(made.errors[-1] < made.errors[0] / 3)


def test_stretch_errors_of_random_numbers_are_what_they_scatter_by():
    rng = np.random.default_rng(5)
    y = rng.standard_normal((300, 512))
    told = np.sqrt(np.mean([stretch_errors(row) ** 2 for row in y], axis=0))
    np.testing.assert_allclose(told, np.quantile(y, (0.1, 0.5, 0.9), axis=1).std(axis=1), rtol=0.15)


def test_errors_of_a_sequence_overstate():
    made = [np.quantile(normals(SEED, 0, 512, 2, replicate=r).sum(axis=1), (0.1, 0.5, 0.9)) for r in range(40)]
    told = [stretch_errors(normals(SEED, 0, 512, 2, replicate=r).sum(axis=1)) for r in range(40)]
    assert np.all(np.std(made, axis=0) < np.mean(told, axis=0))
    mean, error = replicate_errors(made)
    assert np.all(np.abs(mean - np.sqrt(2) * stats.norm.ppf([0.1, 0.5, 0.9])) < 4 * error + 0.003)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_a_percentile_band_covers(level):
    rng = np.random.default_rng(7)
    truth = stats.lognorm.ppf(level, 1.0)
    bands = [percentile_band(rng.lognormal(size=300), level, 0.8) for _ in range(600)]
    share = np.mean([low <= truth <= high for low, high in bands])
    assert 0.78 < share < 0.90  # ranks are moved outwards to whole ones


def test_halving_says_whether_there_are_enough():
    y = normals(SEED, 0, 2**14, 3).sum(axis=1)
    many, few = halving(y), halving(y[:64])
    assert many.enough and many.needed == 2**14
    assert not few.enough and few.needed > 64
    assert halving(y[: few.needed]).enough or few.needed < 2**10
    assert halving(np.zeros(64)).enough


@pytest.mark.parametrize(
    "asked, words",
    [
        (lambda: expected_shortfall([1.0, np.inf]), "finite"),
        (lambda: expected_shortfall([1.0], 0.0), "share"),
        (lambda: expected_shortfall([1.0], 0.1, worst="left"), "worst"),
        (lambda: probability_below([np.nan], 1.0), "NaN"),
        (lambda: probability_below([], 1.0), "column"),
        (lambda: wilson(3, 2), "count"),
        (lambda: running(np.zeros(4)), "16 draws"),
        (lambda: halving([np.nan] * 64), "finite"),
        (lambda: stretch_errors(np.zeros(4), stretches=1), "two stretches"),
        (lambda: replicate_errors([1.0]), "two replicates"),
        (lambda: percentile_band([1.0], 1.0), "between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused(asked, words):
    with pytest.raises(ValueError, match=words):
        asked()
