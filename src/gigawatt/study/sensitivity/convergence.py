"""Are the samples enough? Percentiles as draws are added, their standard errors, and what doubling the draws changed.

    running      percentiles of the first n rows, n doubling
    error        of a percentile from B stretches of rows:  std of the stretches' percentiles / sqrt(B)
                 or from independent replicates of the whole study, which is right for a Sobol' sequence: the same formula
    halving      |percentile of all - percentile of the first half|, against a share of P10 .. P90

Stretches are aligned powers of two where the rows allow it: each is then as even a net as the sequence can give. Stretches of
one scramble are fewer rows than the whole and not independent, so their error overstates that of the whole: a Sobol' sequence
gains from being whole. Rows of an order statistic give the band that holds for independent draws of any law.

Sources: A. B. Owen, "Monte Carlo theory, methods and examples" (2013), chapters 2 and 17; H. A. David, H. N. Nagaraja, "Order
Statistics" (3rd ed. 2003), section 7.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Running:
    """Percentiles of the first `count[s]` rows, [steps, levels], each with its standard error from stretches."""

    count: NDArray[np.int64]
    levels: tuple[float, ...]
    percentiles: Array
    errors: Array


@dataclass(frozen=True, slots=True)
class Halving:
    """What the second half of the rows changed, by level, and whether that is little.

    `change` and `error` are shares of the distance between the lowest and the highest level. `enough` where all changes and
    twice all errors stay within `tolerance`. `needed` guesses how many rows would be enough, the error falling with the square
    root of their number; it is the present number where they are.
    """

    rows: int
    change: Array
    error: Array
    tolerance: float
    enough: bool
    needed: int


def running(values: ArrayLike, levels: Sequence[float] = LEVELS, first: int = 64, stretches: int = 8) -> Running:
    """Percentiles of the first 64, 128, 256, ... rows and of all.

    Raises:
        ValueError: fewer than two rows a stretch, or values that are not finite.
    """
    y = _numbers(values, 2 * stretches)
    count, n = [], first
    while n < len(y):
        if n >= 2 * stretches:
            count.append(n)
        n *= 2
    count.append(len(y))
    made = np.array([np.quantile(y[:n], levels) for n in count])
    errors = np.array([stretch_errors(y[:n], levels, stretches) for n in count])
    return Running(np.array(count, dtype=np.int64), tuple(levels), made, errors)


def stretch_errors(values: ArrayLike, levels: Sequence[float] = LEVELS, stretches: int = 8) -> Array:
    """Standard error of percentiles, from stretches of rows; [levels]. Rows beyond the last whole stretch are left out.

    Raises:
        ValueError: fewer than two rows a stretch, fewer than two stretches, or values that are not finite.
    """
    if stretches < 2:
        raise ValueError("a standard error needs two stretches or more")
    y = _numbers(values, 2 * stretches)
    each = len(y) // stretches
    parts = np.quantile(y[: each * stretches].reshape(stretches, each), levels, axis=1)
    return np.asarray(parts.std(axis=1, ddof=1) / np.sqrt(stretches))


def replicate_errors(estimates: ArrayLike) -> tuple[Array, Array]:
    """Mean and standard error of estimates [replicates, ...] from independent scrambles of the sequence.

    Raises:
        ValueError: fewer than two replicates.
    """
    made = np.asarray(estimates, dtype=np.float64)
    if len(made) < 2:
        raise ValueError("a standard error needs two replicates or more")
    return np.asarray(made.mean(axis=0)), np.asarray(made.std(axis=0, ddof=1) / np.sqrt(len(made)))


def percentile_band(values: ArrayLike, level: float, confidence: float = 0.9) -> tuple[float, float]:
    """Two draws between which the percentile lies with this confidence, whatever the law (independent draws).

    The ranks are n p -+ z sqrt(n p (1 - p)), moved outwards to whole ones; the least or largest draw where there are too few.

    Raises:
        ValueError: a level or confidence outside (0, 1), no draws, or draws that are not finite.
    """
    if not (0 < level < 1 and 0 < confidence < 1):
        raise ValueError("a level and a confidence lie between 0 and 1")
    y = np.sort(_numbers(values, 1))
    n = len(y)
    half = float(ndtri(0.5 + confidence / 2)) * np.sqrt(n * level * (1 - level))
    low, high = int(np.floor(n * level - half)) - 1, int(np.ceil(n * level + half))
    return float(y[max(low, 0)]), float(y[min(high, n - 1)])


def halving(
    values: ArrayLike, levels: Sequence[float] = LEVELS, tolerance: float = 0.02, stretches: int = 8
) -> Halving:
    """Whether twice the rows said the same as half of them.

    Args:
        values: [rows], in the order of the sequence.
        levels: of the percentiles that are told.
        tolerance: as a share of the distance between the lowest and the highest of them.
        stretches: for the errors.

    Raises:
        ValueError: fewer than four rows a stretch, or values that are not finite.
    """
    y = _numbers(values, 4 * stretches)
    whole, half = np.quantile(y, levels), np.quantile(y[: len(y) // 2], levels)
    errors = stretch_errors(y, levels, stretches)
    spread = float(whole[-1] - whole[0])
    if spread <= 0:
        none = np.zeros(len(levels))
        return Halving(len(y), none, none, tolerance, True, len(y))
    change, error = np.abs(whole - half) / spread, errors / spread
    worst = max(float(change.max()), 2 * float(error.max()))
    enough = worst <= tolerance
    needed = len(y) if enough else int(2 ** np.ceil(np.log2(len(y) * (worst / tolerance) ** 2)))
    return Halving(len(y), np.asarray(change), np.asarray(error), tolerance, enough, needed)


def _numbers(values: ArrayLike, least: int) -> Array:
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 1 or len(y) < least:
        raise ValueError(f"a column of {least} draws or more is needed")
    if not np.all(np.isfinite(y)):
        raise ValueError("percentiles need draws that are finite")
    return y
