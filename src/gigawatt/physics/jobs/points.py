"""The training point that a job runs at: the quickest of `training.best_mapping`, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.physics.training import TrainingPoints


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
