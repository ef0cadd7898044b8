"""Why racks leave when they do: what their MW earn then, beside what they earn under the best chip that stands.

What a MW earns in a quarter is taken for each platform at its best workload and operating point,

    (price x tokens/s x speed + other - energy - upkeep) / MW        USD a MW-year, before any capital

at the price of the lowest tier that is sold in that quarter: what one more rack would get.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.buildout import BuildInputs, BuildPlan
from gigawatt.factory.inputs import SECONDS_PER_YEAR

Array = NDArray[np.float64]
DUST = 1e-6  # racks


@dataclass(frozen=True, slots=True)
class Leaving:
    """Racks of a platform that leave in quarters `first` to `last` (indices).

    `earns` and `under` are USD a MW-year when most leave: of the platform that leaves, and of `taker`, the best of those that
    draw more MW then than before, else of those that stand ('' where none does). `short` says that every MW that is built is
    drawn then, so that one platform's MW are another's gain; `aged` that they have reached the end of their life; `dark` that
    no power stands yet.
    """

    platform: str
    first: int
    last: int
    racks: float
    resale_usd: float
    earns: float
    taker: str
    under: float
    short: bool
    aged: bool
    dark: bool = False


def earnings(build: BuildInputs, plan: BuildPlan) -> Array:
    """[P, T] what a MW of each platform earns in each quarter, USD a MW-year; NaN where it has no point."""
    points = build.points
    price = _least_price(build, plan)
    out = np.full((len(build.platforms), len(build.quarters)), np.nan)
    speed = build.speed[points.platform, points.workload]
    money = points.tokens_out_per_s[:, None] * speed * price[points.workload] * SECONDS_PER_YEAR / 1e6
    running = build.energy_usd_per_yr + build.upkeep_usd_per_yr[points.platform][:, None]
    net = (money * build.revenue_share + build.other_usd_per_yr[:, None] - running) / points.mw[:, None]
    for p in range(len(build.platforms)):
        mine = points.platform == p
        if mine.any():
            out[p] = net[mine].max(axis=0)
    return out


def _least_price(build: BuildInputs, plan: BuildPlan) -> Array:
    """[W, T] price of the lowest tier that is sold; of a workload that is not, its highest."""
    out = np.zeros((len(build.workloads), len(build.quarters)))
    for w in range(len(build.workloads)):
        mine = build.segment_workload == w
        if not mine.any():
            continue
        sold, price = plan.sold[mine] > DUST, build.price_usd_per_mtok[mine]
        least = np.where(sold, price, np.inf).min(axis=0)
        out[w] = np.where(np.isfinite(least), least, price.max(axis=0))
    return out


def leavings(build: BuildInputs, plan: BuildPlan) -> list[Leaving]:
    """Every retirement, consecutive quarters of a platform together, in the order of time."""
    earned = earnings(build, plan)
    standing = plan.racks > DUST
    mw = np.zeros(plan.racks.shape)
    np.add.at(mw, build.points.platform, build.points.mw[:, None] * plan.use)
    grows = np.diff(mw, prepend=0.0, axis=1) > DUST
    out = []
    for p, name in enumerate(build.platforms):
        gone = np.flatnonzero(plan.retired[p] > DUST)
        for run in np.split(gone, np.flatnonzero(np.diff(gone) > 1) + 1):
            if not len(run):
                continue
            most = int(run[np.argmax(plan.retired[p, run])])
            others = np.arange(len(mw)) != p
            takers = grows[:, most] & others
            rivals = np.where(takers if takers.any() else standing[:, most] & others, earned[:, most], -np.inf)
            best = int(np.nanargmax(rivals)) if np.any(np.isfinite(rivals)) else -1
            out.append(
                Leaving(
                    name,
                    int(run[0]),
                    int(run[-1]),
                    float(plan.retired[p, run].sum()),
                    float(plan.retired[p, run] @ build.resale_usd[p, run]),
                    float(earned[p, most]),
                    build.platforms[best] if best >= 0 else "",
                    float(rivals[best]) if best >= 0 else float("nan"),
                    bool(mw[:, most].sum() >= plan.site_mw[most] * (1 - 1e-6)),
                    _aged(build, plan, p, int(run[0]), int(run[-1])),
                    bool(build.power_mw[most] <= 0),
                )
            )
    return sorted(out, key=lambda one: (one.first, one.platform))


def _aged(build: BuildInputs, plan: BuildPlan, p: int, first: int, last: int) -> bool:
    """Whether all that left by `last` had reached its life: no more than was bought a life before."""
    life = int(build.life_quarters[p] + build.lead_quarters[p])
    bought = float(plan.bought[p, : max(last - life + 1, 0)].sum()) + float(build.opening_racks[p])
    return float(plan.retired[p, : last + 1].sum()) <= bought + DUST and last >= life
