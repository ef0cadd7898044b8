"""What serving needs to know of a model beside its kernels: weights by part, keys and values per token, arithmetic.

Every field is a column (one row a configuration) or a 0-d array that broadcasts. Counts are in values (elements), so that
the precision can be chosen later. Sources of the sums: the shapes of the matrices themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.workload import Architecture, kv_values_per_token, layer_summary, state_values

Floats = NDArray[np.float64]

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
    moe_layers: Floats
    attention_weights: Floats
    dense_weights: Floats
    expert_weights: Floats
    head_weights: Floats
    embedding_weights: Floats
    experts: Floats
    top_k: Floats
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

    >>> from gigawatt.physics.workload import FeedForward, LayerGroup, Mixer
    >>> layer = LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336))
    >>> round(float(served_model(Architecture("8b", "llama", 4096, 128256, (layer,))).weights) / 1e9, 3)
    8.03
    """
    found = layer_summary(arch)
    weights, mixers, parts = found.gemm_parameters, found.layers_by_mixer, found.layers_by_feed_forward
    windows = [group.mixer for group in arch.groups if group.mixer.kind == "gqa"]
    cached, full = kv_values_per_token(arch), kv_values_per_token(arch, windowed=False)
    head = float(weights.get("head", 0))
    windowed = float(sum(pair for _, pair in found.windowed))
    columns = {
        "layers": arch.layers,
        "hidden": arch.hidden,
        "gqa_layers": mixers.get("gqa", 0),
        "mla_layers": mixers.get("mla", 0),
        "moe_layers": parts.get("moe", 0),
        "attention_weights": weights.get("attention", 0) + weights.get("state", 0),
        "dense_weights": weights.get("dense_ffn", 0) + weights.get("shared", 0) + weights.get("router", 0),
        "expert_weights": weights.get("routed_experts", 0),
        "head_weights": head,
        "embedding_weights": 0.0 if arch.tied_embeddings else arch.vocab * arch.hidden,
        "experts": found.experts,
        "top_k": found.top_k,
        "kv_full": full,
        "kv_window": cached - full,
        "window": min((window for window, _ in found.windowed), default=_MAX_WINDOW),
        "kv_heads": max((mixer.kv_heads for mixer in windows), default=1),
        "score_full": found.pair_flops,
        "score_window": windowed,
        "decode_score": found.pair_flops_absorbed + windowed,
        "state_values": state_values(arch),
    }
    return ServedModel(*(np.asarray(float(columns[f.name])) for f in fields(ServedModel)))


def select(models: Iterable[ServedModel], rows: NDArray[np.intp]) -> ServedModel:
    """One row a configuration: `rows` index `models`."""
    return stack(list(models)).take(rows)
