"""A power budget shared among uses: which fit, what must be given up, what one more MW is worth, and when the choice ends.

    max   sum_u worth_u x_u                                    USD a year
    s.t.  sum_u mean_u x_u                        <= B         MW over the year
          sum_(u can not wait) peak_u mean_u x_u  <= B         MW in the hour of the peak
          0 <= x_u <= 1,    x_u in {0, 1} where a use is whole

x is the share of a use's demand that is served. Uses that can wait (a long training run) fill the hours in which others rest,
so that they take energy alone; all use the same machines. Peaks are taken to coincide, which asks for more than peaks in
turn would. The budget from which on nothing need be given up has a closed form,

    needed = max( sum mean_u,  sum_(can not wait) peak_u mean_u )

and so has the factor on one use's intensity at which the choice begins. An either/or is a pair of which each fits alone and
both do not. Along the leading axis stand draws; each is a programme of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.solver import LinearProgram, Solver

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
MILLION = 1e6
_SLACK = 1e-9  # of a budget: below it a demand that just fits counts as fitting


@dataclass(frozen=True, slots=True)
class Uses:
    """What the power may be used for.

    Attributes:
        names: unique.
        mean_mw: [draws, uses] at the meter, to serve all of the demand, mean over a year.
        peak: [draws, uses] power in the hour of the peak over the mean, at least 1.
        worth_usd_per_yr: [draws, uses] of all of the demand; a part is worth its share.
        waits: [uses] it can wait for hours in which others rest.
        whole: [uses] all of it or nothing.

    Raises:
        ValueError: columns do not fit each other, power or worth is negative, or a peak is below the mean.
    """

    names: tuple[str, ...]
    mean_mw: Array
    peak: Array
    worth_usd_per_yr: Array
    waits: Mask
    whole: Mask

    def __post_init__(self) -> None:
        n = len(self.names)
        for name in ("mean_mw", "peak", "worth_usd_per_yr"):
            column = getattr(self, name)
            if column.ndim != 2 or column.shape != (len(self.mean_mw), n):
                raise ValueError(f"{name} is {column.shape}, not [draws, {n} uses]")
        if len(self.waits) != n or len(self.whole) != n or len(set(self.names)) < n:
            raise ValueError("uses need one name each, and a mark each of what waits and what is whole")
        if np.any(self.mean_mw < 0) or np.any(self.worth_usd_per_yr < 0) or np.any(self.peak < 1 - 1e-12):
            raise ValueError("power and worth must not be negative, nor a peak below the mean")

    @property
    def firm_mw(self) -> Array:
        """[draws, uses] in the hour of the peak of what can not wait; 0 of what can."""
        return np.where(self.waits, 0.0, self.peak * self.mean_mw)

    def only(self, kept: list[int]) -> Uses:
        """Some of the uses."""
        return Uses(
            tuple(self.names[u] for u in kept), self.mean_mw[:, kept], self.peak[:, kept], self.worth_usd_per_yr[:, kept],
            self.waits[kept], self.whole[kept],
        )  # fmt: skip

    def times(self, use: int, factor: Array | float) -> Uses:
        """The same with one use `factor` times as heavy."""
        mean = self.mean_mw.copy()
        mean[:, use] = mean[:, use] * factor
        return replace(self, mean_mw=mean)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Columns of draws: what is served of each use [draws, uses], its worth, and what the next MW would add.

    `next_usd_per_mw_yr` is the gain of the next hundredth of the budget, per MW: with whole uses a single MW may gain
    nothing where ten gain much.
    """

    budget_mw: Array
    served: Array
    worth_usd_per_yr: Array
    next_usd_per_mw_yr: Array
    binds: Mask


def needed_mw(uses: Uses) -> Array:
    """[draws] the budget from which on nothing need be given up."""
    return np.asarray(np.maximum(uses.mean_mw.sum(axis=1), uses.firm_mw.sum(axis=1)))


def fits(uses: Uses, budget_mw: Array | float) -> Mask:
    """[draws] whether all of it fits."""
    return np.asarray(needed_mw(uses) <= np.asarray(budget_mw) * (1 + _SLACK))


def turning_factor(uses: Uses, use: int, budget_mw: Array | float) -> Array:
    """[draws] the factor on a use's intensity from which on not all uses fit; NaN where the others alone do not.

    mean and peak grow with the factor f, so  f = min( (B - sum of others' means) / mean,  (B - others' firm) / firm ).
    """
    budget = np.asarray(budget_mw, dtype=np.float64)
    mean, firm = uses.mean_mw, uses.firm_mw
    room = budget - (mean.sum(axis=1) - mean[:, use])
    room_firm = budget - (firm.sum(axis=1) - firm[:, use])
    with np.errstate(divide="ignore", invalid="ignore"):
        by_mean = np.where(mean[:, use] > 0, room / mean[:, use], np.inf)
        by_peak = np.where(firm[:, use] > 0, room_firm / firm[:, use], np.inf)
    made = np.minimum(by_mean, by_peak)
    return np.where((room < 0) | (room_firm < 0), np.nan, made)


def either_or(uses: Uses, first: int, second: int, budget_mw: Array | float) -> tuple[Mask, Mask]:
    """([draws] both fit, [draws] each fits alone but both do not)."""
    alone = fits(uses.only([first]), budget_mw) & fits(uses.only([second]), budget_mw)
    both = fits(uses.only([first, second]), budget_mw)
    return both, alone & ~both


def allocate(uses: Uses, budget_mw: Array | float) -> Allocation:
    """The most worth that a budget of power can serve, draw by draw.

    Args:
        uses: what there is to do.
        budget_mw: one for all draws, or one each.
    """
    count = len(uses.mean_mw)
    budget = np.array(np.broadcast_to(np.asarray(budget_mw, dtype=np.float64), count))
    binds = ~fits(uses, budget)
    served = np.ones((count, len(uses.names)))
    worth = uses.worth_usd_per_yr.sum(axis=1)
    further = np.zeros(count)
    for d in np.flatnonzero(binds):
        program = _program(uses, int(d))
        step = max(budget[d] / 100, 1e-6)
        x, best = _solved(program, budget[d])
        _, more = _solved(program, budget[d] + step)
        served[d], worth[d] = x, best
        further[d] = max(more - best, 0.0) / step
    return Allocation(budget, served, np.asarray(worth), further, binds)


def _program(uses: Uses, draw: int) -> LinearProgram:
    """The programme of one draw in MW and million USD; the right sides come with the budget."""
    n = len(uses.names)
    values = np.concatenate([uses.mean_mw[draw], uses.firm_mw[draw]])
    rows, columns = np.repeat([0, 1], n), np.tile(np.arange(n), 2)
    # What is too small to matter is too small for the solver's matrix as well.
    kept = values > 1e-9
    return LinearProgram(
        uses.worth_usd_per_yr[draw] / MILLION,
        np.zeros(n),
        np.ones(n),
        np.full(2, -np.inf),
        np.full(2, np.inf),
        rows[kept],
        columns[kept],
        values[kept],
        ("mean power", "power at the peak"),
        np.asarray(uses.whole, dtype=np.bool_),
    )


def _solved(program: LinearProgram, budget: float) -> tuple[Array, float]:
    """(shares, USD a year) at a budget; of equal answers the solver's own, which is the same on every run."""
    answer = Solver(replace(program, row_high=np.full(2, budget)), gap=1e-9).solve()
    x = np.clip(answer.x, 0.0, 1.0)
    return np.where(program.integer, np.round(x), x), answer.value * MILLION
