"""The periods that money is counted in, and a stream of money between two companies over them.

Periods are calendar quarters; flows fall at a period's end, stocks are those of its end. A schedule may begin with an
*opening* of zero length at the start date: what is paid on the first day (capital expenditure on racks that earn from
the first quarter on, the first draw of a loan) stands there, and its time in years is 0.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flow:
    """Money from `payer` to `payee`: `amount_usd` has periods last and may lead with axes such as draws.

    `account` is one of `accounts.CHART`, optionally with a detail behind a colon: 'capex:accelerator', 'revenue:chat'.

    Raises:
        InputError: a company that pays itself, or an amount that is not finite.
    """

    payer: str
    payee: str
    account: str
    amount_usd: Array
    contract: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount_usd", np.asarray(self.amount_usd, dtype=np.float64))
        name = self.contract or self.account
        if self.payer == self.payee:
            raise InputError(Problem("pays_itself", f"'{name}': '{self.payer}' pays itself"))
        if not np.all(np.isfinite(self.amount_usd)):
            raise InputError(Problem("not_finite", f"'{name}': an amount from '{self.payer}' is not a finite number"))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Period columns of length n; the stock columns may lead with axes such as draws.

    start:         first day
    ends:          last day of each period (an opening ends on `start`)
    year_share:    length of each period in years: 0 for an opening, 0.25 for a quarter
    mw_active:     MW at the meter in use in the period: what take-or-pay meters
    mw_committed:  MW that were made available: what its floor is a share of
    gw_built:      GW that stand at the period's end: what milestones count
    """

    start: date
    ends: tuple[date, ...]
    year_share: Array
    mw_active: Array
    mw_committed: Array
    gw_built: Array

    @classmethod
    def quarterly(
        cls,
        start: date,
        quarters: int,
        *,
        opening: bool = True,
        mw_active: ArrayLike = 0.0,
        mw_committed: ArrayLike | None = None,
        gw_built: ArrayLike | None = None,
    ) -> Schedule:
        """`quarters` calendar quarters from `start`, after an opening where asked.

        A stock column may be a number or have a value a quarter (an opening then gets 0); the committed MW default to
        those in use, the built GW to those committed.

        >>> Schedule.quarterly(date(2027, 1, 1), 2, mw_active=80.0).ends[-1]
        datetime.date(2027, 6, 30)

        Raises:
            InputError: no quarter, or a column of another length.
        """
        if quarters < 1:
            raise InputError(Problem("no_quarters", f"a schedule needs at least one quarter, not {quarters}"))
        ends = [end_of_quarter(start, q + 1) for q in range(quarters)]
        share = np.full(quarters, 0.25)
        if opening:
            ends, share = [start, *ends], np.concatenate(([0.0], share))
        active = _stock("mw_active", mw_active, quarters, opening)
        committed = active if mw_committed is None else _stock("mw_committed", mw_committed, quarters, opening)
        built = committed / 1e3 if gw_built is None else _stock("gw_built", gw_built, quarters, opening)
        return cls(start, tuple(ends), share, active, committed, built)

    @property
    def periods(self) -> int:
        return len(self.ends)

    @property
    def has_opening(self) -> bool:
        return bool(self.year_share[0] == 0)

    @property
    def begins(self) -> tuple[date, ...]:
        """First day of each period (an opening begins and ends on `start`)."""
        later = [date.fromordinal(end.toordinal() + 1) for end in self.ends[:-1]]
        if self.has_opening and later:
            later[0] = self.start
        return (self.start, *later)

    def at(self, day: date) -> int:
        """The period that holds `day`; below 0 before the first, `periods` after the last."""
        if day < self.start:
            return -1
        return int(np.searchsorted([end.toordinal() for end in self.ends], day.toordinal()))

    def years_until(self, day: date) -> float:
        """Years from the start to the beginning of `day`, in quarters of equal length; negative before the start.

        >>> Schedule.quarterly(date(2027, 1, 1), 2).years_until(date(2027, 2, 15))
        0.125
        """
        months = (day.year - self.start.year) * 12 + day.month - self.start.month
        quarter = (months - (day.day < self.start.day)) // 3
        begin, end = (
            end_of_quarter(self.start, quarter).toordinal() + 1,
            end_of_quarter(self.start, quarter + 1).toordinal(),
        )
        return (quarter + (day.toordinal() - begin) / (end - begin + 1)) / 4

    @property
    def time_years(self) -> Array:
        """Years from the start to each period's end, the opening's being 0."""
        return np.cumsum(self.year_share)

    def column(self, by_quarter: ArrayLike, opening: float = 0.0) -> Array:
        """Quarter values as a period column: `opening` goes in front where the schedule has one."""
        values = np.asarray(by_quarter, dtype=np.float64)
        quarters = self.periods - int(self.has_opening)
        if values.shape[-1:] != (quarters,):
            raise InputError(_length("a column", values.shape, quarters))
        if not self.has_opening:
            return values
        return np.concatenate((np.full((*values.shape[:-1], 1), opening), values), axis=-1)


def end_of_quarter(start: date, quarters: int) -> date:
    """Last day of the `quarters`-th quarter from `start`.

    >>> end_of_quarter(date(2027, 1, 1), 1)
    datetime.date(2027, 3, 31)
    """
    year, month = divmod(start.year * 12 + start.month - 1 + 3 * quarters, 12)
    after = date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
    return date.fromordinal(after.toordinal() - 1)


def add_years(day: date, years: float) -> date:
    """The day `years` later: whole months by the calendar, what is left by days of 365.

    >>> add_years(date(2027, 1, 31), 1 / 12), add_years(date(2027, 7, 1), 5)
    (datetime.date(2027, 2, 28), datetime.date(2032, 7, 1))
    """
    months = int(np.floor(years * 12 + 1e-9))
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    moved = date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    return date.fromordinal(moved.toordinal() + round((years - months / 12) * 365))


def _stock(name: str, values: ArrayLike, quarters: int, opening: bool) -> Array:
    made = np.asarray(values, dtype=np.float64)
    if made.ndim == 0:
        made = np.full(quarters, float(made))
    if made.shape[-1] == quarters + 1 and opening:
        return made
    if made.shape[-1] != quarters:
        raise InputError(_length(name, made.shape, quarters))
    return np.concatenate((np.zeros((*made.shape[:-1], 1)), made), axis=-1) if opening else made


def _length(name: str, shape: Sequence[int], quarters: int) -> Problem:
    have = shape[-1] if shape else 1
    return Problem("wrong_length", f"{name} has {have} values; the schedule has {quarters} quarters")
