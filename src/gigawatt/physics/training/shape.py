"""A model's shape as training sees it: the matrices of each kind of layer, and what moves beside them.

The pieces of `physics.workload` as columns: every field is a float or an array, and `stack_shapes` lays several models
side by side, one row each. Tensor parallelism t makes a column-parallel matrix K x N/t and a row-parallel one K/t x N.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import ACTIVATION, CORE_ATTENTION, EXPERTS, LATENT_UP, MLP, NORM
from gigawatt.physics.workload.activations import kept_tensors
from gigawatt.physics.workload.architecture import Architecture, LayerGroup, Mixer
from gigawatt.physics.workload.lower import layer_pieces
from gigawatt.physics.workload.pieces import Elementwise, Linear

SCAN_PASSES = 20.0  # times a scan, its convolution and gate read or write the inner width (assumed: unfused kernels)
SCALARS = ("hidden", "vocab", "layers", "tied", "mtp_layers", "max_kv_heads", "max_heads", "in_order")
REPLICATED, COLUMN, ROW = 0.0, 1.0, 2.0
CUTS = {"replicated": REPLICATED, "column": COLUMN, "row": ROW}
# What is run again together: the dense feed-forward part, the mixture's (router and shared experts go with it), and the
# products that bring latent queries, keys and values up to their heads.
MODULES = {"dense_ffn": MLP, "shared": EXPERTS, "router": EXPERTS}
LATENT_UPS = {"q_up": LATENT_UP, "kv_up": LATENT_UP}
MLA_HEAD_DIM = 160.0  # mean of the 192 of a query and the 128 of a value: what the attention kernels are asked for


@dataclass(frozen=True, slots=True)
class Matrix:
    """A k x n matrix of a layer, cut by tensor parallelism as `cut` says; `wide` is 1 where it stays in 16 bit.

    `module` is the part of a layer that it is run again with, as `columns` numbers them (0: none of them).
    """

    k: Any = 0.0
    n: Any = 0.0
    cut: Any = REPLICATED
    wide: Any = 0.0
    module: Any = 0.0

    def cut_by(self, tp: Any) -> tuple[Any, Any]:
        """(k, n) on one of `tp` ranks."""
        return np.where(self.cut == ROW, self.k / tp, self.k), np.where(self.cut == COLUMN, self.n / tp, self.n)


# Recomputed modules by name, and the number that `Mapping.modules` sums.
MODULE_NUMBERS: dict[str, float] = {
    "core_attention": CORE_ATTENTION,
    "norm": NORM,
    "activation": ACTIVATION,
    "latent_up": LATENT_UP,
    "mlp": MLP,
    "experts": EXPERTS,
}
STORAGES = ("wide", "input", "copy", "float", "score")


@dataclass(frozen=True, slots=True)
class KeptTensor:
    """Values a token of tensors kept until the backward pass (see `physics.workload.activations.Kept`), as columns.

    `sharded`, `routed` are 0 or 1, `storage` an index into `STORAGES`, `dropped_by` the sum of the modules whose
    recomputation makes them anew.
    """

    values: Any = 0.0
    sharded: Any = 0.0
    routed: Any = 0.0
    storage: Any = 0.0
    dropped_by: Any = 0.0


KEPT_COLUMNS = tuple(f.name for f in fields(KeptTensor))


@dataclass(frozen=True, slots=True)
class LayerKind:
    """`count` equal layers: `matrices` outside of routed experts, and sums of what a token needs beside them.

    Elements of a token unless said otherwise. `attention_flops` is
    2 * heads * (head_dim + v_head_dim): times the keys a query sees, per token, forward. `scan_flops` and `scan_moved`
    are of state-space layers. `moved_*` are elements read and written by norms, activations and residuals, `gathered`
    those of bringing tokens to experts and back (for each expert of a token); of them `moved_norm` is norms' part of
    `moved_full`, `moved_activation` the feed-forward activation's of `moved_sharded`. `kv_width` is what context parallelism
    passes around, `all_reduces` the matrices cut by rows, whose outputs tensor ranks sum. An expert maps `expert_hidden`
    to `expert_width` with `expert_gate` (2 gated, else 1) products up and one down. `unfused` is 1 where experts carry
    biases (gpt-oss), for which grouped kernels have no fused epilogue.
    """

    count: Any = 0.0
    matrices: tuple[Matrix, ...] = ()
    attention_flops: Any = 0.0
    heads: Any = 0.0
    kv_heads: Any = 0.0
    head_dim: Any = 128.0
    kv_width: Any = 0.0
    window: Any = 0.0
    scan_flops: Any = 0.0
    scan_moved: Any = 0.0
    moved_full: Any = 0.0
    moved_sharded: Any = 0.0
    moved_norm: Any = 0.0
    moved_activation: Any = 0.0
    experts: Any = 0.0
    top_k: Any = 0.0
    expert_hidden: Any = 0.0
    expert_width: Any = 0.0
    expert_gate: Any = 0.0
    expert_moved: Any = 0.0
    gathered: Any = 0.0
    kept: tuple[KeptTensor, ...] = ()
    all_reduces: Any = 2.0
    unfused: Any = 0.0

    @property
    def dense_parameters(self) -> Any:
        """Weights outside the routed experts, a layer."""
        return sum(m.k * m.n for m in self.matrices)

    @property
    def expert_kn(self) -> Any:
        """Weights of one expert."""
        return (1.0 + self.expert_gate) * self.expert_hidden * self.expert_width

    @property
    def expert_parameters(self) -> Any:
        """Weights of all routed experts, a layer."""
        return self.experts * self.expert_kn

    def take(self, rows: NDArray[np.intp]) -> LayerKind:
        """The rows named, where fields are columns; scalars stay."""
        columns = {name: _take(getattr(self, name), rows) for name in LAYER_COLUMNS}
        matrices = tuple(Matrix(*(_take(getattr(m, f.name), rows) for f in fields(Matrix))) for m in self.matrices)
        kept = tuple(KeptTensor(*(_take(getattr(k, name), rows) for name in KEPT_COLUMNS)) for k in self.kept)
        return LayerKind(**columns, matrices=matrices, kept=kept)


LAYER_COLUMNS = tuple(f.name for f in fields(LayerKind) if f.name not in ("matrices", "kept"))


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole model (or a column of models).

    `in_order` is 1 where all layers of a kind lie together, in the order of `kinds`; 0 where they may alternate.
    """

    hidden: Any
    vocab: Any
    layers: Any
    tied: Any
    mtp_layers: Any
    max_kv_heads: Any
    max_heads: Any
    in_order: Any
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
        return Shape(**columns, kinds=tuple(kind.take(rows) for kind in self.kinds))

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
    """Several models as columns, one row each; missing layer kinds get count 0, missing matrices width 0."""
    width = max(len(shape.kinds) for shape in shapes)
    padded = [shape.kinds + (LayerKind(),) * (width - len(shape.kinds)) for shape in shapes]
    columns: dict[str, Any] = {name: np.array([float(getattr(s, name)) for s in shapes]) for name in SCALARS}
    return Shape(**columns, kinds=tuple(_stack_kinds([row[i] for row in padded]) for i in range(width)))


def _stack_kinds(kinds: Sequence[LayerKind]) -> LayerKind:
    columns = {name: np.array([float(getattr(kind, name)) for kind in kinds]) for name in LAYER_COLUMNS}
    depth = max(len(kind.matrices) for kind in kinds)
    padded = [kind.matrices + (Matrix(),) * (depth - len(kind.matrices)) for kind in kinds]
    matrices = tuple(
        Matrix(*(np.array([float(getattr(row[i], f.name)) for row in padded]) for f in fields(Matrix)))
        for i in range(depth)
    )
    held = max(len(kind.kept) for kind in kinds)
    tensors = [kind.kept + (KeptTensor(),) * (held - len(kind.kept)) for kind in kinds]
    kept = tuple(
        KeptTensor(*(np.array([float(getattr(row[i], name)) for row in tensors]) for name in KEPT_COLUMNS))
        for i in range(held)
    )
    return LayerKind(**columns, matrices=matrices, kept=kept)


def shape_of(arch: Architecture) -> Shape:
    """The training shape of an architecture.

    Multi-token-prediction layers count as further layers of the last kind and one more head each; where a model's layers
    are halves (a mixer alone, a feed-forward alone), as one more of the last attention and of the last mixture each.
    """
    merged: dict[LayerKind, float] = {}
    for group in arch.groups:
        if group.count > 0:
            kind = _layer(group, arch.hidden, arch.causal)
            merged[kind] = merged.get(kind, 0.0) + group.count
    in_order = _in_order(merged)
    for kind in _predicting(merged):
        merged[kind] += arch.mtp_layers
    mixers = [group.mixer for group in arch.groups if group.mixer.heads]
    return Shape(
        hidden=float(arch.hidden),
        vocab=float(arch.vocab),
        layers=float(arch.layers),
        tied=float(arch.tied_embeddings),
        mtp_layers=float(arch.mtp_layers),
        max_kv_heads=float(max((m.kv_heads or m.heads for m in mixers), default=1)),
        max_heads=float(max((m.heads for m in mixers), default=1)),
        in_order=in_order,
        kinds=tuple(replace(kind, count=count) for kind, count in merged.items()),
    )


def _in_order(kinds: dict[LayerKind, float]) -> float:
    """1 where layers lie in the order of their kinds. An architecture pools equal layers, so that is known of one kind, and
    taken of few dense layers beside many with experts: they come first (DeepSeek, Kimi, GLM)."""
    if len(kinds) != 2:
        return float(len(kinds) < 2)
    (first, few), (second, many) = kinds.items()
    return float(first.experts == 0 and second.experts > 0 and few <= max(3.0, (few + many) / 8.0))


def _predicting(kinds: dict[LayerKind, float]) -> list[LayerKind]:
    """The kinds of layer that a multi-token-prediction module is made of."""
    attention = [kind for kind in kinds if kind.heads > 0]
    mixtures = [kind for kind in kinds if kind.experts > 0]
    if attention and mixtures and not any(kind.heads > 0 for kind in mixtures):
        return [attention[-1], mixtures[-1]]
    return list(kinds)[-1:]


def _layer(group: LayerGroup, hidden: int, causal: bool) -> LayerKind:
    """One layer of a group (`count` is left 0)."""
    pieces = list(layer_pieces(replace(group, count=1, extra=()), hidden, causal))
    mixer, ffn = group.mixer, group.feed_forward
    moe = ffn.kind == "moe"
    attention = mixer.kind in ("gqa", "mla")
    value_dim = mixer.v_head_dim or mixer.head_dim
    inner = float(mixer.inner or mixer.heads * mixer.head_dim or 2 * hidden)
    scans = mixer.kind not in ("gqa", "mla", "none")
    inside = float(ffn.latent or hidden)  # the width that tokens have on their way to routed experts
    moved = [p for p in pieces if isinstance(p, Elementwise)]
    matrices = tuple(_matrix(p) for p in pieces if isinstance(p, Linear) and p.experts == 1)
    return LayerKind(
        matrices=matrices,
        attention_flops=2.0 * mixer.heads * (mixer.head_dim + value_dim) if attention else 0.0,
        heads=float(mixer.heads) if attention else 0.0,
        kv_heads=float(mixer.kv_heads or mixer.heads) if attention else 0.0,
        head_dim=128.0 if not attention else MLA_HEAD_DIM if mixer.kind == "mla" else float(mixer.head_dim),
        kv_width=_kv_width(mixer) if attention else 0.0,
        window=float(mixer.window),
        scan_flops=6.0 * inner * max(mixer.state_dim, 64) if scans else 0.0,
        scan_moved=SCAN_PASSES * inner if scans else 0.0,
        moved_full=_elements(moved, lambda p: p.top_k == 1 and not p.sharded),
        moved_sharded=_elements(moved, lambda p: p.top_k == 1 and p.sharded),
        moved_norm=_elements(moved, lambda p: p.top_k == 1 and not p.sharded and p.name.endswith("norm")),
        moved_activation=_elements(moved, lambda p: p.top_k == 1 and p.sharded and p.name.endswith("activation")),
        experts=float(ffn.experts) if moe else 0.0,
        top_k=float(ffn.top_k) if moe else 0.0,
        expert_hidden=inside if moe else 0.0,
        expert_width=float(ffn.width) if moe else 0.0,
        expert_gate=(2.0 if ffn.gated else 1.0) if moe else 0.0,
        expert_moved=_elements(moved, lambda p: p.name == "expert_activation"),
        gathered=2.0 * _elements(moved, lambda p: p.name == "expert_gather"),
        kept=_kept(group, hidden, causal),
        all_reduces=float(sum(m.cut == ROW for m in matrices)),
        unfused=float(moe and ffn.bias),
    )


def _kept(group: LayerGroup, hidden: int, causal: bool) -> tuple[KeptTensor, ...]:
    """Tensors that are cut, stored and recomputed alike, as one."""
    alike: dict[tuple[float, float, float, float], float] = {}
    for kept in kept_tensors(replace(group, extra=()), hidden, causal):
        dropped = sum(MODULE_NUMBERS[name] for name in kept.dropped_by)
        key = (float(kept.sharded), float(kept.routed), float(STORAGES.index(kept.storage)), dropped)
        alike[key] = alike.get(key, 0.0) + kept.values
    return tuple(KeptTensor(values, *key) for key, values in alike.items())


def _matrix(p: Linear) -> Matrix:
    wide = float(p.part == "router" or p.name == "shared_gate")
    return Matrix(float(p.k), float(p.n), CUTS[p.cut], wide, MODULES.get(p.part, LATENT_UPS.get(p.name, 0.0)))


def _elements(moved: Sequence[Elementwise], chosen: Any) -> float:
    """Elements read and written by the passes chosen, each once."""
    return float(sum(p.reads + p.writes for p in moved if chosen(p)))


def _kv_width(mixer: Mixer) -> float:
    if mixer.kind == "mla":
        return float(mixer.kv_lora_rank + mixer.rope_dim)
    return float((mixer.kv_heads or mixer.heads) * (mixer.head_dim + (mixer.v_head_dim or mixer.head_dim)))
