"""The search over mappings: prune by memory, evaluate in bulk, keep the points worth having in each power mode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from dataclasses import replace as with_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import Chip, PowerMode, chip_watts
from gigawatt.physics.chip.host import HostPath
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.fabric.wires import Wires
from gigawatt.physics.training.calibration import (
    MEASURED,
    PRECISIONS,
    Coefficients,
    Context,
    TrainingCalibration,
    coefficients,
    default_stack,
    kin_of,
    load_calibration,
)
from gigawatt.physics.training.columns import Machine, Mapping, machine_of
from gigawatt.physics.training.memory.bytes import memory_of
from gigawatt.physics.training.recipes import Recipe
from gigawatt.physics.training.search.candidates import Candidates, Rejection, enumerate_mappings
from gigawatt.physics.training.search.points import TrainingPoints, collect, describe
from gigawatt.physics.training.shape import Shape, shape_of
from gigawatt.physics.training.step.collectives import Messages, StageMessages, messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.layer import micro_batch_costs
from gigawatt.physics.training.step.offload import offloads, usual_host
from gigawatt.physics.training.step.precision import Precision
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.training.step.stages import Split
from gigawatt.physics.training.step.times import Steps, assemble, step_times
from gigawatt.physics.workload.architecture import Architecture

Z80 = 1.2816  # normal quantile of an 80 % band
PLANNING_SIGMA = 0.08  # added to a group's spread: median error where a whole source and its stack was left out
UNMEASURED_SIGMA = 0.15  # assumed: added where a generation borrows its kin's constants
MEMORY_SHARE = 0.94  # of the memory that a job may plan with (assumed: fragmentation, driver)
KEEP = 8  # operating points kept for each precision and mode
FULL = PowerMode("full", 1.0, 1.0, 1.0)
BLOCK = 32_768  # candidates evaluated at a time: stays in the cache


def evaluate(
    shape: Shape | Architecture,
    chip: Chip,
    mapping: Mapping,
    precision: str | Precision = "bf16",
    *,
    fabric: Fabric | None = None,
    stack: str = "",
    maturity: float = 1.0,
    calibration: TrainingCalibration | None = None,
    host: HostPath | None = None,
    between: Between | None = None,
    split: Split | None = None,
    features: Recipe | None = None,
) -> Steps:
    """Step times of a column of mappings of one model on one chip.

    Args:
        shape: the model.
        chip: the accelerator.
        mapping: columns; see `Mapping`. Scalars are one row.
        precision: bf16, fp8, mxfp8 or nvfp4 as the constants were fitted, or a recipe of `step.precision`.
        fabric: the network; what a chip is wired with by default where None.
        stack: name of a software stack; the usual one of the chip where empty.
        maturity: software speed relative to the calibration's release.
        calibration: the packaged one where None.
        host: the way to the host's memory, for offloading; that of the chip's platform where None.
        between: cables between sites; needed where a row has more than one.
        split: layers of stages on chips of different speed.
        features: what the release switches on in mixture layers; what the stack's current one does where None.

    Raises:
        InputError: unknown precision or stack, several sites without cables.
    """
    made = shape_of(shape) if isinstance(shape, Architecture) else shape
    recipe = precision if isinstance(precision, Precision) else None
    width = precision.width if isinstance(precision, Precision) else _width(precision, chip)
    fit = calibration or load_calibration()
    software = fit.stack(stack or default_stack(chip.generation))
    beside = (host or usual_host(chip)) if offloads(mapping) else None
    machine = machine_of(chip, width, fabric, one_nic=software.one_nic, host=beside)
    c = coefficients([Context(chip.generation, width, software, recipe=features)], fit.parameters)
    plainly = software.exchanges_plainly if features is None else features.dispatch == "all-to-all"
    rows = np.broadcast_shapes(*(np.shape(getattr(mapping, f.name)) for f in fields(Mapping)))
    wide = Mapping(*(np.broadcast_to(np.asarray(getattr(mapping, f.name), dtype=float), rows) for f in fields(Mapping)))
    kernels = kernel_times(made, chip, width, wide, flash=float(c.flash[0]), recipe=recipe)
    sent = messages_of(made, machine.network, wide, plainly, recipe=recipe)
    return _matured(step_times(made, machine, wide, kernels, sent, c, split=split, between=between), maturity)


def best_mapping(
    arch: Architecture | Shape,
    chip: Chip,
    *,
    fabric: Fabric | None = None,
    chips: int,
    seq: int,
    global_batch: int,
    precisions: Sequence[str] = ("bf16",),
    maturity: float = 1.0,
    modes: Sequence[PowerMode] = (FULL,),
    stack: str = "",
    lora: bool = False,
    calibration: TrainingCalibration | None = None,
) -> TrainingPoints:
    """The mappings worth running: for each precision and power mode the Pareto front of speed and watts.

    Args:
        arch: the model.
        chip: the accelerator.
        fabric: the network: scale-up domain, NICs, technology; what the chip is wired with by default where None.
        chips: chips of the job.
        seq: tokens of a sequence.
        global_batch: sequences of a step.
        precisions: of bf16, fp8, mxfp8, nvfp4; those the chip has no peak for are rejected, with a row that says so.
        maturity: software speed relative to the calibration's release (1 for the stacks it was fitted on).
        modes: power modes; speeds of math and of memory are scaled by their shares.
        stack: software stack; the usual one of the chip's kind where empty.
        lora: adapters on frozen weights.
        calibration: the packaged one where None.

    Returns:
        Points sorted by precision, mode, speed; empty (with `rejected` rows) where nothing fits.

    Raises:
        InputError: chips, seq or batch below one; an unknown precision.
    """
    began = time.perf_counter()
    _check(chips, seq, global_batch, precisions)
    shape = shape_of(arch) if isinstance(arch, Architecture) else arch
    fit = calibration or load_calibration()
    software = fit.stack(stack or default_stack(chip.generation))
    wired = default_fabric(chip) if fabric is None else fabric
    cand = enumerate_mappings(
        shape, chips=chips, seq=seq, global_batch=global_batch, scaleup_domain=wired.domain, lora=lora
    )
    rejected = list(cand.rejected)
    fits, memory_bytes = _by_memory(shape, cand, chip, float(software.flash), rejected)
    sent: _Sent | None = None
    kept: list[dict[str, Any]] = []
    for precision in precisions:
        width = _width(precision, chip)
        if width != "16" and not _has_peak(chip, width):
            rejected.append(Rejection(f"{chip.name} has no {precision} peak", int(fits.size), "use bf16"))
            continue
        c = coefficients([Context(chip.generation, width, software)], fit.parameters)
        sigma = sigma_of(fit, shape, chip.generation)
        machine = machine_of(chip, width, wired, one_nic=software.one_nic)
        sent = sent or _sent(shape, machine.network, cand, fits, software.exchanges_plainly)
        pick = _shortlist(shape, chip, width, machine, cand, fits, sent, c)
        for mode in modes:
            steps = _in_mode(shape, chip, width, machine, cand, pick, sent, c, mode)
            kept += _points(steps, cand, pick, memory_bytes, machine, chip, mode, precision, maturity, chips, sigma)
    return collect(kept, tuple(rejected), cand.enumerated * len(precisions), time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class _Sent:
    """Messages of a job, the same at every precision and in every power mode: those of the layers of `Candidates.layer`,
    those of its distinct stages, and the stage of each candidate."""

    distinct: Messages
    stage_row: NDArray[np.intp]

    def stages(self, rows: NDArray[np.intp]) -> StageMessages:
        """Those of the stages of some candidates."""
        return self.distinct.stage.take(self.stage_row[rows])


def _sent(shape: Shape, network: Wires, cand: Candidates, fits: NDArray[np.intp], plain: bool) -> _Sent:
    _, first, inverse = np.unique(cand.stage_row[fits], return_index=True, return_inverse=True)
    row = np.zeros(len(cand), dtype=np.intp)
    row[fits] = inverse.ravel()
    return _Sent(messages_of(shape, network, cand.layer, plain, stages=cand.mapping.take(fits[first])), row)


def sigma_of(fit: TrainingCalibration, shape: Shape, generation: str) -> float:
    """Spread of ln(predicted / measured) of the group of rows that a job is kin to."""
    moe = any(np.any(np.asarray(kind.experts) > 0) for kind in shape.kinds)
    key = f"{'moe' if moe else 'dense'}.{kin_of(generation)}"
    sigma = fit.sigma.get(key, fit.sigma.get("all", 0.15))
    return float(np.hypot(np.hypot(sigma, PLANNING_SIGMA), 0.0 if generation in MEASURED else UNMEASURED_SIGMA))


def _by_memory(
    shape: Shape, cand: Candidates, chip: Chip, flash: float, rejected: list[Rejection]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows that fit the memory, and the bytes of all."""
    if not len(cand):
        return np.zeros(0, dtype=np.intp), np.zeros(0)
    total = np.asarray(memory_of(shape, cand.mapping, flash).total_bytes)
    limit = MEMORY_SHARE * chip.memory_bytes
    over = total > limit
    if np.any(over):
        near = float(total[over].min())
        fix = f"the nearest needs {near / 1e9:.0f} GB a chip and {limit / 1e9:.0f} GB can be planned with"
        rejected.append(Rejection("does not fit the memory", int(over.sum()), fix))
    return np.flatnonzero(~over), total


def _shortlist(
    shape: Shape,
    chip: Chip,
    width: str,
    machine: Machine,
    cand: Candidates,
    fits: NDArray[np.intp],
    sent: _Sent,
    c: Coefficients,
) -> NDArray[np.intp]:
    """Rows of the fastest mappings, block by block."""
    if not fits.size:
        return fits
    kernels = kernel_times(shape, chip, width, cand.layer, flash=float(c.flash[0]))
    micro = micro_batch_costs(shape, machine, cand.layer, kernels, sent.distinct.layers, c)
    best = np.zeros(0, dtype=np.intp)
    speed = np.zeros(0)
    for start in range(0, fits.size, BLOCK):
        rows = fits[start : start + BLOCK]
        costs = micro.take(cand.layer_row[rows])
        steps = assemble(shape, machine, cand.mapping.take(rows), c, costs, sent.stages(rows))
        best, speed = np.concatenate([best, rows]), np.concatenate([speed, steps.step_s])
        if speed.size > 4 * KEEP:
            order = np.argsort(speed, kind="stable")[: 4 * KEEP]
            best, speed = best[order], speed[order]
    return best


def _in_mode(
    shape: Shape,
    chip: Chip,
    width: str,
    machine: Machine,
    cand: Candidates,
    rows: NDArray[np.intp],
    sent: _Sent,
    c: Coefficients,
    mode: PowerMode,
) -> Steps | None:
    """The short list again at the speeds of a power mode."""
    if not rows.size:
        return None
    slow_chip = with_(
        chip,
        peak_flops={name: peak * mode.compute_share for name, peak in chip.peak_flops.items()},
        memory_bytes_per_s=chip.memory_bytes_per_s * mode.memory_share,
    )
    slow = with_(
        machine,
        peak_flops=machine.peak_flops * mode.compute_share,
        hbm_bytes_per_s=machine.hbm_bytes_per_s * mode.memory_share,
    )
    layers, inverse = np.unique(cand.layer_row[rows], return_inverse=True)
    layer = cand.layer.take(layers)
    kernels = kernel_times(shape, slow_chip, width, layer, flash=float(c.flash[0]))
    messages = tuple(one.take(layers) for one in sent.distinct.layers)
    micro = micro_batch_costs(shape, slow, layer, kernels, messages, c)
    return assemble(shape, slow, cand.mapping.take(rows), c, micro.take(inverse.ravel()), sent.stages(rows))


def _points(
    steps: Steps | None,
    cand: Candidates,
    rows: NDArray[np.intp],
    memory_bytes: NDArray[np.float64],
    machine: Machine,
    chip: Chip,
    mode: PowerMode,
    precision: str,
    maturity: float,
    chips: int,
    sigma: float,
) -> list[dict[str, Any]]:
    """The Pareto front of speed and watts of one precision and mode, as rows."""
    if steps is None:
        return []
    steps = _matured(steps, maturity)
    # the utilisations are shares of the slowed peaks; watts are asked for in shares of the data sheet's
    compute, memory = steps.compute_util * mode.compute_share, steps.memory_util * mode.memory_share
    watts = chip_watts(chip, compute, memory, steps.busy, mode)
    tokens = cand.mapping.global_batch * cand.mapping.seq / (steps.step_s * chips)
    out = []
    for i in _front(tokens, watts)[:KEEP]:
        row = rows[i]
        out.append(
            {
                "mapping": describe(cand.mapping, int(row)),
                "precision": precision,
                "mode": mode.name,
                "step_s": steps.step_s[i],
                "tokens_per_s_per_chip": tokens[i],
                "mfu": steps.model_flops[i] / (steps.step_s[i] * chips * machine.peak_flops),
                "memory_bytes": memory_bytes[row],
                "exposed_comm_share": steps.exposed_comm_share[i],
                "bubble_share": steps.bubble_s[i] / steps.step_s[i],
                "chip_w": watts[i],
                "compute_util": compute[i],
                "memory_util": memory[i],
                "busy": steps.busy[i],
                "chips_used": cand.mapping.chips[row],
                "bound": steps.bound()[i],
                "low": float(np.exp(-Z80 * sigma)),
                "high": float(np.exp(Z80 * sigma)),
            }
        )
    return out


def _front(speed: NDArray[np.float64], watts: NDArray[np.float64]) -> list[int]:
    """Rows not beaten on both, fastest first; points within 0.5 % of a faster one's speed and watts are thinned."""
    order = np.lexsort((watts, -speed))
    front: list[int] = []
    for i in order:
        if not front or watts[i] < 0.995 * watts[front[-1]]:
            front.append(int(i))
    return front


def _matured(steps: Steps, maturity: float) -> Steps:
    """Steps on software of another age: longer by 1 / maturity, and as much less busy."""
    if maturity == 1.0:
        return steps
    wait = {f.name: getattr(steps, f.name) / maturity for f in fields(Steps) if f.name.endswith("_s")}
    less = min(maturity, 1.0)
    return with_(
        steps,
        **wait,
        compute_util=np.minimum(steps.compute_util * maturity, 1.0),
        memory_util=np.minimum(steps.memory_util * maturity, 1.0),
        busy=steps.busy * less,
    )


def _has_peak(chip: Chip, width: str) -> bool:
    return bool(chip.peak_flops.get("fp4" if width == "4" else "fp8"))


def _width(precision: str, chip: Chip) -> str:
    key = precision.lower().replace("-", "").replace("_", "")
    if key not in PRECISIONS:
        raise InputError(unknown_name("training precision", precision, PRECISIONS))
    width = PRECISIONS[key]
    if width == "8" and kin_of(chip.generation) == "blackwell" and key == "mxfp8":
        return "mx8"
    return width


def _check(chips: int, seq: int, global_batch: int, precisions: Sequence[str]) -> None:
    found = [
        Problem("out_of_range", f"{name} is {value}; it must be at least 1")
        for name, value in (("chips", chips), ("seq", seq), ("global_batch", global_batch))
        if value < 1
    ]
    if not precisions:
        found.append(Problem("missing", "no precision is named", None, ("known: " + ", ".join(PRECISIONS),)))
    if found:
        raise InputError(found)
