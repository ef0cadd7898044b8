"""A range of 80 % around a value as a law: what low and high of a catalog's datum mean, and of a calibration.

A tenth of the draws lies below `low`, a tenth above `high`, half below `value`. With z standard normal and z80 = 1.2816:

    two-sided lognormal   value (low / value)^(-z / z80) for z < 0,   value (high / value)^(z / z80) else
    two-sided normal      value + (value - low) z / z80  for z < 0,   value + (high - value) z / z80 else

The first is for numbers that keep their sign, the second where the range holds 0. A range that leaves out its value (a
calibration that is known to be biased, with factors 1.03 to 1.30) has its median at the middle of the range instead, the
geometric one for lognormals: the range is what was measured.

The two halves of a "split" law keep half of the mass each, so the density steps at the median where they differ
(unlike the two-piece normal of Fechner, whose mode stays and whose median moves; Wallis, Statistical Science 29(1), 2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from gigawatt.study.sampling.laws import INFINITY, Law

Array = NDArray[np.float64]
Z80 = 1.2815515655446004  # standard normal deviate of an 80 % two-sided band


@dataclass(frozen=True, slots=True)
class Known:
    """A value without a spread: every draw is it."""

    value: float

    def quantile(self, u: ArrayLike) -> Array:
        return np.full(np.shape(u), self.value)

    def cdf(self, x: ArrayLike) -> Array:
        return np.asarray(np.asarray(x) >= self.value, dtype=float)

    @property
    def mean(self) -> float:
        return self.value

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value


@dataclass(frozen=True, slots=True)
class TwoSidedLognormal:
    """exp of a two-sided normal around log(middle): see the head of this module.

    Raises:
        ValueError: not 0 < low <= middle <= high.
    """

    middle: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.middle <= self.high < INFINITY:
            raise ValueError("a two-sided lognormal needs 0 < 'low' <= its middle <= 'high'")

    @property
    def _sigma(self) -> tuple[float, float]:
        return math.log(self.middle / self.low) / Z80, math.log(self.high / self.middle) / Z80

    def of_normal(self, z: ArrayLike) -> Array:
        deviate, (below, above) = np.asarray(z), self._sigma
        return np.asarray(self.middle * np.exp(deviate * np.where(deviate < 0, below, above)))

    def quantile(self, u: ArrayLike) -> Array:
        return self.of_normal(ndtri(np.asarray(u)))

    def cdf(self, x: ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            y = np.log(np.maximum(np.asarray(x, dtype=float), 0.0) / self.middle)
        return _split_cdf(y, *self._sigma)

    @property
    def mean(self) -> float:
        """middle (exp(a^2/2) N(-a) + exp(b^2/2) N(b)), a and b the deviations of the logarithm below and above."""
        a, b = self._sigma
        return self.middle * float(math.exp(a * a / 2) * ndtr(-a) + math.exp(b * b / 2) * ndtr(b))

    @property
    def support(self) -> tuple[float, float]:
        return (0.0 if self.low < self.middle else self.middle), (INFINITY if self.high > self.middle else self.middle)


@dataclass(frozen=True, slots=True)
class TwoSidedNormal:
    """middle + z sigma, sigma of either side: see the head of this module.

    Raises:
        ValueError: not low <= middle <= high.
    """

    middle: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not -INFINITY < self.low <= self.middle <= self.high < INFINITY:
            raise ValueError("a two-sided normal needs 'low' <= its middle <= 'high'")

    @property
    def _sigma(self) -> tuple[float, float]:
        return (self.middle - self.low) / Z80, (self.high - self.middle) / Z80

    def of_normal(self, z: ArrayLike) -> Array:
        deviate, (below, above) = np.asarray(z), self._sigma
        return np.asarray(self.middle + deviate * np.where(deviate < 0, below, above))

    def quantile(self, u: ArrayLike) -> Array:
        return self.of_normal(ndtri(np.asarray(u)))

    def cdf(self, x: ArrayLike) -> Array:
        return _split_cdf(np.asarray(x, dtype=float) - self.middle, *self._sigma)

    @property
    def mean(self) -> float:
        """middle + (above - below) / sqrt(2 pi)."""
        below, above = self._sigma
        return self.middle + (above - below) / math.sqrt(2 * math.pi)

    @property
    def support(self) -> tuple[float, float]:
        least = -INFINITY if self.low < self.middle else self.middle
        return least, (INFINITY if self.high > self.middle else self.middle)


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus a law: a range of numbers below 0."""

    law: Law

    def quantile(self, u: ArrayLike) -> Array:
        return np.asarray(-self.law.quantile(1 - np.asarray(u)))

    def cdf(self, x: ArrayLike) -> Array:
        return np.asarray(1 - self.law.cdf(-np.asarray(x)))

    @property
    def mean(self) -> float:
        return -self.law.mean

    @property
    def support(self) -> tuple[float, float]:
        least, most = self.law.support
        return -most, -least


def _split_cdf(y: Array, below: float, above: float) -> Array:
    """Distribution of z sigma; a side without a spread holds its half of the mass at 0."""
    lower = ndtr(y / below) if below > 0 else np.where(y < 0, 0.0, 0.5)
    upper = ndtr(y / above) if above > 0 else np.ones_like(y)
    return np.asarray(np.where(y < 0, lower, upper))


def law_of_range(value: float, low: float, high: float) -> Law:
    """The law of an 80 % range: two-sided lognormal where all have one sign, else two-sided normal; `Known` without width.

    Raises:
        ValueError: `low` above `high`, or what is not finite.
    """
    if not all(math.isfinite(number) for number in (value, low, high)) or low > high:
        raise ValueError("an 80 % range needs finite numbers, 'low' not above 'high'")
    if low == high:
        return Known(low)
    if low > 0:
        return TwoSidedLognormal(value if low <= value <= high else math.sqrt(low * high), low, high)
    if high < 0:
        return Negative(law_of_range(-value, -high, -low))
    return TwoSidedNormal(value if low <= value <= high else (low + high) / 2, low, high)


def range_factors(low: ArrayLike, high: ArrayLike, normal: ArrayLike) -> Array:
    """Factors of two-sided lognormals around 1 from standard normal deviates, all columns at once.

    Args:
        low, high: 80 % factors, [columns] or whatever broadcasts with `normal`.
        normal: deviates [..., columns].

    Returns:
        exp(m + z sigma): a tenth lies below `low`, a tenth above `high`, half below 1; where the range leaves out 1, m is the
        middle of its logarithms, else 0.

    Raises:
        ValueError: a factor not above 0, or `low` above `high`.
    """
    low, high, z = np.asarray(low, dtype=float), np.asarray(high, dtype=float), np.asarray(normal, dtype=float)
    if not (np.all(low > 0) and np.all(low <= high) and np.all(np.isfinite(high))):
        raise ValueError("80 % factors are above 0, 'low' not above 'high'")
    bottom, top = np.log(low), np.log(high)
    middle = np.where((bottom <= 0) & (top >= 0), 0.0, 0.5 * (bottom + top))
    sigma = np.where(z < 0, middle - bottom, top - middle) / Z80
    return np.asarray(np.exp(middle + z * sigma))
