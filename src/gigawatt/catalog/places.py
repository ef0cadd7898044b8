"""Records of where it stands: sites (grid, climate) and facility designs (power chain, cooling, shell)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gigawatt.catalog.quantity import (
    Carbon,
    Count,
    EnergyPrice,
    Length,
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
    """Twelve monthly means, January first; and, where somebody has them, 8,760 hours in local time, which then count."""

    dry_bulb: Temperatures
    wet_bulb: Temperatures
    elevation: Length | None = None
    hourly_dry_bulb: Temperatures | None = None
    hourly_wet_bulb: Temperatures | None = None
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


class Circuit(Strict):
    """One way for heat to leave a hall: watts are for each watt of heat at full flow; differences in kelvin.

    `supply` to the racks, taken back `rise` warmer; the sink alone does it while it is `approach` below. Of what remains, a
    chiller that reaches `carnot` of its limit (0: none) takes the rest; it condenses `condenser` above the sink and evaporates
    `evaporator` below the supply. `saturation` and `air_rise` belong to a sink of wetted air. Over a dew point of
    `dew_limit` outside air stays out of the hall and the chiller does all.
    """

    sink: Literal["dry", "adiabatic", "tower"]
    supply: Temperature
    rise: Count
    approach: Count
    fan_in: Share
    pump: Share
    fan_out: Share
    turndown: Share
    economiser: bool = True
    carnot: Share | None = None
    condenser: Count | None = None
    evaporator: Count | None = None
    saturation: Share | None = None
    air_rise: Count | None = None
    dew_limit: Temperature | None = None
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


class Cooling(Strict):
    """Circuits for air and for liquid, the air of the design hour where no site is known, and how water is kept.

    `cycles` of concentration: salt in the water that is let go over salt in the water taken in.
    """

    technology: str
    air: Circuit | None = None
    liquid: Circuit | None = None
    design_dry_bulb: Temperature
    design_wet_bulb: Temperature
    cycles: Count
    kind: str = ""
    source: str = ""
    as_of: str = ""


class Losses(Strict):
    """Of a conversion stage, as shares of its rated output: standing, in step with the load, with its square."""

    no_load: Share
    proportional: Share
    square: Share
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


class Facility(Record):
    """A design of the building: the chain from the meter to the rack input, cooling beside it, shell price and life.

    Stages in order from the meter: `transformer` (grid and medium voltage), `ups`, `distribution` (low voltage, busway).
    `ups_modules` carry the whole load, `redundancy` says how many more run. `house_load` is what the site takes whatever the
    load, per watt provisioned. `mean_load` is the share of the IT watts built for that a year draws where nobody says. `pue`
    and `water_usage` are annual means as published for such designs, checks on the chain and the cooling together, not factors.
    """

    transformer: Losses
    ups: Losses
    ups_modules: Count
    redundancy: Literal["N", "N+1", "2N"] = "N+1"
    distribution: Losses
    mean_load: Share
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
