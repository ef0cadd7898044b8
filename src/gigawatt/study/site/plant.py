"""What a site offers the plan, as plain numbers: the seam between the rooms of the site and the prices of a run."""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.physics.site import (
    PowerChain,
    SiteYear,
    Weather,
    chain_from_record,
    it_watts,
    site_year,
    sized,
    weather_of,
)
from gigawatt.study.resolve import Resolved


@dataclass(frozen=True, slots=True)
class Plant:
    """The site of a run.

    Attributes:
        chain: from the rack input to the meter in the hour that power is sized for.
        power_mw: what racks and building may draw at the meter in that hour.
        energy_share: mean of the year's watts at the meter over those of that hour, for the same watts at the rack input.
        energy_usd_per_mwh: mean price of what is drawn over a year.
        capital_usd: of plant of the site's own, grid connection beside the building's left out; 0 where there is none.
        charge_usd_per_yr: that capital as rent, with the plant's fixed upkeep.
        carbon_kg_per_mwh: mean over what is drawn.
    """

    chain: PowerChain
    power_mw: float
    energy_share: float
    energy_usd_per_mwh: float
    capital_usd: float
    charge_usd_per_yr: float
    carbon_kg_per_mwh: float


def weather_at(resolved: Resolved) -> Weather:
    """The hours of a scenario's place, drawn from its seed."""
    return weather_of(resolved.site, resolved.scenario.seed)


def chain_at(resolved: Resolved, weather: Weather) -> PowerChain:
    """The facility of a scenario about the design hour of its place, with the redundancy it asks for."""
    asked = resolved.scenario.site.redundancy
    chain = chain_from_record(resolved.facility, redundancy=None if asked == "facility" else asked)
    return sized(chain, weather)


def year_at_load(chain: PowerChain, weather: Weather, power_w: float, load: float) -> SiteYear:
    """A year at a steady share `load` of the rack-input watts that `power_w` at the meter carries in the design hour."""
    return site_year(chain, weather, load * float(it_watts(power_w, chain)), power_w)


def plant_of(resolved: Resolved) -> Plant:
    """The plant of a scenario's site."""
    weather = weather_at(resolved)
    chain = chain_at(resolved, weather)
    power_w, load = resolved.scenario.site.grid_power, float(resolved.costs.load_factor.value)
    year = year_at_load(chain, weather, power_w, load)
    return Plant(
        chain=chain,
        power_mw=power_w / 1e6,
        energy_share=float(year.meter_w.mean()) / (load * power_w),
        energy_usd_per_mwh=resolved.energy_price.value * 3.6e9,
        capital_usd=0.0,
        charge_usd_per_yr=0.0,
        carbon_kg_per_mwh=resolved.site.carbon.value * 3.6e9,
    )
