"""Lengths of answers: log-normal, cut at the most tokens that are allowed. Means, the longest of many, what is left.

    F(x) = Phi((ln x - mu) / s)  below the cut, 1 at it       mu so that E[min(L, cut)] is the mean that was asked for
    E[longest of n] = integral of 1 - F(x)^n                  (0 to the cut)
    left after x of what is under way at a random time        S_e(x) = integral from x of S / mean   (renewal theory)

s = 0.99 is a 99th percentile of ten times the median, as published for reasoning and agents (calibration `post-training`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from gigawatt.core.errors import InputError, Problem

Floats = NDArray[np.float64]
GRID = 513
EQUAL = 0.02  # lengths that differ by less than this (of the logarithm) are taken as equal


@dataclass(frozen=True, slots=True)
class Lengths:
    """`mean` tokens as written (after the cut), `sigma` of the logarithm before it, `cut` the most that are allowed.

    Where all lengths are equal, `cut` is the mean.
    """

    mean: float
    sigma: float
    cut: float

    @property
    def mu(self) -> float:
        """Mean of the logarithm before the cut."""
        return _mu(self.mean, self.sigma, self.cut)

    @property
    def second_moment(self) -> float:
        """E[L^2] after the cut."""
        if self.sigma == 0.0:
            return self.mean**2
        mu, s = self.mu, self.sigma
        below = np.exp(2 * mu + 2 * s * s) * ndtr((np.log(self.cut) - mu - 2 * s * s) / s)
        return float(below + self.cut**2 * ndtr((mu - np.log(self.cut)) / s))

    @property
    def cv(self) -> float:
        """Coefficient of variation after the cut."""
        return float(np.sqrt(max(self.second_moment / self.mean**2 - 1.0, 0.0)))

    @property
    def weighted_mean(self) -> float:
        """Mean length of the answer that a random token belongs to, E[L^2] / E[L]."""
        return self.second_moment / self.mean

    def survival(self, tokens: ArrayLike) -> Floats:
        """Share of answers longer than `tokens`."""
        x = np.asarray(tokens, dtype=np.float64)
        if self.sigma == 0.0:
            return np.asarray(x < self.mean, dtype=np.float64)
        beyond = ndtr((self.mu - np.log(np.maximum(x, 1e-9))) / self.sigma)
        return np.asarray(np.where(x < self.cut, beyond, 0.0))

    def grid(self) -> Floats:
        """Points from 0 to the cut, closer where answers end."""
        if self.sigma == 0.0:
            return np.linspace(0.0, self.mean, 9)
        low = max(self.cut * 1e-4, 1e-3)
        return np.concatenate([[0.0], np.geomspace(low, self.cut, GRID - 1)])

    def residual(self, tokens: ArrayLike) -> Floats:
        """Share of the answers under way at a random time with more than `tokens` still to write."""
        x = np.asarray(tokens, dtype=np.float64)
        if self.sigma == 0.0:
            return np.asarray(np.clip(1.0 - x / self.mean, 0.0, 1.0))
        grid = self.grid()
        s = self.survival(np.minimum(grid, self.cut * (1.0 - 1e-12)))
        steps = 0.5 * (s[1:] + s[:-1]) * np.diff(grid)
        after = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
        return np.asarray(np.interp(x, grid, after / after[0], right=0.0))

    def longest(self, count: float, left: bool = False) -> float:
        """Expected tokens of the longest of `count` answers; `left`: of what is left of `count` under way."""
        if count <= 0:
            return 0.0
        grid = self.grid()
        alive = self.residual(grid) if left else self.survival(np.minimum(grid, self.cut * (1.0 - 1e-12)))
        some = -np.expm1(count * np.log1p(-np.minimum(alive, 1.0 - 1e-15)))
        return float(np.trapezoid(some, grid))

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Random lengths."""
        if self.sigma == 0.0:
            return np.full(count, self.mean)
        return np.asarray(np.minimum(np.exp(rng.normal(self.mu, self.sigma, count)), self.cut))


def lengths(mean: float, sigma: float, cut: float) -> Lengths:
    """Lengths with a given mean.

    Raises:
        InputError: a mean that is not above zero or beyond the cut, a negative sigma, a mean so near the cut that no
            log-normal of that sigma has it.
    """
    problems = []
    if not mean > 0:
        problems.append(Problem("out_of_range", f"the mean length is {mean:g} tokens; it must be above zero"))
    if not sigma >= 0 or sigma > 4:
        problems.append(Problem("out_of_range", f"sigma of the lengths is {sigma:g}; it lies between 0 and 4"))
    if mean > cut:
        hint = f"allow at least {mean:,.0f} tokens, or write fewer"
        problems.append(
            Problem("out_of_range", f"a mean of {mean:,.0f} tokens does not fit a cut at {cut:,.0f}", None, (hint,))
        )
    if problems:
        raise InputError(problems)
    if sigma > 0 and mean > 0.995 * cut:
        hint = "with answers that nearly all reach the cut, say sigma 0"
        message = f"a mean of {mean:,.0f} tokens is too near the cut at {cut:,.0f} for lengths that differ"
        raise InputError(Problem("out_of_range", message, None, (hint,)))
    if sigma < EQUAL:
        return Lengths(float(mean), 0.0, float(mean))
    return Lengths(float(mean), float(sigma), float(cut))


@lru_cache(maxsize=256)
def _mu(mean: float, sigma: float, cut: float) -> float:
    """Bisection: the mean after the cut rises with mu."""
    low, high = np.log(mean) - 0.5 * sigma * sigma - 1e-9, np.log(cut) + 6.0 * max(sigma, 1.0)
    for _ in range(80):
        mu = 0.5 * (low + high)
        below = np.exp(mu + 0.5 * sigma**2) * ndtr((np.log(cut) - mu - sigma**2) / sigma)
        found = below + cut * ndtr((mu - np.log(cut)) / sigma)
        low, high = (mu, high) if found < mean else (low, mu)
    return float(0.5 * (low + high))
