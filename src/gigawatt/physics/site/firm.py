"""What a site can count on: the highest steady load that grid, own plant, sun, wind and batteries carry in every hour.

Plant of fuel counts with what lacks in at most 2.4 hours a year (`outages.counted_on_w`: forced outages by convolution,
planned work going on), the same share of it in every hour, derated by that hour's heat: as if the worst outage that is
counted on lasted all year. So a battery is never counted on to bridge an outage for days, and what is found is on the
safe side. Sun and wind give the hours of their year, batteries what they hold, saved for shortages (`storage.carry`).
The grid counts in full but for the hours in which it asks load back; the load gives that much up in just those hours.
Its own outages are carried by the building's stand-by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.site.outages import LACK_HOURS, Units, counted_on_w
from gigawatt.physics.site.storage import Battery, chain, clip_chain, together
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR

Array = NDArray[np.float64]
LEVELS = 8  # tried at a time
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Firm:
    """What can be counted on, watts.

    Attributes:
        load_w: the highest load; `counted_w` of it the plant of fuel at its rating.
        available_w: [H] what is counted on in each hour, batteries beside.
        binding_hour: the first hour in which one watt more would lack.
    """

    load_w: float
    counted_w: float
    available_w: Array
    binding_hour: int


def firm_load(
    grid_w: Array,
    plants: Sequence[tuple[Units, Array]],
    weather_w: Sequence[Array],
    batteries: Sequence[Battery],
    *,
    shape: Array | None = None,
    lack_hours: float = LACK_HOURS,
) -> Firm:
    """The highest load that is carried in every hour.

    Args:
        grid_w: [H] of the connection.
        plants: units of each plant of fuel, with the share of its rating that it gives in each hour's heat [H].
        weather_w: [H] of each plant of sun or wind.
        batteries: at the same meter.
        shape: [H] the load over its highest (1 is a flat load); what the load gives up when called is in it.
        lack_hours: a year in which plant of fuel may lack.

    >>> from gigawatt.physics.site.outages import Units
    >>> found = firm_load(np.full(4, 5.0), [(Units(1, 3.0, 0.1, 10.0), np.ones(4))], [], [])
    >>> round(found.load_w, 6), found.counted_w
    (5.0, 0.0)
    """
    hours = len(grid_w)
    form = np.ones(hours) if shape is None else shape
    rated = sum(units.count * units.unit_w for units, _ in plants)
    counted = counted_on_w([units for units, _ in plants], lack_hours)
    share = counted / rated if rated else 0.0
    available = np.array(grid_w, dtype=np.float64)
    for units, heat in plants:
        available = available + share * units.count * units.unit_w * heat
    for watts in weather_w:
        available = available + watts
    battery = together(tuple(batteries)) if batteries else Battery("none", 0.0, 0.0)
    high = float((available / np.maximum(form, 1e-12)).min()) + battery.power_w
    low = 0.0
    for _ in range(ROUNDS):
        levels = np.linspace(low, high, LEVELS + 1)
        fits = _carried(available - levels[:, None] * form, battery)
        best = int(np.flatnonzero(fits)[-1]) if fits.any() else 0
        low, high = float(levels[best]), float(levels[min(best + 1, LEVELS)])
    lacks = _shortage(available - high * form, battery)
    hour = int(np.argmax(lacks)) if lacks.any() else int(np.argmin(available / np.maximum(form, 1e-12)))
    return Firm(low, counted, available, hour)


def smallest_battery(
    available_w: Array, load_w: float, *, shape: Array | None = None, way: float = 1.0
) -> tuple[float, float]:
    """Watts and joules given of the smallest store that carries a load, with power for all that is spare.

    Both are infinite where the year gives too little.

    Args:
        available_w: [H] without it.
        load_w: to carry; `shape` [H] over its highest.
        way: efficiency of charging, and of discharging.
    """
    spare = available_w - load_w * (np.ones_like(available_w) if shape is None else shape)
    flow = np.maximum(spare, 0.0) * way - np.maximum(-spare, 0.0) / way
    if flow.sum() < 0:
        return float("inf"), float("inf")
    # Backwards through two years in a row, so that a store which is full at the year's end helps the first hours of the next.
    need = clip_chain(-np.concatenate([flow, flow])[::-1] * SECONDS_PER_HOUR, np.inf, 0.0)
    power = max(float(np.maximum(-spare, 0.0).max()), float(np.maximum(spare, 0.0).max()))
    return power, float(need[len(flow) :].max()) * way


def _carried(spare: Array, battery: Battery) -> NDArray[np.bool_]:
    return np.asarray(~_shortage(spare, battery).any(axis=-1))


def _shortage(spare: Array, battery: Battery) -> NDArray[np.bool_]:
    """[..., H] hours that lack, in a year like all before it: it begins with what such a year leaves in store."""
    tiny = 1e-9 * max(float(np.abs(spare).max()), 1.0)
    if battery.energy_j <= 0 or battery.power_w <= 0:
        return np.asarray(spare < -tiny)
    flow = np.clip(spare, 0, battery.power_w) * battery.charge_efficiency
    flow = (flow - np.clip(-spare, 0, battery.power_w) / battery.discharge_efficiency) * SECONDS_PER_HOUR
    year = chain(flow, battery.energy_j)
    # Year after year the level settles: at the top of the chain where a year puts in more than it takes, else at its bottom.
    began = np.where(year.shift[..., -1] < 0, year.low[..., -1], year.up[..., -1])
    stored = year.levels(began)
    before = np.concatenate([began[..., None], stored[..., :-1]], axis=-1)
    given = np.maximum(before - stored, 0.0) * battery.discharge_efficiency / SECONDS_PER_HOUR
    return np.asarray(-spare - np.where(spare < 0, given, 0.0) > tiny + 1e-9 * battery.power_w)
