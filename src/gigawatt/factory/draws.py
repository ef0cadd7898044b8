"""Bands of a plan: the same fleet under many draws of what is uncertain, or a new fleet for each draw.

`revalue` holds racks and their use and asks what the plan then earns: the risk of the plan, one expression along the
draw axis. `replan` solves again in place for each draw: the spread of plans. Which of the two a P10 is, must be said.

A draw is a row of factors: on the throughput of each group of points (one latent error a group), on the price of each
workload's tokens, on the energy price, on the price of each platform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.fleet import Plan
from gigawatt.factory.inputs import Coefficients, PlanInputs
from gigawatt.factory.model import MILLION, T_TOKENS_PER_YR, Model, build
from gigawatt.factory.points import Points
from gigawatt.factory.solver import Solver

Array = NDArray[np.float64]
_Z80 = 1.2815515655446004  # standard normal deviate of an 80 % two-sided band


@dataclass(frozen=True, slots=True)
class Draws:
    """Factors along a leading draw axis; None is 1 everywhere.

    Attributes:
        count: how many draws.
        throughput: [draws, groups]. price: [draws, workloads]. energy: [draws]. platform: [draws, platforms].

    Raises:
        ValueError: an array has another number of draws.
    """

    count: int
    throughput: Array | None = None
    price: Array | None = None
    energy: Array | None = None
    platform: Array | None = None

    def __post_init__(self) -> None:
        for name in ("throughput", "price", "energy", "platform"):
            values = getattr(self, name)
            if values is not None and len(values) != self.count:
                raise ValueError(f"{name} holds {len(values)} draws, not {self.count}")


def draw_throughput(points: Points, normal: Array) -> Array:
    """Throughput factors [draws, groups] from standard normal deviates of the same shape.

    Each group has the 80 % factors (low, high) of its first point: log-normal on either side of 1, so that a tenth of the
    draws lies below `low` and a tenth above `high`.
    """
    groups, first = np.unique(points.group, return_index=True)
    low, high = np.ones(normal.shape[1]), np.ones(normal.shape[1])
    low[groups], high[groups] = points.low[first], points.high[first]
    sigma = np.where(normal < 0, -np.log(low), np.log(high)) / _Z80
    return np.asarray(np.exp(normal * sigma))


@dataclass(frozen=True, slots=True)
class Revaluation:
    """What a held fleet is worth in each draw, USD per year; shares are of draws."""

    value_usd_per_yr: Array
    revenue_usd_per_yr: Array
    missed: dict[str, float]

    def percentiles(self, levels: tuple[float, ...] = (10, 50, 90)) -> tuple[float, ...]:
        """Of the value; P10, P50, P90 by default."""
        return tuple(float(v) for v in np.percentile(self.value_usd_per_yr, levels))


def revalue(plan: Plan, draws: Draws, party: str | None = None) -> Revaluation:
    """The worth of `plan` in each draw with racks and use held; sales fill the price segments from the dearest.

    Args:
        plan: the fleet and its use.
        draws: factors.
        party: name of a coefficient set; None is the plan's own objective.
    """
    inputs = plan.inputs
    mine = _party(inputs, party)
    revenue, made = _sales(plan, draws)
    use = plan.mean_use
    value = revenue * mine.revenue_share + float(use @ mine.other_usd_per_yr)
    value = value - float(use @ mine.energy_usd_per_yr) * (1.0 if draws.energy is None else draws.energy)
    value = value - float(plan.racks @ mine.platform_usd_per_yr) - plan.site_mw * mine.shell_usd_per_mw_yr
    value = value - mine.fixed_usd_per_yr
    if draws.platform is not None:
        value = value - (draws.platform - 1) @ (plan.racks * mine.price_usd_per_yr)
    missed = {
        owed.name: float(
            np.mean(np.any(made[:, owed.workload, list(owed.phases)] < owed.tokens_per_s * (1 - 1e-9), axis=1))
        )
        for owed in inputs.obligations
    }
    return Revaluation(value, revenue, missed)


def _party(inputs: PlanInputs, party: str | None) -> Coefficients:
    if party is None:
        return inputs.chosen
    return next(c for c in inputs.coefficients if c.name == party)


def _sales(plan: Plan, draws: Draws) -> tuple[Array, Array]:
    """Revenue [draws] and tokens made [draws, workloads, phases]."""
    inputs, points = plan.inputs, plan.inputs.points
    n_w, n_f = len(inputs.workloads), len(inputs.phases)
    groups = int(points.group.max(initial=-1)) + 1
    by_group = np.zeros((groups, n_w, n_f))
    np.add.at(by_group, (points.group, points.workload), plan.use * points.tokens_out_per_s[:, None])
    factor = np.ones((draws.count, groups)) if draws.throughput is None else draws.throughput[:, :groups]
    made = (factor @ by_group.reshape(groups, -1)).reshape(draws.count, n_w, n_f)
    revenue = np.zeros(draws.count)
    left = made.copy()
    segments = inputs.segments
    for s in np.argsort(-segments.usd_per_mtok, kind="stable"):
        w = int(segments.workload[s])
        sold = np.minimum(left[:, w], segments.tokens_per_s[s])
        left[:, w] -= sold
        money = (sold @ plan.weights) * segments.usd_per_mtok[s] * T_TOKENS_PER_YR * MILLION
        revenue += money if draws.price is None else money * draws.price[:, w]
    return revenue, made


@dataclass(frozen=True, slots=True)
class Replans:
    """The best fleet of each draw: value [draws], racks [draws, platforms], power [draws]; nan where nothing fits."""

    value_usd_per_yr: Array
    racks: Array
    site_mw: Array


def replan(inputs: PlanInputs, draws: Draws) -> Replans:
    """Solve again for each draw, in place: only what differs is changed and the basis is kept.

    Whole racks are relaxed here, and prices of platforms move the charge and not the capital row.
    """
    model = build(inputs)
    solver = Solver(model.program, relax=True)
    value, site = np.full(draws.count, np.nan), np.full(draws.count, np.nan)
    racks = np.full((draws.count, len(inputs.platforms.names)), np.nan)
    costs = _costs(model, draws)
    entries = token_entries(model) if draws.throughput is not None else []
    group = inputs.points.group
    for d in range(draws.count):
        for row, column, j, amount in entries:
            assert draws.throughput is not None
            solver.set_entry(row, column, amount * float(draws.throughput[d, group[j]]))
        if costs is not None:
            solver.set_cost(costs[d])
        found = solver.value()
        if np.isfinite(found):
            value[d] = found * MILLION - inputs.chosen.fixed_usd_per_yr
            x = solver.columns()
            racks[d] = x[model.stock] * model.rack_unit
            site[d] = x[model.site]
    return Replans(value, racks, site)


def token_entries(model: Model) -> list[tuple[int, int, int, float]]:
    """Where throughput stands in the matrix: (row, column, point, entry) of rows that sell and rows that owe."""
    token_row = np.zeros(model.program.row_low.size, dtype=np.bool_)
    token_row[model.sell_row.ravel()] = True
    token_row[model.owed_row[model.owed_row >= 0]] = True
    point = np.full(model.program.cost.size, -1, dtype=np.int64)
    point[model.use] = np.arange(model.use.shape[0])[:, None]
    pick = np.flatnonzero(token_row[model.program.rows] & (point[model.program.columns] >= 0))
    rows, columns, values = model.program.rows, model.program.columns, model.program.values
    return [(int(rows[i]), int(columns[i]), int(point[columns[i]]), float(values[i])) for i in pick]


def _costs(model: Model, draws: Draws) -> Array | None:
    """Objective rows [draws, columns], or None where prices do not vary."""
    if draws.price is None and draws.energy is None and draws.platform is None:
        return None
    inputs, mine = model.inputs, model.inputs.chosen
    out = np.repeat(model.program.cost[None, :], draws.count, axis=0)
    if draws.price is not None:
        out[:, model.sold] *= draws.price[:, inputs.segments.workload][:, :, None]
    if draws.energy is not None:
        weight = np.array([phase.weight for phase in inputs.phases])
        energy = np.outer(mine.energy_usd_per_yr, weight) / MILLION
        out[:, model.use] -= energy[None] * (draws.energy - 1)[:, None, None]
    if draws.platform is not None:
        out[:, model.stock] -= (draws.platform - 1) * mine.price_usd_per_yr / MILLION * model.rack_unit
    return out
