"""Which path each flow takes: static hashing (ECMP) or spraying, over a network some of whose links failed or are slow.

    ecmp    every queue pair keeps one path, drawn at random; on a dead one it draws again until it finds one alive
    spray   packets go over all paths of equal cost (adaptive routing, packet spraying): the parallel links of a switch
            are one trunk, as wide as what of them is alive

With several queue pairs between two endpoints, how they share the bytes matters as much as where they run:

    dynamic   the pair is as fast as its queue pairs together (each takes new work when it has done its own)
    equal     each carries the same bytes, so the pair waits for its slowest: rate = flows_per_pair x slowest

Most libraries split equally. A step of equal splits takes max over links of bytes/rate, which needs no solver.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import Problems, unknown_name
from gigawatt.physics.fabric.flows.graph import Array, Bools, Ids, Ints, Network, islands, off_the_largest, spell, total
from gigawatt.physics.fabric.flows.maxmin import link_loads, max_min
from gigawatt.physics.fabric.flows.topology import Topology

KINDS = ("ecmp", "spray")
SPLITS = ("dynamic", "equal")
# Random draws before the ways of a pair are gone through one by one.
_DRAWS = 32
# Ways tried at once when they are gone through.
_BATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class Routing:
    """How flows find their paths; see the module. `seed` draws ECMP's paths."""

    kind: str = "ecmp"
    flows_per_pair: int = 1
    split: str = "dynamic"
    seed: int = 0

    def __post_init__(self) -> None:
        problems = Problems()
        for what, name, known in (("routing", self.kind, KINDS), ("split", self.split, SPLITS)):
            if name not in known:
                problems.extend([unknown_name(what, name, known)])
        if self.flows_per_pair < 1:
            problems.add("out_of_range", f"flows_per_pair must be at least 1, not {self.flows_per_pair}")
        problems.raise_if_any()


SPRAY = Routing("spray")


@dataclass(frozen=True, slots=True)
class Routed:
    """Flows on a network: pair p's are rows p q .. (p+1) q - 1 of `links`, with q = `flows_per_pair`.

    `network` is the pooled one where flows are sprayed; `bytes_per_s` what its links carry in their state of health.
    `cut` marks pairs that no path joins; `cut_endpoints` are those that lost the others altogether. `count[p]` is how
    many like pairs row p stands for; 1 where None.
    """

    network: Network
    bytes_per_s: Array
    links: Ids
    flows_per_pair: int
    split: str
    cut: Bools
    cut_endpoints: Ints
    count: Array | None = None

    @property
    def pairs(self) -> int:
        """Pairs, like ones counted each."""
        return len(self.cut) if self.count is None else round(float(self.count.sum()))

    @property
    def cut_names(self) -> str:
        """The endpoints cut off, in words; empty where there are none."""
        return spell(self.network, self.cut_endpoints) if len(self.cut_endpoints) else ""

    def flow_rates(self, *, solver: str = "auto") -> Array:
        """Max-min fair bytes/s of each row of `links`, all that it stands for; `solver` as in `max_min`."""
        weight = None if self.count is None else np.repeat(self.count, self.flows_per_pair)
        return max_min(self.links, self.bytes_per_s, weight, solver=solver)

    def pair_rates(self, flow_rates: Array | None = None, *, solver: str = "auto") -> Array:
        """Max-min fair bytes/s of one pair in each place, 0 where it is cut; from `flow_rates` where at hand."""
        q = self.flows_per_pair
        each = self.flow_rates(solver=solver) if flow_rates is None else flow_rates
        each = each.reshape(-1, q) if self.count is None else each.reshape(-1, q) / self.count[:, None]
        rates = each.sum(axis=1) if self.split == "dynamic" else q * each.min(axis=1)
        return np.where(self.cut, 0.0, rates)

    def line_rates(self) -> Array:
        """Bytes/s of each pair if nothing bound but the endpoints: all an endpoint's links of the kind a path takes."""
        net, first = self.network, self.links[:: self.flows_per_pair]
        on = first >= 0
        none = ~on.any(axis=1)
        row = np.arange(len(first))
        out = first[row, on.argmax(axis=1)]
        into = first[row, on.shape[1] - 1 - on[:, ::-1].argmax(axis=1)]
        # Sending and receiving sides of an endpoint, kind by kind.
        kinds = len(net.kinds)
        leaves, arrives = net.src.astype(np.int64) * kinds + net.kind, net.dst.astype(np.int64) * kinds + net.kind
        places = net.nodes * kinds
        capacity = np.concatenate([total(leaves, net.bytes_per_s, places), total(arrives, net.bytes_per_s, places)])
        sides = np.stack([leaves[out], places + arrives[into]], axis=1).astype(np.int32)
        sides[none] = -1
        rates = max_min(sides, capacity, self.count)
        return rates if self.count is None else rates / self.count

    def subset(self, pairs: Ints) -> Routed:
        """Only these pairs, on the paths that they have."""
        rows = (pairs[:, None] * self.flows_per_pair + np.arange(self.flows_per_pair)).ravel()
        count = None if self.count is None else self.count[pairs]
        return replace(self, links=self.links[rows], cut=self.cut[pairs], count=count)

    def step_s(self, nbytes: ArrayLike, *, solver: str = "auto") -> float:
        """Seconds until every pair has moved its `nbytes` (one number, or one a pair); infinite where one is cut.

        Equal split, or one flow a pair: max over links of bytes/rate. Exact where all flows carry as much: no share is ever
        below that of the fullest link, on which all flows end together. Unlike amounts reach it where flows share in
        proportion to them. Dynamic split: bytes over rate of the slowest pair, rates held from start to end.
        """
        amount = np.broadcast_to(np.asarray(nbytes, dtype=np.float64), self.cut.shape)
        moves = amount > 0
        if np.any(self.cut & moves):
            return float("inf")
        if self.split == "equal" or self.flows_per_pair == 1:
            each = np.repeat(amount if self.count is None else amount * self.count, self.flows_per_pair)
            load = link_loads(self.links, each / self.flows_per_pair, self.network.links)
            used = load > 0
            return float(np.max(load[used] / self.bytes_per_s[used], initial=0.0))
        return float(np.max(amount[moves] / self.pair_rates(solver=solver)[moves], initial=0.0))


def route(topology: Topology, src: ArrayLike, dst: ArrayLike, routing: Routing, health: Array | None = None) -> Routed:
    """Paths of the pairs src[p] -> dst[p].

    Args:
        topology: where.
        src: endpoints that send.
        dst: endpoints that receive.
        routing: how; the same seed draws the same paths.
        health: share of its rate that each link of `topology.network` has, from `health`; all whole where None.

    Raises:
        InputError: endpoints that do not exist.
    """
    net = topology.network
    senders, receivers = (np.asarray(x, dtype=np.int32).ravel() for x in np.broadcast_arrays(src, dst))
    _check(net, senders, receivers)
    share = np.ones(net.links) if health is None else health
    alive = share > 0
    whole = bool(alive.all())
    island = np.zeros(net.endpoints, dtype=np.intp) if whole else islands(net, alive)
    cut = island[senders] != island[receivers]
    capacity = net.bytes_per_s * share
    if routing.kind == "ecmp":
        q, split = routing.flows_per_pair, routing.split
        links, dead = _hashed(topology, senders, receivers, cut, routing, None if whole else alive)
        used, bandwidth = net, capacity
    else:
        q, split = topology.splits, "equal"
        links, dead = _sprayed(topology, senders, receivers, cut, routing, None if whole else alive)
        used = topology.pooled.network
        bandwidth = total(topology.pooled.trunk, capacity, used.links)
    cut = cut | dead
    if cut.any():
        links[np.repeat(cut, q)] = -1
    return Routed(used, bandwidth, links, q, split, cut, off_the_largest(island))


def _check(net: Network, src: Ids, dst: Ids) -> None:
    problems = Problems()
    for what, ids in (("senders", src), ("receivers", dst)):
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= net.endpoints):
            worst = int(ids.max()) if int(ids.max()) >= net.endpoints else int(ids.min())
            problems.add("out_of_range", f"network '{net.name}' has {net.endpoints:,} endpoints; {what} hold {worst}")
    problems.raise_if_any()


def _draw(topology: Topology, rng: np.random.Generator, place: Ints) -> Ints:
    """A way for each flow. Queue pairs go to the planes in turn, as NICs stripe them; the rest is chance."""
    ways, count = topology.choices // topology.planes, topology.planes
    drawn = rng.integers(0, ways, len(place), dtype=np.int32 if ways < 2**31 else np.int64).astype(np.intp)
    return drawn if count == 1 else drawn * count + place % count


def _hashed(
    topology: Topology, src: Ids, dst: Ids, cut: Bools, routing: Routing, alive: Bools | None
) -> tuple[Ids, Bools]:
    """Paths of ECMP, and the pairs with no way alive."""
    q = routing.flows_per_pair
    rng = np.random.default_rng(routing.seed)
    senders, receivers = np.repeat(src, q), np.repeat(dst, q)
    place = np.tile(np.arange(q), len(src)) + senders
    links = topology.paths(senders, receivers, _draw(topology, rng, place))
    if alive is None:
        return links, np.zeros(len(src), dtype=np.bool_)
    # Where a plane is dead for it, a queue pair moves to another.
    return links, _repair(topology, src, dst, links, cut, alive, rng)


def _sprayed(
    topology: Topology, src: Ids, dst: Ids, cut: Bools, routing: Routing, alive: Bools | None
) -> tuple[Ids, Bools]:
    """Paths over trunks, and the pairs with no way alive."""
    q, trunk = topology.splits, topology.pooled.trunk
    links = topology.paths(np.repeat(src, q), np.repeat(dst, q), np.tile(np.arange(q), len(src)))
    dead = np.zeros(len(src), dtype=np.bool_)
    if alive is not None:
        # Whole trunks that are gone are gone around, where there is another way: in a torus, not in a tree.
        rng = np.random.default_rng(routing.seed)
        left = total(trunk, alive, topology.pooled.network.links) / np.bincount(trunk)
        dead = _repair(topology, src, dst, links, cut, left[trunk] > 0, rng)
        # Trunks alive may still share no way, if what they lost adds up to a whole one.
        lost = np.where(links >= 0, 1.0 - left[trunk[links]], 0.0).sum(axis=1).reshape(-1, q).max(axis=1)
        doubt = np.flatnonzero((lost >= 1 - 1e-9) & ~cut & ~dead)
        tried = links[(doubt[:, None] * q + np.arange(q)).ravel()]
        dead[doubt] = _repair(topology, src[doubt], dst[doubt], tried, cut[doubt], alive, rng)
    return np.where(links >= 0, trunk[links], links).astype(np.int32), dead


def _repair(
    topology: Topology, src: Ids, dst: Ids, links: Ids, cut: Bools, alive: Bools, rng: np.random.Generator
) -> Bools:
    """Draw new ways, in place, for flows over dead links, until alive; True for pairs that have no way alive.

    Chance finds a way where there are many; what it leaves is gone through way by way.
    """
    q = len(links) // max(1, len(src))
    dead = np.zeros(len(src), dtype=np.bool_)
    broken = np.flatnonzero(_broken(links, alive) & ~np.repeat(cut, q))
    for _ in range(_DRAWS):
        if not len(broken):
            return dead
        pair = broken // q
        again = topology.paths(src[pair], dst[pair], rng.integers(0, topology.choices, len(broken)))
        links[broken] = again
        broken = broken[_broken(again, alive)]
    for pair in np.unique(broken // q).tolist():
        flows = broken[broken // q == pair]
        ways = _ways_alive(topology, src[pair], dst[pair], alive)
        dead[pair] = not len(ways)
        if len(ways):
            drawn = ways[rng.integers(0, len(ways), len(flows))]
            links[flows] = topology.paths(np.full(len(flows), src[pair]), np.full(len(flows), dst[pair]), drawn)
    return dead


def _broken(links: Ids, alive: Bools) -> Bools:
    return np.asarray(((links >= 0) & ~alive[links]).any(axis=1))


def _ways_alive(topology: Topology, src: np.int32, dst: np.int32, alive: Bools) -> Ints:
    """The numbers of a pair's ways that are alive, by going through all of them."""
    found = []
    for first in range(0, topology.choices, _BATCH):
        ways = np.arange(first, min(topology.choices, first + _BATCH))
        links = topology.paths(np.full(len(ways), src), np.full(len(ways), dst), ways)
        found.append(ways[~_broken(links, alive)])
    return np.concatenate(found)


def require(net: Network, endpoints: int, what: str) -> None:
    """See that a group fits.

    Raises:
        InputError: more ranks than endpoints, fewer than one.
    """
    problems = Problems()
    if endpoints > net.endpoints:
        problems.add(
            "out_of_range", f"{what} of {endpoints:,} ranks on network '{net.name}' of {net.endpoints:,} endpoints"
        )
    elif endpoints < 1:
        problems.add("out_of_range", f"{what} needs at least one rank, not {endpoints}")
    problems.raise_if_any()
