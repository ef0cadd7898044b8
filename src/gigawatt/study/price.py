"""Puts prices beside physics: racks with their watts at the meter, capital by part, rents, and the fleet programme's inputs.

Three parties' money stand side by side (`system`, `operator`, `lab`); the plan maximises one of them and all are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Change, Infeasible
from gigawatt.economics.cost import RackCapex, RunningCosts, capital_charge, rack_capex
from gigawatt.factory import Coefficients, Obligation, Phase, PlanInputs, Platforms, Points, Segments, make_points
from gigawatt.physics.site import PowerChain, balance
from gigawatt.study.charges import HOURS_PER_YEAR, Levied, charges_of, levied_on, with_charges
from gigawatt.study.jobs.owed import Run
from gigawatt.study.perform import Performance
from gigawatt.study.points import Point
from gigawatt.study.resolve import Resolved
from gigawatt.study.scenario import MilestoneTranche, Scenario, TakeOrPay
from gigawatt.study.site.plant import Plant, plant_of
from gigawatt.study.site.provision import Reserved, reserved
from gigawatt.study.site.spec import Provisioning
from gigawatt.study.timeline import Timeline, owed_quarters
from gigawatt.study.workloads import Serving

Array = NDArray[np.float64]
SECONDS_PER_YEAR = 8760 * 3600.0
COUNTED = ("definitive", "definitive (hypothetical)", "effective", "amended")


@dataclass(frozen=True, slots=True)
class Priced:
    """Inputs of the fleet programme, and the numbers that finance and the report need again.

    `rack_parts` holds the capital of a rack by platform; `vendor_sells` marks the platforms whose vendor is a listed company;
    `shell_usd_per_mw` is per MW at the meter; `energy_usd_per_yr` is per rack in use, one a point, and `charges_usd_per_yr` the
    same by charge of the scenario, [charges, points].
    """

    inputs: PlanInputs
    plant: Plant
    chain: PowerChain
    rack_parts: tuple[RackCapex, ...]
    vendor_sells: tuple[bool, ...]
    production_share: Array
    running: RunningCosts
    shell_usd_per_mw: float
    shell_life_years: float
    it_w: Array
    mean_load: Array
    energy_usd_per_yr: Array
    performance: Performance
    points_of: tuple[int, ...]
    reserved: Reserved
    levied: tuple[Levied, ...]
    charges_usd_per_yr: Array

    @property
    def busy_mw(self) -> Array:
        """MW at the meter that a rack draws when busy, one a point; `inputs.points.mw` is what is set aside for it."""
        return np.asarray(self.inputs.points.mw / self.reserved.factor)


def price(
    resolved: Resolved,
    performance: Performance,
    line: Timeline,
    plant: Plant | None = None,
    provisioning: Provisioning | None = None,
) -> Priced:
    """Join physics and prices.

    Args:
        plant: the site's, by default at the load of the whole site.
        provisioning: in place of the scenario's.

    Raises:
        Infeasible: a workload runs on no platform on offer; says why on each. Own plant costs more than there is.
    """
    scenario = resolved.scenario
    _all_run(resolved, performance)
    plant = plant or plant_of(resolved)
    chain = plant.chain
    running = _running(resolved, plant)
    levied = levied_on(resolved, plant)
    racks = with_charges([_rack(resolved, i) for i in range(len(resolved.offers))], levied)
    sells = _vendor_sells(resolved)
    points, used, held = _points(resolved, performance, plant, provisioning or scenario.site.provisioning)
    it_w = _it_watts(resolved, performance, used)
    # Over what is set aside, as `points.mw` is: energy is paid for what is drawn.
    load = np.array([_mean_load(resolved, performance.points[k]) for k in used]) / held.factor
    drawn_mw = points.mw * load * plant.energy_share * plant.served_share
    energy = drawn_mw * running.energy_usd_per_mw_yr
    charges = charges_of(levied, points, drawn_mw * HOURS_PER_YEAR)
    per_it = float(balance(1.0, chain).meter_w)
    shell = resolved.facility.shell_price.value * 1e6 / per_it
    cost_share = np.array([_production_share(resolved, i) if sells[i] else 1.0 for i in range(len(sells))])
    platforms = Platforms.of(
        tuple(o.offer.id for o in resolved.offers),
        [rack.usd for rack in racks],
        [o.offer.supply if o.offer.supply is not None else np.inf for o in resolved.offers],
        [float(box.chips) for box in performance.boxes],
    )
    life = float(resolved.facility.life_years.value)
    beside = -running.staff_usd_per_mw_yr * points.mw - charges.sum(axis=0)
    coefficients = _coefficients(scenario, points, racks, cost_share, running, beside, energy, shell, life, line, plant)
    inputs = PlanInputs(
        platforms=platforms,
        workloads=tuple(work.id for work in resolved.works),
        points=points,
        segments=_segments(resolved, line),
        coefficients=coefficients,
        power_mw=plant.power_mw,
        capital_usd=_capital_left(scenario, plant),
        shell_usd_per_mw=shell,
        obligations=_obligations(resolved, line),
        phases=tuple(Phase(p.name, p.weight) for p in line.phases),
        objective=scenario.objective.for_,
        integer_racks=scenario.integer_racks,
    )
    return Priced(
        inputs,
        plant,
        chain,
        racks,
        sells,
        cost_share,
        running,
        shell,
        life,
        it_w,
        load,
        energy,
        performance,
        used,
        held,
        levied,
        charges,
    )


def _all_run(resolved: Resolved, performance: Performance) -> None:
    """Every workload needs one platform that runs it."""
    running = {point.work for point in performance.points}
    lines, fixes = [], []
    for j, work in enumerate(resolved.works):
        if j not in running:
            for why in performance.refusals:
                if why.work == j:
                    lines.append(f"{work.id} on {resolved.offers[why.offer].offer.id}: {why.reason}")
                    fixes.append(f"{work.id} on {resolved.offers[why.offer].offer.id}: {why.fix}")
    if lines:
        names = ", ".join(work.id for j, work in enumerate(resolved.works) if j not in running)
        message = f"no platform on offer can do: {names}. " + "; ".join(dict.fromkeys(f for f in fixes if f))
        raise Infeasible(message, lines)


def _capital_left(scenario: Scenario, plant: Plant) -> float:
    """What own plant leaves of the capital for racks and building."""
    if scenario.capital is None:
        return float(np.inf)
    if plant.capital_usd > scenario.capital:
        needed = plant.capital_usd / 1e9
        raise Infeasible(
            f"the site's own plant costs {needed:,.3g} B USD, more than all capital",
            ["capital", "site.generation and site.storage"],
            [Change("capital", scenario.capital / 1e9, needed, "billion USD")],
        )
    return scenario.capital - plant.capital_usd


def _running(resolved: Resolved, plant: Plant) -> RunningCosts:
    c = resolved.costs
    return RunningCosts(
        energy_usd_per_mwh=plant.energy_usd_per_mwh,
        load_factor=1.0,
        maintenance_share=c.maintenance_share.value,
        insurance_share=c.insurance_share.value,
        property_tax_share=c.property_tax_share.value,
        facility_maintenance_share=c.facility_maintenance_share.value,
        staff_usd_per_mw_yr=c.staff.value * 1e6 * SECONDS_PER_YEAR,
    )


def _rack(resolved: Resolved, i: int) -> RackCapex:
    """Capital of a rack by part. A fabric named by the user is priced from its own bill and replaces the usual share."""
    offered = resolved.offers[i]
    platform, costs = offered.platform, resolved.costs
    own = offered.offer.fabric != "auto"
    return rack_capex(
        offered.offer.id,
        offered.list_price_usd,
        network_share=platform.network_share.value if platform.network_share else 0.0,
        storage_share=platform.storage_share.value if platform.storage_share else 0.0,
        network_usd=offered.network.price.value * platform.chips_per_rack if own else None,
        spares_share=costs.spares_share.value,
        life_years=costs.it_life_years.value,
        network_life_years=costs.network_life_years.value,
        vendor=platform.vendor,
    )


def _vendor_sells(resolved: Resolved) -> tuple[bool, ...]:
    """The listed vendor is the maker of the first platform on offer; all that it makes counts at its production cost."""
    listed = any(c.role == "vendor" for c in resolved.scenario.companies)
    maker = resolved.offers[0].platform.vendor
    return tuple(listed and o.platform.vendor == maker for o in resolved.offers)


def _production_share(resolved: Resolved, i: int) -> float:
    share = resolved.offers[i].platform.production_cost_share
    return share.value if share is not None else 1.0


def _it_watts(resolved: Resolved, performance: Performance, used: Sequence[int]) -> Array:
    """Watts at the rack input, one a point: what the chain carries to the meter."""
    out = []
    for k in used:
        point = performance.points[k]
        platform, network = resolved.offers[point.offer].platform, resolved.offers[point.offer].network
        chips = platform.chips_per_rack
        inside = (chips * point.chip_w + platform.beside_power_w) / platform.supply_efficiency.value
        out.append(inside + chips * network.power.value)
    return np.array(out)


def _points(
    resolved: Resolved, performance: Performance, plant: Plant, asked: Provisioning
) -> tuple[Points, tuple[int, ...], Reserved]:
    """Rack-level points on the useful hull of each pair, which physics rows they are, and what is set aside for them.

    Mean tokens of a serving rack are its capacity over the peak-to-mean ratio: it is sized for the peak. Hours without power
    make none (`served_share`).
    """
    rows = performance.points
    groups = sorted({row.group for row in rows})
    offers = resolved.offers
    peak = [_peak_to_mean(resolved, row.work) for row in rows]
    made = make_points(
        [row.offer for row in rows],
        [row.work for row in rows],
        [" ".join(word for word in (row.mapping, row.precision, row.mode) if word) for row in rows],
        chain=plant.chain,
        chip_w=[row.chip_w for row in rows],
        tokens_out_per_s_per_chip=[row.tokens_out_per_s for row in rows],
        tokens_in_per_s_per_chip=[row.tokens_in_per_s for row in rows],
        chips_per_rack=[float(o.platform.chips_per_rack) for o in offers],
        box_w=[o.platform.beside_power_w for o in offers],
        supply_efficiency=[o.platform.supply_efficiency.value for o in offers],
        fabric_w_per_chip=[o.network.power.value for o in offers],
        derate=plant.served_share / np.array(peak),
        group=[groups.index(row.group) for row in rows],
        low=[row.low for row in rows],
        high=[row.high for row in rows],
    )
    busy = asked.policy == "busy"
    keep = np.flatnonzero(made.hull()) if busy else np.arange(len(made))
    at = made.take(keep)
    load = np.array([_mean_load(resolved, rows[k]) for k in keep])
    racks = np.maximum(plant.power_mw / at.mw, 1.0)
    held = reserved(
        resolved, performance, keep.tolist(), _it_watts(resolved, performance, keep.tolist()), load, racks, asked
    )
    if not busy:
        at = at.scaled(tokens=1.0 - held.lost, mw=held.factor)
        hull = np.flatnonzero(at.hull())
        at, keep, held = at.take(hull), keep[hull], held.take(hull)
    return at, tuple(int(k) for k in keep), held


def _peak_to_mean(resolved: Resolved, work: int) -> float:
    spec = resolved.works[work].spec
    return spec.demand.peak_to_mean if isinstance(spec, Serving) else 1.0


def _mean_load(resolved: Resolved, point: Point) -> float:
    """Mean draw over draw when busy: the cost set's load factor when serving; a training run's own, with its restarts."""
    if resolved.works[point.work].is_serving:
        return resolved.costs.load_factor.value
    return point.load


def _segments(resolved: Resolved, line: Timeline) -> Segments:
    names, works, prices, demands = [], [], [], []
    for j, work in enumerate(resolved.works):
        spec = work.spec
        names.append(work.id)
        works.append(j)
        if isinstance(spec, Serving):
            per_output = spec.price.output + spec.price.input * spec.input_tokens / spec.output_tokens
            realised = per_output * spec.price.realised_share * 1e6
            prices.append(realised)
            demands.append(spec.demand.output)
            for number, tier in enumerate(spec.demand.tiers, 2):
                names.append(f"{work.id}, tier {number}")
                works.append(j)
                prices.append(realised * tier.at)
                demands.append(tier.output)
        else:
            seconds = max(line.full_seconds_until(owed_quarters(resolved.scenario, spec)), 1.0)
            prices.append((spec.price_per_run or 0.0) / spec.owed_tokens * 1e6)
            demands.append(spec.owed_tokens / seconds)
    return Segments.of(tuple(names), works, prices, demands)


def _obligations(resolved: Resolved, line: Timeline) -> tuple[Obligation, ...]:
    out = []
    for j, work in enumerate(resolved.works):
        if isinstance(work.spec, Run) and work.spec.obligation is not None:
            seconds = max(line.full_seconds_until(owed_quarters(resolved.scenario, work.spec)), 1.0)
            phases = tuple(f for f, phase in enumerate(line.phases) if work.id in phase.owed)
            out.append(
                Obligation(f"{work.id} by {work.spec.obligation.finish_by}", j, work.spec.owed_tokens / seconds, phases)
            )
    return tuple(out)


def rent_usd_per_mw_yr(scenario: Scenario) -> float:
    """What the lab pays the operator for a MW-year under its counted take-or-pay contracts."""
    operator = scenario.company("operator")
    deals = (c for c in scenario.contracts if isinstance(c, TakeOrPay) and c.status in COUNTED and c.gets == operator)
    return sum(deal.price * 1e6 * SECONDS_PER_YEAR for deal in deals)


def seller(scenario: Scenario) -> str:
    """Who receives the token revenue: the lab where one is listed, else the operator."""
    return scenario.company("lab" if any(c.role == "lab" for c in scenario.companies) else "operator")


def _tranche_usd_per_mw_yr(scenario: Scenario, line: Timeline) -> float:
    """Counted milestone money to the lab, spread evenly over the MW that earn it and over the horizon."""
    lab = scenario.company("lab")
    deals = [c for c in scenario.contracts if isinstance(c, MilestoneTranche) and c.status in COUNTED and c.gets == lab]
    return sum(deal.amount / (deal.per / 1e6) for deal in deals) / line.annuity_years if deals else 0.0


def _coefficients(
    scenario: Scenario,
    points: Points,
    racks: Sequence[RackCapex],
    cost_share: Array,
    running: RunningCosts,
    beside: Array,
    energy: Array,
    shell_usd_per_mw: float,
    shell_life: float,
    line: Timeline,
    plant: Plant,
) -> tuple[Coefficients, ...]:
    rate = scenario.discount_rate
    at_list = np.array([rack.charge_usd_per_yr(rate) for rack in racks])
    made = np.array([_vendor_part(rack, rate) for rack in racks])
    upkeep = np.array([float(running.upkeep_usd_per_yr(rack.usd)) for rack in racks])
    shell = float(capital_charge(shell_usd_per_mw, rate, shell_life)) + float(
        running.shell_upkeep_usd_per_yr(shell_usd_per_mw)
    )
    rent = rent_usd_per_mw_yr(scenario)
    none = np.zeros(len(points))
    sells_itself = seller(scenario) == scenario.company("operator")
    own = plant.charge_usd_per_yr
    system = Coefficients(
        "system", beside, energy, at_list - made * (1 - cost_share) + upkeep, made * cost_share, shell, 1.0, own
    )
    operator = Coefficients(
        "operator",
        beside + rent * points.mw,
        energy,
        at_list + upkeep,
        made,
        shell,
        1.0 if sells_itself else 0.0,
        own,
    )
    lab = Coefficients(
        "lab",
        (_tranche_usd_per_mw_yr(scenario, line) - rent) * points.mw,
        none,
        np.zeros(len(racks)),
        np.zeros(len(racks)),
        0.0,
        0.0 if sells_itself else 1.0,
    )
    return system, operator, lab


def _vendor_part(rack: RackCapex, rate: float) -> float:
    """Yearly charge of what the platform's own vendor is paid."""
    return sum(part.charge_usd_per_yr(rate) for part in rack.parts if part.name in ("compute", "spares"))


__all__ = ["COUNTED", "Priced", "price", "rent_usd_per_mw_yr", "seller"]
