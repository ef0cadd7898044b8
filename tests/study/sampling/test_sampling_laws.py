"""Laws against SciPy's own, and laws of laws: inverse, mean, support."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gigawatt.study.sampling import (
    DOORS,
    Beta,
    Choice,
    Empirical,
    Known,
    Lognormal,
    Loguniform,
    Normal,
    Triangular,
    Truncated,
    TwoSidedLognormal,
    TwoSidedNormal,
    Uniform,
    law_of,
    law_of_range,
    mass_outside,
    median,
    pert,
    range_factors,
)
from gigawatt.study.sampling.laws import NormalLaw, mean_of

U = np.linspace(0.0005, 0.9995, 1999)

WITH_ORACLE = {
    "lognormal": (Lognormal(1.7, 3.0), stats.lognorm(s=math.log(1.7), scale=3.0)),
    "normal": (Normal(-2.0, 0.3), stats.norm(-2.0, 0.3)),
    "uniform": (Uniform(-1.0, 4.0), stats.uniform(-1.0, 5.0)),
    "loguniform": (Loguniform(0.2, 7.0), stats.loguniform(0.2, 7.0)),
    "triangular": (Triangular(1.0, 1.5, 4.0), stats.triang(c=0.5 / 3, loc=1.0, scale=3.0)),
    "triangular, mode at the low end": (Triangular(1.0, 1.0, 4.0), stats.triang(c=0.0, loc=1.0, scale=3.0)),
    "triangular, mode at the high end": (Triangular(1.0, 4.0, 4.0), stats.triang(c=1.0, loc=1.0, scale=3.0)),
    "beta": (Beta(2.0, 5.0, 1.0, 3.0), stats.beta(2.0, 5.0, loc=1.0, scale=2.0)),
    "pert": (pert(0.0, 2.0, 10.0), stats.beta(1.8, 4.2, loc=0.0, scale=10.0)),
    "truncated normal": (Truncated(Normal(1.0, 0.5), 0.0, 1.2), stats.truncnorm(-2.0, 0.4, loc=1.0, scale=0.5)),
}
OTHERS = {
    "two-sided lognormal": TwoSidedLognormal(1.0, 0.7, 1.1),
    "one side only": TwoSidedLognormal(2.0, 2.0, 3.0),
    "two-sided normal": TwoSidedNormal(0.0, -1.0, 3.0),
    "negative range": law_of_range(-2.0, -3.0, -1.5),
    "measured": Empirical.of_sample([3.0, 1.0, 2.0, 2.0, 9.0]),
    "quantiles": Empirical((0.8, 1.0, 1.4), (0.1, 0.5, 0.9)),
}


@pytest.mark.parametrize("name", WITH_ORACLE)
def test_against_scipy(name):
    ours, theirs = WITH_ORACLE[name]
    np.testing.assert_allclose(ours.quantile(U), theirs.ppf(U), rtol=1e-9, atol=1e-12)
    x = theirs.ppf(np.linspace(0.01, 0.99, 99))
    np.testing.assert_allclose(ours.cdf(x), theirs.cdf(x), rtol=1e-9)
    assert ours.mean == pytest.approx(theirs.mean(), rel=1e-9)
    assert ours.support == pytest.approx(theirs.support())


@pytest.mark.parametrize("law", [*(law for law, _ in WITH_ORACLE.values()), *OTHERS.values()], ids=repr)
def test_the_inverse_rises_within_the_support_and_gives_the_mean(law):
    x = law.quantile(U)
    low, high = law.support
    assert np.all(np.diff(x) >= 0)
    assert low <= x[0] and x[-1] <= high
    assert np.all(np.diff(law.cdf(x)) >= -1e-12)
    assert law.mean == pytest.approx(mean_of(law), rel=2e-4, abs=1e-4)
    assert law.cdf(-np.inf) == 0 and law.cdf(np.inf) == 1
    strict = np.diff(x, prepend=x[0] - 1, append=x[-1] + 1)
    apart = (strict[:-1] > 1e-9) & (strict[1:] > 1e-9)
    np.testing.assert_allclose(law.cdf(x)[apart], U[apart], atol=1e-9)


def test_a_function_of_a_normal_says_the_same():
    z = np.linspace(-5, 5, 101)
    laws = [law for law in [*(law for law, _ in WITH_ORACLE.values()), *OTHERS.values()] if isinstance(law, NormalLaw)]
    assert len(laws) == 5
    for law in laws:
        np.testing.assert_allclose(law.of_normal(z), law.quantile(stats.norm.cdf(z)), rtol=1e-6)
        assert np.isfinite(law.of_normal(40.0))


positive = st.floats(0.01, 100.0)


@given(numbers=st.lists(positive, min_size=3, max_size=3).map(sorted).filter(lambda x: x[0] < x[2] * 0.999))
def test_an_80_percent_range_keeps_its_tenths_and_its_middle(numbers):
    low, value, high = numbers
    law = law_of_range(value, low, high)
    np.testing.assert_allclose(law.quantile([0.1, 0.5, 0.9]), [low, value, high], rtol=1e-9)
    mirrored = law_of_range(-value, -high, -low)
    np.testing.assert_allclose(mirrored.quantile([0.1, 0.5, 0.9]), [-high, -value, -low], rtol=1e-9)
    through_zero = law_of_range(value - value, low - value, high - value)
    np.testing.assert_allclose(through_zero.quantile([0.1, 0.9]), [low - value, high - value], rtol=1e-9, atol=1e-12)


@given(low=st.floats(0.1, 3.0), width=st.floats(1.0, 4.0), z=st.floats(-4, 4))
def test_factors_of_a_range_are_its_law(low, width, z):
    high = low * width
    law = law_of_range(1.0, low, high)
    expected = float(law.quantile(stats.norm.cdf(z)))
    assert float(range_factors(low, high, z)) == pytest.approx(expected, rel=1e-6)


def test_factors_of_many_groups_at_once():
    low, high = np.array([0.8, 1.0, 1.05, 0.7]), np.array([1.3, 1.0, 1.30, 0.9])
    z = np.repeat(stats.norm.ppf([0.1, 0.5, 0.9])[:, None], 4, axis=1)
    made = range_factors(low, high, z)
    np.testing.assert_allclose(made[0], low)
    np.testing.assert_allclose(made[2], high)
    np.testing.assert_allclose(made[1], [1.0, 1.0, math.sqrt(1.05 * 1.30), math.sqrt(0.7 * 0.9)])


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (1.2, 1.1), (0.5, np.inf), (np.nan, 1.0)])
def test_factors_that_are_none_are_refused(low, high):
    with pytest.raises(ValueError, match="factors"):
        range_factors([low], [high], np.zeros((2, 1)))


def test_a_range_without_width_is_known():
    assert law_of_range(3.0, 3.0, 3.0) == Known(3.0)
    assert np.array_equal(Known(3.0).quantile([0.1, 0.9]), [3.0, 3.0])


def test_a_choice_takes_its_shares():
    law = Choice((1.0, 5.0, 2.0), (1.0, 0.0, 3.0))
    made = law.quantile((np.arange(1000) + 0.5) / 1000)
    assert (made == 1.0).sum() == 250 and (made == 2.0).sum() == 750
    assert law.mean == pytest.approx(1.75)
    assert law.support == (1.0, 2.0)
    assert np.allclose(law.cdf([0.9, 1.0, 1.9, 2.0, 5.0]), [0, 0.25, 0.25, 1, 1])
    assert Choice((3.0, 4.0)).index([0.0, 0.4999, 0.5, 1.0]).tolist() == [0, 0, 1, 1]


def test_a_table_goes_through_its_values_and_on():
    law = Empirical((0.8, 1.0, 1.4), (0.1, 0.5, 0.9))
    assert law.quantile([0.1, 0.5, 0.9]).tolist() == [0.8, 1.0, 1.4]
    assert law.support == pytest.approx((0.75, 1.5))
    sample = Empirical.of_sample([4.0, 1.0, 2.0])
    np.testing.assert_allclose(sample.quantile(U), np.quantile([4.0, 1.0, 2.0], U))


def test_what_a_field_would_refuse_is_told():
    assert mass_outside(Normal(1.0, 0.5), low=0.0) == pytest.approx(stats.norm.cdf(-2))
    assert mass_outside(Uniform(0.5, 1.5), low=0.0, high=1.0) == pytest.approx(0.5)
    assert mass_outside(Lognormal(2.0), low=0.0) == 0.0
    assert mass_outside(Choice((0.0, 1.0)), low=0.0, high=1.0) == 0.0
    assert mass_outside(Choice((0.0, 1.0)), low=0.5) == pytest.approx(0.5)
    assert median(Triangular(0.0, 1.0, 2.0)) == pytest.approx(1.0)


EXAMPLES = {
    "lognormal": {"gsd": 1.2},
    "normal": {"mean": 1.0, "sd": 0.1},
    "uniform": {"low": 0.8, "high": 1.2},
    "loguniform": {"low": 0.5, "high": 2.0},
    "triangular": {"low": 0.8, "high": 1.5},
    "pert": {"low": 0.8, "high": 1.5, "mode": 1.0, "weight": 6.0},
    "beta": {"a": 2.0, "b": 5.0},
    "choice": {"values": [0.8, 1.0], "weights": [1, 2]},
    "empirical": {"values": [0.8, 1.0, 1.4]},
    "range": {"low": 0.8, "high": 1.3},
}


@pytest.mark.parametrize("name", DOORS)
def test_every_law_a_file_may_name_is_made(name):
    law = law_of(name, EXAMPLES[name], middle=1.0)
    assert np.isfinite(law.quantile([0.1, 0.5, 0.9])).all()
    for need in DOORS[name].needs:
        with pytest.raises(ValueError, match=f"'{need}'"):
            law_of(name, {key: value for key, value in EXAMPLES[name].items() if key != need})


def test_middle_is_taken_where_it_lies_inside():
    assert law_of("triangular", {"low": 0.8, "high": 1.5}, middle=1.0) == Triangular(0.8, 1.0, 1.5)
    assert law_of("triangular", {"low": 1.2, "high": 1.6}, middle=1.0) == Triangular(1.2, 1.4, 1.6)
    assert law_of("lognormal", {"gsd": 1.2}, middle=40.0) == Lognormal(1.2, 40.0)
    assert law_of("range", {"low": 0.5, "high": 2.0}) == TwoSidedLognormal(1.0, 0.5, 2.0)


@pytest.mark.parametrize(
    "name, numbers, words",
    [
        ("lognomal", {}, "did you mean 'lognormal'"),
        ("lognormal", {"gsd": 0.9}, "above 1"),
        ("lognormal", {"gsd": 1.2, "low": 3.0}, "has no 'low'"),
        ("uniform", {"low": 2.0, "high": 1.0}, "'low' below 'high'"),
        ("triangular", {"low": 1.0, "high": 2.0, "mode": 3.0}, "'mode'"),
        ("range", {"low": 1.0, "high": 2.0, "value": 3.0}, "does not hold its value"),
        ("choice", {"values": [], "weights": None}, "needs 'values'"),
        ("choice", {"values": [1.0, 2.0], "weights": [1.0]}, "2 values and 1 weights"),
        ("choice", {"values": [1.0, 2.0], "weights": [0.0, 0.0]}, "above 0"),
        ("choice", {"values": 3.0}, "list of numbers"),
        ("empirical", {"values": [1.0, 2.0], "levels": [0.5, 0.4]}, "rise"),
        ("empirical", {"values": [2.0, 1.0], "levels": [0.1, 0.4]}, "none below"),
        ("normal", {"mean": [1.0], "sd": 1.0}, "one number"),
        ("normal", {"mean": float("nan"), "sd": 1.0}, "a normal needs"),
    ],
)
def test_numbers_that_do_not_fit_are_told(name, numbers, words):
    with pytest.raises(ValueError, match=words):
        law_of(name, numbers)


def test_all_that_is_wrong_with_the_names_is_told_at_once():
    with pytest.raises(ValueError) as told:
        law_of("uniform", {"gsd": 2.0})
    assert all(word in str(told.value) for word in ("'low'", "'high'", "'gsd'"))


def test_a_truncation_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="no draws"):
        Truncated(Uniform(0.0, 1.0), 2.0, 3.0)
