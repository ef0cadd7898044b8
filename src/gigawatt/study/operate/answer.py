"""`gigawatt operate`: the scenario's plan, then its days by the hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible
from gigawatt.core.table import Table
from gigawatt.factory.operation import operate, priority, static_split
from gigawatt.study.explained.kept import kept
from gigawatt.study.load import Loaded
from gigawatt.study.operate.bands import band
from gigawatt.study.operate.check import check_operate
from gigawatt.study.operate.explained import trees
from gigawatt.study.operate.fleet import setting
from gigawatt.study.operate.measures import measures_table
from gigawatt.study.operate.money import ledger_of, net_by_hour
from gigawatt.study.operate.tables import (
    hours_table,
    policies_table,
    postings_table,
    stages_table,
    totals_table,
    works_table,
)
from gigawatt.study.operate.words import notes, sentences
from gigawatt.study.pipeline import work_out
from gigawatt.study.result import RunResult
from gigawatt.study.runs_tables import swings_table
from gigawatt.study.source import digest
from gigawatt.study.trust import assumptions_table

Progress = Callable[[str], Any]


def run_operate(loaded: Loaded, progress: Progress = lambda text: None, catalog: Catalog | None = None) -> RunResult:
    """The hours of a scenario's days on the fleet of its plan.

    Raises:
        InputError: an id, a path or an event that can not be.
        Infeasible: no plan fits, nothing is built, or what must run does not fit the hours: what conflicts, what would fit.
    """
    began = time.perf_counter()
    check_operate(loaded)
    answer = work_out(loaded, progress, catalog)
    if not np.any(answer.plan.racks > 0):
        raise Infeasible("the best plan of this scenario builds nothing, so there are no hours to operate")
    progress("steering the hours")
    started = time.perf_counter()
    full = setting(answer)
    first = operate(full.inputs.divisible(), prices=False)  # only how full the building is
    made = setting(answer, first.it_mw / full.inputs.hall_it_mw)
    done = operate(made.inputs)
    solved = time.perf_counter() - started
    others = (static_split(made.inputs), priority(made.inputs))
    ends = band(made, done)
    progress("writing tables")
    ledger = ledger_of(made, done)
    listed = [c.id for c in loaded.scenario.companies if c.id in ledger.companies]
    net = {company: float(net_by_hour(ledger, company).sum()) for company in listed}
    swings = swings_table(answer)
    metrics = measures_table(made, done, ends, others, net)
    tables: list[Table] = [
        hours_table(made, done, ledger),
        totals_table(made, done),
        policies_table(made, done, others),
        stages_table(made, done),
        works_table(made, done),
        postings_table(made, ledger),
        swings,
        assumptions_table(answer.resolved, answer.plan.racks.tolist()),
    ]
    words = sentences(made, done, others)
    scenario = loaded.scenario
    manifest = {
        "version": __version__,
        "question": "operate",
        "scenario": loaded.source.data,
        "scenario_file": loaded.source.file,
        "scenario_hash": digest(loaded.source.data)[:16],
        "seed": scenario.seed,
        "day": made.around.first.isoformat(),
        "phase": answer.line.phases[made.phase].name,
        **kept(trees(made, done, metrics, others, ledger), answer.resolved.catalog, loaded.source),
        "search_s": solved,
        "wall_s": time.perf_counter() - began,
    }
    return RunResult(
        f"{scenario.name}-operate",
        scenario.title or scenario.name,
        words[0],
        {table.name: table for table in tables if len(table)},
        metrics,
        {"answer": words[1:], "notes": notes(made, done, swings)},
        manifest,
    )
