"""A worked-out build-out as the result that terminal, JSON and report read."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from gigawatt import __version__
from gigawatt.core.table import Table
from gigawatt.factory.inputs import SECONDS_PER_YEAR
from gigawatt.study.bands import percentiles
from gigawatt.study.explained.kept import kept as kept_for_later
from gigawatt.study.fleet import tables, words
from gigawatt.study.fleet.answer import FleetAnswer
from gigawatt.study.fleet.explained import trees
from gigawatt.study.fleet.flows import QUARTER_YR
from gigawatt.study.fleet.inputs import RESALE
from gigawatt.study.result import RunResult
from gigawatt.study.software import software_table
from gigawatt.study.trust import assumptions_table


def assemble(answer: FleetAnswer, began: float) -> RunResult:
    """All tables, metrics, sentences and the manifest; `began` is when the work did."""
    inputs = answer.inputs
    scenario, source = inputs.resolved.scenario, inputs.resolved.loaded.source
    resale = inputs.resolved.catalog.get("price", RESALE).resale_share_by_age
    made = [
        tables.periods_table(answer),
        tables.fleet_table(answer),
        tables.generations_table(answer),
        tables.leaving_table(answer),
        tables.limits_table(answer),
        tables.policies_table(answer),
        tables.excluded_table(answer),
        tables.performance_table(answer),
        software_table(inputs.resolved, inputs.performance.software),
        assumptions_table(inputs.resolved, answer.plan.bought.sum(axis=1).tolist(), list(resale.values())),
    ]
    metrics = metrics_table(answer)
    manifest: dict[str, Any] = {
        "question": "fleet",
        "version": __version__,
        **source.manifest,
        "seed": scenario.seed,
        "policy": answer.policy,
        "window_quarters": answer.window,
        "bands": "purchases, retirements and use held",
        "samples": answer.bands.count if answer.bands is not None else 0,
        **kept_for_later(trees(answer, metrics), inputs.resolved.catalog, source),
    }
    texts = {
        "answer": words.answer_lines(answer),
        "notes": words.notes(answer),
        "left_out": words.left_out(answer),
        "next": words.ways_on(answer),
    }
    title = scenario.title or scenario.name
    kept = {table.name: table for table in made if len(table)}
    wall = {"wall_s": time.perf_counter() - began}
    return RunResult(f"{scenario.name}-fleet", title, texts["answer"][0], kept, metrics, texts, manifest | wall)


def metrics_table(answer: FleetAnswer) -> Table:
    """Headline numbers with their bands."""
    inputs, plan, flows, bands = answer.inputs, answer.plan, answer.flows, answer.bands
    build = inputs.build
    drawn = build.points.mw @ plan.use
    served = [s for s, w in enumerate(build.segment_workload) if inputs.resolved.works[int(w)].is_serving]
    tokens = float(plan.sold[served].sum()) * SECONDS_PER_YEAR * QUARTER_YR
    mw_years = float(drawn.sum()) * QUARTER_YR
    rows: list[dict[str, Any]] = []

    def add(name: str, value: float | None, unit: str, formula: str, draws: Any = None) -> None:
        if value is None or not np.isfinite(value):
            return
        low, middle, high = percentiles(draws) if draws is not None and np.ptp(draws) > 0 else (None, None, None)
        rows.append({"name": name, "value": value, "unit": unit, "low": low, "p50": middle, "high": high, "formula": formula,
                     "inputs": "build-out"})  # fmt: skip

    party = inputs.priced.inputs.objective
    add("npv_usd", answer.npv_usd, "USD", f"discounted flows of the {party}, racks and shell at the end as worth then",
        bands.npv_usd if bands else None)  # fmt: skip
    held = inputs.resolved.scenario.build_out.software == "release"
    other = "along the catalog's curve" if held else "held as released"
    add(
        f"npv_software_{'curve' if held else 'held'}",
        answer.other_software_usd,
        "USD",
        f"the same with software {other}",
    )
    add("capital_usd", float(flows.capital_usd.sum()), "USD", "racks at list price and shell, all quarters",
        bands.capital_usd if bands else None)  # fmt: skip
    add("peak_capital_usd", float(flows.funding_usd.max(initial=0.0)), "USD",
        "the most that is in at once: capital so far less resale and what was earned before")  # fmt: skip
    add("revenue_usd", float(flows.revenue_usd.sum()), "USD", "tokens sold x price, and rent, all quarters",
        bands.revenue_usd if bands else None)  # fmt: skip
    add(
        "energy_usd",
        float(flows.energy_usd.sum()),
        "USD",
        "energy of all quarters",
        bands.energy_usd if bands else None,
    )
    add(
        "mean_mw",
        float(drawn.mean()) if len(drawn) else 0.0,
        "MW",
        "drawn at the meter when busy, mean over the quarters",
    )
    add("peak_mw", float(plan.site_mw.max(initial=0.0)), "MW", "site that is built at the end")
    add("revenue_per_mw_year", float(flows.revenue_usd.sum()) / mw_years if mw_years else None, "USD/MW/yr",
        "revenue over MW-years drawn", bands.revenue_usd / mw_years if bands and mw_years else None)  # fmt: skip
    add("tokens_out", tokens, "token", "output tokens of serving that are sold, all quarters",
        bands.tokens_out if bands else None)  # fmt: skip
    add("racks_bought", float(plan.bought.sum()), "racks", "all platforms and quarters")
    add("racks_retired", float(plan.retired.sum()), "racks", "racks that leave before the horizon's end")
    for name in ("rolling", "myopic"):
        if name in answer.others and "perfect" in answer.others:
            add(f"{name}_lost_usd", answer.lost_usd(name), "USD", f"perfect foresight less {name}")
    columns = ["name", "value", "unit", "low", "p50", "high", "formula", "inputs"]
    return Table.from_rows("metrics", rows, columns, {}, "Headline numbers")
