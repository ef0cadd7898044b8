"""Loads of the experts of one rank: how many token slots each gets, in the few numbers that a kernel's time needs.

T tokens choose k of E experts each; a rank holds E_l of them. A *slot* is a pair (token, expert). Three routings, by
the column `alpha`:

    NaN        every token draws k distinct experts, all equally likely (a router that balances on average):
               n ~ Binomial(T, k/E); E_l (1 - (1 - k/E)^T) experts are active; the mean rank
    0          dealt round: token i takes experts i + j ceil(E/k) mod E; min(E, T k) experts are active; the first rank
    alpha > 0  shares follow a power law of exponent alpha on [1, 0.8 T] ([0.01, 2] when T k <= E), scaled to T k, at
               most T an expert (a token chooses an expert once); the rank with the largest sum

The last two are the public workload generator of the measured tables (`aiconfigurator`, collector/helper.py, 2026),
there the mean of five fresh random draws; here always the same `DRAWS` stratified ones, so that columns repeat and
change smoothly. Reduced form: `alpha` NaN needs no draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
TILES_M = (8, 16, 32, 64, 128, 256)  # rows of a tile, of all kernels that are fitted
DRAWS = 8
POINTS = 24  # quantiles of a random load; places on the circle of tokens
BLOCK = 500_000  # loads worked on at a time


@dataclass(frozen=True, slots=True)
class Loads:
    """Of one rank, a column each: active experts, slots, tokens with a slot here, largest load, and tiles.

    `tiles[j]` is the sum over experts of ceil(load / TILES_M[j]). Means over draws, hence not whole numbers.
    """

    active: Array
    slots: Array
    tokens: Array
    hottest: Array
    tiles: Array

    def take(self, index: NDArray[np.intp] | slice) -> Loads:
        """The rows named."""
        tiles = self.tiles[:, index]
        return Loads(self.active[index], self.slots[index], self.tokens[index], self.hottest[index], tiles)


def active_experts(tokens: Array, topk: Array, experts: Array) -> Array:
    """Mean number of experts that see a token: E (1 - (1 - k/E)^T), uniform routing."""
    miss = np.log1p(-np.minimum(topk / experts, 1.0 - 1e-12))
    hit: Array = experts * -np.expm1(tokens * miss)
    return hit


def rank_loads(
    tokens: ArrayLike, topk: ArrayLike, experts: ArrayLike, local: ArrayLike, alpha: ArrayLike = np.nan
) -> Loads:
    """Loads of the rank that a step waits for, one row each.

    Args:
        tokens: tokens of all ranks of the expert-parallel group, T >= 1 (below 1 counts as 1).
        topk: experts a token, k <= E.
        experts: experts of the layer, E.
        local: experts of the rank, E_l <= E.
        alpha: NaN random, 0 dealt round, above 0 the exponent of a power law.

    Raises:
        InputError: a count below 1, k or E_l above E, or a negative alpha.
    """
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (tokens, topk, experts, local, alpha)))
    t, k, e, mine, a = (np.ravel(column) for column in columns)
    _check(k, e, mine, a)
    t = np.maximum(t, 1.0)
    # Rows of a sweep repeat the same few routings: work on those that differ.
    first, index = _distinct(t, k, e, mine, a)
    t, k, e, mine, a = (column[first] for column in (t, k, e, mine, a))
    out = np.empty((4 + len(TILES_M), t.size))
    random = np.isnan(a)
    for part in _parts(np.flatnonzero(random), BLOCK // POINTS):
        out[:, part] = _random(t[part], k[part], e[part], mine[part])
    for size in np.unique(e[~random]):
        for part in _parts(np.flatnonzero(~random & (e == size)), BLOCK // (DRAWS * int(size))):
            out[:, part] = _drawn(t[part], k[part], int(size), mine[part], a[part])
    full = out[:, index]
    return Loads(full[0], full[1], full[2], full[3], full[4:])


def _check(k: Array, e: Array, mine: Array, a: Array) -> None:
    found = []
    if (k < 1).any() or (e < 1).any() or (mine < 1).any():
        found.append("top-k, experts and experts of a rank are at least 1")
    if (k > e).any():
        found.append("a token cannot choose more experts than there are")
    if (mine > e).any():
        found.append("a rank cannot hold more experts than there are")
    if (a < 0).any():
        found.append("alpha is 0 (dealt round), above 0 (power law) or NaN (random)")
    if found:
        raise InputError([Problem("bad_routing", text) for text in found])


def _distinct(*columns: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row of each distinct combination, and which combination each row is."""
    key = np.zeros(columns[0].size, np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            key = (key ^ np.where(np.isnan(column), -1.0, column).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    if all(np.array_equal(column, column[first][index], equal_nan=True) for column in columns):
        return first, index
    return np.arange(key.size), np.arange(key.size)  # two combinations share a key: work on every row


def _parts(rows: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    return [rows[start : start + max(size, 1)] for start in range(0, rows.size, max(size, 1))]


@lru_cache(maxsize=1)
def _normal() -> Array:
    """Standard normal quantiles at the middle of `POINTS` equal shares."""
    return np.asarray(ndtri((np.arange(POINTS) + 0.5) / POINTS), np.float64)


def _touched(t: Array, k: Array, share: Array) -> Array:
    """Tokens with at least one of k slots in a share of all slots, slots independent."""
    seen: Array = t * -np.expm1(k * np.log1p(-np.minimum(share, 1.0 - 1e-12)))
    return seen


def _random(t: Array, k: Array, e: Array, mine: Array) -> Array:
    mean, share = t * k / e, mine / e
    active = np.maximum(active_experts(t, k, e) * share, np.minimum(1.0, mean * mine))
    spread = np.sqrt(mean * (1.0 - k / e))
    load = np.maximum(mean + spread * _normal()[:, None], 0.0)
    tiles = [active + mine * np.maximum(np.ceil(load / bm) - 1.0, 0.0).mean(axis=0) for bm in TILES_M]
    # The largest of E_l loads lies about sqrt(2 ln E_l) deviations above the mean.
    hottest = np.maximum(mean + spread * np.sqrt(2.0 * np.log(mine)), np.minimum(1.0, mean * mine))
    return np.stack([active, mean * mine, _touched(t, k, share), np.minimum(hottest, t), *tiles])


@lru_cache(maxsize=64)
def _uniforms(size: int) -> Array:
    """[DRAWS, size] stratified uniforms in random order: the same for every number of tokens."""
    rng = np.random.default_rng(20240 + size)
    strata = np.stack([rng.permutation(size) for _ in range(DRAWS)])
    return np.asarray((strata + rng.random((DRAWS, size))) / size, np.float64)


def _drawn(t: Array, k: Array, e: int, mine: Array, a: Array) -> Array:
    """Rows dealt round or by a power law, [4 + tiles, rows]."""
    total = np.rint(t * k)
    flat = a == 0.0
    loads = np.where(flat[:, None, None], _dealt_round(t, k, e)[:, None], _power_law(t, total, e, a))
    out = np.empty((4 + len(TILES_M), t.size))
    for held in np.unique(mine):
        rows = np.flatnonzero(mine == held)
        ranks, size = max(1, int(e // held)), int(held)
        of_ranks = loads[rows][:, :, : ranks * size].reshape(rows.size, DRAWS, ranks, size)
        most = np.ceil(t[rows])[:, None, None, None]
        if ranks * size == e:
            of_ranks = np.minimum(_completed(of_ranks, total[rows]), most)
            # What experts at the limit could not take is shared by the room that is left.
            room = most - of_ranks
            left = total[rows][:, None] - of_ranks.sum(axis=(2, 3))
            of_ranks = of_ranks + room * (left / np.maximum(room.sum(axis=(2, 3)), 1e-9))[:, :, None, None]
        busiest = np.where(flat[rows][:, None], 0, of_ranks.sum(axis=3).argmax(axis=2))
        chosen = np.take_along_axis(of_ranks, busiest[:, :, None, None], axis=2)[:, :, 0]
        round_robin = t[rows] * np.minimum(1.0, size / np.ceil(e / k[rows]))
        seen = np.where(flat[rows], round_robin, _touching(of_ranks, busiest, t[rows])) if ranks > 1 else t[rows]
        kinds = [(chosen > 0).sum(axis=2), chosen.sum(axis=2), seen[:, None], chosen.max(axis=2)]
        kinds += [np.ceil(chosen / bm).sum(axis=2) for bm in TILES_M]
        out[:, rows] = np.stack([kind.mean(axis=1) for kind in kinds])
    return out


def _power_law(t: Array, total: Array, e: int, a: Array) -> Array:
    """[rows, DRAWS, E] whole loads, at most T each; what rounding and that limit leave over is not dealt out yet."""
    wide = total > e
    low, high = np.where(wide, 1.0, 0.01), np.where(wide, np.maximum(0.8 * t, 1.0 + 1e-9), 2.0)
    power = np.where(np.abs(1.0 - a) < 1e-6, 1e-6, 1.0 - a)
    lo, hi = low**power, high**power
    shares = (lo[:, None, None] + (hi - lo)[:, None, None] * _uniforms(e)) ** (1.0 / power)[:, None, None]
    loads: Array = np.rint(shares / shares.sum(axis=2, keepdims=True) * total[:, None, None])
    return np.minimum(loads, np.ceil(t)[:, None, None])


def _completed(loads: Array, total: Array) -> Array:
    """[rows, draws, ranks, held] with the sum `total`: ranks in turn add to their smallest load, or take from the largest."""
    ranks, held = loads.shape[2:]
    missing = (total[:, None] - loads.sum(axis=(2, 3)))[:, :, None]
    turn = np.arange(ranks)
    each = np.sign(missing) * (np.abs(missing) // ranks + (turn < np.abs(missing) % ranks))
    order = np.argsort(np.where(each[..., None] < 0, -loads, loads), axis=3, kind="stable")
    count = np.abs(each)[..., None]
    change = np.sign(each)[..., None] * (count // held + (np.arange(held) < count % held))
    step = np.zeros_like(loads)
    np.put_along_axis(step, order, change, axis=3)
    return np.maximum(loads + step, 0.0)


def _touching(of_ranks: Array, busiest: NDArray[np.intp], t: Array) -> Array:
    """Tokens with an expert on the busiest rank: the generator deals experts, by falling load, round the tokens."""
    rows, draws, ranks, held = of_ranks.shape
    every = of_ranks.reshape(rows, draws, ranks * held)
    order = np.argsort(-every, axis=2, kind="stable")
    falling = np.take_along_axis(every, order, axis=2)
    starts = np.empty_like(every)
    np.put_along_axis(starts, order, np.cumsum(falling, axis=2) - falling, axis=2)
    pick = busiest[:, :, None, None]
    first = np.take_along_axis(starts.reshape(of_ranks.shape), pick, axis=2)[:, :, 0]
    load = np.take_along_axis(of_ranks, pick, axis=2)[:, :, 0]
    covered = np.zeros((rows, draws))
    for point in (np.arange(POINTS) + 0.5) / POINTS:
        offset = np.mod(np.floor(point * t)[:, None, None] - first, t[:, None, None])
        covered += (offset < load).any(axis=2)
    touching: Array = t * covered.mean(axis=1) / POINTS
    return touching


def _dealt_round(t: Array, k: Array, e: int) -> Array:
    """[rows, E] loads where token i takes i + j ceil(E/k); fewer tokens than the stride are spread over it."""
    expert = np.arange(e)
    stride = np.ceil(e / k)
    whole = np.ceil(t)
    # Of the first choice: how often each expert is token i mod E, or the floor of i stride / T.
    every = np.floor(whole / e)[:, None] + (expert < (whole % e)[:, None])
    step = (stride / whole)[:, None]
    spread = (np.ceil((expert + 1) / step) - np.ceil(expert / step) > 0) & (expert < stride[:, None])
    first = np.where((whole < stride)[:, None], spread, every)
    loads = np.zeros_like(first, dtype=np.float64)
    for j in range(int(k.max())):
        moved = np.take_along_axis(first, ((expert - j * stride[:, None]) % e).astype(np.intp), axis=1)
        loads += np.where((j < k)[:, None], moved, 0.0)
    return loads
