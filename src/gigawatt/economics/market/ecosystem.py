"""The software loop by quarter and region: installed base -> maturity -> share of demand -> installed base.

Shapes: D draws lead, then R regions, S stacks, U uses (serving, training); T quarters first in what comes out. Money is
USD at the vendor's list prices of the start, so that a base, a demand and a sale have one unit.

    experience   K[r,s] = (1 - f/4) K + a[r,s] + o_s sum over other regions of a,     K(0) = world base of the stack
    maturity     m = m_max - (m_max - m_0) (K / K(0))^(-b x speed),  held in [FLOOR, m_max];  2^-b: gap left by a doubling
    utility      v = e (sum_u w_u ln m + h t + k N_s / N) + x_s
    share        s = exp(v) / sum exp(v)     over the stacks that may be sold in the region
    premium      price factor of the focal stack at which its share is g:  ln p = (v_f - ln sum_rivals exp v - ln(g/(1-g))) / e
    additions    a = s D(t),  rivals together at most the share of demand that they can make
    base         N = N (1 - 1/(4 L)) + a
    profit       a_f (p (1 - toll) - c)

e is the log-price sensitivity of buyers, k the switching cost in log price, h the yearly growth of hardware performance per
dollar, x what else attracts (network, supply, support, trust), which `calibrated` fits to the shares of the start. Where the
vendor is banned its share is nil and rivals take what they can make; the rest is not built. Learning spills to other
regions by the openness o of a stack. The form is Wright's law on the gap; logit shares are McFadden's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
FLOOR = 0.05  # a stack that still runs at all
Pricing = Literal["list", "hold-share"]


@dataclass(frozen=True, slots=True)
class Loop:
    """The state at the start and the parameters; the first axis is the draw.

    demand_usd_per_yr [D,R]: at the start, at list. growth [D,R]: a year, fading by e over `fade_years` [D].
    base_usd [D,R,S]. maturity, ceiling [D,S,U]: 1 is the stack that calibrations were fitted on. use_share [U].
    learning [D]: exponent b. openness [D,S], forgetting [D] a year, life_years [D].
    sensitivity, switching [D]. hardware_growth [D,S]: log a year. attraction [D,R,S].
    cost_share [D]: production cost over list price. toll [D,R]: share of the price handed over for the licence to sell.
    supply_start [D,R], supply_years [D,R]: what rivals can make of demand at first, and when they can make all of it.
    redirect [D], redirect_years [D]: share of what a ban turns away that finds other buyers, and for how long.
    discount_rate [D]. `focal` is the vendor's stack.
    """

    demand_usd_per_yr: Array
    growth: Array
    fade_years: Array
    base_usd: Array
    maturity: Array
    ceiling: Array
    use_share: Array
    learning: Array
    openness: Array
    forgetting: Array
    life_years: Array
    sensitivity: Array
    switching: Array
    hardware_growth: Array
    attraction: Array
    cost_share: Array
    toll: Array
    supply_start: Array
    supply_years: Array
    redirect: Array
    redirect_years: Array
    discount_rate: Array
    quarters: int
    focal: int = 0
    pricing: Pricing = "list"

    def take(self, rows: ArrayLike) -> Loop:
        """The same with some of the draws."""
        kept = np.asarray(rows)
        columns = {name: getattr(self, name)[kept] for name in _COLUMNS}
        return replace(self, **columns)


_COLUMNS = tuple(
    name
    for name, kind in Loop.__annotations__.items()
    if name not in ("use_share", "quarters", "focal", "pricing") and kind == "Array"
)


@dataclass(frozen=True, slots=True)
class Path:
    """What happens. maturity [T,D,R,S,U]; experience (over that of the start), share and base_usd [T,D,R,S]; the rest [T,D,R].

    share, maturity and premiums are those buyers see in the quarter; the base is that at its end. `premium_half`: the price
    factor at which half of the buyers would still take the focal stack; `premium_held`: at which its first share holds.
    price: factor on list that is charged. sold_usd: the vendor's units at list; profit_usd: its gross profit after toll.
    """

    maturity: Array
    experience: Array
    share: Array
    base_usd: Array
    premium_half: Array
    premium_held: Array
    price: Array
    sold_usd: Array
    profit_usd: Array

    def npv_usd(self, discount_rate: ArrayLike) -> Array:
        """[D,R] of the profit, flows at the end of a quarter."""
        return discounted(self.profit_usd, discount_rate)


def discounted(flows_usd: Array, discount_rate: ArrayLike) -> Array:
    """Present value over the leading axis of quarters; `discount_rate` [D] is effective a year, flows [T,D,...]."""
    ends = np.arange(1, len(flows_usd) + 1) / 4
    factor = (1 + np.asarray(discount_rate, dtype=np.float64)) ** -ends[:, None]
    return np.asarray(np.einsum("td,td...->d...", factor, flows_usd))


def matured(start: ArrayLike, ceiling: ArrayLike, experience_ratio: ArrayLike, exponent: ArrayLike) -> Array:
    """Maturity after experience has changed by a ratio.

    >>> round(float(matured(0.6, 1.0, 2.0, 1.0)), 12)
    0.8
    """
    m0, top = np.asarray(start, dtype=np.float64), np.asarray(ceiling, dtype=np.float64)
    top = np.maximum(top, m0)
    left = np.asarray(experience_ratio, dtype=np.float64) ** -np.asarray(exponent, dtype=np.float64)
    return np.asarray(np.clip(top - (top - m0) * left, np.minimum(FLOOR, m0), top))


def calibrated(loop: Loop, share: ArrayLike) -> Loop:
    """The loop with the attraction that makes `share` [D,R,S] (all above 0) the shares of the first quarter at list."""
    first = np.asarray(share, dtype=np.float64)
    attraction = np.log(first / first.sum(axis=-1, keepdims=True)) - _pull(loop, _log_maturity(loop, loop.maturity), 0.0,
                                                                           loop.base_usd)  # fmt: skip
    return replace(loop, attraction=attraction)


def demand_usd_per_q(loop: Loop, quarter: int) -> Array:
    """[D,R] demand of a quarter at list: growth fades, D = D_0/4 exp(g tau (1 - e^(-t/tau))).

    g is the log of one plus the yearly growth at the start.
    """
    tau = loop.fade_years[:, None]
    grown = np.log1p(loop.growth) * tau * -np.expm1(-quarter / 4 / tau)
    return np.asarray(loop.demand_usd_per_yr / 4 * np.exp(grown))


def rivals_can_make(loop: Loop, quarter: int) -> Array:
    """[D,R] share of demand that rivals together can make: rises on a line to all of it."""
    return np.asarray(np.minimum(1.0, loop.supply_start + (1 - loop.supply_start) * (quarter / 4) / loop.supply_years))


def short_share(loop: Loop, quarter: int) -> Array:
    """[D] part of a quarter in which supply is still short, so that what one region may not buy another will."""
    return np.asarray(np.clip(4 * loop.redirect_years - quarter, 0.0, 1.0))


def simulate(
    loop: Loop, speed: ArrayLike = 1.0, banned: Collection[int] = (), turned_away_usd: Array | None = None
) -> Path:
    """Run the loop.

    Args:
        loop: state and parameters.
        speed: factor on the learning exponent, a number or [D].
        banned: regions where the focal stack may not be sold.
        turned_away_usd: [T,D] sales at list that a ban turns away; while supply is short `redirect` of them finds buyers
            in the open regions, at list, beyond their own demand, and joins their base.
    """
    draws, regions, stacks = loop.base_usd.shape
    exponent = loop.learning * np.broadcast_to(np.asarray(speed, dtype=np.float64), (draws,))
    open_to = np.ones((regions, stacks), dtype=bool)
    open_to[list(banned), loop.focal] = False
    start = np.broadcast_to(loop.base_usd.sum(axis=1, keepdims=True), loop.base_usd.shape)
    base, experience = loop.base_usd, start
    kept, remembered = 1 - 1 / (4 * loop.life_years)[:, None, None], 1 - loop.forgetting[:, None, None] / 4
    free = _shares(_utility(loop, loop.maturity[:, None], 0.0, base), np.ones_like(open_to))
    first = np.log(free[..., loop.focal]) - np.log1p(-free[..., loop.focal])  # nobody is banned from what is held
    rows: list[tuple[Array, ...]] = []
    for quarter in range(loop.quarters):
        ratio = experience / start
        pace = exponent[:, None, None, None]
        maturity = matured(loop.maturity[:, None], loop.ceiling[:, None], ratio[..., None], pace)
        value = _utility(loop, maturity, quarter / 4, base)
        lead = _lead(loop, value)
        half = np.exp(lead / loop.sensitivity[:, None])
        held = np.exp((lead - first) / loop.sensitivity[:, None])
        price = np.ones_like(half)
        if loop.pricing == "hold-share":
            price = np.maximum(np.minimum(held, 1.0), np.minimum(loop.cost_share[:, None] / (1 - loop.toll), 1.0))
        value = value.copy()
        value[..., loop.focal] -= loop.sensitivity[:, None] * np.log(price)
        share = _shares(value, open_to)
        demand = demand_usd_per_q(loop, quarter)
        added = share * demand[..., None]
        rival = 1 - share[..., loop.focal]
        can = np.minimum(1.0, rivals_can_make(loop, quarter) / np.maximum(rival, 1e-300))
        mine = added[..., loop.focal]
        added = added * can[..., None]
        elsewhere = _redirected(loop, quarter, mine, open_to, turned_away_usd)
        added[..., loop.focal] = mine + elsewhere
        profit = mine * (price * (1 - loop.toll) - loop.cost_share[:, None])
        profit += elsewhere * (1 - loop.cost_share[:, None])
        base = base * kept + added
        spilled = loop.openness[:, None] * (added.sum(axis=1, keepdims=True) - added)
        experience = experience * remembered + added + spilled
        rows.append((maturity, ratio, share, base, half, held, price, added[..., loop.focal], profit))
    return Path(*(np.stack(column) for column in zip(*rows, strict=True)))


def _redirected(loop: Loop, quarter: int, mine: Array, open_to: NDArray[np.bool_], turned_away: Array | None) -> Array:
    """[D,R] units at list that go to open regions instead, by their own size."""
    if turned_away is None:
        return np.zeros_like(mine)
    found = loop.redirect * short_share(loop, quarter) * turned_away[quarter]
    weight = np.where(open_to[:, loop.focal], mine, 0.0)
    return np.asarray(found[:, None] * weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300))


def _log_maturity(loop: Loop, maturity: Array) -> Array:
    """Weighted by use: [..., S] of [..., S, U]."""
    return np.asarray((np.log(maturity) * loop.use_share).sum(axis=-1))


def _pull(loop: Loop, log_maturity: Array, years: float, base: Array) -> Array:
    """[D,R,S] utility without what else attracts."""
    n = base / np.maximum(base.sum(axis=-1, keepdims=True), 1e-300)
    inside = np.broadcast_to(log_maturity if log_maturity.ndim == 3 else log_maturity[:, None], base.shape)
    inside = inside + loop.hardware_growth[:, None] * years + loop.switching[:, None, None] * n
    return np.asarray(loop.sensitivity[:, None, None] * inside)


def _utility(loop: Loop, maturity: Array, years: float, base: Array) -> Array:
    return np.asarray(_pull(loop, _log_maturity(loop, maturity), years, base) + loop.attraction)


def _shares(value: Array, open_to: NDArray[np.bool_]) -> Array:
    """[D,R,S] logit shares over the stacks that may be sold; they sum to 1."""
    shown = np.where(open_to, value, -np.inf)
    weight = np.exp(shown - shown.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))


def _lead(loop: Loop, value: Array) -> Array:
    """[D,R] utility of the focal stack over that of all rivals together."""
    rivals = np.delete(value, loop.focal, axis=-1)
    top = rivals.max(axis=-1)
    return np.asarray(value[..., loop.focal] - top - np.log(np.exp(rivals - top[..., None]).sum(axis=-1)))
