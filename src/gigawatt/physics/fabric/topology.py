"""How many switches and links a topology takes for so many endpoints: the counts of one plane, without parts.

With k ports of a switch at the endpoint's rate, o down to up at the leaves, d = k o/(1+o) ports down and u = k - d up:

    1 tier          one switch, for at most k endpoints
    2 tiers         leaves = ceil(N/d), spines = ceil(leaves u/k), then up to the next divisor of u, so that every leaf
                    has as many links to each spine; at most k d endpoints
    3 tiers         leaves = ceil(N/d), aggregation = ceil(leaves u/(k/2)), core = half of it; at most d k^2/2 endpoints
                    (k^3/4 without oversubscription)
    pods            3 tiers with the oversubscription above pods of P endpoints: leaves with as many links up as down,
                    aggregation = ceil(P/d) a pod, P/o links from a pod to the cores
    rail_fat_tree   the same, with the leaves a multiple of the rails: NICs of one index share a leaf
    dragonfly_plus  groups of leaves and spines; a spine has k/2 links to leaves, k/2 to other groups (Shpiner et al.,
                    HiPINEB 2017): at most d k/2 endpoints a group and u k/2 + 1 groups
    torus           no switch: a link for each endpoint and dimension (`tiers` counts dimensions)

p planes are p copies whose ports run at 1/p of the NIC's rate, so that k grows p-fold. Reproduces NVIDIA's and Lambda's
published counts: 12, 100, 216 and 1,440 switches of 144 x 800G for 576, 4,608, 10,368 and 41,472 GPUs; and Meta's 1,536
rack switches in 8 pods for 24,576.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gigawatt.core.errors import Change, Infeasible, InputError, Problem
from gigawatt.physics.fabric.design import Fabric

UNLIMITED = 1 << 60
PLANES = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Counts:
    """Switches and links of one plane. `spines` are spines or aggregation switches, `groups` pods or dragonfly groups.

    `host_links` go from a NIC port to a leaf, `leaf_links` from there to the spines, `core_links` beyond: to the cores,
    from group to group, or along a torus.
    """

    leaves: int
    spines: int
    cores: int
    groups: int
    host_links: int
    leaf_links: int
    core_links: int

    @property
    def switches(self) -> int:
        """All switches of the plane."""
        return self.leaves + self.spines + self.cores

    @property
    def links(self) -> int:
        """Links between switches (of a torus: between endpoints)."""
        return self.leaf_links + self.core_links


def ports(fabric: Fabric) -> int:
    """Ports of a switch at the rate of one plane's endpoint."""
    endpoint = fabric.nic_bytes_per_s / fabric.planes
    return fabric.radix * max(1, round(fabric.switch_port_bytes_per_s / endpoint))


def _down(k: int, oversubscription: float) -> int:
    """Ports down of a switch with k ports."""
    return int(k * oversubscription / (1 + oversubscription))


def leaf_ports(fabric: Fabric) -> tuple[int, int]:
    """(endpoints, links up) of a leaf."""
    k = ports(fabric)
    if fabric.pod_endpoints:  # non-blocking up to the top of the pod
        down = fabric.leaf_endpoints or k // 2
        return down, down
    most = _down(k, fabric.oversubscription)
    down = fabric.leaf_endpoints or most
    return down, max(1, round(down / fabric.oversubscription)) if fabric.leaf_endpoints else k - most


def capacity(fabric: Fabric) -> int:
    """Most endpoints that the fabric's tiers reach."""
    k, (down, up) = ports(fabric), leaf_ports(fabric)
    if fabric.topology == "torus":
        return UNLIMITED
    if fabric.topology == "dragonfly_plus":
        return down * (k // 2) * (up * (k // 2) + 1)
    if fabric.tiers == 1:
        return k
    if fabric.pod_endpoints:
        return fabric.pod_endpoints * k
    leaves = k if fabric.tiers == 2 else k * k // 2
    return down * _whole_rails(fabric, leaves)


def _whole_rails(fabric: Fabric, leaves: int) -> int:
    """The largest multiple of the rails that is no more than `leaves`, where leaves serve one rail each."""
    if fabric.topology != "rail_fat_tree" or leaves < fabric.rails:
        return leaves
    return leaves // fabric.rails * fabric.rails


def next_divisor(count: int, of: int) -> int:
    """The smallest divisor of `of` that is at least `count`; multiples of `of` beyond it."""
    if count >= of:
        return of * math.ceil(count / of)
    return next(d for d in range(count, of + 1) if of % d == 0)


def count(fabric: Fabric, endpoints: int) -> Counts:
    """Switches and links of one plane of `fabric` for `endpoints` chips.

    Raises:
        InputError: fewer than one endpoint, or a leaf that has not the ports it is asked for: all problems.
        Infeasible: the tiers do not reach so many endpoints; says what would.
    """
    _check(fabric, endpoints)
    k, (down, up) = ports(fabric), leaf_ports(fabric)
    most = capacity(fabric)
    if endpoints > most:
        raise _too_many(fabric, endpoints, k, most)
    if fabric.topology == "torus":
        return Counts(0, 0, 0, 1, 0, 0, endpoints * fabric.tiers)
    if fabric.tiers == 1 or (endpoints <= k and fabric.oversubscription <= 1 and not fabric.leaf_endpoints):
        return Counts(1, 0, 0, 1, endpoints, 0, 0)
    if fabric.topology == "dragonfly_plus":
        return _dragonfly(endpoints, k, down, up)
    leaves = math.ceil(endpoints / down)
    if fabric.topology == "rail_fat_tree":
        leaves = math.ceil(leaves / fabric.rails) * fabric.rails if leaves >= fabric.rails else leaves
    if fabric.pod_endpoints:
        return _pods(fabric, endpoints, leaves, k, up)
    if fabric.tiers == 2:
        spines = next_divisor(math.ceil(leaves * up / k), up)
        return Counts(leaves, spines, 0, 1, endpoints, leaves * up, 0)
    middle = math.ceil(leaves * up / (k // 2))
    pods = math.ceil(leaves / (k // 2))
    return Counts(leaves, middle, math.ceil(middle / 2), pods, endpoints, leaves * up, middle * (k // 2))


def _pods(fabric: Fabric, endpoints: int, leaves: int, k: int, up: int) -> Counts:
    pods = math.ceil(endpoints / fabric.pod_endpoints)
    links_up = math.ceil(leaves / pods) * up
    each = math.ceil(links_up / _down(k, fabric.oversubscription))
    # Where a leaf has a link to each of them, it has as many to each.
    each = next_divisor(each, up) if each <= up else each
    if pods == 1:
        return Counts(leaves, each, 0, 1, endpoints, leaves * up, 0)
    beyond = pods * math.ceil(links_up / fabric.oversubscription)
    return Counts(leaves, pods * each, math.ceil(beyond / k), pods, endpoints, leaves * up, beyond)


def _dragonfly(endpoints: int, k: int, down: int, up: int) -> Counts:
    half = k // 2
    groups = math.ceil(endpoints / (down * half))
    leaves = math.ceil(endpoints / groups / down)
    spines = next_divisor(math.ceil(leaves * up / half), up)
    beyond = groups * spines * half // 2 if groups > 1 else 0
    return Counts(groups * leaves, groups * spines, 0, groups, endpoints, groups * leaves * up, beyond)


def _check(fabric: Fabric, endpoints: int) -> None:
    found = []
    if endpoints < 1:
        found.append(Problem("out_of_range", f"a fabric needs at least one endpoint, not {endpoints}"))
    k, (down, up) = ports(fabric), leaf_ports(fabric)
    if down + up > k:
        message = f"fabric '{fabric.name}': a leaf of {down} endpoints needs {down + up} ports, and a switch has {k}"
        found.append(
            Problem("out_of_range", message, None, (f"leaf_endpoints: at most {_down(k, max(1.0, down / up))}",))
        )
    if found:
        raise InputError(found)


def _too_many(fabric: Fabric, endpoints: int, k: int, most: int) -> Infeasible:
    """The nearest design that reaches so far: a tier more, else more planes; or fewer endpoints."""
    changes = []
    if fabric.topology != "dragonfly_plus" and fabric.tiers < 3:
        taller = next((t for t in range(fabric.tiers + 1, 4) if capacity(replace(fabric, tiers=t)) >= endpoints), None)
        changes += [Change("tiers", fabric.tiers, taller, "")] if taller else []
    if not changes:
        more = (fabric.planes * p for p in PLANES)
        wider = next((p for p in more if capacity(replace(fabric, planes=p)) >= endpoints), None)
        changes += [Change("planes", fabric.planes, wider, "")] if wider else []
    changes.append(Change("endpoints", endpoints, most, ""))
    hint = "; ".join(str(change).strip() for change in changes)
    return Infeasible(
        f"fabric '{fabric.name}': {fabric.tiers} {'tier' if fabric.tiers == 1 else 'tiers'} of {k} ports reach {most:,} "
        f"endpoints, not {endpoints:,} ({hint})",
        (f"tiers of fabric '{fabric.name}'",),
        changes,
    )
