"""Pre-training on a platform: the best mappings at the size of job that suits the fleet, failures included.

    tokens per second of an owned chip = speed of the mapping x share of time that counts x chips / (chips + spares)

A run in stretches of several lengths has a search for each; what it trains in a second is tokens over the sum of their
seconds. Chips that stand by draw their idle watts, and so do those that wait for a restart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gigawatt.physics.chip import Box, PowerMode
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.searches import best_mapping
from gigawatt.physics.training import TrainingPoints
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.job_size import Guarded, Run, Sized, best_size, smallest_size
from gigawatt.study.points import Point, Refusal, usable_precisions
from gigawatt.study.reliability import guarded
from gigawatt.study.software import Software, speed_at
from gigawatt.study.workloads import Training

# Precisions worth trying, narrowest first, where the scenario leaves the choice; a chip runs those it has a peak for.
TRAINING_PRECISIONS = ("fp8", "bf16")
LEAST_SHARE = 0.05  # of its time that a run must keep to be worth planning


def trained(
    i: int,
    j: int,
    spec: Training,
    seconds: float,
    state: Software,
    box: Box,
    fabric: Fabric,
    arch: Architecture,
    *,
    alone: bool = False,
) -> tuple[list[Point], Refusal | None, Guarded | None]:
    """Operating points of a run on an offer, or why there is none.

    Args:
        i, j: the offer and the work.
        spec: the run.
        seconds: of the whole fleet's work until it is owed.
        state: the software of the offer.
        box, fabric: the platform and its network.
        arch: the model.
        alone: the fleet has no other work for chips that are done before the date, so that only what is needed counts.
    """
    if seconds <= 0:
        reason = f"'{spec.id}' is owed before its first quarter ends"
        return [], Refusal(i, j, reason, "a later finish_by, or an earlier start"), None
    size = float(parameters(arch))
    quick = fastest_modes(box.modes)

    def sized(chips: int, modes: Sequence[PowerMode] = quick) -> Sized | Refusal:
        runs, refusal = _searched(i, j, spec, chips, state, box, fabric, arch, modes)
        if refusal:
            return refusal
        best = max(runs, key=lambda run: run.tokens_per_s_per_chip)
        return Sized(
            runs, Guarded(chips, guarded(spec.reliability, chips, size, box, best.replica_chips, best.group_chips))
        )

    needed = spec.tokens / seconds
    if isinstance(spec.chips, int):
        found = sized(spec.chips)
    else:
        found = (smallest_size if alone else best_size)(sized, needed)
    if isinstance(found, Sized) and len(quick) < len(box.modes):
        found = sized(found.guard.chips, box.modes)
    if isinstance(found, Refusal):
        return [], found, None
    if found.guard.share < LEAST_SHARE:
        return [], _hopeless(i, j, found.guard), None
    fast = [run for run in found.runs if found.kept(run) * found.guard.owned_chips >= needed]
    if not fast:
        return [], _late(i, j, found, needed), None
    most = needed / found.guard.owned_chips if alone else math.inf
    return [_point(i, j, run, found, state, box, most) for run in fast], None, found.guard


def fastest_modes(modes: Sequence[PowerMode]) -> tuple[PowerMode, ...]:
    """The mode in which nothing is slower than in another, by which a job is sized; all of them where there is none."""
    compute, memory = max(mode.compute_share for mode in modes), max(mode.memory_share for mode in modes)
    best = [mode for mode in modes if mode.compute_share == compute and mode.memory_share == memory]
    return tuple(best[:1]) or tuple(modes)


def _late(i: int, j: int, found: Sized, needed: float) -> Refusal:
    """No size that was tried is done in time."""
    reason = (
        f"{found.guard.chips:,} chips keep {found.tokens_per_s:,.3g} tokens/s where the date asks for {needed:,.3g}: "
        f"{found.guard.share:.0%} of their time counts"
    )
    return Refusal(i, j, reason, "a later finish_by, a larger global_batch, or more chips")


def _hopeless(i: int, j: int, guard: Guarded) -> Refusal:
    """Interruptions leave nothing; names the largest share of time that they take."""
    parts = {name: float(share) for name, share in guard.effective.parts().items() if name != "productive"}
    worst = max(parts, key=lambda name: parts[name])
    hours = float(guard.effective.mttf_s) / 3600
    reason = f"an interruption every {hours:.2g} h leaves {guard.share:.1%} of the time of {guard.chips:,} chips"
    fix = "more spares" if worst == "spares" else "tiered checkpoints, automatic diagnosis, or a later finish_by"
    return Refusal(i, j, f"{reason}; most goes to {worst} ({parts[worst]:.0%})", fix)


def _searched(
    i: int,
    j: int,
    spec: Training,
    chips: int,
    state: Software,
    box: Box,
    fabric: Fabric,
    arch: Architecture,
    modes: Sequence[PowerMode],
) -> tuple[list[Run], Refusal | None]:
    """Runs by precision and mode; each takes the fastest mapping of every other stretch."""
    stretches = spec.stretches()
    found: list[TrainingPoints] = []
    for length, batch, _ in stretches:
        points = best_mapping(
            arch,
            box.chip,
            fabric=fabric,
            chips=chips,
            seq=length,
            global_batch=batch,
            precisions=usable_precisions(spec.precisions, TRAINING_PRECISIONS, box),
            maturity=speed_at(state, spec.release),
            modes=modes,
            stack="" if spec.stack == "auto" else spec.stack,
            release="" if spec.release == "auto" else spec.release,
        )
        if not len(points):
            first = points.rejected[0] if points.rejected else None
            reason = first.reason if first else "no mapping fits"
            at = f" at {length:,} tokens" if len(stretches) > 1 else ""
            return [], Refusal(i, j, reason + at, first.nearest_fix if first else "")
        found.append(points)
    main = int(np.argmax([share for _, _, share in stretches]))
    rows = [_row(found[main], k, box) for k in range(len(found[main]))]
    shares = [share for _, _, share in stretches]
    return [_whole(row, found, shares, main, box) for row in rows], None


def _row(points: TrainingPoints, k: int, box: Box) -> Run:
    layout, mode = points.layout, next(one for one in box.modes if one.name == points.mode[k])
    replica = float(np.asarray(layout.tp)[k] * np.asarray(layout.pp)[k] * np.asarray(layout.cp)[k])
    expert = float(np.asarray(layout.ep)[k] * np.asarray(layout.etp)[k])
    group = min(max(float(np.asarray(layout.tp)[k]), expert), float(box.chip.scaleup_domain))
    watts = phase_watts(box.chip, points.times.take(np.array([k])), mode)
    names = ("working", "exchanging", "waiting")
    phases = tuple(
        (float(getattr(watts, f"{name}_s")[0]), float(np.asarray(getattr(watts, f"{name}_w"))[0])) for name in names
    )
    return Run(
        str(points.mapping[k]),
        str(points.precision[k]),
        str(points.mode[k]),
        float(points.tokens_per_s_per_chip[k]),
        float(points.chip_w[k]),
        str(points.bound[k]),
        float(points.step_s[k]),
        float(points.mfu[k]),
        float(points.low[k]),
        float(points.high[k]),
        replica,
        group,
        phases,
    )


def _whole(row: Run, found: Sequence[TrainingPoints], shares: Sequence[float], main: int, box: Box) -> Run:
    """A run over all its stretches: seconds add up, watts are weighted by them."""
    if len(found) == 1:
        return row
    seconds, joules, mfu, words = 0.0, 0.0, 0.0, [row.mapping]
    for index, (points, share) in enumerate(zip(found, shares, strict=True)):
        part = row
        if index != main:
            alike = [
                k for k in range(len(points)) if (points.precision[k], points.mode[k]) == (row.precision, row.mode)
            ]
            alike = alike or list(range(len(points)))
            speed = points.tokens_per_s_per_chip
            part = _row(points, alike[int(np.argmax(speed[alike]))], box)
            words.append(part.mapping)
        took = share / part.tokens_per_s_per_chip
        seconds, joules, mfu = seconds + took, joules + took * part.chip_w, mfu + took * part.mfu
    return replace(
        row,
        mapping=", then ".join(words),
        tokens_per_s_per_chip=sum(shares) / seconds,
        chip_w=joules / seconds,
        mfu=mfu / seconds,
    )


def _point(i: int, j: int, run: Run, found: Sized, state: Software, box: Box, most: float) -> Point:
    """A point per owned chip, of at most `most` tokens a second: spares stand by at idle watts, and what fails counts."""
    guard = found.guard
    owned = 1.0 + guard.spare_share
    idle = box.chip.idle_w
    chip_w = (run.chip_w + guard.spare_share * idle) / owned
    mean_w = (guard.busy_share * run.chip_w + (1.0 - guard.busy_share + guard.spare_share) * idle) / owned
    kept = guard.share
    low = math.hypot(math.log(run.low), math.log(max(float(guard.effective.low), 1e-9) / kept))
    high = math.hypot(math.log(run.high), math.log(float(guard.effective.high) / kept))
    return Point(
        i,
        j,
        run.mapping,
        run.precision,
        run.mode,
        "",
        0.0,
        min(found.kept(run), most),
        chip_w,
        run.bound,
        math.exp(-low) * state.low,
        math.exp(high) * state.high,
        f"training {box.chip.generation}",
        step_s=run.step_s,
        mfu=run.mfu,
        chips=float(guard.chips),
        load=mean_w / chip_w,
        phases=run.phases,
    )
