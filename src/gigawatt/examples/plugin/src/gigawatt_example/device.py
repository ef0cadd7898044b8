"""Seconds of kernels and watts of the made-up H1, from its data sheet and four shares.

    arithmetic = FLOPs (rows rounded up to tiles) / (peak x 0.70)
    memory     = bytes / (bandwidth x 0.85)
    seconds    = launch + (arithmetic^4 + memory^4)^(1/4)
    watts      = idle + (limit - idle) x min(1, 0.20 busy + 0.50 arithmetic + 0.40 memory)

A real one would ask a simulator here, or tables that were measured; columns in, one column out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip.models import Activity, DeviceModel, KernelRows

LAUNCH_S = 3e-6
COMPUTE_SHARE, MEMORY_SHARE = 0.70, 0.85
TILE_ROWS = 32.0
SHARPNESS = 4.0


def seconds(rows: KernelRows) -> NDArray[np.float64]:
    """Seconds of each row."""
    m = rows.columns.get("m")
    padding = (
        1.0 if m is None else np.ceil(m / TILE_ROWS) * TILE_ROWS / m
    )  # half-filled tiles take as long as full ones
    arithmetic = rows.flops * padding / (rows.peak_flops * COMPUTE_SHARE)
    memory = rows.bytes_moved / (rows.chip.memory_bytes_per_s * MEMORY_SHARE)
    return LAUNCH_S + (arithmetic**SHARPNESS + memory**SHARPNESS) ** (1.0 / SHARPNESS)


def watts(load: Activity) -> NDArray[np.float64]:
    """Mean watts of the chip in each row."""
    share = 0.20 * load.busy + 0.50 * load.compute_util + 0.40 * load.memory_util
    return load.chip.idle_w + (load.chip.tdp_w - load.chip.idle_w) * np.minimum(share, 1.0)


MODEL = DeviceModel(
    seconds,
    watts,
    band=(0.7, 1.4),
    says="Launch; arithmetic at 70 % of the peak beside memory at 85 % of the bandwidth; made up, measured on nothing",
)
