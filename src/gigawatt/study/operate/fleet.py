"""The fleet of a scenario's plan as it stands in one phase, as columns for the hours: racks, lanes, ways, demand, paces.

Where it comes from: the one-period plan of `run`, in the first phase in which all work stands, with all its racks there.
What the plan set aside for racks is what the building was built for; racks draw what they draw.

A serving rack is sized for the peak of its demand, so at full load it makes its mean tokens times peak-to-mean; a run's rates
hold its own failures and spares already, those of services do not. What a rack loses when it is handed over:

    service      start of processes + weights of a replica / (its chips x disks of the node)
    run          start of processes of the whole job + state / (its chips x remote store)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.factory.operation import Lanes, OperateInputs, Segments, Ways, Works
from gigawatt.physics.chip import box_watts
from gigawatt.physics.chip.kernel_power import floor_w
from gigawatt.physics.reliability import Fleet, serving_fleet, state_bytes, transfer_s
from gigawatt.physics.reliability.failures import parameter, share_of
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.counts import parameters
from gigawatt.study.answer import Answer
from gigawatt.study.jobs.owed import Run
from gigawatt.study.jobs.specs import DataRun, Evaluation, Finetune, PostTraining
from gigawatt.study.operate.conditions import DAY_H, GRID, Conditions, conditions
from gigawatt.study.points import Point
from gigawatt.study.workloads import Serving, Training

Array = NDArray[np.float64]
WIDE = 2.0  # bytes of a weight where a point names no precision


@dataclass(frozen=True, slots=True)
class Setting:
    """What the hours are worked out from: the inputs, their surroundings, and where they came from.

    Attributes:
        phase: row of the plan's phases. works: row of the scenario's works for each work of the inputs.
        way_point, segment: rows of the plan's points and segments.
        demand_tokens_per_s: [W, H] of services at their first price and all further ones. planned: [W, H] of it what the
            plan meant to serve, and the pace of runs.
        down: [P] share of an owned rack's time that failures take from services.
        given_up_mw: [H] of the connection, by curtailment. paid_usd: [H] for it.
    """

    answer: Answer
    inputs: OperateInputs
    around: Conditions
    phase: int
    works: tuple[int, ...]
    way_point: tuple[int, ...]
    segment: tuple[int, ...]
    platforms: tuple[int, ...]
    demand_tokens_per_s: Array
    planned: Array
    given_up_mw: Array
    paid_usd: Array


def overlap(start: float, hours: float, length: int) -> Array:
    """[length] share of each hour that lies in a span.

    >>> overlap(1.5, 1.0, 4).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    hour = np.arange(length)
    return np.asarray(np.clip(np.minimum(hour + 1, start + hours) - np.maximum(hour, start), 0.0, 1.0))


def setting(answer: Answer, load: ArrayLike = 1.0) -> Setting:
    """Columns of the hours from a plan; `load` [H] is how full the building is, by which its losses go."""
    resolved, priced, plan = answer.resolved, answer.priced, answer.plan
    asked = resolved.scenario.operate
    phase = int(np.argmax([len(p.owed) for p in answer.line.phases]))
    around = conditions(resolved, priced, plan.site_mw, load)
    length = around.hours
    platforms = tuple(int(p) for p in np.flatnonzero(plan.racks > 0))
    lanes = _pairs(answer, phase, platforms)
    works = tuple(sorted({w for _, w in lanes}))
    held, down = np.zeros(length), np.zeros((len(platforms), length))
    paid = np.zeros(length)
    for curtailment in asked.curtailments:
        share = curtailment.share * overlap(curtailment.start, curtailment.hours, length)
        held = np.maximum(held, share)
        paid += share * resolved.scenario.site.grid_power / 1e6 * (curtailment.payment or 0.0) * 3.6e9
    for outage in asked.outages:
        for row, p in enumerate(platforms):
            if resolved.offers[p].offer.id == outage.offer:
                out = outage.share * overlap(outage.start, outage.hours, length)
                down[row] = np.maximum(down[row], out)
    there = np.array([name == GRID for name in around.sources.names])[:, None] * held
    given_up = (around.sources.available_mw * there).sum(axis=0)
    sources = replace(around.sources, available_mw=around.sources.available_mw * (1.0 - there))
    ways, way_point = _ways(answer, lanes)
    segments, segment, demand = _segments(answer, works, length)
    busiest = int(np.argmax(priced.inputs.points.mw @ plan.use))
    inputs = OperateInputs(
        platforms=tuple(priced.inputs.platforms.names[p] for p in platforms),
        up_racks=plan.racks[list(platforms)][:, None] * (1.0 - down),
        idle_it_mw=np.array([_waiting_mw(answer, p, ready=False) for p in platforms]),
        works=_works(answer, works, phase, length),
        lanes=_lanes(answer, lanes, platforms, works, phase),
        ways=ways,
        segments=segments,
        sources=sources,
        per_it=around.per_it,
        fixed_mw=around.fixed_mw,
        may_stop=(held > 0) | around.called | (sources.available_mw.sum(axis=0) < 0.999 * plan.site_mw),
        stores=around.stores,
        hall_it_mw=float((priced.it_w * priced.reserved.factor) @ plan.use[:, busiest]) / 1e6,
    )
    planned = _planned(answer, works, phase, length)
    return Setting(
        answer, inputs, around, phase, works, way_point, segment, platforms, demand, planned, given_up, paid
    )  # fmt: skip


def _pairs(answer: Answer, phase: int, platforms: tuple[int, ...]) -> list[tuple[int, int]]:
    """(platform, work) that may run: any for services, those of the plan for runs; in the order of the works."""
    points, use = answer.priced.inputs.points, answer.plan.use[:, phase]
    found: dict[tuple[int, int], None] = {}
    for j in range(len(points)):
        pair = int(points.platform[j]), int(points.workload[j])
        if pair[0] in platforms and (answer.resolved.works[pair[1]].is_serving or use[j] > 0):
            found[pair] = None
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def _works(answer: Answer, works: tuple[int, ...], phase: int, length: int) -> Works:
    kind, owed, check = [], [], []
    for w in works:
        spec = answer.resolved.works[w].spec
        if isinstance(spec, Serving):
            kind.append("service")
        elif isinstance(spec, Training):
            kind.append("block")
        else:
            kind.append("elastic" if isinstance(spec, PostTraining) else "waiting")
        owed.append(
            sum(o.tokens_per_s for o in answer.priced.inputs.obligations if o.workload == w and phase in o.phases)
        )
        check.append(length if kind[-1] == "waiting" else min(DAY_H, length))
    names = tuple(answer.resolved.works[w].id for w in works)
    return Works(names, tuple(kind), np.array(owed, dtype=float), np.array(check, dtype=np.int64))


def _lanes(
    answer: Answer, pairs: list[tuple[int, int]], platforms: tuple[int, ...], works: tuple[int, ...], phase: int
) -> Lanes:
    points, use = answer.priced.inputs.points, answer.plan.use[:, phase]
    ready, start, most, up = [], [], [], []
    for p, w in pairs:
        mine = np.flatnonzero((points.platform == p) & (points.workload == w))
        main = answer.priced.performance.points[answer.priced.points_of[int(mine[np.argmax(use[mine])])]]
        lowest = float((answer.priced.it_w[mine] * _load(answer, mine)).min()) / 1e6
        ready.append(min(_waiting_mw(answer, p, ready=True), lowest))
        start.append(_start_hours(answer, p, w, main))
        most.append(_most_racks(answer, p, w, float(use[mine].sum())))
        up.append(_up_share(answer, p, w, main))
    return Lanes(
        np.array([platforms.index(p) for p, _ in pairs], dtype=np.int64),
        np.array([works.index(w) for _, w in pairs], dtype=np.int64),
        np.array(ready),
        np.array(start),
        np.array(most),
        np.array(up),
    )


def _load(answer: Answer, rows: NDArray[np.int64]) -> Array:
    """Mean draw over busy draw: of runs their own (the plan has it over what is set aside); a service at full load is busy."""
    priced = answer.priced
    serving = np.array([answer.resolved.works[w].is_serving for w in priced.inputs.points.workload[rows]])
    return np.where(serving, 1.0, priced.mean_load[rows] * priced.reserved.factor[rows])


def _ways(answer: Answer, pairs: list[tuple[int, int]]) -> tuple[Ways, tuple[int, ...]]:
    points = answer.priced.inputs.points
    lane = [
        (pairs.index(pair), j)
        for j in range(len(points))
        if (pair := (int(points.platform[j]), int(points.workload[j]))) in pairs
    ]
    lane.sort()
    rows = np.array([j for _, j in lane], dtype=np.int64)
    # The plan's rates are means: over the day's wave, and over the hours that the grid's calls leave.
    peak = np.array([_peak_to_mean(answer, int(w)) for w in points.workload[rows]]) / answer.priced.plant.served_share
    it = answer.priced.it_w[rows] / 1e6
    ways = Ways(
        np.array([g for g, _ in lane], dtype=np.int64),
        tuple(points.label[j] for j in rows),
        it,
        it * _load(answer, rows),
        points.tokens_in_per_s[rows] * peak,
        points.tokens_out_per_s[rows] * peak,
    )
    return ways, tuple(int(j) for j in rows)


def _peak_to_mean(answer: Answer, work: int) -> float:
    spec = answer.resolved.works[work].spec
    return spec.demand.peak_to_mean if isinstance(spec, Serving) else 1.0


def shape(answer: Answer, work: int, length: int) -> Array:
    """[length] demand of a work over its mean.

    A wave 1 + (m - 1) cos(2 pi (h - peak hour) / 24) for a peak-to-mean m up to 2; above, exp(k cos) with the same peak, which
    stays positive (the density of von Mises: peak over mean is e^k / I0(k)).
    """
    asked = answer.resolved.scenario.operate
    if not answer.resolved.works[work].is_serving:
        return np.ones(length)
    if asked.shape is not None:
        given = np.asarray(asked.shape, dtype=float)
        return np.resize(given / given.mean(), length)
    ratio = _peak_to_mean(answer, work)
    turn = np.cos(2 * np.pi * (np.arange(length) + 0.5 - asked.peak_hour) / DAY_H)
    if ratio <= 2.0:
        return np.asarray(1.0 + (ratio - 1.0) * turn)
    from scipy.optimize import brentq
    from scipy.special import i0e

    k = float(brentq(lambda x: 1.0 / i0e(x) - ratio, 1e-6, 4.0 * ratio**2))
    wave = np.exp(k * (turn - 1.0))
    return np.asarray(wave / wave[:DAY_H].mean())


def _segments(answer: Answer, works: tuple[int, ...], length: int) -> tuple[Segments, tuple[int, ...], Array]:
    """Who buys, by the hour; and [W, length] what is asked of services in all."""
    known = answer.priced.inputs.segments
    kept = [s for s in range(len(known.names)) if int(known.workload[s]) in works and known.usd_per_mtok[s] > 0]
    rate = [known.tokens_per_s[s] * shape(answer, int(known.workload[s]), length) for s in kept]
    rates = np.array(rate).reshape(len(kept), length)
    index = np.array([works.index(int(known.workload[s])) for s in kept], dtype=np.int64)
    demand = np.zeros((len(works), length))
    np.add.at(demand, index, rates)
    made = Segments(tuple(known.names[s] for s in kept), index, known.usd_per_mtok[kept], rates)
    return made, tuple(kept), demand


def _planned(answer: Answer, works: tuple[int, ...], phase: int, length: int) -> Array:
    """[W, length] tokens per second that the plan sells or owes in its phase, over the day's wave."""
    known, plan = answer.priced.inputs.segments, answer.plan
    out = np.zeros((len(works), length))
    for row, w in enumerate(works):
        sold = float(plan.sold_tokens_per_s[known.workload == w, phase].sum())
        if not answer.resolved.works[w].is_serving:
            sold = float(plan.made_tokens_per_s()[w, phase])
        out[row] = sold * shape(answer, w, length)
    return out


def _waiting_mw(answer: Answer, p: int, *, ready: bool) -> float:
    """IT MW of a rack without work, or set up for a work with its clocks up."""
    box = answer.priced.performance.boxes[p]
    chip_w = floor_w(box.chip) if ready else box.chip.idle_w
    outside = box.chips * answer.resolved.offers[p].network.power.value
    return (float(box_watts(box, chip_w, 0.0).total_w) + outside) / 1e6


def _most_racks(answer: Answer, p: int, w: int, used: float) -> float:
    """Racks that a work can use: a run no more than its job has, data and services any number."""
    spec = answer.resolved.works[w].spec
    if not isinstance(spec, Run) or isinstance(spec, DataRun):
        return float("inf")
    held = answer.priced.performance.held_chips.get((p, w), 0.0) / answer.priced.performance.boxes[p].chips
    return max(held, used)


def _start_hours(answer: Answer, p: int, w: int, point: Point) -> float:
    """Hours of a rack that is handed over until it works."""
    work, box = answer.resolved.works[w], answer.priced.performance.boxes[p]
    count = float(parameters(from_config(work.model.id, work.model.config)))
    chips = point.chips if np.isfinite(point.chips) and point.chips > 0 else float(box.chips)
    begin = parameter("init_s") + parameter("init_s_per_chip") * chips
    if isinstance(work.spec, Training | PostTraining | Finetune):
        recipe = work.spec.reliability.state
        return (begin + float(transfer_s(state_bytes(count, recipe), chips, "remote"))) / 3600.0
    return (begin + float(transfer_s(count * weight_bytes(point.precision), chips, "disk"))) / 3600.0


def weight_bytes(precision: str) -> float:
    """Bytes of a weight; two where no precision is named.

    >>> weight_bytes("fp8"), weight_bytes("nvfp4"), weight_bytes("")
    (1.0, 0.5, 2.0)
    """
    found = re.search(r"(\d+)$", precision)
    return int(found[1]) / 8.0 if found else WIDE


def _up_share(answer: Answer, p: int, w: int, point: Point) -> float:
    """Share of a rack's time that failures leave a service, or a run whose rate does not hold them.

    A replica is down for a restart where software failed or hung, and for the repair of its node otherwise.
    """
    spec, box = answer.resolved.works[w].spec, answer.priced.performance.boxes[p]
    if not isinstance(spec, Serving | DataRun | Evaluation):
        return 1.0
    restarts = share_of("software", "hang")
    down_s = restarts * parameter("restart_s") + (1.0 - restarts) * parameter("repair_s")
    chips = point.chips if np.isfinite(point.chips) and point.chips > 0 else float(box.chips)
    fleet = Fleet(generation=box.chip.generation)
    return float(serving_fleet(1, chips, fleet=fleet, down_s=down_s, target=0.5).availability)
