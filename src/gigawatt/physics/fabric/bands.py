"""80 % bands of collectives: by where the bytes go and how many they are; wider where less is known.

A power above 1 stretches a band: a NIC rate that is a guess, a proxy transport, more domains than were measured.
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.fabric.columns import Columns
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.wires import Array, Bools

SIZES = ("small", "middle", "large")
# Most scale-up domains of any measured all-reduce that the constants were fitted to.
FITTED_DOMAINS = 3.0


def band(c: Columns, nic_stated: Bools, fit: Constants) -> tuple[Array, Array]:
    """Factors (low, high) on the seconds of each row."""
    limits, stretch = fit.bands, fit.bands["stretch"]
    size = np.where(c.nbytes <= limits["small_bytes"], 0, np.where(c.nbytes < limits["large_bytes"], 1, 2))
    power = np.where(c.several & ~nic_stated, float(stretch["defaulted"]), 1.0)
    power = np.maximum(power, np.where(c.several & c.proxy, float(stretch["tcpx"]), 1.0))
    deeper = np.maximum(c.domains / FITTED_DOMAINS, 1.0) ** float(limits["more_domains"])
    where = np.where(c.several, 1, 0)

    def pick(side: str) -> Array:
        table = np.array([[np.log(limits[place][name][side]) for name in SIZES] for place in ("inside", "network")])
        picked: Array = np.exp(table[where, size] * power)
        return picked

    return pick("low"), pick("high") * deeper
