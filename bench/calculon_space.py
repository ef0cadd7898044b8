"""The whole space of another search for the same job: Calculon's (github.com/calculon-ai/calculon, Apache-2.0).

Facts of its `llm/optimal_execution.py` and `llm/llm.py`, counted there with `-d`: 5,848,960 executions for GPT-3 175B on
1,024 processors at a batch of 512 with two networks and a second memory. Its axes, and what stands for them here:

    tensor, pipeline, data parallelism    all products of divisors that make the chips: tp divides hidden width and heads,
                                          pp the blocks, dp at most the batch
    pipeline interleaving                 divisors of the blocks of a stage                                         vpp
    micro-batch                           divisors of a rank's sequences                                            micro_batch
    recompute full, attention, none       recompute 1; modules core attention; 0                                    the same
    optimizer sharding on, off            with dp > 1                                                               sharding
    tensor messages                       all-reduce; the same with sends cut over tensor ranks and gathered again;
                                          sequence parallelism (rs_ag); that with inputs gathered again backward
    tensor overlap none, ring, pipe       with tp > 1: off; on; on (what a stack hides is one number here)          overlap_tp
    data overlap on, off                  with dp > 1                                                               overlap_dp
    offload of weights, activations       activations not under full recompute                                      offload_*
    and optimizer
    network of each of the three          the scale-up domain or the NICs, where a group has more than one rank

Every execution is a cell of its own and is worked out as one. Two pairs of them come out alike but for what is said here:
ring and pipe; and gathering again sends a quarter more over tensor ranks but saves no memory, as sequence parallelism is
always taken to gather again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip, PowerMode
from gigawatt.physics.fabric.wires import Wires
from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.columns import CORE_ATTENTION, Machine, Mapping
from gigawatt.physics.training.precision import Precision
from gigawatt.physics.training.search.bulk import Chips, Settings
from gigawatt.physics.training.search.candidates import (
    LAYER_DEGREES,
    STAGE_DEGREES,
    Block,
    Grid,
    Job,
    distinct_settings,
    divisors,
)
from gigawatt.physics.training.search.knobs import KNOBS, Knobs
from gigawatt.physics.training.search.space import Space
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.collectives import LayerMessages, StageMessages, messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.layer import micro_batch_costs

COUNTED = 5_848_960
ALL_REDUCE, CUT_SENDS, SEQUENCE, AGAIN = range(4)  # tensor messages
SCALE_UP, NICS = 0.0, 1.0
GATHERED_AGAIN = 1.25  # of eight halves of sums a layer, two gathers more

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Axes:
    """Settings along each axis, with what is no column of a mapping: kind of tensor messages, networks."""

    knobs: Knobs
    tensor: Column
    tensor_net: Column
    pipeline_net: Column
    data_net: Column


@dataclass(frozen=True, slots=True)
class PeerSpace:
    """All executions as grids, and the distinct settings of layers and of stages in them."""

    axes: Axes
    grids: list[Grid]
    layer: dict[str, Column]
    stage: dict[str, Column]

    def __len__(self) -> int:
        return sum(len(grid) for grid in self.grids)


def calculon_axes() -> Axes:
    """All settings of all axes; a layout allows some of them."""
    usual = {name: getattr(Space(), name)[0] for names in KNOBS.values() for name in names}
    tensor, overlap, net = _product(range(4), range(3), (SCALE_UP, NICS))
    data_overlap, pipeline_net, data_net = _product((1, 0), (SCALE_UP, NICS), (SCALE_UP, NICS))
    weights, optimizer = _product((1, 0), (1, 0))
    chosen = {
        "sequence_parallel": (tensor >= SEQUENCE).astype(float),
        "overlap_tp": (overlap > 0).astype(float),
        "recompute": np.array([1.0, 0.0, 0.0, 0.0, 0.0]),
        "modules": CORE_ATTENTION * np.array([0.0, 1.0, 1.0, 0.0, 0.0]),
        "offload_activations": np.array([0.0, 1.0, 0.0, 1.0, 0.0]),
        "sharding": np.array([1.0, 0.0]),
        "offload_weights": weights,
        "offload_optimizer": optimizer,
        "overlap_dp": data_overlap,
    }
    axes = []
    for names in KNOBS.values():
        size = next(chosen[name].size for name in names if name in chosen)
        axes.append({name: chosen.get(name, np.full(size, usual[name])) for name in names})
    return Axes(Knobs(tuple(axes)), tensor, net, pipeline_net, data_net)


def calculon_space(shape: Shape, chips: int, seq: int, batch: int) -> PeerSpace:
    """Its executions as grids: one for each of full or partial recompute and which degrees are above one."""
    axes, layout = calculon_axes(), calculon_layouts(shape, chips, seq, batch)
    job = Job(chips, seq, batch)
    layer, layer_row = distinct_settings(layout, LAYER_DEGREES)
    stage, stage_row = distinct_settings(layout, STAGE_DEGREES)
    several = np.stack([layout[name] > 1 for name in ("tp", "pp", "dp")])
    grids = []
    for kind in np.unique(several, axis=1).T:
        rows = np.flatnonzero(np.all(several == kind[:, None], axis=0))
        tp, pp, dp = kind
        overlap = axes.knobs.axes[0]["overlap_tp"]
        none = np.arange(overlap.size) // 2 % 3 == 0
        layers = np.ones(overlap.size, bool) if tp else none & (axes.tensor_net == SCALE_UP)
        ends = (axes.pipeline_net == SCALE_UP) | pp
        schedules = ends if dp else ends & (axes.knobs.axes[4]["overlap_dp"] == 0) & (axes.data_net == SCALE_UP)
        sharded = np.arange(2) if dp else np.array([1])
        for again, allowed in ((np.array([0]), layers & (axes.tensor != AGAIN)), (np.arange(1, 5), layers)):
            knob = (np.flatnonzero(allowed), again, sharded, np.arange(4), np.flatnonzero(schedules))
            columns = {name: column[rows] for name, column in layout.items()}
            grids.append(Grid(job, axes.knobs, knob, columns, layer_row[rows], stage_row[rows]))
    return PeerSpace(axes, grids, layer, stage)


def calculon_layouts(shape: Shape, chips: int, seq: int, batch: int) -> dict[str, Column]:
    """Degrees, chunks and micro-batches that divide."""
    heads, hidden, blocks = (round(float(x)) for x in (shape.max_heads, shape.hidden, shape.layers))
    tp, pp, vpp, micro = _product(divisors(chips), divisors(blocks), divisors(blocks), divisors(batch))
    dp = chips / (tp * pp)
    local = np.floor(batch / dp)  # sequences of a rank: its batch is the largest multiple of dp
    good = (np.mod(hidden, tp) == 0) & (np.mod(heads, tp) == 0) & (dp == np.floor(dp)) & (dp >= 1) & (dp <= batch)
    good &= np.where(pp > 1, np.mod(blocks, pp * vpp) == 0, vpp == 1)
    good &= (np.mod(local, micro) == 0) & (np.mod(micro * seq, tp) == 0)
    ones = np.ones(int(good.sum()))
    kept = {"tp": tp, "pp": pp, "vpp": vpp, "dp": dp, "micro_batch": micro}
    return {name: column[good] for name, column in kept.items()} | {"cp": ones, "ep": ones, "etp": ones}


def _by_sends(seconds: Column, gather: Column | float, stages: int) -> Column:
    """(kind of sends, sharding, stage): whole, cut and gathered again, cut."""
    whole, cut = seconds.reshape(2, 2, stages)
    return np.stack([whole, cut + gather, cut])


def _product(*axes: object) -> tuple[Column, ...]:
    grids = np.meshgrid(*(np.asarray(axis, float) for axis in axes), indexing="ij")
    return tuple(grid.ravel() for grid in grids)


@dataclass(frozen=True, slots=True)
class TieredSettings(Settings):
    """Settings whose stages also tell networks apart: rows over (sends cut, sharding, network of sends, of data, layout)."""

    cut: NDArray[np.intp]
    nets: NDArray[np.intp]
    stages: int

    def stage_rows(self, block: Block) -> NDArray[np.intp]:
        layer, _, sharding, _, schedule = block.knob
        lead = (self.cut[layer].reshape(-1, 1, 1, 1, 1, 1) * 2 + sharding.reshape(-1, 1, 1, 1)) * 4
        rows: NDArray[np.intp] = (lead + self.nets[schedule].reshape(-1, 1)) * self.stages + block.grid.stage_row[
            block.at
        ]
        return rows


def calculon_chips(
    shape: Shape,
    chip: Chip,
    width: str,
    machine: Machine,
    c: Coefficients,
    mode: PowerMode,
    space: PeerSpace,
    sums: Precision | None = None,
) -> Chips:
    """Layers and messages of the whole space, each on both networks; `sums` is in how many bytes gradients are summed."""
    axes, layer, stage = space.axes, space.layer, space.stage
    common = {"chips": np.ones(1), "pp": np.ones(1), "vpp": np.ones(1), "dp": np.ones(1)} | space.grids[0].job.columns()
    layouts, stages, sizes = layer["tp"].size, stage["tp"].size, axes.knobs.sizes
    settings = {name: np.repeat(column, layouts) for name, column in axes.knobs.axes[0].items()}
    flat = Mapping(**common | {name: np.tile(column, sizes[0]) for name, column in layer.items()} | settings)
    # Of stages: sends whole or cut as with sequence parallelism; sharded or not.
    ends = {name: np.tile(column, 4) for name, column in stage.items()}
    ends |= {"sequence_parallel": np.repeat([0.0, 1.0], 2 * stages), "chips": ends["tp"] * ends["pp"] * ends["dp"]}
    ends |= {"sharding": np.tile(np.repeat(axes.knobs.axes[2]["sharding"], stages), 2)}
    behind = Mapping(**common | ends)
    networks: tuple[Wires, Wires] = (machine.network, replace(machine.network, domain=1.0))
    both = [messages_of(shape, network, flat, stages=behind, recipe=sums) for network in networks]

    far = np.repeat(axes.tensor_net == NICS, layouts)
    more = np.where(np.repeat(axes.tensor == AGAIN, layouts), GATHERED_AGAIN, 1.0)
    near, off = (sent.layers[0] for sent in both)
    layers = [LayerMessages(more * np.where(far, off.tensor_s, near.tensor_s), near.context_s, near.expert_s)]
    # A gather over tensor ranks is half of a sum that is cut in two.
    gather = 0.5 * messages_of(shape, machine.network, behind).layers[0].tensor_s.reshape(4, stages)[-1]
    sends = [_by_sends(sent.stage.send_s, gather, stages) for sent in both]
    data, micro = (
        [_by_sends(getattr(sent.stage, name), 0.0, stages) for sent in both] for name in ("data_s", "micro_s")
    )
    rows = (3, 2, 2, 2, stages)
    spread = StageMessages(
        np.broadcast_to(np.stack(sends, axis=2)[:, :, :, None], rows).ravel(),
        np.broadcast_to(np.stack(data, axis=2)[:, :, None, :], rows).ravel(),
        np.broadcast_to(np.stack(micro, axis=2)[:, :, None, :], rows).ravel(),
    )
    made = TieredSettings(
        flat, flat, np.zeros(0, np.intp), np.zeros(sizes[4], np.intp), layouts,
        cut=np.minimum(axes.tensor, SEQUENCE).astype(np.intp), stages=stages,
        nets=(2 * axes.pipeline_net + axes.data_net).astype(np.intp),
    )  # fmt: skip
    kernels = kernel_times(shape, chip, width, flat, flash=float(c.flash[0]))
    return Chips(
        shape, chip, width, machine, c, mode, made, micro_batch_costs(shape, machine, flat, kernels, layers, c), spread
    )
