"""Which operating points a build-out can need: those of the upper hull, and those that are paid for differently.

A point that is no corner of the concave envelope of (MW, tokens/s) is no better than a mix in time of two corners beside it
(or of one corner and idling), which draws as many MW and makes as many tokens on no more racks. Leaving it out is lossless
where that mix also earns as much beside the tokens: energy in proportion to MW does, and so does any cost per rack in use.
A point that is cheaper to run than its mix stays. Software speed scales all points of a pair alike and moves no corner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.buildout.inputs import BuildInputs

Array = NDArray[np.float64]
_SAME = 1e-9


def useful(inputs: BuildInputs) -> NDArray[np.bool_]:
    """[J] mask of the points to keep; the optimum is the same with these alone."""
    points = inputs.points
    keep = points.hull()
    net = inputs.other_usd_per_yr[:, None] - inputs.energy_usd_per_yr
    pair = points.platform * max(len(inputs.workloads), 1) + points.workload
    order = np.lexsort((points.mw, pair))
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        corners = rows[keep[rows]]
        others = rows[~keep[rows]]
        if not others.size:
            continue
        mw = np.concatenate([[0.0], points.mw[corners]])
        earned = np.concatenate([np.zeros((1, net.shape[1])), net[corners]])
        # Share of the upper corner in the mix; behind the last corner the last corner itself.
        upper = (
            np.clip(np.searchsorted(mw, points.mw[others]), 1, max(mw.size - 1, 1))
            if corners.size
            else np.zeros(0, int)
        )
        if not corners.size:  # no point makes a token: idling is as good, unless running earns
            keep[others] = np.any(net[others] > 0, axis=1)
            continue
        width = mw[upper] - mw[upper - 1]
        share = np.clip(
            np.divide(points.mw[others] - mw[upper - 1], width, out=np.ones(others.size), where=width > 0), 0, 1
        )
        mix = share[:, None] * earned[upper] + (1 - share)[:, None] * earned[upper - 1]
        worse = mix < net[others] - _SAME * np.maximum(np.abs(net[others]), 1.0)
        keep[others] = np.any(worse, axis=1)
    return keep
