"""Where a site's watts come from in a run: what can be counted on, the year's dispatch, what it costs and emits.

A site that has nothing but a grid connection takes its price and carbon as they are. With plant, batteries or a promise
to give up load the year is dispatched hour by hour: the grid at its hourly price, plant at its fuel and variable
upkeep, batteries at no wear, and the load at the site's limit times its mean load. Capital and fixed upkeep of own
plant are owed whatever is dispatched. Plant counts from the day it is available; what comes after the first day is for
a build-out and left out of one fleet's run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Change, Infeasible
from gigawatt.economics.cost.energy import J_PER_MWH, PriceShape, blended_usd_per_mwh, price_series
from gigawatt.physics.site import PowerChain
from gigawatt.physics.site.carbon import Carbon, carbon_of
from gigawatt.physics.site.dispatch import Dispatch, dispatch
from gigawatt.physics.site.firm import Firm, FuelPlant, firm_load, smallest_battery
from gigawatt.physics.site.flexibility import called_hours
from gigawatt.physics.site.sources import HOURS, Place, battery_of, derating, grid_source, source_of, units_of
from gigawatt.physics.site.storage import Battery
from gigawatt.physics.site.supplied import Source
from gigawatt.study.site.own import OwnPlant
from gigawatt.study.site.year import chain_at, weather_at, year_at_load

if TYPE_CHECKING:
    from gigawatt.study.resolve import Resolved

Array = NDArray[np.float64]
SECONDS_PER_YEAR = 8760 * 3600.0
TARGETS = (0.5, 0.25, 0.1)  # of the mean of a site without power in some hour: what an addition is named for
# The kinds of `ppas` of a site's record that say what sun and wind give there.
_SUN, _WIND = ("solar",), ("onshore wind", "wind")


@dataclass(frozen=True, slots=True)
class Own:
    """Plant or a battery of the site's own: capital, life, fixed upkeep with insurance and property tax a year."""

    name: str
    technology: str
    mw: float
    capital_usd: float
    life_years: float
    upkeep_usd_per_yr: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on a day: sources, batteries, hourly prices, what can be counted on, and what the building asks for.

    Attributes:
        called: [H] hours in which the grid asks load back.
        shape: [H] watts at the meter over their mean, at the mean load of the cost set.
        energy_share: mean of the year's watts at the meter over those of the design hour.
        chain: of the building, about the design hour.
    """

    sources: tuple[Source, ...]
    batteries: tuple[Battery, ...]
    usd_per_mwh: dict[str, Array]
    firm: Firm
    called: NDArray[np.bool_]
    own: tuple[Own, ...]
    shape: Array
    energy_share: float
    chain: PowerChain

    @property
    def bare(self) -> bool:
        """Nothing but a grid connection that asks nothing back."""
        return len(self.sources) == 1 and not self.batteries and not self.called.any()


@dataclass(frozen=True, slots=True)
class Supply:
    """The watts of a site over a year at a load.

    Attributes:
        standing: what stands.
        load_mw: mean of what was asked for in the dispatch.
        found: the dispatch, and its carbon; None for a bare grid connection.
        usd_per_mwh: mean price of what was drawn: grid energy, fuel, variable upkeep.
        fuel_share: of that money that is not the grid's.
        carbon_kg_per_mwh: mean.
        served_share: of the year's energy that was there; the rest is given up when the grid calls, or lacks.
    """

    standing: Standing
    load_mw: float
    found: tuple[Dispatch, Carbon] | None
    usd_per_mwh: float
    fuel_share: float
    carbon_kg_per_mwh: float
    served_share: float

    @property
    def firm_mw(self) -> float:
        """What the plan may count on."""
        return self.standing.firm.load_w / 1e6

    @property
    def capital_usd(self) -> float:
        """Of all own plant."""
        return sum(one.capital_usd for one in self.standing.own)

    @property
    def own_share(self) -> float:
        """Of the energy drawn, from own plant (a battery's is counted where it was made)."""
        if self.found is None:
            return 0.0
        given = self.found[0].source_w.sum(axis=1)
        own = np.array([source.own for source in self.standing.sources])
        return float(given[own].sum() / given.sum()) if given.sum() > 0 else 0.0


def standing_on(resolved: Resolved, day: date, grid_mw: float | None = None) -> Standing:
    """What stands on a day; `grid_mw` is the connection then, by default the whole of it."""
    site, scenario = resolved.scenario.site, resolved.scenario
    weather = weather_at(resolved)
    chain, load = chain_at(resolved, weather), resolved.costs.load_factor.value
    full, usual = (year_at_load(chain, weather, 1e9, share).meter_w for share in (1.0, load))
    place = _place(resolved, weather.dry_bulb_k)
    grid_w = site.grid_power if grid_mw is None else grid_mw * 1e6
    price = price_series(resolved.energy_price.value * J_PER_MWH, price_shape(), scenario.seed)
    flex = site.flexibility
    called = called_hours(price, flex.hours if flex.share else 0.0)
    plants = [plant for plant in resolved.plants if plant.stands(day)]
    if not plants and not resolved.stores and not called.any():
        # A bare connection pays its mean price whatever the hour: its contract, not the shape assumed here, says so.
        price = np.full(HOURS, resolved.energy_price.value * J_PER_MWH)
    grid = grid_source(grid_w, resolved.site.carbon.value, called=called, called_share=flex.share)
    made = [source_of(plant.record, plant.asked.capacity, plant.asked.id, place) for plant in plants]
    batteries = tuple(battery_of(s.record, s.asked.power, s.asked.hours, s.asked.id) for s in resolved.stores)
    fuel = [plant for plant in plants if plant.record.works_by == "fuel"]
    firm = firm_load(
        grid.available_w,
        [
            FuelPlant(
                units_of(p.record, p.asked.capacity),
                derating(p.record, place.dry_bulb_k),
                place.rng(f"{p.asked.id} firm"),
            )
            for p in fuel
        ],
        [source.available_w for source in made if source.weather],
        batteries,
        # The few hours that go beyond the design hour lack a little, as the building does.
        shape=np.minimum(full / 1e9, 1.0) * np.where(called, 1.0 - flex.share, 1.0),
        lack_hours=site.lack_hours if made or batteries else 0.0,
    )
    prices = {"grid": price}
    prices |= {p.asked.id: np.full(HOURS, p.record.running_usd_per_j * J_PER_MWH) for p in plants}
    sources = (grid, *made) if grid_w > 0 else tuple(made)
    shape, share = usual / usual.mean(), float(usual.mean()) / (load * 1e9)
    return Standing(sources, batteries, prices, firm, called, _own(resolved, plants), shape, share, chain)


def supply_of(resolved: Resolved, load_mw: float | None = None, standing: Standing | None = None) -> Supply:
    """The year's supply on the first day of the scenario.

    Args:
        resolved: the scenario.
        load_mw: mean draw at the meter; by default what can be counted on times the mean load of the cost set.
        standing: what stands, where it is known already.

    Raises:
        Infeasible: no watt can be counted on; names the hour and the smallest addition that fits.
    """
    there = standing or standing_on(resolved, resolved.scenario.horizon.start)
    if there.firm.load_w <= 0:
        raise _no_power(there, resolved)
    usual = there.firm.load_w / 1e6 * resolved.costs.load_factor.value * there.energy_share
    mean = usual if load_mw is None else load_mw
    if there.bare:
        price = resolved.energy_price.value * J_PER_MWH
        return Supply(there, mean, None, price, 0.0, resolved.site.carbon.value * J_PER_MWH, 1.0)
    load = mean * 1e6 * there.shape
    weights = {source.name: there.usd_per_mwh[source.name] / J_PER_MWH for source in there.sources}
    found = dispatch(load, there.sources, there.batteries, weights)
    carbon = carbon_of(found, there.sources)
    paid = {name: float((found.of(name) * there.usd_per_mwh[name]).sum()) for name in found.names}
    total, served = sum(paid.values()), float(found.served_w.sum())
    return Supply(
        there,
        mean,
        (found, carbon),
        blended_usd_per_mwh(found.source_w, [there.usd_per_mwh[name] for name in found.names], found.served_w),
        1.0 - paid.get("grid", 0.0) / total if total else 0.0,
        carbon.kg_per_j * J_PER_MWH,
        served / float(load.sum()) if load.any() else 1.0,
    )


def firm_mw_on(resolved: Resolved, day: date) -> float:
    """MW that a plan may count on from a day on: the grid's step of `site.ramp` and the plant that stands then."""
    steps = sorted((step for step in resolved.scenario.site.ramp if step.from_ <= day), key=lambda step: step.from_)
    grid = steps[-1].power / 1e6 if steps else (0.0 if resolved.scenario.site.ramp else None)
    return standing_on(resolved, day, grid).firm.load_w / 1e6


def _place(resolved: Resolved, dry_bulb_k: Array) -> Place:
    """The place's dry bulb by hour and what sun and wind give there by its record."""
    site = resolved.site

    def factor(kinds: tuple[str, ...]) -> float | None:
        found = [p.capacity_factor.value for p in site.ppas if p.technology in kinds and p.capacity_factor is not None]
        return found[0] if found else None

    return Place(dry_bulb_k, site.latitude_deg, factor(_SUN), factor(_WIND), resolved.scenario.seed)


@lru_cache(maxsize=1)
def price_shape() -> PriceShape:
    """How hourly prices scatter about their mean."""
    record = Catalog.load().get("calibration", "energy-price-shape")
    return PriceShape(**{name: float(one.value) for name, one in record.parameters.items()})


def _own(resolved: Resolved, plants: list[OwnPlant]) -> tuple[Own, ...]:
    """Capital and fixed upkeep of what the site buys; a contract for another's plant has none."""
    costs = resolved.costs
    on_capital = costs.insurance_share.value + costs.property_tax_share.value
    out = []
    for plant in plants:
        if plant.record.owned:
            watts, record = plant.asked.capacity, plant.record
            usd = watts * record.capex.value
            upkeep = watts * record.fixed_upkeep.value * SECONDS_PER_YEAR + on_capital * usd
            out.append(Own(plant.asked.id, record.id, watts / 1e6, usd, record.life_years.value, upkeep))
    for store in resolved.stores:
        watts, record = store.asked.power, store.record
        joules = watts * store.asked.hours * 3600.0
        usd = watts * record.capex.value + joules * (record.energy_capex.value if record.energy_capex else 0.0)
        upkeep = watts * record.fixed_upkeep.value * SECONDS_PER_YEAR + on_capital * usd
        out.append(Own(store.asked.id, record.id, watts / 1e6, usd, record.life_years.value, upkeep))
    return tuple(out)


def hour_words(hour: int) -> str:
    """'05:00 on 3 January'."""
    day = date.fromordinal(date(2001, 1, 1).toordinal() + hour // 24)
    return f"{hour % 24:02d}:00 on {day.day} {day:%B}"


def _no_power(there: Standing, resolved: Resolved) -> Infeasible:
    """Why no watt can be counted on, and what would make some of them count."""
    firm = there.firm
    mean = float(firm.available_w.mean())
    at = hour_words(firm.binding_hour)
    names = ", ".join(source.name for source in there.sources) or "nothing"
    record = resolved.catalog.get("generation", "battery-lithium")
    one = battery_of(record, 1.0, 1.0, "store")
    stands = 1.0 - record.forced_outage_rate.value
    for share in TARGETS:
        power, energy = smallest_battery(firm.available_w, share * mean, way=one.charge_efficiency)
        if np.isfinite(energy):
            break
    target = share * mean
    changes = []
    more = "; give it  grid_power: 100 MW,  say, or plant of its own"
    if there.called.all():
        more = "; the grid may ask all of it back in every hour: fewer hours or a smaller share of site.flexibility fit"
    if mean > 0:
        changes.append(Change("plant of fuel that is counted on, or grid power", 0.0, target / 1e6, "MW"))
        held = sum(b.energy_j for b in there.batteries) / 3.6e9
        size = f"MWh, and {power / stands / 1e6:,.4g} MW"
        changes.append(Change("storage", held, energy / stands / 3.6e9, size))
        more = f"; for {target / 1e6:,.3g} MW, {share:.0%} of the year's mean, either of the changes below is enough"
    message = f"the site has no power that can be counted on at {at}: it stands on {names}{more}"
    if any(source.own and not source.weather for source in there.sources):
        message += ". A single unit of plant is never counted on by itself, since it fails now and then"
    return Infeasible(message, [f"site power at {at}"], changes)
