"""Any network at all: shortest paths on the graph as it is given, found by hop counts instead of arithmetic.

For networks that no builder makes. Distances of all nodes to all endpoints are kept, so thousands of endpoints are many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.flows.graph import Ids, Ints, Network, check, spell
from gigawatt.physics.fabric.flows.topology import Topology, unpooled

# Divisible by every number of next hops up to 16: draws below it choose evenly at the first hop, nearly so after it.
_CHOICES = 720_720
_FAR = np.iinfo(np.int16).max


@dataclass(frozen=True, slots=True)
class ShortestPaths(Topology):
    """`hops[v, e]` links lead from node v to endpoint e; `out[v]` are the links that leave v, padded with -1."""

    hops: NDArray[np.int16]
    out: Ids

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        node, left = src.astype(np.intp), choice.astype(np.intp)
        found = np.full((len(src), int(self.hops[src, dst].max(initial=1))), -1, dtype=np.int32)
        for at in range(found.shape[1]):
            here = np.flatnonzero(node != dst)
            links = self.out[node[here]]
            nearer = (
                self.hops[self.network.dst[links], dst[here, None]] == self.hops[node[here], dst[here]][:, None] - 1
            )
            nearer &= links >= 0
            ways = nearer.sum(axis=1)
            # The n-th of the links that lead nearer; what is left of the number chooses at the next hop.
            nth = left[here] % ways
            left[here] //= ways
            picked = links[np.arange(len(here)), np.argmax(np.cumsum(nearer, axis=1) > nth[:, None], axis=1)]
            found[here, at] = picked
            node[here] = self.network.dst[picked]
        return found


def shortest_paths(net: Network, *, relays: bool = False, splits: int = 48) -> ShortestPaths:
    """A topology of any network, whose flows take shortest paths, each next hop as likely as the others.

    Args:
        net: the network; see `network`.
        relays: endpoints pass on what is not theirs, as chips of a torus do.
        splits: paths that a sprayed pair is split over. Exact where it is a multiple of the product of the next hops on
            the way, such as 48 for 4, 3 and 4.

    Raises:
        InputError: as `check`; endpoints that only others' relaying joins; fewer than one split.
    """
    check(net)
    if splits < 1:
        raise InputError(Problem("out_of_range", f"a pair is split over at least 1 path, not {splits}"))
    ends, size = net.endpoints, net.nodes
    forward = np.ones(net.links, np.bool_) if relays else net.src >= ends
    back = coo_array((np.ones(int(forward.sum())), (net.dst[forward], net.src[forward])), shape=(size, size)).tocsr()
    away = dijkstra(back, unweighted=True, indices=np.arange(ends)).T
    hops = np.where(np.isfinite(away), away, _FAR).astype(np.int16)
    # An endpoint's own first hop.
    first = np.flatnonzero(net.src < ends)
    np.minimum.at(hops, net.src[first], np.minimum(hops[net.dst[first]], _FAR - 1) + np.int16(1))
    hops[np.arange(ends), np.arange(ends)] = 0
    alone = np.flatnonzero((hops[:ends] == _FAR).any(axis=1))
    if len(alone):
        told = f"network '{net.name}': {spell(net, alone)} reach some endpoints only through others"
        raise InputError(Problem("disconnected", told, hints=("relays=True lets endpoints pass on",)))
    order = np.argsort(net.src, kind="stable")
    start = np.searchsorted(net.src[order], np.arange(size + 1))
    out = np.full((size, int(np.diff(start).max())), -1, dtype=np.int32)
    out[net.src[order], np.arange(net.links) - start[net.src[order]]] = order
    return ShortestPaths(net, unpooled(net), _CHOICES, splits, 1, hops, out)
