"""Availability of a serving fleet from the same rates: replicas down for a restart, spares, N + 1 by rack, over-provisioning.

A replica of n chips is up for 1 / rate(n) and down for its restart, or for the repair where nothing stands by:

    availability of a replica = up / (up + down)

Replicas fail independently; a fleet of k replicas needs m more so that at least k serve with the confidence asked for
(binomial). Over-provisioning is m / k. Data: calibration `training-failures`, whose rates are of training: a
replica that serves meets no faults of a job across nodes, so that its true availability is rather higher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.reliability.failures import SETTLED, Fleet, job_rate_per_s, parameter


@dataclass(frozen=True, slots=True)
class ServingFleet:
    """What a fleet of replicas needs to hold its size.

    availability: of one replica; serving: mean share of the owned replicas in service; spare_replicas: beside the needed ones;
    over_provisioning: spares over needed; rack_spares: replicas to add so that the loss of any one rack is covered (N + 1).
    """

    availability: Any
    serving: Any
    spare_replicas: Any
    over_provisioning: Any
    rack_spares: Any


def serving_fleet(
    replicas: Any,
    chips_per_replica: Any,
    *,
    target: float = 0.999,
    fleet: Fleet = SETTLED,
    down_s: float | None = None,
    rack_chips: float = 8.0,
) -> ServingFleet:
    """Spares with which at least `replicas` serve a share `target` of the time.

    Args:
        replicas: replicas that must serve.
        chips_per_replica: chips of each.
        target: share of time that all needed ones serve.
        fleet: whose rates.
        down_s: mean time of a replica out of service; the repair of a node where None (nothing else takes its chips).
        rack_chips: chips that one rack-level event takes down.

    Raises:
        InputError: a target outside 0 to 1, fewer than one replica.
    """
    from scipy.special import betainc

    need, chips = np.broadcast_arrays(np.asarray(replicas, dtype=float), np.asarray(chips_per_replica, dtype=float))
    if not 0.0 < target < 1.0 or np.any(need < 1):
        raise InputError(Problem("out_of_range", "a target lies between 0 and 1, and a fleet has at least one replica"))
    out = parameter("repair_s") if down_s is None else down_s
    rate = job_rate_per_s(chips, fleet)
    up = 1.0 / (1.0 + rate * out)
    owned = np.ceil(need / up)

    def short_of() -> Any:
        # P(Binomial(owned, up) <= need - 1) as an incomplete beta function
        return betainc(owned - need + 1.0, need, 1.0 - up) > 1.0 - target

    short = short_of()
    while np.any(short):
        owned = np.where(short, owned + np.maximum(np.floor(0.002 * need), 1.0), owned)
        short = short_of()
    spare = owned - need
    rack = np.ceil(rack_chips / chips)
    return ServingFleet(up, np.minimum(need / (owned * up), 1.0) * up, spare, spare / need, rack)
