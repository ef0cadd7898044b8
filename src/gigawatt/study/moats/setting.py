"""The site that the moats are priced in: whose platforms are in focus, which rival stands in, the buyer's own programme."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible, InputError, Problem, unknown_name
from gigawatt.factory import Plan, PlanInputs, plan
from gigawatt.study.moats.spec import Moats
from gigawatt.study.price import Priced
from gigawatt.study.resolve import Resolved

Array = NDArray[np.float64]
SOLD = ("compute", "spares")  # the parts of a rack that its own vendor is paid


@dataclass(frozen=True, slots=True)
class Setting:
    """Row numbers are of the scenario's offers.

    Attributes:
        spec: what the scenario says of the moats.
        inputs: the fleet programme with the buyer's coefficients, every platform at its list price.
        focal: platforms of the vendor. rival: the named rival. lead: the focal platform with most racks in the plan.
        per_mw: [offers, workloads] most tokens/s a MW at the meter within the SLO; 0 where it does not run.
        notes: what a reader must know of the choice.
    """

    spec: Moats
    resolved: Resolved
    priced: Priced
    plan: Plan
    inputs: PlanInputs
    vendor: str
    focal: tuple[int, ...]
    rival: int
    lead: int
    per_mw: Array
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.inputs.platforms.names

    @property
    def cost_share(self) -> Array:
        """[offers] production cost over list of the vendor's own platforms; 1 where no source states it."""
        shares = (o.platform.production_cost_share for o in self.resolved.offers)
        return np.array([1.0 if share is None else share.value for share in shares])

    @property
    def sold_share(self) -> Array:
        """[offers] part of a rack's price that its vendor is paid."""
        racks = self.priced.rack_parts
        return np.array([sum(rack.part_usd(name) for name in SOLD) / rack.usd if rack.usd else 1.0 for rack in racks])


def setting_of(resolved: Resolved, priced: Priced, best: Plan, spec: Moats) -> Setting:
    """Who is compared with whom.

    Raises:
        InputError: no such vendor or rival on offer, or every platform is the vendor's.
    """
    offers = resolved.offers
    vendor = _vendor(resolved, spec)
    focal = tuple(i for i, o in enumerate(offers) if o.platform.vendor == vendor)
    per_mw = _per_mw(priced)
    rivals = [i for i in range(len(offers)) if i not in focal]
    if not rivals:
        raise InputError(
            Problem(
                "no_rival",
                f"moats: every platform on offer is of '{vendor}', and a moat is an advantage over somebody else",
                resolved.loaded.source.where(("fleet",)),
                ("add an offer of another maker to 'fleet', such as  {id: rival, platform: mi355x-8}",),
            )
        )
    notes = []
    able = [i for i in focal if per_mw[i].any()]
    lead = max(able, key=lambda i: (float(best.racks[i]), -i)) if able else focal[0]
    if not able:
        notes.append(f"None of the platforms of {vendor} runs any of the workloads here: no moat is worth anything.")
    rival = _rival(resolved, priced, best, spec, rivals, per_mw)
    if not per_mw[rival].any():
        names = [o.offer.id for o in offers]
        why = next((r.reason for r in priced.performance.refusals if r.offer == rival), "")
        said = f" ({why})" if why else ""
        notes.append(
            f"{names[rival]} runs none of the workloads{said}: what its stack does not run is lost without the software, and "
            "performance per watt is taken from dense peaks."
        )
    return Setting(spec, resolved, priced, best, buyer_inputs(priced), vendor, focal, rival, lead, per_mw, tuple(notes))


def buyer_inputs(priced: Priced) -> PlanInputs:
    """The plan's inputs as a buyer sees them who sells the tokens itself: every rack at list price, no contracts."""
    system = next(c for c in priced.inputs.coefficients if c.name == "system")
    operator = next(c for c in priced.inputs.coefficients if c.name == "operator")
    buyer = replace(
        system,
        name="buyer",
        platform_usd_per_yr=operator.platform_usd_per_yr,
        price_usd_per_yr=operator.price_usd_per_yr,
        revenue_share=1.0,
    )
    return replace(priced.inputs, coefficients=(buyer,), objective="buyer", integer_racks=False, block_racks=1)


def _vendor(resolved: Resolved, spec: Moats) -> str:
    makers = list(dict.fromkeys(o.platform.vendor for o in resolved.offers))
    if spec.vendor == "auto":
        return makers[0]
    if spec.vendor not in makers:
        where = resolved.loaded.source.where(("moats", "vendor"))
        raise InputError(unknown_name("vendor on offer:", spec.vendor, makers, where))
    return spec.vendor


def _rival(resolved: Resolved, priced: Priced, best: Plan, spec: Moats, rivals: list[int], per_mw: Array) -> int:
    vendor = np.ones(len(per_mw), dtype=np.bool_)
    vendor[rivals] = False
    names = [o.offer.id for o in resolved.offers]
    if spec.rival != "auto":
        if spec.rival not in names:
            where = resolved.loaded.source.where(("moats", "rival"))
            raise InputError(unknown_name("offer", spec.rival, [names[i] for i in rivals], where))
        if names.index(spec.rival) not in rivals:
            others = ", ".join(names[i] for i in rivals)
            where = resolved.loaded.source.where(("moats", "rival"))
            raise InputError(
                Problem("no_rival", f"moats.rival: '{spec.rival}' is the vendor's own", where, (f"rivals: {others}",))
            )
        return names.index(spec.rival)
    able = [i for i in rivals if per_mw[i].any()]
    return _nearest(priced, best, vendor, able) if able else rivals[0]


def _nearest(priced: Priced, best: Plan, vendor: NDArray[np.bool_], able: list[int]) -> int:
    """The rival that takes most power where the vendor has nothing to sell; where none is bought then, the one whose price
    would have to fall least."""
    inputs = buyer_inputs(priced)
    supply = np.where(vendor, 0.0, inputs.platforms.supply_racks)
    try:
        without = plan(replace(inputs, platforms=replace(inputs.platforms, supply_racks=supply)), prices=False)
    except Infeasible:  # an owed run that nobody else can do
        taken = np.zeros(len(supply))
    else:
        taken = np.zeros(len(supply))
        np.add.at(taken, inputs.points.platform, without.mean_use * inputs.points.mw)
    if taken[able].max() > 0:
        return max(able, key=lambda i: (float(taken[i]), -i))
    names = inputs.platforms.names
    cuts = dict.fromkeys(able, 1.0)
    for one in best.alternatives:
        at = names.index(one.platform)
        if at in cuts and one.price_cut is not None:
            cuts[at] = min(cuts[at], one.price_cut)
    return min(able, key=lambda i: (cuts[i], i))


def _per_mw(priced: Priced) -> Array:
    points, inputs = priced.inputs.points, priced.inputs
    out = np.zeros((len(inputs.platforms.names), len(inputs.workloads)))
    rate = np.divide(points.tokens_out_per_s, points.mw, out=np.zeros(len(points)), where=points.mw > 0)
    np.maximum.at(out, (points.platform, points.workload), rate)
    return out
