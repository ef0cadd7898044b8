"""Max-min fair rates, exact: no flow can be faster unless one that is no faster becomes slower.

Progressive filling raises all rates together and freezes flows at the first full link, one level at a time. Levels at
distant links do not touch each other, so here every round freezes all *local* bottlenecks at once: with the share of a
link = capacity left / weight of its open flows, and the reach of a flow = least share among its links, a link whose
share is the reach of all its flows is a bottleneck whatever happens elsewhere (shares only rise). A few to thirty rounds
instead of thousands of levels, and the same rates.

A flow's path is a row of link ids, -1 where it ends early. A link that stands twice in a row is used twice. Bertsekas
and Gallager, Data Networks, section 6.5.2.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.flows.graph import Array, Ids, Ints, total

SOLVERS = ("auto", "numpy", "numba")
# Loading the compiled form takes about as long as NumPy needs for so many path entries; compiling it once, longer.
_WORTH_COMPILING = 4_000_000
# Shares that differ by rounding alone are the same level; without this they would cost rounds.
_SAME = 1e-12


def max_min(links: Ids, bytes_per_s: ArrayLike, weights: ArrayLike | None = None, *, solver: str = "auto") -> Array:
    """Max-min fair rates in bytes/s, one per flow.

    Args:
        links: (flows, width) int32 ids of the links of each flow's path, padded with -1. A flow with no links has rate
            infinity.
        bytes_per_s: capacity of each link, 0 or more; flows over a link of 0 have rate 0.
        weights: (flows,) above 0: rates are shared in proportion, and the rate returned is the flow's, weight included.
            A class of m like flows is one flow of weight m. All 1 where None.
        solver: numpy, numba (extra `fast`), or auto: numba where installed and the problem is large.

    Raises:
        InputError: unknown solver or numba not installed, negative capacity, weights not above 0, ids out of range.
    """
    capacity = np.ascontiguousarray(bytes_per_s, dtype=np.float64)
    weight = None if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
    _check(links, capacity, weight, solver)
    if solver == "numba" or (solver == "auto" and links.size >= _WORTH_COMPILING and has_numba()):
        return _compiled()(links, capacity, weight, _SAME)
    return _local_bottlenecks(links, capacity, weight)


def has_numba() -> bool:
    """Is the extra `fast` installed?"""
    return importlib.util.find_spec("numba") is not None


def _compiled() -> Callable[[Ids, Array, Array | None, float], Array]:
    from gigawatt.physics.fabric.flows.maxmin_numba import local_bottlenecks

    return local_bottlenecks


def _check(links: Ids, capacity: Array, weight: Array | None, solver: str) -> None:
    if solver not in SOLVERS:
        raise InputError(unknown_name("solver", solver, SOLVERS))
    if solver == "numba" and not has_numba():
        raise InputError(Problem("missing", "solver numba needs the extra: pip install 'gigawatt[fast]'"))
    if links.ndim != 2 or links.dtype != np.int32:
        raise InputError(Problem("type", "links must be an int32 array with a row for each flow"))
    if links.size and (int(links.max()) >= len(capacity) or int(links.min()) < -1):
        raise InputError(Problem("out_of_range", f"link ids must lie in -1 .. {len(capacity) - 1}"))
    if not bool(np.all(capacity >= 0)):
        raise InputError(Problem("out_of_range", "capacities must not be negative"))
    if weight is not None and (weight.shape != (len(links),) or not bool(np.all(weight > 0))):
        raise InputError(Problem("out_of_range", "weights must be above 0, one for each flow"))


def _local_bottlenecks(links: Ids, capacity: Array, weight: Array | None) -> Array:
    """The rounds described above. Arrays are (width, flows): a minimum over a path is then a minimum of few rows."""
    flows, size = len(links), len(capacity)
    # Ends of short paths go to a link that never binds.
    path = np.ascontiguousarray(links.T).astype(np.intp)
    path[path < 0] = size
    left = np.append(capacity, np.inf)
    rate = np.full(flows, np.inf)
    flow = np.arange(flows)
    open_weight, open_count = _loads(path, weight, size)
    share = np.empty(size + 1)
    while len(flow):
        share.fill(np.inf)
        np.divide(left, open_weight, out=share, where=open_count > 0)
        share[size] = np.inf
        each = share[path]
        reach = each.min(axis=0) if len(path) else np.full(len(flow), np.inf)
        # Not yet a bottleneck: some flow of the link is held back more elsewhere.
        waits = np.zeros(size + 1, dtype=np.bool_)
        waits[path[reach < each * (1.0 - _SAME)]] = True
        waits[size] = True
        settled = ~waits[path].all(axis=0) | np.isinf(reach)
        done = flow[settled]
        rate[done] = reach[settled] if weight is None else reach[settled] * weight[done]
        gone = path[:, settled]
        amounts = np.where(np.isinf(rate[done]), 0.0, rate[done])
        left[:size] -= total(gone, np.tile(amounts, len(gone)), size + 1)[:size]
        np.maximum(left, 0.0, out=left)
        flow, path = flow[~settled], path[:, ~settled]
        less_weight, less_count = _loads(gone, None if weight is None else weight[done], size)
        open_count -= less_count
        open_weight = open_count.astype(np.float64) if weight is None else open_weight - less_weight
    return rate


def _loads(path: Ints, weight: Array | None, size: int) -> tuple[Array, Ints]:
    count = np.bincount(path.ravel(), minlength=size + 1)
    if weight is None:
        return count.astype(np.float64), count
    return total(path, np.tile(weight, len(path)), size + 1), count


def link_loads(links: Ids, amounts: ArrayLike, count: int) -> Array:
    """What each of `count` links carries when flow f puts `amounts[f]` on every link of its path: one bincount."""
    wide = np.broadcast_to(np.asarray(amounts, dtype=np.float64)[:, None], links.shape)
    on = links >= 0
    return total(links[on], wide[on], count)
