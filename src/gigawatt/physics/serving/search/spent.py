"""What the mean time between two tokens is spent on, and the name of what binds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import PARTS

SPENT = (*PARTS, "stall")  # the stall is of prompts among the decoders
BOUND_OF = {
    "host": "host",
    "launches": "launch floor",
    "dense": "weights bandwidth",
    "experts": "weights bandwidth",
    "attention": "cache bandwidth",
    "collectives": "scale-up links",
    "drafting": "drafting",
    "stall": "prefill compute",
}


def largest(spent: Floats, compute_bound: Floats, domains: Floats) -> NDArray[Any]:
    """Name of what the time between tokens mostly goes to; messages of several domains wait for the network."""
    names = np.array([BOUND_OF[name] for name in SPENT])
    found = names[np.argmax(spent, axis=0)]
    found = np.where((found == BOUND_OF["collectives"]) & (domains > 1), "scale-out network", found)
    return np.where((found == "weights bandwidth") & (compute_bound > 0.5), "compute", found)
