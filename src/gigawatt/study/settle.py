"""Lays a plan over the quarters, runs the contracts, keeps one ledger: who pays whom when.

Capital is paid when racks arrive (at the start of their first quarter) and parts are bought again when their life ends. At
the horizon's end each part is worth the payments that remain of its level rent,

    residual = usd x CRF_q x annuity(remaining quarters),

so that buying and renting are worth the same, and the net present value of the listed companies together is the fleet
programme's objective for the system. Where a vendor is listed the system counts its racks at production cost: what they
are worth at the end above that (`residual_markup_usd`) is the owner's gain in the ledger and none of the system's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.economics.cost import quarterly_crf, quarterly_rate
from gigawatt.factory import Plan
from gigawatt.finance import Contract, Flow, Ledger, Residual, Schedule, build_ledger, read_contracts
from gigawatt.study.price import Priced, seller
from gigawatt.study.resolve import Resolved
from gigawatt.study.timeline import Timeline

Array = NDArray[np.float64]
CUSTOMERS = "customers"
UTILITY = "utility"
SERVICES = "site services"
BUILDER = "builder"
SUPPLIERS = "suppliers"
FUEL = "fuel suppliers"
PLANT = "plant builders"
OWN = "own plant: "  # how the part of a purchase begins that gives watts


@dataclass(frozen=True, slots=True)
class Purchase:
    """One kind of plant: USD for the whole fleet, who sells it, how long it lasts, what it costs a listed vendor to make."""

    part: str
    payee: str
    usd: float
    life_years: float
    boundary: str
    made_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """The ledger with its schedule, what was bought, and the running columns by quarter (without the opening)."""

    ledger: Ledger
    schedule: Schedule
    purchases: tuple[Purchase, ...]
    revenue_usd: Array
    energy_usd: Array
    opex_usd: Array
    mw_used: Array
    signed: tuple[Contract, ...]
    residual_markup_usd: float


def settle(resolved: Resolved, priced: Priced, plan: Plan, line: Timeline) -> Settled:
    """Base flows of the plan, then the contracts, then the closing values."""
    scenario = resolved.scenario
    operator, vendor = scenario.company("operator"), scenario.company("vendor")
    phase = line.phase_of()
    active = line.active
    points = priced.inputs.points
    # Columns by quarter; `plan.use` is racks in use [points, phases], `plan.sold` tokens/s sold [segments, phases].
    mw_used = (points.mw @ plan.use)[phase] * active
    energy = (priced.energy_usd_per_yr @ plan.use)[phase] * active / 4
    by_segment = priced.inputs.segments.usd_per_mtok[:, None] * plan.sold_tokens_per_s / 1e6 * (8760 * 3600 / 4)
    revenue = by_segment[:, phase] * active
    purchases = tuple(_purchases(resolved, priced, plan, vendor))
    running = priced.running
    it_usd = sum(p.usd for p in purchases if p.part != "shell" and not p.part.startswith(OWN))
    shell_usd = sum(p.usd for p in purchases if p.part == "shell")
    upkeep = (float(running.upkeep_usd_per_yr(it_usd)) + float(running.shell_upkeep_usd_per_yr(shell_usd))) * active / 4
    staff = running.staff_usd_per_mw_yr * mw_used / 4

    schedule = Schedule.quarterly(
        scenario.horizon.start,
        line.quarters,
        mw_active=mw_used,
        mw_committed=plan.site_mw * active,
        gw_built=plan.site_mw * active / 1e3,
    )
    taker = seller(scenario)
    names = priced.inputs.segments.names
    flows = [Flow(CUSTOMERS, taker, f"revenue:{n}", schedule.column(revenue[s])) for s, n in enumerate(names)]
    own = priced.plant.supply
    fuel = energy * own.fuel_share
    kept = sum(one.upkeep_usd_per_yr for one in own.standing.own) * active / 4
    flows.append(Flow(operator, UTILITY, "energy", schedule.column(energy - fuel)))
    flows.append(Flow(operator, FUEL, "energy:own plant", schedule.column(fuel)))
    flows.append(Flow(operator, SERVICES, "opex:own plant", schedule.column(kept)))
    flows.append(Flow(operator, SERVICES, "opex:upkeep", schedule.column(upkeep)))
    flows.append(Flow(operator, SERVICES, "opex:staff", schedule.column(staff)))
    charges = (priced.charges_usd_per_yr @ plan.use)[:, phase] * active / 4
    for one, paid in zip(priced.levied, charges, strict=True):
        for payer, payee, usd in ((operator, one.levy.payee, paid), (one.levy.payee, operator, -paid)):  # or a subsidy
            flows.append(Flow(payer, payee, f"opex:{one.levy.id}", schedule.column(np.maximum(usd, 0.0))))
    residuals, markup = [], 0.0
    for purchase in purchases:
        paid, left = buying(purchase.usd, purchase.life_years, line.arrivals, scenario.discount_rate)
        flows.append(Flow(operator, purchase.payee, f"capex:{purchase.part}", paid))
        residuals.append(Residual(operator, f"capex:{purchase.part}", left))
        if purchase.made_usd:
            markup += left * (1 - purchase.made_usd / purchase.usd)
            flows.append(Flow(vendor, SUPPLIERS, f"cogs:{purchase.part}", paid * (purchase.made_usd / purchase.usd)))
    signed = tuple(read_contracts(_plain(resolved)))
    moved = [flow for flow in flows if np.any(flow.amount_usd)]
    ledger = build_ledger(moved, signed, schedule, residuals=_joined(residuals))
    opex = upkeep + staff + kept + charges.sum(axis=0)
    return Settled(ledger, schedule, purchases, revenue, energy, opex, mw_used, signed, markup)


def buying(usd: float, life_years: float, arrivals: Array, rate: float) -> tuple[Array, float]:
    """What is paid in each period (the opening first), and what the plant is worth at the horizon's end.

    Each arrival is bought at the start of its quarter and again each time its life ends before the horizon does.

    >>> paid, left = buying(100.0, 0.5, np.array([1.0, 0.0, 0.0]), 0.0)
    >>> paid.tolist(), left
    ([100.0, 0.0, 100.0, 0.0], 50.0)
    """
    quarters = len(arrivals)
    life = max(1, round(life_years * 4))
    paid = np.zeros(quarters + 1)
    left = 0.0
    step = float(quarterly_rate(rate))
    level = float(quarterly_crf(rate, life / 4))
    for first in np.flatnonzero(arrivals):
        cost = usd * arrivals[first]
        bought = range(int(first), quarters, life)
        paid[list(bought)] += cost
        remaining = life - (quarters - bought[-1])
        worth = remaining if step == 0 else (1 - (1 + step) ** -remaining) / step
        left += cost * level * worth
    return paid, left


def _joined(residuals: Iterable[Residual]) -> list[Residual]:
    """One residual an account: several platforms may share one."""
    total: dict[tuple[str, str], float] = {}
    for one in residuals:
        key = (one.owner, one.account)
        total[key] = total.get(key, 0.0) + float(np.asarray(one.amount_usd))
    return [Residual(owner, account, usd) for (owner, account), usd in total.items() if usd]


def _purchases(resolved: Resolved, priced: Priced, plan: Plan, vendor: str) -> Iterable[Purchase]:
    for i, rack in enumerate(priced.rack_parts):
        count = float(plan.racks[i])
        if count <= 0:
            continue
        for part in rack.parts:
            own = part.name in ("compute", "spares")
            listed = own and priced.vendor_sells[i]
            payee = vendor if listed else part.payee
            usd = part.usd * count
            made = usd * float(priced.production_share[i]) if listed else 0.0
            yield Purchase(part.name, payee, usd, part.life_years, part.boundary, made)
    if plan.site_mw > 0:
        usd = plan.site_mw * priced.shell_usd_per_mw
        yield Purchase("shell", BUILDER, usd, priced.shell_life_years, "building, power, cooling, no IT")
    for one in priced.plant.supply.standing.own:
        yield Purchase(f"{OWN}{one.name}", PLANT, one.capital_usd, one.life_years, "generation and storage of the site")


def _plain(resolved: Resolved) -> list[dict[str, object]]:
    """Contracts of the scenario as finance reads them: prices and powers in the engine's units, blanks left out."""
    rows = []
    for deal in resolved.scenario.contracts:
        row = {key: value for key, value in deal.model_dump(exclude={"covenant"}).items() if value is not None}
        rows.append(row)
    return rows
