"""The same site under four limits, one at a time: what a moat is worth depends on what is short.

From the best plan of a site that power limits (capital set free), each other regime loosens power fourfold and halves what
it is named after, as that plan used it. Duties are halved with it, so that every regime has a plan.

| regime  | short                          | free                                |
|---------|--------------------------------|-------------------------------------|
| power   | site power, as given           | capital                             |
| capital | half of what the plan cost     | power x 4                           |
| chips   | half of the focal racks        | power x 4, capital                  |
| demand  | half of the tokens it sold     | power x 4, capital                  |
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gigawatt.factory.fleet import plan
from gigawatt.factory.game import MoatTerms
from gigawatt.factory.inputs import PlanInputs
from gigawatt.factory.moat import Regime

AMPLE = 4.0
SCARCE = 0.5


def standard_regimes(
    inputs: PlanInputs, terms: MoatTerms, weak: MoatTerms | None = None, strong: MoatTerms | None = None
) -> tuple[Regime, ...]:
    """Power, capital, chips and demand in turn; a regime that can not arise is left out.

    That is the case for chips where the plan buys none of the focal platforms, and for demand where it sells nothing.

    Raises:
        Infeasible: the site has no plan even with capital free.
    """
    base = replace(inputs.with_objective("system"), capital_usd=np.inf, integer_racks=False)
    best = plan(base, prices=False)
    duties = tuple(replace(owed, tokens_per_s=owed.tokens_per_s * SCARCE) for owed in inputs.obligations)
    ample = replace(base, power_mw=base.power_mw * AMPLE, obligations=duties)
    found = {"power": base, "capital": replace(ample, capital_usd=best.capital_usd * SCARCE)}
    focal = list(terms.focal)
    if best.racks[focal].sum() > 0:
        supply = inputs.platforms.supply_racks.copy()
        supply[focal] = best.racks[focal] * SCARCE
        found["chips"] = replace(ample, platforms=replace(inputs.platforms, supply_racks=supply))
    sold = best.sold_tokens_per_s.max(axis=1, initial=0.0)
    if sold.sum() > 0:
        found["demand"] = replace(ample, segments=replace(inputs.segments, tokens_per_s=sold * SCARCE))
    return tuple(Regime(name, site, terms, weak, strong) for name, site in found.items())
