"""A build-out as the tables that scripts and the report read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.study.fleet.answer import FleetAnswer
from gigawatt.study.fleet.leaving import DUST, earnings, leavings
from gigawatt.study.fleet.words import BEHIND, leaving_sentence

Array = NDArray[np.float64]
IDLE = "idle"


def periods_table(answer: FleetAnswer) -> Table:
    """One row a quarter: power, racks, money, tokens."""
    build, plan, flows = answer.inputs.build, answer.plan, answer.flows
    made_in, made_out = _made(answer)
    served = np.array([work.is_serving for work in answer.inputs.resolved.works])
    drawn = build.points.mw @ plan.use
    per_mw = np.divide(flows.revenue_usd * 4, drawn, out=np.full(len(drawn), np.nan), where=drawn > DUST)
    left = plan.cash_usd
    rows = [
        {
            "quarter": name,
            "power_mw": _finite(build.power_mw[t]),
            "site_mw": float(plan.site_mw[t]),
            "mw": float(drawn[t]),
            "racks": float(plan.racks[:, t].sum()),
            "bought": float(plan.bought[:, t].sum()),
            "retired": float(plan.retired[:, t].sum()),
            "capital_in_usd": _finite(build.capital_usd[t]),
            "capital_usd": float(flows.capital_usd[t]),
            "resale_usd": float(flows.resale_usd[t]),
            "revenue_usd": float(flows.revenue_usd[t]),
            "running_usd": float(flows.running_usd[t]),
            "operating_usd": float(flows.operating_usd[t]),
            "funding_usd": float(flows.funding_usd[t]),
            "cash_usd": _finite(left[t]),
            "revenue_usd_per_mw_yr": _finite(per_mw[t]),
            "tokens_in_per_s": float(made_in[served, t].sum()),
            "tokens_out_per_s": float(made_out[served, t].sum()),
            "trained_tokens_per_s": float(made_out[~served, t].sum()),
        }
        for t, name in enumerate(build.quarters)
    ]
    units = {name: "USD" for name in rows[0] if name.endswith("_usd")} | {"power_mw": "MW", "site_mw": "MW", "mw": "MW"}
    units |= {name: "token/s" for name in rows[0] if name.endswith("per_s")} | {"revenue_usd_per_mw_yr": "USD/MW/yr"}
    note = (
        "Power is what may be drawn, site what is built, MW what is drawn. Purchases and resale fall at a quarter's start, "
        "what is earned at its end; funding is capital so far less resale and what was earned before."
    )
    return Table.from_rows("periods", rows, list(rows[0]), units, "Quarter by quarter", note)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _made(answer: FleetAnswer) -> tuple[Array, Array]:
    """[W, T] input and output tokens per second that the fleet makes."""
    build, points = answer.inputs.build, answer.inputs.build.points
    speed = build.speed[points.platform, points.workload]
    out = []
    for rate in (points.tokens_in_per_s, points.tokens_out_per_s):
        made = np.zeros((len(build.workloads), len(build.quarters)))
        np.add.at(made, points.workload, rate[:, None] * speed * answer.plan.use)
        out.append(made)
    return out[0], out[1]


def fleet_table(answer: FleetAnswer) -> Table:
    """One row a quarter, platform and workload; racks that do nothing as a row of their own.

    Purchases and retirements are of the platform, and stand in its first row of the quarter, so that columns add up.
    """
    build, plan, points = answer.inputs.build, answer.plan, answer.inputs.build.points
    shape = (len(build.platforms), len(build.workloads), len(build.quarters))
    racks, mw, made_in, made_out = (np.zeros(shape) for _ in range(4))
    at = (points.platform, points.workload)
    speed = build.speed[at]
    np.add.at(racks, at, plan.use)
    np.add.at(mw, at, points.mw[:, None] * plan.use)
    np.add.at(made_in, at, points.tokens_in_per_s[:, None] * speed * plan.use)
    np.add.at(made_out, at, points.tokens_out_per_s[:, None] * speed * plan.use)
    idle = plan.racks - racks.sum(axis=1)
    rows: list[dict[str, Any]] = []
    for t, quarter in enumerate(build.quarters):
        for p, platform in enumerate(build.platforms):
            changed = [float(plan.bought[p, t]), float(plan.retired[p, t])]
            mine = [w for w in range(shape[1]) if racks[p, w, t] > DUST]
            for w in mine:
                rows.append(_row(quarter, platform, build.workloads[w], racks[p, w, t], mw[p, w, t],
                                 made_in[p, w, t], made_out[p, w, t], changed))  # fmt: skip
                changed = [0.0, 0.0]
            if idle[p, t] > max(DUST, 1e-9 * plan.racks[p, t]) or max(changed) > DUST:
                rows.append(_row(quarter, platform, IDLE, max(float(idle[p, t]), 0.0), 0.0, 0.0, 0.0, changed))
    columns = [
        "quarter",
        "platform",
        "workload",
        "racks",
        "mw",
        "tokens_in_per_s",
        "tokens_out_per_s",
        "bought",
        "retired",
    ]
    units = {"mw": "MW", "tokens_in_per_s": "token/s", "tokens_out_per_s": "token/s"}
    note = (
        "Racks in use by what they do; those that do nothing are idle. Trained tokens count as output. Purchases and "
        "retirements of a platform stand in its first row of a quarter."
    )
    return Table.from_rows("fleet", rows, columns, units, "The fleet", note)


def _row(
    quarter: str, platform: str, workload: str, racks: float, mw: float, into: float, out: float, changed: list[float]
) -> dict[str, Any]:
    return {
        "quarter": quarter, "platform": platform, "workload": workload, "racks": float(racks), "mw": float(mw),
        "tokens_in_per_s": float(into), "tokens_out_per_s": float(out), "bought": changed[0], "retired": changed[1],
    }  # fmt: skip


def generations_table(answer: FleetAnswer) -> Table:
    """One row a platform: when it comes and goes, its racks, its share of the site's energy, what a MW of it earns."""
    build, plan, points = answer.inputs.build, answer.plan, answer.inputs.build.points
    mw = np.zeros((len(build.platforms), len(build.quarters)))
    np.add.at(mw, points.platform, points.mw[:, None] * plan.use)
    total = float(mw.sum())
    earned = earnings(build, plan)
    rows = []
    for p, name in enumerate(build.platforms):
        bought, gone = (np.flatnonzero(x[p] > DUST) for x in (plan.bought, plan.retired))
        first = int(answer.inputs.first[p])
        working = np.flatnonzero(mw[p] > DUST)
        rows.append(
            {
                "platform": name,
                "available": build.quarters[first] if first < len(build.quarters) else "after the horizon",
                "first_bought": build.quarters[bought[0]] if len(bought) else None,
                "last_bought": build.quarters[bought[-1]] if len(bought) else None,
                "leaves": build.quarters[gone[0]] if len(gone) else None,
                "opening": float(build.opening_racks[p]),
                "bought": float(plan.bought[p].sum()),
                "retired": float(plan.retired[p].sum()),
                "peak_mw": float(mw[p].max(initial=0.0)),
                "share": float(mw[p].sum()) / total if total else 0.0,
                "capital_usd": float(plan.bought[p] @ build.list_usd[p]),
                "earns_first_usd_per_mw_yr": _finite(earned[p, working[0]]) if len(working) else None,
                "earns_last_usd_per_mw_yr": _finite(earned[p, working[-1]]) if len(working) else None,
            }
        )
    units = {"peak_mw": "MW", "share": "share", "capital_usd": "USD"}
    units |= {f"earns_{end}_usd_per_mw_yr": "USD/MW/yr" for end in ("first", "last")}
    note = "Share: of all MW drawn. Earns: a MW at its best work, energy and upkeep paid, before capital."
    return Table.from_rows("generations", rows, list(rows[0]), units, "Generations", note)


def leaving_table(answer: FleetAnswer) -> Table:
    """One row a platform and stretch of quarters in which its racks leave."""
    build = answer.inputs.build
    rows: list[dict[str, Any]] = [
        {
            "platform": one.platform,
            "first": build.quarters[one.first],
            "last": build.quarters[one.last],
            "racks": one.racks,
            "resale_usd": one.resale_usd,
            "earns_usd_per_mw_yr": one.earns,
            "under": one.taker,
            "under_usd_per_mw_yr": _finite(one.under),
            "words": leaving_sentence(one, build.quarters),
        }
        for one in leavings(build, answer.plan)
    ]
    columns = ["platform", "first", "last", "racks", "resale_usd", "earns_usd_per_mw_yr", "under", "under_usd_per_mw_yr",
               "words"]  # fmt: skip
    units = {"resale_usd": "USD", "earns_usd_per_mw_yr": "USD/MW/yr", "under_usd_per_mw_yr": "USD/MW/yr"}
    return Table.from_rows("leaving", rows, columns, units, "What leaves, and why")


def limits_table(answer: FleetAnswer) -> Table:
    """One row a limit and quarter."""
    rows: list[dict[str, Any]] = [
        {
            "name": limit.name.removesuffix(f" in {limit.quarter}"),
            "kind": limit.kind,
            "quarter": limit.quarter,
            "used": limit.used,
            "available": limit.limit,
            "used_share": limit.used / limit.limit if limit.limit else None,
            "shadow_price_up": _finite(limit.up),
            "shadow_price_down": _finite(limit.down),
            "lasting_up": _finite(limit.lasting_up),
            "unit": limit.unit,
            "price_unit": limit.price_unit,
            "binding": limit.binding,
            "words": limit.words,
        }
        for limit in answer.plan.limits
    ]
    columns = ["name", "kind", "quarter", "used", "available", "used_share", "shadow_price_up", "shadow_price_down",
               "lasting_up", "unit", "price_unit", "binding", "words"]  # fmt: skip
    note = (
        "The worth of one more (up) and of the last one (down) of a limit in a quarter alone, and of one more from then on "
        "(lasting), in today's dollars of the objective."
    )
    return Table.from_rows("limits", rows, columns, {"used_share": "share"}, "What limits you, by quarter", note)


def policies_table(answer: FleetAnswer) -> Table:
    """What each way to decide reaches, and what it loses against foresight of all quarters."""
    best = answer.others.get("perfect", answer.npv_usd)
    words = {
        "perfect": "all quarters known at the start",
        "rolling": f"a rolling window of {answer.window} quarters",
        "myopic": "quarter by quarter",
    }
    rows: list[dict[str, Any]] = [
        {
            "policy": name,
            "decides": words[name],
            "shown": "yes" if name == answer.policy else "",
            "npv_usd": _finite(answer.others[name]),
            "lost_usd": _finite(answer.lost_usd(name)),
            "lost_share": _finite(answer.lost_usd(name) / best) if best > 0 else None,
        }
        for name in words
        if name in answer.others
    ]
    units = {"npv_usd": "USD", "lost_usd": "USD", "lost_share": "share"}
    note = BEHIND
    columns = ["policy", "decides", "shown", "npv_usd", "lost_usd", "lost_share"]
    return Table.from_rows("policies", rows, columns, units, "What foresight is worth", note)


def excluded_table(answer: FleetAnswer) -> Table:
    """Pairs that have no point, and offers that are never bought."""
    resolved, build = answer.inputs.resolved, answer.inputs.build
    rows = [
        {
            "platform": resolved.offers[r.offer].offer.id,
            "workload": resolved.works[r.work].id,
            "reason": r.reason,
            "fix": r.fix,
        }
        for r in answer.inputs.refusals
    ]
    refused = {(row["platform"], row["workload"]) for row in rows}
    for p, name in enumerate(build.platforms):
        runs = [work.id for work in resolved.works if (name, work.id) not in refused]
        if runs and answer.plan.bought[p].sum() <= DUST:
            reason = "never bought: at its price and watts others earn more on the same limits"
            rows.append({"platform": name, "workload": ", ".join(runs), "reason": reason, "fix": ""})
    return Table.from_rows(
        "excluded", rows, ["platform", "workload", "reason", "fix"], {}, "What was not built, and why"
    )


def performance_table(answer: FleetAnswer) -> Table:
    """One row a platform and workload: its most used point (else the best by tokens a MW), with speed at both ends."""
    build, points = answer.inputs.build, answer.inputs.build.points
    priced, use = answer.inputs.priced, answer.plan.use.sum(axis=1)
    rows = []
    for p, platform in enumerate(build.platforms):
        for w, workload in enumerate(build.workloads):
            mine = np.flatnonzero((points.platform == p) & (points.workload == w))
            if not len(mine):
                continue
            rate = points.tokens_out_per_s / points.mw
            j = int(mine[np.argmax(use[mine])] if use[mine].any() else mine[np.argmax(rate[mine])])
            found = priced.performance.points[priced.points_of[j]]
            first, last = (
                float(build.speed[p, w, t]) for t in (min(int(answer.inputs.first[p]), len(build.quarters) - 1), -1)
            )
            rows.append(
                {
                    "workload": workload,
                    "platform": platform,
                    "mapping": found.mapping,
                    "precision": found.precision,
                    "mode": found.mode,
                    "tokens_out_per_s_per_mw": float(rate[j]) * first,
                    "tokens_out_per_s_per_mw_end": float(rate[j]) * last,
                    "joules_per_token": 1e6 / (float(rate[j]) * first) if rate[j] else None,
                    "speed_first": first,
                    "speed_end": last,
                    "bound": found.bound,
                    "in_use": "yes" if use[mine].any() else "",
                }
            )
    units = {
        "tokens_out_per_s_per_mw": "token/s/MW",
        "tokens_out_per_s_per_mw_end": "token/s/MW",
        "joules_per_token": "J/token",
    }
    note = "At the speed of software in the quarter in which the platform may first be bought, and in the last one."
    place = {name: at for at, name in enumerate(build.workloads)}
    order = sorted(rows, key=lambda row: place[str(row["workload"])])
    columns = list(rows[0]) if rows else ["workload", "platform"]
    return Table.from_rows("performance", order, columns, units, "Performance", note)
