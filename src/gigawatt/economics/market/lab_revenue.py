"""What one more MW earns a lab, beside the rent of a MW.

    revenue     R(G) = R_0 (G / G_0)^e          e: elasticity of revenue to compute; 1 is constant returns
    average     R / G
    marginal    dR/dG = e R / G
    limit       G* = G_0 (e R_0 / (rent G_0))^(1 / (1 - e)),  e < 1:  there the marginal MW earns its rent
    threshold   e* = rent G_0 / R_0:  above it one more MW at G_0 earns more than its rent

Rows of the past give an elasticity too, the slope of ln R on ln G, but demand grew meanwhile: it bounds e from above.
The same MW trains models, so not all of it is there to earn. Power in GW, USD a year; all take arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def revenue_usd_per_yr(gw: ArrayLike, at_gw: ArrayLike, at_usd_per_yr: ArrayLike, elasticity: ArrayLike) -> Array:
    """Revenue of a lab with `gw`, from a point that is known.

    >>> float(revenue_usd_per_yr(4.0, 1.0, 10.0, 0.5))
    20.0
    """
    ratio = _floats(gw) / _floats(at_gw)
    return np.asarray(_floats(at_usd_per_yr) * ratio ** _floats(elasticity))


def marginal_usd_per_mw_yr(gw: ArrayLike, at_gw: ArrayLike, at_usd_per_yr: ArrayLike, elasticity: ArrayLike) -> Array:
    """What the last MW of `gw` earns in a year.

    >>> float(marginal_usd_per_mw_yr(1.0, 1.0, 10e9, 0.8))
    8000000.0
    """
    revenue = revenue_usd_per_yr(gw, at_gw, at_usd_per_yr, elasticity)
    return np.asarray(_floats(elasticity) * revenue / (_floats(gw) * 1e3))


def gw_at_rent(
    at_gw: ArrayLike, at_usd_per_yr: ArrayLike, elasticity: ArrayLike, rent_usd_per_mw_yr: ArrayLike
) -> Array:
    """GW at which the marginal MW earns just its rent; below `at_gw` where it already earns less.

    With constant or rising returns there is no such point: infinite where the marginal MW earns its rent, 0 where not.
    """
    e, base, revenue, rent = np.broadcast_arrays(
        *(_floats(x) for x in (elasticity, at_gw, at_usd_per_yr, rent_usd_per_mw_yr))
    )
    over = e * revenue / (base * 1e3 * rent)
    falling = e < 1
    with np.errstate(over="ignore"):
        limit = base * np.exp(np.log(over) / np.where(falling, 1 - e, 1.0))
    return np.asarray(np.where(falling, limit, np.where(over >= 1, np.inf, 0.0)))


def threshold_elasticity(at_gw: ArrayLike, at_usd_per_yr: ArrayLike, rent_usd_per_mw_yr: ArrayLike) -> Array:
    """Elasticity at which one more MW earns just its rent today: rent over average revenue.

    >>> float(threshold_elasticity(2.0, 20e9, 9e6))
    0.9
    """
    return np.asarray(_floats(rent_usd_per_mw_yr) * _floats(at_gw) * 1e3 / _floats(at_usd_per_yr))


def past_elasticity(gw: ArrayLike, usd_per_yr: ArrayLike) -> float:
    """Slope of ln revenue on ln power over the past; two points or more.

    >>> round(past_elasticity([1.0, 2.0, 4.0], [3.0, 6.0, 12.0]), 12)
    1.0

    Raises:
        ValueError: fewer than two different powers.
    """
    x, y = np.log(_floats(gw)), np.log(_floats(usd_per_yr))
    x = x - x.mean()
    spread = float(x @ x)
    if spread == 0:
        raise ValueError("an elasticity needs two different powers")
    return float(x @ y / spread)


def _floats(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)
