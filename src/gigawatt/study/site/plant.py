"""What a site offers the plan, as plain numbers: the seam between the rooms of the site and the prices of a run."""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.economics.cost import capital_charge
from gigawatt.physics.site import PowerChain
from gigawatt.study.resolve import Resolved
from gigawatt.study.site.supply import Supply
from gigawatt.study.site.year import chain_at, weather_at, year_at_load


@dataclass(frozen=True, slots=True)
class Plant:
    """The site of a run.

    Attributes:
        chain: from the rack input to the meter in the hour that power is sized for.
        power_mw: what racks and building may draw at the meter in that hour: what can be counted on.
        energy_share: mean of the year's watts at the meter over those of that hour, for the same watts at the rack input.
        energy_usd_per_mwh: mean price of what is drawn over a year.
        capital_usd: of plant of the site's own, grid connection beside the building's left out; 0 where there is none.
        charge_usd_per_yr: that capital as rent, with the plant's fixed upkeep.
        carbon_kg_per_mwh: mean over what is drawn.
        served_share: of the year's energy that is there: what is given up when the grid calls is not.
        supply: where the watts come from.
    """

    chain: PowerChain
    power_mw: float
    energy_share: float
    energy_usd_per_mwh: float
    capital_usd: float
    charge_usd_per_yr: float
    carbon_kg_per_mwh: float
    served_share: float
    supply: Supply


def plant_of(resolved: Resolved, load_mw: float | None = None) -> Plant:
    """The plant of a scenario's site; `load_mw` is the mean draw at the meter, by default what the whole site would draw.

    Raises:
        Infeasible: no watt can be counted on.
    """
    return plant_from(resolved.supply(load_mw), resolved.scenario.discount_rate)


def plant_from(supply: Supply, rate: float) -> Plant:
    """The plant of a supply that is known; `rate` makes rent of the capital of own plant."""
    there = supply.standing
    charge = sum(
        float(capital_charge(one.capital_usd, rate, one.life_years)) + one.upkeep_usd_per_yr for one in there.own
    )
    return Plant(
        chain=there.chain,
        power_mw=supply.firm_mw,
        energy_share=there.energy_share,
        energy_usd_per_mwh=supply.usd_per_mwh,
        capital_usd=supply.capital_usd,
        charge_usd_per_yr=charge,
        carbon_kg_per_mwh=supply.carbon_kg_per_mwh,
        served_share=supply.served_share,
        supply=supply,
    )


__all__ = ["Plant", "chain_at", "plant_from", "plant_of", "weather_at", "year_at_load"]
