"""Records of the supply chain: what an input's makers can deliver, by date, and what a gigawatt needs of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from gigawatt.catalog.quantity import Count, Share, Strict, Time
from gigawatt.catalog.record import Record
from gigawatt.core.dates import last_day

Array = NDArray[np.float64]

# How many of each period a quarter holds.
PERIODS = {"week": 365 / 28, "month": 3.0, "quarter": 1.0, "year": 0.25}


class SupplyLevel(Strict):
    """What all makers together can deliver per period at a date, as one source saw it (`as_of`), also ahead of time."""

    name: str
    at: str
    capacity: Count
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""

    @field_validator("at")
    @classmethod
    def _day(cls, value: str) -> str:
        last_day(value)
        return value


@dataclass(frozen=True, slots=True)
class LevelPath:
    """Capacity known on a day as columns in the order of time: days since 2000, value and range, per quarter."""

    days: Array
    value: Array
    low: Array
    high: Array

    def at(self, days: Array) -> tuple[Array, Array, Array]:
        """(value, low, high) at those days: straight between the known ones, held before the first and after the last."""
        return (
            np.interp(days, self.days, self.value),
            np.interp(days, self.days, self.low),
            np.interp(days, self.days, self.high),
        )


def day_number(day: date) -> float:
    """Days since 2000-01-01."""
    return float((day - date(2000, 1, 1)).days)


class SupplyInput(Record):
    """An input of the supply chain: what its makers can deliver, and what a gigawatt sold needs of it.

    `unit` is what capacity is counted in, each `per` period; `need` of it goes into a gigawatt sold; `share` is the vendor's
    part of what all makers deliver; `lead_time` runs from order to output.
    """

    layer: Literal["logic", "packaging", "memory", "network", "power", "shell", "assembly", "labour", "capital"]
    unit: str
    per: Literal["week", "month", "quarter", "year"]
    need: Count
    share: Share
    lead_time: Time
    levels: tuple[SupplyLevel, ...]

    def known(self, day: date | None) -> LevelPath | None:
        """The path of capacity from what was published by a day; of two that speak of one date the later published
        counts. None where nothing was."""
        best: dict[date, SupplyLevel] = {}
        for level in self.levels:
            published = last_day(level.capacity.as_of)
            if day is not None and published > day:
                continue
            at = last_day(level.at)
            if at not in best or last_day(best[at].capacity.as_of) <= published:
                best[at] = level
        if not best:
            return None
        kept = sorted(best.items())
        factor = PERIODS[self.per]
        low, high = np.array([level.capacity.range for _, level in kept]).T
        return LevelPath(
            np.array([day_number(at) for at, _ in kept]),
            np.array([level.capacity.value for _, level in kept]) * factor,
            low * factor,
            high * factor,
        )
