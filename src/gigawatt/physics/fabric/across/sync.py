"""Synchronous data parallel training over sites: what of the exchange shows, and what binds.

A step computes for c seconds. Its gradient is reduce-scattered in each site, all-reduced across, all-gathered in each site:

    sync     = site + transfer + latency,   transfer = G / efficiency x seconds_per_byte,   G = values x bits / 8
    exposed  = max(sync - overlap c, latency + (site + transfer) / buckets)
    utilisation = c / (c + exposed)

`overlap` is the share of a step behind which the exchange may hide; the last bucket of the gradient is ready only when the
step ends, so its part and the latency always show (buckets inf: the latency alone). The answer is the fastest of the ways an
all-reduce may go over the sites. Across, a value takes `bits`; within a site, `site_bits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.across.constants import Known, packaged
from gigawatt.physics.fabric.across.routes import ALGORITHMS, Exchange, exchanges
from gigawatt.physics.fabric.across.sites import Array, Sites
from gigawatt.physics.fabric.collective import collective_seconds
from gigawatt.physics.fabric.design import Fabric

BINDS = ("hidden behind compute", "site fabric", "bandwidth between sites", "latency between sites")


@dataclass(frozen=True, slots=True)
class Within:
    """The part of an exchange in a site: fabric, data-parallel ranks of a site, ways the model is split over chips.

    Each of the `shards` model-parallel shards has its own group of `ranks`; together they hold the whole gradient.
    `per_domain` as in `collective_seconds`.
    """

    fabric: Fabric
    ranks: int
    shards: int = 1
    per_domain: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One row per call, seconds of a step and its parts. `low` and `high` are the 80 % range of `utilisation`.

    `algorithm` names the way across; `bound` says what takes most of the exchange, or that it is hidden.
    """

    compute_s: Array
    site_s: Array
    transfer_s: Array
    latency_s: Array
    exposed_s: Array
    utilisation: Array
    low: Array
    high: Array
    algorithm: NDArray[np.str_]
    bound: NDArray[np.str_]

    @property
    def step_s(self) -> Array:
        """Compute and what shows of the exchange."""
        return np.asarray(self.compute_s + self.exposed_s, dtype=np.float64)


def exposed_seconds(
    compute_s: ArrayLike, bytes_s: ArrayLike, latency_s: ArrayLike, overlap: ArrayLike, buckets: ArrayLike = np.inf
) -> Array:
    """What an exchange adds to a step: max(bytes + latency - overlap c, latency + bytes/buckets); 0 if there is none.

    >>> float(exposed_seconds(10.0, 4.0, 0.1, 0.5)), float(exposed_seconds(10.0, 6.0, 0.1, 0.5))
    (0.1, 1.0999999999999996)
    """
    c, b, latency, share, n = (
        np.asarray(x, dtype=np.float64) for x in (compute_s, bytes_s, latency_s, overlap, buckets)
    )
    return np.asarray(np.maximum(b + latency - share * c, latency + b / n), dtype=np.float64)


def _within(values: Array, site_bits: Array, within: Within | None) -> tuple[Array, Array, Array]:
    """Seconds of reduce-scatter and all-gather in a site: answer, low, high."""
    if within is None:
        zero = np.zeros_like(values)
        return zero, zero, zero
    nbytes = values * site_bits / 8 / within.shards
    parts = [
        collective_seconds(kind, nbytes, within.ranks, within.fabric, per_domain=within.per_domain)
        for kind in ("reduce_scatter", "all_gather")
    ]
    total, low, high = (
        sum((getattr(p, name) for p in parts), np.zeros_like(values)) for name in ("seconds", "low", "high")
    )
    return total, low, high


def _checked(values: Array, columns: dict[str, Array]) -> None:
    rules = (
        ("compute_s", "must be above 0", columns["compute_s"] > 0),
        ("values", "must not be negative", values >= 0),
        ("bits", "must be above 0", columns["bits"] > 0),
        ("site_bits", "must be above 0", columns["site_bits"] > 0),
        ("overlap", "must lie between 0 and 1", (columns["overlap"] >= 0) & (columns["overlap"] <= 1)),
        ("buckets", "must be 1 or more", columns["buckets"] >= 1),
    )
    problems = [Problem("out_of_range", f"{name} {rule}") for name, rule, good in rules if not bool(np.all(good))]
    if problems:
        raise InputError(problems)


def _fastest(nbytes: Array, ways: Sequence[Exchange]) -> tuple[NDArray[np.intp], Array, Array]:
    """Index of the fastest way, its seconds of transfer and of latency."""
    transfer = np.stack([nbytes * way.seconds_per_byte for way in ways])
    latency = np.stack([np.full_like(nbytes, way.latency_s) for way in ways])
    best = np.argmin(transfer + latency, axis=0)
    row = np.arange(len(best))
    return best, transfer[best, row], latency[best, row]


def synchronous_step(
    compute_s: ArrayLike,
    values: ArrayLike,
    across: Sites | Sequence[Exchange],
    *,
    within: Within | None = None,
    bits: ArrayLike = 16.0,
    site_bits: ArrayLike = 16.0,
    overlap: ArrayLike = 0.0,
    buckets: ArrayLike = np.inf,
    efficiency: Known | None = None,
    algorithms: Sequence[str] = ALGORITHMS,
) -> Step:
    """A step of training over sites; arguments broadcast to one dimension.

    Args:
        compute_s: of a step, all that is no exchange of gradients.
        values: of the gradient, the parameters of the model.
        across: the sites, or the ways over them that `exchanges` found.
        within: the part in a site; None leaves it out.
        bits: of a value between sites (16, or fewer where it is compressed).
        site_bits: of a value within a site.
        overlap: share of the step behind which the exchange may hide; the backward pass is two thirds.
        buckets: pieces of the gradient.
        efficiency: payload over line rate between sites, with its range; the package's assumption where None.
        algorithms: ways that may be used.

    Raises:
        InputError: what is out of range, unknown algorithm.
    """
    names = ("compute_s", "values", "bits", "site_bits", "overlap", "buckets")
    given = np.broadcast_arrays(*(np.atleast_1d(x) for x in (compute_s, values, bits, site_bits, overlap, buckets)))
    columns = {name: np.asarray(x, dtype=np.float64) for name, x in zip(names, given, strict=True)}
    compute, size = columns["compute_s"], columns["values"]
    _checked(size, columns)
    rate = packaged().efficiency if efficiency is None else efficiency
    ways = exchanges(across, algorithms) if isinstance(across, Sites) else tuple(across)
    if not ways:
        raise InputError(Problem("no_algorithm", "there is no way across the sites"))
    wire = size * columns["bits"] / 8
    site, site_low, site_high = _within(size, columns["site_bits"], within)

    def answer(share: float, in_site: Array) -> tuple[Array, NDArray[np.intp], Array, Array, Array]:
        best, transfer, latency = _fastest(wire / share, ways)
        exposed = exposed_seconds(compute, in_site + transfer, latency, columns["overlap"], columns["buckets"])
        return compute / (compute + exposed), best, transfer, latency, exposed

    share, best, transfer, latency, exposed = answer(rate.value, site)
    worst, *_ = answer(rate.low, site_high)
    finest, *_ = answer(rate.high, site_low)
    parts = np.stack([site, transfer, latency])
    hidden = site + transfer <= columns["overlap"] * compute
    code = np.where(hidden, 0, 1 + np.argmax(parts, axis=0))
    text = np.asarray(BINDS)[code]
    way = np.asarray([exchange.name for exchange in ways])[best]
    return Step(compute, site, transfer, latency, exposed, share, worst, finest, way, text)
