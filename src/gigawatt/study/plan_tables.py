"""Tables of what is built, what was left out, what limits it, how it performs, where the watts go."""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory import Limit
from gigawatt.physics.site import balance, sankey_links
from gigawatt.study.answer import Answer
from gigawatt.study.bands import percentiles


def plan_table(answer: Answer) -> Table:
    """One row a platform and workload: mean racks in use over the horizon, their watts, tokens, capital and value."""
    plan, inputs, points = answer.plan, answer.priced.inputs, answer.priced.inputs.points
    use = plan.mean_use
    total = sum(answer.row_value.values())
    worth = total * answer.line.annuity_years
    spread = [p / worth if worth else 1.0 for p in percentiles(answer.bands.npv(inputs.objective))]
    in_use = np.zeros(len(inputs.platforms.names))
    np.add.at(in_use, points.platform, use)
    rows = []
    for (p, w), value in sorted(answer.row_value.items(), key=lambda item: -item[1]):
        mine = (points.platform == p) & (points.workload == w)
        racks = float(use[mine].sum())
        share = racks / in_use[p] if in_use[p] else 0.0
        main = int(np.flatnonzero(mine)[np.argmax(use[mine])])
        mw = float((use * points.mw)[mine].sum())
        shell = answer.priced.shell_usd_per_mw * answer.site_mw * (mw / answer.mean_mw if answer.mean_mw else 0.0)
        npv = value * answer.line.annuity_years
        band = sorted((npv * spread[0], npv * spread[2]))
        rows.append(
            {
                "platform": inputs.platforms.names[p],
                "workload": inputs.workloads[w],
                "point": points.label[main],
                "racks": float(plan.racks[p]) * share,
                "mw": mw,
                "tokens_in_per_s": float((use * points.tokens_in_per_s)[mine].sum()),
                "tokens_out_per_s": float((use * points.tokens_out_per_s)[mine].sum()),
                "capex_usd": float(inputs.platforms.capex_usd[p] * plan.racks[p] * share) + shell,
                "npv_usd": npv,
                "npv_low_usd": band[0],
                "npv_high_usd": band[1],
            }
        )
    columns = list(rows[0]) if rows else ["platform", "workload", "racks", "mw", "tokens_in_per_s", "tokens_out_per_s",
                                          "capex_usd", "npv_usd"]  # fmt: skip
    units = {"mw": "MW", "tokens_in_per_s": "token/s", "tokens_out_per_s": "token/s", "capex_usd": "USD"}
    units |= dict.fromkeys(("npv_usd", "npv_low_usd", "npv_high_usd"), "USD")
    note = (
        "Racks are owned racks, shared among workloads by their time in use (mean over the horizon). Capital is at list "
        "price with each row's share of the shell. NPV is for the objective; its band is the plan's, shared in proportion."
    )
    return Table.from_rows("plan", rows, columns, units, "What to build", note)


def excluded_table(answer: Answer) -> Table:
    """What was not chosen, nearest first, and the change of price at which it would be."""
    rows: list[dict[str, Any]] = []
    for other in answer.plan.alternatives:
        cut = other.price_cut
        if other.bought:
            reason = "the platform earns more on other work"
        elif cut is None or not np.isfinite(cut) or cut >= 1:
            reason = "no price would do: it earns less than its power and upkeep cost here"
        else:
            reason = "worth less than what is built, at its price"
        rows.append(
            {
                "platform": other.platform,
                "workload": other.workload,
                "reason": reason,
                "price_change_needed": -cut if cut is not None and np.isfinite(cut) and cut < 1 else None,
                "value_gap_usd_per_mw_yr": other.worse_usd_per_mw_yr,
            }
        )
    rows.sort(key=lambda row: float(row["value_gap_usd_per_mw_yr"]))
    names = [o.offer.id for o in answer.resolved.offers]
    for why in answer.priced.performance.refusals:
        rows.append(
            {
                "platform": names[why.offer],
                "workload": answer.resolved.works[why.work].id,
                "reason": f"{why.reason}: {why.fix}" if why.fix else why.reason,
            }
        )
    columns = ["platform", "workload", "reason", "price_change_needed", "value_gap_usd_per_mw_yr"]
    return Table.from_rows(
        "excluded",
        rows,
        columns,
        {"price_change_needed": "share", "value_gap_usd_per_mw_yr": "USD/MW/yr"},
        "Not bought",
    )


def limits_table(answer: Answer) -> Table:
    """Every limit with what is used of it and what one more, and the last one, are worth."""
    from gigawatt.factory.limits import sentence

    def finite(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    def row(limit: Limit) -> dict[str, Any]:
        return {
            "name": limit.name,
            "used": _settled(limit.used, limit.limit),
            "available": limit.limit,
            "used_share": finite(_settled(limit.used_share, 1.0)),
            "shadow_price_up": finite(limit.up),
            "shadow_price_down": finite(limit.down),
            "unit": limit.unit,
            "price_unit": limit.price_unit,
            "words": sentence(limit),
        }

    rows = [row(limit) for limit in sorted(answer.plan.limits, key=lambda limit: not limit.binding)]
    columns = ["name", "used", "available", "used_share", "shadow_price_up", "shadow_price_down", "unit", "price_unit",
               "words"]  # fmt: skip
    note = "Worth of one more (up) and of the last one (down); they differ where several limits meet."
    return Table.from_rows("limits", rows, columns, {"used_share": "share"}, "What limits you", note)


def _settled(value: float, scale: float) -> float:
    """Solver dust to zero."""
    return 0.0 if abs(value) < 1e-9 * max(abs(scale), 1.0) else value


def performance_table(answer: Answer, errors: dict[str, tuple[float, str]]) -> Table:
    """The operating points in use: mapping, speed, joules, what binds, and the measured error of that kind of answer."""
    plan, priced = answer.plan, answer.priced
    points, use = priced.inputs.points, plan.mean_use
    rows: list[dict[str, Any]] = []
    for j in np.flatnonzero(use > 0):
        made = priced.performance.points[priced.points_of[j]]
        offered = answer.resolved.offers[made.offer]
        work = answer.resolved.works[made.work]
        kind = work.uses
        watts = points.mw[j] * 1e6 * priced.mean_load[j]
        error, source = errors.get(kind, (float("nan"), "not measured"))
        guard = priced.performance.guards.get((made.offer, made.work))
        rows.append(
            {
                "workload": work.id,
                "platform": offered.offer.id,
                "mapping": made.mapping,
                "precision": made.precision,
                "mode": made.mode,
                "racks": float(use[j]),
                "tokens_out_per_s_per_chip": made.tokens_out_per_s,
                "tokens_out_per_s_per_mw": float(points.tokens_out_per_s[j] / points.mw[j]),
                "joules_per_token": float(watts / points.tokens_out_per_s[j]),
                "ttft_s": made.ttft_s,
                "tpot_s": made.tpot_s,
                "bound": made.bound,
                "job_chips": None if guard is None else float(guard.chips),
                "goodput": None if guard is None else guard.share,
                "lost_to_failures": None if guard is None else guard.failure_share,
                "lost_to_checkpoints": None if guard is None else guard.checkpoint_share,
                "spare_share": None if guard is None else guard.spare_share,
                "error_median": error,
                "error_source": source,
            }
        )
    rows.sort(key=lambda row: (row["workload"], -row["racks"]))
    columns = list(rows[0]) if rows else ["workload", "platform"]
    units = {
        "tokens_out_per_s_per_chip": "token/s",
        "tokens_out_per_s_per_mw": "token/s/MW",
        "joules_per_token": "J/token",
        "ttft_s": "s",
        "tpot_s": "s",
        "goodput": "share",
        "lost_to_failures": "share",
        "lost_to_checkpoints": "share",
        "spare_share": "share",
        "error_median": "share",
    }
    note = (
        "Per chip at full load after the derate; per MW at the meter at the mean load of the demand. Trained tokens count as "
        "output, those kept: goodput is the share of a run's time that counts, and spares stand by beside its chips. "
        "Joules are at the meter."
    )
    return Table.from_rows("performance", rows, columns, units, "Performance", note)


def power_tables(answer: Answer) -> tuple[Table, Table]:
    """Watts by stage from the meter to the chips at full load of the busiest phase, and the same as links."""
    plan, priced = answer.plan, answer.priced
    points = priced.inputs.points
    drawn = (plan.use * points.mw[:, None]).sum(axis=0)
    busiest = int(np.argmax(drawn)) if drawn.size else 0
    use = plan.use[:, busiest]
    it_w = float(use @ priced.it_w)
    site = balance(it_w, priced.chain)
    parts = dict.fromkeys(("chips", "hosts and storage", "scale-up switches", "NICs", "fans", "power supplies"), 0.0)
    parts["scale-out network"] = 0.0
    for j in np.flatnonzero(use > 0):
        made = priced.performance.points[priced.points_of[j]]
        box = priced.performance.boxes[made.offer]
        chips = box.chips * made.chip_w * use[j]
        beside = (box.host_w, box.fabric_w, box.nic_w, box.fan_w)
        inside = (box.chips * made.chip_w + sum(beside)) * use[j]
        parts["chips"] += chips
        names = ("hosts and storage", "scale-up switches", "NICs", "fans")
        for name, watts in zip(names, beside, strict=True):
            parts[name] += watts * use[j]
        parts["power supplies"] += inside * (1 / box.supply_efficiency - 1)
        parts["scale-out network"] += box.chips * answer.resolved.offers[made.offer].network.power.value * use[j]
    links = sankey_links(site, parts)
    meter = float(site.meter_w)
    stages: list[tuple[str, float, str]] = [
        ("meter", meter, ""),
        ("transformer loss", float(site.transformer_loss_w), "meter"),
        ("house load", float(site.house_w), "meter"),
        ("cooling", float(site.cooling_w), "meter"),
        ("UPS loss", float(site.ups_loss_w), "meter"),
        ("distribution loss", float(site.distribution_loss_w), "meter"),
        ("IT", it_w, "meter"),
        *((name, watts, "IT") for name, watts in parts.items()),
    ]
    columns: dict[str, list[Any]] = {
        "stage": [name for name, _, _ in stages],
        "watts": [watts for _, watts, _ in stages],
        "share": [watts / meter if meter else 0.0 for _, watts, _ in stages],
        "parent": [parent for _, _, parent in stages],
    }
    note = "Busiest phase, every rack in use at full load. PUE is meter over IT."
    power = Table("power", columns, {"watts": "W", "share": "share"}, "Power, from the meter to the chips", note)
    return power, Table("power_links", links.columns, links.units, links.title)
