"""The network of a `Fabric`: the tree, dragonfly+ or torus that its design numbers build.

Sizes are those of the parts list, made regular: every pod has as many leaves, every switch of a tier as many links. Rails
are at most as many as leaves.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.design import Fabric
from gigawatt.physics.fabric.flows.dragonfly import dragonfly_plus
from gigawatt.physics.fabric.flows.fat_tree import fat_tree_2, fat_tree_3, mesh, switch
from gigawatt.physics.fabric.flows.topology import Topology, domains, planes
from gigawatt.physics.fabric.flows.torus import shapes, torus
from gigawatt.physics.fabric.topology import Counts, count, leaf_ports, next_divisor, ports

NARROW = ("leaf", "pod")


def network_of(fabric: Fabric, endpoints: int, *, scaleup: bool = True, narrow: str = "leaf") -> Topology:
    """The network of a fabric for so many chips.

    Args:
        fabric: the design.
        endpoints: chips, whole scale-up domains of them if `scaleup`.
        scaleup: with the scale-up domains inside, else the NICs' network alone.
        narrow: where a tree of three tiers is oversubscribed, leaf or pod. The parts list takes the leaf; Llama 3's
            network is narrow above the pod.

    Raises:
        InputError: fewer than one endpoint, no whole number of domains, leaves of a dragonfly+ that are not alike,
            unknown `narrow`.
        Infeasible: more endpoints than the tiers reach.
    """
    if narrow not in NARROW:
        raise InputError(unknown_name("place of oversubscription", narrow, NARROW))
    if endpoints < 1:
        raise InputError(Problem("out_of_range", f"a network needs at least one endpoint, not {endpoints}"))
    outside = planes(_plane(fabric, endpoints, narrow), fabric.planes)
    if not scaleup or fabric.domain == 1:
        return outside
    if endpoints < fabric.domain:
        return _inside(fabric, endpoints)
    return domains(_inside(fabric, fabric.domain), outside)


def _inside(fabric: Fabric, ranks: int) -> Topology:
    if fabric.scaleup == "mesh":
        # A group smaller than the domain reaches only its share of a chip's links.
        return mesh(ranks, fabric.scaleup_bytes_per_s * (ranks - 1) / max(1, fabric.domain - 1))
    if fabric.scaleup == "torus":
        shape = shapes(ranks, fabric.torus_dims)[0]
        return torus(shape, fabric.scaleup_bytes_per_s / (2 * sum(k > 1 for k in shape) or 1))
    return switch(ranks, fabric.scaleup_bytes_per_s)


def _plane(fabric: Fabric, endpoints: int, narrow: str) -> Topology:
    """One plane, at its share of the NIC's rate."""
    counts, rate, k = count(fabric, endpoints), fabric.nic_bytes_per_s / fabric.planes, ports(fabric)
    if fabric.topology == "torus":
        return torus(shapes(endpoints, fabric.tiers)[0], rate / (2 * fabric.tiers))
    if counts.leaves == 1 and not counts.spines:
        return switch(endpoints, rate)
    if fabric.topology == "dragonfly_plus":
        return _dragonfly(counts, endpoints, rate, k)
    pods = fabric.pod_endpoints > 0
    at_leaf = not pods and (fabric.tiers <= 2 or narrow == "leaf")
    down, up = leaf_ports(fabric if at_leaf else replace(fabric, oversubscription=1.0))
    wanted = fabric.rails if fabric.topology == "rail_fat_tree" else 1
    rails = max(d for d in range(1, wanted + 1) if wanted % d == 0 and d <= counts.leaves)
    groups = math.ceil(endpoints / (rails * down))
    leaves = groups * rails
    if fabric.tiers <= 2:
        return fat_tree_2(
            endpoints,
            rate,
            down=down,
            spines=min(counts.spines, up),
            uplinks=up,
            oversubscription=max(1.0, down / up),
            rails=rails,
            leaves=leaves,
        )
    number = math.ceil(endpoints / fabric.pod_endpoints) if pods else math.ceil(leaves / (k // 2))
    pod_leaves = math.ceil(groups / number) * rails
    aggregations = next_divisor(min(up, math.ceil(pod_leaves * up / (k // 2))), up)
    core_links = pod_leaves * up // aggregations
    return fat_tree_3(
        endpoints,
        rate,
        down=down,
        pod_leaves=pod_leaves,
        aggregations=aggregations,
        uplinks=up,
        core_links=core_links,
        group_cores=next_divisor(min(core_links, math.ceil(number * core_links / k)), core_links),
        oversubscription=max(1.0, down / up),
        pod_oversubscription=1.0 if at_leaf else fabric.oversubscription,
        rails=rails,
    )


def _dragonfly(counts: Counts, endpoints: int, rate: float, k: int) -> Topology:
    """Groups as the parts list counts them; of a group's links outward as many as the other groups share evenly."""
    leaves, spines = counts.leaves // counts.groups, counts.spines // counts.groups
    others = max(1, counts.groups - 1)
    links = next(n for n in range(max(1, k // 2), k // 2 + others + 1) if spines * n % others == 0)
    down = math.ceil(endpoints / counts.leaves)
    if down * counts.leaves != endpoints:
        near = f"{(down - 1) * counts.leaves or counts.leaves:,} or {down * counts.leaves:,}"
        message = f"a dragonfly+ of {counts.leaves} leaves carries {down} endpoints on each, not {endpoints:,} in all"
        raise InputError(Problem("out_of_range", message, None, (f"{near} endpoints",)))
    return dragonfly_plus(counts.groups, rate, group_leaves=leaves, group_spines=spines, down=down, spine_links=links)
