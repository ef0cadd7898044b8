"""Where a build-out's headline numbers come from: flows by quarter, choices, prices, calibrations."""

from __future__ import annotations

import numpy as np

from gigawatt.core.table import Table
from gigawatt.study.explain import Node, node, of_datum
from gigawatt.study.fleet.answer import FleetAnswer
from gigawatt.study.fleet.inputs import RESALE
from gigawatt.study.fleet.leaving import DUST
from gigawatt.study.trust import measured_errors

NEEDS = {
    "npv_usd": ("revenue", "energy", "upkeep", "capital", "resale", "choice"),
    "capital_usd": ("capital", "choice"),
    "peak_capital_usd": ("capital", "resale", "revenue", "energy", "upkeep", "choice"),
    "revenue_usd": ("revenue", "choice"),
    "energy_usd": ("energy", "choice"),
    "revenue_per_mw_year": ("revenue", "choice"),
    "tokens_out": ("tokens", "choice"),
    "rolling_lost_usd": ("policies",),
    "myopic_lost_usd": ("policies",),
}


def trees(answer: FleetAnswer, metrics: Table) -> dict[str, Node]:
    """A tree for every headline metric."""
    parts = {
        "revenue": _revenue(answer),
        "tokens": _tokens(answer),
        "energy": _energy(answer),
        "upkeep": _upkeep(answer),
        "capital": _capital(answer),
        "resale": _resale(answer),
        "choice": _choice(answer),
        "policies": _policies(answer),
    }
    out = {}
    for row in metrics.rows():
        children = [parts[name] for name in NEEDS.get(row["name"], ("choice",))]
        out[row["name"]] = node("formula", f"{row['name']}: {row['formula']}", row["value"], row["unit"], "", children)
    return out


def _revenue(answer: FleetAnswer) -> Node:
    inputs = answer.inputs
    build = inputs.build
    where = str(inputs.resolved.loaded.source.where(("workloads",)))
    children = [_tokens(answer)]
    for s, name in enumerate(build.segments):
        first, last = (float(build.price_usd_per_mtok[s, t]) for t in (0, -1))
        if first or last:
            children.append(node("datum", f"price of {name}, first quarter", first, "USD/Mtok", where))
            if last != first:
                place = str(inputs.resolved.loaded.source.where(("build_out", "trends")))
                children.append(node("datum", f"price of {name}, last quarter", last, "USD/Mtok", place))
    total = float(answer.flows.revenue_usd.sum())
    return node("formula", "revenue: tokens sold x price, and rent, quarter by quarter", total, "USD", "", children)


def _tokens(answer: FleetAnswer) -> Node:
    inputs = answer.inputs
    build, points = inputs.build, inputs.build.points
    errors = measured_errors(inputs.resolved)
    children = []
    use = answer.plan.use.sum(axis=1)
    for j in np.flatnonzero(use > DUST):
        made = inputs.priced.performance.points[inputs.priced.points_of[j]]
        kind = inputs.resolved.works[made.work].uses
        record = "serving-steady-state" if kind == "serving" else "training-step"
        error, source = errors[kind]
        speed = build.speed[points.platform[j], points.workload[j]]
        leaves = [
            node("calibration", f"calibration/{record}: median error outside the fit", error, "share", source),
            node("calibration", "calibration/software-maturity: speed in the last quarter", float(speed[-1]), "",
                 "over that of the points"),
        ]  # fmt: skip
        name = f"{build.platforms[points.platform[j]]}, {points.label[j]}: {made.bound} binds"
        children.append(node("formula", name, float(points.tokens_out_per_s[j]), "token/s per rack", "", leaves))
    return node("formula", "tokens: racks in use x tokens per rack x speed of software", None, "", "", children)


def _energy(answer: FleetAnswer) -> Node:
    resolved = answer.inputs.resolved
    children = [
        of_datum("energy price of the first quarter", resolved.energy_price, 3.6e9, "USD/MWh"),
        node("datum", "its change", resolved.scenario.build_out.energy_price, "share a year",
             str(resolved.loaded.source.where(("build_out", "energy_price")))),
        of_datum("mean load of serving", resolved.costs.load_factor),
    ]  # fmt: skip
    total = float(answer.flows.energy_usd.sum())
    return node("formula", "energy: MW x load x hours x price", total, "USD", "", children)


def _upkeep(answer: FleetAnswer) -> Node:
    costs = answer.inputs.resolved.costs
    children = [of_datum("maintenance of racks", costs.maintenance_share), of_datum("staff", costs.staff)]
    total = float((answer.flows.upkeep_usd + answer.flows.staff_usd).sum())
    return node("formula", "upkeep and staff: shares of capital, USD a MW-year", total, "USD", "", children)


def _capital(answer: FleetAnswer) -> Node:
    inputs = answer.inputs
    children = []
    for p, offered in enumerate(inputs.resolved.offers):
        if answer.plan.bought[p].sum() <= DUST:
            continue
        if offered.offer.list_price is not None:
            place = str(inputs.resolved.loaded.source.where(("fleet", p, "list_price")))
            children.append(
                node("datum", f"list price of a rack of {offered.offer.id}", offered.offer.list_price, "USD", place)
            )
        elif offered.platform.list_price is not None:
            children.append(of_datum(f"list price of a rack of {offered.offer.id}", offered.platform.list_price))
    children.append(of_datum("shell price", inputs.resolved.facility.shell_price, 1e6, "USD/MW of IT"))
    total = float(answer.flows.capital_usd.sum())
    return node("formula", "capital: racks x list price of the quarter + MW x shell price", total, "USD", "", children)


def _resale(answer: FleetAnswer) -> Node:
    known = answer.inputs.resolved.catalog.get("price", RESALE).resale_share_by_age
    children = [of_datum(f"resale after {age} years, of the price when new", datum) for age, datum in known.items()]
    total = float(answer.flows.resale_usd.sum()) + answer.flows.worth_end_usd
    return node(
        "formula", "resale of racks that leave, and worth of racks and shell at the end", total, "USD", "", children
    )


def _choice(answer: FleetAnswer) -> Node:
    build, plan = answer.inputs.build, answer.plan
    children = []
    for p, name in enumerate(build.platforms):
        bought = np.flatnonzero(plan.bought[p] > DUST)
        if len(bought):
            when = f"{build.quarters[bought[0]]} to {build.quarters[bought[-1]]}"
            children.append(
                node("choice", f"buy {name}, {when}", float(plan.bought[p].sum()), "racks", "build-out programme")
            )
        gone = np.flatnonzero(plan.retired[p] > DUST)
        if len(gone):
            when = f"{build.quarters[gone[0]]} to {build.quarters[gone[-1]]}"
            children.append(
                node("choice", f"retire {name}, {when}", float(plan.retired[p].sum()), "racks", "build-out programme")
            )
    party = answer.inputs.priced.inputs.objective
    name = f"build-out of highest present value for the {party}, decided with {answer.policy} foresight"
    return node("choice", name, None, "", "", children)


def _policies(answer: FleetAnswer) -> Node:
    children = [
        node("choice", f"decided with {name} foresight", value, "USD", "") for name, value in answer.others.items()
    ]
    return node("formula", "present value under each way to decide", None, "", "", children)
