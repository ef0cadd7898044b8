"""What lies in one chip's memory while it serves: weights, cache and state, activations. (A training mapping's memory is
`physics.training.memory`.)

All bytes are those of the fullest pipeline stage, which has ceil(layers / pp) layers and, where there are several, the
larger of the embedding (first stage) and the head (last).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.flops import check_size
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.mtp import mtp_pieces
from gigawatt.physics.workload.operators import precision_of
from gigawatt.physics.workload.pieces import Attention, Convolution, Linear, Piece, Scan, Vector
from gigawatt.physics.workload.table import Layout, Widths

Floats = NDArray[np.float64]
_OUTSIDE = ("embedding", "head", "stem")


@dataclass(frozen=True, slots=True)
class ServingMemory:
    """Bytes of one chip by what they hold, each of shape (points,); `parameters` is how many of them it holds."""

    parameters: Floats
    weights_bytes: Floats
    cache_bytes: Floats
    state_bytes: Floats
    activations_bytes: Floats

    @property
    def total_bytes(self) -> Floats:
        return self.weights_bytes + self.cache_bytes + self.state_bytes + self.activations_bytes


def serving_memory(
    arch: Architecture,
    *,
    tokens: Any = None,
    batch: Any = 1,
    new_tokens: Any = None,
    tp: int = 1,
    ep: int = 1,
    moe_tp: int = 0,
    pp: int = 1,
    widths: Widths | None = None,
    mtp: int = 0,
) -> ServingMemory:
    """Bytes of one chip for `batch` sequences of `tokens` (numbers or arrays that broadcast to the points): weights, the
    cache of `tokens`, states, and room for `new_tokens` of each sequence at once (1: decoding; default all, a prefill in
    one piece).

    Raises:
        InputError: empty sizes, stages that cannot be; a layout that does not fit.
    """
    layout = Layout(tp, ep, moe_tp)
    layout.check(arch)
    if pp < 1 or pp > max(arch.layers, 1):
        text = f"model '{arch.name}' has {arch.layers} layers: {pp} pipeline stages are not possible"
        raise InputError(Problem("stages", text))
    tokens = arch.sample_tokens if tokens is None else tokens
    check_size(arch, tokens, batch)
    length, sequences, new = np.broadcast_arrays(
        *(
            np.atleast_1d(np.asarray(x, dtype=np.float64))
            for x in (tokens, batch, tokens if new_tokens is None else new_tokens)
        )
    )
    w = widths or Widths()
    ones = np.ones_like(length)
    held = _held(arch, layout, pp, w, mtp)
    share = _stage_share(arch, pp)
    return ServingMemory(
        held.count * ones,
        held.weight_bytes * ones,
        sequences * _cache(arch, length, layout, w) * share,
        sequences * _state(arch, layout, w) * share,
        _workspace(arch, sequences * np.minimum(new, length), layout, w),
    )


@dataclass(slots=True)
class _Held:
    """Parameters of a chip and the bytes of all."""

    count: float = 0.0
    weight_bytes: float = 0.0

    def add(self, count: float, width: float) -> None:
        self.count += count
        self.weight_bytes += count * width


def _stage_share(arch: Architecture, pp: int) -> float:
    """The part of all layers that the fullest stage has."""
    return -(-arch.layers // pp) / arch.layers if arch.layers else 1.0


def _held(arch: Architecture, layout: Layout, pp: int, w: Widths, mtp: int) -> _Held:
    """Parameters and bytes of weights of the fullest stage's chips."""
    out, share = _Held(), _stage_share(arch, pp)
    first, last = _Held(), _Held()
    for piece in pieces(arch):
        count, width = _of_chip(piece, layout, w)
        part = getattr(piece, "part", "")
        if part not in _OUTSIDE:
            out.add(count * share, width)
        elif part == "head":
            last.add(count, width)
        else:
            first.add(count, width)
    for piece in mtp_pieces(arch, mtp):
        last.add(*_of_chip(piece, layout, w))
    sides: tuple[_Held, ...] = (first, last)
    if pp > 1:
        if arch.tied_embeddings and arch.vocab:  # the last stage has a table of its own
            last.add(arch.vocab * arch.hidden / layout.tp, w.head)
        sides = (max(first, last, key=lambda side: side.weight_bytes),)
    for side in sides:
        out.count += side.count
        out.weight_bytes += side.weight_bytes
    return out


def _of_chip(piece: Piece, layout: Layout, w: Widths) -> tuple[float, float]:
    """Parameters of a piece that one chip holds, and the width of one."""
    if isinstance(piece, Linear):
        cut = layout.tp if piece.cut in ("column", "row", "vocab") else 1
        if piece.experts > 1:
            cut = layout.ep * (layout.expert_cut if piece.inner else 1)
        return piece.parameters / cut, getattr(w, precision_of(piece))
    if isinstance(piece, (Vector, Convolution)):
        cut = layout.tp if piece.part == "embedding" or isinstance(piece, Convolution) else 1
        return piece.parameters / cut, w.head if piece.part == "embedding" else w.high
    return 0.0, 0.0


def _cache(arch: Architecture, length: Any, layout: Layout, w: Widths) -> Any:
    """Bytes that one sequence caches on a chip, all layers; heads of keys are divided as far as they go."""
    total = np.zeros_like(length)
    if not arch.causal:
        return total
    for p in pieces(arch):
        if isinstance(p, Attention) and p.keys.per_token:
            cut = 1 if p.latent_dim or not p.sharded else min(layout.tp, p.kv_heads)
            reach = np.minimum(length, p.window) if p.window else length
            total = total + p.count * p.kv_values * reach / cut
        elif isinstance(p, Attention) and p.cross:
            total = total + p.count * p.kv_values * arch.context_tokens / min(layout.tp, p.kv_heads)
    return total * w.kv


def _state(arch: Architecture, layout: Layout, w: Widths) -> float:
    """Bytes of recurrent state of one sequence on a chip."""
    total = 0.0
    for p in pieces(arch):
        if isinstance(p, Scan):
            total += p.count * p.state_values * w.state / layout.tp
        elif isinstance(p, Convolution):
            total += p.count * p.state_values * w.activations / layout.tp
    return total


def _workspace(arch: Architecture, rows: Any, layout: Layout, w: Widths) -> Any:
    """Room for what one operator reads and writes beside the residual stream, at the widest operator."""
    widest = 0.0
    for p in pieces(arch):
        if isinstance(p, Linear) and p.part != "head" and p.rows.per_token:
            inp = p.k / layout.tp if p.cut == "row" else p.k
            outp = p.n / layout.tp if p.cut == "column" else p.n
            if p.experts > 1:
                inp = p.k / layout.expert_cut if p.inner == "k" else p.k
                outp = p.n / layout.expert_cut if p.inner == "n" else p.n
            widest = max(widest, (inp + outp) * p.top_k * p.rows.per_token)
    return rows * (arch.hidden + widest) * w.activations
