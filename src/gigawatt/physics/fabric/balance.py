"""What hashing, placement and failures leave of a network's rate, from its graph, as shares that the closed form takes.

The fitted network shares hold machines that spread their flows, pack their jobs and run whole: such a network has share 1.
Where paths are hashed (ECMP), flows of NICs collide: the slowest link sets the pace of a ring, so its minimum counts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.design import Fabric
from gigawatt.physics.fabric.flows.efficiency import efficiency
from gigawatt.physics.fabric.flows.routes import Routing

# Chips of one exchange of expert tokens, in whole domains (assumed: expert parallelism over 64), and the largest network
# that is worked out flow by flow: collisions hardly grow beyond it, since leaves do not.
EXCHANGE, LARGEST = 64, 4096
# Flows of all exchanges together; beyond them fewer groups, then fewer queue pairs, which collide a little more.
MOST_FLOWS = 1_000_000
# Channels of a collective library that share a NIC, each a connection of its own (assumed: NCCL's 16 on 8 NICs).
CHANNELS_PER_NIC = 2


@lru_cache(maxsize=256)
def balanced(
    fabric: Fabric,
    endpoints: int,
    ranks: int | None = None,
    *,
    placement: str = "packed",
    failed_share: float = 0.0,
    seed: int = 0,
) -> Fabric:
    """The fabric with `ring_share` and `exchange_share` of a job on it.

    Args:
        fabric: the design; adaptive and sprayed routing in a packed, whole network leave all.
        endpoints: chips of the network, in whole domains; of a larger one than `LARGEST` a part.
        ranks: chips of the job, all where None.
        placement: packed or random.
        failed_share: share of the cables between switches that failed.
        seed: of paths, placement and failures.

    Raises:
        InputError: a job larger than the network.
        Infeasible: more endpoints than the tiers reach.
    """
    unit = max(fabric.node, fabric.domain)
    if ranks is not None and ranks > endpoints:
        raise InputError(Problem("out_of_range", f"a job of {ranks:,} chips on a network of {endpoints:,}"))
    size = min(endpoints, LARGEST) // unit * unit
    job = size if ranks is None else min(ranks, size) // unit * unit
    if job <= unit or (fabric.routing != "ecmp" and placement == "packed" and not failed_share):
        return fabric
    flows = fabric.queue_pairs * CHANNELS_PER_NIC
    group = unit * max(2, EXCHANGE // unit)
    thinner = max(1, min(flows, MOST_FLOWS // group**2))
    part = min(job // group, max(1, MOST_FLOWS // (group**2 * thinner))) * group

    def share(pattern: str, chips: int, each: int | None, flows: int) -> float:
        routing = Routing("ecmp", flows, seed=seed) if fabric.routing == "ecmp" else None
        found = efficiency(
            fabric,
            pattern,
            endpoints=size,
            ranks=chips,
            group=each,
            routing=routing,
            placement=placement,
            failed_share=failed_share,
            seed=seed,
        )
        return min(1.0, found)

    exchange = share("all_to_all", part, group, thinner) if part else 1.0
    return replace(fabric, ring_share=share("ring", job, None, flows), exchange_share=exchange)
