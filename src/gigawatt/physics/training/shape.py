"""A model's shape as training sees it: sums over the matrices of a layer, ready for array arithmetic.

A layer's GEMM time is linear in a few sums over its weight matrices W (K x N, input x output width), so those sums are
all that is kept. With tensor parallelism t a column-parallel matrix is K x N/t, a row-parallel one K/t x N:

    flops per token      2 * (kn_sharded / t + kn_replicated)
    inputs per token     inputs_full + inputs_sharded / t
    outputs per token    outputs_full + outputs_sharded / t

Every field is a float or an array; `stack_shapes` lays several models side by side, one row each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer

Column = NDArray[np.float64]
SCAN_PASSES = 20.0  # times a scan, its convolution and gate read or write the inner width (assumed: unfused kernels)
SCALARS = ("hidden", "vocab", "layers", "tied", "mtp_layers", "max_kv_heads", "max_heads")


@dataclass(frozen=True, slots=True)
class LayerKind:
    """`count` equal layers: sums over their matrices, in elements (a token's width unless said otherwise).

    `attention_flops` is 2 * heads * (head_dim + v_head_dim): times the keys a query sees, per token, forward.
    `scan_flops` and `scan_moved` are of state-space layers. `moved_*` are elements read and written by norms,
    activations and residuals, `kernels` those launched. `kv_width` is what context parallelism passes around. Expert
    sums are of ONE expert, whose tokens are `expert_hidden` wide. `unfused` is 1 where experts carry biases (gpt-oss),
    for which grouped kernels have no fused epilogue.
    """

    count: Any = 0.0
    kn_sharded: Any = 0.0
    kn_replicated: Any = 0.0
    inputs_full: Any = 0.0
    inputs_sharded: Any = 0.0
    outputs_full: Any = 0.0
    outputs_sharded: Any = 0.0
    kernels: Any = 0.0
    attention_flops: Any = 0.0
    heads: Any = 0.0
    head_dim: Any = 128.0
    kv_width: Any = 0.0
    window: Any = 0.0
    scan_flops: Any = 0.0
    scan_moved: Any = 0.0
    moved_full: Any = 0.0
    moved_sharded: Any = 0.0
    experts: Any = 0.0
    top_k: Any = 0.0
    expert_hidden: Any = 0.0
    expert_kn: Any = 0.0
    expert_inputs: Any = 0.0
    expert_outputs: Any = 0.0
    expert_moved: Any = 0.0
    kept_full: Any = 0.0
    kept_sharded: Any = 0.0
    all_reduces: Any = 2.0
    unfused: Any = 0.0

    @property
    def dense_parameters(self) -> Any:
        """Weights outside the routed experts, a layer."""
        return self.kn_sharded + self.kn_replicated

    @property
    def expert_parameters(self) -> Any:
        """Weights of all routed experts, a layer."""
        return self.experts * self.expert_kn


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole model (or a column of models)."""

    hidden: Any
    vocab: Any
    layers: Any
    tied: Any
    mtp_layers: Any
    max_kv_heads: Any
    max_heads: Any
    kinds: tuple[LayerKind, ...]

    @property
    def embedding_parameters(self) -> Any:
        """Input embedding and output head: 2 V h, or V h where tied."""
        return self.vocab * self.hidden * (2.0 - self.tied)

    @property
    def dense_parameters(self) -> Any:
        """Weights outside the routed experts and the embeddings."""
        return sum(kind.count * kind.dense_parameters for kind in self.kinds)

    @property
    def expert_parameters(self) -> Any:
        """Weights of the routed experts."""
        return sum(kind.count * kind.expert_parameters for kind in self.kinds)

    @property
    def parameters(self) -> Any:
        """All weights (norms and biases, under 0.1 %, left out)."""
        return self.embedding_parameters + self.dense_parameters + self.expert_parameters

    def take(self, rows: NDArray[np.intp]) -> Shape:
        """The rows named, where fields are columns; scalars stay."""
        columns = {name: _take(getattr(self, name), rows) for name in SCALARS}
        kinds = tuple(LayerKind(*(_take(getattr(k, f.name), rows) for f in fields(k))) for k in self.kinds)
        return Shape(**columns, kinds=kinds)

    def forward_flops_per_token(self, seq: Any, causal: Any = 0.5) -> Any:
        """Forward FLOPs of a token at sequence length `seq`; `causal` is the share of the score square that counts.

        1.0 is the convention of the Megatron papers and llm-foundry, 0.5 that of Megatron-Bridge and of what runs.
        """
        total = 2.0 * self.hidden * self.vocab * (1.0 + self.mtp_layers)
        for kind in self.kinds:
            gemm = 2.0 * (kind.dense_parameters + kind.top_k * kind.expert_kn)
            total = total + kind.count * (gemm + kind.attention_flops * causal * seq + kind.scan_flops)
        return total


def _take(value: Any, rows: NDArray[np.intp]) -> Any:
    return value[rows] if isinstance(value, np.ndarray) and value.ndim else value


def stack_shapes(shapes: Sequence[Shape]) -> Shape:
    """Several models as columns, one row each; missing layer kinds get count 0."""
    width = max(len(shape.kinds) for shape in shapes)
    padded = [shape.kinds + (LayerKind(),) * (width - len(shape.kinds)) for shape in shapes]
    kinds = tuple(
        LayerKind(*(np.array([float(getattr(row[i], f.name)) for row in padded]) for f in fields(LayerKind)))
        for i in range(width)
    )
    columns: dict[str, Any] = {name: np.array([float(getattr(s, name)) for s in shapes]) for name in SCALARS}
    return Shape(**columns, kinds=kinds)


def shape_of(arch: Architecture) -> Shape:
    """The training shape of an architecture.

    Multi-token-prediction layers count as further layers of the last kind and one more head each.
    """
    kinds = [_layer(group, arch.hidden) for group in arch.groups if group.count > 0]
    merged: dict[tuple[float, ...], LayerKind] = {}
    for kind in kinds:
        key = tuple(float(getattr(kind, f.name)) for f in fields(LayerKind)[1:])
        count = kind.count + (merged[key].count if key in merged else 0)
        merged[key] = LayerKind(count, *key)
    if arch.mtp_layers and merged:
        last = next(reversed(merged))
        merged[last] = LayerKind(merged[last].count + arch.mtp_layers, *last)
    mixers = [group.mixer for group in arch.groups if group.mixer.heads]
    return Shape(
        hidden=float(arch.hidden),
        vocab=float(arch.vocab),
        layers=float(arch.layers),
        tied=float(arch.tied_embeddings),
        mtp_layers=float(arch.mtp_layers),
        max_kv_heads=float(max((m.kv_heads or m.heads for m in mixers), default=1)),
        max_heads=float(max((m.heads for m in mixers), default=1)),
        kinds=tuple(merged.values()),
    )


class _Sums:
    """Adds matrices up, by how tensor parallelism cuts them."""

    def __init__(self) -> None:
        self.kn = {"column": 0.0, "row": 0.0, "replicated": 0.0}
        self.inputs_full = self.inputs_sharded = self.outputs_full = self.outputs_sharded = 0.0
        self.gemms = 0

    def add(self, k: float, n: float, cut: str) -> None:
        if k <= 0 or n <= 0:
            return
        self.kn[cut] += k * n
        self.gemms += 1
        if cut == "row":
            self.inputs_sharded += k
        else:
            self.inputs_full += k
        if cut == "column":
            self.outputs_sharded += n
        else:
            self.outputs_full += n


def _layer(group: LayerGroup, hidden: int) -> LayerKind:
    sums = _Sums()
    mixer, ffn = group.mixer, group.feed_forward
    inner = _mixer(sums, mixer, hidden)
    moe = ffn.kind == "moe"
    halves = float(mixer.kind != "none") + float(ffn.kind != "none")  # a hybrid's layer may be one or the other
    wide = _feed_forward(sums, ffn, hidden)
    heads_width = mixer.heads * mixer.head_dim if mixer.kind in ("gqa", "mla") else inner
    attention = mixer.kind in ("gqa", "mla")
    value_dim = (mixer.v_head_dim or mixer.head_dim) if attention else 0
    kv_width = _kv_width(mixer) if attention else 0.0
    expert_ratio = 3.0 if ffn.gated else 2.0
    inside = ffn.latent or hidden  # the width that tokens have on their way to routed experts
    return LayerKind(
        count=float(group.count),
        kn_sharded=sums.kn["column"] + sums.kn["row"],
        kn_replicated=sums.kn["replicated"],
        inputs_full=sums.inputs_full,
        inputs_sharded=sums.inputs_sharded,
        outputs_full=sums.outputs_full,
        outputs_sharded=sums.outputs_sharded,
        kernels=sums.gemms + 4.0 * halves,
        attention_flops=2.0 * mixer.heads * (mixer.head_dim + value_dim) if attention else 0.0,
        heads=float(mixer.heads) if attention else 0.0,
        head_dim=float(mixer.head_dim) if attention else 128.0,
        kv_width=kv_width,
        window=float(mixer.window),
        scan_flops=0.0 if attention else 6.0 * inner * max(mixer.state_dim, 64),
        scan_moved=0.0 if attention else SCAN_PASSES * inner,
        moved_full=6.0 * hidden * halves,
        moved_sharded=wide + 3.0 * heads_width,
        experts=float(ffn.experts) if moe else 0.0,
        top_k=float(ffn.top_k) if moe else 0.0,
        expert_hidden=float(inside) if moe else 0.0,
        expert_kn=expert_ratio * inside * ffn.width if moe else 0.0,
        expert_inputs=float(inside + ffn.width) if moe else 0.0,
        expert_outputs=float(inside + (expert_ratio - 1) * ffn.width) if moe else 0.0,
        expert_moved=(4.0 if ffn.gated else 2.0) * ffn.width if moe else 0.0,
        kept_full=2.5 * hidden * halves,
        kept_sharded=sums.outputs_sharded + sums.inputs_sharded,
        all_reduces=float(mixer.kind != "none") + float(ffn.kind == "dense"),
        unfused=float(moe and ffn.bias),
    )


def _kv_width(mixer: Mixer) -> float:
    if mixer.kind == "mla":
        return float(mixer.kv_lora_rank + mixer.rope_dim)
    return float((mixer.kv_heads or mixer.heads) * (mixer.head_dim + (mixer.v_head_dim or mixer.head_dim)))


def _mixer(sums: _Sums, mixer: Mixer, hidden: int) -> float:
    """Adds the mixer's matrices; returns its inner width."""
    if mixer.kind == "gqa":
        query = mixer.heads * mixer.head_dim
        value = mixer.heads * (mixer.v_head_dim or mixer.head_dim)
        gate = query if mixer.gated_output else 0
        sums.add(hidden, query + gate + _kv_width(mixer), "column")
        sums.add(value, hidden, "row")
        return float(query)
    if mixer.kind == "mla":
        query = mixer.heads * mixer.head_dim
        if mixer.q_lora_rank:
            sums.add(hidden, mixer.q_lora_rank, "replicated")
            sums.add(mixer.q_lora_rank, query, "column")
        else:
            sums.add(hidden, query, "column")
        sums.add(hidden, mixer.kv_lora_rank + mixer.rope_dim, "replicated")
        nope = mixer.nope_dim or (mixer.head_dim - mixer.rope_dim)
        sums.add(mixer.kv_lora_rank, mixer.heads * (nope + mixer.v_head_dim), "column")
        sums.add(mixer.heads * mixer.v_head_dim, hidden, "row")
        return float(query)
    if mixer.kind == "none":
        return 0.0
    inner = float(mixer.inner or mixer.heads * mixer.head_dim or 2 * hidden)
    sums.add(hidden, 2 * inner + 2 * max(mixer.groups, 1) * mixer.state_dim + mixer.heads, "column")
    sums.add(inner, hidden, "row")
    return inner


def _feed_forward(sums: _Sums, ffn: FeedForward, hidden: int) -> float:
    """Adds the dense and shared feed-forward matrices; returns the elements that activations move."""
    width = 0.0
    if ffn.kind == "dense":
        width = float(ffn.width)
    elif ffn.kind == "moe":
        width = float(ffn.shared_width or ffn.shared_experts * ffn.width)
        sums.add(hidden, ffn.experts, "replicated")
        sums.add(hidden, ffn.latent, "replicated")
        sums.add(ffn.latent, hidden, "replicated")
    sums.add(hidden, (2.0 if ffn.gated else 1.0) * width, "column")
    sums.add(width, hidden, "row")
    return (4.0 if ffn.gated else 2.0) * width
