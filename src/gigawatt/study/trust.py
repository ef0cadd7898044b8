"""What a run rests on: assumptions with their sources, the weakest inputs by what they move, measured errors, explanations."""

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
from gigawatt.study.explain import Node, node, of_datum
from gigawatt.study.job_size import Guarded
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


def explanations(answer: Answer, metrics: Table) -> dict[str, Node]:
    """A tree for every headline metric: formula, then the choices, calibrations and data under it."""
    common = {
        "capital": _capital(answer),
        "energy": _energy(answer),
        "tokens": _tokens(answer),
        "choice": _choices(answer),
        "prices": _prices(answer),
    }
    needs = {
        "system_npv": ("tokens", "prices", "energy", "capital", "choice"),
        "operator_npv": ("energy", "capital", "choice"),
        "lab_npv": ("tokens", "prices", "choice"),
        "revenue_per_mw_year": ("tokens", "prices"),
        "gross_profit_per_mw_year": ("tokens", "prices", "energy"),
        "capex": ("capital", "choice"),
        "capex_per_gw": ("capital", "choice"),
        "cost_per_mtok": ("capital", "energy", "tokens"),
        "tokens_out": ("tokens", "choice"),
        "joules_per_output_token": ("tokens", "energy"),
    }
    out = {}
    for row in metrics.rows():
        parts = needs.get(row["name"], ("capital", "energy", "tokens", "choice"))
        children = [common[name] for name in parts]
        children += [
            node(
                "datum",
                f"contract {deal.id} ({deal.status})",
                None,
                "",
                f"{answer.resolved.loaded.source.file}: contracts",
            )
            for deal in answer.resolved.scenario.contracts
            if row["name"].endswith("npv") and row["name"] != "system_npv"
        ]
        out[row["name"]] = node("formula", f"{row['name']}: {row['formula']}", row["value"], row["unit"], "", children)
    return out


def _capital(answer: Answer) -> Node:
    children = []
    for offered, racks in zip(answer.resolved.offers, answer.plan.racks, strict=True):
        if racks > 0 and offered.platform.list_price is not None:
            children.append(of_datum(f"list price of a rack of {offered.offer.id}", offered.platform.list_price))
            if offered.platform.production_cost_share is not None:
                children.append(of_datum("production cost over list", offered.platform.production_cost_share))
    for own in answer.resolved.owned:
        children.append(of_datum(f"price of {own.asked.id}", own.record.capex, 1e6, "USD/MW"))
    children.append(of_datum("shell price", answer.resolved.facility.shell_price, 1e6, "USD/MW of IT"))
    return node(
        "formula", "capital: racks x list price + MW x shell price + own plant", answer.capex_usd, "USD", "", children
    )


def _energy(answer: Answer) -> Node:
    facility = answer.resolved.facility
    children = [
        of_datum("energy price", answer.resolved.energy_price, 3.6e9, "USD/MWh"),
        of_datum("mean load of serving", answer.resolved.costs.load_factor),
        of_datum("liquid share of heat", facility.liquid_share),
        of_datum("UPS: standing loss", facility.ups.no_load),
        of_datum("UPS: loss in step with the load", facility.ups.proportional),
        *(
            of_datum(f"{name} circuit: {text}", datum)
            for name, circuit in (("air", facility.cooling.air), ("liquid", facility.cooling.liquid))
            if circuit is not None
            for text, datum in (("supply temperature", circuit.supply), ("approach", circuit.approach))
        ),
    ]
    for plant in answer.resolved.plants:
        if plant.record.fuel_price is not None and plant.record.efficiency is not None:
            children.append(of_datum(f"fuel of {plant.asked.id}", plant.record.fuel_price, 3.6e9, "USD/MWh of fuel"))
            children.append(of_datum(f"efficiency of {plant.asked.id}", plant.record.efficiency))
    return node("formula", "energy: MW x load x hours x price", answer.annual_energy_usd, "USD/yr", "", children)


def _tokens(answer: Answer) -> Node:
    errors = measured_errors(answer.resolved)
    children = []
    points, use = answer.priced.inputs.points, answer.plan.mean_use
    for j in np.flatnonzero(use > 0):
        made = answer.priced.performance.points[answer.priced.points_of[j]]
        kind = answer.resolved.works[made.work].uses
        record = "serving-steady-state" if kind == "serving" else "training-step"
        error, source = errors[kind]
        calibration = node("calibration", f"calibration/{record}: median error outside the fit", error, "share", source)
        chip = answer.resolved.offers[made.offer].accelerator
        data = [of_datum("memory bandwidth", chip.memory_bandwidth)] if chip.memory_bandwidth else []
        label = f"{points.label[j]}: {made.bound} binds"
        guard = answer.priced.performance.guards.get((made.offer, made.work))
        data += [_guarded(guard)] if guard is not None else []
        children.append(
            node("formula", label, float(points.tokens_out_per_s[j]), "token/s per rack", "", [calibration, *data])
        )
    total = float(use @ points.tokens_out_per_s)
    return node("formula", "tokens: racks in use x tokens per rack", total, "token/s", "", children)


def _guarded(guard: Guarded) -> Node:
    """Share of a run's time that counts, by where the rest goes."""
    rates = node("calibration", "calibration/training-failures", float(guard.effective.mttf_s) / 3600, "h",
                 "time between interruptions of the job, from published rates")  # fmt: skip
    parts = [
        node("formula", name, float(share), "share", "physics/reliability")
        for name, share in guard.effective.parts().items()
        if float(share) > 0
    ]
    spares = node("choice", "chips standing by", float(guard.effective.spare_chips), "chips", "")
    label = f"goodput: share of the time of {guard.chips:,} chips that is work kept"
    return node("formula", label, guard.share, "share", "", [rates, *parts, spares])


def _prices(answer: Answer) -> Node:
    segments = answer.priced.inputs.segments
    where = str(answer.resolved.loaded.source.where(("workloads",)))
    children = [
        node("datum", f"price of {name}, output with its input", float(price), "USD/Mtok", where)
        for name, price in zip(segments.names, segments.usd_per_mtok, strict=True)
        if price
    ]
    return node("formula", "prices: list x realised share, by tier", None, "", "", children)


def _choices(answer: Answer) -> Node:
    children = []
    for name, racks in zip(answer.priced.inputs.platforms.names, answer.plan.racks, strict=True):
        if racks > 0:
            children.append(node("choice", f"buy {name}", float(racks), "racks", "fleet programme"))
    for limit in answer.plan.limits:
        if limit.binding:
            children.append(node("choice", f"{limit.name} binds", limit.up, limit.price_unit, "worth of one more"))
    first = next(iter(answer.plan.alternatives), None)
    if first is not None:
        name = f"runner-up: {first.platform} on {first.workload}, worse by"
        children.append(node("choice", name, first.worse_usd_per_mw_yr, "USD/MW/yr", "reduced cost"))
    return node("choice", f"plan of highest value for the {answer.priced.inputs.objective}", None, "", "", children)
