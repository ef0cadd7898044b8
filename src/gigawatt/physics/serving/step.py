"""Seconds of one decode step and of one prompt's prefill, by what they are spent on.

    step    = host + floor + weights + experts + cache + collectives
    host    = t0 + tr b                                       (b sequences on a data-parallel rank)
    floor   = kernels x seconds each + activations c b h 2 L / BW
    weights = max(bytes / (e_w BW), 2 b flop / (e_c peak))    mixers, dense and shared parts, head; one rank's share
    experts = active experts' bytes / (e_moe BW) + routed flop / (e_c peak e_mo w / (w + w0))
    active  = f E (1 - (1 - k / (f E))^B)                     routing is concentrated: f of the experts carry the load
    cache   = b (L_full S + L_window min(S, window)) / (e_kv BW)
    prefill = 2 (n + mh) flop / rate + experts + n^2/2 scores / (e_at peak) + collectives

The form and its constants were fitted to measured serving points; see the calibration record.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from gigawatt.physics.serving.deployment import Deployment
from gigawatt.physics.serving.model import Floats


@dataclass(frozen=True, slots=True)
class StepSeconds:
    """Parts of a decode step, s, and the work a chip does in it (`bytes_moved`, `flops`: per chip)."""

    host: Floats
    floor: Floats
    weights: Floats
    experts: Floats
    cache: Floats
    collectives: Floats
    compute_share: Floats
    bytes_moved: Floats
    flops: Floats

    @property
    def total(self) -> Floats:
        return self.host + self.floor + self.weights + self.experts + self.cache + self.collectives


TILE_ROWS = 128.0  # rows of a tile of grouped products
PARTS = ("host", "floor", "weights", "experts", "cache", "collectives")
assert set(PARTS) <= {f.name for f in fields(StepSeconds)}


def kernels(d: Deployment) -> Floats:
    """Kernels launched by one pass through the layers."""
    m, r = d.model, d.rates
    return (
        6.0 * m.gqa_layers
        + r["kernels_mla"] * m.mla_layers
        + r["kernels_linear"] * m.linear_layers
        + 4.0 * m.dense_layers
        + r["kernels_moe"] * m.moe_layers
    )


def active_experts(d: Deployment, batch: Floats) -> Floats:
    """Experts touched by a step of `batch` tokens, of each layer's E."""
    experts, k = np.maximum(d.model.experts, 1.0), np.maximum(d.model.top_k, 1.0)
    carried = np.clip(d.rates["active_share"] * experts, 1.0001 * k, None)
    return np.minimum(carried * -np.expm1(batch * np.log1p(-k / carried)), experts)


def cached_values(d: Deployment, context: Floats) -> Floats:
    """Values a sequence of `context` tokens keeps, whole model."""
    m = d.model
    return m.kv_full * context + m.kv_window * np.minimum(context, m.window)


def cache_shards(d: Deployment) -> Floats:
    """Ways the cache of one rank is cut: by key-value heads, never for MLA."""
    return np.where(d.model.mla_layers > 0, 1.0, np.minimum(d.attention_tp, d.model.kv_heads))


def _expert_rate(d: Deployment, efficiency: Floats | float) -> Floats:
    """flop/s of one chip on experts: narrow slices of an expert are slow."""
    width = np.maximum(d.model.expert_width, 1.0) / d.moe_tp
    return (
        d.chip.expert_flops * d.rates.expert_compute_share * efficiency * width / (width + d.rates["expert_half_width"])
    )


def _imbalance(d: Deployment) -> Floats:
    return np.where(d.expert_parallel > 1.0, d.rates["imbalance"], 1.0)


def decode_step(d: Deployment, batch: Floats, context: Floats) -> StepSeconds:
    """One decode step of `batch` sequences over the replica, each with `context` tokens of cache.

    `batch` may be fractional (a mean). Times are divided by the software maturity, not by speculation.
    """
    m, c, r = d.model, d.chip, d.rates
    rank, gpus, ta = batch / d.dp, d.gpus, d.attention_tp
    speed = 1.0 / d.maturity
    activations = r["activation_passes"] * rank * m.hidden * 2.0 * m.layers
    floor = kernels(d) * r.kernel_s + activations / c.memory_bytes_per_s

    wide = m.attention_weights * d.attention_bytes + m.head_weights * 2.0
    dense_bytes = (wide + m.dense_weights * d.dense_bytes) / ta
    dense_flop_s = (m.attention_weights + m.head_weights) / (r.compute_share * c.attention_flops) + m.dense_weights / (
        r.expert_compute_share * c.dense_flops
    )
    weights_memory = dense_bytes / (r["bandwidth_weights"] * c.memory_bytes_per_s)
    weights_compute = 2.0 * rank * dense_flop_s / ta

    each = m.expert_weights / np.maximum(m.experts, 1.0)
    expert_bytes = active_experts(d, batch) * each * d.expert_bytes / gpus * _imbalance(d)
    expert_flops = 2.0 * batch * m.top_k * each / gpus * _imbalance(d)
    experts_memory = expert_bytes / (r["bandwidth_experts"] * c.memory_bytes_per_s)
    # Few rows leave the tiles of an expert's product empty; full tiles run as in prefill.
    filled = batch * m.top_k / np.maximum(active_experts(d, batch), 1.0) / TILE_ROWS
    few, many = r["expert_decode_efficiency"], r["expert_prefill_efficiency"]
    experts_compute = expert_flops / _expert_rate(d, few + (many - few) * filled / (1.0 + filled))

    cache_bytes = rank * cached_values(d, context) * d.kv_bytes / cache_shards(d)
    state_bytes = rank * m.state_values * 2.0 * 4.0 / ta  # read and written in fp32
    share = np.where(m.mla_layers > 0, r["bandwidth_latent"], r["bandwidth_cache"])
    score_flops = rank * m.decode_score / np.maximum(m.gqa_layers + m.mla_layers, 1.0) / ta * _score_keys(d, context)
    cache_memory = (cache_bytes + state_bytes) / (share * c.memory_bytes_per_s)
    cache_compute = score_flops / (r["compute_share.bf16"] * c.bf16_flops)

    return StepSeconds(
        host=(r.host_s + r.host_per_request_s * rank) * speed,
        floor=floor * speed,
        weights=np.maximum(weights_memory, weights_compute) * speed,
        experts=(experts_memory + experts_compute) * speed,
        cache=np.maximum(cache_memory, cache_compute) * speed,
        collectives=_decode_collectives(d, batch, rank) * speed,
        compute_share=np.where(weights_compute > weights_memory, 1.0, 0.0),
        bytes_moved=dense_bytes + expert_bytes + cache_bytes + state_bytes + activations,
        flops=2.0 * rank * (m.attention_weights + m.head_weights + m.dense_weights) / ta + expert_flops + score_flops,
    )


def _score_keys(d: Deployment, context: Floats) -> Floats:
    """Keys met over all attention layers, where `decode_score` is spread evenly over them."""
    m = d.model
    total = np.maximum(m.kv_full + m.kv_window, 1.0)
    share = m.kv_full / total
    return (m.gqa_layers + m.mla_layers) * (share * context + (1.0 - share) * np.minimum(context, m.window))


def _decode_collectives(d: Deployment, batch: Floats, rank: Floats) -> Floats:
    m, c, r = d.model, d.chip, d.rates
    ta, gpus = d.attention_tp, d.gpus
    reduce_bytes = 4.0 * (ta - 1.0) / ta * rank * m.hidden
    reduce = (
        2.0 * m.layers * (r["all_reduce_us"] * 1e-6 + reduce_bytes / (r["all_reduce_share"] * c.scaleup_bytes_per_s))
    )
    swap_bytes = batch / gpus * np.minimum(m.top_k, gpus) * 1.5 * m.hidden * (gpus - 1.0) / gpus
    swap = (
        2.0 * m.moe_layers * (r["all_to_all_us"] * 1e-6 + swap_bytes / (r["all_to_all_share"] * c.scaleup_bytes_per_s))
    )
    return np.where(ta > 1.0, reduce, 0.0) + np.where((d.dp > 1.0) & (m.moe_layers > 0), swap, 0.0)


def prefill_compute(d: Deployment, tokens: Floats) -> Floats:
    """Seconds of one prompt of `tokens` on one attention rank, launches left out."""
    m, c, r = d.model, d.chip, d.rates
    ta, gpus = d.attention_tp, d.gpus
    padded = tokens + r["rows_dense"]
    dense = (
        2.0
        * padded
        * (
            m.attention_weights / (r.compute_share * c.attention_flops)
            + m.dense_weights / (r.expert_compute_share * c.dense_flops)
        )
    )
    each = m.expert_weights / np.maximum(m.experts, 1.0)
    rows = tokens * m.top_k + r["rows_expert"] * np.minimum(m.experts, tokens * np.maximum(m.top_k, 1.0))
    experts = 2.0 * rows * each * _imbalance(d) / gpus / _expert_rate(d, r["expert_prefill_efficiency"])
    scores = tokens * (m.score_full * tokens / 2.0 + m.score_window * np.minimum(tokens / 2.0, m.window))
    attention = scores / (r["attention_share"] * c.bf16_flops)
    read = (
        (m.attention_weights * d.attention_bytes + m.dense_weights * d.dense_bytes) / ta
        + active_experts(d, tokens) * each * d.expert_bytes / gpus
    ) / (r["bandwidth_weights"] * c.memory_bytes_per_s)
    reduce = (
        2.0 * m.layers * 4.0 * (ta - 1.0) / ta * tokens * m.hidden / (r["all_reduce_share"] * c.scaleup_bytes_per_s)
    )
    swap_bytes = 2.0 * m.moe_layers * tokens / ta * np.minimum(m.top_k, gpus) * 1.5 * m.hidden * (gpus - 1.0) / gpus
    swap = np.where(d.dp > 1.0, swap_bytes / (r["all_to_all_share"] * c.scaleup_bytes_per_s), 0.0)
    return (np.maximum((dense + attention) / ta + experts, read) + reduce + swap) / d.maturity


def prefill_seconds(d: Deployment, tokens: Floats, sharing: Floats) -> Floats:
    """Prefill with eager launches (no CUDA graph), which `sharing` prompts of one step pay together."""
    launches = kernels(d) * d.rates.eager_kernel_s / sharing / d.maturity
    return np.hypot(prefill_compute(d, tokens), launches)


def prefill_flops(d: Deployment, tokens: Floats) -> Floats:
    """Arithmetic of one prompt, over the replica."""
    m = d.model
    active = m.active_weights - m.head_weights
    scores = m.score_full * tokens / 2.0 + m.score_window * np.minimum(tokens / 2.0, m.window)
    return tokens * (2.0 * active + scores)
