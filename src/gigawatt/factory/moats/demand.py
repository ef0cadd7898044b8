"""What the buyer would take of a vendor's platforms at each price, and so how far a price may go above the rival's.

    q(price) = racks of F in the buyer's own plan with F at `price` x list in its charge and in the capital row

The *premium* is the highest price, over list, at which q is still half of what it is at list (bisection). The vendor's best
price is the one on a grid at which (price - production cost) x q(price) is largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.moats.game import Game
from gigawatt.factory.moats.shapley import Coalition
from gigawatt.factory.moats.terms import MOATS

Array = NDArray[np.float64]
HIGHEST = 64.0  # times list: beyond it a price is no price
ROUNDS = 14  # of halving: 64 / 2^14 is 0.4 % of list
STEPS = 33  # of the grid of prices
MOST = 1.5  # times the price at half volume: where the grid ends
_NONE = 1e-6
VARIANTS: tuple[tuple[str, Coalition], ...] = (
    ("all moats", ()),
    *((f"without {moat}", (moat,)) for moat in MOATS),
    ("no moat", MOATS),
)


@dataclass(frozen=True, slots=True)
class Premium:
    """Prices over list.

    `with_all` and `with_none` are the highest at which half of `volume` accelerators is taken, with every moat and with none;
    `volume` is what is taken at `base` (list, or production cost where nothing is bought at list). `best` is the vendor's,
    `best_profit` USD per year at it, `list_profit` at list.
    """

    with_all: float
    with_none: float
    volume: float
    base: str
    best: float
    best_profit: float
    list_profit: float


def premium(game: Game) -> Premium:
    """The premium of a regime. Nothing is bought even at production cost: all zero."""
    base, cost = "list price", float(game.terms.cost_share[list(game.terms.focal)].min(initial=1.0))
    volume = game.value(price=1.0).accelerators
    if volume <= _NONE:
        base, volume = "production cost", game.value(price=cost).accelerators
    if volume <= _NONE:
        return Premium(0.0, 0.0, 0.0, "no price", 0.0, 0.0, 0.0)
    with_all = highest(game, volume / 2)
    with_none = highest(game, volume / 2, MOATS)
    best, profit = best_price(game, max(with_all, cost) * MOST)
    listed = game.value(price=1.0).profit_usd_per_yr
    return Premium(with_all, with_none, volume, base, best, profit, listed)


def best_price(game: Game, most: float, off: Coalition = (), given: Coalition = ()) -> tuple[float, float]:
    """(price over list, USD per year) at which the vendor earns most, on a grid from production cost to `most`."""
    cost = float(game.terms.cost_share[list(game.terms.focal)].min(initial=1.0))
    grid = np.geomspace(cost, max(most, cost * 1.01), STEPS)
    profits = [game.value(off, given=given, price=float(at)).profit_usd_per_yr for at in grid]
    best = int(np.argmax(profits))
    return float(grid[best]), float(profits[best])


def highest(game: Game, accelerators: float, off: Coalition = ()) -> float:
    """The highest price over list at which the buyer takes at least so many; 0 where it takes them at none."""

    def taken(price: float) -> bool:
        return game.value(off, price=price).accelerators >= accelerators * (1 - 1e-9)

    if not taken(1e-3):
        return 0.0
    low, high = 1e-3, 1.0
    while taken(high):
        if high >= HIGHEST:
            return HIGHEST
        low, high = high, 2 * high
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    return low


def demand_curves(game: Game, prices: Array) -> dict[str, Array]:
    """Accelerators taken at each of `prices` (over list): with all moats, without each, with none."""
    return {name: np.array([game.value(off, price=float(at)).accelerators for at in prices]) for name, off in VARIANTS}
