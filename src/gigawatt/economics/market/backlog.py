"""Demand, backlog and shipments by quarter, with the price that reacts and the expansions that are ordered.

    Q_t = min(S_t, D_t + B_{t-1})                           shipped
    B_t = B_{t-1} + D_t - Q_t = max(0, B_{t-1} + D_t - S_t) owed, never below zero
    P_t = P0_t x clip((B_{t-1} / Q_{t-1} / c0)^e, low, high)   the price reacts to the cover of the quarter before
    R_t = P_t Q_t
    O_jt = gain x max(0, need_j (D_t + B_t / clear) - position_j), at most `most` x stock_j

The regime is 'supply' where S_t < D_t + B_{t-1}, else 'demand'. Position is what will stand when an order of today
arrives: the base at that quarter and all that was ordered so far. Within a quarter, given its opening backlog and price:
dR/dstock_j = P_t / need_j for the binding input while supply limits, 0 otherwise.

Draws lead: every column is [draws, quarters] or broadcasts to it; inputs [draws, inputs, quarters]. GW, USD, quarters.
More of the binding input never lowers the revenue of its quarter, nor all that is shipped up to any later one while the
orders stay as they are. It may lower later prices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.market.supply import Supply, lead_kernel, leontief

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pricing:
    """Price in USD per GW by quarter before it reacts, and how it reacts to the cover B/Q around `cover` (0: not)."""

    base_usd_per_gw: ArrayLike
    elasticity: ArrayLike = 0.0
    cover: float = 1.0
    least: float = 0.5
    most: float = 2.0


@dataclass(frozen=True, slots=True)
class Ordering:
    """How expansions follow the backlog: `gain` of the missing capacity is ordered each quarter (0: none), the backlog
    is to be cleared in `clear_quarters`, and no order is larger than `most_share` of the stock."""

    gain: float = 0.0
    clear_quarters: float = 4.0
    most_share: float = 0.25


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of production: `base` stocks [draws, inputs, quarters] with what is on its way, `orders` placed by hand of
    the same shape, `need` per GW and `lead_quarters` [draws, inputs]."""

    names: tuple[str, ...]
    base: Array
    need: Array
    lead_quarters: Array
    orders: Array


@dataclass(frozen=True, slots=True)
class Path:
    """All that happened: [draws, quarters], and by input [draws, inputs, quarters]."""

    supply: Supply
    stock: Array
    orders: Array
    demand_gw: Array
    opening_gw: Array
    shipped_gw: Array
    backlog_gw: Array
    price_usd_per_gw: Array

    @property
    def revenue_usd(self) -> Array:
        return self.price_usd_per_gw * self.shipped_gw

    @property
    def supply_limited(self) -> NDArray[np.bool_]:
        return np.asarray(self.supply.made < self.demand_gw + self.opening_gw)

    @property
    def cover_quarters(self) -> Array:
        """Backlog over the quarter's shipments; 0 where nothing was shipped and nothing is owed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            cover = self.backlog_gw / self.shipped_gw
        return np.where(self.backlog_gw > 0, cover, 0.0)

    @property
    def worth_usd(self) -> Array:
        """Worth of one unit more of each input in its quarter, USD: price x dS/dstock while supply limits, else 0."""
        return np.asarray(np.where(self.supply_limited, self.price_usd_per_gw, 0.0)[..., None, :] * self.supply.slope)


def run(
    inputs: Inputs,
    demand_gw: ArrayLike,
    opening_backlog_gw: ArrayLike,
    pricing: Pricing,
    ordering: Ordering = Ordering(),
    opening_shipped_gw: ArrayLike | None = None,
) -> Path:
    """Quarter by quarter. The first price is as stated, or reacts to the opening backlog over `opening_shipped_gw` where
    that is given.

    >>> one = np.ones((1, 1))
    >>> chips = Inputs(("chips",), np.full((1, 1, 3), 4.0), one, one, np.zeros((1, 1, 3)))
    >>> path = run(chips, [5.0, 3.0, 1.0], 2.0, Pricing(10.0))
    >>> path.shipped_gw.tolist(), path.backlog_gw.tolist(), path.supply_limited.tolist()
    ([[4.0, 4.0, 3.0]], [[3.0, 2.0, 0.0]], [[True, True, False]])
    """
    draws, _, quarters = inputs.base.shape
    shape = (draws, quarters)
    demand = np.broadcast_to(np.asarray(demand_gw, dtype=np.float64), shape)
    asked = np.broadcast_to(np.asarray(pricing.base_usd_per_gw, dtype=np.float64), shape)
    bend = np.broadcast_to(np.asarray(pricing.elasticity, dtype=np.float64), (draws,))
    kernel = lead_kernel(inputs.lead_quarters, quarters + 1)
    stock, orders = inputs.base.copy(), np.array(np.broadcast_to(inputs.orders, inputs.base.shape))
    # What was ordered by hand arrives whatever the backlog does.
    for at in range(quarters):
        _deliver(stock, orders[..., at], kernel, at)
    placed = np.cumsum(orders, axis=-1)
    opening, shipped, backlog, price = (np.zeros(shape) for _ in range(4))
    owed = np.broadcast_to(np.asarray(opening_backlog_gw, dtype=np.float64), (draws,))
    before = (
        None if opening_shipped_gw is None else np.broadcast_to(np.asarray(opening_shipped_gw, np.float64), (draws,))
    )
    for at in range(quarters):
        made = leontief(stock[..., at : at + 1], inputs.need).made[..., 0]
        opening[:, at] = owed
        price[:, at] = asked[:, at] * (1.0 if before is None else _reaction(owed, before, pricing, bend))
        shipped[:, at] = np.minimum(made, demand[:, at] + owed)
        owed = np.maximum(0.0, demand[:, at] + owed - made)
        backlog[:, at], before = owed, shipped[:, at]
        if ordering.gain > 0:
            wanted = inputs.need * (demand[:, at] + owed / ordering.clear_quarters)[:, None]
            coming = _ahead(inputs.base, inputs.lead_quarters, at) + placed[..., at]
            new = np.clip(ordering.gain * (wanted - coming), 0.0, ordering.most_share * stock[..., at])
            orders[..., at] += new
            placed[..., at:] += new[..., None]
            _deliver(stock, new, kernel, at)
    return Path(leontief(stock, inputs.need), stock, orders, demand, opening, shipped, backlog, price)


def _deliver(stock: Array, order: Array, kernel: Array, at: int) -> None:
    """Add an order of quarter `at` to the stocks of all later ones, as it arrives."""
    left = stock.shape[-1] - at
    stock[..., at:] += order[..., None] * np.cumsum(kernel[..., :left], axis=-1)


def _ahead(base: Array, lead: Array, at: int) -> Array:
    """[draws, inputs] of the base when an order of quarter `at` would arrive; the last known level beyond the horizon."""
    due = np.minimum(at + np.ceil(lead).astype(np.int64), base.shape[-1] - 1)
    return np.asarray(np.take_along_axis(base, np.broadcast_to(due, base.shape[:-1])[..., None], axis=-1)[..., 0])


def _reaction(owed: Array, before: Array, pricing: Pricing, bend: Array) -> Array:
    """Factor on the price: (cover over its reference)^elasticity, within its bounds; 1 where it does not react."""
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(before > 0, owed / before, np.where(owed > 0, np.inf, 0.0)) / pricing.cover
        bent = np.where(cover > 0, cover**bend, np.where(bend > 0, 0.0, 1.0))
    return np.asarray(np.where(bend == 0, 1.0, np.clip(bent, pricing.least, pricing.most)))
