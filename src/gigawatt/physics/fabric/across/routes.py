"""Ways over sites: shortest paths, and what an all-reduce costs on them.

An exchange of G bytes (the gradient of one site) takes G x seconds_per_byte + latency. With s sites, rates w of links one
way, l the transfers of a step that share a link:

    ring          2 (s-1)/s max(l/w)           delays of 2 (s-1) hops in a row, the slowest start
    two_way_ring  (s-1)/s max(l/w)             half the bytes each way round; l counts both
    tree          max(1/w) over its links      2 x the farthest leaf; pieces small enough to fill the pipe
    direct        2/s max(l/w)                 2 x the farthest pair; all pairs at once

The ring, tree and direct forms are those of collectives in general (Thakur, Rabenseifner, Gropp 2005); that all transfers
go on at once and share links evenly is our assumption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.across.sites import Array, Sites

ALGORITHMS = ("ring", "two_way_ring", "tree", "direct")


@dataclass(frozen=True, slots=True)
class Paths:
    """Shortest paths by delay: `delay_s` (n, n) one way, `towards` (n, n) the next site on the way."""

    delay_s: Array
    towards: NDArray[np.intp]

    @property
    def round_trip_s(self) -> Array:
        """There and back, (n, n)."""
        return np.asarray(self.delay_s + self.delay_s.T, dtype=np.float64)


def paths(sites: Sites) -> Paths:
    """Shortest paths between all sites (Floyd and Warshall)."""
    n = sites.count
    delay = np.where(np.eye(n, dtype=bool), 0.0, np.inf)
    towards = np.tile(np.arange(n), (n, 1))
    for (a, b), link_s in zip(sites.ends, sites.link_s, strict=True):
        delay[a, b] = delay[b, a] = min(delay[a, b], link_s)
    for k in range(n):
        through = delay[:, k, None] + delay[None, k, :]
        shorter = through < delay
        delay = np.where(shorter, through, delay)
        towards = np.where(shorter, towards[:, k, None], towards)
    return Paths(delay, towards)


@dataclass(frozen=True, slots=True)
class Exchange:
    """All-reduce among sites: seconds = bytes x `seconds_per_byte` + `latency_s`."""

    name: str
    seconds_per_byte: float
    latency_s: float

    def seconds(self, nbytes: ArrayLike) -> Array:
        """Seconds for the gradient bytes of one site."""
        return np.asarray(np.asarray(nbytes, dtype=np.float64) * self.seconds_per_byte + self.latency_s)


def _rates(sites: Sites) -> Array:
    """Bytes/s from site to site over a direct link, 0 where there is none; parallel links add up."""
    rate = np.zeros((sites.count, sites.count))
    np.add.at(rate, (sites.ends[:, 0], sites.ends[:, 1]), sites.forward_bytes_per_s)
    np.add.at(rate, (sites.ends[:, 1], sites.ends[:, 0]), sites.back_bytes_per_s)
    return rate


def _load(found: Paths, pairs: Sequence[tuple[int, int]]) -> Array:
    """How many of the transfers pass each link, (n, n)."""
    load = np.zeros_like(found.delay_s)
    for at, goal in pairs:
        while at != goal:
            step = int(found.towards[at, goal])
            load[at, step] += 1
            at = step
    return load


def _slowest(load: Array, rate: Array) -> float:
    """max(load/rate) over links in use, seconds per byte of one transfer."""
    used = load > 0
    return float(np.max(load[used] / rate[used]))


def _ring(found: Paths, rate: Array, name: str) -> Exchange:
    n = len(rate)
    after = [(i, (i + 1) % n) for i in range(n)]
    ways = [after] if name == "ring" else [after, [(j, i) for i, j in after]]
    load = sum((_load(found, way) for way in ways), np.zeros_like(rate))
    latency = 0.0
    for way in ways:
        hop = np.array([found.delay_s[i, j] for i, j in way])
        # 2 (n - 1) hops in a row are two rounds without the last two.
        latency = max(latency, float(2 * hop.sum() - np.min(hop + np.roll(hop, 1))))
    return Exchange(name, 2 * (n - 1) / n / len(ways) * _slowest(load, rate), latency)


def _tree(found: Paths, rate: Array) -> Exchange:
    farthest = found.delay_s.max(axis=1)
    root = int(np.argmin(farthest))
    links = [(i, int(found.towards[i, root])) for i in range(len(rate)) if i != root]
    used = np.array([rate[a, b] for a, b in links] + [rate[b, a] for a, b in links])
    return Exchange("tree", float(np.max(1.0 / used)), 2 * float(farthest[root]))


def _direct(found: Paths, rate: Array) -> Exchange:
    n = len(rate)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    return Exchange("direct", 2.0 / n * _slowest(_load(found, pairs), rate), 2 * float(found.delay_s.max()))


def exchanges(sites: Sites, algorithms: Sequence[str] = ALGORITHMS) -> tuple[Exchange, ...]:
    """What an all-reduce among the sites costs, by algorithm; one site alone costs nothing.

    Raises:
        InputError: unknown algorithm.
    """
    unknown = [
        unknown_name("all-reduce among sites", name, ALGORITHMS) for name in algorithms if name not in ALGORITHMS
    ]
    if unknown or not algorithms:
        raise InputError(unknown or Problem("no_algorithm", "name one of " + ", ".join(ALGORITHMS)))
    if sites.count == 1:
        return tuple(Exchange(name, 0.0, 0.0) for name in algorithms)
    found, rate = paths(sites), _rates(sites)
    make = {"tree": lambda: _tree(found, rate), "direct": lambda: _direct(found, rate)}
    return tuple(make[name]() if name in make else _ring(found, rate, name) for name in algorithms)


def even_exchange(
    sites: ArrayLike, hop_s: ArrayLike, bytes_per_s: ArrayLike, algorithm: str = "ring"
) -> tuple[Array, Array]:
    """Seconds per byte and latency where all hops are alike, for sweeps; arguments broadcast.

    ring 2 (s-1)/(s w) and 2 (s-1) hops; two_way_ring half the bytes from 3 sites on; direct on a mesh 2/(s w) and 2 hops.

    Raises:
        InputError: unknown algorithm (a tree has no even form), fewer than one site, a rate of nothing.
    """
    even = ("ring", "two_way_ring", "direct")
    if algorithm not in even:
        raise InputError(unknown_name("even all-reduce among sites", algorithm, even))
    s, hop, w = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (sites, hop_s, bytes_per_s)))
    problems = [
        Problem(code, text)
        for code, text, bad in (
            ("out_of_range", "sites must be 1 or more", s < 1),
            ("negative_distance", "the delay of a hop must not be negative", hop < 0),
            ("zero_bandwidth", "the rate between sites must be above 0", ~(w > 0)),
        )
        if bool(np.any(bad))
    ]
    if problems:
        raise InputError(problems)
    if algorithm == "direct":
        return np.where(s > 1, 2 / (s * w), 0.0), np.where(s > 1, 2 * hop, 0.0)
    ways = np.where((s > 2) & (algorithm == "two_way_ring"), 2.0, 1.0)
    return 2 * (s - 1) / (s * w * ways), 2 * (s - 1) * hop
