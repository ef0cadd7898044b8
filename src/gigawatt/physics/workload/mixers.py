"""A token mixer as pieces: its matrices, its attention or recurrence, its small vectors.

Sources of the shapes: the published implementations (Hugging Face transformers 5.x), Vaswani et al. 2017 (attention),
DeepSeek-V2 arXiv 2405.04434 (MLA), Mamba arXiv 2312.00752, Mamba-2 arXiv 2405.21060, gated delta rule arXiv 2412.06464.
"""

from __future__ import annotations

from collections.abc import Iterator

from gigawatt.physics.workload.architecture import Mixer
from gigawatt.physics.workload.pieces import (
    JOINT,
    TOKENS,
    Attention,
    Convolution,
    Elementwise,
    Linear,
    Piece,
    Rows,
    Scan,
    Vector,
)


def mixer_pieces(mixer: Mixer, hidden: int, count: int, causal: bool = True, rows: Rows = TOKENS) -> Iterator[Piece]:
    """Pieces of `count` equal mixers of a model of width `hidden`; nothing for kind "none"."""
    if mixer.kind == "gqa":
        yield from _gqa(mixer, hidden, count, causal, rows)
    elif mixer.kind == "mla":
        yield from _mla(mixer, hidden, count, causal, rows)
    elif mixer.kind == "mamba1":
        yield from _mamba1(mixer, hidden, count)
    elif mixer.kind == "mamba2":
        yield from _mamba2(mixer, hidden, count)
    elif mixer.kind == "gated_delta":
        yield from _gated_delta(mixer, hidden, count)
    elif mixer.kind == "kda":
        yield from _kda(mixer, hidden, count)
    elif mixer.kind == "lightning":
        yield from _lightning(mixer, hidden, count)
    elif mixer.kind == "linear":
        yield from _linear(mixer, hidden, count)


def _gqa(mixer: Mixer, hidden: int, count: int, causal: bool, rows: Rows) -> Iterator[Piece]:
    d, v = mixer.head_dim, mixer.v_head_dim or mixer.head_dim
    query, key, value, out = mixer.heads * d, mixer.kv_heads * d, mixer.kv_heads * v, mixer.heads * v
    wide = query * (2 if mixer.gated_output else 1) + key + value
    bias = (wide if mixer.key_bias else wide - key) if mixer.qkv_bias else 0
    yield Linear("qkv", "attention", hidden, wide, count, bias, rows=rows, cut="column")
    if mixer.qk_norm:
        size = query + key if mixer.qk_norm_wide else 2 * d
        yield Vector("qk_norm", "norm", size, count)
        yield Elementwise("qk_norm", query + key, query + key, count, True, rows)
    yield Elementwise("rotary", query + key, query + key, count, True, rows)
    joint = JOINT if mixer.joint else rows
    name = "attention_window" if mixer.window else "attention"
    yield Attention(
        name, mixer.heads, mixer.kv_heads, d, v, count, causal, mixer.window, mixer.chunked, queries=joint, keys=joint
    )
    if mixer.sinks:
        yield Vector("sinks", "attention", mixer.heads, count)
    if mixer.gated_output:
        yield Elementwise("gate", 2 * out, out, count, True, rows)
    yield Linear("out", "attention", out, hidden, count, hidden if mixer.out_bias else 0, rows=rows, cut="row")


def _mla(mixer: Mixer, hidden: int, count: int, causal: bool, rows: Rows) -> Iterator[Piece]:
    """Multi-head latent attention: queries and keys through low ranks; the latent and the rotary key are cached."""
    heads, d, v, rank, rope = mixer.heads, mixer.head_dim, mixer.v_head_dim, mixer.kv_lora_rank, mixer.rope_dim
    nope = mixer.nope_dim or d - rope
    if mixer.q_lora_rank:
        bias = mixer.q_lora_rank if mixer.qkv_bias else 0
        yield Linear("q_down", "attention", hidden, mixer.q_lora_rank, count, bias, rows=rows)
        yield Vector("q_norm", "norm", mixer.q_lora_rank, count)
        yield Elementwise("q_norm", mixer.q_lora_rank, mixer.q_lora_rank, count, False, rows)
        yield Linear("q_up", "attention", mixer.q_lora_rank, heads * d, count, rows=rows, cut="column")
    else:
        yield Linear("q", "attention", hidden, heads * d, count, rows=rows, cut="column")
    yield Linear("kv_down", "attention", hidden, rank + rope, count, rank + rope if mixer.qkv_bias else 0, rows=rows)
    yield Vector("kv_norm", "norm", rank, count)
    yield Elementwise("kv_norm", rank, rank, count, False, rows)
    yield Linear("kv_up", "attention", rank, heads * (nope + v), count, rows=rows, cut="column")
    yield Elementwise("rotary", heads * rope + rope, heads * rope + rope, count, True, rows)
    if mixer.index_heads:
        yield from _indexer(mixer, hidden, count, causal, rows)
    yield Attention(
        "mla_sparse" if mixer.index_top_k else "mla",
        heads,
        heads,
        d,
        v,
        count,
        causal,
        mixer.window,
        queries=rows,
        keys=rows,
        latent_dim=rank,
        rope_dim=rope,
        top_k=mixer.index_top_k,
    )
    yield Linear("out", "attention", heads * v, hidden, count, hidden if mixer.out_bias else 0, rows=rows, cut="row")


def _indexer(mixer: Mixer, hidden: int, count: int, causal: bool, rows: Rows) -> Iterator[Piece]:
    """The indexer of sparse attention: a weighted sum over heads of ReLU(q . k), one small key cached a token.

    Every chip has all of it: the choice of keys must be the same for all heads.
    """
    heads, each = mixer.index_heads, mixer.index_dim
    yield Linear("index_q", "attention", mixer.q_lora_rank, heads * each, count, rows=rows)
    yield Linear("index_k", "attention", hidden, each, count, rows=rows)
    yield Vector("index_norm", "norm", 2 * each, count)
    yield Linear("index_weights", "attention", hidden, heads, count, rows=rows)
    yield Attention("index", heads, 1, each, 0, count, causal, queries=rows, keys=rows, sharded=False, summed=True)


def _mamba1(mixer: Mixer, hidden: int, count: int) -> Iterator[Piece]:
    """Selective scan: `inner` channels of `state_dim` states; step sizes through the rank `dt_rank`."""
    inner, state, rank = mixer.inner, mixer.state_dim, mixer.dt_rank
    yield Linear("in", "state", hidden, 2 * inner, count, 2 * inner if mixer.qkv_bias else 0, cut="column")
    yield Convolution("conv", inner, mixer.conv_width, mixer.conv_bias, count)
    yield Linear("x", "state", inner, rank + 2 * state, count, cut="row")
    if mixer.inner_norm:
        yield Vector("inner_norm", "norm", rank + 2 * state, count)
    yield Linear("dt", "state", rank, inner, count, inner, cut="column")
    yield Vector("decay", "state", inner * state + inner, count)
    yield Scan("scan", "mamba1", inner, state, 1, 1, 0, count)
    yield Elementwise("gate", 2 * inner, inner, count, True)
    yield Linear("out", "state", inner, hidden, count, hidden if mixer.out_bias else 0, cut="row")


def _mamba2(mixer: Mixer, hidden: int, count: int) -> Iterator[Piece]:
    """State-space duality: `heads` of width `head_dim`, `groups` of keys (B, C) of `state_dim`."""
    inner, heads = mixer.inner or mixer.heads * mixer.head_dim, mixer.heads
    groups, state = max(mixer.groups, 1), mixer.state_dim
    wide = 2 * inner + 2 * groups * state + heads
    yield Linear("in", "state", hidden, wide, count, wide if mixer.qkv_bias else 0, cut="column")
    yield Convolution("conv", inner + 2 * groups * state, mixer.conv_width, mixer.conv_bias, count)
    yield Vector("decay", "state", 3 * heads, count)  # A, D and the shift of the step size
    yield Scan("scan", "mamba2", heads, state, inner // heads, groups, mixer.chunk, count)
    yield Vector("gate_norm", "norm", inner, count)
    yield Elementwise("gate_norm", 2 * inner, inner, count, True)
    yield Linear("out", "state", inner, hidden, count, hidden if mixer.out_bias else 0, cut="row")


def _gated_delta(mixer: Mixer, hidden: int, count: int) -> Iterator[Piece]:
    """Gated delta rule: `kv_heads` of queries and keys, `heads` of values and output gates."""
    v = mixer.v_head_dim or mixer.head_dim
    key, value = mixer.kv_heads * mixer.head_dim, mixer.heads * v
    yield Linear("in", "state", hidden, 2 * key + 2 * value, count, cut="column")
    yield Linear("beta_decay", "state", hidden, 2 * mixer.heads, count, cut="column")
    yield Convolution("conv", 2 * key + value, mixer.conv_width, False, count)
    yield Vector("decay", "state", 2 * mixer.heads, count)
    yield Scan("delta", "gated_delta", mixer.heads, mixer.head_dim, v, mixer.kv_heads, mixer.chunk, count)
    yield Vector("gate_norm", "norm", v, count)
    yield Elementwise("gate_norm", 2 * value, value, count, True)
    yield Linear("out", "state", value, hidden, count, cut="row")


def _kda(mixer: Mixer, hidden: int, count: int) -> Iterator[Piece]:
    """Kimi delta attention (arXiv 2510.26692): a delta rule whose decay and output gate come through low ranks."""
    heads, d = mixer.heads, mixer.head_dim
    v = mixer.v_head_dim or d
    key, value = heads * d, heads * v
    yield Linear("in", "state", hidden, 2 * key + value, count, cut="column")
    yield Linear("decay_gate_down", "state", hidden, d + v, count)
    yield Linear("decay_up", "state", d, key, count, cut="column")
    yield Linear("gate_up", "state", v, value, count, cut="column")
    yield Linear("beta", "state", hidden, heads, count, cut="column")
    yield Convolution("conv", 2 * key + value, mixer.conv_width, False, count)
    yield Vector("decay", "state", key + heads, count)
    yield Scan("delta", "kda", heads, d, v, heads, mixer.chunk, count)
    yield Vector("gate_norm", "norm", v, count)
    yield Elementwise("gate_norm", 2 * value, value, count, True)
    yield Linear("out", "state", value, hidden, count, cut="row")


def _lightning(mixer: Mixer, hidden: int, count: int) -> Iterator[Piece]:
    """Lightning attention (arXiv 2501.08313): linear attention, one fixed decay a head, a gate on the output."""
    heads, d = mixer.heads, mixer.head_dim
    inner = heads * d
    yield Linear("qkv", "state", hidden, 3 * inner, count, cut="column")
    yield Linear("output_gate", "state", hidden, inner, count, cut="column")
    yield Scan("lightning", "lightning", heads, d, d, heads, mixer.chunk, count)
    yield Vector("gate_norm", "norm", inner, count)
    yield Elementwise("gate_norm", 2 * inner, inner, count, True)
    yield Linear("out", "state", inner, hidden, count, cut="row")


def _linear(mixer: Mixer, hidden: int, count: int) -> Iterator[Piece]:
    """Linear attention without decay (SANA, arXiv 2410.10629): one state of head_dim x v_head_dim a head."""
    d, v = mixer.head_dim, mixer.v_head_dim or mixer.head_dim
    wide = mixer.heads * (2 * d + v)
    yield Linear("qkv", "attention", hidden, wide, count, wide if mixer.qkv_bias else 0, cut="column")
    yield Scan("linear", "linear", mixer.heads, d, v, mixer.heads, 0, count)
    yield Linear("out", "attention", mixer.heads * v, hidden, count, hidden if mixer.out_bias else 0, cut="row")
