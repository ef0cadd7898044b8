"""Sources and batteries from records of kind `generation`: what each could give in each hour of a year.

    fuel    capacity x share of units that stand x (1 - derating x max(0, dry bulb - limit))
    sun     capacity x share of the sky's year, fitted to the capacity factor of the place (`weather_plant`)
    wind    the same with the wind's year
    grid    what was agreed, less what the grid asks back in its worst hours, less outages where asked for

Everything is drawn from the seed and the plant's own name, so that one plant more changes no other's hours.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.site.outages import Units, standing
from gigawatt.physics.site.storage import Battery
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR, Source
from gigawatt.physics.site.weather_plant import solar_share, wind_share

Array = NDArray[np.float64]
HOURS = 8760


@dataclass(frozen=True, slots=True)
class Place:
    """What plant needs to know of its place: dry bulb by hour, latitude, what sun and wind give there where known."""

    dry_bulb_k: Array
    latitude_deg: float | None = None
    solar_capacity_factor: float | None = None
    wind_capacity_factor: float | None = None
    seed: int = 0

    def rng(self, name: str) -> np.random.Generator:
        """The plant's own stream of random numbers."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def units_of(record: Any, capacity_w: float) -> Units:
    """The units of a plant of a record."""
    return Units.of(
        capacity_w,
        record.unit_power.value,
        record.forced_outage_rate.value,
        record.repair_time.value / SECONDS_PER_HOUR,
        record.planned_outage.value,
    )


def derating(record: Any, dry_bulb_k: Array) -> Array:
    """[H] share of its rating that a plant of fuel gives in the heat; in the cold no more than its rating."""
    if record.derate_per_k is None or record.derate_above is None:
        return np.ones_like(dry_bulb_k)
    over = np.maximum(dry_bulb_k - record.derate_above.value, 0.0)
    return np.asarray(np.maximum(1.0 - record.derate_per_k.value * over, 0.0))


def source_of(record: Any, capacity_w: float, name: str, place: Place, *, outages: bool = True) -> Source:
    """A source of `capacity_w` at its terminals.

    Args:
        record: of kind `generation`, no battery.
        capacity_w: rating of all its units together.
        name: of the source.
        place: where it stands.
        outages: draw them; without, every unit stands in every hour.

    Raises:
        InputError: a battery, a place without latitude for sun, a capacity factor that no weather gives.
    """
    rng = place.rng(name)
    units = units_of(record, capacity_w)
    up = standing(units, HOURS, rng) if outages else np.ones(HOURS)
    if record.works_by == "sun":
        if place.latitude_deg is None:
            raise InputError(Problem("missing", f"'{name}': the site's record has no latitude, which the sun needs"))
        target = place.solar_capacity_factor or record.capacity_factor.value
        share = solar_share(place.latitude_deg, target, place.dry_bulb_k, rng)
    elif record.works_by == "wind":
        target = place.wind_capacity_factor or record.capacity_factor.value
        share = wind_share(target, rng)
    elif record.works_by == "fuel":
        return Source(
            name,
            capacity_w * up * derating(record, place.dry_bulb_k),
            least_w=record.least_share.value * (capacity_w if record.must_run else units.unit_w),
            must_run=record.must_run,
            ramp_w_per_h=60.0 * record.ramp_per_minute.value * capacity_w,
            carbon_kg_per_j=record.carbon_kg_per_j,
            own=record.owned,
        )
    else:
        raise InputError(Problem("wrong_kind", f"'{name}' is a battery; it belongs under storage"))
    # The capacity factor of a place is what plant there gave, outages included: they are not taken off twice.
    return Source(name, capacity_w * np.minimum(share * up / max(float(up.mean()), 1e-9), 1.0), weather=True)


def battery_of(record: Any, power_w: float, hours: float, name: str) -> Battery:
    """A battery that gives `power_w` for `hours`; its round trip is split evenly over both ways.

    Raises:
        InputError: the record is no battery.
    """
    if record.works_by != "storage":
        raise InputError(Problem("wrong_kind", f"'{name}': '{record.id}' keeps no energy; it belongs under generation"))
    way = float(np.sqrt(record.efficiency.value))
    available = 1.0 - record.forced_outage_rate.value
    # Containers fail one by one: a battery of many is smaller in the mean, and hardly ever away.
    return Battery(name, power_w * available, power_w * hours * SECONDS_PER_HOUR * available / way, way, way)


def grid_source(
    capacity_w: float,
    carbon_kg_per_j: float = 0.0,
    *,
    name: str = "grid",
    called: ArrayLike | None = None,
    called_share: float = 0.0,
    outage_hours: float = 0.0,
    outage_length_h: float = 2.0,
    seed: int = 0,
) -> Source:
    """A grid connection.

    Args:
        capacity_w: agreed at the meter.
        carbon_kg_per_j: mean of what it delivers.
        called: [H] hours in which the grid asks the site to draw less.
        called_share: of its capacity that the site gives up then.
        outage_hours: a year without the grid in the mean; the building's own stand-by carries them where it is counted on,
            so that the plan leaves them out. For a study of them, transmission customers have 0.5 to 2 hours a year.
        outage_length_h: mean length of one.
    """
    watts = np.full(HOURS, float(capacity_w))
    if called is not None:
        watts = np.where(np.asarray(called, dtype=bool), watts * (1.0 - called_share), watts)
    if outage_hours > 0:
        line = Units(1, capacity_w, outage_hours / HOURS, outage_length_h)
        watts = watts * standing(line, HOURS, np.random.default_rng([seed, zlib.crc32(name.encode())]))
    return Source(name, watts, carbon_kg_per_j=carbon_kg_per_j, own=False)
