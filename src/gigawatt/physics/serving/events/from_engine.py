"""The step curve of a deployment: the closed form's own step and prompt seconds, laid out for the simulation.

    decode_s[b] + token_s[b] b s  ~  step(b, s)             a line in the context s for each b, between `contexts`
    chunk_s(p) + pair_s p^2 / 2   =  prefill(p)             attention over pairs apart, so that chunks meet what is cached

So a step of the simulation takes what a step of the steady state takes; `context_error` says what the line loses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.serving.engine.calibration import ENGINES, sigmas
from gigawatt.physics.serving.engine.deployment import Deployment, take
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import cache_shards, cached_values, decode_step, prefill_seconds
from gigawatt.physics.serving.events.curve import StepCurve

CHUNKS = 512  # entries of the table of prompt seconds; between them it is linear
PROMPTS = 48  # sizes at which prompt seconds are asked for
CONTEXTS = 5


@dataclass(frozen=True, slots=True)
class CurveFit:
    """A curve and the greatest share by which its line in the context misses the step it stands for."""

    curve: StepCurve
    context_error: float


def curve_of(
    deployment: Deployment,
    row: int = 0,
    *,
    contexts: tuple[float, float] = (256.0, 8192.0),
    max_num_seqs: int = 256,
    token_budget: int = 8192,
    block_size: int = 16,
    max_context: int | None = None,
    prefix_cache: bool = True,
    prefill_pool: bool = False,
) -> StepCurve:
    """The curve of one row of a deployment, see `fit_curve`."""
    return fit_curve(
        deployment,
        row,
        contexts=contexts,
        max_num_seqs=max_num_seqs,
        token_budget=token_budget,
        block_size=block_size,
        max_context=max_context,
        prefix_cache=prefix_cache,
        prefill_pool=prefill_pool,
    ).curve


def fit_curve(
    deployment: Deployment,
    row: int = 0,
    *,
    contexts: tuple[float, float] = (256.0, 8192.0),
    max_num_seqs: int = 256,
    token_budget: int = 8192,
    block_size: int = 16,
    max_context: int | None = None,
    prefix_cache: bool = True,
    prefill_pool: bool = False,
) -> CurveFit:
    """The curve of one row of a deployment.

    Args:
        contexts: range of tokens a sequence has cached while decoding, over which the line is laid.
        max_num_seqs, token_budget: the replica's, over all its data-parallel ranks.
        prefill_pool: the instance does nothing but prompts, at the speed of such pools.

    A replica of data-parallel ranks is one instance with one cache: its ranks' prompts overlap as in the steady state.
    TensorRT-LLM reserves the cache to the end of the answer; the others grow and preempt.

    Raises:
        InputError: the weights do not fit, or not one block of cache is left.
    """
    d = take(deployment, np.array([row], dtype=np.intp))
    low, high = contexts
    kv_tokens = _cache_tokens(d, 0.5 * (low + high))
    if kv_tokens < block_size:
        free = float(free_bytes_per_chip(d)[0]) / 1e9
        hint = "more chips a replica or a narrower precision"
        raise InputError(
            Problem("infeasible", f"{free:,.1f} GB a chip are left for the cache, no block", None, (hint,))
        )
    batch = np.repeat(np.arange(1, max_num_seqs + 1, dtype=np.float64), CONTEXTS)
    each = np.tile(np.linspace(low, high, CONTEXTS), max_num_seqs)
    step = decode_step(take(d, np.zeros(len(batch), dtype=np.intp)), batch, each).total.reshape(max_num_seqs, CONTEXTS)
    base, slope, lost = _lines(np.linspace(low, high, CONTEXTS), step)
    longest = int(min(max_context or 1 << 40, kv_tokens))
    chunk, stride, pair_s = _prompts(d, min(max(token_budget, 2 * CHUNKS), 1 << 20), prefill_pool)
    alone_s, alone_token_s = _alone(d, prefill_pool)
    r = d.rates
    curve = StepCurve(
        decode_s=np.append(0.0, base),
        token_s=np.append(0.0, slope / np.arange(1, max_num_seqs + 1)),
        chunk_s=chunk,
        chunk_stride=stride,
        pair_s=pair_s,
        token_budget=token_budget,
        kv_blocks=kv_tokens // block_size,
        block_size=block_size,
        tokens_per_step=float(d.yields[0]),
        api_s=float((r.api_s / d.maturity)[0]) + alone_s,
        api_token_s=float((r["token_us"] * 1e-6 / d.maturity)[0]) + alone_token_s,
        seen_steps=0.0 if prefill_pool else float(r.poll_steps[0]),
        reserve=ENGINES[int(d.engine[0])] == "trtllm",
        prefix_cache=prefix_cache,
        max_context=longest,
        step_error=sigmas()["agg.tpot_ms"],
    )
    return CurveFit(curve, lost)


def _cache_tokens(d: Deployment, context: float) -> int:
    """Tokens in the replica's cache, all ranks together, at a typical context (windowed layers keep less of a long one)."""
    each = (
        cached_values(d, np.array([context])) * d.kv_bytes / cache_shards(d)
        + d.model.state_values * 4.0 / d.attention_tp
    )
    return int(max(float((d.dp * free_bytes_per_chip(d) / each)[0]) * context, 0.0))


def _lines(contexts: Floats, step: Floats) -> tuple[Floats, Floats, float]:
    """Least squares of each row of `step` over the contexts: (at zero, by token of each sequence, greatest share off)."""
    centred = contexts - contexts.mean()
    slope = np.maximum(step @ centred / (centred @ centred), 0.0)
    base = step.mean(axis=1) - slope * contexts.mean()
    # A line can meet zero below zero where attention is all there is; steps are never shorter than nothing.
    base = np.maximum(base, 0.0)
    line = base[:, None] + slope[:, None] * contexts
    return base, slope, float(np.max(np.abs(line / step - 1.0)))


def _faster(d: Deployment, pool: bool) -> float:
    return float(d.rates["pool_prefill_speed"]) if pool else 1.0


def _whole(d: Deployment, sizes: Floats, pool: bool) -> Floats:
    """Seconds that prompts of `sizes` add to the replica's step while every rank has prompts."""
    return prefill_seconds(d, sizes, np.ones(len(sizes)), 0.0, d.dp) / d.dp / _faster(d, pool)


def _alone(d: Deployment, pool: bool) -> tuple[float, float]:
    """What a lone prompt takes on its own rank beyond its share of the replica's step: (seconds, seconds a token)."""
    sizes, two = np.array([512.0, 4096.0]), take(d, np.zeros(2, dtype=np.intp))
    short, long = prefill_seconds(two, sizes, np.ones(2)) / _faster(d, pool) - _whole(two, sizes, pool)
    each = max(float(long - short) / float(sizes[1] - sizes[0]), 0.0)
    return max(float(short) - each * float(sizes[0]), 0.0), each


def _prompts(d: Deployment, longest: int, pool: bool) -> tuple[Floats, int, float]:
    """(seconds by chunk, tokens between entries, seconds a pair): attention at the longest prompt sets the pair's."""
    sizes = np.unique(np.geomspace(1.0, longest, PROMPTS).round())
    many = take(d, np.zeros(len(sizes), dtype=np.intp))
    whole = _whole(many, sizes, pool)
    attention = many.kernels.prompt_attention_s(sizes) * d.rates.prefill_slowdown / d.maturity / d.dp / _faster(d, pool)
    # Above its overhead attention grows with the square; the least seconds a pair leave no chunk below zero.
    pair_s = float(np.min(attention / (0.5 * sizes**2)))
    alone = np.maximum.accumulate(np.maximum(whole - pair_s * 0.5 * sizes * (sizes + 1.0), 0.0))
    stride = max(1, math.ceil(longest / CHUNKS))
    at = np.arange(0, longest + stride, stride, dtype=np.float64)
    table = np.interp(np.maximum(at, 1.0), sizes, alone)
    return table, stride, pair_s
