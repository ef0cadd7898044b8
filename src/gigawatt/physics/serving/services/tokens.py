"""Points of token serving (`search.Frontier`) in the shape of a service."""

from __future__ import annotations

import numpy as np

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.serving.search.frontier import Frontier
from gigawatt.physics.serving.services.frontier import ServiceFrontier
from gigawatt.physics.serving.services.work import room_bytes


def of_tokens(found: Frontier, chip: Chip, service: str, unit: str, units_per_token: float) -> ServiceFrontier:
    """A frontier of tokens as units: `units_per_token` of output. The latency is that to the first token (p99).

    Memory is what a server takes: engines fill it with cache, however few requests there are.
    """
    size = len(found)
    return ServiceFrontier(
        service,
        unit,
        precision=found.precision,
        chips=found.chips_per_replica,
        batch=found.concurrency,
        latency_s=found.ttft_s,
        units_per_s_per_chip=found.tokens_out_per_s_per_chip * units_per_token,
        chip_w=found.chip_w,
        memory_bytes=np.full(size, room_bytes(chip)),
        bound=found.bound,
        low=found.low,
        high=found.high,
        details={
            "tpot_s": found.tpot_s,
            "tokens_in_per_s_per_chip": found.tokens_in_per_s_per_chip,
            "tokens_out_per_s_per_chip": found.tokens_out_per_s_per_chip,
        },
        band="80 % factors of token serving (calibration serving-steady-state)",
        candidates=found.candidates,
        rejected=found.rejected,
    )
