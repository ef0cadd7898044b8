"""A site over the quarters: power that can be counted on as grid and own plant come, its energy's price, what own plant
costs.

Each distinct state of the site (a step of the ramp, a plant that has come) is worked out once: what can be counted on, and
the dispatch of a year at the load that this allows. A step or a plant counts from the first quarter that begins with it. Own
plant is decided already: its capital, upkeep and worth at the end are owed whatever is built, and are no part of the choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.economics.cost import quarterly_crf, quarterly_rate
from gigawatt.study.fleet.calendar import Quarters
from gigawatt.study.resolve import Resolved
from gigawatt.study.site.plant import Plant, plant_from
from gigawatt.study.site.supply import Own, Supply, standing_on, supply_of

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SitePath:
    """The site by quarter.

    Attributes:
        plant: of the last state that gives watts, without its capital: what points and running costs are made with.
        power_mw: [T] that can be counted on at the meter.
        energy_factor: [T] cost of a busy rack's energy over that in `plant`; `tokens_factor`: [T] hours with power likewise.
        own_capital_usd: [T] of own plant, when it comes. own_upkeep_usd: [T] in the quarter. own_end_usd: worth at the end.
    """

    plant: Plant
    power_mw: Array
    energy_factor: Array
    tokens_factor: Array
    own_capital_usd: Array
    own_upkeep_usd: Array
    own_end_usd: float


def site_path(resolved: Resolved, line: Quarters) -> SitePath:
    """The site of a scenario.

    Raises:
        Infeasible: no watt can be counted on in any quarter.
    """
    grid = _grid_mw(resolved, line)
    states = [(grid[t], tuple(plant.stands(day) for plant in resolved.plants)) for t, day in enumerate(line.starts)]
    first = {state: t for t, state in reversed(list(enumerate(states)))}
    flexible = bool(resolved.scenario.site.flexibility.share)
    none = np.zeros(len(line))
    if not resolved.plants and not resolved.stores and not flexible:
        plant = replace(plant_from(resolved.supply(None), resolved.scenario.discount_rate), capital_usd=0.0)
        return SitePath(plant, grid, none + 1, none + 1, none, none, 0.0)
    found = {state: _supply(resolved, line, t, state[0]) for state, t in first.items()}
    last = found[states[-1]] or supply_of(resolved, None, standing_on(resolved, line.starts[-1], float(grid[-1])))
    plant = replace(plant_from(last, resolved.scenario.discount_rate), capital_usd=0.0, charge_usd_per_yr=0.0)
    power, energy, tokens = none.copy(), none + 1, none + 1
    for t, state in enumerate(states):
        supply = found[state]
        if supply is None:
            continue
        power[t] = supply.firm_mw
        tokens[t] = supply.served_share / last.served_share
        energy[t] = tokens[t] * supply.usd_per_mwh / last.usd_per_mwh if last.usd_per_mwh else tokens[t]
    capital, upkeep, end = _owned(resolved, line, last.standing.own)
    return SitePath(plant, power, energy, tokens, capital, upkeep, end)


def _grid_mw(resolved: Resolved, line: Quarters) -> Array:
    """[T] of the connection; a step before the horizon stands from the start."""
    site = resolved.scenario.site
    if not site.ramp:
        return np.full(len(line), site.grid_power / 1e6)
    out = np.zeros(len(line))
    for step in site.ramp:
        begun = 0 if step.from_ <= line.starts[0] else line.from_day(step.from_)
        out[begun:] = step.power / 1e6
    return out


def _supply(resolved: Resolved, line: Quarters, t: int, grid_mw: float) -> Supply | None:
    """The supply in a quarter; None where no watt can be counted on yet."""
    standing = standing_on(resolved, line.starts[t], float(grid_mw))
    return supply_of(resolved, None, standing) if standing.firm.load_w > 0 else None


def _owned(resolved: Resolved, line: Quarters, own: tuple[Own, ...]) -> tuple[Array, Array, float]:
    """Capital and upkeep by quarter of what the site buys, and what is left of it: the rent that remains of its life."""
    capital, upkeep, end = np.zeros(len(line)), np.zeros(len(line)), 0.0
    days = {plant.asked.id: plant.asked.available for plant in resolved.plants}
    rate = resolved.scenario.discount_rate
    step = float(quarterly_rate(rate))
    for one in own:
        day = days.get(one.name)
        begun = 0 if day is None or day <= line.starts[0] else line.from_day(day)
        capital[begun] += one.capital_usd
        upkeep[begun:] += one.upkeep_usd_per_yr / 4
        left = max(round(one.life_years * 4) - (len(line) - begun), 0)
        annuity = left if step == 0 else (1 - (1 + step) ** -left) / step
        end += one.capital_usd * float(quarterly_crf(rate, one.life_years)) * annuity
    return capital, upkeep, end
