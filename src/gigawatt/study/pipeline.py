"""One run from scenario to result: physics, prices, plan, money, bands, tables. Every room once, in the order of the data."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.factory import Plan, plan, plan_all_objectives, value_of
from gigawatt.study.answer import Answer, Further
from gigawatt.study.bands import draw_bands, no_bands, percentiles
from gigawatt.study.charges import charges_table
from gigawatt.study.drift.answer import check as check_drift
from gigawatt.study.drift.answer import drifted
from gigawatt.study.explained.kept import kept
from gigawatt.study.explained.plan import trees
from gigawatt.study.headline import metrics_table
from gigawatt.study.jobs.answer import answers, job_trees, jobs_tables
from gigawatt.study.joint.answer import check as check_joint
from gigawatt.study.joint.answer import joined
from gigawatt.study.load import Loaded
from gigawatt.study.moats.short import moats_table
from gigawatt.study.money_tables import (
    capex_table,
    cash_links_table,
    companies_table,
    contracts_beside_table,
    gap_table,
    quarters_table,
)
from gigawatt.study.network import network_table
from gigawatt.study.perform import Performance, Physics
from gigawatt.study.plan_tables import excluded_table, limits_table, performance_table, plan_table, power_tables
from gigawatt.study.platforms import hosts_table, platforms_table
from gigawatt.study.price import Priced, price
from gigawatt.study.resolve import Resolved, resolve
from gigawatt.study.result import RunResult
from gigawatt.study.risk.check import check_varied
from gigawatt.study.runs_tables import availability_table, runs_table, swings_table
from gigawatt.study.settle import settle
from gigawatt.study.site.plant import plant_of
from gigawatt.study.site.provision import provisioning_tables
from gigawatt.study.site.supply_tables import follows_table, months_table, sources_table
from gigawatt.study.site.year_tables import hours_table, year_table
from gigawatt.study.software import software_table
from gigawatt.study.source import digest
from gigawatt.study.texts import headline, texts
from gigawatt.study.timeline import Timeline, timeline
from gigawatt.study.trust import assumptions_table, measured_errors, weakest_table

Progress = Callable[[str], Any]
ROUNDS = 5  # of load and price where own plant gives the watts
SAME_LOAD = 1e-3


def run(loaded: Loaded, progress: Progress = lambda text: None, catalog: Catalog | None = None) -> RunResult:
    """Answer a scenario.

    Raises:
        InputError: an id, a path or a request that can not be.
        Infeasible: no plan fits; names what conflicts and the smallest change that fits.
    """
    began = time.perf_counter()
    answer = work_out(loaded, progress, catalog)
    progress("writing tables")
    result = assemble(answer)
    wall = time.perf_counter() - began
    return RunResult(
        result.name, result.title, result.headline, result.tables, result.metrics, result.texts,
        {**result.manifest, "wall_s": wall},
    )  # fmt: skip


def work_out(loaded: Loaded, progress: Progress = lambda text: None, catalog: Catalog | None = None) -> Answer:
    """Everything but the tables."""
    progress("looking up the catalog")
    resolved = resolve(loaded, catalog)
    check_varied(resolved)
    check_drift(resolved)
    check_joint(resolved)
    line = timeline(loaded.scenario)
    priced, best = chosen(resolved, line, progress)
    others = plan_all_objectives(priced.inputs)
    progress("settling who pays whom")
    settled = settle(resolved, priced, best, line)
    progress("drawing bands")
    bands = draw_bands(resolved, priced, best, line, settled)
    return Answer(resolved, line, priced, best, settled, bands, others)


def bare_answer(resolved: Resolved, progress: Progress = lambda text: None, physics: Physics | None = None) -> Answer:
    """Plan and money of a scenario, with neither bands nor prices of limits: what is asked many times, or drawn later.

    Raises:
        Infeasible: no plan fits.
    """
    line = timeline(resolved.scenario)
    priced, best = chosen(resolved, line, progress, physics, limits=False)
    return Answer(resolved, line, priced, best, settle(resolved, priced, best, line), no_bands(), {})


def chosen(
    resolved: Resolved,
    line: Timeline,
    progress: Progress = lambda text: None,
    physics: Physics | None = None,
    *,
    limits: bool = True,
) -> tuple[Priced, Plan]:
    """The operating points with their prices, and the fleet of highest value.

    A run that the plan has no room for is sized again for the fleet that it has for itself.

    Args:
        resolved: the scenario.
        line: its time.
        progress: is told of each step.
        physics: who gives the operating points.
        limits: price what limits the plan, and what was not chosen.

    Raises:
        Infeasible: no plan fits.
    """
    progress("working out seconds and watts")
    physics = physics or Physics()
    performance = physics.perform(resolved, line)
    priced = price(resolved, performance, line)
    owned_alone: set[tuple[int, int]] = set()
    progress("choosing the fleet")
    best = plan(priced.inputs, prices=limits)
    while small := _too_small(priced, best, owned_alone):
        owned_alone |= small
        performance = physics.alone(performance, small, resolved, line)
        priced = price(resolved, performance, line)
        best = plan(priced.inputs, prices=limits)
    return _at_its_own_load(resolved, performance, line, priced, best, limits)


def _too_small(priced: Priced, best: Plan, but: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of each platform the largest run (offer, work) that holds more chips than the plan owns of it, `but` those seen to.

    Once that one fits, smaller ones may too.
    """
    points, use = priced.inputs.points, best.mean_use
    found: dict[int, tuple[float, int]] = {}
    for (i, j), held in priced.performance.held_chips.items():
        used = bool(np.any(use[(points.platform == i) & (points.workload == j)] > 0))
        owned = float(best.racks[i]) * priced.performance.boxes[i].chips
        if used and (i, j) not in but and held > owned * (1.0 + 1e-6):
            found[i] = max((held, j), found.get(i, (0.0, j)))
    return {(i, j) for i, (_, j) in found.items()}


def _at_its_own_load(
    resolved: Resolved, performance: Performance, line: Timeline, priced: Priced, best: Plan, limits: bool
) -> tuple[Priced, Plan]:
    """Price and plan again until the price of energy is that of the load which the plan draws from its own plant."""
    if priced.plant.supply.found is None:
        return priced, best
    for _ in range(ROUNDS):
        points = priced.inputs.points
        drawn = float(best.mean_use @ (points.mw * priced.mean_load)) * priced.plant.energy_share
        if abs(drawn - priced.plant.supply.load_mw) <= SAME_LOAD * max(drawn, 1e-9):
            break
        priced = price(resolved, performance, line, plant_of(resolved, drawn))
        best = plan(priced.inputs, prices=limits)
    return priced, best


def assemble(answer: Answer) -> RunResult:
    """All tables, metrics, sentences and the manifest."""
    scenario = answer.resolved.scenario
    power, links = power_tables(answer)
    errors = measured_errors(answer.resolved)
    metrics = metrics_table(answer)
    runs = list(answers(answer))
    jobs, phases = jobs_tables(runs)
    drift = drifted(answer) if scenario.drift else Further([], [])
    joint = joined(answer) if scenario.joint else Further([], [])
    swings = swings_table(answer)
    made: list[Table | None] = [
        plan_table(answer),
        excluded_table(answer),
        limits_table(answer),
        performance_table(answer, errors),
        platforms_table(answer),
        hosts_table(answer),
        runs_table(answer),
        swings,
        follows_table(answer, swings),
        availability_table(answer),
        jobs,
        phases,
        software_table(answer.resolved, answer.priced.performance.software),
        power,
        links,
        hours_table(answer),
        year_table(answer),
        sources_table(answer),
        months_table(answer),
        *provisioning_tables(answer),
        network_table(answer),
        companies_table(answer),
        cash_links_table(answer),
        quarters_table(answer),
        capex_table(answer),
        charges_table(answer),
        contracts_beside_table(answer),
        gap_table(answer),
        objectives_table(answer),
        moats_table(answer) if scenario.moats else None,
        *drift.tables,
        *joint.tables,
        assumptions_table(answer.resolved, answer.plan.racks.tolist()),
        weakest_table(answer),
        answer.settled.ledger.postings() if answer.settled.ledger.lines else None,
    ]
    tables = {table.name: table for table in made if table is not None and len(table)}
    manifest = {
        "version": __version__,
        "scenario": answer.resolved.loaded.source.data,
        "scenario_file": answer.resolved.loaded.source.file,
        "scenario_hash": digest(answer.resolved.loaded.source.data)[:16],
        "seed": scenario.seed,
        "bands": "fleet re-optimised for each draw" if answer.bands.replanned is not None else "fleet held",
        "samples": answer.bands.count,
        **kept(
            trees(answer, metrics) | job_trees(runs, answer), answer.resolved.catalog, answer.resolved.loaded.source
        ),
    }
    title = scenario.title or scenario.name
    besides = [*drift.sentences, *joint.sentences]
    told = texts(answer) | ({"answer": besides} if besides else {})
    return RunResult(scenario.name, title, headline(answer), tables, metrics, told, manifest)


def objectives_table(answer: Answer) -> Table:
    """The best fleet for each party, and what it is worth to all three (value per year x annuity)."""
    years = answer.line.annuity_years
    rows = []
    for name, other in answer.others.items():
        worth = {f"{party}_npv_usd": value_of(other, party) * years for party in answer.others}
        rows.append({"objective": name, **worth, "racks": float(other.racks.sum()), "mw": other.site_mw})
    columns = ["objective", *(f"{party}_npv_usd" for party in answer.others), "racks", "mw"]
    units = {name: "USD" for name in columns if name.endswith("_usd")} | {"mw": "MW"}
    note = (
        "Each row is the fleet that is best for one party; its worth to the others beside it. Loans are left out here."
    )
    if answer.bands.replanned is not None:
        low, middle, high = percentiles(answer.bands.replanned)
        note += f" With a new fleet for each draw: P10 {low:,.3g}, P50 {middle:,.3g}, P90 {high:,.3g} USD."
    return Table.from_rows("objectives", rows, columns, units, "Best for whom", note)
