"""What fits: weights, cache, and how many requests a replica can hold at once."""

from __future__ import annotations

import numpy as np

from gigawatt.physics.serving.engine.calibration import ENGINES
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.pipeline import largest_share
from gigawatt.physics.serving.engine.step import cache_shards, cached_values

RESERVE_BYTES = 3e9  # activations, graphs, collectives' buffers on each chip (planners take 3.5 GB; assumed)
DEFAULT_SHARE = 0.9  # of memory that engines take by default
# How much of a request's output its reservation counts: TensorRT-LLM reserves to the end, the others grow.
OUTPUT_RESERVED = {"trtllm": 1.0, "vllm": 0.55, "sglang": 0.8}


def weight_bytes_per_chip(d: Deployment) -> Floats:
    """Weights on each chip: mixers, dense parts, head and embedding cut over a rank, experts over all chips.

    Of a pipeline the largest stage counts, with the head or the embedding beside its layers; what drafts lies whole on it.
    """
    m = d.model
    wide = m.attention_weights * d.attention_bytes + (m.head_weights + m.embedding_weights) * 2.0
    held = (wide + m.dense_weights * d.dense_bytes) / d.attention_tp + m.expert_weights * d.expert_bytes / d.gpus
    if d.hand_over is not None:
        both = (m.head_weights + m.embedding_weights) * 2.0 / d.attention_tp
        ends = np.maximum(m.head_weights, m.embedding_weights) * 2.0 / d.attention_tp
        held = np.where(d.stages > 1, (held - both) * largest_share(m.layers, d.stages) + ends, held)
    if d.draft is None:
        return held
    by = d.draft.by
    table = (by.model.head_weights + by.model.embedding_weights) * 2.0 / by.attention_tp
    shared = (1.0 - d.draft.vocabulary) * table
    return held + np.where(d.draft.tokens > 0, weight_bytes_per_chip(by) - shared, 0.0)


def free_bytes_per_chip(d: Deployment) -> Floats:
    """Memory left for cache on each chip; negative where the weights do not fit.

    `d.memory_share` is the engine's own setting (0: its default). TensorRT-LLM's is of what is left after loading, vLLM's of
    all that it takes, SGLang's (mem-fraction-static) of weights and cache alone.
    """
    weights, stated = weight_bytes_per_chip(d), d.memory_share > 0
    share = np.where(stated, d.memory_share, DEFAULT_SHARE)
    memory, held = d.chip.memory_bytes, RESERVE_BYTES
    trtllm = share * (0.97 * memory - weights - held)
    others = share * memory - weights - np.where(stated & (d.engine == ENGINES.index("sglang")), 0.0, held)
    return np.where(d.engine == ENGINES.index("trtllm"), trtllm, others)


def cache_bytes_per_request(d: Deployment, input_tokens: Floats, output_tokens: Floats) -> Floats:
    """Bytes a request holds on each chip of its rank, as the engine's admission counts them; the largest stage's."""
    reserved = np.array([OUTPUT_RESERVED[name] for name in ENGINES])[d.engine]
    values = cached_values(d, input_tokens + reserved * output_tokens) * d.kv_bytes
    held = values / cache_shards(d) + d.model.state_values * 4.0 / d.attention_tp
    if d.hand_over is not None:
        held = held * largest_share(d.model.layers, d.stages)
    if d.draft is None:
        return held
    drafts = cache_bytes_per_request(d.draft.by, input_tokens, output_tokens)
    return held + np.where(d.draft.tokens > 0, drafts, 0.0)


def max_requests(d: Deployment, input_tokens: Floats, output_tokens: Floats) -> Floats:
    """Requests that fit in the replica's cache at once (0 where the weights do not fit)."""
    each = cache_bytes_per_request(d, input_tokens, output_tokens)
    return d.dp * np.maximum(free_bytes_per_chip(d), 0.0) / np.maximum(each, 1.0)
