"""The hours' surroundings: weather, what a watt of IT takes at the meter, what gives watts and at which price.

Weather, building and sources are those of the scenario's year; the days are cut out of it. The building is linear in IT watts
at a given air and load: `load` says how full it is in each hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.cost.energy import J_PER_MWH, price_series
from gigawatt.factory.operation import Sources, Stores
from gigawatt.physics.site import Air, Weather, meter_watts
from gigawatt.study.price import Priced
from gigawatt.study.resolve import Resolved
from gigawatt.study.site.supply import Standing, price_shape
from gigawatt.study.site.year import weather_at

Array = NDArray[np.float64]
DAY_H = 24
YEAR_H = 8760
ZERO_C_K = 273.15
GRID = "grid"
L_PER_MWH = 3.6e9  # litres a MWh for a kilogram a second and watt


@dataclass(frozen=True, slots=True)
class Conditions:
    """Columns of H hours from midnight of `first`.

    Attributes:
        year_hour: of the year that each is. dry_bulb_k, wet_bulb_k.
        per_it, fixed_mw: meter MW = fixed + per_it x IT MW. water_l_per_it_mwh.
        sources, stores: what gives watts before any event of the period. lacks: hours in which the grid calls load back.
        hottest: whether the day was chosen, as the one whose air makes cooling dearest.
        made: how the weather came about.
    """

    first: date
    year_hour: NDArray[np.int64]
    dry_bulb_k: Array
    wet_bulb_k: Array
    per_it: Array
    fixed_mw: Array
    water_l_per_it_mwh: Array
    sources: Sources
    stores: Stores
    called: NDArray[np.bool_]
    hottest: bool
    made: str

    @property
    def hours(self) -> int:
        return len(self.per_it)

    def labels(self) -> list[str]:
        """'2027-07-29 14:00' an hour."""
        days = [self.first + timedelta(days=k) for k in range(self.hours // DAY_H)]
        return [f"{day.isoformat()} {hour:02d}:00" for day in days for hour in range(DAY_H)]


def conditions(resolved: Resolved, priced: Priced, built_mw: float, load: ArrayLike = 1.0) -> Conditions:
    """The surroundings of the scenario's days.

    Args:
        resolved: the scenario.
        priced: its building and supply.
        built_mw: at the meter, which the house load was sized for.
        load: [H] IT MW over what the building was built for.
    """
    asked, chain = resolved.scenario.operate, priced.chain
    weather = weather_at(resolved)
    if asked.day is None:
        index = _hottest(priced, weather)
        first = _date_of(index, resolved.scenario.horizon.start.year)
    else:
        first, index = asked.day, _day_of_year(asked.day)
    hours = (index * DAY_H + np.arange(asked.days * DAY_H)) % YEAR_H
    air = Air(weather.dry_bulb_k[hours], weather.wet_bulb_k[hours], weather.pressure_pa)
    share = np.array(np.broadcast_to(np.maximum(np.asarray(load, dtype=np.float64), 1e-3), hours.shape))
    none, one = (meter_watts(it, chain, air=air, load=share, provisioned_w=built_mw * 1e6) / 1e6 for it in (0.0, 1e6))
    there = priced.plant.supply.standing
    return Conditions(
        first,
        hours,
        air.dry_bulb_k,
        air.wet_bulb_k,
        one - none,
        none,
        np.asarray(chain.cooled(air, share).water_kg_per_s) * L_PER_MWH,
        _sources(resolved, there, hours),
        _stores(there),
        there.called[hours],
        asked.day is None,
        weather.made,
    )


def _sources(resolved: Resolved, there: Standing, hours: NDArray[np.int64]) -> Sources:
    """What each source could give in the hours; running limits of units (least output, ramps) are left out."""
    price = {name: column[hours] for name, column in there.usd_per_mwh.items()}
    if there.bare and resolved.scenario.operate.energy_price == "hourly":
        mean = resolved.energy_price.value * J_PER_MWH
        price[GRID] = price_series(mean, price_shape(), resolved.scenario.seed)[hours]
    made = there.sources
    return Sources(
        tuple(source.name for source in made),
        np.array([source.available_w[hours] for source in made]) / 1e6,
        np.array([price[source.name] for source in made]),
        np.array([np.full(len(hours), source.carbon_kg_per_j * J_PER_MWH) for source in made]),
    )


def _stores(there: Standing) -> Stores:
    made = there.batteries
    return Stores(
        tuple(battery.name for battery in made),
        np.array([battery.power_w for battery in made]) / 1e6,
        np.array([battery.energy_j for battery in made]) / J_PER_MWH,
        np.array([battery.charge_efficiency for battery in made]),
        np.array([battery.discharge_efficiency for battery in made]),
    )


def _hottest(priced: Priced, weather: Weather) -> int:
    """The day of the year in which cooling takes most, and of equal ones the one of the highest dry bulb."""
    dear = priced.chain.cooling_share(weather.air, 1.0) + 1e-6 * weather.dry_bulb_k
    return int(np.argmax(dear.reshape(-1, DAY_H).mean(axis=1)))


def _day_of_year(day: date) -> int:
    """0 for the first of January; the 29th of February stands for the 28th."""
    plain = date(2001, day.month, min(day.day, 28) if day.month == 2 else day.day)
    return (plain - date(2001, 1, 1)).days


def _date_of(index: int, year: int) -> date:
    """The day of that number in a year of 365 days."""
    plain = date(2001, 1, 1) + timedelta(days=index)
    return date(year, plain.month, plain.day)
