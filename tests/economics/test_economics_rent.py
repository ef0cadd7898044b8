"""The rent's law: its draws have the moments that the closed form gives, and do not depend on how they are made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.economics.market.rent import GLUT, SHORT, Process, moments, simulate

COUNT = 20_000
LAWS = st.builds(
    Process,
    start_usd_per_h=st.floats(1.0, 4.0),
    level_usd_per_h=st.floats(1.0, 4.0),
    reversion_per_year=st.floats(0.0, 3.0),
    volatility_per_year=st.floats(0.05, 0.6),
    factor_short=st.floats(1.0, 1.6),
    factor_glut=st.floats(0.4, 1.0),
    chance_to_glut=st.floats(0.0, 0.5),
    chance_to_short=st.floats(0.0, 0.5),
    start_regime=st.sampled_from([SHORT, GLUT]),
    tie=st.floats(0.0, 0.3),
)


@settings(max_examples=25, deadline=None)
@given(LAWS, st.integers(0, 2**31), st.floats(0.0, 4.0))
def test_draws_have_the_exact_moments(law: Process, seed: int, cover: float) -> None:
    path = np.linspace(cover, 1.0, 8)
    rents, gluts = simulate(law, 8, COUNT, seed, cover=path)
    mean, variance, glut = moments(law, 8, cover=path)
    x = np.log(rents)
    # six standard errors: of a mean, and of a variance bounded by its fourth moment
    np.testing.assert_array_less(np.abs(x.mean(axis=0) - mean), 6 * np.sqrt(variance / COUNT) + 1e-12)
    fourth = ((x - x.mean(axis=0)) ** 4).mean(axis=0)
    np.testing.assert_array_less(np.abs(x.var(axis=0) - variance), 6 * np.sqrt(fourth / COUNT) + 1e-12)
    np.testing.assert_array_less(np.abs(gluts.mean(axis=0) - glut), 6 * np.sqrt(0.25 / COUNT))


@given(st.floats(0.05, 3.0), st.floats(0.05, 0.6), st.floats(0.5, 4.0), st.floats(0.5, 4.0))
def test_one_regime_is_the_ornstein_uhlenbeck_in_print(kappa: float, sigma: float, start: float, level: float) -> None:
    mean, variance, _ = moments(Process(start, level, kappa, sigma), 12)
    t = 0.25 * np.arange(1, 13)
    theta, x0 = np.log(level), np.log(start)
    np.testing.assert_allclose(mean, theta + (x0 - theta) * np.exp(-kappa * t), atol=1e-12)
    np.testing.assert_allclose(variance, sigma**2 * (1 - np.exp(-2 * kappa * t)) / (2 * kappa), rtol=1e-9)


def test_without_reversion_it_is_a_random_walk() -> None:
    mean, variance, _ = moments(Process(2.0, 5.0, 0.0, 0.3), 4)
    np.testing.assert_allclose(mean, np.log(2.0))
    np.testing.assert_allclose(variance, 0.09 * 0.25 * np.arange(1, 5))


@settings(max_examples=20)
@given(LAWS, st.integers(0, 2**31), st.integers(1, 199))
def test_chunks_make_no_difference(law: Process, seed: int, cut: int) -> None:
    whole, gluts = simulate(law, 5, 200, seed)
    low, high = simulate(law, 5, cut, seed), simulate(law, 5, 200 - cut, seed, first=cut)
    np.testing.assert_array_equal(whole, np.vstack([low[0], high[0]]))
    np.testing.assert_array_equal(gluts, np.vstack([low[1], high[1]]))


def test_the_regime_and_the_backlog_pull() -> None:
    def final(**more: float) -> float:
        law = {"start_usd_per_h": 2.0, "level_usd_per_h": 2.0, "reversion_per_year": 2.0, "volatility_per_year": 0.2}
        return float(moments(Process(**{**law, **more}), 8, cover=3.0)[0][-1])  # type: ignore[arg-type]

    assert final(factor_short=1.3) > final() > final(start_regime=GLUT, factor_glut=0.7)
    assert final(tie=0.1) == pytest.approx(final() + 0.2 * (1 - np.exp(-4.0)))
    assert final(tie=5.0) == pytest.approx(final() + 0.5 * (1 - np.exp(-4.0)))  # held at the limit
