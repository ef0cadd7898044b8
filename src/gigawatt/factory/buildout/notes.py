"""What a reader must know of a build-out beside its numbers: who runs nothing, what comes too late, where power is missing."""

from __future__ import annotations

import numpy as np

from gigawatt.factory.buildout.result import BuildPlan


def notes_of(plan: BuildPlan) -> tuple[str, ...]:
    """Sentences; none where nothing is unusual."""
    inputs = plan.inputs
    n_t = len(inputs.quarters)
    out = []
    runs = np.isin(np.arange(len(inputs.platforms)), inputs.points.platform[inputs.points.tokens_out_per_s > 0])
    for p, name in enumerate(inputs.platforms):
        offered = np.flatnonzero(inputs.supply_racks[p] > 0)
        owned = inputs.opening_racks[p] > 0 or inputs.arriving[p].any()
        if not runs[p]:
            out.append(f"{name} runs none of the workloads, so none is bought.")
        elif not offered.size and not owned:
            out.append(f"{name} is not on offer in any quarter.")
        elif offered.size and offered[0] + inputs.lead_quarters[p] >= n_t and not owned:
            lead = int(inputs.lead_quarters[p])
            wait = f"{lead} {'quarter' if lead == 1 else 'quarters'}"
            out.append(
                f"{name} is on offer from {inputs.quarters[offered[0]]} on and takes {wait} to come: "
                "after the horizon, so none is bought."
            )
    for w, name in enumerate(inputs.workloads):
        if not np.any(inputs.points.workload == w):
            out.append(f"No platform runs {name}.")
    dark = [inputs.quarters[t] for t in np.flatnonzero(inputs.power_mw <= 0)]
    if dark:
        where = f"in {dark[0]}" if len(dark) == 1 else f"in {len(dark)} quarters ({dark[0]} to {dark[-1]})"
        out.append(f"There is no power {where}: nothing runs then.")
    if not plan.bought.any():
        out.append("Nothing is bought: at these prices no rack earns what it costs.")
    if inputs.block_racks:
        gap = 100 * (plan.bound_usd - plan.perfect_usd) / max(abs(plan.bound_usd), 1.0)
        out.append(
            f"Racks are bought in blocks of {inputs.block_racks}; with any part of a rack the optimum would be "
            f"{plan.bound_usd / 1e6:,.6g} M USD, {gap:.2g} % more (the search stops at {100 * inputs.integer_gap:.2g} %)."
        )
    if plan.window is not None:
        lost = f"{100 * plan.lost_share:.2g} %" if plan.perfect_usd > 0 else f"{plan.lost_usd / 1e6:,.4g} M USD"
        out.append(
            f"Seeing {plan.window} {'quarter' if plan.window == 1 else 'quarters'} at a time loses {lost} of what all "
            "quarters known at once would earn."
        )
    return tuple(out)
