"""Periods of a project: an opening of zero length at the financial close, construction, operation.

Flows fall at a period's end, t = k / periods per year; the opening's is t = 0. With `mid_period` a present value discounts
each period's flow from its middle instead; rates of return and dates stay those of period ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from gigawatt.finance.project.terms import STEPS, Calendar
from gigawatt.finance.schedule import Array, end_of_quarter


@dataclass(frozen=True, slots=True)
class Timing:
    """Columns of all `periods`; `first` is the index of the first operating period.

    ends:            last day of each period (the opening's is the close)
    time_years:      years from the close to each period's end
    discount_years:  the same as present values count it
    year:            whole years of operation before each operating period, [operation]
    """

    start: date
    per_year: int
    construction: int
    operation: int
    ends: tuple[date, ...]
    time_years: Array
    discount_years: Array
    year: Array

    @property
    def periods(self) -> int:
        return 1 + self.construction + self.operation

    @property
    def first(self) -> int:
        return 1 + self.construction

    def phase(self, k: int) -> str:
        return "close" if k == 0 else "construction" if k < self.first else "operation"


def timing_of(calendar: Calendar) -> Timing:
    """The periods of a calendar.

    >>> timing_of(Calendar(date(2026, 1, 1), "half-year", 2, 4)).ends[-1]
    datetime.date(2028, 12, 31)
    """
    per_year = STEPS[calendar.step]
    periods = 1 + calendar.construction + calendar.operation
    time = np.arange(periods) / per_year
    middle = np.where(np.arange(periods) > 0, 0.5 / per_year, 0.0) if calendar.mid_period else 0.0
    ends = (calendar.start, *(end_of_quarter(calendar.start, 4 // per_year * k) for k in range(1, periods)))
    return Timing(
        calendar.start,
        per_year,
        calendar.construction,
        calendar.operation,
        ends,
        time,
        time - middle,
        np.floor(np.arange(calendar.operation) / per_year),
    )
