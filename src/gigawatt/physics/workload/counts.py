"""Parameters: all, active for one token, and by part.

Embedding tables count once where they are shared with the head; multi-token-prediction layers are left out, as the
published counts leave them out. Towers (vision, audio) count in `parameters` and have their own part in
`part_parameters`.
"""

from __future__ import annotations

from collections.abc import Mapping

from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.pieces import PARTS, Convolution, Linear, Vector


def parameters(arch: Architecture) -> int:
    """All stored parameters, towers included.

    >>> from gigawatt.physics.workload import from_config
    >>> parameters(from_config("8b", dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
    ...     num_attention_heads=32, num_key_value_heads=8, vocab_size=128256)))
    8030261248
    """
    return _own(arch) + sum(parameters(tower) for tower in arch.towers)


def active_parameters(arch: Architecture) -> int:
    """Parameters that serve one token: all of them less the experts it is not sent to (towers left out).

    The embedding table counts whole, as in most published figures.
    """
    idle = sum(
        piece.count * (piece.experts - piece.top_k) * piece.each
        for piece in pieces(arch)
        if isinstance(piece, Linear) and piece.stored
    )
    return _own(arch) - idle


def _own(arch: Architecture) -> int:
    return sum(p.parameters for p in pieces(arch) if isinstance(p, (Linear, Vector, Convolution)))


def part_parameters(arch: Architecture) -> dict[str, int]:
    """Parameters by part, summed over the layers.

    Keys: attention, state (state-space and linear mixers), dense_ffn, shared (shared experts, their gate, latent
    projections), router, routed_experts (all of them), routed_expert_each (one expert of every layer that has any:
    not to be added to the rest), norm, embedding, head (0 where tied), modulation, stem, towers. All but
    `routed_expert_each` sum to `parameters(arch)`.
    """
    sums: dict[str, int] = dict.fromkeys(PARTS, 0)
    each = 0
    for piece in pieces(arch):
        if isinstance(piece, (Linear, Vector, Convolution)):
            sums[piece.part] += piece.parameters
            if isinstance(piece, Linear) and piece.part == "routed_experts":
                each += piece.count * piece.each
    sums["towers"] = sum(parameters(tower) for tower in arch.towers)
    sums["routed_expert_each"] = each
    return sums


WEIGHT_PARTS: Mapping[str, str] = {
    "attention": "attention",
    "state": "attention",
    "dense_ffn": "dense",
    "shared": "shared",
    "router": "high",
    "routed_experts": "experts",
    "norm": "high",
    "embedding": "embedding",
    "head": "head",
    "modulation": "dense",
    "stem": "stem",
}


def weight_bytes(arch: Architecture, bytes_per_value: float | Mapping[str, float] = 2.0) -> dict[str, float]:
    """Bytes of the stored weights by part: attention, dense, experts, shared, embedding, head, stem, high, towers.

    `high` are the router and the norms, which engines keep at 16 bits or more. `bytes_per_value` is one number for
    all, or a mapping by these names (a missing one takes 2.0, bf16).
    """
    out: dict[str, float] = dict.fromkeys((*WEIGHT_PARTS.values(), "towers"), 0.0)
    for part, count in part_parameters(arch).items():
        if part == "routed_expert_each":
            continue
        name = WEIGHT_PARTS.get(part, part)
        width = bytes_per_value.get(name, 2.0) if isinstance(bytes_per_value, Mapping) else bytes_per_value
        out[name] += count * float(width)
    return out
