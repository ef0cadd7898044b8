"""Capital as rent: the level payment that repays a price with interest over its life.

    CRF(r, n)   = r / (1 - (1 + r)^-n)                       yearly payment at each year's end, per dollar
    q           = (1 + r)^(1/4) - 1                          quarterly rate of the same effective annual rate
    CRF_q(r, n) = q / (1 - (1 + q)^-4n)                      quarterly payment at each quarter's end, per dollar

At r = 0 both are one over the number of payments. Rates are effective per year, lives in years; all take arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def _payment(rate: Array, periods: Array) -> Array:
    if not (np.all(rate > -1) and np.all(periods > 0)):
        raise ValueError("a capital charge needs a rate above -100 % and a life above 0")
    # expm1 and log1p keep the digits of a small rate, which 1 - (1 + r)^-n would lose.
    with np.errstate(divide="ignore", invalid="ignore"):
        level = rate / -np.expm1(-periods * np.log1p(rate))
    return np.asarray(np.where(np.abs(rate) < 1e-300, 1 / periods, level))


def crf(rate: ArrayLike, years: ArrayLike) -> Array:
    """Capital recovery factor, per year: the yearly payment that repays one dollar over `years`.

    Raises:
        ValueError: rate at or below -1, or a life that is not positive.

    >>> round(float(crf(0.10, 5)), 6)
    0.263797
    """
    return _payment(np.asarray(rate, dtype=np.float64), np.asarray(years, dtype=np.float64))


def quarterly_rate(rate: ArrayLike) -> Array:
    """The quarterly rate with the same effective annual rate."""
    return np.asarray(np.expm1(np.log1p(np.asarray(rate, dtype=np.float64)) / 4))


def quarterly_crf(rate: ArrayLike, years: ArrayLike) -> Array:
    """The quarterly payment that repays one dollar over `years`, `rate` being effective per year.

    >>> round(float(4 * quarterly_crf(0.10, 5)), 6)
    0.254445
    """
    return _payment(quarterly_rate(rate), 4 * np.asarray(years, dtype=np.float64))


def annuity_factor(rate: ArrayLike, years: ArrayLike) -> Array:
    """Present value of one dollar at each quarter's end, times a quarter: years of level income, today."""
    return np.asarray(0.25 / quarterly_crf(rate, years))


def capital_charge(capex_usd: ArrayLike, rate: ArrayLike, years: ArrayLike, residual_share: ArrayLike = 0.0) -> Array:
    """USD per year (four quarterly payments) for `capex_usd` over its life; the residual is what it sells for then.

    The residual's present value lowers what must be repaid: capex (1 - residual (1 + r)^-n).
    """
    capex, life = np.asarray(capex_usd, dtype=np.float64), np.asarray(years, dtype=np.float64)
    kept = np.asarray(residual_share, dtype=np.float64) * (1 + np.asarray(rate, dtype=np.float64)) ** -life
    return np.asarray(4 * quarterly_crf(rate, life) * capex * (1 - kept))
