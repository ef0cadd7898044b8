"""The quarters of a build-out: their names, and in which of them a day falls or what comes on a day may first be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from gigawatt.study.scenario import Scenario
from gigawatt.study.timeline import add_months

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quarters:
    """`starts` are the first days of the quarters, `end` the first day after the last; `rate` discounts, a year.

    >>> line = Quarters.of(date(2027, 1, 1), 4, 0.1)
    >>> line.names, line.holding(date(2027, 5, 3)), line.from_day(date(2027, 5, 3))
    (('2027Q1', '2027Q2', '2027Q3', '2027Q4'), 1, 2)
    """

    starts: tuple[date, ...]
    end: date
    rate: float

    @classmethod
    def of(cls, start: date, count: int, rate: float) -> Quarters:
        """`count` quarters from a day on."""
        days = tuple(add_months(start, 3 * t) for t in range(count + 1))
        return cls(days[:-1], days[-1], rate)

    @property
    def names(self) -> tuple[str, ...]:
        """The calendar quarter that the first day lies in."""
        return tuple(f"{day.year}Q{(day.month + 2) // 3}" for day in self.starts)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def years(self) -> Array:
        """[T] from the start to the start of each quarter."""
        return np.arange(len(self)) / 4

    @property
    def discount(self) -> Array:
        """[T] present value of a dollar at a quarter's end."""
        return np.asarray((1 + self.rate) ** -(self.years + 0.25))

    @property
    def opening_discount(self) -> Array:
        """[T] the same at its start."""
        return np.asarray((1 + self.rate) ** -self.years)

    def holding(self, day: date) -> int | None:
        """The quarter that holds a day, or None outside of them."""
        if not self.starts[0] <= day < self.end:
            return None
        return max(t for t, first in enumerate(self.starts) if first <= day)

    def from_day(self, day: date) -> int:
        """The first quarter that begins on a day or later: what comes on that day is there for the whole of it."""
        return next((t for t, first in enumerate(self.starts) if first >= day), len(self))


def quarters_of(scenario: Scenario) -> Quarters:
    """The quarters of a scenario's horizon."""
    return Quarters.of(scenario.horizon.start, scenario.horizon.quarters, scenario.discount_rate)
