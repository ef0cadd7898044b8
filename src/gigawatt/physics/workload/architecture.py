"""What a model is made of: groups of equal layers, each a token mixer and a feed-forward part.

Pure shape, no time and no precision: the parallel layout and the numbers' width enter later.
Names follow the field: `kv_heads`, `head_dim`, `top_k`, `width` (of a feed-forward or of one expert).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gigawatt.physics.workload.pieces import TOKENS, Piece, Rows

MixerKind = Literal["gqa", "mla", "mamba1", "mamba2", "gated_delta", "kda", "lightning", "linear", "none"]
FeedForwardKind = Literal["dense", "moe", "none"]


@dataclass(frozen=True, slots=True)
class Mixer:
    """Attention or a state-space layer.

    gqa: `heads`, `kv_heads`, `head_dim`, `window` (0 = full). mla adds the low-rank sizes: `head_dim` is then nope +
    rope of a query head, `v_head_dim` that of a value head. State-space kinds use `heads`, `head_dim`, `state_dim`,
    `groups`, `conv_width`, `inner`; gated_delta has `heads` of values and `kv_heads` of keys, a state of `head_dim` x
    `v_head_dim` each. `chunked`: the window restarts every `window` tokens. `key_bias` False: keys alone have none.
    `qk_norm_wide`: one norm over all heads. `inner_norm`: norms inside a state-space layer. `joint`: attends over
    tokens and context together. `index_top_k`: sparse attention to so many of the earlier tokens, chosen by an indexer
    of `index_heads` heads of `index_dim` (0 heads: by the indexer of an earlier layer). kda: a delta rule whose decay
    differs by channel; lightning: linear attention with one decay a head.
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
    chunked: bool = False
    key_bias: bool = True
    qk_norm_wide: bool = False
    inner_norm: bool = False
    conv_bias: bool = True
    joint: bool = False
    index_heads: int = 0
    index_dim: int = 0
    index_top_k: int = 0


@dataclass(frozen=True, slots=True)
class FeedForward:
    """A dense feed-forward part or a mixture of experts; `width` is that of the dense part or of one expert.

    `shared_width` is that of all shared experts together (0: `shared_experts` times `width`); `latent`, where given,
    is the narrower width in which routed experts work.
    """

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
    latent: int = 0


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """`count` equal layers, with `norms` norms each (`norm_bias`: LayerNorm with a shift; RMSNorm has none;
    `norm_weight` False: norms without parameters).

    `rows` says which rows pass (the tokens, or tokens and context); `extra` are further pieces of a layer
    (cross-attention, modulation, a second stream), their `count` already multiplied by the layers'.
    """

    count: int
    mixer: Mixer
    feed_forward: FeedForward
    norms: int = 2
    norm_bias: bool = False
    norm_weight: bool = True
    rows: Rows = TOKENS
    extra: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Architecture:
    """A whole model. `groups` in order of depth as far as it matters; equal layers may be pooled.

    `mtp_layers` (multi-token prediction) are counted in neither parameters nor FLOPs, as the published counts leave
    them out. `learned_positions` rows of a position table; `stem` are pieces outside the layers (patch and time
    embeddings, pooling, output layer); `towers` further models whose output enters (vision, audio). For what is not
    text: `sample_tokens` is the length of one image, clip or window, `context_tokens` that of its conditioning text,
    `steps` the denoising steps, `guidance` whether each runs twice. `embedding_width` of the tables where it is not
    the model's own (ELECTRA); `shared_vocabulary`: embedding and head are another model's and not stored here.
    """

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
    final_norm: bool = True
    final_norm_bias: bool = False
    embedding_norm: bool = False
    head_bias: bool = False
    learned_positions: int = 0
    stem: tuple[Piece, ...] = ()
    towers: tuple[Architecture, ...] = ()
    sample_tokens: int = 0
    context_tokens: int = 0
    steps: int = 1
    guidance: bool = False
    embedding_width: int = 0
    shared_vocabulary: bool = False

    @property
    def layers(self) -> int:
        return sum(group.count for group in self.groups)
