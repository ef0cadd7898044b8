"""The same max-min rates, compiled: links wait in a heap by their share; needs the extra `fast`.

The share of a link only rises as flows elsewhere freeze, so a key in the heap is a lower bound. Pop the least; if its
share has risen since, push it back; else it is the next full link: freeze its open flows at that share and take their
rates from the other links they cross. Each flow freezes once: O(path entries + pops x log links).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

from gigawatt.physics.fabric.flows.graph import Array, Ids


def _sift_down(key: Array, link: Any, size: int, at: int) -> None:
    top_key, top_link = key[at], link[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= top_key:
            break
        key[at], link[at] = key[child], link[child]
        at = child
    key[at], link[at] = top_key, top_link


def _solve(links: Ids, capacity: Array, weight: Array) -> Array:
    flows, width = links.shape
    count = capacity.size
    # Flows of each link: first[l] .. first[l + 1] in `of`.
    first = np.zeros(count + 1, np.int64)
    for f in range(flows):
        for w in range(width):
            if links[f, w] >= 0:
                first[links[f, w] + 1] += 1
    for at in range(count):
        first[at + 1] += first[at]
    of = np.empty(first[count], np.int32)
    place = first[:-1].copy()
    left, open_weight = capacity.copy(), np.zeros(count)
    open_flows = np.zeros(count, np.int64)
    unit = weight.size == 0
    for f in range(flows):
        for w in range(width):
            at = links[f, w]
            if at >= 0:
                of[place[at]] = f
                place[at] += 1
                open_weight[at] += 1.0 if unit else weight[f]
                open_flows[at] += 1
    key, heap, size = np.empty(count), np.empty(count, np.int32), 0
    for at in range(count):
        if open_flows[at] > 0 and left[at] < np.inf:
            key[size], heap[size] = left[at] / open_weight[at], at
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        _sift(key, heap, size, at)
    rate = np.full(flows, np.inf)
    while size > 0:
        full = heap[0]
        if open_flows[full] > 0:
            share = left[full] / open_weight[full]
            if share > key[0] * (1.0 + 1e-12):
                key[0] = share
                _sift(key, heap, size, 0)
                continue
            for spot in range(first[full], first[full + 1]):
                f = of[spot]
                if rate[f] < np.inf:
                    continue
                mine = 1.0 if unit else weight[f]
                rate[f] = share * mine
                for w in range(width):
                    at = links[f, w]
                    if at >= 0:
                        left[at] = max(0.0, left[at] - rate[f])
                        open_weight[at] -= mine
                        open_flows[at] -= 1
        size -= 1
        key[0], heap[0] = key[size], heap[size]
        if size > 0:
            _sift(key, heap, size, 0)
    return rate


_compile = cast(Callable[[Any], Any], numba.njit(cache=True))
_sift = _compile(_sift_down)
_compiled = _compile(_solve)


def lazy_heap(links: Ids, capacity: Array, weight: Array | None) -> Array:
    """As `max_min`, whose arguments it takes checked."""
    rates: Array = _compiled(np.ascontiguousarray(links), capacity, np.empty(0) if weight is None else weight)
    return rates
