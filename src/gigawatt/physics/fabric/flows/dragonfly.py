"""Dragonfly+: groups of leaves and spines, whose spines have links to every other group.

A minimal path takes one link between the two groups: leaf, spine, spine, leaf. Path choice inside one group is as in a
two-tier tree. Detours over a third group are not modelled: a pattern that joins only two groups is bound by what joins
them. Shpiner et al., Dragonfly+: low cost topology for scaling datacenters, 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import Problems
from gigawatt.physics.fabric.flows.graph import Ids, Ints, network
from gigawatt.physics.fabric.flows.topology import Topology, pool


@dataclass(frozen=True, slots=True)
class DragonflyPlus(Topology):
    """Links: endpoint up, endpoint down, leaf up, leaf down, then those between groups.

    Link t of a group's leads to the group 1 + t % (groups - 1) further on, and sits at spine t // (global links).
    """

    leaf: Ids
    groups: int
    group_leaves: int
    group_spines: int
    spine_links: int

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        ends, spines, hop = np.int32(len(self.leaf)), np.int32(self.group_spines), np.int32(self.spine_links)
        others = np.int32(max(1, self.groups - 1))
        near, far = self.leaf[src], self.leaf[dst]
        here, there = near // np.int32(self.group_leaves), far // np.int32(self.group_leaves)
        same = here == there
        # The copy-th link to that group, and where the same cable stands at the other end.
        copy = (choice % max(1, self.group_spines * self.spine_links // int(others))).astype(np.int32)
        going = (there - here - 1) % np.int32(self.groups) + others * copy
        coming = (here - there - 1) % np.int32(self.groups) + others * copy
        turn = (choice % self.group_spines).astype(np.int32)
        found = np.empty((len(src), 5), dtype=np.int32)
        found[:, 0] = src
        found[:, 1] = 2 * ends + near * spines + np.where(same, turn, going // hop)
        down = 2 * ends + np.int32(self.groups * self.group_leaves) * spines
        between = down + np.int32(self.groups * self.group_leaves) * spines
        found[:, 2] = np.where(same, -1, between + here * spines * hop + going)
        found[:, 3] = down + far * spines + np.where(same, turn, coming // hop)
        found[:, 4] = ends + dst
        found[near == far, 1:4] = -1
        found[src == dst] = -1
        return found

    def symmetry(self) -> Ids:
        return self.leaf


def dragonfly_plus(
    groups: int,
    port_bytes_per_s: float,
    *,
    group_leaves: int,
    group_spines: int,
    down: int,
    spine_links: int,
) -> DragonflyPlus:
    """Groups of `group_leaves` x `down` endpoints; every link runs at the endpoints' rate.

    Args:
        groups: how many.
        port_bytes_per_s: of any link, one way.
        group_leaves: leaves of a group.
        group_spines: spines of a group; each has a link to each of its leaves.
        down: endpoints of a leaf.
        spine_links: links of a spine to other groups; those of a group are a multiple of the other groups.

    Raises:
        InputError: counts below 1, links that do not divide evenly.
    """
    problems = Problems()
    counts = {"groups": groups, "group_leaves": group_leaves, "group_spines": group_spines, "down": down}
    for what, count in {**counts, "spine_links": spine_links}.items():
        if count < 1:
            problems.add("out_of_range", f"{what} of a dragonfly+ must be at least 1, not {count}")
    out = group_spines * spine_links
    if groups > 1 and out % (groups - 1):
        problems.add(
            "out_of_range", f"{out} links out of a group can not be shared evenly by {groups - 1} other groups"
        )
    problems.raise_if_any()
    leaves, spines, endpoints = groups * group_leaves, groups * group_spines, groups * group_leaves * down
    leaf = np.arange(endpoints, dtype=np.int32) // np.int32(down)
    ranks, above = np.arange(endpoints), endpoints + leaf
    at = np.arange(leaves)[:, None]
    low = endpoints + at
    high = endpoints + leaves + at // group_leaves * group_spines + np.arange(group_spines)
    group, link = np.arange(groups)[:, None], np.arange(out)[None, :]
    others = max(1, groups - 1)
    there = (group + 1 + link % others) % groups
    back = (group - there - 1) % groups + others * (link // others)
    start = endpoints + leaves + group * group_spines + link // spine_links
    end = endpoints + leaves + there * group_spines + back // spine_links
    links = [
        ("port", ranks, above, port_bytes_per_s),
        ("port", above, ranks, port_bytes_per_s),
        ("leaf-spine", low, high, port_bytes_per_s),
        ("leaf-spine", high, low, port_bytes_per_s),
    ]
    if groups > 1:
        links.append(("group-group", start, end, port_bytes_per_s))
    net = network(
        f"dragonfly+ of {groups} groups, {endpoints:,} endpoints",
        (("endpoint", endpoints), ("leaf", leaves), ("spine", spines)),
        links,
    )
    node = np.arange(net.nodes, dtype=np.int32)
    node[endpoints + leaves :] = endpoints + leaves + np.arange(spines) // group_spines
    pooled = pool(net, node, (("endpoint", endpoints), ("leaf", leaves), ("spine layer", groups)))
    ways = math.lcm(group_spines, max(1, out // others))
    return DragonflyPlus(net, pooled, ways, 1, 1, leaf, groups, group_leaves, group_spines, spine_links)
