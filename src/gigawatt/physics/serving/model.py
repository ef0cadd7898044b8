"""What serving needs to know of a model: weights by part, keys and values per token, kernels per layer.

Every field is a column (one row a configuration) or a 0-d array that broadcasts. Counts are in values (elements), so that
the precision can be chosen later. Sources of the sums: the shapes of the matrices themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer

Floats = NDArray[np.float64]

ATTENTION = ("gqa", "mla")
_MAX_WINDOW = 1e12


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Sums over the layers of a decoder.

    `*_weights` count values: mixers (`attention_weights`), dense and shared feed-forward parts (`dense_weights`), all routed
    experts (`expert_weights`), output head, embedding. `kv_full` and `kv_window` are cached values per token over layers with
    full and with windowed attention (MLA caches its latent). `score_full` is 2 * heads * (d_qk + d_v) over full layers: flops
    per token and key in prefill; `decode_score` the same while decoding over all layers (MLA absorbed). `state_values` are kept
    per sequence by layers of constant state. `*_layers` count kernels' owners.
    """

    layers: Floats
    hidden: Floats
    gqa_layers: Floats
    mla_layers: Floats
    linear_layers: Floats
    dense_layers: Floats
    moe_layers: Floats
    attention_weights: Floats
    dense_weights: Floats
    expert_weights: Floats
    head_weights: Floats
    embedding_weights: Floats
    experts: Floats
    top_k: Floats
    expert_width: Floats
    kv_full: Floats
    kv_window: Floats
    window: Floats
    kv_heads: Floats
    score_full: Floats
    score_window: Floats
    decode_score: Floats
    state_values: Floats

    @property
    def weights(self) -> Floats:
        """All parameters (norms and biases, below 0.1 %, left out)."""
        return (
            self.attention_weights
            + self.dense_weights
            + self.expert_weights
            + self.head_weights
            + self.embedding_weights
        )

    @property
    def active_weights(self) -> Floats:
        """Parameters that multiply each token, without the embedding."""
        share = np.where(self.experts > 0, self.top_k / np.maximum(self.experts, 1), 0.0)
        return self.attention_weights + self.dense_weights + self.expert_weights * share + self.head_weights

    def take(self, rows: NDArray[np.intp]) -> ServedModel:
        """Rows of a stacked model; 0-d columns stay."""
        return ServedModel(*(column[rows] if (column := getattr(self, f.name)).ndim else column for f in fields(self)))


def stack(models: Sequence[ServedModel]) -> ServedModel:
    """Several models as one set of columns, a row each."""
    return ServedModel(*(np.array([float(getattr(m, f.name)) for m in models]) for f in fields(ServedModel)))


def served_model(arch: Architecture) -> ServedModel:
    """The serving sums of an architecture.

    >>> from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
    >>> layer = LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336))
    >>> float(served_model(Architecture("8b", "llama", 4096, 128256, (layer,))).weights) / 1e9
    8.029995008
    """
    sums = dict.fromkeys((f.name for f in fields(ServedModel)), 0.0)
    sums["layers"], sums["hidden"] = float(arch.layers), float(arch.hidden)
    sums["embedding_weights"] = 0.0 if arch.tied_embeddings else float(arch.vocab * arch.hidden)
    sums["head_weights"] = float(arch.vocab * arch.hidden)
    sums["window"], sums["kv_heads"] = _MAX_WINDOW, 1.0
    for group in arch.groups:
        _add_mixer(sums, group, arch.hidden)
        _add_feed_forward(sums, group, arch.hidden)
    return ServedModel(*(np.asarray(sums[f.name], dtype=np.float64) for f in fields(ServedModel)))


def _add_mixer(sums: dict[str, float], group: LayerGroup, hidden: int) -> None:
    mixer, n = group.mixer, group.count
    sums["attention_weights"] += n * mixer_weights(mixer, hidden)
    value_dim = mixer.v_head_dim or mixer.head_dim
    score = 2.0 * mixer.heads * (mixer.head_dim + value_dim)
    if mixer.kind == "mla":
        sums["mla_layers"] += n
        sums["kv_full"] += n * (mixer.kv_lora_rank + mixer.rope_dim)
        sums["score_full"] += n * score
        # Absorbed form: queries meet the latent itself, then its 512 values are weighted.
        sums["decode_score"] += n * 2.0 * mixer.heads * (2 * mixer.kv_lora_rank + mixer.rope_dim)
    elif mixer.kind == "gqa":
        sums["gqa_layers"] += n
        values = n * mixer.kv_heads * (mixer.head_dim + value_dim)
        sums["kv_heads"] = max(sums["kv_heads"], float(mixer.kv_heads))
        sums["decode_score"] += n * score
        if mixer.window:
            sums["kv_window"] += values
            sums["score_window"] += n * score
            sums["window"] = min(sums["window"], float(mixer.window))
        else:
            sums["kv_full"] += values
            sums["score_full"] += n * score
    elif mixer.kind != "none":
        sums["linear_layers"] += n
        sums["state_values"] += n * (state_values(mixer))


def state_values(mixer: Mixer) -> float:
    """Values kept per sequence by one layer of constant state: the state and the convolution's tail."""
    heads = mixer.heads or 1
    width = mixer.inner or heads * (mixer.v_head_dim or mixer.head_dim)
    return float(width * (mixer.state_dim or mixer.head_dim) + width * max(mixer.conv_width - 1, 0))


def mixer_weights(mixer: Mixer, hidden: int) -> float:
    """Parameters of one mixer, biases and norms left out."""
    h, d = hidden, mixer.head_dim
    v = mixer.v_head_dim or d
    if mixer.kind == "gqa":
        gate = 2 if mixer.gated_output else 1
        return float(h * mixer.heads * d * gate + h * mixer.kv_heads * (d + v) + mixer.heads * v * h)
    if mixer.kind == "mla":
        query = mixer.q_lora_rank * (h + mixer.heads * d) if mixer.q_lora_rank else h * mixer.heads * d
        latent = h * (mixer.kv_lora_rank + mixer.rope_dim)
        expand = mixer.kv_lora_rank * mixer.heads * (mixer.nope_dim + v)
        return float(query + latent + expand + mixer.heads * v * h)
    if mixer.kind == "none":
        return 0.0
    if mixer.kind == "mamba1":
        inner = mixer.inner
        return float(3 * h * inner + inner * (mixer.dt_rank + 2 * mixer.state_dim) + mixer.dt_rank * inner)
    if mixer.kind == "mamba2":
        inner, groups = mixer.inner, max(mixer.groups, 1)
        return float(h * (2 * inner + 2 * groups * mixer.state_dim + mixer.heads) + inner * h)
    # Gated delta and other linear attention: queries and keys of `groups` heads, values and gate of `heads`, output.
    key = max(mixer.groups, mixer.kv_heads, 1) * (mixer.state_dim or d)
    value = mixer.inner or mixer.heads * v
    return float(h * (2 * key + 2 * value + 2 * mixer.heads) + value * h)


def _add_feed_forward(sums: dict[str, float], group: LayerGroup, hidden: int) -> None:
    part: FeedForward = group.feed_forward
    if part.kind == "none":
        return
    n, matrices = group.count, 3.0 if part.gated else 2.0
    if part.kind == "dense":
        sums["dense_layers"] += n
        sums["dense_weights"] += n * matrices * hidden * part.width
        return
    sums["moe_layers"] += n
    sums["experts"] = max(sums["experts"], float(part.experts))
    sums["top_k"] = max(sums["top_k"], float(part.top_k))
    sums["expert_width"] = max(sums["expert_width"], float(part.width))
    sums["expert_weights"] += n * part.experts * matrices * hidden * part.width
    shared = part.shared_width * max(part.shared_experts, 1) if part.shared_width else part.shared_experts * part.width
    sums["dense_weights"] += n * hidden * (matrices * shared + part.experts)


def select(models: Iterable[ServedModel], rows: NDArray[np.intp]) -> ServedModel:
    """One row a configuration: `rows` index `models`."""
    return stack(list(models)).take(rows)
