"""What the hours would be were services faster or slower than worked out: the same fleet and events, steered anew.

The 80 % factors of the services' points are the calibration's errors; all points of a platform share one. Runs keep their
pace as owed: a slower run is a later one, which is a matter of months and not of a day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gigawatt.core.errors import Infeasible
from gigawatt.factory.operation import Operation, operate
from gigawatt.study.operate.fleet import Setting


@dataclass(frozen=True, slots=True)
class Band:
    """The hours with services at the low and at the high end of their speed; None where what must run then does not fit."""

    slow: Operation | None
    fast: Operation | None


def band(setting: Setting, done: Operation) -> Band:
    """Both ends; blocks run in the hours that were found, where these fit."""
    return Band(_at(setting, "low", done), _at(setting, "high", done))


def _at(setting: Setting, end: str, done: Operation) -> Operation | None:
    inputs = setting.inputs
    points = setting.answer.priced.inputs.points
    factor = getattr(points, end)[list(setting.way_point)]
    service = np.array([inputs.works.kind[w] == "service" for w in inputs.lanes.work[inputs.ways.lane]])
    factor = np.where(service, factor, 1.0)
    ways = replace(
        inputs.ways,
        tokens_in_per_s=inputs.ways.tokens_in_per_s * factor,
        tokens_out_per_s=inputs.ways.tokens_out_per_s * factor,
    )
    try:
        return operate(replace(inputs, ways=ways), prices=False, on=done.on)
    except Infeasible:
        return None
