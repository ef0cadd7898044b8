"""Seconds of a model's kernels on a chip, tabulated once for each configuration and interpolated after.

Kernel seconds come from the measured floor and depend on no constant of serving (see `kernel_sums`):

    dense[m]         products of mixers, dense and shared parts, router, head; streams; m rows on an attention rank
    experts[t]       routed experts' fused layers; t tokens over all ranks
    attention[b, s]  decode attention of b sequences with s tokens of cache each, on a rank
    prompt_*[n]      the same passes for n tokens of a prompt: logits of one row, attention of the prompt on itself

Between sizes the logarithm of seconds is linear in the logarithm of the size; beyond the last one it goes on so, and
below the first one that serves (a step exists even where a rank has less than one sequence in the mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip
from gigawatt.physics.serving.engine.calibration import ENGINES
from gigawatt.physics.serving.engine.kernel_sums import (
    BATCH,
    CONTEXT,
    ROWS,
    ChipKey,
    attention_sums,
    dense_sums,
    expert_sums,
    kernel_precision,
    like_engine,
    meeting,
)
from gigawatt.physics.workload import Architecture
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.pieces import Piece

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
NOTHING_S = 1e-30  # seconds of what a model does not have, so that logarithms stay finite


@dataclass(frozen=True, slots=True)
class Precisions:
    """Stored precision of mixers, dense parts, routed experts and cache: bf16, fp8 or fp4."""

    attention: str
    dense: str
    experts: str
    kv: str


@dataclass(frozen=True, slots=True)
class Places:
    """`gpus` chips a replica, `dp` attention ranks, experts cut `moe_tp` ways."""

    gpus: int
    dp: int
    moe_tp: int

    @property
    def tensor(self) -> int:
        return max(self.gpus // self.dp, 1)

    @property
    def experts(self) -> tuple[int, int, bool]:
        """Ways the experts are spread, ways each is cut, whether their rows come by an all-to-all."""
        return max(self.gpus // self.moe_tp, 1), self.moe_tp, self.dp > 1


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a set of kernel times belongs to; `loaded_share` of a layer's experts carry the load."""

    arch: Architecture
    chip: Chip
    engine: str
    precisions: Precisions
    places: Places
    loaded_share: float = 1.0


@dataclass(frozen=True, slots=True)
class KernelTimes:
    """Tables of log2 seconds, one a distinct configuration, and which of them serves each row.

    `dense`, `experts`, `prompt_dense`, `prompt_attention` have shape (tables, sizes), `attention` (tables, batch, context);
    `scalars` (tables, 5): kernels of a pass; seconds that those of dense parts, experts and attention take in a decode step
    with nothing to do; the 80 % half-width of the floor's logarithm.
    """

    dense: Floats
    experts: Floats
    prompt_dense: Floats
    prompt_attention: Floats
    attention: Floats
    scalars: Floats
    row: Index

    @property
    def calls(self) -> Floats:
        """Kernels launched by one pass through the layers."""
        return np.asarray(self.scalars[self.row, 0])

    @property
    def launch_s(self) -> tuple[Floats, Floats, Floats]:
        """What a decode step's kernels take with nothing to do: dense parts, experts, attention."""
        dense, experts, attention = self.scalars[self.row, 1:4].T
        return dense, experts, attention

    @property
    def half_width(self) -> Floats:
        """80 % half-width of the logarithm of kernel seconds, as the floor states it."""
        return np.asarray(self.scalars[self.row, 4])

    def take(self, rows: Index) -> KernelTimes:
        """The rows named; tables are shared."""
        return replace(self, row=self.row[rows])

    def dense_s(self, rows: Floats | Spot) -> Floats:
        """Decode: everything but attention and experts, `rows` tokens on a rank."""
        return along(self.dense, self.row, rows)

    def dense_slope(self, rows: Floats | Spot) -> Floats:
        """d ln seconds / d ln rows of the same: near 0 where weights' bytes bind, near 1 where arithmetic does."""
        below = (rows if isinstance(rows, Spot) else spot(rows)).below
        rise = self.dense[self.row, below + 1] - self.dense[self.row, below]
        return np.asarray(rise / np.log2(ROWS[1] / ROWS[0]))

    def experts_s(self, tokens: Floats | Spot) -> Floats:
        """Routed experts of one chip, `tokens` over all ranks."""
        return along(self.experts, self.row, tokens)

    def prompt_dense_s(self, tokens: Floats | Spot) -> Floats:
        """Prefill: everything but attention and experts."""
        return along(self.prompt_dense, self.row, tokens)

    def prompt_attention_s(self, tokens: Floats | Spot) -> Floats:
        """Causal attention of one prompt."""
        return along(self.prompt_attention, self.row, tokens)

    def attention_s(self, batch: Floats, context: Floats) -> Floats:
        """Decode attention of `batch` sequences on a rank, each with `context` tokens of cache."""
        first, second = spot(batch, BATCH), spot(context, CONTEXT)
        i, x, j, y = first.below, first.share, second.below, second.share
        t, r = self.attention, self.row
        low = (1.0 - y) * t[r, i, j] + y * t[r, i, j + 1]
        high = (1.0 - y) * t[r, i + 1, j] + y * t[r, i + 1, j + 1]
        return np.asarray(np.exp2((1.0 - x) * low + x * high))


@dataclass(frozen=True, slots=True)
class Spot:
    """Where sizes fall on a grid: the point below, and the share of the way to the next, in the logarithm."""

    below: Index
    share: Floats


def spot(size: Floats, grid: Floats = ROWS) -> Spot:
    """Where sizes fall on a grid that is even in the logarithm, worked out once for all tables of that grid."""
    octave = np.log2(grid[1] / grid[0])
    at = np.maximum(np.log2(np.maximum(size, 1e-9) / grid[0]) / octave, 0.0)
    below = np.minimum(at.astype(np.intp), len(grid) - 2)
    return Spot(below, at - below)


def along(table: Floats, row: Index, size: Floats | Spot) -> Floats:
    """Seconds at a size, of the table of each row: log2 seconds over `ROWS`."""
    at = size if isinstance(size, Spot) else spot(size)
    flat, start = table.ravel(), row * table.shape[1] + at.below
    return np.asarray(np.exp2((1.0 - at.share) * flat[start] + at.share * flat[start + 1]))


def kernel_times(configurations: Sequence[Configuration]) -> KernelTimes:
    """Tables for a sequence of configurations, each distinct one worked out once."""
    members: dict[tuple[object, ...], dict[Places, int]] = {}
    example: dict[tuple[object, ...], Configuration] = {}
    where: list[tuple[tuple[object, ...], int]] = []
    for c in configurations:
        same = (id(c.arch), id(c.chip), c.engine, c.precisions, c.loaded_share)
        example.setdefault(same, c)
        found = members.setdefault(same, {})
        where.append((same, found.setdefault(c.places, len(found))))
    shapes = {id(c.arch): pieces(c.arch) for c in example.values()}
    made = [_tables(shapes[id(c.arch)], c, tuple(members[same])) for same, c in example.items()]
    sizes = np.array([len(found) for found in members.values()])
    first = dict(zip(members, np.cumsum(sizes) - sizes, strict=True))
    return KernelTimes(
        **{name: np.concatenate([tables[name] for tables in made]) for name in made[0]},
        row=np.array([first[same] + i for same, i in where], dtype=np.intp),
    )


def _tables(shape: tuple[Piece, ...], of: Configuration, places: tuple[Places, ...]) -> dict[str, Floats]:
    """The columns of `KernelTimes` for the layouts of one model, chip, engine and precision."""
    p, chip, key = of.precisions, of.chip, ChipKey.of(of.chip)
    tensors = tuple(sorted({place.tensor for place in places}))
    spreads = tuple(sorted({place.experts for place in places}))
    t = np.array([tensors.index(place.tensor) for place in places])
    e = np.array([spreads.index(place.experts) for place in places])
    kv = f"bf16/{'fp8' if p.kv == 'fp8' else 'bf16'}"
    reader = like_engine(chip, "decode", kv, of.engine, ENGINES)
    if like_engine(chip, "prefill", kv, of.engine, ENGINES) != reader:
        reader = of.engine
    router = like_engine(meeting(chip, p.experts), "moe", kernel_precision(p.experts, True), of.engine, ENGINES)
    dense = dense_sums(shape, key, p.attention, p.dense, tensors)
    mixing = attention_sums(shape, key, p.kv, reader, tensors)
    routed = expert_sums(shape, key, p.experts, router, spreads, of.loaded_share)
    all_of = (dense, routed, mixing)
    weight = sum(s.weight_s for s in all_of)
    half = sum(s.spread_s for s in all_of) / weight if weight else 0.0
    scalars = [sum(s.calls for s in all_of), *(s.launch_s for s in all_of), half]
    return {
        "dense": _log(dense.step[t]),
        "experts": _log(routed.step[e]),
        "prompt_dense": _log(dense.prompt[t]),
        "prompt_attention": _log(mixing.prompt[t]),
        "attention": _log(mixing.step[t]),
        "scalars": np.broadcast_to(scalars, (len(places), len(scalars))),
    }


def _log(seconds: Floats) -> Floats:
    return np.asarray(np.log2(np.maximum(seconds, NOTHING_S)))
