"""A fact with its source: value, range, unit, boundary, date, kind, note.

In files a datum is written either as text with a unit (`tdp: 700 W`, source inherited from the record) or in full:

    tdp: {value: 700 W, low: 650 W, high: 700 W, kind: datasheet, source: "NVIDIA H100 datasheet", as_of: 2022}

Inside it holds SI floats; the unit it was declared with is the dimension of the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["measured", "filing", "datasheet", "quoted", "estimated", "assumed"]
KINDS: tuple[str, ...] = get_args(Kind)

# How far a value of each kind may lie off when its source gives no range: 80 % half-width, as a share of the value.
# Assumed by us; used only where low and high are missing.
DEFAULT_HALF_WIDTH: dict[str, float] = {
    "measured": 0.05,
    "filing": 0.0,
    "datasheet": 0.0,
    "quoted": 0.10,
    "estimated": 0.20,
    "assumed": 0.30,
}


@dataclass(frozen=True, slots=True)
class Datum:
    """One sourced value in the engine's SI unit.

    `low` and `high` bound an 80 % range; `boundary` says what is inside (die or package, facility or IT MW,
    vendor's sale or buyer's cost); `path` is where it stands in the catalog, filled in when it is loaded.
    """

    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    kind: str = "assumed"
    source: str = ""
    as_of: str = ""
    boundary: str = ""
    note: str = ""
    path: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """(low, high): as stated, else the default half-width of this kind of source."""
        width = DEFAULT_HALF_WIDTH.get(self.kind, 0.3) * abs(self.value)
        low = self.value - width if self.low is None else self.low
        high = self.value + width if self.high is None else self.high
        return low, high

    @property
    def spread(self) -> float:
        """Half of (high - low) over the value: how weak an input is."""
        if self.value == 0:
            return 0.0
        low, high = self.range
        return (high - low) / 2 / abs(self.value)

    def __float__(self) -> float:
        return float(self.value)
