"""The smallest change of price that carries a debt: the answer where the asked one can not be had.

Every revenue line's prices (contract and merchant) are multiplied by one factor. Factors are tried along a draw axis, so
that one sizing tries them all; each round narrows the interval between the last that falls short and the first that does
not, to a millionth after four.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gigawatt.finance.project.operations import operations_of
from gigawatt.finance.project.sizing import Sizing, size
from gigawatt.finance.project.terms import Number, Terms, level
from gigawatt.finance.project.timing import timing_of
from gigawatt.finance.schedule import Array

TRIED = 65
ROUNDS = 4
HIGHEST = 20.0


def scaled(terms: Terms, factor: Number) -> Terms:
    """The terms with every price multiplied by `factor`."""
    lines = tuple(
        replace(
            line,
            price_usd_per_mw_yr=level(line.price_usd_per_mw_yr) * level(factor),
            merchant_price_usd_per_mw_yr=level(line.merchant_price_usd_per_mw_yr) * level(factor),
        )
        for line in terms.revenue
    )
    return replace(terms, revenue=lines)


def price_factor(terms: Terms) -> float | None:
    """The least factor on prices at which cash does not limit the senior debt: above 1 where it does now.

    The debt asked for is that of the other limits (gearing, amount, total need); where neither gearing nor amount is given,
    any debt at all. None where no factor up to `HIGHEST` does, or where the debt has no cover to meet. Terms of one draw.
    """
    if terms.senior is None or terms.senior.cover is None:
        return None
    low, high = 0.0, HIGHEST
    for _ in range(ROUNDS):
        tried = np.linspace(low, high, TRIED)
        fine = _carried(terms, tried[:, None])
        if not fine[-1]:
            return None
        first = int(np.argmax(fine))
        if first == 0:
            return float(tried[0])
        low, high = float(tried[first - 1]), float(tried[first])
    return high


def _carried(terms: Terms, factor: Array) -> Array:
    """Whether the asked debt is carried at each factor, [factors]."""
    changed = scaled(terms, factor)
    timing = timing_of(changed.calendar)
    made: Sizing = size(changed, timing, operations_of(changed, timing))
    senior, loan = made.senior, terms.senior
    assert senior is not None and loan is not None
    debt = senior.debt_usd[..., 0]
    if loan.gearing is None and loan.amount_usd is None:
        return np.asarray(debt > 1.0)
    asked = np.full(debt.shape, np.inf)
    if loan.gearing is not None:
        asked = np.minimum(asked, level(loan.gearing)[..., 0] * made.construction.total_uses_usd[..., 0])
    if loan.amount_usd is not None:
        asked = np.minimum(asked, level(loan.amount_usd)[..., 0])
    asked = np.minimum(asked, made.construction.total_need_usd[..., 0])
    return np.asarray(debt >= asked * (1 - 1e-9))
