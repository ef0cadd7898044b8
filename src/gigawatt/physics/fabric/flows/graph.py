"""A network as arrays: directed links with bytes/s and a kind, nodes with names, endpoints first.

Nodes 0 .. endpoints-1 send and receive; the others are switches. A cable is two directed links. Parallel links between
the same two nodes are links of their own, as load balancing sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gigawatt.core.errors import Problems

Array = NDArray[np.float64]
Ids = NDArray[np.int32]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]
# Names that a message spells out before it says how many more there are.
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Network:
    """`src[l]`, `dst[l]` and `bytes_per_s[l]` of directed link l; `kind[l]` indexes `kinds`.

    `groups` names the nodes in order: ("leaf", 4) are the next four, "leaf 0" to "leaf 3". The first group are the
    endpoints.
    """

    name: str
    groups: tuple[tuple[str, int], ...]
    src: Ids
    dst: Ids
    bytes_per_s: Array
    kind: NDArray[np.int8]
    kinds: tuple[str, ...]

    @property
    def endpoints(self) -> int:
        """Nodes that send and receive."""
        return self.groups[0][1]

    @property
    def nodes(self) -> int:
        """Endpoints and switches."""
        return sum(count for _, count in self.groups)

    @property
    def links(self) -> int:
        """Directed links."""
        return len(self.src)

    def node_name(self, node: int) -> str:
        """Such as 'leaf 3'."""
        for name, count in self.groups:
            if node < count:
                return f"{name} {node}"
            node -= count
        raise IndexError(node)

    def link_name(self, link: int) -> str:
        """Such as 'leaf 3 -> spine 1 (link 70)'."""
        return f"{self.node_name(int(self.src[link]))} -> {self.node_name(int(self.dst[link]))} (link {link})"

    @property
    def ports(self) -> Bools:
        """Links that touch an endpoint: what a network without a bottleneck inside would be bound by."""
        return np.asarray((self.src < self.endpoints) | (self.dst < self.endpoints))

    def twins(self) -> Ints:
        """For every link the one of the same cable the other way, -1 where there is none."""
        order = np.lexsort((np.arange(self.links), self.dst, self.src))
        back = np.lexsort((np.arange(self.links), self.src, self.dst))
        twin = np.full(self.links, -1, dtype=np.intp)
        # The n-th link a -> b belongs to the n-th b -> a: both orders run through the same node pairs.
        forth = self.src[order].astype(np.int64) * self.nodes + self.dst[order]
        again = self.dst[back].astype(np.int64) * self.nodes + self.src[back]
        nth = np.arange(self.links) - np.searchsorted(forth, forth)
        place = np.searchsorted(again, forth) + nth
        found = place < np.searchsorted(again, forth, side="right")
        twin[order[found]] = back[place[found]]
        return twin


def network(
    name: str,
    groups: Sequence[tuple[str, int]],
    links: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]],
) -> Network:
    """A network from blocks of links (kind, src, dst, bytes/s), each a set of arrays that broadcast together.

    Raises:
        InputError: as `check`.
    """
    kinds = tuple(dict.fromkeys(kind for kind, *_ in links))
    blocks = [np.broadcast_arrays(a, b, w) for _, a, b, w in links]
    src, dst, rate = (np.concatenate([np.ravel(block[at]) for block in blocks]) for at in range(3))
    kind = np.repeat([kinds.index(what) for what, *_ in links], [np.size(block[0]) for block in blocks])
    made = Network(
        name,
        tuple(groups),
        src.astype(np.int32),
        dst.astype(np.int32),
        rate.astype(np.float64),
        kind.astype(np.int8),
        kinds,
    )
    check(made)
    return made


def check(net: Network) -> None:
    """See that the network is one.

    Raises:
        InputError: links to nodes that do not exist, bandwidths that are not above 0 (which link), endpoints that the
            others do not reach (which ones). All of them at once.
    """
    problems = Problems()
    if net.endpoints < 1:
        problems.add("out_of_range", f"network '{net.name}' has no endpoints")
    wrong = (np.minimum(net.src, net.dst) < 0) | (np.maximum(net.src, net.dst) >= net.nodes)
    for link in np.flatnonzero(wrong)[:_SHOWN]:
        pair = f"{net.src[link]} -> {net.dst[link]}"
        problems.add("out_of_range", f"network '{net.name}': link {link} ({pair}) joins no two of {net.nodes} nodes")
    problems.raise_if_any()
    slow = np.flatnonzero(~(net.bytes_per_s > 0) | ~np.isfinite(net.bytes_per_s))
    for link in slow[:_SHOWN]:
        problems.add(
            "out_of_range",
            f"network '{net.name}': {net.link_name(int(link))} carries {net.bytes_per_s[link]:g} bytes/s; "
            "a link that carries nothing is a failed one",
        )
    lost = off_the_largest(islands(net, np.ones(net.links, dtype=np.bool_)))
    if len(lost):
        problems.add("disconnected", f"network '{net.name}': {spell(net, lost)} can not reach the other endpoints")
    problems.raise_if_any()


def islands(net: Network, alive: Bools) -> Ints:
    """A number for each endpoint, the same where two reach each other over links that are alive."""
    size = net.nodes
    joined = coo_array((np.ones(int(alive.sum())), (net.src[alive], net.dst[alive])), shape=(size, size))
    _, label = connected_components(joined.tocsr(), directed=True, connection="strong")
    return np.asarray(label[: net.endpoints], dtype=np.intp)


def off_the_largest(island: Ints) -> Ints:
    """Endpoints that are not on the island of most."""
    return np.asarray(np.flatnonzero(island != np.argmax(np.bincount(island))))


def spell(net: Network, nodes: ArrayLike) -> str:
    """Names of nodes for a message: the first few, and how many more."""
    found = np.asarray(nodes)
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return ", ".join(net.node_name(int(node)) for node in found[:_SHOWN]) + more


def total(place: NDArray[np.integer[Any]], amounts: ArrayLike, count: int) -> Array:
    """Sum of the amounts at each of `count` places."""
    sums: Array = np.bincount(place.ravel(), np.ravel(amounts), count).astype(np.float64, copy=False)
    return sums
