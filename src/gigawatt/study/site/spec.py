"""What a scenario says of its site: the grid, the building, plant of its own, how racks are provisioned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gigawatt.study.door import Day, EnergyPrice, Id, Power, PowerOrNone, Share, Strict


class PowerStep(Strict):
    """From this day on, so many watts at the meter stand behind the site (all of it, not what is added)."""

    from_: Day = Field(alias="from")
    power: Power


class Generator(Strict):
    """Plant of the site's own: `technology` is a catalog id of kind `generation`; `capacity` at its terminals."""

    id: Id
    technology: Id
    capacity: Power
    available: Day | None = None


class Storage(Strict):
    """A battery of the site: `technology` is a catalog id of kind `generation`; `power` in and out for `hours`."""

    id: Id
    technology: Id = "battery-lithium"
    power: Power
    hours: Annotated[float, Field(gt=0, le=200)] = 4.0


class Flexibility(Strict):
    """What the site gives up for its grid connection: `share` of its draw for up to `hours` a year, when the grid asks."""

    share: Share = 0.0
    hours: Annotated[float, Field(ge=0, le=8760)] = 0.0


class Provisioning(Strict):
    """How much of the site's power is set aside for a rack.

    `busy`: what it draws when busy, as worked out; `nameplate`: its rating; `planning`: the maker's planning figure;
    `percentile`: what all racks together stay below in `percentile` of the time; `dynamic`: the same, with power steered among
    racks and caps that bind in the rest of the time.
    """

    policy: Literal["busy", "nameplate", "planning", "percentile", "dynamic"] = "busy"
    percentile: Annotated[Share, Field(gt=0.5, lt=1)] = 0.99


class Site(Strict):
    """Where the watts come from. Power is at the meter; `ramp` is for a build-out over years, and `grid_power` its end.

    `lack_hours` a year, in the mean, may what is counted on fall short where plant of the site's own is part of it: 2.4 is
    one day in ten years.
    """

    grid_power: PowerOrNone = 1e9
    place: Id = "abilene-texas"
    facility: Id = "liquid-cooled-2026"
    energy_price: EnergyPrice | None = None
    redundancy: Literal["facility", "N", "N+1", "2N"] = "facility"
    ramp: list[PowerStep] = []
    generation: list[Generator] = []
    storage: list[Storage] = []
    lack_hours: Annotated[float, Field(ge=0, le=8760)] = 2.4
    flexibility: Flexibility = Flexibility()
    provisioning: Provisioning = Provisioning()
