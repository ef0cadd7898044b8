"""Bulk evaluation: seconds, bytes and joules of every cell of a grid, a block at a time.

The arithmetic is that of `step.times.assemble` and `memory.bytes.total_bytes_of`, called on columns that broadcast: knobs
along leading axes, layouts along the last. Layers are timed once for each distinct layer setting, messages of stages
once for each distinct stage setting, both gathered into the block. Nothing is worked out in another way than for a
single mapping, so a cell equals `evaluate` of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip, PowerMode
from gigawatt.physics.fabric.wires import Wires
from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.columns import Machine, Mapping
from gigawatt.physics.training.memory.bytes import total_bytes_of
from gigawatt.physics.training.memory.host import host_bytes_of
from gigawatt.physics.training.precision import Precision, Stored
from gigawatt.physics.training.search.candidates import Block, Candidates, Grid
from gigawatt.physics.training.search.knobs import KNOBS
from gigawatt.physics.training.search.plain import matured
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.collectives import Messages, StageMessages, messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.layer import MicroBatch, micro_batch_costs
from gigawatt.physics.training.step.offload import offloads
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.training.step.times import Steps, assemble

Column = NDArray[np.float64]
LAYER, AGAIN, SHARDING, HOST, SCHEDULE = range(len(KNOBS))


@dataclass(frozen=True, slots=True)
class Settings:
    """The distinct settings of layers and of stages in a set of grids, as flat mappings.

    Rows of layers run over the layer knob, then `paired` (`paired_at` says which of its values a schedule knob has), then
    the `layouts`. `stage_at` gives for (layer knob, sharding, layout) the row of `stage`, or -1 where no grid needs it.
    """

    layer: Mapping
    stage: Mapping
    stage_at: NDArray[np.intp]
    paired_at: NDArray[np.intp]
    layouts: int

    def layer_rows(self, block: Block) -> NDArray[np.intp]:
        """The layers of the cells of a block, along the axes that they depend on."""
        lead, pairs = block.knob[LAYER].reshape(-1, 1, 1, 1, 1, 1), int(self.paired_at.max()) + 1
        if pairs > 1:
            lead = lead * pairs + self.paired_at[block.knob[SCHEDULE]].reshape(-1, 1)
        rows: NDArray[np.intp] = lead * self.layouts + block.grid.layer_row[block.at]
        return rows

    def stage_rows(self, block: Block) -> NDArray[np.intp]:
        """The stages of the cells of a block, along the axes that they depend on."""
        layer, sharding = block.knob[LAYER].reshape(-1, 1, 1, 1, 1, 1), block.knob[SHARDING].reshape(-1, 1, 1, 1)
        return self.stage_at[layer, sharding, block.grid.stage_row[block.at]]

    @staticmethod
    def of(found: Candidates, grids: Sequence[Grid]) -> Settings:
        """Those of some grids (of all candidates, or of those that fit)."""
        axes = found.knobs.axes
        ones = np.ones(1)
        common = {"chips": ones, "pp": ones, "vpp": ones, "dp": ones, **found.job.columns()}
        sizes = found.knobs.sizes
        layouts = found.layer["tp"].size
        pairs, paired_at = np.unique(axes[SCHEDULE]["paired"], return_inverse=True)
        settings = {name: np.repeat(column, pairs.size * layouts) for name, column in axes[LAYER].items()}
        settings["paired"] = np.tile(np.repeat(pairs, layouts), sizes[LAYER])
        layer = {name: np.tile(column, sizes[LAYER] * pairs.size) for name, column in found.layer.items()}

        stages = found.stage["tp"].size
        # Of the layer knobs messages of stages see sequence parallelism alone.
        _, first, alike = np.unique(axes[LAYER]["sequence_parallel"], return_index=True, return_inverse=True)
        lead = first[alike.ravel()]
        used = np.zeros((sizes[LAYER], sizes[SHARDING], stages), dtype=bool)
        for grid in grids:
            used[np.ix_(np.unique(lead[grid.knob[LAYER]]), grid.knob[SHARDING], np.unique(grid.stage_row))] = True
        rows = np.cumsum(used).reshape(used.shape) - 1
        stage_at = np.where(used, rows, -1)[lead]
        k, z, row = np.nonzero(used)
        stage = {name: column[row] for name, column in found.stage.items()}
        stage |= {name: column[z] for name, column in axes[SHARDING].items()}
        stage |= {"sequence_parallel": axes[LAYER]["sequence_parallel"][k]}
        stage |= {"chips": stage["tp"] * stage["pp"] * stage["dp"] * stage["cp"]}
        return Settings(
            Mapping(**{**common, **layer, **settings}),
            Mapping(**{**common, **stage}),
            stage_at,
            paired_at.ravel(),
            layouts,
        )


@dataclass(frozen=True, slots=True)
class Chips:
    """What the candidates run on, in one precision and one power mode, and what layers and messages take there.

    `machine` and the kernels behind `micro` are slowed as the mode says; `chip` is the data sheet's.
    """

    shape: Shape
    chip: Chip
    width: str
    machine: Machine
    c: Coefficients
    mode: PowerMode
    settings: Settings
    micro: MicroBatch
    stage: StageMessages
    between: Between | None = None

    def steps(self, block: Block) -> Steps:
        """The steps of a block, as columns that have its shape."""
        costs = self.micro.take(self.settings.layer_rows(block))
        sent = self.stage.take(self.settings.stage_rows(block))
        return assemble(
            self.shape, self.machine, block.mapping, self.c, costs, sent, between=self.between, flash=self.c.flash
        )


def slowed(chip: Chip, machine: Machine, mode: PowerMode) -> tuple[Chip, Machine]:
    """A chip and a machine at the speeds of a power mode."""
    chip = replace(
        chip,
        peak_flops={name: peak * mode.compute_share for name, peak in chip.peak_flops.items()},
        memory_bytes_per_s=chip.memory_bytes_per_s * mode.memory_share,
    )
    machine = replace(
        machine,
        peak_flops=machine.peak_flops * mode.compute_share,
        hbm_bytes_per_s=machine.hbm_bytes_per_s * mode.memory_share,
    )
    return chip, machine


def messages_in(
    shape: Shape, network: Wires, settings: Settings, plain: bool, recipe: Precision | None = None
) -> Messages:
    """All messages of the settings: the same in every power mode, and at every precision without a recipe."""
    return messages_of(shape, network, settings.layer, plain, stages=settings.stage, recipe=recipe)


def chips_of(
    shape: Shape,
    chip: Chip,
    width: str,
    machine: Machine,
    c: Coefficients,
    mode: PowerMode,
    settings: Settings,
    sent: Messages,
    *,
    recipe: Precision | None = None,
    between: Between | None = None,
) -> Chips:
    """Layers timed at their distinct settings."""
    slow_chip, slow = slowed(chip, machine, mode)
    kernels = kernel_times(shape, slow_chip, width, settings.layer, flash=float(c.flash[0]), recipe=recipe)
    micro = micro_batch_costs(shape, slow, settings.layer, kernels, sent.layers, c)
    return Chips(shape, chip, width, slow, c, mode, settings, micro, sent.stage, between)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Time, memory (of the chip, and of its host where anything is kept there) and energy of the cells of a block; columns
    broadcast to its shape. Joules are of all chips."""

    block: Block
    steps: Steps
    memory_bytes: Column
    host_bytes: Column
    chip_w: Column
    joules: Column

    @property
    def step_s(self) -> Column:
        return self.steps.step_s


def evaluated(
    chips: Chips,
    grids: Sequence[Grid],
    *,
    flash: float,
    room_bytes: float,
    job_chips: int,
    maturity: float = 1.0,
    stored: Stored | str = "bf16",
) -> Iterator[Evaluated]:
    """Every block of some grids; settings with which nothing fits into `room_bytes` are left out of it untimed.

    Memory that layouts need is worked out first, so that what cannot fit costs no timing.
    """
    idle_w = chips.chip.idle_w
    for grid in grids:
        for whole in grid.blocks():
            block, memory = whole, memory_in(chips.shape, whole, flash, stored)
            fits = memory <= room_bytes
            if not np.all(fits):
                if not np.any(fits):
                    continue
                block = whole.narrowed(fits)
                memory = memory if block is whole else memory_in(chips.shape, block, flash, stored)
            steps = matured(chips.steps(block), maturity)
            watts = phase_watts(chips.chip, steps, chips.mode).mean_w
            used = block.mapping.chips
            joules = steps.step_s * (used * watts + (job_chips - used) * idle_w)
            kept = host_bytes_of(chips.shape, block.mapping, flash, recipe=stored) if offloads(block.mapping) else 0.0
            yield Evaluated(block, steps, memory, np.asarray(kept), watts, joules)


def memory_in(shape: Shape, block: Block, flash: float, stored: Stored | str = "bf16") -> Column:
    """Bytes of a chip in each cell: as many axes as the block, of length 1 where nothing depends on one."""
    total: Column = np.asarray(total_bytes_of(shape, block.mapping, flash, recipe=stored))
    return total.reshape((1,) * (len(block.shape) - total.ndim) + total.shape)


def fitting(
    shape: Shape, found: Candidates, flash: float, room_bytes: float, stored: Stored | str = "bf16"
) -> tuple[list[Grid], int, Mapping | None]:
    """The grids without the layouts that fit with no knob; how many cells do not fit, and the mapping that comes nearest.

    The nearest is told only where something does not fit.
    """
    kept, over, least, nearest = [], 0, np.inf, None
    for grid in found.grids:
        some = np.zeros(grid.layout["tp"].size, dtype=bool)
        for block in grid.blocks():
            memory = memory_in(shape, block, flash, stored)
            fits = memory <= room_bytes
            times = int(np.prod(block.shape)) // fits.size
            over += times * int(fits.size - np.count_nonzero(fits))
            some[block.at] |= np.any(fits, axis=tuple(range(fits.ndim - 1)))
            if not np.all(fits):
                missing = np.where(fits, np.inf, memory)
                cell = int(np.argmin(missing))
                if missing.ravel()[cell] < least:
                    least = float(missing.ravel()[cell])
                    nearest = block.rows(_whole(block, missing, cell))
        if np.any(some):
            kept.append(grid if np.all(some) else grid.take(np.flatnonzero(some)))
    return kept, over, nearest


def smallest(
    shape: Shape, found: Candidates, flash: float, stored: Stored | str = "bf16"
) -> tuple[float, Mapping | None]:
    """The fewest bytes of a chip among some candidates, and the mapping that needs them."""
    least, mapping = np.inf, None
    for grid in found.grids:
        for block in grid.blocks():
            memory = memory_in(shape, block, flash, stored)
            cell = int(np.argmin(memory))
            if memory.ravel()[cell] < least:
                least, mapping = float(memory.ravel()[cell]), block.rows(_whole(block, memory, cell))
    return least, mapping


def _whole(block: Block, some: Column, cell: int) -> NDArray[np.intp]:
    """The cell of a block that a cell of an array with some axes of length 1 stands for."""
    at = np.unravel_index(cell, some.shape)
    return np.array([np.ravel_multi_index(at, block.shape)], dtype=np.intp)


def columns_of(mapping: Mapping) -> Column:
    """A flat mapping as one array, a column of it a row."""
    return np.stack([np.asarray(getattr(mapping, f.name), np.float64) for f in fields(Mapping)])
