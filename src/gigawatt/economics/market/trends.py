"""Lines and growth: what a straight line through past quarters said, whether what came lies off it, and whether growth
falls as the base rises.

    line        value = a + b t, least squares; error at h steps = forecast / actual - 1
    break       |first quarter after the fit - line| / standard error of a new observation
    linear supply  growth g_t = b / (R_0 + b t): it falls for ever, whatever b
    falling     of the n (n - 1) / 2 pairs of growth rates, those where the later is the lower; the chance of at least as
                many in a random order is exact, from the number of orders with that many inversions

A break says that the line no longer holds; it does not say what comes instead. Growth is tested within a regime: across
a break it jumps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.market.forecast import LineFit, fit_line

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LineTest:
    """A line through known quarters, and what came: `forecast`, `actual`, `error` are [steps asked], NaN if not yet known.

    `break_errors` is how many standard errors the first quarter after the fit lies off the line (NaN if not known).
    """

    line: LineFit
    steps: tuple[int, ...]
    forecast: Array
    standard_error: Array
    actual: Array
    break_errors: float

    @property
    def error(self) -> Array:
        return self.forecast / self.actual - 1


def line_test(values: ArrayLike, later: ArrayLike, steps: tuple[int, ...]) -> LineTest:
    """Fit a line to `values` and hold it against `later`, the quarters that followed.

    >>> made = line_test([1.0, 2.1, 2.9, 4.0], [8.0, 9.0], (1, 2))
    >>> made.forecast.round(2).tolist(), made.error.round(3).tolist(), round(made.break_errors, 1)
    ([4.95, 5.93], [-0.381, -0.341], 20.3)
    """
    line, after = fit_line(values), np.asarray(later, dtype=np.float64)
    came = np.array([after[h - 1] if h <= len(after) else np.nan for h in steps])
    off = np.nan
    if len(after) and np.isfinite(after[0]):
        error = line.standard_error(1)
        gap = abs(float(after[0]) - line.forecast(1))
        off = gap / error if error > 0 else (0.0 if gap == 0 else math.inf)
    return LineTest(
        line,
        steps,
        np.array([line.forecast(h) for h in steps]),
        np.array([line.standard_error(h) for h in steps]),
        came,
        float(off),
    )


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth over the quarter before, [quarters], as a share; the increments; and whether growth falls.

    `chance` is how often a random order would show at least as many falling pairs.
    """

    growth: Array
    increment: Array
    falling_pairs: int
    pairs: int
    chance: float

    @property
    def falls_throughout(self) -> bool:
        return bool(np.all(np.diff(self.growth) < 0))


def growth_test(values: ArrayLike) -> Growth:
    """Growth of a series of n + 1 points within one regime.

    >>> made = growth_test([10.0, 12.0, 14.0, 16.0, 18.0])
    >>> made.growth.round(3).tolist(), made.falls_throughout, round(made.chance, 4)
    ([0.2, 0.167, 0.143, 0.125], True, 0.0417)
    """
    y = np.asarray(values, dtype=np.float64)
    growth, increment = y[1:] / y[:-1] - 1, np.diff(y)
    n = len(growth)
    falling = int(sum(growth[j] < growth[i] for i in range(n) for j in range(i + 1, n)))
    pairs = n * (n - 1) // 2
    orders = _inversions(n)
    chance = sum(orders[falling:]) / math.factorial(n)
    return Growth(growth, increment, falling, pairs, float(chance))


def _inversions(n: int) -> list[int]:
    """How many orders of n things have k inversions, for every k: the product of (1 + x + ... + x^(m-1)), m = 1..n."""
    counts = [1]
    for m in range(2, n + 1):
        wider = [0] * (len(counts) + m - 1)
        for k, count in enumerate(counts):
            for step in range(m):
                wider[k + step] += count
        counts = wider
    return counts


def linear_growth(start: float, increment: float, quarters: int) -> Array:
    """Growth rates of a series that rises by the same amount each quarter: increment / (start + increment t).

    >>> linear_growth(10.0, 2.0, 3).round(3).tolist()
    [0.2, 0.167, 0.143]
    """
    return np.asarray(increment / (start + increment * np.arange(quarters)))


def supply_rejected(
    revenue: float, guide: float, margin: float, margins_before: ArrayLike, guide_range: float, margin_drop: float
) -> bool:
    """Whether a quarter can not have been bound by supply: a firm that sells all it makes does not miss its own guide by
    more than the guide's range *and* lose more than `margin_drop` of gross margin (stock written off) at once.

    False rejects nothing: it does not say that supply bound. Unknown values reject nothing.
    """
    before = np.asarray(margins_before, dtype=np.float64)
    if not len(before) or not np.all(np.isfinite([revenue, guide, margin, *before])):
        return False
    return bool(revenue / guide - 1 < -guide_range and before.mean() - margin > margin_drop)
