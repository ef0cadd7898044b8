"""What was not chosen and what it would take: every pair of platform and workload at the plan's own prices.

At the prices of a plan (lambda of power, kappa of capital, pi of tokens, mu of supply) a rack of platform p that
runs its best point of workload w in each phase is worth, per year,

    net(p, w) = sum_f max(0, max_j [w_f margin_j + pi_wf tok_j - lambda_f MW_j])  -  charge_p - kappa capex_p - mu_p

which is never positive at the optimum. It becomes worth buying once its price has fallen by

    cut = -net / (price-linked charge + kappa capex_p)

A dual is not unique at a corner, so a cut from duals is a lower bound; it is confirmed by solving again at that
price and raised by bisection where that was not enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.inputs import PlanInputs
from gigawatt.factory.model import MILLION, T_TOKENS_PER_YR, Model, build
from gigawatt.factory.solver import Answer, Solver

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alternative:
    """A pair that the plan does not use. `worse` is what a year with one MW (or one rack) of it would cost the plan.

    `price_cut` is the share by which the price of the platform must fall before the plan buys any of it (None where it
    buys the platform already, 1 or more where no price would do).
    """

    platform: str
    workload: str
    point: str
    worse_usd_per_mw_yr: float
    worse_usd_per_rack_yr: float
    bought: bool
    price_cut: float | None


def alternatives(model: Model, best: Answer, *, confirm: bool = True) -> tuple[Alternative, ...]:
    """Unused pairs of platform and workload, the nearest to use first; `best` is the linear optimum."""
    inputs = model.inputs
    points = inputs.points
    racks = best.x[model.stock] * model.rack_unit
    use = best.x[model.use]
    worth = _worth(model, best)
    out = []
    for p, name in enumerate(inputs.platforms.names):
        bought = bool(racks[p] > 1e-6)
        rows = []
        for w, workload in enumerate(inputs.workloads):
            j = np.flatnonzero((points.platform == p) & (points.workload == w))
            if not j.size or use[j].sum() > 1e-6:
                continue
            kept = np.maximum(worth[j].max(axis=0), 0).sum()
            # A rack that loses in every phase would stand idle; what is shown is the loss if it ran.
            net = _net(model, best, p, kept if kept > 0 else float(worth[j].sum(axis=1).max()))
            label = int(j[np.argmax(worth[j].sum(axis=1))])
            per_mw = -net / float(points.mw[label]) if points.mw[label] > 0 else float("nan")
            rows.append(Alternative(name, workload, points.label[label], abs(per_mw), abs(net), bought, None))
        if not bought and rows:
            cut = _cut(model, best, p, worth, confirm)
            rows = [replace(row, price_cut=cut) for row in rows]
        out += rows
    return tuple(sorted(out, key=lambda row: (row.worse_usd_per_rack_yr, row.platform, row.workload)))


def _worth(model: Model, best: Answer) -> Array:
    """USD per year of a rack in use at each point and phase, before what the rack itself costs; [points, phases]."""
    points, n_f = model.inputs.points, model.use.shape[1]
    lam = best.row_dual[model.power_row]
    value = model.program.cost[model.use] - np.outer(points.mw, lam)
    made = points.tokens_out_per_s[:, None] * T_TOKENS_PER_YR
    value += made * _token_price(model, best)[points.workload]
    for owed, rows in zip(model.inputs.obligations, model.owed_row, strict=True):
        duty = np.where(rows >= 0, best.row_dual[np.maximum(rows, 0)], 0.0)
        value += np.where(points.workload == owed.workload, 1.0, 0.0)[:, None] * made * -duty.reshape(1, n_f)
    return np.asarray(value * MILLION)


def _token_price(model: Model, best: Answer) -> Array:
    """What one more trillion tokens of each workload sells for, M USD; [workloads, phases].

    The dual of a workload that is not made is any price between what it would fetch and what would make it worth making;
    only the lower end, the best price that a buyer still offers, says how far it is from being chosen.
    """
    out = np.zeros(model.sell_row.shape)
    offered = model.program.cost[model.sold] - best.row_dual[model.buys_row]
    for s, w in enumerate(model.inputs.segments.workload):
        out[w] = np.maximum(out[w], offered[s])
    return out


def _net(model: Model, best: Answer, p: int, worth: float) -> float:
    inputs, limits = model.inputs, {limit.name: limit.row for limit in model.limits}
    kappa = best.row_dual[limits["capital"]]
    mu = best.row_dual[limits[f"supply of {inputs.platforms.names[p]}"]] * MILLION
    cost = inputs.chosen.platform_usd_per_yr[p] + kappa * inputs.platforms.capex_usd[p] + mu
    return float(min(worth - cost, 0.0))


def _cut(model: Model, best: Answer, p: int, worth: Array, confirm: bool) -> float:
    """Share by which the price of platform p must fall before the plan buys it; infinity where no price would do."""
    inputs = model.inputs
    if inputs.platforms.supply_racks[p] <= 0:
        return float("inf")
    j = np.flatnonzero(inputs.points.platform == p)
    net = _net(model, best, p, np.maximum(worth[j].max(axis=0), 0).sum())
    kappa = best.row_dual[next(limit.row for limit in model.limits if limit.kind == "capital")]
    linked = inputs.chosen.price_usd_per_yr[p] + kappa * inputs.platforms.capex_usd[p]
    cut = -net / linked if linked > 0 else float("inf")
    if not confirm or cut > 1:
        return float(cut)
    if _buys(inputs, p, min(cut + 1e-3, 1.0)):
        return float(cut)
    if not _buys(inputs, p, 1.0):
        return float("inf")
    low, high = cut, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if _buys(inputs, p, middle) else (middle, high)
    return float(high)


def _buys(inputs: PlanInputs, p: int, cut: float) -> bool:
    """Whether the plan buys platform p once its price has fallen by the share `cut`."""
    model = build(at_price(inputs, p, 1 - cut))
    answer = Solver(model.program, relax=True).solve()
    return bool(answer.optimal and answer.x[model.stock[p]] > 1e-6)


def at_price(inputs: PlanInputs, platform: int, factor: float) -> PlanInputs:
    """The same question with one platform's price times `factor`, in the capital row and in every charge."""
    capex = inputs.platforms.capex_usd.copy()
    capex[platform] *= factor
    parties = []
    for party in inputs.coefficients:
        charge, linked = party.platform_usd_per_yr.copy(), party.price_usd_per_yr.copy()
        charge[platform] += linked[platform] * (factor - 1)
        linked[platform] *= factor
        parties.append(replace(party, platform_usd_per_yr=charge, price_usd_per_yr=linked))
    return replace(inputs, platforms=replace(inputs.platforms, capex_usd=capex), coefficients=tuple(parties))
