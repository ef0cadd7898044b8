"""What it is worth to a vendor to sell to a region rather than be banned from it, by the speed of the software loop.

    value of selling = NPV(sold) - NPV(banned)          of the vendor's gross profit in all regions
                     = direct + elsewhere
    direct    = NPV of the region's own profit when sold to, after toll, less that of the units which find other buyers when
                banned
    elsewhere = NPV of profit in the other regions when sold, less the same when banned: what the rival's learning takes

Selling costs something only where a toll is owed and what is turned away can be sold to others at list (supply is short):
then a slow loop favours the ban and a fast one the sale, and the break-even speed is the root between. Where selling is
worth more at every speed there is no root, and none is reported. A loop so fast that the rival ends at its ceiling with or
without the ban makes the two worlds alike again, so there may be a second root; the lowest is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.market.ecosystem import Loop, Path, discounted, short_share, simulate

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Selling:
    """[D] present values; `sold` and `banned` are the two runs."""

    sold: Path
    banned: Path
    sold_usd: Array
    banned_usd: Array
    direct_usd: Array
    elsewhere_usd: Array

    @property
    def value_usd(self) -> Array:
        """What selling is worth over being banned."""
        return np.asarray(self.sold_usd - self.banned_usd)


def value_of_selling(loop: Loop, region: int, speed: ArrayLike = 1.0) -> Selling:
    """Both runs of a loop at a speed (a number or [D]) and their difference."""
    sold = simulate(loop, speed)
    away = sold.sold_usd[:, :, region]
    banned = simulate(loop, speed, banned=(region,), turned_away_usd=away)
    rate = loop.discount_rate
    with_sale, without = sold.npv_usd(rate), banned.npv_usd(rate)
    short = np.stack([short_share(loop, quarter) for quarter in range(loop.quarters)])
    found = loop.redirect * short * away * (1 - loop.cost_share)
    direct = with_sale[:, region] - discounted(found, rate)
    total, other = with_sale.sum(axis=1), without.sum(axis=1)
    return Selling(sold, banned, total, other, direct, total - other - direct)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """at [D]: the lowest value at which the difference changes sign, NaN where it does not between `least` and `most`;
    crossings [D] counts the changes seen on the grid."""

    at: Array
    crossings: NDArray[np.int64]
    least: float
    most: float


def break_even_speed(
    loop: Loop, region: int, *, most: float = 8.0, of: Literal["value", "split"] = "value"
) -> BreakEven:
    """The speed at which selling to `region` and being banned from it are worth the same, for every draw.

    `most` ends the search, which starts at 0 (no learning); a speed of 1 is the loop's own. "split" asks for another speed:
    the one from which the loss elsewhere outweighs the region's own.
    """

    def gap(inside: Loop, speed: Array) -> Array:
        found = value_of_selling(inside, region, speed)
        return found.value_usd if of == "value" else np.asarray(found.elsewhere_usd - found.direct_usd)

    return lowest_root(gap, loop, np.concatenate([[0.0], np.geomspace(most / 64, most, 13)]))


def break_even_shortage_years(loop: Loop, region: int, *, speed: ArrayLike = 1.0, most: float = 10.0) -> BreakEven:
    """How many years supply must stay short for a ban to cost the vendor nothing, for every draw."""
    pace = np.broadcast_to(np.asarray(speed, dtype=np.float64), loop.learning.shape)
    paced = replace(loop, learning=loop.learning * pace)

    def gap(inside: Loop, years: Array) -> Array:
        return value_of_selling(replace(inside, redirect_years=years), region).value_usd

    return lowest_root(gap, paced, np.linspace(0.0, min(most, loop.quarters / 4), 11))


def lowest_root(gap: Callable[[Loop, Array], Array], loop: Loop, grid: Array, *, rounds: int = 30) -> BreakEven:
    """Bracket on the grid, then halve the lowest bracket of each draw: `gap(loop, x [D])` gives [D]."""
    draws = len(loop.learning)
    seen = np.stack([gap(loop, np.full(draws, x)) for x in grid])
    turns = np.signbit(seen[1:]) != np.signbit(seen[:-1])
    rows = np.flatnonzero(turns.any(axis=0))
    root = np.full(draws, np.nan)
    if len(rows):
        at, inside = turns.argmax(axis=0)[rows], loop.take(rows)
        low, high, negative = grid[at], grid[at + 1], np.signbit(seen[at, rows])
        for _ in range(rounds):
            middle = (low + high) / 2
            same = np.signbit(gap(inside, middle)) == negative
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        root[rows] = (low + high) / 2
    return BreakEven(root, turns.sum(axis=0).astype(np.int64), float(grid[0]), float(grid[-1]))
