"""Whole workers of two pools on a given number of chips.

    answered = min(x prefill capacity, y decode rate),   x prefill chips + y decode chips <= chips

In fractions both pools are busy at x*, y*. In whole workers one of them is short of that: the best pair has x or y next to it,
below or above, and of the other one all that is left. Workers that would only wait are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.physics.serving.engine.model import Floats


@dataclass(frozen=True, slots=True)
class Whole:
    """Workers of each pool and the requests/s that both answer together; 0 where the chips do not hold one of each."""

    prefill_workers: Floats
    decode_workers: Floats
    requests_per_s: Floats


def whole_workers(chips: float, prefill_each: Floats, capacity: Floats, decode_each: Floats, flow: Floats) -> Whole:
    """The workers that answer most; of equals those with fewest chips.

    Args:
        chips: of both pools together.
        prefill_each: chips of a prefill worker, which takes `capacity` requests/s.
        decode_each: chips of a decode worker, which takes `flow` requests/s.

    >>> made = whole_workers(64, *(np.array([x]) for x in (8.0, 4.0, 8.0, 1.0)))
    >>> float(made.prefill_workers[0]), float(made.decode_workers[0]), float(made.requests_per_s[0])
    (2.0, 6.0, 6.0)
    """
    share = flow / capacity  # prefill workers that one decode worker keeps busy
    each = chips / (decode_each + share * prefill_each)  # decode workers, in fractions
    best = np.zeros((3, len(flow)))
    least = np.full(len(flow), np.inf)
    for fixed, step in (("x", 0.0), ("x", 1.0), ("y", 0.0), ("y", 1.0)):
        if fixed == "x":
            x = np.maximum(np.floor(each * share) + step, 1.0)
            y = np.floor((chips - x * prefill_each) / decode_each + 1e-9)
        else:
            y = np.maximum(np.floor(each) + step, 1.0)
            x = np.floor((chips - y * decode_each) / prefill_each + 1e-9)
        y = np.minimum(y, np.ceil(x / share - 1e-9))
        x = np.minimum(x, np.ceil(y * share - 1e-9))
        rate = np.where((x >= 1.0) & (y >= 1.0), np.minimum(x * capacity, y * flow), 0.0)
        used = x * prefill_each + y * decode_each
        better = (rate > best[2] * (1.0 + 1e-12)) | ((rate > 0) & (rate >= best[2] * (1.0 - 1e-12)) & (used < least))
        best = np.where(better, np.stack([x, y, rate]), best)
        least = np.where(better, used, least)
    return Whole(*best)
