"""Returns, payback and cover of many streams of money at once: one row a stream, periods last, no loop over rows.

    IRR       r with sum over t of f_t x^t = 0,   x = 1 / (1 + r) of a period, effective a year (1 + r)^n - 1
    payback   when the running total turns positive for good, linear between periods
    DSCR      least of cash / principal and interest where anything is due

The root is found by Newton's method on the logarithm of the discount factor, kept inside a bracket that halves where a step
leaves it. Rows that change sign once have one root. Of rows that change sign more often the root nearest to a rate of 0 within
the bracket is taken, so that neighbouring draws take the same one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# log of the discount factor of a period that is searched: rates of a period from -95 % to over 10^4.
_SPAN = (-9.5, 3.0)
_GRID = np.concatenate(
    [np.linspace(_SPAN[0], -1.0, 18)[:-1], np.linspace(-1.0, 1.0, 41), np.linspace(1.0, _SPAN[1], 9)[1:]]
)
_ROUNDS = 60
_SAME = 1e-13


def irr_rows(flows_usd: ArrayLike, periods_per_year: float = 4) -> Array:
    """Internal rate of return of each row, effective a year, [rows]; NaN where no rate makes the value zero.

    >>> irr_rows([[-100.0, 121.0], [-100.0, 0.0]], periods_per_year=0.5).round(9).tolist()
    [0.1, nan]

    Args:
        flows_usd: [rows, periods] of equal length.
        periods_per_year: of the flows.
    """
    flows = np.atleast_2d(np.asarray(flows_usd, dtype=np.float64))
    out = np.full(len(flows), np.nan)
    scale = np.abs(flows).max(axis=1, initial=0.0)
    live = np.flatnonzero((flows.max(axis=1, initial=0.0) > 0) & (flows.min(axis=1, initial=0.0) < 0))
    if not live.size:
        return out
    rows = flows[live] / scale[live, None]
    low, high, found = _brackets(rows)
    live, rows = live[found], rows[found]
    y = _solve(rows, low[found], high[found])
    out[live] = np.expm1(-y * periods_per_year)
    return out


def _brackets(rows: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The two neighbours on the grid between which a row changes sign, nearest to a rate of 0; whether there are such."""
    value = rows @ np.exp(np.outer(np.arange(rows.shape[1]), _GRID))
    turns = np.signbit(value[:, 1:]) != np.signbit(value[:, :-1])
    middle = np.abs((_GRID[1:] + _GRID[:-1]) / 2)
    at = np.argmin(np.where(turns, middle, np.inf), axis=1)
    return _GRID[at], _GRID[at + 1], turns.any(axis=1)


def _solve(rows: Array, low: Array, high: Array) -> Array:
    """The root of sum f_t exp(y t) in y between `low` and `high`, where the signs differ."""
    below = np.signbit(_value(rows, low)[0])
    y = 0.5 * (low + high)
    for _ in range(_ROUNDS):
        value, slope = _value(rows, y)
        left = np.signbit(value) == below
        low, high = np.where(left, y, low), np.where(left, high, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            stepped = y - value / slope
        inside = (stepped >= low) & (stepped <= high)
        new = np.where(inside, stepped, 0.5 * (low + high))
        moved = np.abs(new - y)
        y = new
        if np.all(moved <= _SAME * np.maximum(np.abs(y), 1e-3)):
            break
    return y


def _value(rows: Array, y: Array) -> tuple[Array, Array]:
    """sum f_t x^t and its derivative by y = log x, by Horner's rule."""
    x = np.exp(y)
    value, slope = rows[:, -1].copy(), np.zeros(len(rows))
    for t in range(rows.shape[1] - 2, -1, -1):
        slope = slope * x + value
        value = value * x + rows[:, t]
    return value, slope * x


def payback_rows(flows_usd: ArrayLike, time_years: ArrayLike) -> Array:
    """Years until the running total of each row turns positive for good, [rows]; NaN where it never does, 0 where it is never
    negative.

    >>> payback_rows([[-100.0, 40.0, 40.0, 40.0], [-100.0, 40.0, 40.0, 0.0]], [0.0, 1.0, 2.0, 3.0]).tolist()
    [2.5, nan]
    """
    total = np.cumsum(np.atleast_2d(np.asarray(flows_usd, dtype=np.float64)), axis=1)
    time = np.asarray(time_years, dtype=np.float64)
    negative = total < 0
    last = total.shape[1] - 1 - np.argmax(negative[:, ::-1], axis=1)  # the last period in which it is below zero
    after = np.minimum(last + 1, total.shape[1] - 1)
    row = np.arange(len(total))
    below, above = total[row, last], total[row, after]
    with np.errstate(divide="ignore", invalid="ignore"):
        years = time[last] + (time[after] - time[last]) * below / (below - above)
    years = np.where(last == total.shape[1] - 1, np.nan, years)
    return np.asarray(np.where(negative.any(axis=1), years, 0.0))


def least_cover_rows(cash_usd: ArrayLike, service_usd: ArrayLike) -> Array:
    """Least cash over debt service of each row, [rows], over the periods in which anything is due; NaN where nothing is.

    >>> least_cover_rows([[130.0, 150.0, 9.0]], [[100.0, 100.0, 0.0]]).tolist()
    [1.3]
    """
    cash, due = np.broadcast_arrays(np.asarray(cash_usd, dtype=np.float64), np.asarray(service_usd, dtype=np.float64))
    ratio = np.divide(cash, due, out=np.full(cash.shape, np.inf), where=due > 0)
    least = ratio.min(axis=-1, initial=np.inf)
    return np.asarray(np.where(np.isfinite(least), least, np.nan))
