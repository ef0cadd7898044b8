"""Collectives on a made-up flat optical network: every chip reaches every other at the rate of its link.

steps   = log2(ranks), one for a message
rate    = the scale-up link where the whole group is in one domain, else the NIC
seconds = 4 us + steps x 1.5 us + bytes x bus factor / (0.92 x rate)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric import bus_factor
from gigawatt.physics.fabric.models import Calls, FabricModel

START_S, STEP_S = 4e-6, 1.5e-6
LINK_SHARE = 0.92


def seconds(calls: Calls) -> NDArray[np.float64]:
    """Seconds of each call."""
    inside = calls.per_domain >= calls.ranks
    rate = np.where(inside, calls.wires.scaleup_bytes_per_s, calls.wires.nic_bytes_per_s)
    moved = calls.nbytes * bus_factor(calls.kind, calls.ranks)
    return np.asarray(START_S + STEP_S * np.log2(calls.ranks) + moved / (LINK_SHARE * rate))


MODEL = FabricModel(
    seconds,
    band=(0.7, 1.5),
    says="A start, a step for each doubling of the group, and the link at 92 % of its rate; made up, measured on nothing",
)
