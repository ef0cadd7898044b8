"""Learning curves: cost falls by the same share with every doubling of all that was ever made (Wright 1936).

    c = c0 (N / N0)^-b          LR = 1 - 2^-b          b = -log2(1 - LR)

N is cumulative output; where only an installed stock is known, it stands in for it, and so is said. The rate holds for
one boundary: compute per dollar may learn while dollars per gigawatt rise, since each gigawatt holds more compute.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def exponent(learning_rate: ArrayLike) -> Array:
    """b of a learning rate (share of cost saved per doubling).

    >>> round(float(exponent(0.2)), 4)
    0.3219

    Raises:
        ValueError: a rate of one or more.
    """
    rate = np.asarray(learning_rate, dtype=np.float64)
    if not np.all(rate < 1):
        raise ValueError("a learning rate lies below 1")
    return np.asarray(-np.log2(1 - rate))


def learning_rate(b: ArrayLike) -> Array:
    """The share of cost saved per doubling of an exponent."""
    return np.asarray(1 - 2.0 ** -np.asarray(b, dtype=np.float64))


def cost_factor(b: ArrayLike, made: ArrayLike, made_at_start: ArrayLike) -> Array:
    """Cost over the cost at the start, after `made` of all units ever.

    >>> round(float(cost_factor(exponent(0.2), 4.0, 1.0)), 6)
    0.64
    """
    ratio = np.asarray(made, dtype=np.float64) / np.asarray(made_at_start, dtype=np.float64)
    return np.asarray(ratio ** -np.asarray(b, dtype=np.float64))


def implied_exponent(cost_ratio: ArrayLike, volume_ratio: ArrayLike) -> Array:
    """b that makes cost change by `cost_ratio` while volume grows by `volume_ratio`, over the same time.

    Compute per dollar up 30 % a year, installed compute 2.3-fold a year (Epoch AI):

    >>> round(float(learning_rate(implied_exponent(1 / 1.3, 2.3))), 3)
    0.196
    """
    return np.asarray(-np.log(np.asarray(cost_ratio, np.float64)) / np.log(np.asarray(volume_ratio, np.float64)))
