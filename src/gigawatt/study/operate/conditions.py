"""The hours' surroundings: weather, what a watt of IT takes at the meter, the price of energy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.site import meter_watts
from gigawatt.study.resolve import Resolved
from gigawatt.study.site.plant import Plant

Array = NDArray[np.float64]
DAY_H = 24
YEAR_H = 8760
DAILY_RANGE_K = 10.0
ZERO_C_K = 273.15


@dataclass(frozen=True, slots=True)
class Conditions:
    """Columns of H hours from midnight of `first`.

    Attributes:
        dry_bulb_k, wet_bulb_k. per_it, fixed_mw: meter MW = fixed + per_it x IT MW. water_l_per_it_mwh (None: not known).
        usd_per_mwh, carbon_kg_per_mwh: of what the grid delivers.
        hottest: whether the day was chosen as the one of the highest mean wet bulb of the year.
    """

    first: date
    dry_bulb_k: Array
    wet_bulb_k: Array
    per_it: Array
    fixed_mw: Array
    usd_per_mwh: Array
    carbon_kg_per_mwh: Array
    hottest: bool
    made: str
    water_l_per_it_mwh: Array | None = None

    @property
    def hours(self) -> int:
        return len(self.per_it)

    def labels(self) -> list[str]:
        """'2027-07-29 14:00' an hour."""
        days = [self.first + timedelta(days=k) for k in range(self.hours // DAY_H)]
        return [f"{day.isoformat()} {hour:02d}:00" for day in days for hour in range(DAY_H)]


def conditions(resolved: Resolved, plant: Plant, built_mw: float) -> Conditions:
    """The surroundings of the scenario's days; `built_mw` is what the house load was sized for."""
    asked = resolved.scenario.operate
    dry, wet = _year(resolved)
    length = asked.days * DAY_H
    year = resolved.scenario.horizon.start.year
    if asked.day is None:
        first_hour = int(np.argmax(wet.reshape(-1, DAY_H).mean(axis=1))) * DAY_H
        first = _date_of(first_hour // DAY_H, year)
    else:
        first = asked.day
        first_hour = _day_of_year(first) * DAY_H
    hours = (first_hour + np.arange(length)) % YEAR_H
    none, one = (
        meter_watts(it, plant.chain, wet_bulb_k=wet[hours], provisioned_w=built_mw * 1e6) / 1e6 for it in (0.0, 1e6)
    )
    return Conditions(
        first,
        dry[hours],
        wet[hours],
        one - none,
        np.array(np.broadcast_to(none, (length,))),
        np.full(length, plant.energy_usd_per_mwh),
        np.full(length, plant.carbon_kg_per_mwh),
        asked.day is None,
        "synthetic from monthly means",
    )


def _day_of_year(day: date) -> int:
    """0 for the first of January; the 29th of February stands for the 28th."""
    plain = date(2001, day.month, min(day.day, 28) if day.month == 2 else day.day)
    return (plain - date(2001, 1, 1)).days


def _date_of(index: int, year: int) -> date:
    """The day of that number in a year of 365 days."""
    plain = date(2001, 1, 1) + timedelta(days=index)
    return date(year, plain.month, plain.day)


def _year(resolved: Resolved) -> tuple[Array, Array]:
    """(dry bulb, wet bulb) [8760], kelvin: straight lines between the middles of the months, a wave over the day."""
    climate = resolved.site.climate
    middle = (np.arange(12) + 0.5) * YEAR_H / 12
    hour = np.arange(YEAR_H) + 0.5
    season = [
        np.interp(hour, middle, np.asarray(c.values, dtype=float), period=YEAR_H)
        for c in (climate.dry_bulb, climate.wet_bulb)
    ]
    day = np.cos(2 * np.pi * (hour - 15.0) / DAY_H) * DAILY_RANGE_K / 2
    return season[0] + day, np.minimum(season[1] + 0.3 * day, season[0] + day)
