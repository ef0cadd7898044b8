"""Runs beside pre-training, for `study.perform`: an offer and a workload become a place and an operating point."""

from __future__ import annotations

from gigawatt.physics.chip import Box
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs import JobRun
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.jobs.owed import Run
from gigawatt.study.jobs.points import points_of
from gigawatt.study.jobs.specs import PostTraining
from gigawatt.study.jobs.work import Place
from gigawatt.study.points import Point, Refusal
from gigawatt.study.resolve import Offered, Resolved
from gigawatt.study.software import Software, software


def performed(
    i: int,
    j: int,
    spec: Run,
    seconds: float,
    state: Software,
    box: Box,
    fabric: Fabric,
    arch: Architecture,
    offered: Offered,
    resolved: Resolved,
    *,
    alone: JobRun | None = None,
) -> tuple[list[Point], Refusal | None, JobRun | None]:
    """Operating points of a run on an offer, or why there is none, and the run.

    Args:
        i, j: the offer and the work.
        spec: the run.
        seconds: of the whole fleet's work until it is owed.
        state: the software that most of it rests on.
        box, fabric: the platform and its network.
        arch: the model.
        offered, resolved: the offer, and the scenario with its catalog.
        alone: the run as it was sized before, on a fleet that has no other work for chips that are done before the date, so
            that only what is needed counts.
    """
    serving = state
    if isinstance(spec, PostTraining):  # samples on one stack of software, trains on another
        serving = software(offered, "serving", arch, resolved)
        if serving.refusal:
            return [], Refusal(i, j, *serving.refusal), None
    place = place_of(offered, resolved, box, fabric, state.speed, serving.speed)
    low, high = min(state.low, serving.low), max(state.high, serving.high)
    group = f"{resolved.works[j].uses} {box.chip.generation}"
    return points_of(i, j, spec, arch, seconds, place, low, high, group, alone)


def place_of(
    offered: Offered,
    resolved: Resolved,
    box: Box,
    fabric: Fabric,
    training_speed: float = 1.0,
    serving_speed: float = 1.0,
) -> Place:
    """Where a run would stand on an offer."""
    return Place(
        box, fabric, offered.network.power.value, resolved.catalog, offered.platform.host, offered.platform.chips_per_host,
        training_speed, serving_speed,
    )  # fmt: skip
