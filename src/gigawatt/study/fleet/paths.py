"""What a scenario says of capital and software over the quarters, and what was taken where it says nothing."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.physics.chip.maturity import launched, maturity
from gigawatt.physics.chip.software import families_of
from gigawatt.physics.workload import from_config
from gigawatt.study.fleet.calendar import Quarters
from gigawatt.study.perform import Performance
from gigawatt.study.resolve import Resolved
from gigawatt.study.software import Software
from gigawatt.study.workloads import Training

Array = NDArray[np.float64]


def capital_of(resolved: Resolved, line: Quarters, own_usd: Array) -> Array:
    """[T] money that comes in for racks and building: at the start of the quarter that holds its day, else all at the start.

    What own plant costs (`own_usd`, [T]) is kept back from what came in before it.

    Raises:
        Infeasible: own plant costs more than has come in by its day.
    """
    scenario = resolved.scenario
    out = np.zeros(len(line))
    if scenario.build_out.capital:
        for step in scenario.build_out.capital:
            at = line.holding(step.from_)
            assert at is not None  # `check_build_out` refuses days outside of the horizon
            out[at] += step.amount
    else:
        out[0] = scenario.capital if scenario.capital is not None else np.inf
    if not own_usd.any() or not np.isfinite(out).all():
        return out
    over = np.cumsum(out - own_usd)
    if over.min() < 0:
        t = int(over.argmin())
        said = f"the site's own plant costs {-over[t] / 1e9:,.3g} B USD more than has come in by {line.names[t]}"
        raise Infeasible(said, [f"capital by {line.names[t]}", "site.generation and site.storage"])
    free = np.minimum.accumulate(over[::-1])[::-1]
    return np.diff(free, prepend=0.0)


def speeds(performance: Performance, resolved: Resolved, line: Quarters) -> tuple[Array, list[str]]:
    """Speed of software in the middle of each quarter over that of the points, and where it is held.

    The points are searched at the software of the middle of the horizon (`software_day`), so that the factor is near 1 in most
    quarters. Held at 1: all of it where the scenario says `software: release`; an offer that states its own; a chip whose
    launch is not known; a run that names its release.

    Returns:
        [P, W, T]; the offers and workloads whose software is held, with the reason.
    """
    scenario = resolved.scenario
    value = np.ones((len(resolved.offers), len(resolved.works), len(line)))
    held: list[str] = []
    if scenario.build_out.software == "release":
        return value, ["software is held as released, for every platform"]
    first = line.starts[0]
    dates = first.year + (first.month - 1) / 12 + line.years + 0.125
    for (i, j), state in performance.software.items():
        why = _held(resolved, i, j)
        if why:
            held.append(f"{resolved.offers[i].offer.id} on {resolved.works[j].id}: {why}")
        else:
            value[i, j] = _curve(resolved, i, j, state, dates)
    return value, held


def software_day(resolved: Resolved, line: Quarters) -> date | None:
    """Whose software the points are searched at; None where it is held as the scenario has it."""
    if resolved.scenario.build_out.software == "release":
        return None
    return line.starts[len(line) // 2]


def _held(resolved: Resolved, i: int, j: int) -> str:
    offered, spec = resolved.offers[i], resolved.works[j].spec
    if offered.offer.maturity is not None:
        return "speed as the offer states it"
    if isinstance(spec, Training) and spec.release != "auto":
        return f"the run names its release, {spec.release}"
    if not launched(offered.accelerator.id, offered.accelerator.generation):
        return f"no launch of {offered.accelerator.id} is known"
    return ""


def _curve(resolved: Resolved, i: int, j: int, state: Software, dates: Array) -> Array:
    """m over what the points have of it already."""
    offered, work = resolved.offers[i], resolved.works[j]
    chip = offered.accelerator
    family = "moe" if "moe" in families_of(from_config(work.model.id, work.model.config)) else "dense"
    name = launched(chip.id, chip.generation)
    return np.asarray(maturity(chip.stack, name, work.uses, dates, state.release, family).value / state.growth)
