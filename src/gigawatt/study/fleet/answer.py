"""`gigawatt fleet`: the answer to a build-out, from a scenario to its plan with what foresight is worth and its bands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible
from gigawatt.factory.buildout import BuildPlan, build_out
from gigawatt.study.fleet.bands import FleetBands, draw_bands
from gigawatt.study.fleet.calendar import quarters_of
from gigawatt.study.fleet.check import check_build_out
from gigawatt.study.fleet.flows import Flows, flows_of
from gigawatt.study.fleet.inputs import FleetInputs, inputs_of, with_runs_alone
from gigawatt.study.load import Loaded
from gigawatt.study.price import rent_usd_per_mw_yr
from gigawatt.study.resolve import Resolved, resolve
from gigawatt.study.result import RunResult
from gigawatt.study.risk.check import check_varied

Policy = Literal["perfect", "rolling", "myopic"]
POLICIES: tuple[Policy, ...] = ("perfect", "rolling", "myopic")
SAME = 1e-9  # of a value: what two solves of one programme may differ by
Progress = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """A build-out: what it was chosen from, the plan of the policy asked for, and the plans of the others by name.

    `bands` is None where none were asked for. `other_software_usd` is what the same policy reaches with software held as
    released where the scenario takes the catalog's curve, and along the curve where it holds it: chosen anew, points and all
    (NaN where no plan then fits); None where it was not asked for.
    """

    inputs: FleetInputs
    policy: Policy
    window: int
    plan: BuildPlan
    flows: Flows
    others: dict[str, float]
    bands: FleetBands | None
    other_software_usd: float | None = None

    @property
    def npv_usd(self) -> float:
        """Present value for the objective's party."""
        return self.flows.npv_usd

    def lost_usd(self, policy: str) -> float:
        """What a policy loses against foresight of all quarters; differences within the arithmetic are none. NaN where it
        ends where no plan fits."""
        best = self.others["perfect"]
        lost = best - self.others[policy]
        return 0.0 if abs(lost) <= SAME * abs(best) else lost


def work_out(
    resolved: Resolved,
    *,
    policy: Policy | None = None,
    window: int | None = None,
    prices: bool = True,
    compare: bool = True,
    bands: bool = True,
    progress: Progress = lambda text: None,
) -> FleetAnswer:
    """The build-out of a scenario whose names are known.

    Args:
        resolved: the scenario with its records.
        policy, window: instead of the scenario's own.
        prices: worth of every limit by quarter.
        compare: what the other policies reach.
        bands: 80 % bands, the plan held.
        progress: told what is being done.

    Raises:
        InputError: words of the build-out that can not be meant.
        Infeasible: no plan fits; names the limits that conflict.
    """
    check_build_out(resolved.loaded, quarters_of(resolved.scenario))
    own = resolved.scenario.build_out
    chosen: Policy = policy or own.policy
    width = window or own.window_quarters
    progress("working out seconds and watts")
    inputs = inputs_of(resolved)
    progress("choosing the build-out")
    plan = build_out(inputs.build, policy=chosen, window=width, prices=False)
    alone: set[tuple[int, int]] = set()
    while small := _too_small(inputs, plan, alone):
        alone |= small
        inputs = with_runs_alone(inputs, small)
        plan = build_out(inputs.build, policy=chosen, window=width, prices=False)
    if prices:
        progress("pricing the limits")
        plan = build_out(inputs.build, policy=chosen, window=width, prices=True)
    rent = rent_usd_per_mw_yr(resolved.scenario) if resolved.scenario.objective.for_ == "operator" else 0.0
    flows = flows_of(inputs.build, plan, rent, inputs.site)
    plant_usd = flows.npv_usd - plan.npv_usd  # of the site's own plant: paid under every policy
    others: dict[str, float] = {chosen: plan.npv_usd + plant_usd}
    if compare:
        progress("asking what foresight is worth")
        others["perfect"] = plan.perfect_usd + plant_usd
        others |= {name: _npv(inputs, name, width) + plant_usd for name in POLICIES if name not in others}
    other = None
    if compare:
        progress("asking what software decides")
        other = _other_software(resolved, chosen, width)
    progress("drawing bands")
    drawn = draw_bands(inputs, plan, flows) if bands else None
    return FleetAnswer(inputs, chosen, width, plan, flows, others, drawn, other)


def _other_software(resolved: Resolved, policy: Policy, window: int) -> float:
    """What the scenario is worth with software held instead of along its curve, or the other way; NaN where nothing fits."""
    scenario = resolved.scenario
    other = "curve" if scenario.build_out.software == "release" else "release"
    build_out_ = scenario.build_out.model_copy(update={"software": other})
    changed = replace(resolved.loaded, scenario=scenario.model_copy(update={"build_out": build_out_}))
    try:
        return work_out(
            replace(resolved, loaded=changed), policy=policy, window=window, prices=False, compare=False, bands=False
        ).npv_usd
    except Infeasible:
        return float("nan")


def _npv(inputs: FleetInputs, policy: Policy, window: int) -> float:
    """What another policy reaches; NaN where, without foresight, it ends where no plan fits."""
    try:
        return build_out(inputs.build, policy=policy, window=window, prices=False).npv_usd
    except Infeasible:
        return float("nan")


def _too_small(inputs: FleetInputs, plan: BuildPlan, but: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of each offer the largest run (offer, work) that holds more chips than the plan ever owns of it while it runs."""
    points = inputs.build.points
    found: dict[int, tuple[float, int]] = {}
    for (i, j), held in inputs.performance.held_chips.items():
        mine = (points.platform == i) & (points.workload == j)
        running = plan.use[mine].sum(axis=0) > 0 if mine.any() else np.zeros(len(inputs.line), dtype=bool)
        owned = float(plan.racks[i][running].max(initial=0.0)) * inputs.performance.boxes[i].chips
        if running.any() and (i, j) not in but and held > owned * (1.0 + 1e-6):
            found[i] = max((held, j), found.get(i, (0.0, j)))
    return {(i, j) for i, (_, j) in found.items()}


def run_fleet(
    loaded: Loaded,
    progress: Progress = lambda text: None,
    catalog: Catalog | None = None,
    policy: Policy | None = None,
    window: int | None = None,
) -> RunResult:
    """Answer a scenario with its build-out.

    Raises:
        InputError: an id, a path or a word of the build-out that can not be.
        Infeasible: no plan fits; names what conflicts.
    """
    from gigawatt.study.fleet.result import assemble

    began = time.perf_counter()
    progress("looking up the catalog")
    resolved = resolve(loaded, catalog)
    check_varied(resolved)
    answer = work_out(resolved, policy=policy, window=window, progress=progress)
    progress("writing tables")
    return assemble(answer, began)
