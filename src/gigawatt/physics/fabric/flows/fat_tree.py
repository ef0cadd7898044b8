"""Switched networks: one switch, and fat trees of two and three tiers, classic or rail-optimised.

Two tiers: a leaf has `uplinks` ports up, uplinks/spines of them to each spine. Three tiers: leaves stand in pods; port j
of a leaf goes to aggregation switch j // (uplinks/aggregations) of its pod, whose `core_links` ports go to the cores of its
own group. A way up may come down on any parallel port of the switch it turns at.

Oversubscription o:1 is the rate down over the rate up of a tier; endpoints fill leaves in order, or by rails: rank r of a
host of `rails` ranks is cabled to leaf r of its group of leaves, so that ranks of the same place share a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import Problems
from gigawatt.physics.fabric.flows.graph import Ids, Ints, network
from gigawatt.physics.fabric.flows.topology import Topology, pool, unpooled


@dataclass(frozen=True, slots=True)
class Switch(Topology):
    """Every endpoint on one switch that is never the bottleneck: only ports bind."""

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        found = np.stack([src, dst + np.int32(self.network.endpoints)], axis=1)
        found[src == dst] = -1
        return found

    def symmetry(self) -> Ids:
        return np.zeros(self.network.endpoints, dtype=np.int32)


def switch(endpoints: int, port_bytes_per_s: float) -> Switch:
    """One switch with a port of `port_bytes_per_s`, one way, for each endpoint."""
    ranks = np.arange(endpoints)
    net = network(
        f"switch of {endpoints:,}",
        (("endpoint", endpoints), ("switch", 1)),
        [("port", ranks, endpoints, port_bytes_per_s), ("port", endpoints, ranks, port_bytes_per_s)],
    )
    return Switch(net, unpooled(net), 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Mesh(Topology):
    """Every endpoint has a link to every other."""

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        found = src * np.int32(self.network.endpoints - 1) + dst - (dst > src)
        return np.where(src == dst, -1, found).astype(np.int32)[:, None]


def mesh(endpoints: int, rank_bytes_per_s: float) -> Mesh:
    """A full mesh whose links share a rank's `rank_bytes_per_s` evenly (xGMI)."""
    src, dst = np.divmod(np.arange(endpoints * endpoints), endpoints)
    two = src != dst
    each = rank_bytes_per_s / max(1, endpoints - 1)
    net = network(f"mesh of {endpoints}", (("endpoint", endpoints),), [("mesh", src[two], dst[two], each)])
    return Mesh(net, unpooled(net), 1, 1, 1)


def rail_leaves(endpoints: int, down: int, rails: int) -> Ids:
    """Leaf of each endpoint when rank r of every host goes to leaf r of its group (`rails` ranks a host)."""
    rank = np.arange(endpoints, dtype=np.int32)
    return rank // np.int32(rails * down) * np.int32(rails) + rank % np.int32(rails)


def _leaves(endpoints: int, down: int, rails: int) -> Ids:
    return rail_leaves(endpoints, down, rails) if rails > 1 else np.arange(endpoints, dtype=np.int32) // np.int32(down)


@dataclass(frozen=True, slots=True)
class FatTree2(Topology):
    """Leaves and spines. Links: endpoint up, endpoint down, leaf up, leaf down."""

    leaf: Ids
    leaves: int
    uplinks: int
    spines: int

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        ends, port, beside = np.int32(len(self.leaf)), np.int32(self.uplinks), np.int32(self.uplinks // self.spines)
        up = (choice % self.uplinks).astype(np.int32)
        way = (choice // self.uplinks % beside).astype(np.int32)
        near, far = self.leaf[src], self.leaf[dst]
        found = np.empty((len(src), 4), dtype=np.int32)
        found[:, 0] = src
        found[:, 1] = 2 * ends + near * port + up
        found[:, 2] = 2 * ends + np.int32(self.leaves) * port + far * port + up // beside * beside + way
        found[:, 3] = ends + dst
        found[near == far, 1:3] = -1
        found[src == dst] = -1
        return found

    def symmetry(self) -> Ids:
        return self.leaf


def fat_tree_2(
    endpoints: int,
    port_bytes_per_s: float,
    *,
    down: int,
    spines: int,
    oversubscription: float = 1.0,
    uplinks: int | None = None,
    rails: int = 1,
    leaves: int | None = None,
) -> FatTree2:
    """Two tiers.

    Args:
        endpoints: how many.
        port_bytes_per_s: of an endpoint, one way.
        down: endpoints of a full leaf.
        spines: how many; each has uplinks/spines links to every leaf.
        oversubscription: rate down over rate up of a full leaf.
        uplinks: ports up of a leaf, as many as spines where None.
        rails: ranks of a host, each to a leaf of its own; 1 is classic.
        leaves: how many; as many as the endpoints need where None.

    Raises:
        InputError: oversubscription below 1, uplinks no multiple of spines, counts below 1.
    """
    uplinks = spines if uplinks is None else uplinks
    _check(endpoints, down, rails, oversubscription, (("uplinks of a leaf", uplinks, "spines", spines),))
    leaf = _leaves(endpoints, down, rails)
    leaves = max(int(leaf.max()) + 1, leaves or 0)
    rate = down * port_bytes_per_s / oversubscription / uplinks
    at, spine = np.arange(leaves), np.arange(uplinks) // (uplinks // spines)
    low, high = endpoints + at[:, None], endpoints + leaves + spine[None, :]
    ranks, above = np.arange(endpoints), endpoints + leaf
    net = network(
        f"2-tier fat tree of {endpoints:,}, {leaves} leaves, {spines} spines",
        (("endpoint", endpoints), ("leaf", leaves), ("spine", spines)),
        [
            ("port", ranks, above, port_bytes_per_s),
            ("port", above, ranks, port_bytes_per_s),
            ("leaf-spine", low, high, rate),
            ("leaf-spine", high, low, rate),
        ],
    )
    node = np.minimum(np.arange(net.nodes, dtype=np.int32), np.int32(endpoints + leaves))
    pooled = pool(net, node, (("endpoint", endpoints), ("leaf", leaves), ("spine layer", 1)))
    return FatTree2(net, pooled, uplinks * (uplinks // spines), 1, 1, leaf, leaves, uplinks, spines)


@dataclass(frozen=True, slots=True)
class FatTree3(Topology):
    """Pods of leaves and aggregation switches under cores. Links: endpoint, leaf and aggregation, each up, then down."""

    leaf: Ids
    leaves: int
    pod_leaves: int
    uplinks: int
    aggregations: int
    core_links: int
    group_cores: int

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        ends, port, wide = np.int32(len(self.leaf)), np.int32(self.uplinks), np.int32(self.core_links)
        low, high = np.int32(self.uplinks // self.aggregations), np.int32(self.core_links // self.group_cores)
        pods = np.int32(self.leaves // self.pod_leaves)
        choice, up = np.divmod(choice, self.uplinks)
        choice, core = np.divmod(choice, self.core_links)
        down_choice, core_way = np.divmod(choice, high)
        up, core = up.astype(np.int32), core.astype(np.int32)
        way, core_way = (down_choice % low).astype(np.int32), core_way.astype(np.int32)
        near, far = self.leaf[src], self.leaf[dst]
        here, there = near // np.int32(self.pod_leaves), far // np.int32(self.pod_leaves)
        middle = up // low
        first_up = 2 * ends
        first_core = first_up + 2 * np.int32(self.leaves) * port
        found = np.empty((len(src), 6), dtype=np.int32)
        found[:, 0] = src
        found[:, 1] = first_up + near * port + up
        found[:, 2] = first_core + (here * np.int32(self.aggregations) + middle) * wide + core
        coming = first_core + pods * np.int32(self.aggregations) * wide
        found[:, 3] = coming + (there * np.int32(self.aggregations) + middle) * wide + core // high * high + core_way
        found[:, 4] = first_up + np.int32(self.leaves) * port + far * port + middle * low + way
        found[:, 5] = ends + dst
        found[here == there, 2:4] = -1
        found[near == far, 1:5] = -1
        found[src == dst] = -1
        return found

    def symmetry(self) -> Ids:
        return self.leaf


def fat_tree_3(
    endpoints: int,
    port_bytes_per_s: float,
    *,
    down: int,
    pod_leaves: int,
    aggregations: int,
    group_cores: int,
    uplinks: int | None = None,
    core_links: int | None = None,
    oversubscription: float = 1.0,
    pod_oversubscription: float = 1.0,
    rails: int = 1,
) -> FatTree3:
    """Three tiers.

    Args:
        endpoints: how many.
        port_bytes_per_s: of an endpoint, one way.
        down: endpoints of a full leaf.
        pod_leaves: leaves of a pod.
        aggregations: aggregation switches of a pod.
        group_cores: cores that the aggregation switches of the same place in their pods share.
        uplinks: ports up of a leaf, as many as aggregations where None.
        core_links: ports up of an aggregation switch; as many as down where None, or as group_cores if that is more.
        oversubscription: rate down over rate up of a full leaf.
        pod_oversubscription: the same of a full pod (7 in Llama 3's network).
        rails: ranks of a host, each to a leaf of its own; 1 is classic.

    Raises:
        InputError: oversubscription below 1, ports that do not divide evenly, counts below 1.
    """
    uplinks = aggregations if uplinks is None else uplinks
    core_links = max(group_cores, pod_leaves * uplinks // aggregations) if core_links is None else core_links
    even = (
        ("uplinks of a leaf", uplinks, "aggregations", aggregations),
        ("core_links of an aggregation switch", core_links, "group_cores", group_cores),
    )
    _check(endpoints, down, rails, min(oversubscription, pod_oversubscription), even)
    leaf = _leaves(endpoints, down, rails)
    pods = -(-(int(leaf.max()) + 1) // pod_leaves)
    leaves = pods * pod_leaves
    rate = down * port_bytes_per_s / oversubscription / uplinks
    core_rate = rate * pod_leaves * uplinks / (aggregations * core_links) / pod_oversubscription
    ranks, above = np.arange(endpoints), endpoints + leaf
    at = np.arange(leaves)[:, None]
    low = endpoints + at
    first_middle = endpoints + leaves
    middle = first_middle + at // pod_leaves * aggregations + np.arange(uplinks) // (uplinks // aggregations)
    switches = np.arange(pods * aggregations)[:, None]
    first_core = first_middle + pods * aggregations
    top = first_core + switches % aggregations * group_cores + np.arange(core_links) // (core_links // group_cores)
    net = network(
        f"3-tier fat tree of {endpoints:,}, {pods} pods",
        (
            ("endpoint", endpoints),
            ("leaf", leaves),
            ("aggregation", pods * aggregations),
            ("core", aggregations * group_cores),
        ),
        [
            ("port", ranks, above, port_bytes_per_s),
            ("port", above, ranks, port_bytes_per_s),
            ("leaf-aggregation", low, middle, rate),
            ("leaf-aggregation", middle, low, rate),
            ("aggregation-core", first_middle + switches, top, core_rate),
            ("aggregation-core", top, first_middle + switches, core_rate),
        ],
    )
    node = np.arange(net.nodes, dtype=np.int32)
    node[first_middle:first_core] = first_middle + np.arange(pods * aggregations) // aggregations
    node[first_core:] = first_middle + pods
    groups = (("endpoint", endpoints), ("leaf", leaves), ("aggregation layer", pods), ("core layer", 1))
    ways = uplinks * core_links * (core_links // group_cores) * (uplinks // aggregations)
    return FatTree3(
        net,
        pool(net, node, groups),
        ways,
        1,
        1,
        leaf,
        leaves,
        pod_leaves,
        uplinks,
        aggregations,
        core_links,
        group_cores,
    )


def _check(endpoints: int, down: int, rails: int, over: float, even: tuple[tuple[str, int, str, int], ...]) -> None:
    problems = Problems()
    counts = [("endpoints", endpoints), ("down", down), ("rails", rails), *((what, n) for _, _, what, n in even)]
    for what, count in counts:
        if count < 1:
            problems.add("out_of_range", f"{what} of a fat tree must be at least 1, not {count}")
    problems.raise_if_any()
    if not over >= 1:
        problems.add("out_of_range", f"oversubscription is rate down over rate up, at least 1, not {over:g}")
    for what, count, into, parts in even:
        if count < parts or count % parts:
            fitting = max(parts, count // parts * parts)
            problems.add("out_of_range", f"{what} ({count}) must be a multiple of {into} ({parts}), such as {fitting}")
    problems.raise_if_any()
