"""What training keeps of the forward pass, for each token and layer.

Kept are the inputs of every matrix product, of every norm and activation, and attention's queries, keys, values and
log-sum-exp. For a GPT layer this is Korthikanti et al. (arXiv 2205.05198): 34 h bytes a token at 16 bits, two of
which are the dropout masks that modern models have not, so 32 h here; plus 5 a S / h times h bytes of scores where
attention is not tiled.
"""

from __future__ import annotations

from typing import Literal

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.workload.architecture import Architecture, LayerGroup
from gigawatt.physics.workload.lower import layer_pieces
from gigawatt.physics.workload.pieces import Attention, Elementwise, Linear, Scan

Recompute = Literal["none", "selective", "full"]

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
    layers = max(arch.layers, 1)
    total = sum(
        _layer(group, arch, recompute, tp, sequence_parallel, bytes_per_value, 0 if flash else seq)
        for group in arch.groups
    )
    return total / layers


def _layer(
    group: LayerGroup, arch: Architecture, recompute: str, tp: int, sequence_parallel: bool, width: float, seq: int
) -> float:
    """Bytes a token over the whole group."""
    outside = tp if sequence_parallel else 1
    if recompute == "full":
        return group.count * arch.hidden * width / outside
    total = 0.0
    cheap = recompute == "selective"
    for p in layer_pieces(group, arch.hidden, arch.causal):
        if isinstance(p, Linear):
            total += p.count * _input(p, cheap, tp, outside) * width
        elif isinstance(p, Elementwise):
            if p.name == "norm":
                total += p.count * arch.hidden * width / outside
            elif "activation" in p.name or p.name in ("gate", "gate_norm"):
                total += p.count * p.top_k * p.reads * width / tp
        elif isinstance(p, Attention) and not p.cross:
            kept = p.heads * p.qk_dim + p.kv_heads * (p.qk_dim + p.v_dim)
            total += p.count * (kept * width + 4.0 * p.heads) / tp
            if not cheap:
                total += p.count * 5.0 * p.heads * seq / tp
        elif isinstance(p, Scan):
            total += p.count * (p.heads * p.v_dim + 2 * p.groups * p.k_dim) * width / tp
    return total


def _input(p: Linear, cheap: bool, tp: int, outside: int) -> float:
    """Values of a matrix's input that have to be kept for its weight gradient."""
    if p.name in _SHARED_INPUT or not p.rows.per_token:
        return 0.0
    if p.cut == "row" or p.inner == "k":
        remade = cheap and p.name.endswith("down")  # the activation's output, made again from its input
        return 0.0 if remade else p.k * p.top_k / tp
    remade = cheap and p.experts == 1  # a norm's output
    return 0.0 if remade else p.k * p.top_k / outside
