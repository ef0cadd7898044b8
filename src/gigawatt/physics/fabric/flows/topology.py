"""What a topology is: a network, the paths between its endpoints, and which links load balancing may pool.

A path between two endpoints is a matter of choice where there are several of equal cost: `paths` takes a number below
`choices` for each flow and is arithmetic on arrays, so that a million paths take a tenth of a second. Who draws the
numbers decides what load balancing is meant (`routes`).

`planes` and `Domains` make larger topologies of smaller ones: parallel copies that share endpoints, and scale-up domains
whose ranks also have a NIC.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.flows.graph import Array, Bools, Ids, Ints, Network, network, total


@dataclass(frozen=True, slots=True)
class Pooled:
    """The network with its parallel ways joined: `trunk[l]` is the link of `network` that link l is a part of.

    `node[v]` is the node of `network` that node v is a part of.
    """

    network: Network
    trunk: Ids
    node: Ids


@dataclass(frozen=True, slots=True)
class Topology(ABC):
    """A network with paths.

    `choices` is how many numbers tell apart the ways of a pair (ways may repeat). `splits` of them, 0 .. splits-1,
    cover the ways that stay apart once links are pooled: 1 in fat trees, the ties of direction in a torus.
    """

    network: Network
    pooled: Pooled
    choices: int
    splits: int
    planes: int

    @abstractmethod
    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        """(flows, width) link ids, -1 where a path is shorter; a flow to itself has none."""

    def symmetry(self) -> Ids:
        """A label for each endpoint: those of the same label may be swapped without changing the pooled network."""
        return np.arange(self.network.endpoints, dtype=np.int32)


def pool(net: Network, node: Ids, groups: tuple[tuple[str, int], ...]) -> Pooled:
    """Join nodes of the same `node[v]`, and with them all links between the same two joined nodes."""
    size = sum(count for _, count in groups)
    ends = node[net.src].astype(np.int64) * size + node[net.dst]
    _, first, trunk = np.unique(ends, return_index=True, return_inverse=True)
    joined = Network(
        f"{net.name}, pooled",
        groups,
        node[net.src[first]],
        node[net.dst[first]],
        total(trunk, net.bytes_per_s, len(first)),
        net.kind[first],
        net.kinds,
    )
    return Pooled(joined, trunk.astype(np.int32), node)


def unpooled(net: Network) -> Pooled:
    """Where nothing is joined."""
    return Pooled(net, np.arange(net.links, dtype=np.int32), np.arange(net.nodes, dtype=np.int32))


def copies_of(net: Network, count: int, node: Ints, groups: tuple[tuple[str, int], ...], name: str) -> Network:
    """`count` copies of a network one after the other; node v of copy c becomes `node[c, v]`."""
    return Network(
        name,
        groups,
        node[:, net.src].ravel().astype(np.int32),
        node[:, net.dst].ravel().astype(np.int32),
        np.tile(net.bytes_per_s, count),
        np.tile(net.kind, count),
        net.kinds,
    )


@dataclass(frozen=True, slots=True)
class Planes(Topology):
    """Copies of one topology that share its endpoints: a NIC with a port into each plane."""

    inner: Topology

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        found = self.inner.paths(src, dst, choice // self.planes)
        offset = (choice % self.planes * self.inner.network.links).astype(np.int32)
        return np.where(found >= 0, found + offset[:, None], found)

    def symmetry(self) -> Ids:
        return self.inner.symmetry()


def planes(inner: Topology, count: int) -> Topology:
    """`count` planes of `inner`, whose rates are those of one plane.

    Raises:
        InputError: fewer than one plane.
    """
    if count < 1:
        raise InputError(Problem("out_of_range", f"a network has at least one plane, not {count}"))
    if count == 1:
        return inner
    net = inner.network
    ends, switches = net.endpoints, net.nodes - net.endpoints
    node = np.arange(net.nodes) + np.arange(count)[:, None] * switches
    node[:, :ends] = np.arange(ends)
    groups = (net.groups[0], *((f"plane {c} {what}", n) for c in range(count) for what, n in net.groups[1:]))
    made = copies_of(net, count, node, groups, f"{count} planes of {net.name}")
    joined = np.concatenate([inner.pooled.node[:ends], np.tile(inner.pooled.node[ends:], count)]).astype(np.int32)
    pooled = pool(made, joined, inner.pooled.network.groups)
    return Planes(made, pooled, inner.choices * count, inner.splits, count, inner)


@dataclass(frozen=True, slots=True)
class Domains(Topology):
    """Scale-up domains, each a copy of `inside`, whose ranks are the endpoints of `outside` too.

    With `relay`, what goes to another domain first moves inside its own to the rank of the same place as the receiver's,
    and stays on that rank's rail (NCCL's PXN).
    """

    inside: Topology
    outside: Topology
    relay: bool

    @property
    def size(self) -> int:
        """Ranks of a domain."""
        return self.inside.network.endpoints

    def domain_of(self, rank: Ids) -> Ids:
        """Which scale-up domain a rank is in."""
        return rank // np.int32(self.size)

    def _inside(self, src: Ids, dst: Ids, choice: Ints, here: Bools) -> Ids:
        found = self.inside.paths(src % np.int32(self.size), dst % np.int32(self.size), choice % self.inside.choices)
        offset = self.outside.network.links + self.domain_of(src) * np.int32(self.inside.network.links)
        return np.where(here[:, None] & (found >= 0), found + offset[:, None], np.int32(-1)).astype(np.int32)

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        near = self.domain_of(src) == self.domain_of(dst)
        away = choice % self.outside.choices
        if not self.relay:
            far = self.outside.paths(src, dst, away)
            far[near] = -1
            return np.hstack([self._inside(src, dst, choice, near), far])
        # The rank of the sender's domain that stands where the receiver stands in its own.
        via = np.where(near, dst, src - src % np.int32(self.size) + dst % np.int32(self.size)).astype(np.int32)
        far = self.outside.paths(via, dst, away)
        far[near] = -1
        return np.hstack([self._inside(src, via, choice, np.ones(len(src), np.bool_)), far])

    def symmetry(self) -> Ids:
        return self.outside.symmetry()


def domains(inside: Topology, outside: Topology, *, relay: bool = False) -> Domains:
    """Scale-up domains over a network: endpoint e of `outside` is rank e % D of domain e // D, D endpoints of `inside`.

    Raises:
        InputError: the endpoints of `outside` are no whole number of domains.
    """
    net, fabric = inside.network, outside.network
    size, ranks = net.endpoints, fabric.endpoints
    if ranks % size:
        raise InputError(Problem("out_of_range", f"{ranks:,} endpoints are no whole number of domains of {size}"))
    count, hubs = ranks // size, net.nodes - size
    node = np.empty((count, net.nodes), dtype=np.intp)
    node[:, :size] = np.arange(ranks).reshape(count, size)
    node[:, size:] = fabric.nodes + np.arange(count * hubs).reshape(count, hubs)
    groups = (("rank", ranks), *fabric.groups[1:])
    if hubs:
        groups = (*groups, ("scale-up switch", count * hubs))
    inner = copies_of(net, count, node, groups, net.name)
    made = network(
        f"{count} domains of {net.name} on {fabric.name}",
        groups,
        [
            *_blocks(fabric, ""),
            *_blocks(inner, "scale-up "),
        ],
    )
    joined_nodes = outside.pooled.network.nodes
    joined = np.concatenate([outside.pooled.node, joined_nodes + np.arange(count * hubs, dtype=np.int32)])
    joined_groups = outside.pooled.network.groups
    pooled = pool(made, joined.astype(np.int32), (*joined_groups, ("scale-up switch", count * hubs)))
    choices = int(np.lcm(inside.choices, outside.choices))
    splits = int(np.lcm(inside.splits, outside.splits))
    return Domains(made, pooled, choices, splits, outside.planes, inside, outside, relay)


def _blocks(net: Network, prefix: str) -> list[tuple[str, Ids, Ids, Array]]:
    """The links of a network as blocks of one kind, in the order in which they stand."""
    edges = np.flatnonzero(np.diff(net.kind)) + 1
    parts = np.split(np.arange(net.links), edges)
    return [(prefix + net.kinds[net.kind[p[0]]], net.src[p], net.dst[p], net.bytes_per_s[p]) for p in parts]
