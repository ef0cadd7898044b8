"""Operating points: where physics meets prices. One row a way to run one rack of a platform on a workload.

The join is pure arithmetic on columns. From per-chip physics and a facility,

    rack input W  = (chips x chip W + box W) / supply efficiency + chips x fabric W
    MW            = meter watts of that / 1e6
    tokens/s      = chips x tokens/s per chip x derate

A point that misses its service level is no row. Points of one rack mix in time, so a plan may use fractions of
several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.table import Table
from gigawatt.physics.site import PowerChain, meter_watts

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Points:
    """Columns, one row an operating point of one rack.

    Attributes:
        platform, workload: row numbers in the plan's platforms and workloads.
        label: mapping, precision and mode in words.
        mw: at the meter, when busy.
        tokens_in_per_s, tokens_out_per_s: per rack after derate; trained tokens count as output.
        group: which latent error of the physics moves this point (rows of one group move together in a draw).
        low, high: 80 % factors on throughput.

    Raises:
        ValueError: columns differ in length, or watts or tokens are negative.
    """

    platform: Indices
    workload: Indices
    label: tuple[str, ...]
    mw: Array
    tokens_in_per_s: Array
    tokens_out_per_s: Array
    group: Indices
    low: Array
    high: Array

    def __post_init__(self) -> None:
        columns = (self.platform, self.workload, self.label, self.tokens_in_per_s, self.tokens_out_per_s, self.group)
        if {len(c) for c in (*columns, self.low, self.high)} != {len(self.mw)}:
            raise ValueError("the columns of operating points differ in length")
        if not (np.all(self.mw >= 0) and np.all(self.tokens_out_per_s >= 0) and np.all(self.tokens_in_per_s >= 0)):
            raise ValueError("operating points need watts and tokens that are not negative")

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def of(
        cls,
        platform: ArrayLike,
        workload: ArrayLike,
        mw: ArrayLike,
        tokens_out_per_s: ArrayLike,
        *,
        tokens_in_per_s: ArrayLike = 0.0,
        label: Sequence[str] | None = None,
        group: ArrayLike | None = None,
        low: ArrayLike = 1.0,
        high: ArrayLike = 1.0,
    ) -> Points:
        """Columns from sequences or scalars; by default each pair of platform and workload is a group of its own."""
        p, w = (np.atleast_1d(np.asarray(x, dtype=np.int64)) for x in (platform, workload))
        n = max(p.size, w.size, np.size(mw))
        p, w = np.array(np.broadcast_to(p, n)), np.array(np.broadcast_to(w, n))
        floats = [np.array(np.broadcast_to(np.asarray(x, dtype=np.float64), n)) for x in (mw, tokens_in_per_s)]
        out, lo, hi = (
            np.array(np.broadcast_to(np.asarray(x, dtype=np.float64), n)) for x in (tokens_out_per_s, low, high)
        )
        if group is None:
            pair = p * (int(w.max(initial=0)) + 1) + w
            groups = np.unique(pair, return_inverse=True)[1].astype(np.int64)
        else:
            groups = np.array(np.broadcast_to(np.asarray(group, dtype=np.int64), n))
        names = tuple(label) if label is not None else tuple(f"point {i}" for i in range(n))
        return cls(p, w, names, floats[0], floats[1], out, groups, lo, hi)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Points:
        """Some of the rows, in the order asked for (a mask or row numbers)."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        columns = {name: getattr(self, name)[index] for name in self.__slots__ if name != "label"}
        return Points(label=tuple(self.label[i] for i in index), **columns)

    def scaled(self, *, tokens: ArrayLike = 1.0, mw: ArrayLike = 1.0) -> Points:
        """Throughput and watts times factors (scalar or one a row)."""
        factor = np.asarray(tokens, dtype=np.float64)
        return replace(
            self,
            mw=self.mw * np.asarray(mw, dtype=np.float64),
            tokens_in_per_s=self.tokens_in_per_s * factor,
            tokens_out_per_s=self.tokens_out_per_s * factor,
        )

    def hull(self) -> NDArray[np.bool_]:
        """Which rows lie on the upper concave envelope of (MW, output tokens/s) of their platform and workload.

        Lossless for a plan whose value is linear in tokens and watts: any other point is no better than a mix in time
        of two that stay (or of one and idling). Not for points that differ in price: give those their own workloads.
        """
        keep = np.zeros(len(self), dtype=np.bool_)
        pairs = np.stack([self.platform, self.workload])
        for pair in np.unique(pairs, axis=1).T:
            rows = np.flatnonzero((self.platform == pair[0]) & (self.workload == pair[1]))
            keep[rows[_envelope(self.mw[rows], self.tokens_out_per_s[rows])]] = True
        return keep

    def table(self, platforms: Sequence[str], workloads: Sequence[str]) -> Table:
        """All rows with names and rates per MW."""
        per_mw = np.divide(self.tokens_out_per_s, self.mw, out=np.zeros(len(self)), where=self.mw > 0)
        columns = {
            "platform": [platforms[p] for p in self.platform],
            "workload": [workloads[w] for w in self.workload],
            "point": list(self.label),
            "rack_mw": self.mw.tolist(),
            "tokens_in_per_s": self.tokens_in_per_s.tolist(),
            "tokens_out_per_s": self.tokens_out_per_s.tolist(),
            "tokens_out_per_s_per_mw": per_mw.tolist(),
        }
        units = {"rack_mw": "MW", "tokens_in_per_s": "token/s", "tokens_out_per_s": "token/s"}
        return Table("points", columns, units | {"tokens_out_per_s_per_mw": "token/s/MW"})


def _envelope(x: Array, y: Array) -> Indices:
    """Rows of the upper concave envelope from (0, 0) to the highest y, by increasing x."""
    kept: list[int] = []
    corners: list[tuple[float, float]] = [(0.0, 0.0)]
    for row in np.lexsort((-y, x)):
        here = (float(x[row]), float(y[row]))
        if here[1] <= corners[-1][1]:
            continue  # no more tokens than a point with no more watts
        while len(corners) > 1 and _turns_left(corners[-2], corners[-1], here):
            corners.pop()
            kept.pop()
        corners.append(here)
        kept.append(int(row))
    return np.array(kept, dtype=np.int64)


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) >= (b[1] - a[1]) * (c[0] - a[0])


def make_points(
    platform: ArrayLike,
    workload: ArrayLike,
    label: Sequence[str],
    *,
    chain: PowerChain,
    chip_w: ArrayLike,
    tokens_out_per_s_per_chip: ArrayLike,
    tokens_in_per_s_per_chip: ArrayLike = 0.0,
    chips_per_rack: ArrayLike,
    box_w: ArrayLike = 0.0,
    supply_efficiency: ArrayLike = 1.0,
    fabric_w_per_chip: ArrayLike = 0.0,
    derate: ArrayLike = 1.0,
    group: ArrayLike | None = None,
    low: ArrayLike = 1.0,
    high: ArrayLike = 1.0,
) -> Points:
    """Join per-chip physics columns [points] with rack numbers [platforms] and the facility.

    Args:
        platform, workload: row numbers, one a point.
        label: words, one a point.
        chain: the facility.
        chip_w, tokens_out_per_s_per_chip, tokens_in_per_s_per_chip: per chip, one a point.
        chips_per_rack, box_w, supply_efficiency, fabric_w_per_chip: one a platform (or one for all); `box_w` is hosts,
            scale-up, NICs, fans and storage before the loss of the supplies, `fabric_w_per_chip` switches and optics
            outside the rack.
        derate: profile-to-production factor on throughput, one a point (or one for all).
        group, low, high: as in `Points`.
    """
    p = np.atleast_1d(np.asarray(platform, dtype=np.int64))

    def by_point(values: ArrayLike) -> Array:
        given = np.asarray(values, dtype=np.float64)
        return np.asarray(given if given.ndim == 0 else given[p], dtype=np.float64)

    chips = by_point(chips_per_rack)
    watts = np.asarray(chip_w, dtype=np.float64)
    rack_w = (chips * watts + by_point(box_w)) / by_point(supply_efficiency) + chips * by_point(fabric_w_per_chip)
    factor = chips * np.asarray(derate, dtype=np.float64)
    return Points.of(
        p,
        workload,
        meter_watts(rack_w, chain) / 1e6,
        np.asarray(tokens_out_per_s_per_chip, dtype=np.float64) * factor,
        tokens_in_per_s=np.asarray(tokens_in_per_s_per_chip, dtype=np.float64) * factor,
        label=label,
        group=group,
        low=low,
        high=high,
    )
