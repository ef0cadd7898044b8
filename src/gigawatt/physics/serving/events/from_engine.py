"""The step curve of a deployment: the closed form's own step and prompt seconds, laid out for the simulation.

    decode_s[b] + token_s[b] b s  ~  step(b, s)             a line in the context s for each b, between `contexts`
    chunk_s(p) + pair_s p^2 / 2   =  prefill(p)             attention over pairs apart, so that chunks meet what is cached

So a step of the simulation takes what a step of the steady state takes; `context_error` says what the line loses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.serving.engine.calibration import ENGINES, sigmas
from gigawatt.physics.serving.engine.deployment import Deployment, take
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import (
    cache_shards,
    cached_values,
    decode_step,
    prefill_seconds,
    prompts_on_their_way,
)
from gigawatt.physics.serving.events.curve import UNLIMITED, StepCurve

CHUNKS = 512  # entries of the table of prompt seconds; between them it is linear
PROMPTS = 48  # sizes at which prompt seconds are asked for
CONTEXTS = 5


@dataclass(frozen=True, slots=True)
class CurveFit:
    """A curve and the greatest share by which its line in the context misses the step it stands for."""

    curve: StepCurve
    context_error: float


def curve_of(deployment: Deployment, row: int = 0, **asked: Any) -> StepCurve:
    """The curve of one row of a deployment; `asked` and errors as in `fit_curve`."""
    return fit_curve(deployment, row, **asked).curve


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

    A replica of data-parallel ranks is one instance with one cache, whose ranks take prompts side by side.
    TensorRT-LLM reserves the cache to the end of the answer; the others grow and preempt.

    Raises:
        InputError: the weights do not fit, or not one block of cache is left.
    """
    # The simulation cuts prompts into chunks itself.
    d = replace(take(deployment, np.array([row], dtype=np.intp)), token_budget=np.array([np.inf]))
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
    ranks = int(d.dp[0])
    chunk, beside, stride, pair_s = _prompts(d, min(max(token_budget // ranks, 2 * CHUNKS), 1 << 20), prefill_pool)
    gate_steps, gate_prompts = _gate(d, prefill_pool)
    way_s, way_token_s = _on_its_way(d, prefill_pool)
    r = d.rates
    curve = StepCurve(
        decode_s=np.append(0.0, base),
        token_s=np.append(0.0, slope / np.arange(1, max_num_seqs + 1)),
        chunk_s=chunk,
        beside_s=beside,
        chunk_stride=stride,
        pair_s=pair_s,
        ranks=ranks,
        token_budget=token_budget,
        kv_blocks=kv_tokens // block_size,
        block_size=block_size,
        tokens_per_step=float(d.yields[0]),
        api_s=float((r.api_s / d.maturity)[0]) + way_s,
        api_token_s=float((r["token_us"] * 1e-6 / d.maturity)[0]) + way_token_s,
        # The half of the step under way counts there with what the scheduler holds.
        seen_steps=0.0 if prefill_pool else float(r.poll_steps[0]) + 0.5,
        gate_steps=gate_steps,
        gate_prompts=gate_prompts,
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


def _prompts(d: Deployment, longest: int, pool: bool) -> tuple[Floats, Floats, int, float]:
    """(seconds by chunk of a lone rank, of each of all ranks, tokens between entries, seconds a pair).

    Attention at the longest prompt sets the pair's seconds. A prompt leaves a pipeline's first stage free for the next: it
    takes of the replica's time what a stage does.
    """
    sizes = np.unique(np.geomspace(1.0, longest, PROMPTS).round())
    many = take(d, np.zeros(len(sizes), dtype=np.intp))
    speed = float(d.rates["pool_prefill_speed"]) if pool else 1.0
    if d.hand_over is not None:
        speed *= float(prompts_on_their_way(d, sizes[:1])[0])
    attention = many.kernels.prompt_attention_s(sizes) * d.rates.prefill_slowdown / d.maturity / speed
    # Above its overhead attention grows with the square; the least seconds a pair leave no chunk below zero.
    pair_s = float(np.min(attention / (0.5 * sizes**2)))
    stride = max(1, math.ceil(longest / CHUNKS))
    at = np.arange(0, longest + stride, stride, dtype=np.float64)

    def table(ranks: Floats | float) -> Floats:
        whole = prefill_seconds(many, sizes, np.ones(len(sizes)), 0.0, ranks) / speed
        rest = np.maximum.accumulate(np.maximum(whole - pair_s * 0.5 * sizes * (sizes + 1.0), 0.0))
        return np.interp(np.maximum(at, 1.0), sizes, rest)

    return table(1.0), table(d.dp), stride, pair_s


def _on_its_way(d: Deployment, pool: bool) -> tuple[float, float]:
    """What a prompt takes in a pipeline beyond the replica's time for it: (seconds, seconds a token)."""
    if d.hand_over is None:
        return 0.0, 0.0
    sizes, two = np.array([512.0, 4096.0]), take(d, np.zeros(2, dtype=np.intp))
    rest = prefill_seconds(two, sizes, np.ones(2)) * (1.0 - 1.0 / prompts_on_their_way(two, sizes))
    short, long = rest / (float(d.rates["pool_prefill_speed"]) if pool else 1.0)
    each = max(float(long - short) / float(sizes[1] - sizes[0]), 0.0)
    return max(float(short) - each * float(sizes[0]), 0.0), each


def _gate(d: Deployment, pool: bool) -> tuple[int, int]:
    """(steps between looks at the queue, waiting prompts that open it at once), as `scheduling` states them.

    Ranks that prefill side by side wait for each other; of Poisson arrivals dp ln(dp + 1) leave no rank without.
    """
    s, dp = d.scheduling, float(d.dp[0])
    poll, balance = float(s.poll_steps[0]), float(s.balance_steps[0]) if dp > 1 and not pool else 0.0
    if balance > poll:
        return max(round(balance), 1), max(round(dp * math.log(dp + 1.0)), 1)
    return max(round(poll), 1), UNLIMITED
