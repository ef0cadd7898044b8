"""Laws given by a table: a choice among values, and values at given shares (a sample, or P10, P50, P90 and so on)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `values`, each with its weight (all alike where none is given).

    u picks in the order given, so weights that change by little move few draws. For names, choose among their numbers
    with `index`.

    Raises:
        ValueError: no values, another number of weights, a negative weight, or none above 0.
    """

    values: tuple[float, ...]
    weights: tuple[float, ...] = ()
    _edges: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weights = np.array(self.weights or (1.0,) * len(self.values), dtype=float)
        if not self.values or not np.all(np.isfinite(np.array(self.values, dtype=float))):
            raise ValueError("a choice needs 'values', all of them numbers")
        if len(weights) != len(self.values):
            raise ValueError(f"a choice has {len(self.values)} values and {len(weights)} weights")
        if not np.all(np.isfinite(weights)) or weights.min() < 0 or weights.sum() <= 0:
            raise ValueError("the weights of a choice are 0 or more, and one is above 0")
        edges = np.cumsum(weights) / weights.sum()
        edges[np.flatnonzero(weights)[-1] :] = 1.0
        object.__setattr__(self, "_edges", edges)

    def index(self, u: ArrayLike) -> NDArray[np.intp]:
        """Which of the values, counted from 0."""
        return np.asarray(np.searchsorted(self._edges, np.asarray(u, dtype=float), side="right").clip(0, self._last))

    @property
    def _last(self) -> int:
        """The last value that has weight."""
        return int(np.searchsorted(self._edges, 1.0, side="left"))

    @property
    def shares(self) -> Array:
        return np.diff(self._edges, prepend=0.0)

    def quantile(self, u: ArrayLike) -> Array:
        """The value picked; an inverse distribution in the strict sense where values ascend."""
        return np.asarray(np.array(self.values, dtype=float)[self.index(u)])

    def cdf(self, x: ArrayLike) -> Array:
        values = np.array(self.values, dtype=float)
        order = np.argsort(values, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(self.shares[order])])
        return np.asarray(
            total[np.searchsorted(values[order], np.asarray(x, dtype=float), side="right")].clip(0.0, 1.0)
        )

    @property
    def mean(self) -> float:
        return float(math.fsum(self.shares * np.array(self.values, dtype=float)))

    @property
    def support(self) -> tuple[float, float]:
        drawn = [value for value, share in zip(self.values, self.shares, strict=True) if share > 0]
        return min(drawn), max(drawn)


@dataclass(frozen=True, slots=True)
class Empirical:
    """Values at given shares, straight between them.

    Where the shares do not reach 0 and 1 the first and the last stretch go on straight: a table of P10, P50, P90 draws
    beyond both ends, as far as the slope there carries.

    Raises:
        ValueError: fewer than two values, values that fall, or shares that do not rise within [0, 1].
    """

    values: tuple[float, ...]
    levels: tuple[float, ...]
    _knots: tuple[Array, Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        x, u = np.array(self.values, dtype=float), np.array(self.levels, dtype=float)
        if len(x) != len(u):
            raise ValueError(f"an empirical law has {len(x)} values and {len(u)} levels")
        if len(x) < 2 or not np.all(np.isfinite(x)) or np.any(np.diff(x) < 0):
            raise ValueError("an empirical law needs two 'values' or more, none below the one before it")
        if not np.all(np.isfinite(u)) or u[0] < 0 or u[-1] > 1 or np.any(np.diff(u) <= 0):
            raise ValueError("the 'levels' of an empirical law rise from 0 or more to 1 or less (0.1 is the P10)")
        if u[0] > 0:
            x = np.concatenate([[x[0] - u[0] * (x[1] - x[0]) / (u[1] - u[0])], x])
            u = np.concatenate([[0.0], u])
        if u[-1] < 1:
            x = np.concatenate([x, [x[-1] + (1 - u[-1]) * (x[-1] - x[-2]) / (u[-1] - u[-2])]])
            u = np.concatenate([u, [1.0]])
        object.__setattr__(self, "_knots", (x, u))

    @classmethod
    def of_sample(cls, values: Sequence[float]) -> Empirical:
        """Measured values: the k-th smallest of n at the share k / (n - 1), so that nothing beyond them is drawn.

        Raises:
            ValueError: fewer than two values, or one that is no number.
        """
        ordered = sorted(float(value) for value in values)
        if len(ordered) < 2:
            raise ValueError("an empirical law needs two values or more")
        return cls(tuple(ordered), tuple(np.linspace(0.0, 1.0, len(ordered)).tolist()))

    def quantile(self, u: ArrayLike) -> Array:
        x, levels = self._knots
        return np.asarray(np.interp(np.asarray(u, dtype=float), levels, x))

    def cdf(self, x: ArrayLike) -> Array:
        """Straight between the knots; at a value that holds a stretch of shares, the end of it."""
        values, levels = self._knots
        at_x = np.asarray(x, dtype=np.float64)
        right = np.searchsorted(values, at_x, side="right")
        at = np.clip(right, 1, len(values) - 1)
        width = values[at] - values[at - 1]
        share = np.divide(at_x - values[at - 1], width, out=np.ones_like(at_x), where=width > 0)
        inside = levels[at - 1] + share * (levels[at] - levels[at - 1])
        return np.asarray(np.where(right == 0, 0.0, np.where(right == len(values), 1.0, inside)))

    @property
    def mean(self) -> float:
        x, levels = self._knots
        return float(math.fsum(0.5 * (x[1:] + x[:-1]) * np.diff(levels)))

    @property
    def support(self) -> tuple[float, float]:
        x, _ = self._knots
        return float(x[0]), float(x[-1])
