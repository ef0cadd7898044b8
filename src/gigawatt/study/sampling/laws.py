"""Laws of one uncertain number: its inverse distribution, mean and support, from a uniform number u in (0, 1).

A draw is `law.quantile(u)`, so one uniform column gives one column of draws, P10 is `quantile(0.1)` and a copula acts on u.
Laws hold plain numbers: whether these are values of a field or factors on it is for the caller to say. What may be named in
a file is in `named`; ranges of 80 % in `ranges`; tables and choices in `tables`.

Sources: Johnson, Kotz, Balakrishnan, "Continuous Univariate Distributions" (2nd ed. 1994-95); for PERT Malcolm et al.,
Operations Research 7(5), 646 (1959), with Vose's weight of the mode (4 by default).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, ndtr, ndtri

Array = NDArray[np.float64]
INFINITY = math.inf


class Law(Protocol):
    """A distribution of one number."""

    def quantile(self, u: ArrayLike) -> Array:
        """The value below which a share u of the draws lies; same shape as u."""
        ...

    def cdf(self, x: ArrayLike) -> Array:
        """Share of the draws at or below x."""
        ...

    @property
    def mean(self) -> float: ...

    @property
    def support(self) -> tuple[float, float]:
        """Least and largest value that may be drawn; infinite where there is none."""
        ...


@runtime_checkable
class NormalLaw(Protocol):
    """A law that is a function of a normal deviate: drawn without going through shares, which are coarse in the tails."""

    def of_normal(self, z: ArrayLike) -> Array:
        """quantile(N(z))."""
        ...


def mass_outside(law: Law, low: float = -INFINITY, high: float = INFINITY) -> float:
    """Share of the draws outside [low, high]: what a field with these bounds would refuse."""
    least, most = law.support
    below = float(law.cdf(np.nextafter(low, -INFINITY))) if least < low else 0.0
    above = 1.0 - float(law.cdf(high)) if most > high else 0.0
    return below + above


def median(law: Law) -> float:
    """Half of the draws lie below it."""
    return float(law.quantile(0.5))


def _need(fits: bool, message: str) -> None:
    if not fits:
        raise ValueError(message)


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """median * gsd^z, z standard normal.

    Raises:
        ValueError: `gsd` (geometric standard deviation) not above 1, or a median not above 0.
    """

    gsd: float
    median: float = 1.0

    def __post_init__(self) -> None:
        _need(_finite(self.gsd) and self.gsd > 1, "a lognormal needs 'gsd', its geometric standard deviation, above 1")
        _need(_finite(self.median) and self.median > 0, "the median of a lognormal is above 0")

    def of_normal(self, z: ArrayLike) -> Array:
        return np.asarray(self.median * np.exp(np.asarray(z) * math.log(self.gsd)))

    def quantile(self, u: ArrayLike) -> Array:
        return self.of_normal(ndtri(np.asarray(u)))

    def cdf(self, x: ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            z = np.log(np.maximum(np.asarray(x, dtype=float), 0.0) / self.median) / math.log(self.gsd)
        return np.asarray(ndtr(z))

    @property
    def mean(self) -> float:
        return self.median * math.exp(0.5 * math.log(self.gsd) ** 2)

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, INFINITY


@dataclass(frozen=True, slots=True)
class Normal:
    """mean + sd z, z standard normal.

    Raises:
        ValueError: `sd` not above 0.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _need(_finite(self.mean, self.sd) and self.sd > 0, "a normal needs 'mean', and 'sd' above 0")

    def of_normal(self, z: ArrayLike) -> Array:
        return np.asarray(self.mean + self.sd * np.asarray(z))

    def quantile(self, u: ArrayLike) -> Array:
        return self.of_normal(ndtri(np.asarray(u)))

    def cdf(self, x: ArrayLike) -> Array:
        return np.asarray(ndtr((np.asarray(x) - self.mean) / self.sd))

    @property
    def support(self) -> tuple[float, float]:
        return -INFINITY, INFINITY


@dataclass(frozen=True, slots=True)
class Uniform:
    """low + (high - low) u.

    Raises:
        ValueError: `low` not below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _need(_finite(self.low, self.high) and self.low < self.high, "a uniform needs 'low' below 'high'")

    def quantile(self, u: ArrayLike) -> Array:
        return np.asarray(self.low + (self.high - self.low) * np.asarray(u, dtype=float))

    def cdf(self, x: ArrayLike) -> Array:
        return np.asarray(np.clip((np.asarray(x, dtype=float) - self.low) / (self.high - self.low), 0.0, 1.0))

    @property
    def mean(self) -> float:
        return 0.5 * (self.low + self.high)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Loguniform:
    """low (high / low)^u: every doubling is as likely.

    Raises:
        ValueError: `low` not above 0, or not below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _need(_finite(self.low, self.high) and 0 < self.low < self.high, "a loguniform needs 0 < 'low' < 'high'")

    def quantile(self, u: ArrayLike) -> Array:
        return np.asarray(self.low * np.exp(np.asarray(u, dtype=float) * math.log(self.high / self.low)))

    def cdf(self, x: ArrayLike) -> Array:
        inside = np.clip(np.asarray(x, dtype=float), self.low, self.high)
        return np.asarray(np.log(inside / self.low) / math.log(self.high / self.low))

    @property
    def mean(self) -> float:
        return (self.high - self.low) / math.log(self.high / self.low)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Triangular:
    """Density rising straight from `low` to `mode` and falling to `high`.

    Raises:
        ValueError: not low <= mode <= high with low < high.
    """

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        fits = _finite(self.low, self.mode, self.high) and self.low <= self.mode <= self.high and self.low < self.high
        _need(fits, "a triangular needs 'low' <= 'mode' <= 'high' and some room between them")

    def quantile(self, u: ArrayLike) -> Array:
        share, width = np.asarray(u, dtype=np.float64), self.high - self.low
        below = self.low + np.sqrt(share * width * (self.mode - self.low))
        above = self.high - np.sqrt((1 - share) * width * (self.high - self.mode))
        return np.asarray(np.where(share < (self.mode - self.low) / width, below, above))

    def cdf(self, x: ArrayLike) -> Array:
        at, width = np.clip(np.asarray(x, dtype=np.float64), self.low, self.high), self.high - self.low
        # a side without room is never asked for: its divisor only has to be no zero
        rising = (at - self.low) ** 2 / (width * ((self.mode - self.low) or width))
        falling = 1 - (self.high - at) ** 2 / (width * ((self.high - self.mode) or width))
        return np.asarray(np.where(at < self.mode, rising, falling))

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Beta:
    """low + (high - low) B, B beta with shapes `a` and `b`.

    Raises:
        ValueError: a shape not above 0, or `low` not below `high`.
    """

    a: float
    b: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        _need(_finite(self.a, self.b) and self.a > 0 and self.b > 0, "a beta needs shapes 'a' and 'b' above 0")
        _need(_finite(self.low, self.high) and self.low < self.high, "a beta needs 'low' below 'high'")

    def quantile(self, u: ArrayLike) -> Array:
        return np.asarray(self.low + (self.high - self.low) * betaincinv(self.a, self.b, np.asarray(u, dtype=float)))

    def cdf(self, x: ArrayLike) -> Array:
        share = np.clip((np.asarray(x, dtype=float) - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(betainc(self.a, self.b, share))

    @property
    def mean(self) -> float:
        return self.low + (self.high - self.low) * self.a / (self.a + self.b)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


def pert(low: float, mode: float, high: float, weight: float = 4.0) -> Beta:
    """The beta with mean (low + weight mode + high) / (weight + 2) and its mode at `mode`.

    Raises:
        ValueError: not low <= mode <= high with low < high, or a weight not above 0.
    """
    fits = _finite(low, mode, high) and low <= mode <= high and low < high
    _need(fits, "a pert needs 'low' <= 'mode' <= 'high' and some room between them")
    _need(math.isfinite(weight) and weight > 0, "the weight of a pert's mode is above 0")
    share = (mode - low) / (high - low)
    return Beta(1 + weight * share, 1 + weight * (1 - share), low, high)


@dataclass(frozen=True, slots=True)
class Truncated:
    """A law with what lies outside [low, high] cut off and the rest scaled up: F^-1(F(low) + u (F(high) - F(low))).

    Raises:
        ValueError: the law has no draws inside.
    """

    law: Law
    low: float = -INFINITY
    high: float = INFINITY

    def __post_init__(self) -> None:
        _need(self.low < self.high, "a truncated law needs 'low' below 'high'")
        first, last = self._ends()
        _need(last - first > 1e-9, f"the law has no draws between {self.low:g} and {self.high:g}")

    def _ends(self) -> tuple[float, float]:
        return float(self.law.cdf(self.low)), float(self.law.cdf(self.high))

    def quantile(self, u: ArrayLike) -> Array:
        first, last = self._ends()
        return np.asarray(np.clip(self.law.quantile(first + np.asarray(u) * (last - first)), self.low, self.high))

    def cdf(self, x: ArrayLike) -> Array:
        first, last = self._ends()
        return np.asarray(np.clip((self.law.cdf(x) - first) / (last - first), 0.0, 1.0))

    @property
    def mean(self) -> float:
        """The integral of the inverse distribution by the tanh-sinh rule, which bears infinite ends."""
        return mean_of(self)

    @property
    def support(self) -> tuple[float, float]:
        least, most = self.law.support
        return max(least, self.low), min(most, self.high)


def mean_of(law: Law) -> float:
    """Mean of a law without a formula: the integral of quantile(u) over u, with u = normal distribution of t.

    The trapezoidal rule in t is exact to rounding for smooth laws, since the integrand and its derivatives vanish at both ends.
    """
    t = np.linspace(-9.0, 9.0, 7201)
    weight = np.exp(-0.5 * t * t) / math.sqrt(2 * math.pi)
    # u of the upper half is 1 minus a number that would round away; no law here has mass that matters beyond 8 sigma
    u = np.clip(ndtr(t), 1e-16, 1 - 1e-16)
    return float((law.quantile(u) * weight).sum() / weight.sum())
