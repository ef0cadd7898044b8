"""Uniform and normal numbers by the index of a draw: a draw is the same whatever the chunk it is made in.

Philox is a counter-based generator: draw d of width w starts at counter d ceil(w / 4), since each step of the counter
yields four numbers. So draws 0..n-1 made at once, or in any parts, are equal, and more draws never change the first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# Numbers that one step of the Philox 4x64 counter yields.
_PER_STEP = 4


def uniforms(seed: int, stream: int, count: int, width: int, first: int = 0) -> Array:
    """[count, width] numbers in [0, 1) of draws first .. first + count - 1; `stream` keeps uses of one seed apart.

    >>> whole = uniforms(7, 0, 10, 5)
    >>> bool(np.array_equal(whole[6:], uniforms(7, 0, 4, 5, first=6)))
    True
    """
    steps = -(-width // _PER_STEP)
    bits = np.random.Philox(key=np.array([seed % 2**64, stream], dtype=np.uint64))
    bits.advance(first * steps)
    return np.random.Generator(bits).random((count, steps * _PER_STEP))[:, :width]


def normals(uniform: ArrayLike) -> Array:
    """Standard normal deviates of uniform numbers, by the inverse distribution (0 is taken as the least that is not)."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.maximum(np.asarray(uniform, dtype=np.float64), 2.0**-54)))


def ranged(value: ArrayLike, low: ArrayLike, high: ArrayLike, uniform: ArrayLike) -> Array:
    """Values of a two-piece normal around `value` whose 80 % range is low..high; never below zero for low >= 0.

    The two halves weigh the same, so that `value` is the median. It takes columns of any matching shape.

    >>> ranged(10.0, 8.0, 14.0, [0.1, 0.5, 0.9]).round(6).tolist()
    [8.0, 10.0, 14.0]
    """
    mid, bottom, top = (np.asarray(one, dtype=np.float64) for one in (value, low, high))
    z = normals(uniform)
    made = mid + z * np.where(z < 0, mid - bottom, top - mid) / _Z90
    return np.asarray(np.where(bottom >= 0, np.maximum(made, 0.0), made))


def scaled(value: ArrayLike, low: ArrayLike, high: ArrayLike, uniform: ArrayLike) -> Array:
    """The same in ratios, for what can not be nothing: two-piece lognormal around `value`, all three over zero.

    >>> scaled(10.0, 5.0, 40.0, [0.1, 0.5, 0.9]).round(6).tolist()
    [5.0, 10.0, 40.0]
    """
    mid, bottom, top = (np.log(np.asarray(one, dtype=np.float64)) for one in (value, low, high))
    z = normals(uniform)
    return np.asarray(np.exp(mid + z * np.where(z < 0, mid - bottom, top - mid) / _Z90))


# The 90th percentile of the standard normal.
_Z90 = 1.2815515655446004


def fan(draws: Array) -> dict[str, Array]:
    """P10, P50, P90 and mean over the draws (the leading axis)."""
    low, middle, high = np.percentile(draws, [10, 50, 90], axis=0)
    return {"p10": low, "p50": middle, "p90": high, "mean": draws.mean(axis=0)}
