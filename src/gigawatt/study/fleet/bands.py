"""Bands of a build-out: purchases, retirements and use held, and revalued in every draw by one pass over columns.

Drawn are the latent error of each calibration, with how far software comes along its curve, and what the scenario varies
(`study.bands`). Tokens made move with them; sales fill the price tiers from the dearest in each quarter. A band so held is
the risk of this plan, not the spread of plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.buildout import BuildPlan
from gigawatt.factory.inputs import SECONDS_PER_YEAR
from gigawatt.study.bands import make_draws
from gigawatt.study.fleet.flows import QUARTER_YR, Flows
from gigawatt.study.fleet.inputs import FleetInputs

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FleetBands:
    """[draws] columns; `missed` is the share of draws in which an owed run comes too late."""

    npv_usd: Array
    revenue_usd: Array
    energy_usd: Array
    tokens_out: Array
    capital_usd: Array
    missed: Mapping[str, float]

    @property
    def count(self) -> int:
        """How many draws."""
        return len(self.npv_usd)


def draw_bands(inputs: FleetInputs, plan: BuildPlan, flows: Flows) -> FleetBands:
    """Every draw of a plan."""
    build = inputs.build
    draws = make_draws(inputs.resolved, inputs.priced)
    made = _made(inputs, plan, draws.throughput, draws.count)
    sales, sold = _sales(inputs, made, draws.price)
    energy = np.ones(draws.count) if draws.energy is None else draws.energy
    platform = np.ones((draws.count, len(build.platforms))) if draws.platform is None else draws.platform
    more = platform - 1
    by_platform = build.opening_discount @ (plan.bought * build.cost_usd - plan.retired * build.resale_usd).T
    owned = build.opening_racks + plan.bought.sum(axis=1) - plan.retired.sum(axis=1)
    by_platform = by_platform - build.discount[-1] * owned * build.terminal_usd
    # Upkeep is a share of what racks cost, and moves with it.
    by_platform = by_platform + build.upkeep_usd_per_yr * (plan.racks @ build.discount) * QUARTER_YR
    npv = (
        flows.npv_usd
        + (sales - flows.sales_usd) @ build.discount
        - (energy - 1) * float(flows.energy_usd @ build.discount)
        - more @ by_platform
    )
    missed = {}
    for o, name in enumerate(build.obligations):
        late = made[:, int(build.obligation_workload[o])] < build.owed_tokens_per_s[o] * (1 - 1e-9)
        missed[name] = float(np.mean(late.any(axis=1)))
    racks = plan.bought * build.list_usd
    served = [s for s, w in enumerate(build.segment_workload) if inputs.resolved.works[int(w)].is_serving]
    tokens = sold[:, served].sum(axis=(1, 2)) * SECONDS_PER_YEAR * QUARTER_YR
    capital = float(flows.capital_usd.sum()) + more @ racks.sum(axis=1)
    return FleetBands(
        npv, sales.sum(axis=1) + flows.rent_usd.sum(), energy * flows.energy_usd.sum(), tokens, capital, missed
    )


def _made(inputs: FleetInputs, plan: BuildPlan, throughput: Array | None, count: int) -> Array:
    """[D, W, T] tokens per second that the held use makes."""
    build, points = inputs.build, inputs.build.points
    out = np.zeros((count, len(build.workloads), len(build.quarters)))
    pairs = sorted(
        {(int(p), int(w), int(g)) for p, w, g in zip(points.platform, points.workload, points.group, strict=True)}
    )
    for p, w, g in pairs:
        mine = (points.platform == p) & (points.workload == w) & (points.group == g)
        base = points.tokens_out_per_s[mine] @ plan.use[mine]
        if not base.any():
            continue
        rate = base * build.speed[p, w]
        out[:, w] += rate if throughput is None else throughput[:, g : g + 1] * rate
    return out


def _sales(inputs: FleetInputs, made: Array, price: Array | None) -> tuple[Array, Array]:
    """[D, T] revenue that counts, and [D, S, T] tokens per second sold: each quarter from the dearest tier of a workload."""
    build = inputs.build
    left = made.copy()
    revenue = np.zeros((made.shape[0], made.shape[2]))
    sold = np.zeros((made.shape[0], len(build.segments), made.shape[2]))
    scale = SECONDS_PER_YEAR * QUARTER_YR / 1e6 * build.revenue_share
    for s in np.argsort(-build.price_usd_per_mtok[:, 0], kind="stable"):
        w = int(build.segment_workload[s])
        sold[:, s] = np.minimum(left[:, w], build.demand_tokens_per_s[s])
        left[:, w] -= sold[:, s]
        money = sold[:, s] * build.price_usd_per_mtok[s] * scale
        revenue += money if price is None else money * price[:, w : w + 1]
    return revenue, sold
