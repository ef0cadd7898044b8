"""The search over mappings: prune by memory, evaluate in bulk, keep the points worth having in each power mode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from gigawatt.core.errors import Change
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.host import HostPath
from gigawatt.physics.chip.node import box_watts
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.training.calibration import (
    MEASURED,
    Context,
    TrainingCalibration,
    coefficients,
    default_stack,
    kin_of,
    load_calibration,
)
from gigawatt.physics.training.columns import Mapping, machine_of
from gigawatt.physics.training.memory.bytes import Memory, memory_of
from gigawatt.physics.training.memory.recipes import Recipe
from gigawatt.physics.training.search.bulk import (
    Chips,
    Evaluated,
    Settings,
    chips_of,
    evaluated,
    fitting,
    messages_in,
    slowed,
)
from gigawatt.physics.training.search.candidates import Grid, Job, Rejection, candidates_of
from gigawatt.physics.training.search.front import Front
from gigawatt.physics.training.search.plain import (
    evaluate,
    has_peak,
    matured,
    plain_steps,
    stored_of,
    sums_of,
    width_of,
)
from gigawatt.physics.training.search.points import TrainingPoints, collect, describe
from gigawatt.physics.training.search.refuse import Misfit, check, idle_notes, on_chips_alone, too_large
from gigawatt.physics.training.search.space import Limits, Space, Weights
from gigawatt.physics.training.shape import Shape, shape_of
from gigawatt.physics.training.step.collectives import Messages
from gigawatt.physics.training.step.offload import usual_host
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.training.step.precision import Precision
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.training.step.times import Steps
from gigawatt.physics.workload.architecture import Architecture

__all__ = ["Z80", "best_mapping", "evaluate", "sigma_of"]

Z80 = 1.2816  # normal quantile of an 80 % band
PLANNING_SIGMA = 0.08  # added to a group's spread: median error where a whole source and its stack was left out
UNMEASURED_SIGMA = 0.15  # assumed: added where a generation borrows its kin's constants
KEEP = 8  # operating points kept for each precision and mode
FULL = PowerMode("full", 1.0, 1.0, 1.0)


def best_mapping(
    arch: Architecture | Shape,
    chip: Chip | Box,
    *,
    fabric: Fabric | None = None,
    chips: int,
    seq: int,
    global_batch: int,
    precisions: Sequence[str | Precision] = ("bf16",),
    maturity: float = 1.0,
    modes: Sequence[PowerMode] = (FULL,),
    stack: str = "",
    lora: bool = False,
    calibration: TrainingCalibration | None = None,
    space: Space | None = None,
    weights: Weights | None = None,
    limits: Limits | None = None,
    imbalance: float = 1.0,
    sites: int = 1,
    local_steps: int = 1,
    between: Between | None = None,
    host: HostPath | None = None,
    keep: int = KEEP,
) -> TrainingPoints:
    """The mappings worth running: for each precision and power mode the front of speed, joules and free memory.

    Args:
        arch: the model.
        chip: the accelerator, or a rack of them, whose watts are then told beside the chip's.
        fabric: the network: scale-up domain, NICs, technology; what the chip is wired with by default where None.
        chips: chips of the job.
        seq: tokens of a sequence.
        global_batch: sequences of a step.
        precisions: of bf16, fp8, mxfp8, nvfp4, or names of recipes (`step.precision`); those the chip has no peak for
            are rejected, with a row that says so.
        maturity: software speed relative to the calibration's release (1 for the stacks it was fitted on).
        modes: power modes; speeds of math and of memory are scaled by their shares.
        stack: software stack; the usual one of the chip's kind where empty.
        lora: adapters on frozen weights.
        calibration: the packaged one where None.
        space: what is tried; `Space()` where None.
        weights: what a chip-second and a joule count; speed alone where None.
        limits: what every point keeps; of the memory `MEMORY_SHARE` where None.
        imbalance: load of the busiest expert rank over the mean.
        sites: places that data-parallel ranks are spread over; with more than one, `between` says the cables.
        local_steps: steps between two exchanges of weights among sites; 1 sums every step's gradients.
        host: the way to the host's memory, for offloading; that of the chip's platform where None.
        keep: most points of a precision and mode.

    Returns:
        Points sorted by precision, mode, cost; empty (with `rejected` rows and `changes`) where nothing fits.

    Raises:
        InputError: a job, space, weights or limits that cannot be; everything that is wrong at once.
    """
    began = time.perf_counter()
    shape = shape_of(arch) if isinstance(arch, Architecture) else arch
    box, device = (chip, chip.chip) if isinstance(chip, Box) else (None, chip)
    space, weights, limits = space or Space(), weights or Weights(), limits or Limits()
    wired = default_fabric(device) if fabric is None else fabric
    job = Job(chips, seq, global_batch, float(wired.domain), lora, imbalance, float(sites), float(local_steps))
    beside = host or usual_host(device)
    rejected: list[Rejection] = []
    if beside is None:
        space = on_chips_alone(space, device, rejected)
    check(shape, job, precisions, space, weights, limits, between)
    fit = calibration or load_calibration()
    software = fit.stack(stack or default_stack(device.generation))
    found = candidates_of(shape, job, space)
    room = limits.max_memory_share * device.memory_bytes
    flash, plain = float(software.flash), software.exchanges_plainly
    changes: tuple[Change, ...] = ()
    runs: list[_Run] = []
    for precision in precisions:
        width, recipe = width_of(precision, device)
        if not has_peak(device, width):
            rejected.append(Rejection(f"{device.name} has no {_name(precision)} peak", len(found), "use bf16"))
            continue
        stored = stored_of(width, recipe)
        grids, over, nearest = fitting(shape, found, flash, room, stored)
        runs.append(_Run(_name(precision), width, recipe, stored, grids))
        if nearest is not None:
            told = Misfit(_name(precision) if len(precisions) > 1 else "", nearest, over, not grids)
            row, changes = too_large(shape, found, space, flash, room, device, stored, told, beside is not None)
            rejected.append(row)
    sigma = sigma_of(fit, shape, device.generation)
    tally = _Tally()
    kept: list[dict[str, Any]] = []
    settings = Settings.of(found, [grid for run in runs for grid in run.grids])
    sent: dict[Precision | None, Messages] = {}
    for run in runs:
        if not run.grids:
            continue
        width, recipe = run.width, run.recipe
        c = coefficients([Context(device.generation, width, software)], fit.parameters)
        machine = machine_of(device, width, wired, one_nic=software.one_nic, host=beside)
        sums = sums_of(software, width, recipe)
        if sums not in sent:
            sent[sums] = messages_in(shape, machine.network, settings, plain, sums)
        for mode in modes:
            made_of = chips_of(
                shape, device, width, machine, c, mode, settings, sent[sums], recipe=recipe, between=between
            )
            front = Front(room)
            for part in evaluated(
                made_of, run.grids, flash=flash, room_bytes=room, job_chips=chips, maturity=maturity, stored=run.stored
            ):
                front.add(part, tally.keeps(part, room, limits))
            if not len(front):
                continue
            rows = front.chosen(weights.per_chip_s * chips * front.time + weights.per_joule * front.joules, keep)
            mapping = front.rows(rows)
            slow = slowed(device, machine, mode)[0]
            alone = plain_steps(
                shape, slow, width, made_of.machine, c, mapping, plain, recipe=recipe, sums=sums, between=between
            )
            memory = memory_of(shape, mapping, flash, recipe=run.stored)
            made = _points(made_of, mapping, matured(alone, maturity), memory, weights, chips, box)
            count = rows.size
            made["precision"], made["mode"] = np.full(count, run.precision), np.full(count, mode.name)
            made["mfu"] = made["mfu"] / machine.peak_flops
            made["low"], made["high"] = (np.full(count, np.exp(sign * Z80 * sigma)) for sign in (-1.0, 1.0))
            kept.append(made)
    rejected += [*tally.rejections(), *found.rejected]
    points = collect(
        kept, chips=chips, rejected=tuple(rejected), changes=changes if not kept else (),
        candidates=found.enumerated * len(precisions), timed=tally.timed, search_s=time.perf_counter() - began,
    )  # fmt: skip
    return replace(points, notes=idle_notes(points.layout, points.best, chips) if kept else ())


@dataclass(frozen=True, slots=True)
class _Run:
    """One precision: how it computes, what it stores, and the layouts that fit."""

    precision: str
    width: str
    recipe: Precision | None
    stored: Recipe
    grids: list[Grid]


def _name(precision: str | Precision) -> str:
    return precision if isinstance(precision, str) else precision.name


@dataclass(slots=True)
class _Tally:
    """How many candidates were timed, how many a limit ruled out, and the nearest of those."""

    timed: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    near: dict[str, tuple[float, float]] = field(default_factory=dict)

    def keeps(self, part: Evaluated, room: float, limits: Limits) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which cells keep the memory and the limits."""
        shape, mapping = part.block.shape, part.block.mapping
        self.timed += int(np.prod(shape))
        good = np.asarray(part.memory_bytes <= room)
        tokens = mapping.global_batch * mapping.seq
        slowest = min(limits.max_step_s, tokens / limits.min_tokens_per_s if limits.min_tokens_per_s else np.inf)
        asked = [(STEP_LIMIT, slowest, part.step_s), (WATT_LIMIT, limits.max_chip_w, part.chip_w)]
        if limits.max_exposed_share < 1.0:
            asked.append((EXPOSED_LIMIT, limits.max_exposed_share, part.steps.exposed_comm_share))
        for name, most, value in asked:
            if np.isfinite(most):
                over = np.broadcast_to(good & (value > most), shape)
                count = int(np.count_nonzero(over))
                if count:
                    least = float(np.broadcast_to(value, shape)[over].min())
                    self.lost[name] = self.lost.get(name, 0) + count
                    self.near[name] = (min(least, self.near.get(name, (np.inf, 0.0))[0]), most)
                good = good & (value <= most)
        return good

    def rejections(self) -> list[Rejection]:
        """A row for each limit that ruled something out."""
        return [
            Rejection(name, count, f"the nearest has {self.near[name][0]:.4g}; the limit is {self.near[name][1]:.4g}")
            for name, count in self.lost.items()
        ]


STEP_LIMIT, WATT_LIMIT = "slower than the limit on a step's seconds", "more watts a chip than the limit"
EXPOSED_LIMIT = "more of the step waits for messages than the limit"


def _points(
    run: Chips, mapping: Mapping, steps: Steps, memory: Memory, weights: Weights, chips: int, box: Box | None
) -> dict[str, Any]:
    """All that is told of the rows worth keeping of one front."""
    watts = phase_watts(run.chip, steps, run.mode).mean_w
    used = mapping.chips
    tokens = mapping.global_batch * mapping.seq
    idle_w = run.chip.idle_w
    joules = steps.step_s * (used * watts + (chips - used) * idle_w)
    node_w, node_joules = watts, joules
    if box is not None:
        node_w = box_watts(box, watts).total_w / box.chips
        resting_w = box_watts(box, idle_w, 0.0).total_w / box.chips
        node_joules = steps.step_s * (used * node_w + (chips - used) * resting_w)
    return {
        "mapping": np.array([_words(mapping, row, chips) for row in range(used.size)]),
        "step_s": steps.step_s,
        "tokens_per_s_per_chip": tokens / (steps.step_s * chips),
        "mfu": steps.model_flops / (steps.step_s * chips),
        "memory_bytes": np.asarray(memory.total_bytes),
        "exposed_comm_share": steps.exposed_comm_share,
        "bubble_share": steps.bubble_s / steps.step_s,
        "chip_w": watts,
        "compute_util": steps.compute_util * run.mode.compute_share,
        "memory_util": steps.memory_util * run.mode.memory_share,
        "busy": steps.busy,
        "chips_used": used,
        "bound": np.array(steps.bound()),
        "chip_joules_per_token": joules / tokens,
        "node_w": node_w,
        "node_joules_per_token": node_joules / tokens,
        "cost": (weights.per_chip_s * chips * steps.step_s + weights.per_joule * joules) / tokens,
        "layout": mapping,
        "times": steps,
        "memory": Memory(*(np.broadcast_to(getattr(memory, f.name), used.shape) for f in fields(Memory))),
    }


def _words(mapping: Mapping, row: int, chips: int) -> str:
    """A mapping in words, with the chips that its degrees leave idle."""
    idle = chips - round(float(mapping.chips[row]))
    return describe(mapping, row) + (f", {idle:,} chips idle" if idle else "")


def sigma_of(fit: TrainingCalibration, shape: Shape, generation: str) -> float:
    """Spread of ln(predicted / measured) of the group of rows that a job is kin to."""
    moe = any(np.any(np.asarray(kind.experts) > 0) for kind in shape.kinds)
    key = f"{'moe' if moe else 'dense'}.{kin_of(generation)}"
    sigma = fit.sigma.get(key, fit.sigma.get("all", 0.15))
    return float(np.hypot(np.hypot(sigma, PLANNING_SIGMA), 0.0 if generation in MEASURED else UNMEASURED_SIGMA))
