"""The factor by which routing, placement and failures lower what the closed form takes from the network.

    efficiency = share of line rate (as asked) / share of line rate (sprayed, packed, nothing failed)

of the same pattern on the same network. The fitted network shares of the closed form (0.93-0.94 for InfiniBand and RoCE)
come from tables of machines that balance well, pack their jobs and run whole: they hold that state already, and
oversubscription is a term of its own there. So this factor is relative to that state, 1 where nothing is worse than it,
and may be multiplied onto the network share. A throughput of `study` may not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.design import Fabric
from gigawatt.physics.fabric.flows import patterns
from gigawatt.physics.fabric.flows.health import health
from gigawatt.physics.fabric.flows.patterns import Exchange, Pattern
from gigawatt.physics.fabric.flows.routes import SPRAY, Routing
from gigawatt.physics.fabric.flows.sizing import network_of
from gigawatt.physics.fabric.flows.study import throughput
from gigawatt.physics.fabric.flows.topology import Topology

PATTERNS = ("ring", "shift", "random", "all_to_all")
STATISTICS = ("minimum", "p1", "mean")


def efficiency(
    fabric: Fabric,
    pattern: str = "ring",
    *,
    endpoints: int,
    ranks: int | None = None,
    group: int | None = None,
    flows_per_pair: int = 1,
    routing: Routing | None = None,
    placement: str = "packed",
    failed_share: float = 0.0,
    statistic: str = "minimum",
    seed: int = 0,
) -> float:
    """The network's efficiency relative to its sprayed, packed, unfailed self; cached by design numbers.

    Args:
        fabric: the design.
        pattern: ring (each rank to the same rank of the next host), shift (half-way round the job), random (a random
            permutation), all_to_all.
        endpoints: chips of the network.
        ranks: chips of the job, all endpoints where None; whole hosts, or whole domains where they span hosts.
        group: chips of one exchange, the whole job where None; the job's groups of so many neighbours exchange at once.
        flows_per_pair: queue pairs between two chips, where `routing` is not given.
        routing: if None, as the fabric routes: hashed with `flows_per_pair` that share their work, else sprayed.
        placement: packed or random, by host or domain.
        failed_share: share of the cables between switches that failed.
        statistic: minimum (what a synchronous step waits for), p1 or mean.
        seed: of placement, failures and permutation; paths are drawn by `routing.seed`.

    Returns:
        Above 0 and seldom above 1; 0 where a failure cuts a pair of the job.

    Raises:
        InputError: unknown pattern or statistic; a job larger than the network or of no whole hosts or
            groups; too many pairs.
        Infeasible: more endpoints than the fabric's tiers reach.
    """
    if pattern not in PATTERNS:
        raise InputError(unknown_name("pattern", pattern, PATTERNS))
    if statistic not in STATISTICS:
        raise InputError(unknown_name("statistic", statistic, STATISTICS))
    if routing is None:
        routing = Routing("ecmp", flows_per_pair) if fabric.routing == "ecmp" else SPRAY
    # What does not shape the network must not make a new entry.
    plain = replace(fabric, name="", generation="", nic_stated=True)
    size = endpoints if ranks is None else ranks
    each = size if group is None else group
    if each < 2 or size % each:
        raise InputError(Problem("out_of_range", f"{size} chips are no whole number of groups of {each}"))
    asked = _share(plain, pattern, endpoints, size, each, routing, placement, failed_share, statistic, seed)
    best = _share(plain, pattern, endpoints, size, each, SPRAY, "packed", 0.0, statistic, seed)
    return asked / best


@lru_cache(maxsize=64)
def _network(fabric: Fabric, endpoints: int) -> Topology:
    return network_of(fabric, endpoints)


@lru_cache(maxsize=4_096)
def _share(
    fabric: Fabric,
    pattern: str,
    endpoints: int,
    ranks: int,
    each: int,
    routing: Routing,
    placement: str,
    failed_share: float,
    statistic: str,
    seed: int,
) -> float:
    topology = _network(fabric, endpoints)
    unit = min(max(fabric.node, fabric.domain), ranks)
    (group,) = patterns.place(endpoints, ranks, placement, unit=unit, seed=seed)
    units = group.reshape(-1, unit)
    if pattern != "all_to_all" and len(units) < 2:
        raise InputError(Problem("out_of_range", f"{ranks} ranks are one host or domain; its traffic meets no network"))
    made: Pattern
    if pattern == "all_to_all":
        made = Exchange("all-to-all", group.reshape(-1, each))
    elif pattern == "random":
        made = patterns.random_permutation(group, seed)
    else:
        by = 1 if pattern == "ring" else len(units) // 2
        made = patterns.Step(pattern, group, np.roll(units, -by, axis=0).ravel())
    state = health(topology.network, failed_share=failed_share, seed=seed) if failed_share else None
    found = throughput(topology, made, routing, state)
    return float(getattr(found, statistic))
