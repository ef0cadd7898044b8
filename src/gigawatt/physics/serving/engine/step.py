"""Seconds of one decode step and of one prompt's prefill, by what they are spent on.

    step     = host + launches + slow (dense + experts + attention) + collectives
    host     = t0 + tr b                                      (b sequences on a data-parallel rank)
    launches = share x seconds of all kernels with nothing to do: a captured graph hides some, and adds gaps;
               beside it an engine's unfused expert layers where fp4 weights are widened
    dense, experts, attention: kernels' seconds at the step's sizes beyond that, see `kernel_times`
    prefill  = hypot(kernels x eager launch, slow (dense + experts + attention) + collectives)

A step that checks k drafted tokens puts b (k + 1) rows through the layers and reads cache and weights once (`speculation`);
a replica in stages passes micro-batches on (`pipeline`). Prompts may find a part of their tokens in the cache, and may enter
in chunks of a token budget.

Kernel seconds are the measured chip floor; the few constants beside them were fitted to measured serving points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.kernel_times import Spot, spot
from gigawatt.physics.serving.engine.messages import ACTIVATION_BYTES
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.pipeline import largest_share, micro_batches

# Passes over a layer's activations (norms, residuals, quantise) by which bytes moved are counted (assumed; under a tenth).
ACTIVATION_PASSES = 25.0
# Bytes from which engines leave a sum to the collective library (vLLM's custom all-reduce ends at 8 MiB).
CUSTOM_BYTES = float(8 << 20)


@dataclass(frozen=True, slots=True)
class StepSeconds:
    """Parts of a decode step, s, and the work a chip does in it (`bytes_moved`, `flops`: per chip).

    `collectives` hold the hand-overs of a pipeline, `drafting` the passes of what drafts.
    """

    host: Floats
    launches: Floats
    dense: Floats
    experts: Floats
    attention: Floats
    collectives: Floats
    drafting: Floats
    compute_share: Floats
    bytes_moved: Floats
    flops: Floats

    @property
    def total(self) -> Floats:
        device = self.launches + self.dense + self.experts + self.attention + self.collectives + self.drafting
        return self.host + device


PARTS = ("host", "launches", "dense", "experts", "attention", "collectives", "drafting")


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


def crowding(d: Deployment, tokens: Floats) -> Floats:
    """Tokens of the busiest of G expert-parallel ranks over the mean by chance alone, where `tokens` are routed at once.

    The largest of G Poisson counts of mean L = tokens k/G: about L + sqrt(2 L ln G). At most G.
    """
    ranks = d.expert_parallel
    load = np.maximum(tokens * d.model.top_k / ranks, 1e-9)
    return np.clip(1.0 + np.sqrt(2.0 * np.log(ranks) / load), 1.0, ranks)


def routed_seconds(d: Deployment, tokens: Floats, empty_s: Floats | float = 0.0) -> Floats:
    """Routed experts of the busiest rank, beyond what they take with nothing to do.

    Beside chance some ranks hold experts that are asked more often: `expert_skew` times the mean's work where ranks are many,
    bytes of weights as well as arithmetic, and none where one rank holds all.
    """
    skew = 1.0 + (d.rates["expert_skew"] - 1.0) * (1.0 - 1.0 / d.expert_parallel)
    return np.maximum(d.kernels.experts_s(tokens * crowding(d, tokens)) - empty_s, 0.0) * skew


def decode_step(d: Deployment, batch: Floats, context: Floats) -> StepSeconds:
    """One decode step of `batch` sequences over the replica, each with `context` tokens of cache: `d.yields` tokens each.

    `batch` may be fractional (a mean). Times are divided by the software maturity, not by the tokens that a step yields.
    """
    if d.draft is None and d.hand_over is None:
        return forward_pass(d, batch, context)
    rounds = micro_batches(batch, d.stages, d.micro_batches)
    step = forward_pass(d, batch / rounds, context, 1.0 if d.draft is None else d.draft.tokens + 1.0)
    if d.draft is not None:
        passes, by = d.draft.tokens, forward_pass(d.draft.by, batch / rounds, context)
        step = replace(
            step,
            drafting=passes * (by.total - by.host),
            bytes_moved=step.bytes_moved + passes * by.bytes_moved,
            flops=step.flops + passes * by.flops,
        )
    return step if d.hand_over is None else _staged(d, step, batch, rounds)


def _staged(d: Deployment, step: StepSeconds, batch: Floats, rounds: Floats) -> StepSeconds:
    """A step whose micro-batch passes all stages, each as long as the largest, with hand-overs between them."""
    assert d.hand_over is not None
    uneven = d.stages * largest_share(d.model.layers, d.stages)
    queries = 1.0 if d.draft is None else d.draft.tokens + 1.0
    handing = (d.stages - 1.0) * d.hand_over.seconds(batch / rounds / d.dp * queries) / d.maturity
    longer = {name: getattr(step, name) * uneven for name in PARTS if name not in ("host", "drafting")}
    longer["collectives"] = longer["collectives"] + handing
    # In one round every chip does its stage's share of the work of all micro-batches.
    work = {name: getattr(step, name) * rounds / d.stages for name in ("bytes_moved", "flops")}
    return replace(step, **longer, **work)


def forward_pass(d: Deployment, batch: Floats, context: Floats, queries: Floats | float = 1.0) -> StepSeconds:
    """One pass through all layers of `queries` new tokens of each of `batch` sequences, as decoding runs them."""
    m, r, k = d.model, d.rates, d.kernels
    rank, gpus, ta = batch / d.dp, d.gpus, d.attention_tp
    rows = rank * queries
    at = spot(rows)
    speed = 1.0 / d.maturity
    slow = r.decode_slowdown * speed
    empty_dense, empty_experts, empty_attention = k.launch_s
    empty = empty_dense + empty_experts + empty_attention
    passed = batch * queries
    busiest = routed_seconds(d, passed, empty_experts)

    activations = ACTIVATION_PASSES * rows * m.hidden * 2.0 * m.layers
    wide = m.attention_weights * d.attention_bytes + m.head_weights * 2.0
    dense_bytes = (wide + m.dense_weights * d.dense_bytes) / ta
    each = m.expert_weights / np.maximum(m.experts, 1.0)
    expert_bytes = active_experts(d, passed) * each * d.expert_bytes / gpus
    cache_bytes = rank * cached_values(d, context) * d.kv_bytes / cache_shards(d)
    state_bytes = rank * m.state_values * 2.0 * 4.0 / ta  # read and written in fp32
    score_flops = rows * m.decode_score / np.maximum(m.gqa_layers + m.mla_layers, 1.0) / ta * _score_keys(d, context)
    matrix_flops = 2.0 * rows * (m.attention_weights + m.head_weights + m.dense_weights) / ta

    step = StepSeconds(
        host=(r.host_s + r.host_per_request_s * rank) * speed,
        launches=(empty * r.launch_share + m.moe_layers * d.widened * r.unfused_s) * speed,
        dense=np.maximum(k.dense_s(at) - empty_dense, 0.0) * slow,
        experts=busiest * slow,
        attention=np.maximum(k.attention_s(rank, context) - empty_attention, 0.0)
        * _more_queries(d, cache_bytes, score_flops, queries)
        * slow
        * r["attention_slowdown"],
        collectives=_decode_collectives(d, passed, rows, at) * speed,
        drafting=np.zeros_like(rank),
        compute_share=np.where(k.dense_slope(at) > 0.5, 1.0, 0.0),
        bytes_moved=dense_bytes + expert_bytes + cache_bytes + state_bytes + activations,
        flops=matrix_flops + 2.0 * passed * m.top_k * each / gpus + score_flops,
    )
    return _eager(d, step) if d.eager.any() else step


def _eager(d: Deployment, step: StepSeconds) -> StepSeconds:
    """A step whose kernels are launched one by one where `d.eager`: launches beside the device, as in a prompt's pass."""
    device = step.total - step.host
    launched = d.kernels.calls * d.rates.eager_kernel_s / d.maturity
    longer = step.launches + np.hypot(device, launched) - device
    return replace(step, launches=np.where(d.eager > 0, longer, step.launches))


def _more_queries(d: Deployment, cache_bytes: Floats, score_flops: Floats, queries: Floats | float) -> Floats | float:
    """How much longer attention takes for several queries a sequence than for one: the cache is read once all the same,

    and the arithmetic of all queries binds where it takes longer (soon for latent attention, whose heads share one latent).
    """
    if isinstance(queries, float) and queries == 1.0:
        return 1.0
    reading, computing = cache_bytes / d.chip.memory_bytes_per_s, score_flops / d.chip.bf16_flops
    return np.maximum(reading, computing) / np.maximum(np.maximum(reading, computing / queries), 1e-30)


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


def chunks(d: Deployment, tokens: Floats) -> Floats:
    """Chunks that a prompt enters in under the token budget of a step; 1 where it enters whole."""
    return np.maximum(np.ceil(tokens / d.token_budget - 1e-9), 1.0)


def prefill_compute(
    d: Deployment,
    tokens: Floats,
    sharing: Floats | float = 1.0,
    cached: Floats | float = 0.0,
    ranks: Floats | float = 1.0,
) -> Floats:
    """Seconds of one prompt on one attention rank, launches left out: `tokens` of it beside `cached` ones found in the cache.

    `sharing` prompts that enter in one step read the weights once and send together; each bears its share. A prompt in
    chunks reads the weights once a chunk. Queries meet all keys before them, cached or of an earlier chunk. As many prompts
    enter on each of `ranks` data-parallel ranks side by side, and share the experts.
    """
    m, r, k = d.model, d.rates, d.kernels
    parts = chunks(d, tokens)
    each = tokens / parts
    together = each * sharing
    at = spot(together)
    routed = together * ranks
    passed = (k.prompt_dense_s(at) + routed_seconds(d, routed)) * parts / sharing + _prompt_attention(
        d, tokens, cached, parts
    )
    sums = 2.0 * m.layers * all_reduce_seconds(d, together, at)
    swap = m.moe_layers * d.messages.normal_s(together / d.attention_tp)
    seconds = (passed * r.prefill_slowdown + (sums + swap) * parts / sharing) / d.maturity
    if d.hand_over is None:
        return seconds
    handing = parts * (d.stages - 1.0) * d.hand_over.seconds(together) / sharing / d.maturity
    return (seconds * d.stages * largest_share(m.layers, d.stages) + handing) * _way(d, parts) / d.stages


def _prompt_attention(d: Deployment, tokens: Floats, cached: Floats | float, parts: Floats) -> Floats:
    """Attention of a prompt's new tokens on all before them: that of the whole less that of the cached part.

    Never less than the new tokens, chunk by chunk, on themselves.
    """
    k, rows = d.kernels, 0.0 * d.gpus
    alone = parts * k.prompt_attention_s(tokens / parts + rows)
    if not np.any(cached) and not np.any(parts > 1.0):
        return alone
    return np.maximum(k.prompt_attention_s(tokens + cached + rows) - k.prompt_attention_s(cached + rows), alone)


def _way(d: Deployment, parts: Floats) -> Floats:
    """Stages' worth of time that a prompt of so many chunks is on its way, for each chunk: 1 without a pipeline."""
    return (parts + d.stages - 1.0) / parts


def prompts_on_their_way(d: Deployment, tokens: Floats) -> Floats:
    """Prompts that the stages of a pipeline work on at once, one behind the other."""
    return _way(d, chunks(d, tokens))


def prefill_seconds(
    d: Deployment, tokens: Floats, sharing: Floats, cached: Floats | float = 0.0, ranks: Floats | float = 1.0
) -> Floats:
    """Prefill with eager launches (no CUDA graph), which `sharing` prompts of one step pay together.

    Layers whose mixer is no plain attention (latent, linear) launch more kernels than the floor's families count, and so does
    an engine's unfused expert layer where fp4 weights are widened.
    """
    m, r = d.model, d.rates
    further = (m.layers - m.gqa_layers) * r["eager_mixer_us"] * 1e-6 + m.moe_layers * d.widened * r.eager_unfused_s
    launches = (d.kernels.calls * r.eager_kernel_s + further) * chunks(d, tokens) / sharing / d.maturity
    return np.hypot(prefill_compute(d, tokens, sharing, cached, ranks), launches)


def prefill_flops(d: Deployment, tokens: Floats, cached: Floats | float = 0.0) -> Floats:
    """Arithmetic of one prompt, over the replica: `tokens` beside `cached` ones."""
    m = d.model
    active = m.active_weights - m.head_weights
    met = cached + tokens / 2.0
    scores = m.score_full * met + m.score_window * np.minimum(met, m.window)
    return tokens * (2.0 * active + scores)
