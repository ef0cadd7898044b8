"""What a model is made of: groups of equal layers, each a token mixer and a feed-forward part.

Pure shape, no time and no precision: the parallel layout and the numbers' width enter later.
Names follow the field: `kv_heads`, `head_dim`, `top_k`, `width` (of a feed-forward or of one expert).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MixerKind = Literal["gqa", "mla", "mamba1", "mamba2", "gated_delta", "linear", "none"]
FeedForwardKind = Literal["dense", "moe", "none"]


@dataclass(frozen=True, slots=True)
class Mixer:
    """Attention or a state-space layer.

    gqa: `heads`, `kv_heads`, `head_dim`, `window` (0 = full). mla adds the low-rank sizes: `head_dim` is then
    nope + rope of a query head, `v_head_dim` that of a value head. State-space kinds use `heads`, `head_dim`,
    `state_dim`, `groups`, `conv_width`, `inner`.
    """

    kind: MixerKind
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    v_head_dim: int = 0
    window: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    rope_dim: int = 0
    nope_dim: int = 0
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: bool = False
    gated_output: bool = False
    sinks: bool = False
    state_dim: int = 0
    groups: int = 0
    conv_width: int = 0
    inner: int = 0
    dt_rank: int = 0
    chunk: int = 0
    cross_length: int = 0


@dataclass(frozen=True, slots=True)
class FeedForward:
    """A dense feed-forward part or a mixture of experts; `width` is that of the dense part or of one expert."""

    kind: FeedForwardKind
    width: int = 0
    gated: bool = True
    bias: bool = False
    experts: int = 0
    top_k: int = 0
    shared_experts: int = 0
    shared_width: int = 0
    shared_gate: bool = False
    router_bias: bool = False


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """`count` equal layers."""

    count: int
    mixer: Mixer
    feed_forward: FeedForward
    norms: int = 2


@dataclass(frozen=True, slots=True)
class Architecture:
    """A whole model. `groups` in order of depth as far as it matters; equal layers may be pooled."""

    name: str
    family: str
    hidden: int
    vocab: int
    groups: tuple[LayerGroup, ...]
    tied_embeddings: bool = False
    has_head: bool = True
    max_positions: int = 0
    causal: bool = True
    mtp_layers: int = 0
    extras: dict[str, float] = field(default_factory=dict)

    @property
    def layers(self) -> int:
        return sum(group.count for group in self.groups)
