"""The training point that a job runs at: the quickest of `training.best_mapping`, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.physics.chip import Chip, PowerMode
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.searches import best_mapping
from gigawatt.physics.training import TrainingPoints
from gigawatt.physics.workload.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Found:
    """The operating point of one stretch: its mapping in words, rates and watts per chip, and the 80 % factors on speed."""

    mapping: str
    precision: str
    tokens_per_s_per_chip: float
    step_s: float
    chip_w: float
    bound: str
    low: float
    high: float


def fastest_mapping(
    arch: Architecture,
    chip: Chip,
    subject: str,
    *,
    fabric: Fabric | None,
    chips: int,
    seq: int,
    global_batch: int,
    precisions: Sequence[str],
    maturity: float,
    mode: PowerMode,
    stack: str,
    release: str = "",
    lora: bool = False,
) -> Found:
    """The quickest point of `training.best_mapping`, which takes the arguments, in one power mode.

    Raises:
        Infeasible: nothing fits; says of which `subject`, and why.
    """
    points = best_mapping(
        arch, chip, fabric=fabric, chips=chips, seq=seq, global_batch=global_batch, precisions=tuple(precisions),
        maturity=maturity, modes=(mode,), stack=stack, release=release, lora=lora,
    )  # fmt: skip
    return fastest(points, subject)


def fastest(points: TrainingPoints, subject: str, gains: NDArray[np.float64] | float = 1.0) -> Found:
    """The point of most tokens a second, after `gains` on the speed of each.

    Raises:
        Infeasible: nothing fits; says why, and the nearest change.
    """
    if not len(points):
        lines = [f"{r.reason}: {r.nearest_fix}" for r in points.rejected]
        raise Infeasible(f"{subject} fits no mapping: {lines[0] if lines else 'no candidate'}", lines)
    rate = points.tokens_per_s_per_chip * gains
    k = int(np.argmax(rate))
    return Found(
        str(points.mapping[k]),
        str(points.precision[k]),
        float(rate[k]),
        float(points.step_s[k] * points.tokens_per_s_per_chip[k] / rate[k]),
        float(points.chip_w[k]),
        str(points.bound[k]),
        float(points.low[k]),
        float(points.high[k]),
    )
