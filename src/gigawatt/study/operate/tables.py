"""Rows of the hours: the site's, each work's, the stages between meter and racks, the policies beside, the postings."""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory.operation import Dispatched, Operation
from gigawatt.factory.operation.model import HOUR_S
from gigawatt.finance import Ledger
from gigawatt.study.operate.conditions import ZERO_C_K
from gigawatt.study.operate.fleet import Setting
from gigawatt.study.operate.measures import served_tokens_per_s
from gigawatt.study.operate.money import net_by_hour


def hours_table(setting: Setting, done: Operation, ledger: Ledger) -> Table:
    """One row an hour; of each work its MW at the meter and the share of what is asked for that is served."""
    around, inputs = setting.around, setting.inputs
    operator = setting.answer.resolved.scenario.company("operator")
    columns: dict[str, Any] = {
        "hour": around.labels(),
        "dry_bulb_c": around.dry_bulb_k - ZERO_C_K,
        "wet_bulb_c": around.wet_bulb_k - ZERO_C_K,
        "cap_mw": inputs.cap_mw,
        "meter_mw": done.meter_mw,
        "peak_mw": done.peak_mw,
        "it_mw": done.it_mw,
        "pue": done.meter_mw / done.it_mw,
        "usd_per_mwh": _paid(done),
        "worth_usd_per_mwh": done.worth_usd_per_mwh,
        "last_usd_per_mwh": done.last_usd_per_mwh,
        "binds": done.binds,
        "racks_up": inputs.up_racks.sum(axis=0),
        "racks_off": done.off.sum(axis=0),
        "revenue_usd": done.revenue_usd.sum(axis=0),
        "energy_usd": done.energy_usd,
        "operator_net_usd": net_by_hour(ledger, operator),
    }
    meter = done.work_it_mw * inputs.per_it
    for w, name in enumerate(inputs.works.names):
        columns[f"{name}_mw"] = meter[w]
    if len(inputs.sources.names) > 1 or inputs.stores.names:
        for k, name in enumerate(inputs.sources.names):
            columns[f"from_{name}_mw"] = done.gen_mw[k]
        for b, name in enumerate(inputs.stores.names):
            columns[f"from_{name}_mw"] = done.discharge_mw[b] - done.charge_mw[b]
    served = served_tokens_per_s(setting, done)
    for w, name in enumerate(inputs.works.names):
        if inputs.works.kind[w] == "service":
            asked = setting.demand_tokens_per_s[w]
            columns[f"{name}_served_share"] = np.divide(served[w], asked, out=np.ones_like(asked), where=asked > 0)
    units = dict.fromkeys((n for n in columns if n.endswith("_mw")), "MW")
    units |= dict.fromkeys((n for n in columns if n.endswith("_usd")), "USD") | {"dry_bulb_c": "C", "wet_bulb_c": "C"}
    units |= dict.fromkeys((n for n in columns if n.endswith("usd_per_mwh")), "USD/MWh")
    units |= dict.fromkeys((n for n in columns if n.endswith("_share")), "share")
    note = (
        "cap is what the meter may draw; peak is what busy racks are provided for and meter what is drawn on average. worth is "
        "of one MW more for the hour, last of the last one, after energy is paid for; binds says what is short in the hour: "
        "power, the building, racks."
    )
    plain = {name: list(values) for name, values in columns.items()}
    return Table("hours", plain, units, f"Hour by hour from {around.labels()[0]}", note)


def _paid(done: Operation) -> Any:
    """[H] mean price of what the sources give; of the first one where none gives."""
    given = done.gen_mw.sum(axis=0)
    first = done.inputs.sources.usd_per_mwh[0].copy()
    return np.divide(done.energy_usd, given, out=first, where=given > 1e-9)


def works_table(setting: Setting, done: Operation) -> Table:
    """One row a work and hour."""
    inputs = setting.inputs
    held, meter = done.held_racks, done.work_it_mw * inputs.per_it
    made_in, made_out = done.tokens_in_per_s, done.tokens_out_per_s
    served = served_tokens_per_s(setting, done)
    labels = setting.around.labels()
    rows = []
    for w, name in enumerate(inputs.works.names):
        service = inputs.works.kind[w] == "service"
        for h, label in enumerate(labels):
            out = served[w, h] if service else made_out[w, h]
            part = out / made_out[w, h] if made_out[w, h] > 0 else 0.0
            asked = setting.demand_tokens_per_s[w, h] if service else None
            rows.append(
                {
                    "hour": label,
                    "workload": name,
                    "racks": held[w, h],
                    "mw": meter[w, h],
                    "tokens_in_per_s": made_in[w, h] * part,
                    "tokens_out_per_s": out,
                    "demand_tokens_per_s": asked,
                    "planned_tokens_per_s": setting.planned[w, h],
                    "served_share": out / asked if asked else None,
                    "joules_per_token": meter[w, h] * 1e6 / out if out > 0 else None,
                }
            )
    units = {"mw": "MW", "served_share": "share", "joules_per_token": "J/token"}
    units |= dict.fromkeys((n for n in rows[0] if n.endswith("tokens_per_s") or n.startswith("tokens_")), "token/s")
    note = (
        "Racks set up for the work, those that wait included; MW at the meter with their share of losses and cooling. planned "
        "is what the plan meant to serve in the hour, or the pace of a run."
    )
    return Table.from_rows("work_hours", rows, list(rows[0]), units, "Each work by the hour", note)


def totals_table(setting: Setting, done: Operation) -> Table:
    """One row a work: what its hours add up to, beside what the plan meant."""
    inputs = setting.inputs
    days = inputs.hours / 24
    held, meter = done.held_racks, done.work_it_mw * inputs.per_it
    served = served_tokens_per_s(setting, done)
    revenue = np.zeros(len(inputs.works.names))
    np.add.at(revenue, inputs.segments.work, done.revenue_usd.sum(axis=1))
    rows = []
    for w, name in enumerate(inputs.works.names):
        service = inputs.works.kind[w] == "service"
        out = served[w] if service else done.tokens_out_per_s[w]
        moved = done.gain[inputs.lanes.work == w].sum()
        rows.append(
            {
                "workload": name,
                "kind": inputs.works.kind[w],
                "racks_mean": held[w].mean(),
                "racks_least": held[w].min(),
                "racks_most": held[w].max(),
                "mwh_per_day": meter[w].sum() / days,
                "tokens_per_day": out.sum() * HOUR_S / days,
                "of_plan": out.sum() / setting.planned[w].sum() if setting.planned[w].sum() else None,
                "revenue_usd_per_day": revenue[w] / days,
                "racks_taken_over_per_day": moved / days,
                "hand_over_hours": float(inputs.lanes.start_hours[inputs.lanes.work == w].max()),
            }
        )
    units = {"mwh_per_day": "MWh", "tokens_per_day": "token", "of_plan": "share", "revenue_usd_per_day": "USD"}
    note = (
        "of plan: tokens over what the plan meant in this phase. A service's demand of an hour is served in it or lost. A run "
        "owes its pace over each day (block: all its racks run or none; elastic: it shrinks and grows) or over all hours "
        "(waiting). A rack that is taken over from other work loses its hand-over hours."
    )
    return Table.from_rows("works", rows, list(rows[0]), units | {"hand_over_hours": "h"}, "What each work gets", note)


def stages_table(setting: Setting, done: Operation) -> Table:
    """One row an hour: mean watts by stage from the meter to the racks; what the racks draw without work is a stage too."""
    inputs = setting.inputs
    work = done.work_it_mw
    idle = done.it_mw - work.sum(axis=0)
    fixed = inputs.fixed_mw
    columns: dict[str, Any] = {"hour": setting.around.labels(), "meter_mw": done.meter_mw}
    for w, name in enumerate(inputs.works.names):
        columns[f"{name}_it_mw"] = work[w]
    columns |= {
        "racks_without_work_mw": np.where(np.abs(idle) < 1e-9, 0.0, idle),
        "losses_and_cooling_mw": (inputs.per_it - 1.0) * done.it_mw,
        "house_mw": fixed,
    }
    units = dict.fromkeys((n for n in columns if n.endswith("_mw")), "MW")
    note = "The stages sum to the meter in every hour."
    return Table("power_hours", {n: list(v) for n, v in columns.items()}, units, "Power by the hour and stage", note)


def policies_table(setting: Setting, done: Operation, others: tuple[Dispatched, ...]) -> Table:
    """The steered hours beside racks that are tied to one work and a fixed order of works."""
    inputs = setting.inputs
    days = inputs.hours / 24
    service = np.array([kind == "service" for kind in inputs.works.kind], dtype=bool)
    served = served_tokens_per_s(setting, done)[service].sum() * HOUR_S / days
    rows: list[dict[str, Any]] = [
        {
            "policy": "steered by the hour",
            "margin_usd_per_day": done.value_usd / days,
            "worth_of_steering_usd_per_day": 0.0,
            "tokens_out_per_day": float(served),
            "energy_mwh_per_day": float(done.meter_mw.sum()) / days,
            "short": "",
        }
    ]
    for other in others:
        names = [
            f"{inputs.works.names[w]} short by {other.short_tokens[w] / days:,.3g} tokens a day"
            for w in np.flatnonzero(other.short_tokens > 1e-6 * np.maximum(other.made_tokens, 1.0))
        ]
        able = bool(np.isfinite(other.value_usd))
        rows.append(
            {
                "policy": other.name,
                "margin_usd_per_day": other.value_usd / days if able else None,
                "worth_of_steering_usd_per_day": (done.value_usd - other.value_usd) / days
                if able and not names
                else None,
                "tokens_out_per_day": float(other.made_tokens[service].sum()) / days if able else None,
                "energy_mwh_per_day": other.energy_mwh / days if able else None,
                "short": "; ".join(names) if able else "no split keeps every pace",
            }
        )
    units = {"margin_usd_per_day": "USD", "worth_of_steering_usd_per_day": "USD", "tokens_out_per_day": "token"}
    note = (
        "static split: the best tying of racks to one work each, for all hours. priority order: runs at their pace first, then "
        "services by what a MW of them earns, no hour looking at another. Worth only where every run keeps its pace."
    )
    columns = list(rows[0])
    return Table.from_rows(
        "policies", rows, columns, units | {"energy_mwh_per_day": "MWh"}, "What steering is worth", note
    )


def postings_table(setting: Setting, ledger: Ledger) -> Table:
    """Postings with the hour as their period."""
    made = ledger.postings()
    labels = setting.around.labels()
    columns = {"period": made.columns["period"], "hour": [labels[k] for k in made.columns["period"]]}
    columns |= {n: made.columns[n] for n in ("payer", "payee", "account", "contract", "status", "amount_usd")}
    note = "Each posting leaves one company and reaches another: every hour sums to zero."
    return Table("postings", columns, {"amount_usd": "USD"}, "Who pays whom, by the hour", note)
