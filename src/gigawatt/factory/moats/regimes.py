"""The same site under one limit at a time: what a moat is worth depends on what is short.

From the plan of the site with power as its limit (capital and the vendor's chips free), every other regime has power to spare
(4, 16 or 64 times what that plan takes, the first that does not bind; 4 times where demand has no end, and that is said) and
is short of what it is named after: as the scenario states it where that binds, else half of what the power-limited plan used.
An owed run that no plan fits any more is halved too, and that is said.

| regime         | short                                             | free                            |
|----------------|---------------------------------------------------|---------------------------------|
| as given       | what the scenario makes short                     |                                 |
| power-limited  | site power as given, or half of what a plan takes | capital, the vendor's chips     |
| capital-limited| capital as given, or half of what the plan cost   | power, the vendor's chips       |
| chip-limited   | the vendor's chips as given, or half of the plan's| power, capital                  |
| demand-limited | half of the tokens the plan sold                  | power, capital, chips           |
| export-limited | the vendor's chips: none, or a stated share       | power, capital                  |
| open-software  | as power-limited, rivals with the vendor's software |                               |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.factory.fleet import Plan, plan
from gigawatt.factory.inputs import PlanInputs, Platforms
from gigawatt.factory.moats.game import at_production_cost
from gigawatt.factory.moats.terms import MoatTerms

Array = NDArray[np.float64]
RegimeName = Literal[
    "as given",
    "power-limited",
    "capital-limited",
    "chip-limited",
    "demand-limited",
    "export-limited",
    "open-software",
]
REGIMES: tuple[RegimeName, ...] = get_args(RegimeName)
AMPLE = (4.0, 16.0, 64.0)  # times the power that the power-limited plan takes
SCARCE = 0.5  # of what that plan uses
_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Regime:
    """A site in which something is short.

    `short` says what, in words. `opened_by` [platforms, workloads] is by how much rivals' tokens were raised where they have
    the vendor's software, else None.
    """

    name: str
    inputs: PlanInputs
    terms: MoatTerms
    short: str = ""
    opened_by: Array | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """A regime that can not arise here, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class _Reference:
    """The power-limited plan, and the inputs from which the others start (all at production cost where planned)."""

    inputs: PlanInputs
    ample: PlanInputs
    best: Plan
    at_most: Plan
    words: str


def standard_regimes(
    inputs: PlanInputs, terms: MoatTerms, names: Sequence[str] = REGIMES, *, export_share: float = 0.0
) -> tuple[Regime | Absent, ...]:
    """The regimes of these names.

    Args:
        inputs: the site; its chosen coefficients are the buyer's at list price.
        terms: of the moats.
        names: which.
        export_share: of the vendor's chips in the power-limited plan, what an export limit lets through.

    Raises:
        Infeasible: the site has no plan even with capital free.
    """
    found: dict[str, Regime | Absent] = {}
    if "as given" in names:
        found["as given"] = Regime("as given", inputs, terms, "as the scenario states it")
    if set(names) - {"as given"}:
        found |= _from_reference(inputs, terms, export_share)
    return tuple(found[name] for name in names)


def _from_reference(inputs: PlanInputs, terms: MoatTerms, export_share: float) -> dict[str, Regime | Absent]:
    base = _reference(inputs, terms)
    if base is None:
        why = "nothing is worth building here: no platform earns its cost at these prices"
        return {name: Absent(name, why) for name in REGIMES}
    used = base.best
    out: dict[str, Regime | Absent] = {
        "power-limited": Regime("power-limited", base.inputs, terms, base.words),
        "capital-limited": _capital(inputs, terms, base),
        "chip-limited": _chips(inputs, terms, base),
        "export-limited": _export(terms, base, export_share),
    }
    sold = used.sold_tokens_per_s.max(axis=1, initial=0.0)
    demand = replace(base.ample, segments=replace(inputs.segments, tokens_per_s=sold * SCARCE))
    out["demand-limited"] = _planned("demand-limited", demand, terms, f"demand: {SCARCE:.0%} of what the plan sold")
    faster = terms.given_software[base.inputs.points.platform, base.inputs.points.workload]
    opened = replace(base.inputs, points=base.inputs.points.scaled(tokens=faster))
    words = f"{base.words}; every rival has the vendor's software"
    out["open-software"] = Regime("open-software", opened, terms.opened(), words, terms.given_software)
    return out


def _reference(inputs: PlanInputs, terms: MoatTerms) -> _Reference | None:
    free = replace(inputs, capital_usd=np.inf, platforms=_supplied(inputs, terms, np.inf), integer_racks=False)
    best = _solved(free, terms)
    if best.site_mw <= _NEAR:
        return None
    words = "power as given"
    if best.site_mw < free.power_mw * (1 - _NEAR):
        words = f"power: {SCARCE:.0%} of the {best.site_mw:,.0f} MW that the plan takes where nothing limits it"
        free = replace(free, power_mw=best.site_mw * SCARCE)
        fitting = _fitting(free, terms)
        if fitting is None:
            return None
        free, best, halved = fitting
        words += halved
    ample = replace(free, power_mw=best.site_mw * AMPLE[-1])
    found = _fitting(ample, terms)
    return None if found is None else _Reference(free, ample, best, found[1], words)


def _supplied(inputs: PlanInputs, terms: MoatTerms, racks: Array | float) -> Platforms:
    supply = inputs.platforms.supply_racks.copy()
    supply[list(terms.focal)] = racks
    return replace(inputs.platforms, supply_racks=supply)


def _capital(inputs: PlanInputs, terms: MoatTerms, base: _Reference) -> Regime | Absent:
    wanted = base.at_most.capital_usd
    given = inputs.capital_usd < wanted * (1 - _NEAR)
    usd = inputs.capital_usd if given else base.best.capital_usd * SCARCE
    words = "capital as given" if given else f"capital: {SCARCE:.0%} of what the power-limited plan costs"
    return _planned("capital-limited", replace(base.ample, capital_usd=usd), terms, words)


def _chips(inputs: PlanInputs, terms: MoatTerms, base: _Reference) -> Regime | Absent:
    focal = list(terms.focal)
    bought = base.best.racks[focal]
    given = inputs.platforms.supply_racks[focal]
    if bought.sum() <= _NEAR:
        return Absent(
            "chip-limited", "the plan buys none of the vendor's platforms, even where nothing but power is short"
        )
    binds = bool(np.any(given < base.at_most.racks[focal] * (1 - _NEAR)))
    supply = given if binds else bought * SCARCE
    words = "the vendor's chips as given" if binds else f"the vendor's chips: {SCARCE:.0%} of the power-limited plan's"
    inside = replace(base.ample, platforms=_supplied(inputs, terms, supply))
    return _planned("chip-limited", inside, terms, words)


def _export(terms: MoatTerms, base: _Reference, share: float) -> Regime | Absent:
    allowed = base.best.racks[list(terms.focal)] * share
    words = f"the vendor's chips: {share:.0%} of the power-limited plan's" if share else "none of the vendor's chips"
    inside = replace(base.ample, platforms=_supplied(base.ample, terms, allowed))
    return _planned("export-limited", inside, terms, words)


def _planned(name: str, inputs: PlanInputs, terms: MoatTerms, words: str) -> Regime | Absent:
    """The regime with no more power than is ample, and its owed runs halved where it takes that for a plan to fit."""
    tried = [_fitting(replace(inputs, power_mw=inputs.power_mw * times / AMPLE[-1]), terms) for times in AMPLE[:1]]
    for times in AMPLE[1:]:
        if tried[-1] is None or tried[-1][1].site_mw < tried[-1][0].power_mw * (1 - _NEAR):
            break
        tried.append(_fitting(replace(inputs, power_mw=inputs.power_mw * times / AMPLE[-1]), terms))
    found, more = tried[-1], ""
    if found is not None and found[1].site_mw >= found[0].power_mw * (1 - _NEAR):
        found, more = tried[0], f"; power still binds at {AMPLE[0]:.0f} times: demand has no end here"
    if found is None:
        return Absent(name, f"no plan fits with {words}, even with half of every owed run")
    return Regime(name, found[0], terms, words + found[2] + more)


def _fitting(inputs: PlanInputs, terms: MoatTerms) -> tuple[PlanInputs, Plan, str] | None:
    try:
        return inputs, _solved(inputs, terms), ""
    except Infeasible:
        duties = tuple(replace(owed, tokens_per_s=owed.tokens_per_s * SCARCE) for owed in inputs.obligations)
        halved = replace(inputs, obligations=duties)
    try:
        return halved, _solved(halved, terms), "; owed runs halved, so that a plan fits"
    except Infeasible:
        return None


def _solved(inputs: PlanInputs, terms: MoatTerms) -> Plan:
    """The joint plan."""
    return plan(at_production_cost(inputs, terms), prices=False)
