"""The training point that a job runs at: the quickest of `training.best_mapping`, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

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


def fastest(points: TrainingPoints, subject: str) -> Found:
    """The point of most tokens a second.

    Raises:
        Infeasible: nothing fits; says why, and the nearest change.
    """
    if not len(points):
        lines = [f"{r.reason}: {r.nearest_fix}" for r in points.rejected]
        raise Infeasible(f"{subject} fits no mapping: {lines[0] if lines else 'no candidate'}", lines)
    k = points.best
    return Found(
        str(points.mapping[k]),
        str(points.precision[k]),
        float(points.tokens_per_s_per_chip[k]),
        float(points.step_s[k]),
        float(points.chip_w[k]),
        str(points.bound[k]),
        float(points.low[k]),
        float(points.high[k]),
    )
