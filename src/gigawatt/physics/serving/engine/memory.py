"""What fits: weights, cache, and how many requests a replica can hold at once."""

from __future__ import annotations

import numpy as np

from gigawatt.physics.serving.engine.calibration import ENGINES
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import cache_shards, cached_values

RESERVE_BYTES = 3e9  # activations, graphs, collectives' buffers on each chip (planners take 3.5 GB; assumed)
# Share of memory that engines take by default, and how much of a request's output its reservation counts:
# TensorRT-LLM takes 0.9 of what is left after loading and reserves to the end; vLLM 0.90 and SGLang 0.88-0.9 of all, growing.
OUTPUT_RESERVED = {"trtllm": 1.0, "vllm": 0.55, "sglang": 0.8}


def weight_bytes_per_chip(d: Deployment) -> Floats:
    """Weights on each chip: mixers, dense parts, head and embedding cut over a rank, experts over all chips."""
    m = d.model
    wide = m.attention_weights * d.attention_bytes + (m.head_weights + m.embedding_weights) * 2.0
    return (wide + m.dense_weights * d.dense_bytes) / d.attention_tp + m.expert_weights * d.expert_bytes / d.gpus


def free_bytes_per_chip(d: Deployment) -> Floats:
    """Memory left for cache on each chip; negative where the weights do not fit."""
    weights = weight_bytes_per_chip(d)
    memory = d.chip.memory_bytes
    trtllm = 0.9 * (0.97 * memory - weights - RESERVE_BYTES)
    others = 0.9 * memory - weights - RESERVE_BYTES
    return np.where(d.engine == ENGINES.index("trtllm"), trtllm, others)


def cache_bytes_per_request(d: Deployment, input_tokens: Floats, output_tokens: Floats) -> Floats:
    """Bytes a request holds on each chip of its rank, as the engine's admission counts them."""
    reserved = np.array([OUTPUT_RESERVED[name] for name in ENGINES])[d.engine]
    values = cached_values(d, input_tokens + reserved * output_tokens) * d.kv_bytes
    return values / cache_shards(d) + d.model.state_values * 4.0 / d.attention_tp


def max_requests(d: Deployment, input_tokens: Floats, output_tokens: Floats) -> Floats:
    """Requests that fit in the replica's cache at once (0 where the weights do not fit)."""
    each = cache_bytes_per_request(d, input_tokens, output_tokens)
    return d.dp * np.maximum(free_bytes_per_chip(d), 0.0) / np.maximum(each, 1.0)
