"""Bands of a plan: the same fleet under many draws of what is uncertain, or a new fleet for each draw.

`revalue` holds racks and their use and asks what the plan then earns: the risk of the plan, one expression along the
draw axis. `replan` solves again in place for each draw: the spread of plans. Which of the two a P10 is, must be said.

A draw is a row of factors (on the throughput of each group of points, one latent error a group; on prices, demand and energy)
and of what a party pays beside them in that draw.
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
    """Columns along a leading draw axis; None is 1 everywhere for factors, 0 for what is paid besides.

    Attributes:
        count: how many draws.
        throughput: [draws, groups]. tokens: [draws, workloads], what a rack makes of one workload.
        price: [draws, workloads]. demand: [draws, segments].
        energy: [draws]. load: [draws, workloads], energy that the racks of one workload take.
        platform: [draws, platforms], the price of a rack.
        platform_more_usd_per_yr: [draws, platforms] paid for each rack owned, over the coefficient.
        shell_more_usd_per_mw_yr, fixed_more_usd_per_yr: [draws] paid over the coefficients.
        other_more_usd_per_mw_yr: [draws] earned for each MW in use, over the coefficient.
        weights: [draws, phases] in place of the phases' own.

    Raises:
        ValueError: an array has another number of draws.
    """

    count: int
    throughput: Array | None = None
    price: Array | None = None
    energy: Array | None = None
    platform: Array | None = None
    tokens: Array | None = None
    demand: Array | None = None
    load: Array | None = None
    platform_more_usd_per_yr: Array | None = None
    shell_more_usd_per_mw_yr: Array | None = None
    other_more_usd_per_mw_yr: Array | None = None
    fixed_more_usd_per_yr: Array | None = None
    weights: Array | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__[1:]:
            values = getattr(self, name)
            if values is not None and len(values) != self.count:
                raise ValueError(f"{name} holds {len(values)} draws, not {self.count}")


def draw_throughput(points: Points, normal: Array) -> Array:
    """Throughput factors [draws, groups] from standard normal deviates of the same shape.

    Each group has the 80 % factors (low, high) of its first point: log-normal on either side of the median, so that a tenth of
    the draws lies below `low` and a tenth above `high`. The median is 1 where the range holds it, else the range's middle.
    """
    groups, first = np.unique(points.group, return_index=True)
    low, high = np.zeros(normal.shape[1]), np.zeros(normal.shape[1])
    low[groups], high[groups] = np.log(points.low[first]), np.log(points.high[first])
    middle = np.where((low <= 0) & (high >= 0), 0.0, 0.5 * (low + high))
    sigma = np.where(normal < 0, middle - low, high - middle) / _Z80
    return np.asarray(np.exp(middle + normal * sigma))


@dataclass(frozen=True, slots=True)
class Sales:
    """What a held fleet makes and sells in each draw, its use unchanged.

    Attributes:
        made_tokens_per_s, sold_tokens_per_s: [draws, workloads, phases].
        revenue_usd_per_yr: [draws, segments, phases] at the rate of a year.
        missed: by obligation, [draws] whether it is late in some phase.
    """

    made_tokens_per_s: Array
    sold_tokens_per_s: Array
    revenue_usd_per_yr: Array
    missed: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Revaluation:
    """What a held fleet is worth in each draw, USD per year; shares are of draws."""

    value_usd_per_yr: Array
    revenue_usd_per_yr: Array
    missed: dict[str, float]

    def percentiles(self, levels: tuple[float, ...] = (10, 50, 90)) -> tuple[float, ...]:
        """Of the value; P10, P50, P90 by default."""
        return tuple(float(v) for v in np.percentile(self.value_usd_per_yr, levels))


def revalue(plan: Plan, draws: Draws, party: str | None = None, sold: Sales | None = None) -> Revaluation:
    """The worth of `plan` in each draw with racks and use held; sales fill the price segments from the dearest.

    Args:
        plan: the fleet and its use.
        draws: factors, and what this party pays besides.
        party: name of a coefficient set; None is the plan's own objective.
        sold: of the same plan and draws, where they are known already.
    """
    inputs = plan.inputs
    mine = _party(inputs, party)
    sold = sales(plan, draws) if sold is None else sold
    weights = (
        np.broadcast_to(plan.weights, (draws.count, len(inputs.phases))) if draws.weights is None else draws.weights
    )
    revenue = (sold.revenue_usd_per_yr.sum(axis=1) * weights).sum(axis=1)
    running = mine.other_usd_per_yr @ plan.use - energy_usd_per_yr(plan, draws, mine.energy_usd_per_yr)
    if draws.other_more_usd_per_mw_yr is not None:
        running = running + draws.other_more_usd_per_mw_yr[:, None] * (inputs.points.mw @ plan.use)
    value = revenue * mine.revenue_share + (running * weights).sum(axis=1)
    value = value - float(plan.racks @ mine.platform_usd_per_yr) - plan.site_mw * mine.shell_usd_per_mw_yr
    value = value - mine.fixed_usd_per_yr
    if draws.platform is not None:
        value = value - (draws.platform - 1) @ (plan.racks * mine.price_usd_per_yr)
    if draws.platform_more_usd_per_yr is not None:
        value = value - draws.platform_more_usd_per_yr @ plan.racks
    if draws.shell_more_usd_per_mw_yr is not None:
        value = value - draws.shell_more_usd_per_mw_yr * plan.site_mw
    if draws.fixed_more_usd_per_yr is not None:
        value = value - draws.fixed_more_usd_per_yr
    return Revaluation(value, revenue, {name: float(np.mean(late)) for name, late in sold.missed.items()})


def energy_usd_per_yr(plan: Plan, draws: Draws, each_usd_per_yr: Array) -> Array:
    """[draws, phases] energy of the racks in use at the rate of a year, from what one rack of each point takes."""
    points = plan.inputs.points
    by_work = np.zeros((len(plan.inputs.workloads), plan.use.shape[1]))
    np.add.at(by_work, points.workload, each_usd_per_yr[:, None] * plan.use)
    whole = (
        np.broadcast_to(by_work.sum(axis=0), (draws.count, plan.use.shape[1]))
        if draws.load is None
        else draws.load @ by_work
    )
    return np.asarray(whole if draws.energy is None else whole * draws.energy[:, None])


def _party(inputs: PlanInputs, party: str | None) -> Coefficients:
    if party is None:
        return inputs.chosen
    return next(c for c in inputs.coefficients if c.name == party)


def sales(plan: Plan, draws: Draws) -> Sales:
    """Tokens made with the use held, and what of them is sold: each workload to its dearest segments first."""
    inputs, points = plan.inputs, plan.inputs.points
    n_w, n_f = len(inputs.workloads), len(inputs.phases)
    groups = int(points.group.max(initial=-1)) + 1
    by_group = np.zeros((groups, n_w, n_f))
    np.add.at(by_group, (points.group, points.workload), plan.use * points.tokens_out_per_s[:, None])
    factor = np.ones((draws.count, groups)) if draws.throughput is None else draws.throughput[:, :groups]
    made = (factor @ by_group.reshape(groups, -1)).reshape(draws.count, n_w, n_f)
    if draws.tokens is not None:
        made = made * draws.tokens[:, :, None]
    segments = inputs.segments
    revenue = np.zeros((draws.count, len(segments.names), n_f))
    left, sold = made.copy(), np.zeros(made.shape)
    for s in np.argsort(-segments.usd_per_mtok, kind="stable"):
        w = int(segments.workload[s])
        wanted = (
            segments.tokens_per_s[s]
            if draws.demand is None
            else (segments.tokens_per_s[s] * draws.demand[:, s])[:, None]
        )
        taken = np.minimum(left[:, w], wanted)
        left[:, w] -= taken
        sold[:, w] += taken
        price = segments.usd_per_mtok[s] * T_TOKENS_PER_YR * MILLION
        revenue[:, s] = taken * (price if draws.price is None else price * draws.price[:, w : w + 1])
    missed = {
        owed.name: np.any(made[:, owed.workload, list(owed.phases)] < owed.tokens_per_s * (1 - 1e-9), axis=1)
        for owed in inputs.obligations
    }
    return Sales(made, sold, revenue, missed)


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
    fixed = np.full(draws.count, inputs.chosen.fixed_usd_per_yr)
    if draws.fixed_more_usd_per_yr is not None:
        fixed = fixed + draws.fixed_more_usd_per_yr
    entries = token_entries(model) if draws.throughput is not None or draws.tokens is not None else []
    amounts = _token_amounts(model, draws, entries)
    demand = _demand_rows(model, draws)
    for d in range(draws.count):
        for (row, column, _, _), amount in zip(entries, amounts[d].tolist(), strict=True):
            solver.set_entry(row, column, amount)
        for row, most in demand:
            solver.set_row(row, -np.inf, float(most[d]))
        if costs is not None:
            solver.set_cost(costs[d])
        found = solver.value()
        if np.isfinite(found):
            value[d] = found * MILLION - fixed[d]
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


def _token_amounts(model: Model, draws: Draws, entries: list[tuple[int, int, int, float]]) -> Array:
    """[draws, entries] of the matrix in each draw."""
    points = model.inputs.points
    at = np.array([j for _, _, j, _ in entries], dtype=np.int64)
    out = np.repeat(np.array([[amount for _, _, _, amount in entries]]), draws.count, axis=0)
    if draws.throughput is not None and at.size:
        out *= draws.throughput[:, points.group[at]]
    if draws.tokens is not None and at.size:
        out *= draws.tokens[:, points.workload[at]]
    return out


def _demand_rows(model: Model, draws: Draws) -> list[tuple[int, Array]]:
    """(row, its upper bound in each draw) of the segments whose demand varies."""
    if draws.demand is None:
        return []
    most = model.inputs.segments.tokens_per_s * T_TOKENS_PER_YR
    rows = [(limit.row, limit.subject) for limit in model.limits if limit.kind == "demand"]
    return [(row, most[s] * draws.demand[:, s]) for row, s in rows if np.any(draws.demand[:, s] != 1.0)]


def _costs(model: Model, draws: Draws) -> Array | None:
    """Objective rows [draws, columns], or None where nothing in them varies."""
    more = (draws.platform_more_usd_per_yr, draws.shell_more_usd_per_mw_yr, draws.other_more_usd_per_mw_yr)
    if all(x is None for x in (draws.price, draws.energy, draws.platform, draws.load, draws.weights, *more)):
        return None
    inputs, mine = model.inputs, model.inputs.chosen
    out = np.repeat(model.program.cost[None, :], draws.count, axis=0)
    weight = np.array([phase.weight for phase in inputs.phases])
    if draws.price is not None:
        out[:, model.sold] *= draws.price[:, inputs.segments.workload][:, :, None]
    if draws.energy is not None or draws.load is not None:
        factor = (
            np.ones((draws.count, len(inputs.points))) if draws.load is None else draws.load[:, inputs.points.workload]
        )
        if draws.energy is not None:
            factor = factor * draws.energy[:, None]
        out[:, model.use] -= ((factor - 1) * mine.energy_usd_per_yr)[:, :, None] * weight / MILLION
    if draws.other_more_usd_per_mw_yr is not None:
        each = draws.other_more_usd_per_mw_yr[:, None] * inputs.points.mw
        out[:, model.use] += each[:, :, None] * weight / MILLION
    if draws.weights is not None:
        ratio = draws.weights / weight
        out[:, model.use] *= ratio[:, None, :]
        out[:, model.sold] *= ratio[:, None, :]
    if draws.platform is not None:
        out[:, model.stock] -= (draws.platform - 1) * mine.price_usd_per_yr / MILLION * model.rack_unit
    if draws.platform_more_usd_per_yr is not None:
        out[:, model.stock] -= draws.platform_more_usd_per_yr / MILLION * model.rack_unit
    if draws.shell_more_usd_per_mw_yr is not None:
        out[:, model.site] -= draws.shell_more_usd_per_mw_yr / MILLION
    return out
