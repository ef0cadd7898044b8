"""What a site can count on: the highest load that grid, own plant, sun, wind and batteries carry but for some hours a year.

The standard is hours of shortage: in the mean over `YEARS` years of simulated outages no more than 2.4 hours a year
lack, one day in ten years (`outages`). Every year has the same weather: sun and wind give the hours of their year,
plant of fuel what its units that stand give in the hour's heat. Batteries save themselves for shortages
(`storage.carry`: no schedule leaves less), from one year into the next. The grid counts in full but for the hours in
which it asks load back; the load gives that much up in just those hours. The grid's own outages are carried by the
building's stand-by.

The load is found by bisection; each level is one chain of clips over all simulated hours. Outages are drawn unit by
unit from the plant's own stream, so that a plant with more units holds the same ones and some more, and never counts
for less. The error of the sample is a few per cent of what own plant adds (tests hold it against ten times as many
years).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.site.outages import LACK_HOURS, Units, counted_on_w, standing
from gigawatt.physics.site.storage import Battery, chain, clip_chain, together
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR

Array = NDArray[np.float64]
YEARS = 30
BISECTIONS = 14


@dataclass(frozen=True, slots=True)
class FuelPlant:
    """A plant of fuel: its units, the share of its rating that it gives in each hour's heat [H], and its random stream."""

    units: Units
    heat: Array
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class Firm:
    """What can be counted on, watts.

    Attributes:
        load_w: the highest load.
        fuel_alone_w: what the plant of fuel counts for by itself, without grid, sun or battery, at its rating: by convolution,
            a unit of each away for planned work.
        available_w: [H] mean over the years of what gives watts in each hour, batteries beside.
        binding_hour: of the year: lacks most often, were the load a little higher.
        lack_hours: a year, in the mean, at this load.
    """

    load_w: float
    fuel_alone_w: float
    available_w: Array
    binding_hour: int
    lack_hours: float


def firm_load(
    grid_w: Array,
    plants: Sequence[FuelPlant],
    weather_w: Sequence[Array],
    batteries: Sequence[Battery],
    *,
    shape: Array | None = None,
    lack_hours: float = LACK_HOURS,
    years: int = YEARS,
) -> Firm:
    """The highest load that lacks in at most `lack_hours` of a year.

    Args:
        grid_w: [H] of the connection.
        plants: of fuel.
        weather_w: [H] of each plant of sun or wind.
        batteries: at the same meter.
        shape: [H] the load over its highest (1 is a flat load); what the load gives up when called is in it.
        lack_hours: of 8,760, scaled to the hours given.
        years: simulated, where there is plant of fuel.

    >>> found = firm_load(np.full(4, 5.0), [], [np.array([0.0, 1.0, 2.0, 0.0])], [])
    >>> round(found.load_w, 6)
    5.0
    """
    hours = len(grid_w)
    form = np.ones(hours) if shape is None else shape
    steady = np.sum([grid_w, *weather_w], axis=0, dtype=np.float64)
    repeats = years if plants else 1
    available = np.tile(steady, repeats)
    for plant in plants:
        up = standing(plant.units, hours * repeats, plant.rng)
        available = available + plant.units.count * plant.units.unit_w * np.tile(plant.heat, repeats) * up
    battery = together(tuple(batteries)) if batteries else None
    allowed = lack_hours * repeats * hours / 8760.0
    asked = np.tile(form, repeats)
    alone = counted_on_w([plant.units for plant in plants], lack_hours)
    mean = available.reshape(repeats, hours).mean(axis=0)

    def lacks(load: float) -> NDArray[np.bool_]:
        return _shortage(available - load * asked, battery)

    # What is there in every hour is carried; this much is exact, which a bare connection needs.
    low = float((available / np.maximum(asked, 1e-12)).min())
    high = float(
        np.partition(available / np.maximum(asked, 1e-12), min(int(allowed), available.size - 1))[int(allowed)]
    )
    high = max(high, low) + (battery.power_w if battery is not None else 0.0)
    if high > low and int(lacks(high).sum()) <= allowed:
        low = high
    for _ in range(BISECTIONS if high > low else 0):
        load = 0.5 * (low + high)
        low, high = (load, high) if int(lacks(load).sum()) <= allowed else (low, load)
    at, above = lacks(low), lacks(max(high, low * (1 + 1e-6)) + 1e-9 * max(float(available.max()), 1.0))
    often = above.reshape(repeats, hours).sum(axis=0)
    return Firm(low, alone, mean, int(np.argmax(often)), float(at.sum()) / repeats * 8760.0 / hours)


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


def _shortage(spare: Array, battery: Battery | None) -> NDArray[np.bool_]:
    """[H] hours that lack, in a span like all before it: it begins with what such a span leaves in store."""
    tiny = 1e-9 * max(float(np.abs(spare).max()), 1.0)
    if battery is None or battery.energy_j <= 0 or battery.power_w <= 0:
        return np.asarray(spare < -tiny)
    short = spare < -tiny
    if not short.any():
        return short
    flow = np.clip(spare, 0, battery.power_w) * battery.charge_efficiency
    flow = (flow - np.clip(-spare, 0, battery.power_w) / battery.discharge_efficiency) * SECONDS_PER_HOUR
    # Hours in a row that only fill the store are one step: filling up to the brim adds. Hours that lack stay by themselves.
    starts = np.flatnonzero(np.concatenate([[True], short[1:] | short[:-1]]))
    steps = np.add.reduceat(flow, starts)
    span = chain(steps, battery.energy_j)
    # Span after span the level settles: at the top of the chain where it puts in more than it takes, else at its bottom.
    began = span.low[-1] if span.shift[-1] < 0 else span.up[-1]
    stored = span.levels(began)
    before = np.concatenate([[began], stored[:-1]])
    given = np.maximum(before - stored, 0.0) * battery.discharge_efficiency / SECONDS_PER_HOUR
    lacking = short[starts] & (-spare[starts] - given > tiny + 1e-9 * battery.power_w)
    out = np.zeros(spare.size, dtype=bool)
    out[starts[lacking]] = True
    return out
