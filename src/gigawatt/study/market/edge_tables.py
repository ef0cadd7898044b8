"""Tables of machines beside a site: class by class in the year looked at, and year by year."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.factory.edge import Machines, beside
from gigawatt.study.market.machines import EdgeSection
from gigawatt.study.market.sourced import ended, ends

Array = NDArray[np.float64]


def classes_table(given: EdgeSection, machines: Machines, centre: Array, at: int) -> Table:
    """[classes] in the year looked at."""
    rows: list[dict[str, Any]] = []
    for c, one in enumerate(given.devices):
        rows.append(
            {"machine": one.id, "chip": one.chip} | ends(machines.sold[:, c, at], "sold")
            | ends(machines.installed[:, c, at], "installed") | ends(machines.revenue_usd[:, c, at], "revenue_usd")
            | ends(beside(machines.revenue_usd[:, c, at], centre[:, at]), "revenue_share")
            | ends(machines.mean_mw[:, c, at], "mean_mw") | {"at_once_mw": float(machines.peak_mw[0, c, at])}
            | ends(machines.up_bytes_per_s[:, c, at] * 8 / 1e9, "up_gb_per_s")
        )  # fmt: skip
    columns = ("machine", "chip", *ended(["sold", "installed", "revenue_usd", "revenue_share", "mean_mw"]), "at_once_mw",
               *ended(["up_gb_per_s"]))  # fmt: skip
    units = dict.fromkeys(ended(["sold", "installed"]), "machines") | dict.fromkeys(ended(["revenue_usd"]), "USD/yr")
    units |= dict.fromkeys(ended(["revenue_share"]), "share") | dict.fromkeys((*ended(["mean_mw"]), "at_once_mw"), "MW")
    units |= dict.fromkeys(ended(["up_gb_per_s"]), "Gb/s")
    note = f"In {given.year}, those with the vendor's chips. Low and high are P10 and P90 over the stated ranges."
    return Table.from_rows("edge_machines", rows, columns, units, "Machines beside the site", note)


def years_table(
    machines: Machines, centre: Array, site_mw: Array, revenue: Array, mean: Array, tokens: Array, per_mw: Array
) -> Table:
    """[years] in which the data centre's sales are known or grown."""
    rows = []
    for y, year in enumerate(machines.years):
        if not centre[0, y] > 0:
            continue
        rows.append(
            {"year": str(year), "data_centre_usd": float(centre[0, y])} | ends(revenue[:, y], "machines_usd")
            | ends(beside(revenue[:, y], centre[:, y]), "revenue_share") | ends(mean[:, y] / site_mw, "power_over_site")
            | ends(beside(tokens[:, y], per_mw * site_mw), "token_share")
        )  # fmt: skip
    columns = ("year", "data_centre_usd", *ended(["machines_usd", "revenue_share", "power_over_site", "token_share"]))
    units = {"data_centre_usd": "USD/yr"} | dict.fromkeys(ended(["machines_usd"]), "USD/yr")
    units |= dict.fromkeys(ended(["revenue_share", "power_over_site", "token_share"]), "share")
    note = "Machines as counted; power is their mean over the one site's, tokens beside what the one site makes."
    return Table.from_rows("edge_years", rows, columns, units, "Machines beside the site, year by year", note)
