"""Hierarchical collectives: one inside each domain, one between the domains, one after the other.

    all-reduce       reduce-scatter inside, all-reduce of S/D between same ranks of all domains, all-gather inside
    gather, scatter  all-gather (reduce-scatter) of S/D between domains, then of S inside
    all-to-all       exchange inside so that every byte stands at the NIC of its rank's rail, then between domains

Frameworks compose them of several groups (hybrid sharding, NCCL's PXN for exchanges); a library that is asked for one
collective of the whole group does not choose them by itself, so they are answered where they are named. They pay the
latency of their phases and gain steps: 2 (N-1) or 2 log2 N of them cross the network instead of 2 (N-1) beside 2 (n-N) hops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gigawatt.physics.fabric import exchanges, rings, trees
from gigawatt.physics.fabric.columns import LL, LL128, SIMPLE, Columns, Line
from gigawatt.physics.fabric.constants import Constants

NAME = "hierarchical"
_PROTOCOLS = (LL, LL128, SIMPLE)


def _inside(c: Columns) -> Columns:
    """The same calls among the ranks of one domain."""
    return replace(c, ranks=c.per_domain, domains=np.ones_like(c.domains))


def _between(c: Columns) -> Columns:
    """Calls of S/D among the same rank of every domain, each with a NIC of its own."""
    one = np.ones_like(c.domains)
    return replace(c, nbytes=c.nbytes / c.per_domain, ranks=c.domains, per_domain=one, extra=0.0 * one)


def _fastest(found: Sequence[Line]) -> Line:
    best = found[0]
    for line in found[1:]:
        faster = line.seconds < best.seconds
        best = Line(
            NAME,
            np.where(faster, line.seconds, best.seconds),
            np.where(faster, line.latency, best.latency),
            np.where(faster, line.network_binds, best.network_binds),
        )
    return best


def _joined(c: Columns, inside: Line, between: Line) -> Line:
    several = c.several & (c.per_domain > 1)
    total = np.where(several, inside.seconds + between.seconds, np.inf)
    return Line(NAME, total, inside.latency + between.latency, between.seconds > inside.seconds)


def hierarchical(c: Columns, k: float, fit: Constants) -> Line:
    """All-reduce (k = 2) or half of it (k = 1) in phases."""
    near, far = _inside(c), _between(c)
    one = _fastest([rings.ring(near, 1.0, protocol, fit) for protocol in _PROTOCOLS])
    inside = Line(NAME, k * one.seconds, k * one.latency, one.network_binds)
    across = [rings.ring(far, k, protocol, fit) for protocol in _PROTOCOLS]
    across += [trees.tree(far, protocol, fit) for protocol in _PROTOCOLS] if k > 1 else [rings.doubling(far, fit)]
    return _joined(c, inside, _fastest(across))


def rail_aligned(c: Columns, fit: Constants) -> Line:
    """All-to-all in two phases: to the rank of the right rail inside, then between domains over that rank's NIC."""
    near = exchanges.direct(_inside(c), fit)
    far = exchanges.direct(replace(_between(c), nbytes=c.nbytes), fit)
    return _joined(c, near, far)
