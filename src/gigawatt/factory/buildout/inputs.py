"""What a build-out over quarters is chosen from: platforms, points, limits and money, all by quarter.

Plain numbers and columns only. Index p platform, w workload, j operating point, s price segment, o obligation, t quarter. A
platform is its own technology vintage: points need no index of the quarter in which racks were bought.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.points import Points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """Everything that `build_out` needs. USD, MW at the meter, tokens per second, racks.

    Attributes:
        quarters: [T] their names. platforms, workloads, segments, obligations: names, unique each.
        points: rates and watts of one rack at the software of `speed` 1.
        segment_workload, obligation_workload: which workload each belongs to.
        discount: [T] present value of a USD at a quarter's end; `opening_discount` at its start, when purchases are paid.
        power_mw: [T] powered shell that may stand in the quarter; `capital_usd` [T] money that comes in at its start.
        supply_racks: [P, T] racks that may be bought in the quarter (0 before a platform is there).
        demand_tokens_per_s, price_usd_per_mtok: [S, T]. owed_tokens_per_s: [O, T].
        speed: [P, W, T] factor on tokens.
        cost_usd: [P, T] what the objective counts for a rack bought in t; list_usd: [P, T] what the capital row counts.
        upkeep_usd_per_yr: [P] per rack owned; energy_usd_per_yr [J, T] and other_usd_per_yr [J] per rack in use (other is
            earned).
        shell_usd_per_mw: [T] capital of a MW of shell built in t; shell_upkeep_usd_per_mw_yr.
        resale_usd: [P, T] for a rack that leaves in t; terminal_usd: [P] for one owned at the end; shell_terminal_usd_per_mw:
            [T] worth at the end of a MW built in t. All of these at the time when they fall.
        lead_quarters: [P] from purchase to first use. life_quarters: [P] after which a rack leaves (a large number: never).
        opening_racks: [P] that stand before the first quarter.
        revenue_share: of token revenue that the objective counts. reinvest_share: of what operation earns (after energy and
            upkeep) that may be spent on more.
        charge_usd_per_yr, shell_charge_usd_per_mw_yr: where given, capital is rented at these rates instead of bought, and
            neither resale nor terminal worth counts (the rental form of a one-period plan).
        block_racks: racks are bought in blocks of so many; 0: any part of one.
    """

    quarters: tuple[str, ...]
    platforms: tuple[str, ...]
    workloads: tuple[str, ...]
    points: Points
    segments: tuple[str, ...]
    segment_workload: Indices
    obligations: tuple[str, ...]
    obligation_workload: Indices
    discount: Array
    opening_discount: Array
    power_mw: Array
    capital_usd: Array
    supply_racks: Array
    demand_tokens_per_s: Array
    price_usd_per_mtok: Array
    owed_tokens_per_s: Array
    speed: Array
    cost_usd: Array
    list_usd: Array
    upkeep_usd_per_yr: Array
    energy_usd_per_yr: Array
    other_usd_per_yr: Array
    shell_usd_per_mw: Array
    shell_upkeep_usd_per_mw_yr: float
    resale_usd: Array
    terminal_usd: Array
    shell_terminal_usd_per_mw: Array
    lead_quarters: Indices
    life_quarters: Indices
    opening_racks: Array
    revenue_share: float = 1.0
    reinvest_share: float = 0.0
    charge_usd_per_yr: Array | None = None
    shell_charge_usd_per_mw_yr: float | None = None
    block_racks: int = 0
