"""Units that fail and are mended: how much of a plant stands in each hour, and how much can be counted on.

Each unit is up or down by itself (a two-state Markov chain): with forced outage rate q and mean time to repair r it runs
r (1 - q) / q hours between failures in the mean. Planned work takes each unit once a year for its share of the hours, spread
round the year.

What such a plant counts for by itself is the capacity that lacks in at most `lack_hours` of a year: the quantile of the
sum over all units, by convolution of their outages (the capacity outage probability table of Billinton and Allan,
Reliability Evaluation of Power Systems, ch. 2), with a unit of each plant down for planned work besides. The standard
is one day in ten years, 2.4 hours a year (the usual reading of it in North America), unless another is asked for. A
plant of one unit counts for nothing. Beside a grid, sun and batteries `firm` finds it by simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
LACK_HOURS = 2.4  # a year: one day in ten years
HOURS = 8760.0
GOLDEN = 0.6180339887498949
MOST_UNITS = 256  # more are joined: their number tells no more of the sum
STEPS = 4000  # of capacity in the convolution


@dataclass(frozen=True, slots=True)
class Units:
    """Equal units of one plant.

    Attributes:
        count, unit_w: how many, of how many watts each.
        forced: share of its hours that a unit is down unplanned; `repair_h` the mean hours until it is back.
        planned: share of the year that a unit is down for planned work.

    Raises:
        InputError: a number outside its range.
    """

    count: int
    unit_w: float
    forced: float
    repair_h: float
    planned: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1 or not self.unit_w >= 0 or not 0 <= self.forced < 1 or not 0 <= self.planned < 1:
            raise InputError(
                Problem("out_of_range", "a plant has at least one unit and outage rates from 0 to under 1")
            )
        if not self.repair_h > 0:
            raise InputError(Problem("out_of_range", "mean hours to repair must be over 0"))

    @classmethod
    def of(cls, capacity_w: float, unit_w: float, forced: float, repair_h: float, planned: float = 0.0) -> Units:
        """As many equal units as the rating nearest to `unit_w` makes."""
        count = min(max(1, round(capacity_w / unit_w)), MOST_UNITS)
        return cls(count, capacity_w / count, forced, repair_h, planned)

    @property
    def planned_units(self) -> int:
        """Units that may be down for planned work at a time."""
        return int(np.ceil(self.planned * self.count - 1e-12))


def standing(units: Units, hours: int, rng: np.random.Generator) -> Array:
    """[H] share of the plant's units that are up; hours beyond a year repeat its planned work.

    Units are counted by the hours in which they go and come back, so that the work grows with outages and not with hours.
    """
    gone = np.zeros(hours + 1)
    year = int(HOURS)
    span = round(units.planned * year)
    # Each unit's planned weeks, spread round the year from the first of March by the golden ratio: one unit more leaves the
    # others where they were.
    first = (59 * 24 + np.floor(np.arange(units.count) * GOLDEN % 1.0 * year)).astype(np.int64) % year
    if span:
        starts = (first[:, None] + year * np.arange(-1, hours // year + 1)).ravel()
        _count(gone, starts, starts + span, 1.0)
    if units.forced > 0:
        down, back, which = _forced(units, hours, rng)
        _count(gone, down, back, 1.0)
        if span:
            # A unit that fails in its planned weeks was gone already.
            before = first[which] + year * ((down - first[which]) // year)
            for start in (before, before + year):
                _count(gone, np.maximum(down, start), np.minimum(back, start + span), -1.0)
    return np.asarray(1.0 - np.cumsum(gone)[:-1] / units.count)


def _count(gone: Array, starts: NDArray[np.int64], ends: NDArray[np.int64], weight: float) -> None:
    """Adds a weight to the differences of `gone` over spans of hours; empty spans and what lies outside count for nothing."""
    last = gone.size - 1
    kept = ends > starts
    starts, ends = np.clip(starts[kept], 0, last), np.clip(ends[kept], 0, last)
    gone += weight * (np.bincount(starts, minlength=last + 1) - np.bincount(ends, minlength=last + 1))


def _forced(
    units: Units, hours: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Spans of hours [down, back) and the unit of each: alternating exponential times, started in the steady state.

    An hour is lost where its middle is.
    """
    between = units.repair_h * (1 - units.forced) / units.forced
    cycles = int(2 * hours / (between + units.repair_h)) + 20
    # Drawn unit by unit: one unit more leaves the others as they were.
    drawn = rng.standard_exponential((units.count, 2 * cycles + 1))
    starts_down = (np.exp(-drawn[:, 0]) < units.forced)[:, None]
    # The first interval is of the state a unit starts in; exponential times have no memory, so it needs no correction.
    even = drawn[:, 1::2] * np.where(starts_down, units.repair_h, between)
    odd = drawn[:, 2::2] * np.where(starts_down, between, units.repair_h)
    ends = np.cumsum(np.stack([even, odd], axis=2).reshape(units.count, -1), axis=1)
    begun = np.concatenate([np.zeros((units.count, 1)), ends[:, :-1]], axis=1)
    # Intervals alternate: those of even number are outages of the units that start down, those of odd number of the others.
    down = np.where(starts_down, begun[:, 0::2], begun[:, 1::2])
    back = np.where(starts_down, ends[:, 0::2], ends[:, 1::2])
    which = np.broadcast_to(np.arange(units.count)[:, None], down.shape)
    inside = down < hours
    whole = [np.ceil(column[inside] - 0.5).astype(np.int64) for column in (down, back)]
    return whole[0], whole[1], which[inside]


def counted_on_w(plants: Sequence[Units], lack_hours: float = LACK_HOURS) -> float:
    """Watts of all plants together that lack in at most `lack_hours` of a year, each with its planned work going on.

    >>> counted_on_w([Units(1, 100e6, 0.05, 60.0)])
    0.0
    >>> counted_on_w([Units(12, 16e6, 0.06, 36.0)]) / 16e6
    7.0
    """
    kept = [(u.count - u.planned_units, u.unit_w, u.forced) for u in plants if u.count > u.planned_units and u.unit_w]
    total = sum(count * watts for count, watts, _ in kept)
    if total <= 0:
        return 0.0
    allowed = lack_hours / HOURS
    if len(kept) == 1:
        count, watts, forced = kept[0]
        return watts * _least_up(_up(count, forced), allowed)
    step = total / STEPS
    chance = np.array([1.0])
    for count, watts, forced in kept:
        column = np.zeros(int(np.floor(count * watts / step + 1e-9)) + 1)
        # Rounded down to the grid: never more than there is.
        np.add.at(column, np.floor(np.arange(count + 1) * watts / step + 1e-9).astype(int), _up(count, forced))
        chance = np.convolve(chance, column)
    return step * _least_up(chance, allowed)


def _up(count: int, forced: float) -> Array:
    """Chance that 0, 1, ... `count` units are up."""
    chance = np.array([1.0])
    for _ in range(count):
        chance = np.convolve(chance, [forced, 1 - forced])
    return chance


def _least_up(chance: Array, allowed: float) -> int:
    """The highest level that is missed with at most the allowed chance."""
    below = np.concatenate([[0.0], np.cumsum(chance)[:-1]])
    return int(np.flatnonzero(below <= allowed + 1e-15)[-1])
