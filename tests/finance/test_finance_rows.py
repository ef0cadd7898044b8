"""Returns of many streams at once against libraries that take one."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.finance import irr, payback_years
from gigawatt.finance.rows import irr_rows, least_cover_rows, payback_rows


def _streams(seed: int, rows: int, periods: int) -> np.ndarray:
    """Paid first, earned later: one change of sign, so one root."""
    rng = np.random.default_rng(seed)
    out = rng.uniform(0.0, 60.0, (rows, periods))
    cut = rng.integers(1, max(2, periods // 3), rows)
    out[np.arange(periods) < cut[:, None]] *= -rng.uniform(0.2, 8.0)
    return out


@given(st.integers(0, 2**32 - 1), st.integers(3, 41))
def test_every_row_is_what_pyxirr_finds(seed: int, periods: int) -> None:
    flows = _streams(seed, 12, periods)
    found = irr_rows(flows, 1)
    for row, rate in zip(flows, found, strict=True):
        one = irr(row, 1)
        if one is None or one < -0.9 or one > 1e3:
            continue
        assert rate == pytest.approx(one, rel=1e-7, abs=1e-9)


def test_every_row_is_what_numpy_financial_finds() -> None:
    flows = _streams(5, 200, 21)
    found = irr_rows(flows, 1)
    other = np.array([npf.irr(row) for row in flows])
    known = np.isfinite(other)
    assert known.mean() > 0.95
    np.testing.assert_allclose(found[known], other[known], rtol=1e-6, atol=1e-8)


@given(st.integers(0, 2**32 - 1))
def test_the_value_at_the_rate_is_nothing(seed: int) -> None:
    flows = np.random.default_rng(seed).normal(0.0, 1.0, (20, 15))
    rate = irr_rows(flows, 1)
    value = (flows * (1 + rate[:, None]) ** -np.arange(15.0)).sum(axis=1)
    size = (np.abs(flows) * (1 + rate[:, None]) ** -np.arange(15.0)).sum(axis=1)
    known = np.isfinite(rate)
    assert np.all(np.abs(value[known]) <= 1e-9 * size[known])


def test_rows_without_a_rate_have_none() -> None:
    assert np.isnan(irr_rows([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]])).all()
    assert irr_rows([[-100.0, 100.0]], 1)[0] == pytest.approx(0.0, abs=1e-12)


def test_a_return_does_not_depend_on_who_stands_beside_it() -> None:
    flows = _streams(9, 300, 21)
    assert irr_rows(flows)[:7].tolist() == pytest.approx(irr_rows(flows[:7]).tolist(), rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_payback_of_every_row(seed: int, periods: int) -> None:
    rng = np.random.default_rng(seed)
    flows = rng.normal(0.2, 1.0, (15, periods))
    flows[:, 0] -= rng.uniform(0.0, 3.0, 15)
    time = np.concatenate([[0.0], np.cumsum(rng.uniform(0.2, 1.0, periods - 1))])
    for row, years in zip(flows, payback_rows(flows, time), strict=True):
        one = payback_years(row, time)
        assert np.isnan(years) if one is None else years == pytest.approx(one, rel=1e-9, abs=1e-12)


def test_cover_counts_only_what_is_due() -> None:
    found = least_cover_rows([[130.0, -5.0], [1.0, 1.0]], [[100.0, 0.0], [0.0, 0.0]])
    assert found[0] == 1.3
    assert np.isnan(found[1])
