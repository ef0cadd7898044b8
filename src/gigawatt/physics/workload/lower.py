"""A whole architecture as pieces: embedding, stem, layers, final norm, head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup
from gigawatt.physics.workload.mixers import mixer_pieces
from gigawatt.physics.workload.pieces import TOKENS, Elementwise, Linear, Piece, Rows, Vector


def pieces(arch: Architecture) -> tuple[Piece, ...]:
    """All pieces of a model (its towers and multi-token-prediction layers left out)."""
    return tuple(_pieces(arch))


def _pieces(arch: Architecture) -> Iterator[Piece]:
    norm = arch.hidden * (2 if arch.final_norm_bias else 1)
    table = arch.embedding_width or arch.hidden
    if arch.vocab:
        yield Vector("embedding", "embedding", arch.vocab * table, stored=not arch.shared_vocabulary)
    if arch.learned_positions:
        yield Vector("positions", "embedding", arch.learned_positions * table)
    if arch.embedding_norm:
        yield Vector("embedding_norm", "norm", table * (2 if arch.final_norm_bias else 1))
    yield from arch.stem
    for group in arch.groups:
        yield from layer_pieces(group, arch.hidden, arch.causal)
    if arch.final_norm:
        yield Vector("final_norm", "norm", norm)
        yield Elementwise("final_norm", arch.hidden, arch.hidden)
    if arch.has_head and arch.vocab:
        bias = arch.vocab if arch.head_bias else 0
        yield Linear("head", "head", arch.hidden, arch.vocab, 1, bias, cut="vocab", stored=not arch.tied_embeddings)


def layer_pieces(group: LayerGroup, hidden: int, causal: bool = True) -> Iterator[Piece]:
    """Pieces of one group of layers, counts multiplied by the group's."""
    if group.norms:
        size = hidden * (2 if group.norm_bias else 1)
        if group.norm_weight:
            yield Vector("norm", "norm", size, group.norms * group.count)
        # A norm reads the residual with the branch's output to add, and writes the sum and the normed value.
        yield Elementwise("norm", 2 * hidden, 2 * hidden, group.norms * group.count, False, group.rows)
    yield from mixer_pieces(group.mixer, hidden, group.count, causal, group.rows)
    yield from feed_forward_pieces(group.feed_forward, hidden, group.count, group.rows)
    yield from group.extra


def feed_forward_pieces(part: FeedForward, hidden: int, count: int, rows: Rows = TOKENS) -> Iterator[Piece]:
    """Pieces of `count` equal feed-forward parts."""
    if part.kind == "dense":
        yield from dense_pieces("dense_ffn", part.width, part.gated, part.bias, hidden, count, rows)
    elif part.kind == "moe":
        yield from _moe(part, hidden, count, rows)


def dense_pieces(
    part: Literal["dense_ffn", "shared"],
    width: int,
    gated: bool,
    bias: bool,
    hidden: int,
    count: int,
    rows: Rows = TOKENS,
) -> Iterator[Piece]:
    """Up (and gate), activation, down: part "dense_ffn" or "shared"."""
    wide = (2 if gated else 1) * width
    prefix = "shared_" if part == "shared" else ""
    yield Linear(f"{prefix}up", part, hidden, wide, count, wide if bias else 0, rows=rows, cut="column")
    yield Elementwise(f"{prefix}activation", wide, width, count, True, rows)
    yield Linear(f"{prefix}down", part, width, hidden, count, hidden if bias else 0, rows=rows, cut="row")


def _moe(part: FeedForward, hidden: int, count: int, rows: Rows) -> Iterator[Piece]:
    """Router, routed experts (in the latent width where there is one), shared experts and their gate."""
    experts, top_k, work = part.experts, part.top_k, part.latent or hidden
    wide = (2 if part.gated else 1) * part.width
    yield Linear("router", "router", hidden, experts, count, experts if part.router_bias else 0, rows=rows)
    if part.latent:
        yield Linear("latent_down", "shared", hidden, work, count, rows=rows)
        yield Linear("latent_up", "shared", work, hidden, count, rows=rows)
    up, down = (wide, work) if part.bias else (0, 0)
    yield Linear("expert_up", "routed_experts", work, wide, count, up, experts, top_k, rows, "expert", "n")
    yield Elementwise("expert_activation", wide, part.width, count, True, rows, top_k)
    yield Linear("expert_down", "routed_experts", part.width, work, count, down, experts, top_k, rows, "expert", "k")
    # Gathering rows to experts and summing their outputs: one pass over top_k copies each way.
    yield Elementwise("expert_gather", work, work, count, False, rows, 2 * top_k)
    shared = part.shared_width or part.shared_experts * part.width
    if shared:
        yield from dense_pieces("shared", shared, part.gated, part.bias, hidden, count, rows)
    if part.shared_gate:
        yield Linear("shared_gate", "shared", hidden, 1, count, rows=rows)
