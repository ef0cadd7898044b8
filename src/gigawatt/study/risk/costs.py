"""What things cost in each world: parts of a rack, building, own plant, what is paid a year; and each party's coefficients.

The same sums as `study.price` makes for the plan, along the draws. With every factor 1 they are its numbers, and a test holds
the two together, as it holds a world of another price to a plan priced anew.

    compute = list (1 - network share - storage share),   spares = compute x spares share
    charge  = sum over parts of usd x 4 CRF_q(r, life) + upkeep shares x usd
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.economics.cost import capital_charge, quarterly_crf, quarterly_rate
from gigawatt.study.price import COUNTED, Priced, rent_usd_per_mw_yr
from gigawatt.study.resolve import Resolved
from gigawatt.study.risk.world import World
from gigawatt.study.scenario import MilestoneTranche, TakeOrPay
from gigawatt.study.settle import buying
from gigawatt.study.timeline import Timeline

Array = NDArray[np.float64]
SECONDS_PER_YEAR = 8760 * 3600.0
PARTS = ("compute", "network", "storage", "spares")
VENDORS = ("compute", "spares")  # what a platform's own vendor is paid for


@dataclass(frozen=True, slots=True)
class Costs:
    """Columns [draws, ...] of one world.

    Attributes:
        part_usd: [draws, platforms, parts] of one rack. production: [draws, platforms] share of what the vendor is paid.
        shell_usd_per_mw, staff_usd_per_mw_yr, it_upkeep_share, shell_upkeep_share: [draws].
        own_usd, own_upkeep_usd_per_yr: [draws, own plants].
        grid_usd_factor, fuel_usd_factor: [draws] on the energy bill's two parts.
        rate: [draws] discount rate, or one number.
    """

    part_usd: Array
    production: Array
    shell_usd_per_mw: Array
    staff_usd_per_mw_yr: Array
    it_upkeep_share: Array
    shell_upkeep_share: Array
    own_usd: Array
    own_upkeep_usd_per_yr: Array
    grid_factor: Array
    fuel_factor: Array
    rate: Array | float

    @property
    def rack_usd(self) -> Array:
        """[draws, platforms] of a rack, all parts."""
        return np.asarray(self.part_usd.sum(axis=2))


def costs_of(resolved: Resolved, priced: Priced, world: World) -> Costs:
    """The prices of a world."""
    n, costs = world.count, resolved.costs
    part = np.zeros((n, len(resolved.offers), len(PARTS)))
    made = np.ones((n, len(resolved.offers)))
    spares_share = costs.spares_share.value * world.of("spares")
    for p, offered in enumerate(resolved.offers):
        platform = offered.platform
        listed = offered.list_price_usd * world.of("list", p)
        network = (platform.network_share.value if platform.network_share else 0.0) * world.of("network_share", p)
        storage = (platform.storage_share.value if platform.storage_share else 0.0) * world.of("storage_share", p)
        compute = listed * (1.0 - network - storage)
        own = offered.offer.fabric != "auto"
        wired = offered.network.price.value * platform.chips_per_rack if own else listed * network
        for k, usd in enumerate((compute, wired, listed * storage, compute * spares_share)):
            part[:, p, k] = usd
        if priced.vendor_sells[p]:
            made[:, p] = np.minimum(priced.production_share[p] * world.of("production", p), 1.0)
    insurance, tax = (
        costs.insurance_share.value * world.of("insurance"),
        costs.property_tax_share.value * world.of("property_tax"),
    )
    own_usd, own_upkeep = _own(resolved, priced, world, insurance + tax)

    def column(value: Array | float) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))

    return Costs(
        part,
        made,
        column(priced.shell_usd_per_mw * world.of("shell")),
        column(priced.running.staff_usd_per_mw_yr * world.of("staff")),
        column(costs.maintenance_share.value * world.of("maintenance") + insurance + tax),
        column(costs.facility_maintenance_share.value * world.of("shell_maintenance") + insurance + tax),
        own_usd,
        own_upkeep,
        column(world.of("grid")),
        column(world.of("fuel")),
        resolved.scenario.discount_rate * world.of("rate"),
    )


def _own(resolved: Resolved, priced: Priced, world: World, on_capital: Array | float) -> tuple[Array, Array]:
    """[draws, own plants] capital, and upkeep a year with insurance and property tax of the capital."""
    standing = priced.plant.supply.standing.own
    asked = {one.asked.id: one for one in resolved.owned}
    usd, upkeep = np.zeros((world.count, len(standing))), np.zeros((world.count, len(standing)))
    for k, own in enumerate(standing):
        record = asked[own.name].record
        by_power = own.mw * 1e6 * record.capex.value
        usd[:, k] = by_power * world.of("own_capex", own.name)
        usd[:, k] += (own.capital_usd - by_power) * world.of("own_energy_capex", own.name)
        fixed = own.mw * 1e6 * record.fixed_upkeep.value * SECONDS_PER_YEAR
        upkeep[:, k] = fixed * world.of("own_upkeep", own.name) + on_capital * usd[:, k]
    return usd, upkeep


def charge(usd: Array, rate: Array | float, life_years: float) -> Array:
    """USD a year over the life; `usd` [draws, ...], `rate` [draws] or one number."""
    each = capital_charge(1.0, rate, life_years)
    return np.asarray(
        usd * each.reshape(each.shape + (1,) * (usd.ndim - each.ndim)) if each.ndim else usd * float(each)
    )


@dataclass(frozen=True, slots=True)
class Paid:
    """What each party pays in each world, in the form of its coefficients: [draws, platforms] or [draws].

    `other_usd_per_mw_yr` is earned by a MW in use, beside energy and tokens.
    """

    platform_usd_per_yr: Array
    shell_usd_per_mw_yr: Array
    other_usd_per_mw_yr: Array
    fixed_usd_per_yr: Array


def paid_by(
    resolved: Resolved, priced: Priced, line: Timeline, costs: Costs, world: World, annuity: Array | float
) -> dict[str, Paid]:
    """Each party's coefficients, `system`, `operator` and `lab`, as `study.price` makes them; `annuity` in years."""
    n = world.count
    at_list, made = np.zeros(costs.production.shape), np.zeros(costs.production.shape)
    for k, name in enumerate(PARTS):
        life = part_life_years(resolved, name)
        yearly = charge(costs.part_usd[:, :, k], costs.rate, life)
        at_list += yearly
        if name in VENDORS:
            made += yearly
    upkeep = costs.it_upkeep_share[:, None] * costs.rack_usd
    shell = charge(costs.shell_usd_per_mw, costs.rate, priced.shell_life_years)
    shell = shell + costs.shell_upkeep_share * costs.shell_usd_per_mw
    lives = [own.life_years for own in priced.plant.supply.standing.own]
    fixed = costs.own_upkeep_usd_per_yr.sum(axis=1)
    for k, life in enumerate(lives):
        fixed = fixed + charge(costs.own_usd[:, k], costs.rate, life)
    rent = rents(resolved, world)
    none = np.zeros(n)
    staff = -costs.staff_usd_per_mw_yr
    return {
        "system": Paid(at_list - made * (1 - costs.production) + upkeep, shell, staff, fixed),
        "operator": Paid(at_list + upkeep, shell, np.asarray(staff + rent), fixed),
        "lab": Paid(
            np.zeros(at_list.shape), none, np.asarray(_tranches(resolved, world) / annuity - rent) + none, none
        ),
    }


def part_life_years(resolved: Resolved, name: str) -> float:
    """Life of one part of a rack; see `study.price`."""
    costs = resolved.costs
    return float((costs.network_life_years if name == "network" else costs.it_life_years).value)


def rents(resolved: Resolved, world: World) -> Array | float:
    """[draws] USD per MW and year that the lab pays the operator under its counted take-or-pay contracts."""
    scenario = resolved.scenario
    whole = rent_usd_per_mw_yr(scenario)
    deals = [c for c in scenario.contracts if isinstance(c, TakeOrPay) and c.status in COUNTED]
    more = [
        deal.price * 1e6 * SECONDS_PER_YEAR * (world.of("contract", deal.id) - 1.0)
        for deal in deals
        if deal.gets == scenario.company("operator")
    ]
    return whole + sum(more)


def _tranches(resolved: Resolved, world: World) -> Array | float:
    """[draws] USD for each MW that counted milestones pay the lab."""
    lab = resolved.scenario.company("lab")
    deals: Sequence[MilestoneTranche] = [
        c
        for c in resolved.scenario.contracts
        if isinstance(c, MilestoneTranche) and c.status in COUNTED and c.gets == lab
    ]
    return sum((deal.amount / (deal.per / 1e6) * world.of("contract", deal.id) for deal in deals), 0.0)


def prices_of(resolved: Resolved, world: World) -> tuple[Array | None, Array | None, Array | None]:
    """Factors on token prices [draws, workloads], on what a rack makes of a workload, and on demand of each first segment.

    A price per output token is that of the output and of its input: each part moves by its own weight.
    """
    works = resolved.works
    keys: list[object] = list(range(len(works)))
    price = world.stack("price", keys)
    if world.has("price_input", "price_output"):
        price = np.ones((world.count, len(works))) if price is None else price
        for w, work in enumerate(works):
            spec = getattr(work.spec, "price", None)
            if spec is None or isinstance(spec, (int, float)):
                continue
            into = spec.input * work.spec.input_tokens / work.spec.output_tokens  # type: ignore[union-attr]
            if spec.output + into > 0:
                blend = spec.output * world.of("price_output", w) + into * world.of("price_input", w)
                price[:, w] *= blend / (spec.output + into)
    peak = world.stack("peak", keys)
    return price, None if peak is None else 1.0 / peak, world.stack("demand", keys)


def residual_share(life_years: float, arrivals: Array, rate: Array | float) -> Array | float:
    """What plant is worth at the horizon's end over what it cost; [draws] where `rate` is."""
    if not np.ndim(rate):
        return float(buying(1.0, life_years, arrivals, float(rate))[1])
    life, quarters = max(1, round(life_years * 4)), len(arrivals)
    step, level = quarterly_rate(rate), quarterly_crf(rate, life / 4)
    left = np.zeros(np.shape(rate))
    for first in np.flatnonzero(arrivals):
        remaining = life - (quarters - range(int(first), quarters, life)[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            worth = np.where(step == 0, float(remaining), (1 - (1 + step) ** -float(remaining)) / step)
        left += arrivals[first] * level * worth
    return left
