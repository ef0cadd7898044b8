"""A ramp of output to a target: which input runs short first, when, what it would have taken, and the bill.

    target_t      from the rate of today to the target, straight or by the same factor each quarter
    short_j       the first quarter in which stock_jt / need_j < target_t
    order by      short_j - lead time; an order that should have gone out before today is late by the difference
    bill a year   target (GW a year) x capital per GW

Columns lead with draws: `allows` is [draws, inputs, quarters] in GW a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def ramp_path(start: float, target: float, to_target: int, quarters: int, shape: str = "geometric") -> Array:
    """[quarters] output, the last before the ramp being `start` and that of quarter `to_target` the target.

    >>> ramp_path(2.0, 8.0, 2, 4).tolist(), ramp_path(2.0, 8.0, 2, 3, "linear").tolist()
    ([4.0, 8.0, 8.0, 8.0], [5.0, 8.0, 8.0])
    """
    done = np.minimum(np.arange(1, quarters + 1) / to_target, 1.0)
    return np.asarray(start * (target / start) ** done if shape == "geometric" else start + (target - start) * done)


@dataclass(frozen=True, slots=True)
class Shortage:
    """By draw and input: index of the first quarter short (the horizon's length where never), the multiple of that
    quarter's stock that the target needs in the end, and by how many quarters an order of today comes too late.

    `first` is the input that is short first in each draw (the one that is further behind where two are alike), -1 for
    none.
    """

    quarter: NDArray[np.int64]
    multiple: Array
    late_quarters: Array
    first: NDArray[np.int64]


def shortage(allows: ArrayLike, target: ArrayLike, lead_quarters: ArrayLike) -> Shortage:
    """Where a target path, [quarters] or [draws, 1, quarters], runs into what each input allows.

    >>> made = shortage([[[4.0, 4.0, 4.0], [5.0, 9.0, 9.0]]], [3.0, 5.0, 8.0], [[4.0, 1.0]])
    >>> made.quarter.tolist(), made.first.tolist(), made.late_quarters.tolist()
    ([[1, 3]], [0], [[3.0, 0.0]])
    """
    can = np.asarray(allows, dtype=np.float64)
    want = np.broadcast_to(np.asarray(target, dtype=np.float64), can.shape)
    span = can.shape[-1]
    short = can < want
    any_short = short.any(axis=-1)
    quarter = np.where(any_short, short.argmax(axis=-1), span)
    late = np.where(any_short, np.maximum(0.0, np.asarray(lead_quarters, np.float64) - quarter), 0.0)
    with np.errstate(divide="ignore"):
        multiple = want.max(axis=-1) / can[..., 0]
    at = np.minimum(quarter, span - 1)[..., None]
    gap = np.take_along_axis(can / want, at, axis=-1)[..., 0]
    first = np.argmin(quarter + np.clip(gap, 0.0, 0.999), axis=-1)
    return Shortage(
        quarter.astype(np.int64), multiple, late, np.where(any_short.any(axis=-1), first, -1).astype(np.int64)
    )


def bill_usd_per_year(gw_per_year: ArrayLike, usd_per_gw: ArrayLike) -> Array:
    """Capital a year at a rate of building.

    >>> float(bill_usd_per_year(52.0, 50e9)) / 1e12
    2.6
    """
    return np.asarray(np.asarray(gw_per_year, dtype=np.float64) * np.asarray(usd_per_gw, dtype=np.float64))
