"""How wrong the constants of one generation are on the chips of another, with and without one anchor measurement.

All chips of the target's generation are left out, its near-twins too: Hopper is predicted from Blackwell and Blackwell
Ultra, and these from Hopper. The forecast is the geometric mean over the source chips, of the same engine where the
source has it, at the target's own datasheet. An anchor is one kernel timed on the target, chosen before, that corrects
the forecast of every other row, by its ratio or its difference to its own forecast. The anchors were chosen on these
chips: what they are worth on another is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .harness import Floats
from .records import Done, Family, chips
from .tables import Rows

SIDES = {
    "hopper": ("h100_sxm", "h200_sxm"),
    "blackwell": ("b200_sxm", "gb200", "b300_sxm", "gb300"),
}
SISTERS = {
    "h100_sxm": ("h200_sxm",),
    "h200_sxm": ("h100_sxm",),
    "b200_sxm": ("gb200",),
    "gb200": ("b200_sxm",),
    "b300_sxm": ("gb300",),
    "gb300": ("b300_sxm",),
}
OTHER = {"hopper": "blackwell", "blackwell": "hopper"}
# One kernel to time on a chip that nobody measured; any shape near it does.
ANCHORS: dict[str, dict[str, float]] = {
    "prefill": {"batch": 4, "length": 2048, "heads": 32, "kv_heads": 8, "head_dim": 128},
    "decode": {"batch": 4, "length": 1024, "heads": 32, "kv_heads": 8, "head_dim": 128},
    "mla-prefill": {"batch": 4, "length": 1024, "heads": 32},
    "mla-decode": {"batch": 4, "length": 1024, "heads": 32},
    "encoder": {"batch": 4, "length": 1024, "heads": 16, "head_dim": 64},
}
# What an anchor tells of decode is the time to launch and combine, the same for every shape: it shifts the forecast.
# Of the others it tells the speed of the kernel: it scales the forecast.
SHIFTS = ("decode", "mla-decode")
# A shift never takes more than this share of a forecast away.
LEAST_SHARE = 0.3
WIDEST = 10.0


@dataclass(frozen=True)
class Left:
    """Left-out residuals ln(measured/forecast) of one (system, engine, precision), and the sources' own 80 % band.

    `after`: the same once the anchor has corrected the forecast.
    """

    system: str
    engine: str
    precision: str
    residual: Floats
    after: Floats
    low: float
    high: float

    def _off(self, anchored: bool) -> Floats:
        return np.abs(np.exp(-(self.after if anchored else self.residual)) - 1.0)

    @property
    def median(self) -> float:
        """Median of |forecast/measured - 1|."""
        return float(np.median(self._off(False)))

    @property
    def p90(self) -> float:
        """90th percentile of it."""
        return float(np.quantile(self._off(False), 0.9))

    @property
    def anchored(self) -> float:
        """Median of |forecast/measured - 1| with the anchor."""
        return float(np.median(self._off(True)))

    def covered(self, factor: float, anchored: bool = False) -> float:
        """Share of rows within the sources' band, stretched by `factor` in the logarithm."""
        shifted = self.after if anchored else self.residual
        return float(np.mean((shifted >= factor * self.low) & (shifted <= factor * self.high)))


def stretch(found: Sequence[Left]) -> float:
    """The factor on the band, in the logarithm, that covers 80 % of the rows of the targets in the mean."""
    if not found:
        return 2.0
    for factor in np.arange(1.0, WIDEST, 0.1):
        if np.mean([one.covered(factor) for one in found]) >= 0.80:
            return float(round(factor, 1))
    return WIDEST


def forecast(family: Family, system: str, precision: str, rows: Rows, sources: Sequence[Done]) -> Floats:
    """Geometric mean over the sources' constants at the target's datasheet, in microseconds."""
    chip = chips()[system]
    law = family.form(chip, precision).form.predict
    return np.exp(np.mean([np.log(law(rows.x, d.fit.values)) for d in sources], axis=0))


def anchor_row(rows: Rows, anchor: Mapping[str, float]) -> int:
    """The row nearest to the anchor, full attention only."""
    off = sum((np.log(rows.x[n]) - np.log(v)) ** 2 for n, v in anchor.items())
    if "window" in rows.x:
        off = off + 100.0 * (rows.x["window"] < 1e8)
    return int(np.argmin(off))


def _judge(family: Family, data: Path, target: Done, sources: Sequence[Done]) -> Left:
    rows = family.reader(data, target.system, target.engine, target.precision)
    assert rows is not None
    guess = forecast(family, target.system, target.precision, rows, sources)
    k = anchor_row(rows, ANCHORS[family.name]) if family.name in ANCHORS else int(np.argmax(rows.us))
    if family.name in SHIFTS:
        corrected = np.maximum(guess + rows.us[k] - guess[k], LEAST_SHARE * guess)
    else:
        corrected = guess * rows.us[k] / guess[k]
    low, high = (float(np.mean([getattr(s.fit, q) for s in sources])) for q in ("q10", "q90"))
    before, after = (np.log(rows.us / f) for f in (guess, corrected))
    return Left(target.system, target.engine, target.precision, before, after, low, high)


def left_out(family: Family, data: Path, fits: Sequence[Done]) -> list[Left]:
    """Every HBM chip of the two generations, forecast from the other."""
    found = []
    for side, systems in SIDES.items():
        for target in (d for d in fits if d.system in systems):
            other = [s for s in fits if s.system in SIDES[OTHER[side]] and s.precision == target.precision]
            sources = [s for s in other if s.engine == target.engine] or other
            if sources:
                found.append(_judge(family, data, target, sources))
    return found


def sisters(family: Family, data: Path, fits: Sequence[Done]) -> list[Left]:
    """Every chip forecast from its near-twins, of the same generation, engine and precision."""
    found = []
    for target in fits:
        near = [
            s
            for s in fits
            if s.system != target.system
            and s.system in SISTERS.get(target.system, ())
            and (s.engine, s.precision) == (target.engine, target.precision)
        ]
        if near:
            found.append(_judge(family, data, target, near))
    return found
