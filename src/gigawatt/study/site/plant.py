"""What a site offers the plan, as plain numbers: the seam between the rooms of the site and the prices of a run."""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.physics.site import PowerChain, chain_from_record
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


def plant_of(resolved: Resolved) -> Plant:
    """The plant of a scenario's site."""
    return Plant(
        chain=chain_from_record(resolved.facility),
        power_mw=resolved.scenario.site.grid_power / 1e6,
        energy_share=1.0,
        energy_usd_per_mwh=resolved.energy_price.value * 3.6e9,
        capital_usd=0.0,
        charge_usd_per_yr=0.0,
        carbon_kg_per_mwh=resolved.site.carbon.value * 3.6e9,
    )
