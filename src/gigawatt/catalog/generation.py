"""Records of what gives or keeps watts: plant that burns fuel, sun, wind, reactors, batteries, contracts for output."""

from __future__ import annotations

from typing import Literal

from gigawatt.catalog.quantity import Carbon, Count, EnergyPrice, Power, PowerPrice, Rent, Share, Temperature, Time
from gigawatt.catalog.record import Record


class Generation(Record):
    """A way to have watts on a site.

    `works_by` says which model makes its hourly output: `fuel` (available but for outages and heat), `sun`, `wind`,
    `storage`. Capital and fixed upkeep are per watt at the plant's terminals (AC); a battery's energy part is per joule
    besides. Fuel is per joule of its higher heating value, as is `efficiency` (of a battery: round trip); carbon is what
    leaves the plant's own stack. A contract for the output of a plant that stands already has a `contract_price` and no
    capital.

    Outages: a unit fails after `forced_outage_rate` of its hours and is back after `repair_time` in the mean;
    `planned_outage` is the share of the year it is down for work that is chosen when. `derate_per_k` is lost for each
    kelvin of dry bulb above `derate_above`. `least_share` is the lowest steady output of a unit, `ramp_per_minute` how fast
    it moves and `load_step` what it takes at once, all of the unit's rating. `lead_time` is from order to first power.
    """

    works_by: Literal["fuel", "sun", "wind", "storage"]
    fuel: Literal["", "natural gas", "diesel", "uranium"] = ""
    unit_power: Power
    capex: PowerPrice
    energy_capex: EnergyPrice | None = None
    fixed_upkeep: Rent
    variable_upkeep: EnergyPrice
    contract_price: EnergyPrice | None = None
    efficiency: Share | None = None
    fuel_price: EnergyPrice | None = None
    fuel_carbon: Carbon | None = None
    capacity_factor: Share | None = None
    forced_outage_rate: Share
    repair_time: Time
    planned_outage: Share
    derate_per_k: Share | None = None
    derate_above: Temperature | None = None
    least_share: Share
    ramp_per_minute: Share
    load_step: Share | None = None
    must_run: bool = False
    life_years: Count
    lead_time: Time

    @property
    def owned(self) -> bool:
        """Bought and kept by the site, not a contract for another's output."""
        return self.contract_price is None

    @property
    def fuel_usd_per_j(self) -> float:
        """Fuel for a joule at the terminals, at full load."""
        if self.fuel_price is None or self.efficiency is None:
            return 0.0
        return self.fuel_price.value / self.efficiency.value

    @property
    def running_usd_per_j(self) -> float:
        """What a joule more costs: fuel and variable upkeep, or the contract's price."""
        price = self.contract_price.value if self.contract_price is not None else 0.0
        return self.fuel_usd_per_j + self.variable_upkeep.value + price

    @property
    def carbon_kg_per_j(self) -> float:
        """Emitted at the stack for a joule at the terminals, at full load."""
        if self.fuel_carbon is None or self.efficiency is None:
            return 0.0
        return self.fuel_carbon.value / self.efficiency.value
