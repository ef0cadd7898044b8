"""Plain forecasts of a quarterly series, and how wrong they were: what any model of supply and demand has to beat.

Every rule looks only at what was known before the quarter it forecasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

Rule = Callable[[Array], float]


@dataclass(frozen=True, slots=True)
class LineFit:
    """Least squares over t = 0..n-1: value = intercept + slope t; `sigma` is the standard error of a residual."""

    slope: float
    intercept: float
    r_squared: float
    sigma: float
    points: int
    spread: float  # sum of (t - mean t)^2

    def forecast(self, steps: int) -> float:
        """The line, `steps` periods after the last point."""
        return self.intercept + self.slope * (self.points - 1 + steps)

    def standard_error(self, steps: int) -> float:
        """Standard error of a new observation `steps` ahead: sigma sqrt(1 + 1/n + (t - mean)^2 / spread)."""
        n = self.points
        off = n - 1 + steps - (n - 1) / 2
        return self.sigma * float(np.sqrt(1 + 1 / n + off**2 / self.spread))


def fit_line(values: ArrayLike) -> LineFit:
    """Ordinary least squares on time; needs three points.

    >>> fit_line([1.0, 3.0, 5.0, 7.0]).forecast(1)
    9.0
    """
    y = np.asarray(values, dtype=np.float64)
    t = np.arange(len(y)) - (len(y) - 1) / 2
    spread = float(t @ t)
    slope = float(t @ y / spread)
    mean = float(y.mean())
    left = y - mean - slope * t
    total = float(((y - mean) ** 2).sum())
    r_squared = 1 - float(left @ left) / total if total > 0 else 1.0
    sigma = float(np.sqrt(left @ left / max(len(y) - 2, 1)))
    return LineFit(slope, mean - slope * (len(y) - 1) / 2, r_squared, sigma, len(y), spread)


def last_value(known: Array) -> float:
    """Tomorrow is as today."""
    return float(known[-1])


def last_increment(known: Array) -> float:
    """Today plus the last step."""
    return float(2 * known[-1] - known[-2])


def last_growth(known: Array) -> float:
    """Today times the last ratio."""
    return float(known[-1] ** 2 / known[-2])


def trend(points: int) -> Rule:
    """A line through the last `points`, one step on."""
    return lambda known: fit_line(known[-points:]).forecast(1)


def log_trend(points: int) -> Rule:
    """The same through the logarithms."""
    return lambda known: float(np.exp(fit_line(np.log(known[-points:])).forecast(1)))


RULES: dict[str, Rule] = {
    "last_value": last_value,
    "last_increment": last_increment,
    "last_growth": last_growth,
    "ols4": trend(4),
    "loglinear4": log_trend(4),
}


def rolling(rule: Rule, series: ArrayLike, first: int, last: int) -> Array:
    """One-step forecasts of points first..last (inclusive), each from the points before it."""
    y = np.asarray(series, dtype=np.float64)
    return np.array([rule(y[:k]) for k in range(first, last + 1)])


def guided(actual: ArrayLike, guide: ArrayLike, at: int, *, quarters: int = 4, ratio: bool = False) -> float:
    """A company's guide for point `at`, plus its mean beat over the last `quarters` (times its mean ratio, for
    `ratio`).

    >>> guided([12.0, 13.0], [10.0, 11.0, 20.0], 2, quarters=2)
    22.0
    """
    y, g = np.asarray(actual, dtype=np.float64), np.asarray(guide, dtype=np.float64)
    past = slice(at - quarters, at)
    if ratio:
        return float(g[at] * np.mean(y[past] / g[past]))
    return float(g[at] + np.mean(y[past] - g[past]))


def mape_percent(forecast: ArrayLike, actual: ArrayLike) -> float:
    """Mean absolute error over the actual, in per cent."""
    y = np.asarray(actual, dtype=np.float64)
    return float(100 * np.mean(np.abs(np.asarray(forecast, dtype=np.float64) / y - 1)))


def conformal_half_width(errors: ArrayLike, coverage: float = 0.8) -> float:
    """Half-width of a split-conformal band: the ceil((n + 1) coverage)-th smallest absolute error of the past.

    The window of errors is an assumption on the regime; a few dozen quarters never prove a band calibrated.

    >>> conformal_half_width([1.0, -2.0, 3.0, -4.0], coverage=0.6)
    3.0
    """
    sizes = np.sort(np.abs(np.asarray(errors, dtype=np.float64)))
    rank = min(len(sizes), int(np.ceil((len(sizes) + 1) * coverage)))
    return float(sizes[rank - 1])
