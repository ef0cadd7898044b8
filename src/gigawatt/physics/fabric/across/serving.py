"""Serving over sites: what distance adds to an answer, moving a KV cache, moving load, spare capacity that sites share.

    added latency      round trips x 2 x one-way delay
    moving a cache     max(bytes/(L w), bytes/w - hidden) + one-way delay      L layers, sent while the prefill still runs
    worth moving       where that is less than tokens / prefill rate

All sites are alike here but for distance: a faster model or a cheaper hour elsewhere is the business of who prices them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.across.constants import packaged
from gigawatt.physics.fabric.across.sites import Array, fibre

MOVING = 1e-6


def one_way_s(
    fibre_km: ArrayLike, *, kind: str = "standard", hops: ArrayLike = 1.0, switch_s: ArrayLike | None = None
) -> Array:
    """Delay of a path: km x seconds/km + sites passed.

    >>> round(float(one_way_s(1000.0, switch_s=0.0)), 6)
    0.005
    """
    passed = packaged().switch_s.value if switch_s is None else switch_s
    km, h, p = (np.asarray(x, dtype=np.float64) for x in (fibre_km, hops, passed))
    if bool(np.any(km < 0)):
        raise InputError(Problem("negative_distance", "a distance is 0 km or more"))
    return np.asarray(km * fibre(kind).fibre_s_per_km + h * p, dtype=np.float64)


def added_ttft_s(one_way: ArrayLike, round_trips: ArrayLike = 1.0) -> Array:
    """What a request sent elsewhere waits longer for its first token: 1 round trip on a warm connection, 2 to 3 on a cold one.

    Tokens after the first stream: their spacing does not change.
    """
    return np.asarray(2 * np.asarray(one_way, dtype=np.float64) * np.asarray(round_trips, dtype=np.float64))


def _positive(**values: ArrayLike) -> None:
    bad = [name for name, value in values.items() if not bool(np.all(np.asarray(value, dtype=np.float64) > 0))]
    if bad:
        raise InputError([Problem("out_of_range", f"{name} must be above 0") for name in bad])


def cache_move_s(
    nbytes: ArrayLike,
    bytes_per_s: ArrayLike,
    one_way: ArrayLike,
    *,
    layers: ArrayLike = 1.0,
    hidden_s: ArrayLike = 0.0,
) -> Array:
    """Seconds until a KV cache is whole at another site, from the end of its prefill; arguments broadcast.

    Args:
        nbytes: of the cache.
        bytes_per_s: of the path, the share that one request gets.
        one_way: delay of the path in seconds.
        layers: pieces that are sent as they are made; the last always shows.
        hidden_s: of prefill behind which the earlier pieces go out.

    Raises:
        InputError: no rate, no layer.
    """
    _positive(bytes_per_s=bytes_per_s, layers=layers)
    size, w, delay, n, hidden = (
        np.asarray(x, dtype=np.float64) for x in (nbytes, bytes_per_s, one_way, layers, hidden_s)
    )
    return np.asarray(np.maximum(size / (n * w), size / w - hidden) + delay, dtype=np.float64)


def break_even_bytes_per_s(
    tokens: ArrayLike, cache_bytes_per_token: ArrayLike, prefill_tokens_per_s: ArrayLike, one_way: ArrayLike
) -> Array:
    """Rate from which fetching a cache is as fast as computing it again; inf where the way alone takes longer.

    tokens x bytes / w + delay = tokens / prefill rate.

    Raises:
        InputError: no tokens, no rate.
    """
    _positive(tokens=tokens, prefill_tokens_per_s=prefill_tokens_per_s)
    n, size, rate, delay = (
        np.asarray(x, dtype=np.float64) for x in (tokens, cache_bytes_per_token, prefill_tokens_per_s, one_way)
    )
    left = n / rate - delay
    return np.asarray(np.where(left > 0, n * size / np.where(left > 0, left, 1.0), np.inf), dtype=np.float64)


def break_even_one_way_s(
    tokens: ArrayLike, cache_bytes_per_token: ArrayLike, prefill_tokens_per_s: ArrayLike, bytes_per_s: ArrayLike
) -> Array:
    """Delay up to which fetching a cache beats computing it again; negative where it never does.

    Raises:
        InputError: no rate.
    """
    _positive(prefill_tokens_per_s=prefill_tokens_per_s, bytes_per_s=bytes_per_s)
    n, size, rate, w = (
        np.asarray(x, dtype=np.float64) for x in (tokens, cache_bytes_per_token, prefill_tokens_per_s, bytes_per_s)
    )
    return np.asarray(n / rate - n * size / w, dtype=np.float64)


def movable_share(ttft_s: ArrayLike, added_s: ArrayLike, budget_s: float) -> Array:
    """Share of requests whose first token is in time though they are served elsewhere.

    Args:
        ttft_s: times to first token at the serving site, a sample of requests (one dimension).
        added_s: what distance adds, any shape; the answer has it.
        budget_s: within which the first token must come.

    Raises:
        InputError: an empty sample.
    """
    sample = np.sort(np.asarray(ttft_s, dtype=np.float64).ravel())
    if not len(sample):
        raise InputError(Problem("empty_sample", "the share that may move needs at least one time to first token"))
    left = budget_s - np.asarray(added_s, dtype=np.float64)
    return np.asarray(np.searchsorted(sample, left, side="right") / len(sample), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Shared:
    """Capacity of sites that may serve each other, (sites,), in the unit of the demand.

    `alone` is what each needs by itself, its own peak; `spare_saved` the share of their sum that sharing saves.
    """

    capacity: Array
    alone: Array

    @property
    def spare_saved(self) -> float:
        """1 - shared capacity / sum of the sites' own peaks."""
        total = float(self.alone.sum())
        return 1.0 - float(self.capacity.sum()) / total if total > 0 else 0.0


def shared_capacity(demand: ArrayLike, share: ArrayLike | None = None) -> Shared:
    """Least capacity, over all sites, that serves every hour's demand where sites may serve each other.

    min sum C_j  so that  sum_j x_ijh = d_ih,  x_ijh <= a_ij d_ih,  sum_i x_ijh <= C_j;  a_ij is the share of site i's load that
    may go to j. Where all may go anywhere this is the peak of the sum (follow the sun); where none may, the sum of the peaks.
    Of the many splits of that capacity it takes one that moves the least load.

    Args:
        demand: (sites, hours), each in its own unit of load.
        share: (sites, sites), of i's load that j may serve, as `movable_share` gives; 1 everywhere where None. A site may
            always serve itself.

    Raises:
        InputError: shapes that do not fit, negative demand, a share outside 0 to 1.
    """
    load = np.asarray(demand, dtype=np.float64)
    if load.ndim != 2 or not load.size:
        raise InputError(Problem("wrong_shape", "demand must be a table of sites x hours"))
    sites, hours = load.shape
    allowed = np.ones((sites, sites)) if share is None else np.array(share, dtype=np.float64)
    problems = []
    if allowed.shape != (sites, sites):
        problems.append(Problem("wrong_shape", f"shares must be a table of {sites} x {sites}"))
    elif bool(np.any((allowed < 0) | (allowed > 1))):
        problems.append(Problem("out_of_range", "a share lies between 0 and 1"))
    if bool(np.any(load < 0)):
        problems.append(Problem("out_of_range", "demand must not be negative"))
    if problems:
        raise InputError(problems)
    np.fill_diagonal(allowed, 1.0)
    return Shared(_least(load, allowed, sites, hours), load.max(axis=1))


def _least(load: Array, allowed: Array, sites: int, hours: int) -> Array:
    """The linear programme, variables C_j and then x_ijh."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    x = np.arange(sites * sites * hours).reshape(sites, sites, hours)
    one = np.ones(x.size)
    i, j, h = (index.ravel() for index in np.indices(x.shape))
    columns = sites + x.ravel()
    served: NDArray[np.intp] = i * hours + h
    used = j * hours + h
    equal = csr_array((one, (served, columns)), shape=(sites * hours, sites + x.size))
    capacity = np.repeat(np.arange(sites), hours)
    over = csr_array(
        (np.concatenate([one, -np.ones(sites * hours)]),
         (np.concatenate([used, np.arange(sites * hours)]), np.concatenate([columns, capacity]))),
        shape=(sites * hours, sites + x.size),
    )  # fmt: skip
    most = (allowed[:, :, None] * load[:, None, :]).ravel()
    bounds = np.column_stack([np.zeros(sites + x.size), np.concatenate([np.full(sites, np.inf), most])])
    # Among plans of equal capacity the one that moves least: a millionth of a unit of capacity for a unit moved all day.
    cost = np.concatenate([np.ones(sites), np.where(i == j, 0.0, MOVING / hours)])
    found = linprog(cost, over, np.zeros(sites * hours), equal, load.ravel(), bounds, method="highs")
    return np.asarray(found.x[:sites], dtype=np.float64)
