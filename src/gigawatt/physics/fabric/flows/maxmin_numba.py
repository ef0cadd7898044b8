"""The rounds of local bottlenecks, compiled; needs the extra `fast`.

Two passes over the paths of open flows a round and no temporary arrays, where NumPy needs about ten passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numba
import numpy as np

from gigawatt.physics.fabric.flows.graph import Array, Ids


def _solve(links: Ids, capacity: Array, weight: Array, same: float) -> Array:
    flows, width = links.shape
    count = capacity.size
    unit = weight.size == 0
    left, open_weight = capacity.copy(), np.zeros(count)
    open_flows = np.zeros(count, np.int32)
    for f in range(flows):
        for w in range(width):
            at = links[f, w]
            if at >= 0:
                open_weight[at] += 1.0 if unit else weight[f]
                open_flows[at] += 1
    share, waits = np.empty(count), np.empty(count, np.bool_)
    rate = np.full(flows, np.inf)
    # Open flows in order, so that a round walks through memory once.
    flow, still = np.arange(flows).astype(np.int32), flows
    while still > 0:
        for at in range(count):
            share[at] = left[at] / open_weight[at] if open_flows[at] > 0 else np.inf
            waits[at] = False
        for spot in range(still):
            f = flow[spot]
            reach = np.inf
            for w in range(width):
                at = links[f, w]
                if at >= 0 and share[at] < reach:
                    reach = share[at]
            rate[f] = reach
            for w in range(width):
                at = links[f, w]
                if at >= 0 and reach < share[at] * (1.0 - same):
                    waits[at] = True
        kept = 0
        for spot in range(still):
            f = flow[spot]
            settled = rate[f] == np.inf
            for w in range(width):
                at = links[f, w]
                settled = settled or (at >= 0 and not waits[at])
            if not settled:
                flow[kept] = f
                kept += 1
            elif rate[f] < np.inf:
                mine = 1.0 if unit else weight[f]
                rate[f] *= mine
                for w in range(width):
                    at = links[f, w]
                    if at >= 0:
                        left[at] = max(0.0, left[at] - rate[f])
                        open_weight[at] -= mine
                        open_flows[at] -= 1
        still = kept
    return rate


_compiled = cast(Callable[..., Array], numba.njit(cache=True)(_solve))


def local_bottlenecks(links: Ids, capacity: Array, weight: Array | None, same: float) -> Array:
    """As `max_min`, whose arguments it takes checked; shares closer than `same` are one level."""
    return _compiled(np.ascontiguousarray(links), capacity, np.empty(0) if weight is None else weight, same)
