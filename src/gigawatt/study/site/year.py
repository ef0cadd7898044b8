"""The hours of a scenario's place and what its building makes of them: weather, chain, a year at a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gigawatt.core.remembered import remembered_of_records
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

if TYPE_CHECKING:
    from gigawatt.catalog.records import Site
    from gigawatt.study.resolve import Resolved


def weather_at(resolved: Resolved) -> Weather:
    """The hours of a scenario's place, drawn from its seed."""
    return _weather(resolved.site, resolved.scenario.seed)


@remembered_of_records(32)
def _weather(site: Site, seed: int) -> Weather:
    return weather_of(site, seed)


def chain_at(resolved: Resolved, weather: Weather) -> PowerChain:
    """The facility of a scenario about the design hour of its place, with the redundancy it asks for."""
    asked = resolved.scenario.site.redundancy
    chain = chain_from_record(resolved.facility, redundancy=None if asked == "facility" else asked)
    return sized(chain, weather)


def year_at_load(chain: PowerChain, weather: Weather, power_w: float, load: float) -> SiteYear:
    """A year at a steady share `load` of the rack-input watts that `power_w` at the meter carries in the design hour."""
    return site_year(chain, weather, load * float(it_watts(power_w, chain)), power_w)
