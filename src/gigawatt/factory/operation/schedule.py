"""`operate`: the best hours of a site, and what a MW more in each of them is worth. A pure function.

Steps: the programme with every block running all the time, beside its relaxation; where these differ, each block may
pause once a day for a span of whole hours, and the best span is taken; with the hours of the blocks held, a linear
programme gives the prices; a last solve takes, of all schedules of this value, the one with the fewest hand-overs and
racks in use. What was given up for whole hours and one pause is at most the distance to the relaxation, which is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gigawatt.factory.operation.conflict import infeasible
from gigawatt.factory.operation.inputs import Array, Indices, OperateInputs
from gigawatt.factory.operation.model import HOUR_S, THOUSAND, Model, block_limit, build, held_on
from gigawatt.factory.solver import Answer, LinearProgram, Solver

SAME = 1e-10  # of the value, which the last solve may not give up
GAP = 1e-4  # of the value: no better hours for the blocks are looked for within it
DUST = 1e-7
STEP_MW = 1e-3  # by which a cap is moved to price it
MOST_PRICED = 48  # hours up to which all is solved at once, and the worth of a MW is taken from both sides
DAY = 24
CENT = 0.01  # USD below which nothing counts as short


@dataclass(frozen=True, slots=True)
class Operation:
    """What the site does. Hours last; USD are of the whole period.

    Attributes:
        busy: [J, H] racks at full load. held: [G, H] racks set up for a work. gain: [G, H] of them taken over in the hour.
        sold_tokens_per_s: [S, H] (of a run: its share of what it makes in the hour). off: [P, H] racks switched off.
        gen_mw: [K, H]; charge_mw, discharge_mw, level_mwh: [B, H].
        meter_mw: [H] mean draw at the meter; peak_mw: [H] what is provided for; it_mw: [H] mean IT.
        worth_usd_per_mwh: [H] of one MW more at the meter for the hour; last_usd_per_mwh: of the last one.
        rack_usd_per_h: [P, H] worth of a rack more. hall_usd_per_mwh: [H] of a MW of IT more in the building.
        value_usd: revenue less energy. bound_usd: what no schedule can exceed.
        on: [blocks, H] 1 where a block runs.
    """

    inputs: OperateInputs
    busy: Array
    held: Array
    gain: Array
    sold_tokens_per_s: Array
    off: Array
    gen_mw: Array
    charge_mw: Array
    discharge_mw: Array
    level_mwh: Array
    meter_mw: Array
    peak_mw: Array
    it_mw: Array
    worth_usd_per_mwh: Array
    last_usd_per_mwh: Array
    rack_usd_per_h: Array
    hall_usd_per_mwh: Array
    value_usd: float
    bound_usd: float
    on: Array

    def by_work(self, values: Array) -> Array:
        """[W, H] sums over ways of [J] values times racks at full load."""
        out = np.zeros((len(self.inputs.works.names), self.inputs.hours))
        np.add.at(out, self.inputs.lanes.work[self.inputs.ways.lane], values[:, None] * self.busy)
        return out

    @property
    def tokens_out_per_s(self) -> Array:
        """[W, H] made."""
        return self.by_work(self.inputs.ways.tokens_out_per_s)

    @property
    def tokens_in_per_s(self) -> Array:
        """[W, H] read."""
        return self.by_work(self.inputs.ways.tokens_in_per_s)

    @property
    def held_racks(self) -> Array:
        """[W, H] racks set up for each work."""
        out = np.zeros((len(self.inputs.works.names), self.inputs.hours))
        np.add.at(out, self.inputs.lanes.work, self.held)
        return out

    @property
    def work_it_mw(self) -> Array:
        """[W, H] mean IT MW of the racks set up for each work, those that wait included."""
        lanes, ways = self.inputs.lanes, self.inputs.ways
        out = self.by_work(ways.mean_it_mw - lanes.ready_it_mw[ways.lane])
        np.add.at(out, lanes.work, lanes.ready_it_mw[:, None] * self.held)
        return out

    @property
    def binds(self) -> list[str]:
        """What is short in each hour, by its worth: power, building, racks of a platform; '' where nothing is."""
        found: list[list[str]] = [[] for _ in range(self.inputs.hours)]
        named = [("power", self.worth_usd_per_mwh), ("building", self.hall_usd_per_mwh)]
        named += [(f"racks of {name}", self.rack_usd_per_h[p]) for p, name in enumerate(self.inputs.platforms)]
        for name, worth in named:
            for hour in np.flatnonzero(worth > CENT):
                found[hour].append(name)
        return [", ".join(names) for names in found]

    @property
    def energy_usd(self) -> Array:
        """[H]."""
        return np.asarray((self.gen_mw * self.inputs.sources.usd_per_mwh).sum(axis=0))

    @property
    def revenue_usd(self) -> Array:
        """[S, H]."""
        price = self.inputs.segments.usd_per_mtok[:, None] / 1e6
        return np.asarray(self.sold_tokens_per_s * HOUR_S * price)


def operate(inputs: OperateInputs, *, prices: bool = True, on: Array | None = None) -> Operation:
    """The schedule of highest revenue less energy.

    Args:
        inputs: see `OperateInputs`.
        prices: work out what a MW more is worth from both sides (else the solver's dual stands for both).
        on: [blocks, H] hours in which blocks run, as found before; taken where they fit, and no others looked for.

    Raises:
        Infeasible: what must run does not fit; names an irreducible set of what conflicts and the smallest changes that fit.
    """
    model = build(inputs)
    program, bound = _with_blocks(model, on)
    solver = Solver(program, relax=True)
    best = solver.solve()
    assert best.optimal
    up = down = _dual(model, best)
    if prices and inputs.hours <= MOST_PRICED:
        up, down = _priced(model, program, best, solver)
    return _read(model, _settled(model, program, best), best, (up, down), bound * THOUSAND)


def _with_blocks(model: Model, known: Array | None) -> tuple[LinearProgram, float]:
    """The programme with the best hours of its blocks, and what no schedule can exceed (thousand USD)."""
    always = np.ones(model.at.on.shape)
    relaxed = Solver(model.program, relax=True).solve()
    if not relaxed.optimal:
        raise infeasible(model)
    if not model.block_lanes.size:
        return model.program, relaxed.value
    if known is not None and Solver(held_on(model, known), relax=True).solve().optimal:
        return held_on(model, known), relaxed.value
    steady = Solver(held_on(model, always), relax=True).solve()
    if steady.optimal and steady.value >= relaxed.value - GAP * max(1.0, abs(relaxed.value)):
        return held_on(model, always), relaxed.value
    on = _by_day(model) if model.inputs.hours > MOST_PRICED else _hours_on(model)
    if on is None:
        raise infeasible(model)
    if not Solver(held_on(model, on), relax=True).solve().optimal:  # days that fit alone and not together
        if not steady.optimal:
            raise infeasible(model)
        on = always
    return held_on(model, on), relaxed.value


def _by_day(model: Model) -> Array | None:
    """[blocks, H] hours in which each block runs, each day for itself: paces are checked daily, hand-overs at midnight few."""
    days = [model.inputs.between(first, first + DAY) for first in range(0, model.inputs.hours, DAY)]
    found = [_hours_on(build(day)) for day in days]
    return None if any(on is None for on in found) else np.concatenate([on for on in found if on is not None], axis=1)


def _hours_on(model: Model) -> Array | None:
    """[blocks, H] the hours in which each block runs: all but one pause, the best there is; None where nothing fits.

    Every pause of whole hours is tried, block after block, by warm solves. Where no single pause fits, branch and bound
    takes any hours.
    """
    n, h = model.at.on.shape
    on = np.ones((n, h))
    solver = Solver(held_on(model, on), relax=True)
    best = solver.value()
    for _ in range(1 if n == 1 else 2):
        for block in range(n):
            here = on[block].copy()
            for off in _pauses(h, h - _needed_hours(model, int(model.block_lanes[block]))):
                on[block] = 1.0 - off
                program = held_on(model, on)
                solver.set_bounds(program.col_low, program.col_high)
                found = solver.value()
                if found > best + SAME * max(1.0, abs(found)):
                    best, here = found, on[block].copy()
            on[block] = here
    if np.isfinite(best):
        return on
    whole = Solver(model.program, gap=GAP).solve()
    return np.round(whole.x[model.at.on]) if whole.optimal else None


def _pauses(hours: int, longest: int) -> Array:
    """[pauses, hours] spans of 1 to `longest` whole hours, round the clock; none first."""
    start, length = (x.ravel() for x in np.meshgrid(np.arange(hours), np.arange(1, longest + 1), indexing="ij"))
    since = (np.arange(hours)[None, :] - start[:, None]) % hours
    return np.concatenate([np.zeros((1, hours)), (since < length[:, None]).astype(float)])


def _needed_hours(model: Model, lane: int) -> int:
    """Fewest hours in which a block of the most racks, at its fastest, makes what its work owes in all of them."""
    inputs = model.inputs
    work = int(inputs.lanes.work[lane])
    alone = int((inputs.lanes.work == work).sum()) == 1
    fastest = float(inputs.ways.tokens_out_per_s[inputs.ways.lane == lane].max(initial=0.0)) * block_limit(inputs, lane)
    if not alone or fastest <= 0:
        return 0
    return min(int(np.ceil(inputs.works.owed_tokens_per_s[work] * inputs.hours / fastest - 1e-9)), inputs.hours)


def _dual(model: Model, best: Answer) -> Array:
    """[H] USD of a MW more of the first source in each hour: the price of the row of power, and that of its own bound."""
    bought = -model.program.cost[model.at.gen[0]] + best.row_dual[model.energy_row]
    return np.asarray(np.maximum(best.row_dual[model.power_row], 0.0) + np.maximum(-bought, 0.0)) * THOUSAND


def _priced(model: Model, program: LinearProgram, best: Answer, solver: Solver) -> tuple[Array, Array]:
    """[H] worth of one MW more of power in each hour, and of the last one.

    The row of power and the first source's own bound (the grid's connection) move together.
    """
    at, n = model.at, model.inputs.hours
    up, down = np.zeros(n), np.zeros(n)
    cap = program.row_high[model.power_row]
    low, high = program.col_low.copy(), program.col_high.copy()
    for h in range(n):
        row = int(model.power_row[h])
        for side, out in ((1.0, up), (-1.0, down)):
            step = side * STEP_MW
            moved = high.copy()
            moved[at.gen[0, h]] = max(high[at.gen[0, h]] + step, 0.0)
            solver.set_row(row, -np.inf, float(cap[h]) + step)
            solver.set_bounds(low, moved)
            there = solver.value()
            worth = (there - best.value) / step if np.isfinite(there) else np.inf
            out[h] = 0.0 if abs(worth) * STEP_MW < 1e-9 * max(1.0, abs(best.value)) else worth * THOUSAND
        solver.set_row(row, -np.inf, float(cap[h]))
    solver.set_bounds(low, high)
    return up, down


def _settled(model: Model, program: LinearProgram, best: Answer) -> Array:
    """Of all schedules of this value the one with the fewest hand-overs, then the fewest racks set up, then by row number."""
    at = model.at
    slack = SAME * max(1.0, abs(best.value))
    fixed = program.with_row(program.cost, best.value - slack, np.inf, "value")
    cost = np.zeros(program.cost.size)
    cost[at.gain] = -1.0
    cost[at.held] = -1e-2
    ways = max(len(model.inputs.ways), 1)
    cost[at.busy] = -1e-4 * (1.0 + np.arange(len(model.inputs.ways))[:, None] / ways)
    cost[at.charge] = -1e-4
    answer = Solver(replace(fixed, cost=cost), relax=True).solve()
    return answer.x if answer.optimal else best.x


def _read(model: Model, x: Array, best: Answer, worth: tuple[Array, Array], bound: float) -> Operation:
    at, inputs = model.at, model.inputs

    def columns(index: Indices) -> Array:
        found = np.where(index >= 0, x[np.maximum(index, 0)], 0.0) if index.size else np.zeros(index.shape)
        return np.where(np.abs(found) < DUST, 0.0, found)

    busy, held, off = columns(at.busy), columns(at.held), columns(at.off)
    unit = model.unit_tokens[inputs.segments.work][:, None] / HOUR_S
    sold = columns(at.sold) * unit
    runs = np.flatnonzero(at.part >= 0)
    if runs.size:
        sold[runs] = _spread(model, busy, columns(at.part)[runs] * unit[runs, 0], runs)
    peak, mean = it_mw(inputs, busy, held, off)
    gen, charge, discharge = columns(at.gen), columns(at.charge), columns(at.discharge)
    return Operation(
        inputs, busy, held, columns(at.gain), sold, off, gen, charge, discharge, columns(at.level),
        inputs.fixed_mw + inputs.per_it * mean, inputs.fixed_mw + inputs.per_it * peak, mean,
        *worth, _worth_of(model, best, "racks", len(inputs.platforms)), _worth_of(model, best, "hall", 1)[0],
        best.value * THOUSAND, max(bound, best.value * THOUSAND), np.round(columns(at.on)),
    )  # fmt: skip


def _worth_of(model: Model, best: Answer, kind: str, subjects: int) -> Array:
    """[subjects, H] USD that one more of what the rows of a kind limit is worth."""
    out = np.zeros((subjects, model.inputs.hours))
    for row, (owner, subject, hour) in enumerate(model.rows):
        if owner == kind:
            out[subject, hour] = max(float(best.row_dual[row]), 0.0) * THOUSAND
    return out


def _spread(model: Model, busy: Array, sold: Array, runs: Indices) -> Array:
    """[runs, H] what runs sell over all hours, laid over the hours in which they make it."""
    inputs = model.inputs
    made = np.zeros((len(inputs.works.names), inputs.hours))
    np.add.at(made, inputs.lanes.work[inputs.ways.lane], inputs.ways.tokens_out_per_s[:, None] * busy)
    mine = made[inputs.segments.work[runs]]
    total = mine.sum(axis=1, keepdims=True)
    return np.asarray(sold[:, None] * np.divide(mine, total, out=np.zeros_like(mine), where=total > 0))


def it_mw(inputs: OperateInputs, busy: Array, held: Array, off: Array) -> tuple[Array, Array]:
    """[H] IT MW that are provided for, and that are drawn on average."""
    lanes, ways = inputs.lanes, inputs.ways
    base = inputs.idle_it_mw @ (inputs.up_racks - off)
    base = base + (lanes.ready_it_mw - inputs.idle_it_mw[lanes.platform]) @ held
    ready = lanes.ready_it_mw[ways.lane]
    return base + (ways.peak_it_mw - ready) @ busy, base + (ways.mean_it_mw - ready) @ busy
