"""What training keeps of the forward pass, for each token and layer.

Kept are the inputs of every matrix product, of every norm and activation, and attention's queries, keys, values and
log-sum-exp. For a GPT layer this is Korthikanti et al. (arXiv 2205.05198): 34 h bytes a token at 16 bits, two of
which are the dropout masks that modern models have not, so 32 h here; plus 5 a S / h times h bytes of scores where
attention is not tiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.workload.architecture import Architecture, LayerGroup
from gigawatt.physics.workload.lower import layer_pieces
from gigawatt.physics.workload.pieces import Attention, Elementwise, Linear, Piece, Scan

Recompute = Literal["none", "selective", "full"]
# Parts of a layer whose forward pass may run again in the backward pass, so that their tensors need not be kept.
Module = Literal["core_attention", "norm", "activation", "latent_up", "mlp", "experts"]
# What a tensor is stored as: 16-bit values; the input of a product, which low-precision recipes store as they feed it;
# a second copy for such a product of a tensor that is kept in 16 bits anyway; 32-bit values; 5 bytes a score.
Storage = Literal["wide", "input", "copy", "float", "score"]
SELECTIVE: frozenset[Module] = frozenset({"norm", "activation", "core_attention"})
SCORE_BYTES = 5.0  # softmax input and output in 16 bits and a mask of 8

# Matrices that read a tensor which another one of the layer has already kept.
_SHARED_INPUT = (
    "router",
    "shared_up",
    "shared_gate",
    "latent_down",
    "kv_down",
    "beta_decay",
    "text_adaln",
    "index_q",
    "index_k",
    "index_weights",
    "decay_gate_down",
    "beta",
    "output_gate",
)
_INNER_NORMS = ("q_norm", "kv_norm", "qk_norm")


@dataclass(frozen=True, slots=True)
class Kept:
    """A tensor that one layer keeps: values a token (for scores, a token and key).

    `sharded`: cut by tensor parallelism; the others are whole on each rank, or cut by sequence parallelism. `routed`:
    it holds the rows that tokens send to experts. `dropped_by`: recomputing any of these modules makes it anew.
    """

    name: str
    values: float
    sharded: bool
    storage: Storage = "wide"
    dropped_by: frozenset[Module] = frozenset()
    routed: bool = False


def kept_tensors(group: LayerGroup, hidden: int, causal: bool = True) -> tuple[Kept, ...]:
    """The tensors that one layer of a group keeps."""
    layer = _tensors(layer_pieces(replace(group, count=1, extra=()), hidden, causal), hidden)
    extra = (replace(kept, values=kept.values / max(group.count, 1)) for kept in _tensors(group.extra, hidden))
    return (*layer, *extra)


def _tensors(pieces: Iterable[Piece], hidden: int) -> Iterator[Kept]:
    for p in pieces:
        if isinstance(p, Linear):
            yield from _input(p)
        elif isinstance(p, Elementwise):
            yield from _elementwise(p, hidden)
        elif isinstance(p, Attention) and not p.cross:
            values = float(p.count * (p.heads * p.qk_dim + p.kv_heads * (p.qk_dim + p.v_dim)))
            up: frozenset[Module] = frozenset({"latent_up"}) if p.latent_dim else frozenset()
            yield Kept("queries, keys, values", values, True, "wide", up)
            core: frozenset[Module] = frozenset({"core_attention"})
            yield Kept("log-sum-exp", float(p.count * p.heads), True, "float")
            yield Kept("scores", float(p.count * p.heads), True, "score", core)
        elif isinstance(p, Scan):
            yield Kept(p.name, float(p.count * (p.heads * p.v_dim + 2 * p.groups * p.k_dim)), True)


def _elementwise(p: Elementwise, hidden: int) -> Iterator[Kept]:
    """Inputs of norms, activations and gates."""
    if p.name == "norm":
        yield Kept("norm input", float(p.count * hidden), False)
    elif p.name in _INNER_NORMS:
        yield Kept(f"{p.name} input", float(p.count * p.reads), p.sharded)
    elif "activation" in p.name:
        outer: Module = "mlp" if p.name == "activation" else "experts"
        yield Kept(
            "activation input", float(p.count * p.top_k * p.reads), True, "wide", frozenset({outer}), p.top_k > 1
        )
    elif p.name in ("gate", "gate_norm"):
        yield Kept(f"{p.name} input", float(p.count * p.reads), True)


def _input(p: Linear) -> Iterator[Kept]:
    """The input of a matrix, for its weight gradient."""
    if p.name in _SHARED_INPUT or not p.rows.per_token:
        return
    routed = p.experts > 1
    values = float(p.count * p.k * p.top_k)
    within: Module = "experts" if p.part in ("routed_experts", "shared") else "mlp"
    if p.cut == "row" or p.inner == "k":
        if p.name.endswith("down"):
            yield Kept("activation output", values, True, "input", frozenset({"activation", within}), routed)
        else:  # the attention core keeps it as its own output, too
            yield Kept("attention output", values, True, "wide")
            yield Kept("attention output, as the product takes it", values, True, "copy")
    elif routed:
        yield Kept("rows of experts", values, False, "input", frozenset({"experts"}), True)
    else:
        yield Kept(f"{p.name} input", values, False, "input", frozenset({"norm"}))


def activation_bytes_per_token_layer(
    arch: Architecture,
    *,
    recompute: Recompute = "none",
    tp: int = 1,
    sequence_parallel: bool = True,
    bytes_per_value: float = 2.0,
    flash: bool = True,
    seq: int = 0,
) -> float:
    """Bytes kept for one token by an average layer (of one chip of a tensor-parallel group).

    recompute: "full" keeps only the layer's input; "selective" drops what is cheap to make again (norm outputs,
    activation outputs, attention's scores); "none" keeps all. Without `sequence_parallel` the tensors between the cut
    matrices are whole on each chip. `flash=False` keeps scores of `seq` keys: 5 bytes a head and key.

    Raises:
        InputError: an unknown kind of recomputation.
    """
    if recompute not in ("none", "selective", "full"):
        raise InputError(unknown_name("kind of recomputation", recompute, ("none", "selective", "full")))
    outside = tp if sequence_parallel else 1
    if recompute == "full":
        return arch.hidden * bytes_per_value / outside if arch.layers else 0.0
    again = SELECTIVE if recompute == "selective" else frozenset[Module]()
    width = {
        "wide": bytes_per_value,
        "input": bytes_per_value,
        "copy": 0.0,
        "float": 4.0,
        "score": 0.0 if flash else SCORE_BYTES * seq,
    }
    total = 0.0
    for group in arch.groups:
        for kept in kept_tensors(group, arch.hidden, arch.causal):
            if not again & kept.dropped_by:
                total += group.count * kept.values * width[kept.storage] / (tp if kept.sharded else outside)
    return total / max(arch.layers, 1)
