"""80 % bands of collectives: by where the bytes go and how many they are; wider where less is known.

A NIC rate that is a guess and a proxy transport have bands of their own; beyond the number of domains that were measured
the slow end grows.
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.fabric.columns import Columns
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.wires import Array, Bools

SIZES = ("small", "middle", "large")
PLACES = ("inside", "network", "guessed", "proxy")
# Most scale-up domains of any measured all-reduce that the constants were fitted to.
FITTED_DOMAINS = 3.0


def band(c: Columns, nic_stated: Bools, fit: Constants, *, pair: bool = False) -> tuple[Array, Array]:
    """Factors (low, high) on the seconds of each row; `pair` where two ranks alone are at work, however many there are."""
    limits = fit.bands
    size = np.where(c.nbytes <= limits["small_bytes"], 0, np.where(c.nbytes < limits["large_bytes"], 1, 2))
    beyond = np.where(c.proxy, 3, np.where(nic_stated, 1, 2))
    place = np.where(c.several, beyond, 0)
    deeper = np.maximum(c.domains / FITTED_DOMAINS, 1.0) ** (0.0 if pair else float(limits["more_domains"]))

    def pick(side: str) -> Array:
        table = np.array([[float(limits[where][name][side]) for name in SIZES] for where in PLACES])
        picked: Array = table[place, size]
        return picked

    return pick("low"), pick("high") * deeper
