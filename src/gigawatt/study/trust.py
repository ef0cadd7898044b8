"""What a run rests on: assumptions with their sources, the weakest inputs by what they move, measured errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gigawatt.catalog.records import datums
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.economics.cost import capital_charge
from gigawatt.factory.draws import Draws, revalue
from gigawatt.study.answer import Answer
from gigawatt.study.plugged import models_said
from gigawatt.study.resolve import Resolved


def measured_errors(resolved: Resolved) -> dict[str, tuple[float, str]]:
    """Median error of the kind of answer, outside the fit, from the calibrations' own records."""
    serving = resolved.catalog.get("calibration", "serving-steady-state")
    training = resolved.catalog.get("calibration", "training-step")
    held = serving.error["tpot_model_left_out"]["median"]
    return {
        "serving": (float(held), f"TPOT, whole models left out of the fit; {serving.fitted_to}"),
        "training": (
            float(training.error["source_left_out_median_percent"]) / 100,
            f"step time, whole sources left out of the fit; {training.fitted_to}",
        ),
    }


def used_datums(resolved: Resolved, racks: Sequence[float]) -> list[Datum]:
    """Every catalog value of the records that a run read: site, facility, costs, and the platforms that it bought."""
    found: list[Datum] = [resolved.energy_price]
    for record in (resolved.facility, resolved.costs):
        found += list(datums(record))
    for owned in resolved.owned:
        found += list(datums(owned.record))
    for offered, bought in zip(resolved.offers, racks, strict=True):
        if bought > 0:
            found += [*datums(offered.platform), *datums(offered.accelerator), *datums(offered.fabric)]
            found += offered.network.datums(resolved.catalog)
    return found


def assumptions_table(resolved: Resolved, racks: Sequence[float], more: Sequence[Datum] = ()) -> Table:
    """Values with range, kind and source; the scenario's own defaults first; `more` beside those of what was bought."""
    rows: list[dict[str, Any]] = [
        {"name": d.path, "value": float(d.value) if isinstance(d.value, (int, float)) else None, "unit": "",
         "kind": "assumed", "source": f"default of the scenario: {d.value}", "path": d.path}
        for d in resolved.loaded.defaults
    ]  # fmt: skip
    for offered in resolved.offers:
        rows += [
            {"name": what, "value": None, "unit": "", "kind": "assumed", "source": f"{name}: {said}", "path": path}
            for what, name, said, path in models_said(offered.accelerator, offered.fabric)
        ]
    rows += [
        {"name": f"charge {levy.id}", "value": None, "unit": "", "kind": "assumed", "path": f"charges.{levy.id}",
         "source": f"{levy.plugin.name}: {levy.model.says} (plug-in {levy.plugin.package})"}
        for levy in resolved.levies
    ]  # fmt: skip
    seen = set()
    for datum in [*used_datums(resolved, racks), *more]:
        if datum.path in seen:
            continue
        seen.add(datum.path)
        low, high = datum.range
        name = datum.path.partition("/")[2] or datum.path
        rows.append(
            {"name": name, "value": datum.value, "unit": datum.unit, "low": low, "high": high, "kind": datum.kind,
             "source": datum.source, "as_of": datum.as_of, "path": datum.path}
        )  # fmt: skip
    columns = ["name", "value", "unit", "low", "high", "kind", "source", "as_of", "path"]
    return Table.from_rows("assumptions", rows, columns, {}, "Assumptions and sources", "SI units; ranges hold 80 %.")


def weakest_table(answer: Answer) -> Table:
    """Inputs by what they move: change of the objective's NPV between the low and the high end of each, the fleet held."""
    plan, years, resolved = answer.plan, answer.line.annuity_years, answer.resolved
    inputs = answer.priced.inputs
    points = inputs.points
    groups = int(points.group.max(initial=-1)) + 1
    rows: list[dict[str, Any]] = []

    def swing(name: str, spread: float, source: str, draws: Draws) -> None:
        value = revalue(plan, draws).value_usd_per_yr * years
        if abs(value[1] - value[0]) > 0:
            rows.append({"name": name, "spread": spread, "effect_usd": float(value[1] - value[0]), "source": source})

    for g in range(groups):
        mine = points.group == g
        if not np.any(plan.use[mine] > 0):
            continue
        low, high = float(points.low[mine][0]), float(points.high[mine][0])
        factor = np.ones((2, groups))
        factor[:, g] = low, high
        label = answer.priced.performance.points[answer.priced.points_of[int(np.flatnonzero(mine)[0])]].group
        swing(
            f"throughput: {label}", (high - low) / 2, "80 % band of the calibration, outside its fit", Draws(2, factor)
        )
    energy = resolved.energy_price
    low, high = energy.range
    if energy.value:
        grid = 1 - answer.priced.plant.supply.fuel_share
        pair = 1 + grid * (np.array([low, high]) / energy.value - 1)
        swing("energy price", energy.spread, energy.source, Draws(2, energy=pair))
    rows += _own_plant(answer)
    for p, offered in enumerate(resolved.offers):
        price = offered.platform.list_price
        if plan.racks[p] > 0 and price is not None and offered.offer.list_price is None:
            factor = np.ones((2, len(inputs.platforms.names)))
            factor[:, p] = np.array(price.range) / price.value
            swing(f"list price of {offered.offer.id}", price.spread, price.source, Draws(2, platform=factor))
    for w, work in enumerate(resolved.works):
        if work.is_serving:
            factor = np.ones((2, len(inputs.workloads)))
            factor[:, w] = 0.7, 1.3
            swing(f"realised price of {work.id}", 0.3, "scenario; +-30 % taken here", Draws(2, price=factor))
    rows.sort(key=lambda row: -abs(row["effect_usd"]))
    units = {"spread": "share", "effect_usd": "USD"}
    note = "Effect: NPV of the objective at the high end less at the low end, the fleet held."
    return Table.from_rows("weakest", rows, ["name", "spread", "effect_usd", "source"], units, "Weakest inputs", note)


def _own_plant(answer: Answer) -> list[dict[str, Any]]:
    """Capital of own plant and its fuel, each through its own range, the dispatch held."""
    years, resolved = answer.line.annuity_years, answer.resolved
    plant = answer.priced.plant
    found = plant.supply.found
    rows = []
    for own in resolved.owned:
        record = own.record
        one = next((o for o in plant.supply.standing.own if o.name == own.asked.id), None)
        if one is None:
            continue
        charge = float(capital_charge(1e6 * one.mw, answer.rate, one.life_years)) * years
        low, high = record.capex.range
        rows.append(
            {"name": f"capital of {one.name}", "spread": record.capex.spread, "effect_usd": -charge * (high - low),
             "source": record.capex.source}
        )  # fmt: skip
        if record.fuel_price is not None and record.efficiency is not None and found is not None:
            joules = float(found[0].of(one.name).mean()) * 8760 * 3600 / record.efficiency.value
            joules *= answer.drawn_mw / plant.supply.load_mw if plant.supply.load_mw else 1.0
            low, high = record.fuel_price.range
            rows.append(
                {"name": f"fuel of {one.name}", "spread": record.fuel_price.spread,
                 "effect_usd": -joules * (high - low) * years, "source": record.fuel_price.source}
            )  # fmt: skip
    return rows
