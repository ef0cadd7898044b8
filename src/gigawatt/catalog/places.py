"""Records of where it stands: sites (grid, climate) and facility designs (power chain, cooling, shell)."""

from __future__ import annotations

from pydantic import Field

from gigawatt.catalog.quantity import (
    Carbon,
    Count,
    EnergyPrice,
    Power,
    PowerPrice,
    Share,
    Strict,
    Temperature,
    Temperatures,
    Time,
)
from gigawatt.catalog.record import Record


class Climate(Strict):
    """Twelve monthly means, January first."""

    dry_bulb: Temperatures
    wet_bulb: Temperatures
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


class Ppa(Strict):
    """A power-purchase agreement on offer at the site."""

    name: str
    technology: str
    price: EnergyPrice
    carbon: Carbon
    firm: bool = False
    capacity_factor: Share | None = None
    kind: str = ""
    source: str = ""
    as_of: str = ""


class Site(Record):
    """A place: what a MWh costs and emits there, how warm it is, how long the grid takes."""

    country: str
    region: str = ""
    grid: str = ""
    latitude_deg: float | None = Field(None, ge=-90, le=90, description="degrees north")
    energy_price: EnergyPrice
    carbon: Carbon
    climate: Climate
    construction_cost_factor: Share | None = None
    grid_wait: Time | None = None
    ppas: tuple[Ppa, ...] = ()


class Cooling(Strict):
    """Cooling watts for each IT watt: `share_at_design` at `design_wet_bulb`, rising by `slope_per_k` a kelvin above.

    Below it the share falls with the same slope down to `share_floor` (pumps and fans that always run).
    """

    technology: str
    share_at_design: Share
    design_wet_bulb: Temperature
    slope_per_k: Share
    share_floor: Share
    supply_temperature: Temperature | None = None
    kind: str = ""
    source: str = ""
    as_of: str = ""


class Facility(Record):
    """A design of the building: the chain from the meter to the rack input, cooling beside it, shell price and life.

    Stage efficiencies are at normal load, in order from the meter: `transformer` (grid and medium voltage), `ups`,
    `distribution` (low voltage, busway). `house_load` is what the site takes whatever the load, per watt provisioned.
    `pue` is the design's annual mean, a check on the chain and the cooling together, not a further factor.
    """

    transformer_efficiency: Share
    ups_efficiency: Share
    ups_redundancy: str = "N+1"
    distribution_efficiency: Share
    cooling: Cooling
    house_load: Share
    pue: Count
    liquid_share: Share
    water_usage: Count | None = Field(None, description="litres per kWh of IT energy")
    oversubscription: Share | None = None
    shell_price: PowerPrice
    life_years: Count
    availability: Share
    build_time: Time | None = None
    rack_power_limit: Power | None = None
