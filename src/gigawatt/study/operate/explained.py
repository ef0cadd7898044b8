"""Where the headline numbers of the hours come from: trees for `gigawatt explain`, kept in a run's manifest."""

from __future__ import annotations

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory.operation import Operation
from gigawatt.study.explain import Node, node, of_datum
from gigawatt.study.operate.conditions import ZERO_C_K
from gigawatt.study.operate.fleet import Setting
from gigawatt.study.trust import measured_errors

NEEDS = {
    "revenue_per_day": ("tokens", "prices", "choice"),
    "margin_per_day": ("tokens", "prices", "energy", "choice"),
    "tokens_out_per_day": ("tokens", "demand", "choice"),
    "run_tokens_per_day": ("tokens", "choice"),
    "missed_share": ("tokens", "demand", "power", "choice"),
    "unserved_share": ("tokens", "demand", "power", "choice"),
    "energy_per_day": ("building", "choice"),
    "energy_usd_per_day": ("energy", "choice"),
    "pue": ("building",),
    "load_factor": ("building", "choice"),
    "load_factor_in_plan": ("plan",),
    "joules_per_output_token": ("tokens", "building", "choice"),
    "hours_short_of_power": ("power", "choice"),
    "best_mwh_usd": ("power", "prices", "choice"),
    "water_per_day": ("building",),
    "carbon_per_day": ("energy", "choice"),
}


def trees(setting: Setting, done: Operation, metrics: Table) -> dict[str, Node]:
    """A tree for every headline number."""
    parts = {
        "tokens": _tokens(setting, done),
        "demand": _demand(setting),
        "prices": _prices(setting),
        "energy": _energy(setting, done),
        "building": _building(setting, done),
        "power": _power(setting, done),
        "plan": _plan(setting),
        "choice": _choice(setting, done),
    }
    out = {}
    for row in metrics.rows():
        children = [parts[name] for name in NEEDS.get(row["name"], ("tokens", "prices", "energy", "choice"))]
        out[row["name"]] = node("formula", f"{row['name']}: {row['formula']}", row["value"], row["unit"], "", children)
    return out


def _tokens(setting: Setting, done: Operation) -> Node:
    answer, inputs = setting.answer, setting.inputs
    errors = measured_errors(answer.resolved)
    children = []
    busy = done.busy.mean(axis=1)
    for j in np.flatnonzero(busy > 0):
        made = answer.priced.performance.points[answer.priced.points_of[setting.way_point[j]]]
        kind = answer.resolved.works[made.work].uses
        record = "serving-steady-state" if kind == "serving" else "training-step"
        error, source = errors[kind]
        leaf = node("calibration", f"calibration/{record}: median error outside the fit", error, "share", source)
        name = f"{inputs.ways.label[j]}: {made.bound} binds; {busy[j]:,.4g} racks busy in the mean"
        children.append(node("formula", name, float(inputs.ways.tokens_out_per_s[j]), "token/s per rack", "", [leaf]))
    return node("formula", "tokens: busy racks x tokens per rack, hour by hour", None, "", "", children)


def _demand(setting: Setting) -> Node:
    where = str(setting.answer.resolved.loaded.source.where(("workloads",)))
    children = [
        node("datum", f"demand of {name}, mean of the hours", float(demand.mean()), "token/s", where)
        for name, kind, demand in zip(
            setting.inputs.works.names, setting.inputs.works.kind, setting.demand_tokens_per_s, strict=True
        )
        if kind == "service"
    ]
    return node("formula", "demand: its mean x the wave of the day", None, "", "", children)


def _prices(setting: Setting) -> Node:
    segments = setting.answer.priced.inputs.segments
    where = str(setting.answer.resolved.loaded.source.where(("workloads",)))
    children = []
    for s in setting.segment:
        price = float(segments.usd_per_mtok[s])
        if price:
            children.append(
                node("datum", f"price of {segments.names[s]}, output with its input", price, "USD/Mtok", where)
            )
    return node("formula", "prices: list x realised share, by tier", None, "", "", children)


def _energy(setting: Setting, done: Operation) -> Node:
    resolved, sources = setting.answer.resolved, setting.inputs.sources
    children = []
    for name, made, price in zip(sources.names, done.gen_mw, sources.usd_per_mwh, strict=True):
        mwh = float(made.sum())
        if mwh > 0:
            paid = f"at {float(made @ price) / mwh:,.4g} USD/MWh in the mean"
            children.append(node("formula", f"MWh of {name}", mwh, "MWh", paid))
    children += [
        of_datum("energy price of the grid, mean of the year", resolved.energy_price, 3.6e9, "USD/MWh"),
        of_datum("carbon of the grid", resolved.site.carbon, 3.6e9, "kg/MWh"),
        _building(setting, done),
    ]
    return node(
        "formula", "energy: MWh by source x price of the hour", float(done.energy_usd.sum()), "USD", "", children
    )


def _building(setting: Setting, done: Operation) -> Node:
    facility, around = setting.answer.resolved.facility, setting.around
    children = [
        node("datum", "dry bulb, mean of the hours", float(around.dry_bulb_k.mean()) - ZERO_C_K, "C", around.made),
        node("datum", "wet bulb, mean of the hours", float(around.wet_bulb_k.mean()) - ZERO_C_K, "C", around.made),
        of_datum("liquid share of heat", facility.liquid_share),
        of_datum("UPS: standing loss", facility.ups.no_load),
        of_datum("house load", facility.house_load),
    ]
    label = "building: meter MW = fixed + per IT MW x IT MW, by the hour's air and load"
    return node("formula", label, float(done.meter_mw.sum()), "MWh", f"{done.it_mw.sum():,.5g} MWh of IT", children)


def _power(setting: Setting, done: Operation) -> Node:
    short = [
        label[-5:] for label, worth in zip(setting.around.labels(), done.worth_usd_per_mwh, strict=True) if worth > 1e-3
    ]
    children = [
        node("datum", "connection and plant, least of the hours", float(setting.inputs.sources.available_mw.sum(axis=0).min()),
             "MW", str(setting.answer.resolved.loaded.source.where(("site",)))),
        node("choice", f"power is short at {', '.join(short)}" if short else "power is short in no hour",
             float(done.worth_usd_per_mwh.max()), "USD/MWh", "dual of the hour's power, whole blocks fixed"),
    ]  # fmt: skip
    return node("formula", "power: what racks may draw in each hour", None, "", "", children)


def _plan(setting: Setting) -> Node:
    answer = setting.answer
    children = [
        of_datum("mean load of serving", answer.resolved.costs.load_factor),
        node("choice", "MW built", answer.plan.site_mw, "MW", "fleet programme"),
    ]
    return node("formula", "plan: racks in use x their load", None, "", "", children)


def _choice(setting: Setting, done: Operation) -> Node:
    answer = setting.answer
    names = answer.priced.inputs.platforms.names
    children = [
        node("choice", f"{names[p]}, bought by the plan", float(answer.plan.racks[p]), "racks", "fleet programme")
        for p in setting.platforms
    ]
    return node("choice", "hours of highest margin", done.value_usd, "USD", "programme of the hours", children)
