"""Pre-training on a platform: the best mappings at the size of job that the date asks for, failures included.

    tokens per second of an owned chip = speed of the mapping x share of time that counts x chips / (chips + spares)

The size follows from the speed and the speed from the size: the search runs again until they agree. A run in stretches of
several lengths has a search for each; what it trains in a second is tokens over the sum of their seconds. Chips that
stand by draw their idle watts, and so do those that wait for a restart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.physics.chip import Box
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.reliability import Effective
from gigawatt.physics.training import TrainingPoints, best_mapping
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.points import Point, Refusal, usable_precisions
from gigawatt.study.reliability import guarded
from gigawatt.study.software import Software
from gigawatt.study.workloads import Training

# Precisions worth trying, narrowest first, where the scenario leaves the choice; a chip runs those it has a peak for.
TRAINING_PRECISIONS = ("fp8", "bf16")
# Chips of the job on which a mapping is first looked for, before the number that the date needs is known.
FIRST_GUESS_CHIPS = 8192
# Whole multiples of this many nodes divide well into parallel degrees.
BLOCK_NODES = 64
MOST_SIZES = 4  # searches until size and speed agree
LEAST_SHARE = 0.05  # of its time that a run must keep to be worth planning
WORKING = ("productive", "lost", "silent")  # shares of time in which chips draw what the mapping draws


@dataclass(frozen=True, slots=True)
class Guarded:
    """A run's size on a platform, and where its time goes."""

    chips: int
    effective: Effective

    @property
    def share(self) -> float:
        """Share of time that is work kept."""
        return float(self.effective.productive)

    @property
    def spare_share(self) -> float:
        """Chips standing by over chips of the job."""
        return float(self.effective.spare_chips) / self.chips

    @property
    def checkpoint_share(self) -> float:
        """Share of time that snapshots stop the job."""
        return float(self.effective.checkpoint)

    @property
    def failure_share(self) -> float:
        """Share of time that interruptions cost, planned ones too."""
        return 1.0 - self.share - self.checkpoint_share

    @property
    def busy_share(self) -> float:
        """Share of time that chips of the job work, whether it counts or not."""
        return float(sum(np.asarray(getattr(self.effective, name)) for name in WORKING))


def trained(
    i: int,
    j: int,
    spec: Training,
    seconds: float,
    state: Software,
    box: Box,
    fabric: Fabric,
    arch: Architecture,
) -> tuple[list[Point], Refusal | None, Guarded | None]:
    """Operating points of a run on an offer, or why there is none.

    Args:
        i, j: the offer and the work.
        spec: the run.
        seconds: of the whole fleet's work until it is owed.
        state: the software of the offer.
        box, fabric: the platform and its network.
        arch: the model.
    """
    if seconds <= 0:
        reason = f"'{spec.id}' is owed before its first quarter ends"
        return [], Refusal(i, j, reason, "a later finish_by, or an earlier start"), None
    size = float(parameters(arch))
    chips = spec.chips if isinstance(spec.chips, int) else FIRST_GUESS_CHIPS
    block = BLOCK_NODES * box.chips_per_node
    runs: list[_Run] = []
    guard = Guarded(chips, guarded(spec.reliability, chips, size, box))
    for _ in range(1 if isinstance(spec.chips, int) else MOST_SIZES):
        runs, refusal = _searched(i, j, spec, chips, state, box, fabric, arch)
        if refusal:
            return [], refusal, None
        best = max(runs, key=lambda run: run.tokens_per_s_per_chip)
        fastest = best.tokens_per_s_per_chip
        guard = Guarded(chips, guarded(spec.reliability, chips, size, box, best.replica_chips))
        share = max(guard.share, LEAST_SHARE)
        asked = max(block, math.ceil(spec.tokens / seconds / share / fastest / block) * block)
        if isinstance(spec.chips, int) or asked == chips:
            break
        chips = asked
    if guard.share < LEAST_SHARE:
        return [], _hopeless(i, j, guard), None
    return [_point(i, j, run, guard, state, box) for run in runs], None, guard


def _hopeless(i: int, j: int, guard: Guarded) -> Refusal:
    """Interruptions leave nothing; names the largest share of time that they take."""
    parts = {name: float(share) for name, share in guard.effective.parts().items() if name != "productive"}
    worst = max(parts, key=lambda name: parts[name])
    hours = float(guard.effective.mttf_s) / 3600
    reason = f"an interruption every {hours:.2g} h leaves {guard.share:.1%} of the time of {guard.chips:,} chips"
    fix = "more spares" if worst == "spares" else "tiered checkpoints, automatic diagnosis, or a later finish_by"
    return Refusal(i, j, f"{reason}; most goes to {worst} ({parts[worst]:.0%})", fix)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run at one precision and mode: the mapping of its longest stretch in words, and the means over its stretches."""

    mapping: str
    precision: str
    mode: str
    tokens_per_s_per_chip: float
    chip_w: float
    bound: str
    step_s: float
    mfu: float
    low: float
    high: float
    replica_chips: float
    phases: tuple[tuple[float, float], ...]


def _searched(
    i: int,
    j: int,
    spec: Training,
    chips: int,
    state: Software,
    box: Box,
    fabric: Fabric,
    arch: Architecture,
) -> tuple[list[_Run], Refusal | None]:
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
            maturity=state.speed,
            modes=box.modes,
            stack="" if spec.stack == "auto" else spec.stack,
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


def _row(points: TrainingPoints, k: int, box: Box) -> _Run:
    layout, mode = points.layout, next(one for one in box.modes if one.name == points.mode[k])
    replica = float(np.asarray(layout.tp)[k] * np.asarray(layout.pp)[k] * np.asarray(layout.cp)[k])
    watts = phase_watts(box.chip, points.times.take(np.array([k])), mode)
    names = ("working", "exchanging", "waiting")
    phases = tuple(
        (float(getattr(watts, f"{name}_s")[0]), float(np.asarray(getattr(watts, f"{name}_w"))[0])) for name in names
    )
    return _Run(
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
        phases,
    )


def _whole(row: _Run, found: Sequence[TrainingPoints], shares: Sequence[float], main: int, box: Box) -> _Run:
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


def _point(i: int, j: int, run: _Run, guard: Guarded, state: Software, box: Box) -> Point:
    """A point per owned chip: spares stand by at idle watts, and what fails counts."""
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
        run.tokens_per_s_per_chip * kept / owned,
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
