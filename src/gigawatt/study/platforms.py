"""Every platform on offer per MW, per dollar and per token, and what its host CPU is part of that.

A rack at its best point of a workload, all of the year, every rack at list price:

    cost of a rack-year  = capital charge and upkeep at list + energy + staff + its MW's part of the shell's charge
    USD per M tokens     = cost of a rack-year / tokens of a rack-year
    best point           = the one of least USD per M tokens

A host's watts fall on the rack's input: with the watts of another host beside the same chips (the mean of those on offer of the
other architecture, for each chip) the rack draws

    W' = W + chips (h' - h) / supply efficiency,      tokens per MW' = tokens per MW x W / W'

and what is left of speed and price is taken as it is: a swap that nobody sells, to see what the watts alone are worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog.software import Host
from gigawatt.core.table import Table
from gigawatt.factory.inputs import SECONDS_PER_YEAR
from gigawatt.study.answer import Answer

Array = NDArray[np.float64]


def cost_usd_per_yr(answer: Answer) -> Array:
    """[points] of a rack in use all year, at list price."""
    priced, points = answer.priced, answer.priced.inputs.points
    owner = next(c for c in priced.inputs.coefficients if c.name == "operator")
    charge = owner.platform_usd_per_yr[points.platform]
    per_mw = priced.running.staff_usd_per_mw_yr + owner.shell_usd_per_mw_yr
    charges = priced.charges_usd_per_yr.sum(axis=0)
    return np.asarray(charge + owner.energy_usd_per_yr + charges + per_mw * points.mw)


def platforms_table(answer: Answer) -> Table:
    """One row a workload and platform that runs it."""
    inputs = answer.priced.inputs
    points, cost = inputs.points, cost_usd_per_yr(answer)
    per_mtok = np.divide(cost * 1e6 / SECONDS_PER_YEAR, points.tokens_out_per_s, out=np.full(len(points), np.inf),
                         where=points.tokens_out_per_s > 0)  # fmt: skip
    rows: list[dict[str, Any]] = []
    for w, workload in enumerate(inputs.workloads):
        found: list[dict[str, Any]] = []
        for p, platform in enumerate(inputs.platforms.names):
            mine = np.flatnonzero((points.workload == w) & (points.platform == p))
            if not mine.size:
                continue
            j = int(mine[np.argmin(per_mtok[mine])])
            tokens, low, high = float(points.tokens_out_per_s[j]), float(points.low[j]), float(points.high[j])
            per_mw = tokens / float(points.mw[j])
            found.append(
                {"workload": workload, "platform": platform, "point": points.label[j],
                 "tokens_out_per_s_per_mw": per_mw, "tokens_out_per_s_per_mw_low": per_mw * low,
                 "tokens_out_per_s_per_mw_high": per_mw * high,
                 "mtok_per_usd": 1 / float(per_mtok[j]), "usd_per_mtok": float(per_mtok[j]),
                 "usd_per_mtok_low": float(per_mtok[j]) / high, "usd_per_mtok_high": float(per_mtok[j]) / low,
                 "capex_usd_per_mw": float(inputs.platforms.capex_usd[p]) / float(points.mw[j]),
                 "cost_usd_per_mw_yr": float(cost[j]) / float(points.mw[j])}
            )  # fmt: skip
        best = min((row["usd_per_mtok"] for row in found), default=1.0)
        found.sort(key=lambda row: float(row["usd_per_mtok"]))
        rows += [row | {"over_cheapest": row["usd_per_mtok"] / best} for row in found]
    columns = tuple(rows[0]) if rows else ("workload", "platform")
    units = {"tokens_out_per_s_per_mw": "token/s/MW", "mtok_per_usd": "Mtok/USD", "usd_per_mtok": "USD/Mtok",
             "capex_usd_per_mw": "USD/MW", "cost_usd_per_mw_yr": "USD/MW/yr", "over_cheapest": "x"}  # fmt: skip
    units |= {
        f"{name}_{end}": units[name] for name in ("tokens_out_per_s_per_mw", "usd_per_mtok") for end in ("low", "high")
    }
    note = (
        "A rack in use all year at its cheapest point, at list price with energy, upkeep, staff and shell; the tokens are "
        "output (or trained) tokens, input tokens come with them. Low and high are the 80 % error of the speed."
    )
    return Table.from_rows("platforms", rows, columns, units, "Every platform per MW, per dollar, per token", note)


def hosts_table(answer: Answer) -> Table:
    """One row a platform: its host, what it draws beside a chip, its link, and the rack with the watts of the other kind."""
    resolved, points = answer.resolved, answer.priced.inputs.points
    known: dict[int, Host] = {
        p: resolved.catalog.get("host", one.platform.host) for p, one in enumerate(resolved.offers) if one.platform.host
    }
    beside = {
        p: resolved.offers[p].platform.host_power.value / resolved.offers[p].platform.chips_per_rack for p in known
    }
    kinds = {kind: [beside[p] for p, host in known.items() if host.architecture == kind] for kind in ("x86", "arm")}
    rows: list[dict[str, Any]] = []
    for p, one in enumerate(resolved.offers):
        mine = points.platform == p
        host = known.get(p)
        platform = one.platform
        row: dict[str, Any] = {"platform": one.offer.id, "host": platform.host or "not known",
                               "host_w_per_chip": platform.host_power.value / platform.chips_per_rack}  # fmt: skip
        if host is not None:
            reached = host.link.to_device or host.link.bandwidth
            row |= {
                "architecture": host.architecture,
                "link": host.link.technology,
                "link_gb_per_s": reached.value / 1e9,
            }
            row |= {
                "coherent": host.link.coherent,
                "memory_gb_per_chip": host.memory.value / 1e9 / platform.chips_per_host,
            }
        if mine.any():
            it_w = float(answer.priced.it_w[mine].max())
            inside = platform.host_power.value / platform.supply_efficiency.value
            row |= {"host_share": inside / it_w}
            other = kinds["arm" if host is not None and host.architecture == "x86" else "x86"]
            if host is not None and other:
                change = (
                    platform.chips_per_rack * (float(np.mean(other)) - beside[p]) / platform.supply_efficiency.value
                )
                row |= {"tokens_per_mw_with_other": it_w / (it_w + change)}
        rows.append(row)
    columns = ("platform", "host", "architecture", "host_w_per_chip", "host_share", "link", "link_gb_per_s", "coherent",
               "memory_gb_per_chip", "tokens_per_mw_with_other")  # fmt: skip
    rows = [{name: row.get(name) for name in columns} for row in rows]
    units = {"host_w_per_chip": "W", "host_share": "share", "link_gb_per_s": "GB/s", "memory_gb_per_chip": "GB",
             "tokens_per_mw_with_other": "x"}  # fmt: skip
    note = (
        "Host share: of the rack's input. With other: tokens per MW if the same chips had the watts of the hosts of the other "
        "architecture on offer, speed and price as they are; links as measured where they were."
    )
    return Table.from_rows("hosts", rows, columns, units, "The hosts beside the chips", note)
