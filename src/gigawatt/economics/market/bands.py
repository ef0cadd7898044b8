"""Bands of a forecast from its own past errors, and how often such bands held: split-conformal, rolling.

    e_q  = (forecast_q - actual_q) / scale_q           each forecast from what was known before q
    half = scale x the ceil((n + 1) c)-th smallest |e| of the last `window` quarters before the one forecast
    band = forecast +- half,  c the coverage asked for

The scale is the guide for that quarter (times the part's last share), or the forecast where no guide was given: a company
that sells ten times as much errs by more dollars.

The window is an assumption: that the next quarter errs as those of the window did. With ten trials a true 80 % band
holds 6 to 10 times nine times in ten, so a count of hits says little; it is printed with the number of trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.economics.market.forecast import conformal_half_width
from gigawatt.economics.market.rules import Forecaster, History, forecaster

Array = NDArray[np.float64]
_GUIDE = forecaster("guide")


@dataclass(frozen=True, slots=True)
class Band:
    """A forecast with its half-width; `errors` is how many past ones it rests on, `enough` whether they are as many as
    the coverage asks for (below that the largest error is taken, which promises less)."""

    value: float
    half: float
    errors: int
    enough: bool

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half


@dataclass(frozen=True, slots=True)
class BackTest:
    """A rule over past quarters. Shares, not per cent; errors are forecast over actual less one; columns are [quarters].

    `hits` of `trials` are the bands that held what came. `median_width` is the whole width over the actual.
    """

    quarters: NDArray[np.int64]
    forecast: Array
    actual: Array
    half: Array
    hits: int
    trials: int

    @property
    def error(self) -> Array:
        return self.forecast / self.actual - 1

    @property
    def mape(self) -> float:
        return float(np.mean(np.abs(self.error)))

    @property
    def median_ape(self) -> float:
        return float(np.median(np.abs(self.error)))

    @property
    def bias(self) -> float:
        return float(np.mean(self.error))

    @property
    def median_width(self) -> float:
        widths = 2 * self.half / self.actual
        return float(np.nanmedian(widths)) if np.any(np.isfinite(widths)) else float("nan")


def scale(rule: Forecaster, history: History, at: int) -> float:
    """What errors of quarter `at` are measured in: its guide, else the forecast itself."""
    guide = _GUIDE(history, at) if at else np.nan
    return guide if np.isfinite(guide) else rule(history, at)


def errors_before(rule: Forecaster, history: History, at: int, window: int) -> Array:
    """Relative errors of the last `window` quarters before `at`, those that could be forecast at all."""
    past = range(max(0, at - window), at)
    made = np.array([(rule(history, q) - history.values[q]) / scale(rule, history, q) for q in past])
    return np.asarray(made[np.isfinite(made)])


def band(rule: Forecaster, history: History, at: int, window: int, coverage: float) -> Band:
    """The forecast of quarter `at` with its band.

    >>> from gigawatt.economics.market.rules import forecaster
    >>> y = np.array([1.0, 2.0, 4.0, 5.0, 6.0, 6.0, 9.0])
    >>> made = band(forecaster("last_value"), History(y, y, np.full(7, np.nan)), 6, 4, 0.8)
    >>> made.value, made.half, made.errors
    (6.0, 6.0, 4)
    """
    errors = errors_before(rule, history, at, window)
    half = conformal_half_width(errors, coverage) * scale(rule, history, at) if len(errors) else float("nan")
    enough = len(errors) > 0 and int(np.ceil((len(errors) + 1) * coverage)) <= len(errors)
    return Band(rule(history, at), half, len(errors), enough)


def backtest(
    rule: Forecaster, history: History, first: int, last: int, window: int, coverage: float
) -> BackTest | None:
    """Forecasts and bands of quarters first..last, each from before; None where the rule could make none of them."""
    kept = [
        (q, made)
        for q in range(first, last + 1)
        if np.isfinite(history.values[q]) and np.isfinite((made := band(rule, history, q, window, coverage)).value)
    ]
    if not kept:
        return None
    forecast = np.array([made.value for _, made in kept])
    half = np.array([made.half for _, made in kept])
    actual = history.values[[q for q, _ in kept]]
    known = np.isfinite(half)
    hits = int(np.sum(np.abs(forecast - actual)[known] <= half[known]))
    return BackTest(np.array([q for q, _ in kept]), forecast, actual, half, hits, int(known.sum()))
