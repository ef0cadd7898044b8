"""What the building of a run does over a year: watts by hour of a typical and of the hottest day, PUE and water by month."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.physics.site import MONTH_OF_HOUR, SiteYear, Weather, monthly_mean
from gigawatt.physics.site.psychrometrics import ZERO_C_K
from gigawatt.study.answer import Answer
from gigawatt.study.site.supply_tables import MONTHS
from gigawatt.study.site.year import weather_at

Array = NDArray[np.float64]
MW = 1e-6
STAGES = ("IT", "distribution loss", "UPS loss", "fans", "pumps", "chillers", "house load", "transformer loss")


def _stages(year: SiteYear) -> dict[str, Array]:
    columns = (
        year.it_w, year.distribution_loss_w, year.ups_loss_w, year.fan_w, year.pump_w, year.compressor_w, year.house_w,
        year.transformer_loss_w,
    )  # fmt: skip
    return dict(zip(STAGES, columns, strict=True))


def days_of(year: SiteYear) -> dict[str, int]:
    """The day whose energy at the meter is the median of the year's, and the day with the most."""
    order = np.argsort(year.meter_w.reshape(-1, 24).sum(axis=1), kind="stable")
    return {"typical": int(order[len(order) // 2]), "hottest": int(order[-1])}


def hours_table(answer: Answer) -> Table | None:
    """MW by stage and hour of two days, at the plan's mean rack-input watts."""
    year = answer.site_year
    if year is None:
        return None
    weather = weather_at(answer.resolved)
    rows: list[dict[str, Any]] = []
    for name, day in days_of(year).items():
        for hour in range(24):
            at = 24 * day + hour
            row: dict[str, Any] = {"day": name, "date": _date(day), "hour": hour}
            row |= {f"{stage} MW": float(column[at]) * MW for stage, column in _stages(year).items()}
            row |= {"meter_mw": float(year.meter_w[at]) * MW, "pue": float(year.meter_w[at] / year.it_w[at])}
            row |= _air(weather, at)
            rows.append(row)
    columns = list(rows[0])
    units = {name: "MW" for name in columns if name.endswith(("MW", "_mw"))}
    units |= {"dry_bulb": "C", "wet_bulb": "C"}
    note = (
        "The typical day has the median energy of the year's, the hottest the most. Rack-input watts are held at the plan's "
        "mean; weather is synthetic, drawn about the monthly means of the place."
    )
    return Table.from_rows("site_hours", rows, columns, units, "Power by hour, by stage", note)


def year_table(answer: Answer) -> Table | None:
    """PUE, water and watts by month."""
    year = answer.site_year
    if year is None:
        return None
    weather = weather_at(answer.resolved)
    water = monthly_mean(year.water_kg_per_s) * 3600.0  # litres an hour
    dry, wet = (monthly_mean(column) - ZERO_C_K for column in (weather.dry_bulb_k, weather.wet_bulb_k))
    starts = np.concatenate([[0], np.cumsum(np.bincount(MONTH_OF_HOUR))[:-1]])
    peak = np.maximum.reduceat(year.meter_w, starts)
    rows = [
        {
            "month": MONTHS[m],
            "pue": float(year.pue_by_month[m]),
            "wue": float(year.wue_by_month[m]),
            "mean_mw": float(monthly_mean(year.meter_w)[m]) * MW,
            "peak_mw": float(peak[m]) * MW,
            "water_m3_per_h": float(water[m]) / 1000.0,
            "dry_bulb": float(dry[m]),
            "wet_bulb": float(wet[m]),
        }
        for m in range(12)
    ]
    units = {"wue": "L/kWh", "mean_mw": "MW", "peak_mw": "MW", "water_m3_per_h": "m3/h", "dry_bulb": "C",
             "wet_bulb": "C"}  # fmt: skip
    over = int(np.sum(year.over_k > 0))
    warm = (
        f" In {over} hours coolant is supplied up to {year.over_k.max():.1f} K too warm: there is no chiller."
        if over
        else ""
    )
    note = (
        f"Year: PUE {year.pue:.3f}, {f'{year.wue:.2f} L a kWh of IT' if year.wue else 'no water'}, peak "
        f"{year.peak_w * MW:,.4g} MW. PUE of a month is energy at the meter over energy at the racks' input, whose watts are "
        f"held at the plan's mean. Bars by hour begin just below the IT.{warm}"
    )
    return Table.from_rows("site_months", rows, list(rows[0]), units, "PUE and water by month", note)


def _date(day: int) -> str:
    """'3 Jan' of the day of a common year."""
    month = int(MONTH_OF_HOUR[24 * day])
    first = int(np.argmax(month == MONTH_OF_HOUR)) // 24
    return f"{day - first + 1} {MONTHS[month]}"


def _air(weather: Weather, hour: int) -> dict[str, float]:
    air = weather.at(hour)
    return {"dry_bulb": float(air.dry_bulb_k) - ZERO_C_K, "wet_bulb": float(air.wet_bulb_k) - ZERO_C_K}
