"""From a scenario to the columns by quarter that a build-out is chosen from.

Racks, watts, rates, capital and running costs are those of the one-period plan (`study.perform`, `study.price`), so that one
quarter with nothing said of the years asks the same question. What changes over the quarters is laid beside them:

    price of an offer     list x (1 + change)^(years since it may first be bought)
    demand, token price   of the first quarter x (1 + change)^years
    energy                price of the first quarter x (1 + change)^years
    speed of software     m(middle of the quarter) / m(middle of the horizon), where the points are searched
    a run's owed tokens   over the quarters until its date, as the power that stands
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.economics.cost import quarterly_crf, quarterly_rate
from gigawatt.factory import PlanInputs
from gigawatt.factory.buildout.inputs import BuildInputs
from gigawatt.study.fleet.calendar import Quarters, quarters_of
from gigawatt.study.fleet.paths import capital_of, software_day, speeds
from gigawatt.study.fleet.site import SitePath, site_path
from gigawatt.study.fleet.spec import OfferPath
from gigawatt.study.jobs.owed import Run
from gigawatt.study.perform import Performance, alone, perform
from gigawatt.study.points import Refusal
from gigawatt.study.price import Priced, price
from gigawatt.study.resolve import Resolved
from gigawatt.study.timeline import SECONDS_PER_QUARTER, Timeline, owed_quarters, timeline

Array = NDArray[np.float64]
NEVER = 10_000  # quarters: longer than any horizon
RESALE = "market-2026"  # the record of prices that holds resale by age


@dataclass(frozen=True, slots=True)
class FleetInputs:
    """What `work_out` needs: `build` for the programme, and what it was made of for tables and words.

    `first` is the quarter in which each offer may first be bought (the number of quarters: never).
    """

    resolved: Resolved
    line: Quarters
    plan_line: Timeline
    performance: Performance
    priced: Priced
    site: SitePath
    first: NDArray[np.int64]
    build: BuildInputs

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Pairs of offer and workload that have no point."""
        return self.performance.refusals


def inputs_of(resolved: Resolved, performance: Performance | None = None) -> FleetInputs:
    """The columns of a scenario; `performance` where the points are known, of the same offers, work and power.

    Raises:
        Infeasible: a workload runs on no platform that may be had within the horizon; says why on each.
        InputError: racks of the first day draw more than ever stands here.
    """
    line = quarters_of(resolved.scenario)
    site = site_path(resolved, line)
    plan_line = _as_power_grows(timeline(resolved.scenario), site.power_mw)
    found = performance or perform(resolved, plan_line, line.starts[-1], software_day(resolved, line))
    return _joined(resolved, line, plan_line, site, found)


def with_runs_alone(inputs: FleetInputs, pairs: Collection[tuple[int, int]]) -> FleetInputs:
    """The same with some runs (offer, work) at the size of a fleet that they have for themselves."""
    performance = alone(inputs.performance, pairs, inputs.resolved, inputs.plan_line)
    return _joined(inputs.resolved, inputs.line, inputs.plan_line, inputs.site, performance)


def _as_power_grows(line: Timeline, power_mw: Array) -> Timeline:
    """The quarters of a run's work as the power that stands over its most: a run has as much time as there is site."""
    most = float(power_mw.max(initial=0.0))
    if not np.isfinite(most) or most <= 0:
        return line
    active = power_mw / most
    return replace(line, active=active, arrivals=np.diff(active, prepend=0.0))


def _joined(
    resolved: Resolved, line: Quarters, plan_line: Timeline, site: SitePath, performance: Performance
) -> FleetInputs:
    priced = price(resolved, performance, plan_line, site.plant)
    scenario, plan = resolved.scenario, priced.inputs
    own = scenario.build_out
    sums = priced.inputs.chosen
    first = np.array([_first(resolved, i, line) for i in range(len(resolved.offers))], dtype=np.int64)
    lead = np.array([_path(resolved, i).lead_quarters for i in range(len(resolved.offers))], dtype=np.int64)
    growth = (1 + own.energy_price) ** line.years
    list_usd = plan.platforms.capex_usd[:, None] * _price_path(resolved, line, first)
    system = plan.objective == "system"
    # The vendor's parts at its production cost where its own value counts, as in the one-period plan.
    kept = np.array([_counted_share(priced, p) if system else 1.0 for p in range(len(resolved.offers))])
    cost = list_usd * kept[:, None]
    shell, shell_end = _shell(priced, line, scenario.discount_rate)
    worth, ending = _resale(resolved, cost, first, line)
    opening = np.array([_path(resolved, i).opening.racks for i in range(len(resolved.offers))])
    _check_opening(resolved, plan, opening, site.power_mw)
    life = np.array([_life(resolved, i) for i in range(len(resolved.offers))], dtype=np.int64)
    owned, demand = _owed(resolved, plan_line, first + lead, plan.points.workload, plan.points.platform)
    segment_demand, segment_price = _sales(resolved, priced, line, demand)
    build = BuildInputs(
        quarters=line.names,
        platforms=plan.platforms.names,
        workloads=plan.workloads,
        points=plan.points,
        segments=plan.segments.names,
        segment_workload=plan.segments.workload,
        obligations=tuple(o.name for o in plan.obligations),
        obligation_workload=np.array([o.workload for o in plan.obligations], dtype=np.int64),
        discount=line.discount,
        opening_discount=line.opening_discount,
        power_mw=site.power_mw,
        capital_usd=capital_of(resolved, line, site.own_capital_usd),
        supply_racks=_supply(resolved, line, first, lead),
        demand_tokens_per_s=segment_demand,
        price_usd_per_mtok=segment_price,
        owed_tokens_per_s=owned,
        speed=speeds(performance, resolved, line)[0] * site.tokens_factor,
        cost_usd=cost,
        list_usd=list_usd,
        upkeep_usd_per_yr=np.array([float(priced.running.upkeep_usd_per_yr(rack.usd)) for rack in priced.rack_parts]),
        energy_usd_per_yr=sums.energy_usd_per_yr[:, None] * growth * site.energy_factor,
        other_usd_per_yr=sums.other_usd_per_yr,
        shell_usd_per_mw=shell,
        shell_upkeep_usd_per_mw_yr=float(priced.running.shell_upkeep_usd_per_yr(priced.shell_usd_per_mw)),
        resale_usd=worth,
        terminal_usd=ending if own.terminal == "resale" else np.zeros(len(ending)),
        shell_terminal_usd_per_mw=shell_end if own.terminal == "resale" else np.zeros(len(line)),
        lead_quarters=lead,
        life_quarters=life,
        opening_racks=opening,
        revenue_share=sums.revenue_share,
        reinvest_share=own.reinvest,
        block_racks=_block(resolved),
        opening_mw=_opening_mw(plan, opening),
        expiring_racks=_expiring(resolved, opening, life, len(line)),
    )
    late = tuple(_too_late(resolved, line, first, lead, performance))
    performance = replace(performance, refusals=(*performance.refusals, *late))
    return FleetInputs(resolved, line, plan_line, performance, priced, site, first, build)


def _first(resolved: Resolved, i: int, line: Quarters) -> int:
    day = resolved.offers[i].offer.available
    return 0 if day is None else line.from_day(day)


def _path(resolved: Resolved, i: int) -> OfferPath:
    """What the build-out says of an offer; nothing where it does not."""
    return resolved.scenario.build_out.offers.get(resolved.offers[i].offer.id, OfferPath())


def _check_opening(resolved: Resolved, plan: PlanInputs, opening: Array, power_mw: Array) -> None:
    """Refuse racks of the first day that draw more, each at its least, than ever stands here."""
    least = np.full(len(opening), np.inf)
    np.minimum.at(least, plan.points.platform, plan.points.mw)
    drawn = np.where((opening > 0) & np.isfinite(least), least, 0.0) * opening
    most = float(power_mw.max())
    if drawn.sum() <= most * (1 + 1e-6):
        return
    p = int(np.argmax(drawn))
    name = resolved.offers[p].offer.id
    said = f"build_out.offers.{name}.opening: {opening[p]:,.0f} racks draw {drawn[p]:,.4g} MW when busy"
    said += f" ({drawn.sum():,.4g} MW with the others')" if drawn.sum() > drawn[p] * (1 + 1e-9) else ""
    said += f", and no more than {most:,.4g} MW ever stands here"
    where = resolved.loaded.source.where(("build_out", "offers", name, "opening"))
    raise InputError(Problem("contradiction", said, where, ("fewer racks, or more power",)))


def _opening_mw(plan: PlanInputs, opening: Array) -> float:
    """Shell that stands for the racks of the first day: all of them at their highest draw."""
    most = np.zeros(len(opening))
    np.maximum.at(most, plan.points.platform, plan.points.mw)
    return float(most @ opening)


def _expiring(resolved: Resolved, opening: Array, life: NDArray[np.int64], count: int) -> Array:
    """[P, T] racks of the first day that reach the end of their life at the start of t; those past it leave at once."""
    out = np.zeros((len(opening), count))
    for i in np.flatnonzero(opening):
        left = max(int(life[i]) - round(_path(resolved, int(i)).opening.age_years * 4), 0)
        if left < count:
            out[i, left] = opening[i]
    return out


def _life(resolved: Resolved, i: int) -> int:
    """Quarters after which a rack leaves in any case: the longest life in the catalog's range; when it pays to leave
    earlier is the programme's to say."""
    life = resolved.offers[i].platform.life_years
    return max(1, round(life.range[1] * 4)) if life is not None else NEVER


def _too_late(
    resolved: Resolved, line: Quarters, first: NDArray[np.int64], lead: NDArray[np.int64], performance: Performance
) -> list[Refusal]:
    """Offers with points whose first rack would work only after the horizon."""
    refused = {(r.offer, r.work) for r in performance.refusals}
    out = []
    for i, offered in enumerate(resolved.offers):
        if first[i] + lead[i] < len(line):
            continue
        came = offered.offer.available
        said = f"available from {came}" if came else "there from the start"
        wait = f", {lead[i]} quarters from order to use" if lead[i] else ""
        said += f"{wait}: its first rack would work only after the horizon, which ends before {line.end}"
        fix = "a longer horizon, or an earlier delivery"
        out += [Refusal(i, j, said, fix) for j in range(len(resolved.works)) if (i, j) not in refused]
    return out


def _price_path(resolved: Resolved, line: Quarters, first: NDArray[np.int64]) -> Array:
    """[P, T] factor on the list price: it moves from the day on which the offer may first be bought."""
    since = np.maximum(line.years[None, :] - np.minimum(first, len(line))[:, None] / 4, 0.0)
    out = np.ones(since.shape)
    for p in range(len(resolved.offers)):
        out[p] = (1 + _path(resolved, p).price) ** since[p]
    return out


def _counted_share(priced: Priced, p: int) -> float:
    """What the system counts of a rack's list price: the vendor's parts at production cost."""
    rack = priced.rack_parts[p]
    own = sum(part.usd for part in rack.parts if part.name in ("compute", "spares"))
    return 1 - own * (1 - float(priced.production_share[p])) / rack.usd if rack.usd else 1.0


def _shell(priced: Priced, line: Quarters, rate: float) -> tuple[Array, Array]:
    """[T] capital of a MW of shell built in t, and what it is worth at the end: the payments that remain of its level rent."""
    usd, life = priced.shell_usd_per_mw, round(priced.shell_life_years * 4)
    left = np.maximum(life - (len(line) - np.arange(len(line))), 0)
    step = float(quarterly_rate(rate))
    annuity = left.astype(np.float64) if step == 0 else (1 - (1 + step) ** -left) / step
    return np.full(len(line), usd), usd * float(quarterly_crf(rate, life / 4)) * np.asarray(annuity)


def _resale(resolved: Resolved, cost: Array, first: NDArray[np.int64], line: Quarters) -> tuple[Array, Array]:
    """[P, T] worth of a rack that leaves at the start of t, and [P] of one owned at the end.

    The share of a new rack's price that the catalog's resale record has for the age of the offer: a used rack is worth what
    its platform is worth then, whenever it was bought, less what it costs to sell. No rack is worth more than the least that
    one has cost since.
    """
    from gigawatt.economics.market.reletting import resale_share

    known = resolved.catalog.get("price", RESALE).resale_share_by_age
    ages = [float(age) for age in known]
    shares = np.array([[datum.value for datum in known.values()]])
    kept = 1 - resolved.scenario.build_out.sale_cost
    old = np.array([_path(resolved, p).opening.age_years for p in range(len(resolved.offers))])
    times = np.append(line.years, len(line) / 4)
    # A rack that is sold has been owned for a quarter at least.
    age = np.maximum(times[None, :] - np.minimum(first, len(line))[:, None] / 4, 0.25) + old[:, None]
    share = kept * resale_share(age.ravel(), ages, np.repeat(shares, age.size, axis=0)).reshape(age.shape)
    lowest = np.minimum.accumulate(cost, axis=1)
    return lowest * share[:, :-1], lowest[:, -1] * share[:, -1]


def _supply(resolved: Resolved, line: Quarters, first: NDArray[np.int64], lead: NDArray[np.int64]) -> Array:
    """[P, T] racks that may be bought: by steps, or the offer's number in equal parts; without either as many as one likes."""
    out = np.zeros((len(resolved.offers), len(line)))
    for p, offered in enumerate(resolved.offers):
        path = _path(resolved, p)
        here = slice(int(first[p]), max(int(first[p]), len(line) - int(lead[p])))
        if path.supply:
            for step in path.supply:
                begun = 0 if step.from_ <= line.starts[0] else line.from_day(step.from_)
                out[p, begun:] = step.per_quarter
            out[p, : here.start], out[p, here.stop :] = 0.0, 0.0
        elif offered.offer.supply is not None:
            out[p, here] = _equal_parts(offered.offer.supply, here.stop - here.start, _block(resolved))
        else:
            out[p, here] = np.inf
    return out


def _block(resolved: Resolved) -> int:
    """Racks of a block; 0: any part of one."""
    scenario = resolved.scenario
    return scenario.build_out.block or (1 if scenario.integer_racks else 0)


def _equal_parts(total: float, count: int, block: int) -> Array:
    """[count] of a total in equal parts; in whole blocks the first of them come as early as may be.

    >>> _equal_parts(3.0, 4, 0).tolist(), _equal_parts(3.0, 4, 1).tolist()
    ([0.75, 0.75, 0.75, 0.75], [1.0, 1.0, 1.0, 0.0])
    """
    so_far = total * np.arange(1, count + 1) / max(count, 1)
    if block:
        so_far = np.minimum(np.ceil(so_far / block - 1e-9), np.floor(total / block)) * block
    return np.diff(so_far, prepend=0.0)


def _owed(
    resolved: Resolved,
    line: Timeline,
    usable: NDArray[np.int64],
    point_work: NDArray[np.int64],
    point_offer: NDArray[np.int64],
) -> tuple[Array, dict[int, Array]]:
    """[O, T] tokens per second owed, and of every run (by its row) the rate at which its tokens are sold.

    Only quarters count in which a platform that runs the work can be there: a date before any of them leaves the whole run
    to the last quarter before it, which no plan meets.
    """
    owed, rates = [], {}
    for j, work in enumerate(resolved.works):
        spec = work.spec
        if not isinstance(spec, Run):
            continue
        until = max(owed_quarters(resolved.scenario, spec), 1)
        offers = np.unique(point_offer[point_work == j])
        earliest = int(usable[offers].min()) if len(offers) else 0
        weight = np.array(line.active, dtype=np.float64)
        weight[until:] = 0.0
        weight[: min(earliest, until)] = 0.0
        if weight.sum() <= 0:
            weight[until - 1] = 1.0
        rates[j] = spec.owed_tokens * weight / weight.sum() / SECONDS_PER_QUARTER
        if spec.obligation is not None:
            owed.append(rates[j])
    return (np.array(owed) if owed else np.zeros((0, line.quarters))), rates


def _sales(resolved: Resolved, priced: Priced, line: Quarters, runs: dict[int, Array]) -> tuple[Array, Array]:
    """[S, T] demand in tokens per second and price in USD per million."""
    segments, trends = priced.inputs.segments, resolved.scenario.build_out.trends
    demand = np.repeat(segments.tokens_per_s[:, None], len(line), axis=1)
    usd = np.repeat(segments.usd_per_mtok[:, None], len(line), axis=1)
    for s, j in enumerate(segments.workload):
        work = resolved.works[int(j)]
        if int(j) in runs:
            demand[s] = runs[int(j)]
            continue
        trend = trends.get(work.id) or trends.get(work.family)
        if trend is not None:
            demand[s] *= (1 + trend.demand) ** line.years
            usd[s] *= (1 + trend.price) ** line.years
    return demand, usd
