"""Prices of tokens: what is received of a list price, and how prices fall.

    realised     list x share received (discounts, caches, free use)
    ahead        list x (1 - d)^years at constant quality, d the decline a year
    observed     d = 1 - (p1 / p0)^(1 / years) between two list prices

A vendor's flagship keeps its price while its quality rises, so the decline between two flagships is smaller than the
decline at constant quality, and neither may stand for the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def price_ahead(price: ArrayLike, decline_per_year: ArrayLike, years: ArrayLike) -> Array:
    """Price after some years of decline; takes any matching shapes, in the unit of `price`.

    >>> round(float(price_ahead(10.0, 0.9, 2.0)), 6)
    0.1

    Raises:
        ValueError: a decline of one or more.
    """
    fall = np.asarray(decline_per_year, dtype=np.float64)
    if not np.all(fall < 1):
        raise ValueError("a decline a year lies below 1")
    return np.asarray(np.asarray(price, dtype=np.float64) * (1 - fall) ** np.asarray(years, dtype=np.float64))


def observed_decline(first: ArrayLike, last: ArrayLike, years: ArrayLike) -> Array:
    """Yearly decline between two prices, `years` apart; negative where it rose.

    >>> round(float(observed_decline(60.0, 10.0, 2.42)), 3)
    0.523
    """
    ratio = np.asarray(last, dtype=np.float64) / np.asarray(first, dtype=np.float64)
    return np.asarray(1 - ratio ** (1 / np.asarray(years, dtype=np.float64)))
