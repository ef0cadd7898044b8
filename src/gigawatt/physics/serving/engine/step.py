"""Seconds of one decode step and of one prompt's prefill, by what they are spent on.

    step     = host + launches + slow (dense + experts + attention) + collectives
    host     = t0 + tr b                                      (b sequences on a data-parallel rank)
    launches = share x seconds of all kernels with nothing to do: a captured graph hides some, and adds gaps;
               beside it an engine's unfused expert layers where fp4 weights are widened
    dense, experts, attention: kernels' seconds at the step's sizes beyond that, see `kernel_times`
    prefill  = hypot(kernels x eager launch, slow (dense + experts + attention) + collectives)

Kernel seconds are the measured chip floor; the few constants beside them were fitted to measured serving points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.kernel_times import Spot, spot
from gigawatt.physics.serving.engine.messages import ACTIVATION_BYTES
from gigawatt.physics.serving.engine.model import Floats

# Passes over a layer's activations (norms, residuals, quantise) by which bytes moved are counted (assumed; under a tenth).
ACTIVATION_PASSES = 25.0
# Bytes from which engines leave a sum to the collective library (vLLM's custom all-reduce ends at 8 MiB).
CUSTOM_BYTES = float(8 << 20)


@dataclass(frozen=True, slots=True)
class StepSeconds:
    """Parts of a decode step, s, and the work a chip does in it (`bytes_moved`, `flops`: per chip)."""

    host: Floats
    launches: Floats
    dense: Floats
    experts: Floats
    attention: Floats
    collectives: Floats
    compute_share: Floats
    bytes_moved: Floats
    flops: Floats

    @property
    def total(self) -> Floats:
        return self.host + self.launches + self.dense + self.experts + self.attention + self.collectives


PARTS = ("host", "launches", "dense", "experts", "attention", "collectives")


def active_experts(d: Deployment, batch: Floats) -> Floats:
    """Experts touched by a step of `batch` tokens, of each layer's E: n (1 - (1 - k/n)^B), n those that carry the load."""
    k = np.maximum(d.model.top_k, 1.0)
    loaded = np.maximum(d.rates["loaded_share"] * d.model.experts, k)
    return loaded * -np.expm1(batch * np.log1p(-np.minimum(k / loaded, 1.0 - 1e-12)))


def cached_values(d: Deployment, context: Floats) -> Floats:
    """Values a sequence of `context` tokens keeps, whole model."""
    m = d.model
    return m.kv_full * context + m.kv_window * np.minimum(context, m.window)


def cache_shards(d: Deployment) -> Floats:
    """Ways the cache of one rank is cut: by key-value heads, never for MLA."""
    return np.where(d.model.mla_layers > 0, 1.0, np.minimum(d.attention_tp, d.model.kv_heads))


def busiest_rank(d: Deployment, tokens: Floats) -> Floats:
    """Load of the busiest of G expert-parallel ranks over the mean, where `tokens` are routed at once.

    Skew of the routing, times the largest of G Poisson counts of mean L = tokens k/G: about L + sqrt(2 L ln G). At most G.
    """
    ranks = d.expert_parallel
    load = np.maximum(tokens * d.model.top_k / ranks, 1e-9)
    return np.clip(d.rates["expert_skew"] * (1.0 + np.sqrt(2.0 * np.log(ranks) / load)), 1.0, ranks)


def decode_step(d: Deployment, batch: Floats, context: Floats) -> StepSeconds:
    """One decode step of `batch` sequences over the replica, each with `context` tokens of cache.

    `batch` may be fractional (a mean). Times are divided by the software maturity, not by speculation.
    """
    m, r, k = d.model, d.rates, d.kernels
    rank, gpus, ta = batch / d.dp, d.gpus, d.attention_tp
    at = spot(rank)
    speed = 1.0 / d.maturity
    slow = r.decode_slowdown * speed
    empty_dense, empty_experts, empty_attention = k.launch_s
    empty = empty_dense + empty_experts + empty_attention
    busiest = np.maximum(k.experts_s(batch * busiest_rank(d, batch)) - empty_experts, 0.0)

    activations = ACTIVATION_PASSES * rank * m.hidden * 2.0 * m.layers
    wide = m.attention_weights * d.attention_bytes + m.head_weights * 2.0
    dense_bytes = (wide + m.dense_weights * d.dense_bytes) / ta
    each = m.expert_weights / np.maximum(m.experts, 1.0)
    expert_bytes = active_experts(d, batch) * each * d.expert_bytes / gpus
    cache_bytes = rank * cached_values(d, context) * d.kv_bytes / cache_shards(d)
    state_bytes = rank * m.state_values * 2.0 * 4.0 / ta  # read and written in fp32
    score_flops = rank * m.decode_score / np.maximum(m.gqa_layers + m.mla_layers, 1.0) / ta * _score_keys(d, context)
    matrix_flops = 2.0 * rank * (m.attention_weights + m.head_weights + m.dense_weights) / ta

    return StepSeconds(
        host=(r.host_s + r.host_per_request_s * rank) * speed,
        launches=(empty * r.launch_share + m.moe_layers * d.widened * r.unfused_s) * speed,
        dense=np.maximum(k.dense_s(at) - empty_dense, 0.0) * slow,
        experts=busiest * slow,
        attention=np.maximum(k.attention_s(rank, context) - empty_attention, 0.0) * slow * r["attention_slowdown"],
        collectives=_decode_collectives(d, batch, rank, at) * speed,
        compute_share=np.where(k.dense_slope(at) > 0.5, 1.0, 0.0),
        bytes_moved=dense_bytes + expert_bytes + cache_bytes + state_bytes + activations,
        flops=matrix_flops + 2.0 * batch * m.top_k * each / gpus + score_flops,
    )


def _score_keys(d: Deployment, context: Floats) -> Floats:
    """Keys met over all attention layers, where `decode_score` is spread evenly over them."""
    m = d.model
    total = np.maximum(m.kv_full + m.kv_window, 1.0)
    share = m.kv_full / total
    return (m.gqa_layers + m.mla_layers) * (share * context + (1.0 - share) * np.minimum(context, m.window))


def all_reduce_seconds(d: Deployment, tokens: Floats, at: Spot) -> Floats:
    """One sum of `tokens` rows (`at` on the grid of tables) over an attention rank: the engine's kernel while rows are few.

    Engines sum small messages in one kernel over the scale-up links, in `custom_all_reduce` of the collective library's time,
    and leave larger ones to the library: from one to the other in proportion to the bytes. Between domains it is the library's.
    """
    nbytes = ACTIVATION_BYTES * tokens * d.model.hidden
    own = d.rates["custom_all_reduce"]
    share = np.where(d.messages.tensor_domains > 1, 1.0, own + (1.0 - own) * np.minimum(nbytes / CUSTOM_BYTES, 1.0))
    return share * d.messages.all_reduce_s(at)


def _decode_collectives(d: Deployment, batch: Floats, rank: Floats, at: Spot) -> Floats:
    """Two sums a layer over the attention rank; to experts and back where ranks hold different tokens."""
    m = d.model
    swap = m.moe_layers * d.rates["custom_exchange"] * d.messages.low_latency_s(batch / d.gpus)
    return 2.0 * m.layers * all_reduce_seconds(d, rank, at) + swap


def prefill_compute(d: Deployment, tokens: Floats, sharing: Floats | float = 1.0) -> Floats:
    """Seconds of one prompt of `tokens` on one attention rank, launches left out.

    `sharing` prompts that enter in one step read the weights once and send together; each bears its share.
    """
    m, r, k = d.model, d.rates, d.kernels
    together = tokens * sharing
    at = spot(together)
    passed = (
        k.prompt_dense_s(at) + k.experts_s(together * busiest_rank(d, together))
    ) / sharing + k.prompt_attention_s(tokens + 0.0 * d.gpus)
    sums = 2.0 * m.layers * all_reduce_seconds(d, together, at)
    swap = m.moe_layers * d.messages.normal_s(together / d.attention_tp)
    return (passed * r.prefill_slowdown + (sums + swap) / sharing) / d.maturity


def prefill_seconds(d: Deployment, tokens: Floats, sharing: Floats) -> Floats:
    """Prefill with eager launches (no CUDA graph), which `sharing` prompts of one step pay together."""
    launches = d.kernels.calls * d.rates.eager_kernel_s / sharing / d.maturity
    return np.hypot(prefill_compute(d, tokens, sharing), launches)


def prefill_flops(d: Deployment, tokens: Floats) -> Floats:
    """Arithmetic of one prompt, over the replica."""
    m = d.model
    active = m.active_weights - m.head_weights
    scores = m.score_full * tokens / 2.0 + m.score_window * np.minimum(tokens / 2.0, m.window)
    return tokens * (2.0 * active + scores)
