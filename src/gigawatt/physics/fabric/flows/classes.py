"""Exchanges of everybody with everybody, by classes of like pairs instead of pair by pair.

16,384 endpoints make 268 million pairs, but in a sprayed network all pairs of the same two leaves are alike: they share
trunks, and their ports carry as many flows each. One flow of weight m then stands for m pairs, and the ports of a leaf's
endpoints are one link. With scale-up domains, pairs within a domain and across are classes of their own. In a torus every
node sees the same network: the flows of one node stand for all, and the links of one direction are one link, which a path
uses as often as it takes steps there.
"""

from __future__ import annotations

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.flows.graph import Array, Ids, Ints, Network
from gigawatt.physics.fabric.flows.patterns import Exchange
from gigawatt.physics.fabric.flows.routes import Routed, Routing, route
from gigawatt.physics.fabric.flows.topology import Domains, Topology, pool
from gigawatt.physics.fabric.flows.torus import Torus

# Rows of paths that are worth holding in memory: a few hundred megabytes.
MOST_ROWS = 16_000_000
# Small groups have few pairs a rank, and classes would be as many: those go pair by pair.
_FEW_PAIRS, _SMALL_GROUP = 4_096, 64


def exchange(topology: Topology, pattern: Exchange, routing: Routing, health: Array | None = None) -> Routed:
    """The flows of an exchange: by classes where flows are sprayed over a whole network, else pair by pair.

    Raises:
        InputError: endpoints that do not exist; too many pairs to go through one by one.
    """
    groups = pattern.groups
    count, size = groups.shape
    pairs = count * size * (size - 1)
    if routing.kind == "spray" and health is None and pairs > _FEW_PAIRS and size > _SMALL_GROUP:
        if isinstance(topology, Torus) and count == 1 and size == topology.network.endpoints:
            return _translated(topology)
        # What is relayed passes ranks of the domain that must take part themselves to be counted.
        relayed = isinstance(topology, Domains) and topology.relay and groups.size < topology.network.endpoints
        if topology.splits == 1 and not relayed:
            return _classes(topology, groups)
    q = routing.flows_per_pair if routing.kind == "ecmp" else topology.splits
    if pairs * q > MOST_ROWS:
        raise InputError(
            Problem(
                "too_large",
                f"{pattern.what}: {pairs:,} pairs of {q} flows each are more than the {MOST_ROWS:,} that fit",
                hints=("spray over a whole network, which needs only classes of pairs", "take a smaller group"),
            )
        )
    step = pattern.pairs()
    return route(topology, step.src, step.dst, routing, health)


def _translated(topology: Torus) -> Routed:
    """One node's flows to all others, on one link for each direction."""
    net = topology.network
    nodes, fan = net.endpoints, topology.neighbour.shape[1]
    q = topology.splits
    other = np.arange(1, nodes)
    steps = topology.steps[
        0, np.repeat(other, q), np.tile(np.arange(q), nodes - 1) % np.repeat(topology.ties[other], q)
    ]
    both = np.zeros(fan, dtype=np.int32)
    capacity = net.bytes_per_s.reshape(nodes, fan).sum(axis=0)
    each = Network(f"{net.name}, by direction", (("node", 1),), both, both, capacity, both.astype(np.int8), net.kinds)
    cut, lost = np.zeros(nodes - 1, np.bool_), np.empty(0, np.intp)
    return Routed(each, capacity, steps.astype(np.int32), q, "equal", cut, lost, np.full(nodes - 1, float(nodes)))


def _classes(topology: Topology, groups: Ids) -> Routed:
    """Members of the same label, group and kind of domain are a class; pairs of classes, near and far, are flows."""
    members = groups.ravel()
    if members.size and not 0 <= int(members.min()) <= int(members.max()) < topology.network.endpoints:
        hold = f"endpoints {members.min()} .. {members.max()}"
        raise InputError(
            Problem("out_of_range", f"{hold} on network '{topology.network.name}' of {topology.network.endpoints:,}")
        )
    group = np.repeat(np.arange(len(groups)), groups.shape[1])
    order = np.argsort(members)
    members, group = members[order], group[order]
    domain = topology.domain_of(members) if isinstance(topology, Domains) else np.arange(len(members))
    class_of = _refined(topology.symmetry()[members].astype(np.intp), group, np.asarray(domain, dtype=np.intp))
    src, dst, count = _pairs_of_classes(class_of, group, np.asarray(domain, dtype=np.intp))
    net = topology.pooled.network
    # The quotient: a node for each class, one for all endpoints that take no part, one for all scale-up switches.
    classes = int(class_of.max()) + 1
    node = np.arange(net.nodes) - net.endpoints + classes + 1
    node[: net.endpoints] = classes
    node[members] = class_of
    names: list[tuple[str, int]] = [("endpoints alike", classes), ("endpoints outside", 1)]
    at = classes + 1
    for name, many in net.groups[1:]:
        hubs = name == "scale-up switch"
        first = at
        at += 1 if hubs else many
        names.append((name, at - first))
        start = sum(n for _, n in net.groups[: len(names) - 2])
        node[start : start + many] = first if hubs else np.arange(first, at)
    quotient = pool(net, node.astype(np.int32), tuple(names))
    links = topology.paths(members[src], members[dst], np.zeros(len(src), dtype=np.intp))
    trunks = quotient.trunk[topology.pooled.trunk[links]]
    found = np.where(links >= 0, trunks, -1).astype(np.int32)
    cut = np.zeros(len(found), np.bool_)
    capacity = quotient.network.bytes_per_s
    return Routed(quotient.network, capacity, found, 1, "equal", cut, np.empty(0, np.intp), count)


def _refined(label: Ints, group: Ints, domain: Ints) -> Ints:
    """Classes: same label, same group, and a domain that holds as many of each (label, group)."""
    kind = _numbered(np.stack([label, group], axis=1))
    _, domain = np.unique(domain, return_inverse=True)
    if int(domain.max()) + 1 == len(domain):
        return kind
    # A domain's kinds in order, side by side: equal rows are domains of the same make-up.
    order = np.lexsort((kind, domain))
    start = np.searchsorted(domain[order], np.arange(int(domain.max()) + 1))
    nth = np.arange(len(order)) - start[domain[order]]
    holds = np.full((len(start), int(nth.max()) + 1), -1, dtype=np.intp)
    holds[domain[order], nth] = kind[order]
    return _numbered(np.stack([kind, _numbered(holds)[domain]], axis=1))


def _numbered(rows: Ints) -> Ints:
    return np.unique(rows, axis=0, return_inverse=True)[1].ravel().astype(np.intp)


def _runs(start: Ints, many: Ints) -> Ints:
    """start[i], start[i] + 1, ..: many[i] numbers for each i."""
    return np.asarray(np.repeat(start - (np.cumsum(many) - many), many) + np.arange(many.sum()), dtype=np.intp)


def _pairs_of_classes(class_of: Ints, group: Ints, domain: Ints) -> tuple[Ints, Ints, Array]:
    """One pair (places of sender and receiver) for each kind of pair, and how many there are; near ones first.

    Members stand in the order of their domains: of a class, the first and the last are in different ones if any two are.
    """
    classes = int(class_of.max()) + 1
    size = np.bincount(class_of, minlength=classes)
    order = np.argsort(class_of, kind="stable")
    first = order[np.concatenate([[0], np.cumsum(size)[:-1]])]
    last = order[np.cumsum(size) - 1]
    # Near: the others of the first member's domain and group, times the members of the class.
    start, end = np.searchsorted(domain, domain[first]), np.searchsorted(domain, domain[first], side="right")
    many = end - start
    src = np.repeat(first, many)
    dst = _runs(start, many)
    kept = (src != dst) & (group[src] == group[dst])
    src, dst = src[kept], dst[kept]
    key = class_of[src] * classes + class_of[dst]
    kind, at, times = np.unique(key, return_index=True, return_counts=True)
    near_src, near_dst = src[at], dst[at]
    near = times * size[kind // classes]
    # Far: all pairs of classes of one group, less the near ones and each member with itself.
    by_group = np.argsort(group[first], kind="stable")
    start = np.searchsorted(group[first][by_group], group[first])
    many = np.bincount(group[first])[group[first]]
    one = np.repeat(np.arange(classes), many)
    other = by_group[_runs(start, many)]
    pairs = size[one] * size[other] - np.where(one == other, size[one], 0)
    where = np.searchsorted(kind, one * classes + other)
    same = (
        (where < len(kind)) & (kind[np.minimum(where, len(kind) - 1)] == one * classes + other) if len(kind) else None
    )
    if same is not None:
        pairs = pairs - np.where(same, near[np.minimum(where, len(kind) - 1)], 0)
    one, other, pairs = one[pairs > 0], other[pairs > 0], pairs[pairs > 0]
    sender, receiver = first[one], first[other]
    for swap_src, swap_dst in ((False, True), (True, False)):
        clash = domain[sender] == domain[receiver]
        sender = np.where(clash, last[one] if swap_src else first[one], sender)
        receiver = np.where(clash, last[other] if swap_dst else first[other], receiver)
    count = np.concatenate([near, pairs]).astype(np.float64)
    return np.concatenate([near_src, sender]), np.concatenate([near_dst, receiver]), count
