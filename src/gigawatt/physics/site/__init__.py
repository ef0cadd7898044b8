"""Watts at the meter and what can stand behind them: weather, cooling, conversion, the chain, a year by the hour.

    chain = chain_from_record(catalog.get("facility", "liquid-cooled-2026"))
    weather = weather_of(catalog.get("site", "iowa"), seed=0)  # Weather: dry and wet bulb, 8,760 hours
    chain = sized(chain, weather)                             # about the design hour of the place
    flow = chain(it_w, air=None, load=None, provisioned_w=None)   # Balance: columns of watts that sum to flow.meter_w
    meter_watts(it_w, chain); it_watts(meter_w, chain)        # the same, one column, and its inverse
    year = site_year(chain, weather, it_w, provisioned_w)     # SiteYear: every stage by hour; .pue, .wue, .pue_by_month
    sankey_links(flow, {"chips": ..., "hosts": ...})          # Table(source, target, watts)

Watts only: no workload and no dollar is known here. "MW" in the engine is at the meter unless it says `it_mw`.
"""

from gigawatt.physics.site.chain import Balance, PowerChain, balance, chain_from_record, it_watts, meter_watts
from gigawatt.physics.site.climate import HOURS, MONTH_OF_HOUR, Weather, monthly_mean, weather_of
from gigawatt.physics.site.cooling import Circuit, Cooled, Cooling, cool
from gigawatt.physics.site.psychrometrics import Air
from gigawatt.physics.site.sankey import sankey_links
from gigawatt.physics.site.ups import Modules, Stage
from gigawatt.physics.site.year import SiteYear, design_hour, site_year, sized

__all__ = [
    "HOURS",
    "MONTH_OF_HOUR",
    "Air",
    "Balance",
    "Circuit",
    "Cooled",
    "Cooling",
    "Modules",
    "PowerChain",
    "SiteYear",
    "Stage",
    "Weather",
    "balance",
    "chain_from_record",
    "cool",
    "design_hour",
    "it_watts",
    "meter_watts",
    "monthly_mean",
    "sankey_links",
    "site_year",
    "sized",
    "weather_of",
]
