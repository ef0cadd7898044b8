"""Prefill and decode on pools of their own: `prefill_workers` replicas fill the cache, `decode_workers` replicas use it.

    TPOT = step(B / N_d, S) / speculation                     no prompt stalls the decoders
    TTFT = api + ctok n + t_pf / faster + W + transfer
    X    = C / (TTFT + output TPOT),  X <= prefill capacity   beyond it requests wait, and TTFT follows Little's law

Pools prefill faster than the aggregated form says (batched prompts, no decode beside them); the constants were fitted to few
rows and are weak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
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
    """Prompts that one prefill worker runs at once, in units of a lone prompt's speed: ranks overlap only in part."""
    return np.maximum(1.0, d.rates["pool_rank_share"] * d.dp)


def pool_prefill_seconds(d: Deployment, tokens: Floats) -> Floats:
    """One prompt on a worker that does nothing else."""
    shared = np.maximum(8192.0 / np.maximum(tokens, 1.0), 1.0)
    return prefill_seconds(d, tokens, shared) / d.rates["pool_prefill_speed"]


def pools(
    prefill: Deployment, decode: Deployment, load: Load, prefill_workers: Floats, decode_workers: Floats
) -> Pools:
    """Closed loop of `load.concurrency` users over both pools; rows broadcast."""
    n, out = load.input_tokens, np.maximum(load.output_tokens, 1.0)
    r = prefill.rates
    room = max_requests(decode, n, out) * decode_workers
    admitted = np.minimum(np.minimum(load.concurrency, np.maximum(room, 1.0)), load.max_batch)
    context = n + out / 2.0
    one = pool_prefill_seconds(prefill, n)
    lanes = servers(prefill) * prefill_workers
    capacity = MAX_LOAD * lanes / one
    base = (r.api_s + r["token_us"] * 1e-6 * n) / prefill.maturity + r["transfer_s"] + one
    batch = 0.9 * admitted
    for _ in range(ITERATIONS):
        parts = decode_step(decode, np.maximum(batch / decode_workers, 1e-3), context)
        tpot = parts.total / load.decode_derate / decode.yields
        rate = np.minimum(batch / (out * tpot), capacity)
        rho = np.minimum(rate * one / lanes, MAX_LOAD)
        wait = r["queue_share"] * rho / (2.0 * (1.0 - rho)) * one / lanes * np.maximum(admitted - 1.0, 0.0) / admitted
        burst = load.burst * r["pool_wave"] * np.maximum(admitted - 1.0, 0.0) * one / lanes / 2.0
        serve = base + wait + burst
        flow = np.minimum(admitted / (serve + out * tpot), capacity)
        batch = 0.5 * batch + 0.5 * np.minimum(flow * out * tpot, admitted)
    first = np.maximum(serve, admitted / flow - out * tpot)
    cycle = first + out * tpot
    queue = np.maximum(load.concurrency / admitted - 1.0, 0.0) * cycle
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
