"""One mapping, or a column of them, timed as it stands: the plain path that bulk evaluation is held against."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.host import HostPath
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.training.calibration import (
    PRECISIONS,
    Coefficients,
    Context,
    Stack,
    TrainingCalibration,
    coefficients,
    default_stack,
    kin_of,
    load_calibration,
)
from gigawatt.physics.training.columns import Machine, Mapping, machine_of
from gigawatt.physics.training.memory.recipes import WIDTH_RECIPES, Recipe, load_recipes, recipe_of
from gigawatt.physics.training.shape import Shape, shape_of
from gigawatt.physics.training.step.collectives import messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.offload import offloads, usual_host
from gigawatt.physics.training.step.precision import PRECISION_RECIPES, SHORT_SUMS, Precision
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.training.step.stages import Split
from gigawatt.physics.training.step.times import Steps, step_times
from gigawatt.physics.workload.architecture import Architecture


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
) -> Steps:
    """Step times of a column of mappings of one model on one chip.

    Args:
        shape: the model.
        chip: the accelerator.
        mapping: columns; see `Mapping`. Scalars are one row.
        precision: bf16, fp8, mxfp8 or nvfp4 as the constants were fitted, or a recipe of `step.precision` (or its name).
        fabric: the network; what a chip is wired with by default where None.
        stack: name of a software stack; the usual one of the chip where empty.
        maturity: software speed relative to the calibration's release.
        calibration: the packaged one where None.
        host: the way to the host's memory, for offloading; that of the chip's platform where None.
        between: cables between sites; needed where a row has more than one.
        split: layers of stages on chips of different speed.

    Raises:
        InputError: unknown precision or stack, several sites without cables.
    """
    made = shape_of(shape) if isinstance(shape, Architecture) else shape
    width, recipe = width_of(precision, chip)
    fit = calibration or load_calibration()
    software = fit.stack(stack or default_stack(chip.generation))
    beside = (host or usual_host(chip)) if offloads(mapping) else None
    machine = machine_of(chip, width, fabric, one_nic=software.one_nic, host=beside)
    c = coefficients([Context(chip.generation, width, software)], fit.parameters)
    run = plain_steps(
        made,
        chip,
        width,
        machine,
        c,
        mapping,
        software.exchanges_plainly,
        recipe=recipe,
        sums=sums_of(software, width, recipe),
        between=between,
        split=split,
    )
    return matured(run, maturity)


def sums_of(stack: Stack, width: str, recipe: Precision | None) -> Precision | None:
    """In how many bytes gradients are summed and weights gathered: as the recipe says, else as the stack does."""
    return recipe or (SHORT_SUMS[width] if stack.short_sums else None)


def plain_steps(
    shape: Shape,
    chip: Chip,
    width: str,
    machine: Machine,
    c: Coefficients,
    mapping: Mapping,
    plain: bool,
    *,
    recipe: Precision | None = None,
    sums: Precision | None = None,
    between: Between | None = None,
    split: Split | None = None,
) -> Steps:
    """The same from what a search has at hand; `plain` is a stack that exchanges tokens by an all-to-all."""
    rows = np.broadcast_shapes(*(np.shape(getattr(mapping, f.name)) for f in fields(Mapping)))
    wide = Mapping(*(np.broadcast_to(np.asarray(getattr(mapping, f.name), dtype=float), rows) for f in fields(Mapping)))
    kernels = kernel_times(shape, chip, width, wide, flash=float(c.flash[0]), recipe=recipe)
    sent = messages_of(shape, machine.network, wide, plain, recipe=sums or recipe)
    return step_times(shape, machine, wide, kernels, sent, c, split=split, between=between)


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


def width_of(precision: str | Precision, chip: Chip) -> tuple[str, Precision | None]:
    """The width ('16', '8', 'mx8', '4') that a precision runs at on a chip, and its recipe where it is one by name.

    Raises:
        InputError: there is no such precision.
    """
    if isinstance(precision, Precision):
        return precision.width, precision
    key = precision.lower().replace("-", "").replace("_", "")
    if key not in PRECISIONS:
        if precision.lower() in PRECISION_RECIPES:
            return width_of(PRECISION_RECIPES[precision.lower()], chip)
        raise InputError(unknown_precision(precision))
    width = PRECISIONS[key]
    if width == "8" and kin_of(chip.generation) == "blackwell" and key == "mxfp8":
        return "mx8", None
    return width, None


def stored_of(width: str, recipe: Precision | None) -> Recipe:
    """What a width, or a recipe by name where memory knows it, stores."""
    name = recipe.name if recipe is not None and recipe.name in load_recipes() else WIDTH_RECIPES[width]
    return recipe_of(name)


def known_precision(precision: str) -> bool:
    """Whether there is a precision, or a recipe, of that name."""
    return precision.lower().replace("-", "").replace("_", "") in PRECISIONS or precision.lower() in PRECISION_RECIPES


def unknown_precision(precision: str) -> Problem:
    """The problem of a precision that does not exist."""
    return unknown_name("training precision", precision, [*PRECISIONS, *PRECISION_RECIPES])


def has_peak(chip: Chip, width: str) -> bool:
    """Whether a chip computes at a width; every chip is taken to compute in 16 bit."""
    return width == "16" or bool(chip.peak_flops.get("fp4" if width == "4" else "fp8"))
