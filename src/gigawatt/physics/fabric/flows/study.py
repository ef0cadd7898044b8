"""What a network does to a pattern: throughput beside line rate, and jobs beside each other.

Mean, first percentile and minimum are always told together: a step waits for its slowest pair, a mean does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.flows import patterns
from gigawatt.physics.fabric.flows.graph import Array, Ids
from gigawatt.physics.fabric.flows.maxmin import link_loads
from gigawatt.physics.fabric.flows.patterns import Exchange, Pattern
from gigawatt.physics.fabric.flows.routes import SPRAY, Routed, Routing, route
from gigawatt.physics.fabric.flows.schedule import flows_of
from gigawatt.physics.fabric.flows.topology import Domains, Topology


@dataclass(frozen=True, slots=True)
class Throughput:
    """Shares of line rate over the pairs of a pattern; a pair that is cut has 0.

    Line rate is what the pair would get if only its endpoints bound; more than that, left over by others, counts as 1.
    `slowest_bytes_per_s` is the rate of the slowest
    pair, `bottleneck` the link that holds it back, `cut_pairs` and `cut` what failures cut off.
    """

    pairs: int
    mean: float
    p1: float
    minimum: float
    slowest_bytes_per_s: float
    bottleneck: str
    cut_pairs: int = 0
    cut: str = ""


def throughput(
    topology: Topology,
    pattern: Pattern,
    routing: Routing = SPRAY,
    health: Array | None = None,
    *,
    solver: str = "auto",
) -> Throughput:
    """Max-min fair rates of a pattern's pairs as shares of line rate, all of them sending; amounts do not enter.

    Raises:
        InputError: endpoints that do not exist; an exchange of too many pairs; a pattern without pairs.
    """
    flows = flows_of(topology, pattern, routing, health)
    if not len(flows.cut):
        raise InputError(Problem("empty", f"pattern '{pattern.what}' has no pairs"))
    each = flows.flow_rates(solver=solver)
    rates = flows.pair_rates(each)
    line = _whole(topology, pattern, flows, routing, health).line_rates()
    share = np.minimum(1.0, np.divide(rates, line, out=np.ones_like(line), where=np.isfinite(line)))
    count = np.ones(len(share)) if flows.count is None else flows.count
    order = np.argsort(share)
    below = np.cumsum(count[order])
    p1 = share[order][np.searchsorted(below, 0.01 * below[-1])]
    ties = np.flatnonzero(share <= share[order[0]] * (1 + 1e-9))
    slowest = int(ties[np.argmin(rates[ties])])
    return Throughput(
        pairs=flows.pairs,
        mean=float(np.average(share, weights=count)),
        p1=float(p1),
        minimum=float(share[slowest]),
        slowest_bytes_per_s=float(rates[slowest]),
        bottleneck=_bottleneck(flows, each, slowest),
        cut_pairs=round(float(count[flows.cut].sum())),
        cut=flows.cut_names,
    )


def _whole(topology: Topology, pattern: Pattern, flows: Routed, routing: Routing, health: Array | None) -> Routed:
    """The same rows on the sprayed network with nothing failed: whatever collides or is cut, its ports are the line."""
    if routing.kind == "spray" and health is None:
        return flows
    step = pattern.pairs() if isinstance(pattern, Exchange) else pattern
    return route(topology, step.src, step.dst, SPRAY)


def _bottleneck(flows: Routed, each: Array, pair: int) -> str:
    """The full link that a pair's slowest flow crosses."""
    if flows.cut[pair]:
        return "cut off"
    q = flows.flows_per_pair
    row = pair * q + int(np.argmin(each[pair * q : (pair + 1) * q]))
    path = flows.links[row][flows.links[row] >= 0]
    load = link_loads(flows.links, np.where(np.isinf(each), 0.0, each), flows.network.links)
    full = path[load[path] >= flows.bytes_per_s[path] * (1 - 1e-9)]
    return flows.network.link_name(int(full[0])) if len(full) else ""


@dataclass(frozen=True, slots=True)
class Shared:
    """One job's slowest pair, alone on the network and beside the others, in bytes/s; `slowdown` is their ratio."""

    ranks: int
    alone_bytes_per_s: float
    together_bytes_per_s: float

    @property
    def slowdown(self) -> float:
        """How much longer its steps take beside the others."""
        if self.together_bytes_per_s == 0:
            return float("inf")
        return self.alone_bytes_per_s / self.together_bytes_per_s


def share_network(
    topology: Topology,
    sizes: ArrayLike,
    *,
    placement: str = "packed",
    unit: int = 1,
    routing: Routing = SPRAY,
    health: Array | None = None,
    seed: int = 0,
) -> tuple[Shared, ...]:
    """Several jobs at once, each with its rings running: how much does each slow the others?

    Args:
        topology: where.
        sizes: ranks of each job, whole units.
        placement: packed or random; see `place`.
        unit: endpoints that stay together; scale-up domains do so in any case.
        routing: how flows find their paths. Alone a job has the same paths.
        health: share of its rate that each link has.
        seed: of the placement.

    Raises:
        InputError: as `place`.
    """
    domain = topology.size if isinstance(topology, Domains) else 1
    unit = max(unit, domain)
    groups = patterns.place(topology.network.endpoints, sizes, placement, unit=unit, seed=seed)
    return share_patterns(topology, [_across(group, unit) for group in groups], routing, health)


def _across(group: Ids, unit: int) -> patterns.Step:
    """A job's rings over its units: rank r of each sends to rank r of the next; what stays in a unit disturbs nobody."""
    units = group.reshape(-1, unit)
    return patterns.Step("rings", units.ravel(), np.roll(units, -1, axis=0).ravel())


def share_patterns(
    topology: Topology, steps: Sequence[patterns.Step], routing: Routing = SPRAY, health: Array | None = None
) -> tuple[Shared, ...]:
    """The same for any patterns, one a job, of pairs that move as much each.

    Raises:
        InputError: endpoints that do not exist.
    """
    flows = route(
        topology, np.concatenate([s.src for s in steps]), np.concatenate([s.dst for s in steps]), routing, health
    )
    rates = flows.pair_rates()
    edges = np.cumsum([0, *(len(s.src) for s in steps)])
    found = []
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        alone = flows.subset(np.arange(first, end)).pair_rates()
        found.append(Shared(end - first, float(alone.min()), float(rates[first:end].min())))
    return tuple(found)
