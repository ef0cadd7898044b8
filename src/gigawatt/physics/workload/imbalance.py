"""How much more than the mean the busiest expert place gets: by chance alone, and by the skew of what is popular.

With n = rows * top_k / ep rows to a place on average, chance spreads the loads by sqrt(f / n) of the mean, where
f = (E - top_k) / (E - 1) since a row's experts differ (a place's own variance is 1 - 1/ep of that, which the fixed sum of
all loads gives back to the largest); experts whose popularity varies by `skew` (standard
deviation over mean) spread a place of E / ep of them by skew / sqrt(E / ep). The largest of ep nearly normal loads lies
z(ep) deviations above the mean, z by Blom's rule (Blom 1958: the normal quantile of (ep - 3/8) / (ep + 1/4)):

    imbalance = 1 + z(ep) * sqrt(f / n + skew^2 ep / E)         and at most ep

Less one it is the "maximal violation" MaxVio by which balanced training is judged (Wang et al. 2024, arXiv 2408.15664).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem


def expected_imbalance(rows: Any, experts: int, top_k: int, ep: int, skew: Any = 0.0) -> Any:
    """Busiest over mean load of `ep` places, for `rows` routed together (numbers or arrays that broadcast).

    `skew` 0 is even popularity, so that only chance is left; many rows then tend to 1. With one place there is none.

    >>> expected_imbalance(1, 8, 2, 1), round(expected_imbalance(4096, 256, 8, 32), 2)
    (1.0, 1.06)

    Raises:
        InputError: no rows, a negative skew, or experts that cannot be spread so.
    """
    count, spread = np.asarray(rows, dtype=np.float64), np.asarray(skew, dtype=np.float64)
    problems = []
    if np.any(count <= 0):
        problems.append(Problem("no_tokens", "a routing needs at least one row"))
    if np.any(spread < 0):
        problems.append(Problem("wrong_value", "a skew of popularity cannot be negative"))
    if min(experts, top_k, ep) < 1 or experts % max(ep, 1) or top_k > experts:
        said = f"{experts} experts, {top_k} of them for each row, cannot be spread over {ep} places"
        problems.append(Problem("experts_not_divisible", said))
    if problems:
        raise InputError(problems)
    if ep == 1:
        made = np.ones(np.broadcast_shapes(count.shape, spread.shape))
        return float(made) if made.ndim == 0 else made
    highest = NormalDist().inv_cdf((ep - 0.375) / (ep + 0.25))
    apart = (experts - top_k) / max(experts - 1, 1)
    made = 1.0 + highest * np.sqrt(apart * ep / (count * top_k) + spread**2 * ep / experts)
    made = np.minimum(made, ep)
    return float(made) if made.ndim == 0 else made
