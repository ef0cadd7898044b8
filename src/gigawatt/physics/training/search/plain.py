"""One mapping, or a column of them, timed as it stands: the plain path that bulk evaluation is held against."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip import Chip
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.training.calibration import (
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
from gigawatt.physics.training.shape import Shape, shape_of
from gigawatt.physics.training.step.collectives import messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.times import Steps, step_times
from gigawatt.physics.workload.architecture import Architecture


def evaluate(
    shape: Shape | Architecture,
    chip: Chip,
    mapping: Mapping,
    precision: str = "bf16",
    *,
    fabric: Fabric | None = None,
    stack: str = "",
    maturity: float = 1.0,
    calibration: TrainingCalibration | None = None,
) -> Steps:
    """Step times of a column of mappings of one model on one chip.

    Args:
        shape: the model.
        chip: the accelerator.
        mapping: columns; see `Mapping`. Scalars are one row.
        precision: bf16, fp8, mxfp8 or nvfp4.
        fabric: the network; what a chip is wired with by default where None.
        stack: name of a software stack; the usual one of the chip where empty.
        maturity: software speed relative to the calibration's release.
        calibration: the packaged one where None.

    Raises:
        InputError: unknown precision or stack.
    """
    made = shape_of(shape) if isinstance(shape, Architecture) else shape
    width = width_of(precision, chip)
    fit = calibration or load_calibration()
    software = fit.stack(stack or default_stack(chip.generation))
    machine = machine_of(chip, width, fabric, one_nic=software.one_nic)
    c = coefficients([Context(chip.generation, width, software)], fit.parameters)
    return matured(plain_steps(made, chip, width, machine, c, mapping, software.exchanges_plainly), maturity)


def plain_steps(
    shape: Shape, chip: Chip, width: str, machine: Machine, c: Coefficients, mapping: Mapping, plain: bool
) -> Steps:
    """The same from what a search has at hand; `plain` is a stack that exchanges tokens by an all-to-all."""
    rows = np.broadcast_shapes(*(np.shape(getattr(mapping, f.name)) for f in fields(Mapping)))
    wide = Mapping(*(np.broadcast_to(np.asarray(getattr(mapping, f.name), dtype=float), rows) for f in fields(Mapping)))
    kernels = kernel_times(shape, chip, width, wide, flash=float(c.flash[0]))
    sent = messages_of(shape, machine.network, wide, plain)
    return step_times(shape, machine, wide, kernels, sent, c)


def matured(steps: Steps, maturity: float) -> Steps:
    """Steps on software of another age: longer by 1 / maturity, and as much less busy."""
    if maturity == 1.0:
        return steps
    wait = {f.name: getattr(steps, f.name) / maturity for f in fields(Steps) if f.name.endswith("_s")}
    less = min(maturity, 1.0)
    return replace(
        steps,
        **wait,
        compute_util=np.minimum(steps.compute_util * maturity, 1.0),
        memory_util=np.minimum(steps.memory_util * maturity, 1.0),
        busy=steps.busy * less,
    )


def width_of(precision: str, chip: Chip) -> str:
    """The width ('16', '8', 'mx8', '4') that a precision runs at on a chip.

    Raises:
        InputError: there is no such precision.
    """
    key = precision.lower().replace("-", "").replace("_", "")
    if key not in PRECISIONS:
        raise InputError(unknown_name("training precision", precision, PRECISIONS))
    width = PRECISIONS[key]
    if width == "8" and kin_of(chip.generation) == "blackwell" and key == "mxfp8":
        return "mx8"
    return width


def has_peak(chip: Chip, width: str) -> bool:
    """Whether a chip computes at a width; every chip is taken to compute in 16 bit."""
    return width == "16" or bool(chip.peak_flops.get("fp4" if width == "4" else "fp8"))
