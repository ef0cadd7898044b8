"""The bad end of a result: expected shortfall and the probability of lying below a level, each with its error.

    expected shortfall at a   mean of the worst share a of the draws = q - mean of max(q - y, 0) / a,  q the a-quantile
    its standard error        std of max(q - y, 0) / (a sqrt(n))
    Wilson's interval         (p + z^2/2n -+ z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n)

Errors are those of independent draws; rows of a Sobol' sequence do better. Values that are infinite (a ratio without debt)
count in a probability; a NaN has no place in any and is refused.

Sources: R. T. Rockafellar, S. Uryasev, J. Banking & Finance 26, 1443 (2002); S. Manistre, G. Hancock, North American Actuarial
Journal 9(2), 129 (2005); E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A probability counted on draws: `count` of `of`, with its interval."""

    share: float
    low: float
    high: float
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Mean of the worst draws, its standard error, and the quantile where they begin."""

    mean: float
    error: float
    quantile: float


def expected_shortfall(values: ArrayLike, share: float = 0.1, *, worst: str = "low") -> Shortfall:
    """Mean of the worst `share` of the draws; the last of them counts in part, so that it is exactly that share.

    Args:
        values: [draws], finite.
        share: such as 0.05.
        worst: "low" for a worth, "high" for a cost.

    Raises:
        ValueError: no draws, draws not finite, a share outside (0, 1], or another word for worst.
    """
    y = _numbers(values)
    if not np.all(np.isfinite(y)):
        raise ValueError("an expected shortfall needs draws that are finite")
    if not 0 < share <= 1 or worst not in ("low", "high"):
        raise ValueError(
            "an expected shortfall needs a share above 0 and up to 1, and 'low' or 'high' as the worst end"
        )
    sign = 1.0 if worst == "low" else -1.0
    ordered, n = np.sort(sign * y), len(y)
    taken = share * n
    q = float(ordered[min(max(int(np.ceil(taken - 1e-9)) - 1, 0), n - 1)])
    below = np.maximum(q - ordered, 0.0)
    mean = q - float(below.sum()) / taken
    error = float(below.std()) / (share * np.sqrt(n))
    return Shortfall(sign * mean, error, sign * q)


def probability_below(values: ArrayLike, level: float, confidence: float = 0.9) -> Share:
    """Share of the draws strictly below a level, such as debt cover below 1.2.

    Raises:
        ValueError: no draws, or a NaN among them.
    """
    y = _numbers(values)
    return wilson(int(np.count_nonzero(y < level)), len(y), confidence)


def wilson(count: int, of: int, confidence: float = 0.9) -> Share:
    """Wilson's interval of a share; it stays inside 0 and 1 and is not empty at 0 of n.

    >>> made = wilson(0, 100)
    >>> made.share, made.low, round(made.high, 4)
    (0.0, 0.0, 0.0263)

    Raises:
        ValueError: not 0 <= count <= of with something counted, or a confidence outside (0, 1).
    """
    if not (0 <= count <= of and of > 0 and 0 < confidence < 1):
        raise ValueError("a share needs 0 <= count <= of, something counted and a confidence between 0 and 1")
    z2 = float(ndtri(0.5 + confidence / 2)) ** 2
    p = count / of
    middle, half = p + z2 / (2 * of), np.sqrt(z2 * (p * (1 - p) / of + z2 / (4 * of * of)))
    low, high = (middle - half) / (1 + z2 / of), (middle + half) / (1 + z2 / of)
    return Share(p, float(max(low, 0.0)) if count else 0.0, float(min(high, 1.0)) if count < of else 1.0, count, of)


def _numbers(values: ArrayLike) -> Array:
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 1 or not y.size or np.any(np.isnan(y)):
        raise ValueError("a column of draws is needed, without a NaN")
    return y
