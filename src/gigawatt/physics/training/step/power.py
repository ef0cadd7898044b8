"""Watts of a training step: what a chip draws in each phase of it, the mean, joules; and of the boxes around chips.

A synchronous step has three phases for a chip, and all chips of a job go through them together but for the pipeline's bubble:

    working     kernels, with the messages between them that nothing hides: `chip_watts` at the utilisations of this phase
    exchanging  gradients and weights over data-parallel ranks and sites, at the end of the step: links alone
    waiting     bubble, stragglers, host link: clocks up, a receiving kernel polls

The mean over time is the step's. The swing from working to exchanging is what a site sees once a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Box, Chip, PowerMode, chip_watts
from gigawatt.physics.chip.kernel_power import comm_watts
from gigawatt.physics.chip.node import box_watts
from gigawatt.physics.training.step.times import Steps

Column = NDArray[np.float64]
LINK_SHARE = 0.5  # of the scale-up links in use while chips exchange (as in `chip_watts`)


@dataclass(frozen=True, slots=True)
class PhaseWatts:
    """Seconds of each phase of a step and watts of a chip in it, one row a mapping."""

    working_s: Column
    exchanging_s: Column
    waiting_s: Column
    working_w: Column
    exchanging_w: Column
    waiting_w: Column

    @property
    def step_s(self) -> Column:
        """The whole step."""
        return self.working_s + self.exchanging_s + self.waiting_s

    @property
    def mean_w(self) -> Column:
        """Watts over the whole step."""
        joules = self.working_s * self.working_w + self.exchanging_s * self.exchanging_w
        return np.asarray((joules + self.waiting_s * self.waiting_w) / self.step_s)

    @property
    def swing_w(self) -> Column:
        """Drop of a chip's draw when the job goes from working to exchanging."""
        return self.working_w - self.exchanging_w


@dataclass(frozen=True, slots=True)
class StepPower:
    """Watts and joules of a step: of a chip, and of a chip with its share of the box where one is given (else the chip's).

    `box_w` is at the input of the rack or node.
    """

    phases: PhaseWatts
    chip_w: Column
    chip_joules: Column
    box_w: Column
    box_joules: Column


def phase_watts(chip: Chip, steps: Steps, mode: PowerMode | None = None) -> PhaseWatts:
    """Phases of a column of steps.

    Args:
        chip: the data sheet.
        steps: timed at the speeds of the mode.
        mode: power mode; full power where None.
    """
    exchanging = steps.data_s + steps.site_s
    waiting = steps.bubble_s + steps.straggler_s + steps.offload_s
    working = np.maximum(steps.step_s - exchanging - waiting, 1e-12)
    share = steps.step_s / working
    compute_share, memory_share = (1.0, 1.0) if mode is None else (mode.compute_share, mode.memory_share)
    between = steps.tensor_s + steps.context_s + steps.expert_s + steps.pipeline_s
    comm = np.clip(between / working, 0.0, 1.0)
    alone = 1.0 / np.maximum(1.0 - comm, 1e-9)  # utilisations are asked for of the time without messages
    busy = np.clip(1.0 - steps.host_s / working * alone, 0.0, 1.0)
    watts = _watts(
        chip,
        steps.compute_util * share * alone * compute_share,
        steps.memory_util * share * alone * memory_share,
        busy,
        mode,
        comm,
    )
    idle = np.minimum(comm_watts(chip, 0.0), watts)
    links = np.minimum(comm_watts(chip, LINK_SHARE), watts)
    rows = np.shape(steps.step_s)
    return PhaseWatts(working, exchanging, waiting, watts, np.broadcast_to(links, rows), idle)


def step_power(chip: Chip, steps: Steps, mode: PowerMode | None = None, box: Box | None = None) -> StepPower:
    """Watts and joules of a column of steps; arguments as of `phase_watts`, and the rack or node around the chips."""
    phases = phase_watts(chip, steps, mode)
    mean = phases.mean_w
    box_w = mean if box is None else np.asarray(box_watts(box, mean).total_w / box.chips)
    return StepPower(phases, mean, mean * steps.step_s, box_w, box_w * steps.step_s)


def _watts(chip: Chip, compute: Any, memory: Any, busy: Any, mode: PowerMode | None, comm: Any) -> Column:
    return chip_watts(chip, np.minimum(compute, 1.0), np.minimum(memory, 1.0), busy, mode, comm)
