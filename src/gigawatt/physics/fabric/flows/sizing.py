"""The network of a `Fabric`: the tree that its design numbers (radix, tiers, oversubscription, planes, rails) build.

Sizes are those of the parts list, made regular: every pod has as many leaves, every switch of a tier as many links. Rails
are at most as many as leaves.
"""

from __future__ import annotations

import math

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.design import Fabric
from gigawatt.physics.fabric.flows.fat_tree import fat_tree_2, fat_tree_3, mesh, switch
from gigawatt.physics.fabric.flows.topology import Topology, domains, planes
from gigawatt.physics.fabric.flows.torus import shapes, torus
from gigawatt.physics.fabric.topology import count, ports

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
        InputError: fewer than one endpoint, no whole number of domains, unknown `narrow`.
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
        shape = shapes(ranks)[0]
        return torus(shape, fabric.scaleup_bytes_per_s / (2 * sum(k > 1 for k in shape) or 1))
    return switch(ranks, fabric.scaleup_bytes_per_s)


def _plane(fabric: Fabric, endpoints: int, narrow: str) -> Topology:
    """One plane, at its share of the NIC's rate."""
    counts = count(fabric, endpoints)
    leaves, spines = counts.leaves, counts.spines
    rate = fabric.nic_bytes_per_s / fabric.planes
    if leaves == 1 and fabric.oversubscription <= 1:
        return switch(endpoints, rate)
    k = ports(fabric)
    at_leaf = fabric.tiers <= 2 or narrow == "leaf"
    over = fabric.oversubscription if at_leaf else 1.0
    down = int(k * over / (1 + over))
    up = k - down
    rails = max(d for d in range(1, fabric.rails + 1) if fabric.rails % d == 0 and d <= leaves)
    groups = math.ceil(endpoints / (rails * down))
    leaves = groups * rails
    if fabric.tiers <= 2:
        return fat_tree_2(
            endpoints,
            rate,
            down=down,
            spines=min(spines, up),
            uplinks=up,
            oversubscription=max(1.0, down / up),
            rails=rails,
            leaves=leaves,
        )
    pods = math.ceil(leaves / (k // 2))
    pod_leaves = math.ceil(groups / pods) * rails
    aggregations = _divisor(math.ceil(pod_leaves * up / (k // 2)), up)
    core_links = pod_leaves * up // aggregations
    return fat_tree_3(
        endpoints,
        rate,
        down=down,
        pod_leaves=pod_leaves,
        aggregations=aggregations,
        uplinks=up,
        core_links=core_links,
        group_cores=_divisor(math.ceil(pods * core_links / k), core_links),
        oversubscription=max(1.0, down / up),
        pod_oversubscription=1.0 if at_leaf else fabric.oversubscription,
        rails=rails,
    )


def _divisor(count: int, of: int) -> int:
    """The smallest divisor of `of` that is at least `count`, `of` itself at most."""
    return next(d for d in range(min(count, of), of + 1) if of % d == 0)
