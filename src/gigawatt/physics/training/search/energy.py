"""Watts of a chip in a training step, from what the step says of its use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip, PowerMode, chip_watts
from gigawatt.physics.training.step.times import Steps


def step_watts(chip: Chip, steps: Steps, mode: PowerMode, maturity: float = 1.0) -> NDArray[np.float64]:
    """Mean watts of one chip over a step.

    Utilisations of a step are shares of the peaks in its power mode; watts are asked for in shares of the data sheet's.

    Args:
        chip: the data sheet.
        steps: the steps, timed at the speeds of the mode.
        mode: the power mode.
        maturity: software speed relative to the calibration's release: slower software leaves the chip less busy.
    """
    compute = np.minimum(steps.compute_util * maturity, 1.0) * mode.compute_share
    memory = np.minimum(steps.memory_util * maturity, 1.0) * mode.memory_share
    return chip_watts(chip, compute, memory, steps.busy * min(maturity, 1.0), mode)
