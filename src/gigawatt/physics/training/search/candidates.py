"""All mappings of a job onto its chips that divide, as products of columns: built by array arithmetic, never a loop.

A layout (degrees, chunks, micro-batch) says what divides; knobs (recompute, sharding, schedule, overlap, ...) multiply
it. Layouts that allow the same knobs make a `Grid`: knobs along leading axes, layouts along the last. Arithmetic that
broadcasts over a grid works out what depends on fewer axes once, which is what makes the search fast.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.search.knobs import Knobs, allowed, knobs_of
from gigawatt.physics.training.search.space import Space
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.products import distinct

Column = NDArray[np.float64]
POWERS: Column = np.float64(2.0) ** np.arange(0, 12)
MIN_CONTEXT_CHUNK = 2048  # tokens of a sequence that a context rank keeps at least (assumed: below it kernels starve)
MOST_STAGES, MOST_CHUNKS, MOST_EXPERT_RANKS, MOST_CONTEXT = 64, 12, 256, 128
LAYOUT = ("tp", "pp", "vpp", "dp", "cp", "ep", "etp", "micro_batch")
# What the time of a layer depends on beside the layer knobs, and messages of stages beside sharding and those.
LAYER_DEGREES = ("tp", "cp", "ep", "etp", "micro_batch")
STAGE_DEGREES = ("tp", "pp", "dp", "cp", "ep", "etp", "micro_batch")
BLOCK = 32_768  # cells evaluated at a time: stays in the cache
NARROWEST = 32  # layouts side by side that a block has at least, so that loops over it are long


@dataclass(frozen=True, slots=True)
class Rejection:
    """Candidates that fell out for one reason, and the smallest change that would have saved one."""

    reason: str
    count: int
    nearest_fix: str


@dataclass(frozen=True, slots=True)
class Job:
    """What a mapping is of and cannot choose: chips, tokens of a sequence, sequences of a step, the network's domain,
    adapters, the load of the busiest expert rank over the mean, places and the steps between their exchanges."""

    chips: int
    seq: int
    global_batch: int
    domain: float = 8.0
    lora: bool = False
    imbalance: float = 1.0
    sites: float = 1.0
    local_steps: float = 1.0

    def columns(self) -> dict[str, float]:
        """What is the same for every mapping of the job."""
        return {
            "global_batch": float(self.global_batch),
            "seq": float(self.seq),
            "lora": float(self.lora),
            "imbalance": float(self.imbalance),
            "sites": float(self.sites),
            "local_steps": float(self.local_steps),
        }


@dataclass(frozen=True, slots=True)
class Block:
    """Part of a grid: a mapping whose columns broadcast to `shape`, and the knobs and layouts it is made of.

    `knob` has, for each axis of `KNOBS`, which settings of `Knobs` lie along it; `at` which layouts of the grid lie along
    the last axis.
    """

    grid: Grid
    mapping: Mapping
    knob: tuple[NDArray[np.intp], ...]
    at: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        return (*(axis.size for axis in self.knob), self.at.size)

    def narrowed(self, some: NDArray[np.bool_]) -> Block:
        """The least product that holds the cells named (which broadcast to `shape`)."""
        held = [
            np.flatnonzero(np.any(some, axis=tuple(j for j in range(some.ndim) if j != i))) for i in range(some.ndim)
        ]
        if all(one.size == size for one, size in zip(held, some.shape, strict=True)):
            return self
        knob = (axis if some.shape[i] == 1 else axis[held[i]] for i, axis in enumerate(self.knob))
        return self.grid.block(tuple(knob), self.at if some.shape[-1] == 1 else self.at[held[-1]])

    def rows(self, cells: NDArray[np.intp]) -> Mapping:
        """The flat mappings of some cells."""
        at = np.unravel_index(cells, self.shape)
        return Mapping(*(_at(np.asarray(getattr(self.mapping, f.name), np.float64), at) for f in fields(Mapping)))


def _at(values: Column, cells: tuple[NDArray[np.intp], ...]) -> Column:
    """Values of some cells of the array that they broadcast to."""
    axes = zip(values.shape, cells[len(cells) - values.ndim :], strict=True)
    found = values[tuple(at if size > 1 else 0 for size, at in axes)]
    return np.asarray(found) if np.ndim(found) else np.full(cells[-1].shape, found)


@dataclass(frozen=True, slots=True)
class Grid:
    """Layouts that allow the same knobs. `layer_row` and `stage_row` say which of the distinct settings a layout has."""

    job: Job
    knobs: Knobs
    knob: tuple[NDArray[np.intp], ...]
    layout: dict[str, Column]
    layer_row: NDArray[np.intp]
    stage_row: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        return (*(axis.size for axis in self.knob), self.layout["tp"].size)

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def blocks(self, cells: int = BLOCK) -> Iterator[Block]:
        """The grid in parts of about `cells` cells: all of the last knobs, as many of those before as there is room."""
        layouts = self.shape[-1]
        room = max(cells // min(layouts, NARROWEST), 1)
        pieces: list[list[NDArray[np.intp]]] = []
        for axis in reversed(self.knob):
            each = min(axis.size, room)
            room //= each
            pieces.insert(0, [axis[start : start + each] for start in range(0, axis.size, each)])
        wide = max(cells // math.prod(parts[0].size for parts in pieces), 1)
        for knob in itertools.product(*pieces):
            for start in range(0, layouts, wide):
                yield self.block(knob, np.arange(start, min(start + wide, layouts)))

    def take(self, rows: NDArray[np.intp]) -> Grid:
        """Some of the layouts."""
        layout = {name: column[rows] for name, column in self.layout.items()}
        return Grid(self.job, self.knobs, self.knob, layout, self.layer_row[rows], self.stage_row[rows])

    def block(self, knob: tuple[NDArray[np.intp], ...], at: NDArray[np.intp]) -> Block:
        """The product of some knobs and layouts."""
        layout = {name: column[at] for name, column in self.layout.items()}
        chips = layout["tp"] * layout["pp"] * layout["dp"] * layout["cp"]
        mapping = Mapping(chips=chips, **layout, **self.knobs.columns(knob), **self.job.columns())
        return Block(self, mapping, knob, at)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Mappings that divide, as grids, and what fell out.

    `layer` and `stage` are the distinct settings of what a layer and the messages of a stage depend on in a layout.
    """

    job: Job
    knobs: Knobs
    grids: tuple[Grid, ...]
    layer: dict[str, Column]
    stage: dict[str, Column]
    rejected: tuple[Rejection, ...]
    enumerated: int

    def __len__(self) -> int:
        return sum(len(grid) for grid in self.grids)

    @property
    def mapping(self) -> Mapping:
        """All of them, one row each."""
        parts = [block.rows(np.arange(np.prod(block.shape))) for grid in self.grids for block in grid.blocks()]
        return join_mappings(parts)


def join_mappings(parts: list[Mapping]) -> Mapping:
    """Mappings one after the other; all their columns must be arrays."""
    empty = [np.zeros(0)]
    return Mapping(*(np.concatenate([getattr(p, f.name) for p in parts] or empty) for f in fields(Mapping)))


def divisors(n: int) -> Column:
    """All divisors of n, ascending.

    >>> divisors(12).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 12.0]
    """
    small = np.arange(1, int(np.sqrt(n)) + 1)
    low = small[n % small == 0]
    return np.unique(np.concatenate([low, n // low])).astype(float)


def enumerate_mappings(
    shape: Shape,
    *,
    chips: int,
    seq: int,
    global_batch: int,
    scaleup_domain: float,
    lora: bool = False,
    space: Space | None = None,
) -> Candidates:
    """The space without what does not divide.

    dp, where the space does not say it, is what is left of the chips, lowered to a divisor of the batch over the
    micro-batch; the rest of the chips idles.
    """
    return candidates_of(shape, Job(chips, seq, global_batch, float(scaleup_domain), lora), space or Space())


def candidates_of(shape: Shape, job: Job, asked: Space) -> Candidates:
    """The same of a job and a space."""
    knobs = knobs_of(asked)
    layout, rejected, seen = _layouts(shape, job, asked, knobs.count)
    layer, layer_row = distinct_settings(layout, LAYER_DEGREES)
    stage, stage_row = distinct_settings(layout, STAGE_DEGREES)
    grids, more = _grids(shape, job, knobs, layout, layer_row, stage_row)
    told = tuple(item for item in (*rejected, *more) if item.count)
    total = seen + sum(len(grid) for grid in grids) + sum(item.count for item in more)
    return Candidates(job, knobs, grids, layer, stage, told, total)


def axes_of(shape: Shape, job: Job, space: Space) -> dict[str, Column]:
    """Values tried of each degree: those the space names, else all that make sense on the job."""
    layers, heads = round(float(shape.layers)), round(float(shape.max_heads))
    experts = round(max((float(np.max(kind.experts)) for kind in shape.kinds), default=0.0))
    reach = float(min(max(job.domain, 8.0), 64.0, heads))
    every = space.every
    tp: Column = divisors(heads) if every else POWERS[np.mod(heads, POWERS) == 0]
    cp = POWERS[(POWERS == 1) | ((job.seq / POWERS >= MIN_CONTEXT_CHUNK) & (POWERS <= MOST_CONTEXT))]
    pp = np.union1d(divisors(layers), POWERS)
    # Ends may count as layers (126 layers split as 128), so that depths with few divisors interleave.
    chunks = np.unique(np.concatenate([divisors(whole) for whole in _countings(shape)]))
    if every:
        pp = np.union1d(pp, chunks)
    ep = (divisors(experts) if every else POWERS[np.mod(experts, POWERS) == 0]) if experts else np.ones(1)
    usual = {
        "tp": tp[tp <= reach],
        "cp": cp,
        "pp": pp[(pp <= layers) & (pp <= job.chips) & (pp <= MOST_STAGES)],
        "vpp": chunks[chunks <= MOST_CHUNKS],
        "ep": ep[(ep <= max(experts, 1)) & (ep <= MOST_EXPERT_RANKS)],
        "dp": np.zeros(0),
    }
    named: dict[str, Column] = {name: np.unique(np.asarray(getattr(space, name), np.float64)) for name in LAYOUT}
    micro: Column = named["micro_batch"] if named["micro_batch"].size else POWERS[:4]
    named["micro_batch"] = micro[micro <= job.global_batch]
    if not experts:
        named["etp"] = np.ones(1, dtype=np.float64)
    return {name: axis if axis.size or name not in usual else usual[name] for name, axis in named.items()}


def _layouts(shape: Shape, job: Job, space: Space, knobs: int) -> tuple[dict[str, Column], list[Rejection], int]:
    """Layouts that divide, what fell out (each layout for as many candidates as knobs), and how many those are."""
    axes = axes_of(shape, job, space)
    layers, heads = round(float(shape.layers)), round(float(shape.max_heads))
    experts = round(max((float(np.max(kind.experts)) for kind in shape.kinds), default=0.0))
    names = ("tp", "cp", "pp", "micro_batch", "ep", "etp")
    t, x, p, b, e, f = (axis.ravel() for axis in np.meshgrid(*(axes[name] for name in names), indexing="ij"))
    batch = job.global_batch
    room = np.floor(job.chips / (t * x * p))
    if axes["dp"].size:
        wide = t.size
        dp = np.tile(axes["dp"], wide)
        t, x, p, b, e, f, room = (np.repeat(column, axes["dp"].size) for column in (t, x, p, b, e, f, room))
        crowded = dp > room
        room = np.where(crowded, 0.0, room)
        dp = np.where(crowded | (np.mod(batch, dp * b) != 0), 0.0, dp)
    else:
        dp = _largest_divisor_at_most(batch, b, room)
    per = knobs * axes["vpp"].size
    rules = [
        (room < 1, "more parallel ranks than chips", "use more chips, or fewer stages"),
        (dp < 1, "the global batch does not divide", f"use a batch that the micro-batch divides (now {batch} sequences)"),
        (np.mod(dp, job.sites) != 0, "data-parallel ranks do not divide over the sites", f"use a multiple of {job.sites:g}"),
        (np.mod(job.seq, x) != 0, "context ranks do not divide the sequence", f"use a divisor of {job.seq:,}"),
        (np.mod(heads, t) != 0, "tensor ranks do not divide the heads", f"use a divisor of {heads}"),
        (p > layers, "more stages than layers", f"use {layers} stages at most"),
        (
            (np.mod(experts, e) != 0) if experts else e > 1,
            "expert ranks do not divide the experts",
            f"use a divisor of {experts}" if experts else "the model has no experts: use 1",
        ),
        (np.mod(dp * x * t, e * f) != 0, "expert groups do not divide the ranks", "use a power of two of chips"),
    ]  # fmt: skip
    left = np.ones(t.size, dtype=bool)
    rejected = []
    for bad, reason, fix in rules:
        rejected.append(Rejection(reason, int((left & bad).sum()) * per, fix))
        left &= ~bad
    t, x, p, b, e, f, dp = (column[left] for column in (t, x, p, b, e, f, dp))
    chunks, stages = axes["vpp"], p[:, None]
    splits = (chunks == 1) | ((stages > 1) & _splits(shape, stages * chunks))
    row, chunk = np.nonzero(splits)
    rejected.append(
        Rejection(
            "layers do not split into the chunks", int(splits.size - row.size) * knobs, "use a depth with more divisors"
        )
    )
    layout = {"tp": t, "pp": p, "dp": dp, "cp": x, "ep": e, "etp": f, "micro_batch": b}
    layout = {name: column[row] for name, column in layout.items()} | {"vpp": chunks[chunk]}
    return layout, rejected, sum(item.count for item in rejected)


def distinct_settings(layout: dict[str, Column], names: tuple[str, ...]) -> tuple[dict[str, Column], NDArray[np.intp]]:
    """The distinct combinations of some columns, and which of them each row is."""
    if not layout["tp"].size:
        return {name: layout[name] for name in names}, np.zeros(0, dtype=np.intp)
    first, inverse = distinct(*(layout[name] for name in names))
    return {name: layout[name][first] for name in names}, inverse


def _grids(
    shape: Shape,
    job: Job,
    knobs: Knobs,
    layout: dict[str, Column],
    layer_row: NDArray[np.intp],
    stage_row: NDArray[np.intp],
) -> tuple[tuple[Grid, ...], list[Rejection]]:
    """Layouts grouped by the knobs they allow; what no layout allows is told."""
    count = layout["tp"].size
    if not count:
        return (), []
    masks, ruled = allowed(shape, job.global_batch, knobs, layout)
    signature = np.packbits(np.concatenate(masks, axis=0), axis=0)
    _, first, group = np.unique(signature, axis=1, return_index=True, return_inverse=True)
    group = group.ravel()
    grids = []
    for number, row in enumerate(first):
        rows = np.flatnonzero(group == number)
        knob = tuple(np.flatnonzero(mask[:, row]) for mask in masks)
        columns = {name: column[rows] for name, column in layout.items()}
        grid = Grid(job, knobs, knob, columns, layer_row[rows], stage_row[rows])
        if len(grid):
            grids.append(grid)
    return tuple(grids), [Rejection(*item) for item in ruled]


def _countings(shape: Shape) -> tuple[int, ...]:
    """How a depth may be counted when it is split: the layers alone; embedding and head as one each; and modules that
    predict further tokens beside them (61 layers of DeepSeek-V3, one such module and two ends are 64)."""
    layers = round(float(shape.layers))
    return tuple(dict.fromkeys((layers, layers + 2, layers + 2 + round(float(shape.mtp_layers)))))


def _splits(shape: Shape, chunks: Column) -> NDArray[np.bool_]:
    """Whether the depth, in one of its countings, divides into `chunks` with a layer in each."""
    even = np.any([np.mod(whole, chunks) == 0 for whole in _countings(shape)], axis=0)
    return np.asarray(even & (chunks <= np.round(float(shape.layers))))


def _largest_divisor_at_most(batch: int, micro: Column, room: Column) -> Column:
    """For each row, the largest divisor of batch / micro that is at most `room`; 0 where there is none."""
    found = np.zeros_like(room)
    for size in np.unique(micro):
        if batch % int(size):
            continue
        options = divisors(batch // int(size))
        rows = micro == size
        index = np.searchsorted(options, room[rows], side="right") - 1
        found[rows] = np.where(index >= 0, options[np.maximum(index, 0)], 0.0)
    return found
