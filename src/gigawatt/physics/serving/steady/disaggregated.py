"""Prefill and decode on pools of their own: `prefill_workers` replicas fill the cache, `decode_workers` replicas use it.

    TPOT = step(B / N_d, S) / speculation                     no prompt stalls the decoders
    TTFT = api + ctok n + t_pf / faster + W + transfer
    X    = C / (TTFT + output TPOT),  X <= prefill capacity   beyond it requests wait, and TTFT follows Little's law

    places of a decode worker: a router fills workers unevenly, so that some wait at one while another has places left

Prompts enter on all attention ranks of a prefill worker side by side, and beside others of their rank where it is busy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.scheduling import BUDGET_TOKENS
from gigawatt.physics.serving.engine.step import StepSeconds, decode_step, prefill_flops, prefill_seconds
from gigawatt.physics.serving.steady.aggregated import ITERATIONS, MAX_LOAD, Load


@dataclass(frozen=True, slots=True)
class Pools:
    """Times in s; rates per second over both pools."""

    ttft_s: Floats
    ttft_p99_s: Floats
    tpot_s: Floats
    step_s: Floats
    prefill_s: Floats
    requests_per_s: Floats
    decoding: Floats
    max_requests: Floats
    prefill_load: Floats
    parts: StepSeconds
    prefill_flops_per_s: Floats


def servers(d: Deployment) -> Floats:
    """Prompts that one prefill worker runs at once: one on each attention rank."""
    return d.dp


def prompts_together(tokens: Floats, busy: Floats | float = 1.0) -> Floats:
    """Prompts of a rank that one step takes: as many as its tokens hold where it is always busy, one where it is idle."""
    return 1.0 + (np.maximum(BUDGET_TOKENS / np.maximum(tokens, 1.0), 1.0) - 1.0) * busy


def pool_prefill_seconds(d: Deployment, tokens: Floats, busy: Floats | float = 1.0) -> Floats:
    """One prompt's share of a step on a rank of a worker that does nothing else, while ranks are `busy` so much of the time."""
    beside = 1.0 + (d.dp - 1.0) * busy
    return prefill_seconds(d, tokens, prompts_together(tokens, busy), 0.0, beside) / d.rates["pool_prefill_speed"]


def overflow(mean: Floats, workers: Floats, slots: Floats) -> Floats:
    """Requests in the mean that wait at one of `workers` with `slots` places, where `mean` are at each.

    A router that sends requests by turns or at random leaves a binomial number at each; taken as normal.

    >>> round(float(overflow(np.asarray(1.0), np.asarray(4.0), np.asarray(1.0))), 3)
    0.345
    """
    spread = np.sqrt(np.maximum(mean * (1.0 - 1.0 / np.maximum(workers, 1.0)), 1e-12))
    z = np.minimum((slots - mean) / spread, 40.0)
    density = np.exp(-np.minimum(z * z, 1500.0) / 2.0) / np.sqrt(2.0 * np.pi)
    return np.asarray(np.clip(spread * (density - z * ndtr(-z)), np.maximum(mean - slots, 0.0), mean))


def pools(
    prefill: Deployment, decode: Deployment, load: Load, prefill_workers: Floats, decode_workers: Floats
) -> Pools:
    """Closed loop of `load.concurrency` users over both pools; rows broadcast."""
    n, out = load.input_tokens, np.maximum(load.output_tokens, 1.0)
    r = prefill.rates
    room = max_requests(decode, n, out) * decode_workers
    slots = np.minimum(np.maximum(room, 1.0), load.max_batch) / decode_workers
    admitted = load.concurrency - decode_workers * overflow(load.concurrency / decode_workers, decode_workers, slots)
    context = n + out / 2.0
    lanes = servers(prefill) * prefill_workers
    full = pool_prefill_seconds(prefill, n)
    capacity = MAX_LOAD * lanes / full
    base = (r.api_s + r["token_us"] * 1e-6 * n) / prefill.maturity + r["transfer_s"]
    burst = load.burst * r["pool_echo"] * np.maximum(admitted / lanes - 1.0, 0.0) * full / 2.0
    batch, rho = 0.9 * admitted, np.full_like(admitted, 0.5) + 0.0 * full
    for _ in range(ITERATIONS):
        parts = decode_step(decode, np.maximum(batch / decode_workers, 1e-3), context)
        tpot = parts.total / load.decode_derate / decode.yields
        rate = np.minimum(batch / (out * tpot), capacity)
        one = pool_prefill_seconds(prefill, n, rho)
        rho = np.minimum(0.5 * rho + 0.5 * rate * one / lanes, MAX_LOAD)
        passing = one * prompts_together(n, rho)
        wait = r["queue_share"] * rho / (2.0 * (1.0 - rho)) * passing * np.maximum(admitted - 1.0, 0.0) / admitted
        serve = base + passing + wait + burst
        flow = np.minimum(admitted / (serve + out * tpot), capacity)
        batch = 0.5 * batch + 0.5 * np.minimum(flow * out * tpot, admitted)
    first = np.maximum(serve, admitted / flow - out * tpot)
    # Who waits for a place in a decode worker has been prefilled meanwhile.
    cycle = first + out * tpot
    queue = np.maximum(np.maximum(load.concurrency / admitted - 1.0, 0.0) * cycle - burst - wait, 0.0)
    tail = wait * np.maximum(np.log(100.0 * np.maximum(rho, 0.01)), 1.0) / np.maximum(rho, 0.2)
    return Pools(
        ttft_s=first + queue,
        ttft_p99_s=first - wait + np.maximum(tail, wait) + queue,
        tpot_s=tpot,
        step_s=parts.total,
        prefill_s=one,
        requests_per_s=flow,
        decoding=batch,
        max_requests=room,
        prefill_load=rho,
        parts=parts,
        prefill_flops_per_s=flow * prefill_flops(prefill, n) / prefill.gpus / prefill_workers,
    )
