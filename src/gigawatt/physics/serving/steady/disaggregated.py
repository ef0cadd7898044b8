"""Prefill and decode on pools of their own: `prefill_workers` replicas fill the cache, `decode_workers` replicas use it.

    TPOT = step(B / N_d, S) / tokens of a step                no prompt stalls the decoders
    TTFT = api + ctok n + t_pf / faster + W + transfer        a constant, and the bytes' time on a stated path
    X    = C / (TTFT + output TPOT),  X <= prefill capacity   beyond it requests wait, and TTFT follows Little's law

A router fills workers unevenly, so that some wait for a place at one while another has places left. Prompts enter on all
attention ranks of a prefill worker side by side, and beside others of their rank where it is busy. The pools may stand on
chips of different kinds. The constant of the transfer holds the second router too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.scheduling import BUDGET_TOKENS
from gigawatt.physics.serving.engine.step import (
    StepSeconds,
    decode_step,
    prefill_flops,
    prefill_seconds,
    prompts_on_their_way,
)
from gigawatt.physics.serving.steady.aggregated import ITERATIONS, MAX_LOAD, Load, setting
from gigawatt.physics.serving.steady.open_loop import (
    LEAST_BATCH,
    OpenLoop,
    answered,
    batch_at,
    met,
    most_per_s,
    place_waits,
    prompt_waits,
    slowing,
)
from gigawatt.physics.serving.steady.transfer import CachePath, transfer_load, transfer_seconds


@dataclass(frozen=True, slots=True)
class Pools:
    """Times in s; rates per second over both pools. `prefill_s` is a prompt's share of a step where workers are always busy."""

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


def pool_prefill_seconds(
    d: Deployment, tokens: Floats, cached: Floats | float = 0.0, busy: Floats | float = 1.0
) -> Floats:
    """One prompt's share of a step on a rank of a worker that does nothing else: `tokens` of it beside `cached` ones.

    Ranks are `busy` so much of the time.
    """
    beside = 1.0 + (d.dp - 1.0) * busy
    return prefill_seconds(d, tokens, prompts_together(tokens, busy), cached, beside) / d.rates["pool_prefill_speed"]


def overflow(mean: Floats, workers: Floats, slots: Floats, uneven: float = 1.0) -> Floats:
    """Requests in the mean that wait at one of `workers` with `slots` places, where `mean` are at each.

    A router that sends requests at random leaves a binomial number at each, taken as normal; `uneven` is its deviation over
    that: little where the router looks at how busy workers are, 0 where it always finds the free one.

    >>> round(float(overflow(np.asarray(1.0), np.asarray(4.0), np.asarray(1.0))), 3)
    0.345
    """
    spread = uneven * np.sqrt(np.maximum(mean * (1.0 - 1.0 / np.maximum(workers, 1.0)), 0.0)) + 1e-6
    z = np.clip((slots - mean) / spread, -40.0, 40.0)
    density = np.exp(-np.minimum(z * z, 1500.0) / 2.0) / np.sqrt(2.0 * np.pi)
    return np.asarray(np.clip(spread * (density - z * ndtr(-z)), np.maximum(mean - slots, 0.0), mean))


def lanes_of(d: Deployment, tokens: Floats) -> Floats:
    """Prompts that one prefill worker runs at once: its ranks side by side, its stages one behind the other."""
    return servers(d) if d.hand_over is None else servers(d) * prompts_on_their_way(d, tokens)


def pools(
    prefill: Deployment,
    decode: Deployment,
    load: Load,
    prefill_workers: Floats,
    decode_workers: Floats,
    path: CachePath | None = None,
) -> Pools:
    """Closed loop of `load.concurrency` users over both pools; rows broadcast. Without a `path` caches move within the

    constant that was fitted.
    """
    at = setting(prefill, load)
    n, out = load.input_tokens, at.output
    r = prefill.rates
    room = max_requests(decode, n, at.resident) * decode_workers
    slots = np.minimum(np.maximum(room, 1.0), load.max_batch) / decode_workers
    admitted = load.concurrency - decode_workers * overflow(
        load.concurrency / decode_workers, decode_workers, slots, r["routing_spread"]
    )
    context = at.context
    lanes = lanes_of(prefill, at.fresh) * prefill_workers
    full = pool_prefill_seconds(prefill, at.fresh, at.cached) / load.prefill_derate
    capacity = MAX_LOAD * lanes / full
    base = at.api_s + r.transfer_s
    if path is not None:
        base = base + transfer_seconds(prefill, decode, n, path, full)
    burst = load.burst * r["pool_echo"] * np.maximum(admitted / lanes - 1.0, 0.0) * full / 2.0
    batch, rho = 0.9 * admitted, np.full_like(admitted, 0.5) + 0.0 * full
    for _ in range(ITERATIONS):
        parts = decode_step(decode, np.maximum(batch / decode_workers, 1e-3), context)
        tpot = parts.total / load.decode_derate / decode.yields
        rate = np.minimum(batch / (out * tpot), capacity)
        one = pool_prefill_seconds(prefill, at.fresh, at.cached, rho) / load.prefill_derate
        rho = np.minimum(0.5 * rho + 0.5 * rate * one / lanes, MAX_LOAD)
        passing = one * prompts_together(at.fresh, rho)
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
        prefill_s=full,
        requests_per_s=flow,
        decoding=batch,
        max_requests=room,
        prefill_load=rho,
        parts=parts,
        prefill_flops_per_s=flow * prefill_flops(prefill, at.fresh, at.cached) / prefill.chips / prefill_workers,
    )


def open_pools(
    prefill: Deployment,
    decode: Deployment,
    load: Load,
    prefill_workers: Floats,
    decode_workers: Floats,
    requests_per_s: Floats | float,
    arrival_cv: Floats | float = 1.0,
    path: CachePath | None = None,
) -> OpenLoop:
    """Both pools at a rate of requests over all of them, as `open_loop` has it for one replica.

    `decoding` and `max_requests` are over all decode workers; `prefill_load` is the busier of prefill workers and links.
    """
    at, r = setting(prefill, load), prefill.rates
    n, out = load.input_tokens, at.output
    rate = np.asarray(requests_per_s, dtype=np.float64) + 0.0 * decode.gpus
    room = max_requests(decode, n, at.resident) * decode_workers + 0.0 * rate
    places = np.maximum(np.minimum(room, load.max_batch), LEAST_BATCH)

    itself = decode_workers * met(arrival_cv)

    def step_at(batch: Floats) -> StepSeconds:
        seen = np.minimum(batch + itself, np.maximum(places, batch))
        return decode_step(decode, seen / decode_workers, at.context)

    def tpot_s(batch: Floats) -> Floats:
        return step_at(batch).total / load.decode_derate / decode.yields

    fullest, most = most_per_s(tpot_s, out, places)
    batch = batch_at(tpot_s, out, rate, fullest, most)
    parts = step_at(batch)
    step = parts.total / load.decode_derate
    one = pool_prefill_seconds(prefill, at.fresh, at.cached) / load.prefill_derate
    lanes = lanes_of(prefill, at.fresh) * prefill_workers
    moved = 0.0 * rate if path is None else transfer_seconds(prefill, decode, n, path, one)
    wires = (
        0.0 * rate
        if path is None
        else transfer_load(prefill, decode, n, path, rate / np.minimum(prefill_workers, decode_workers))
    )
    prompts = np.maximum(rate * one / lanes, wires)
    stable = (np.maximum(prompts, rate / most) < 1.0) & (room >= 1.0)
    rho = np.minimum(prompts, 1.0 - 1e-9)
    lone = pool_prefill_seconds(prefill, at.fresh, at.cached, rho) / load.prefill_derate
    passing = lone * prompts_together(at.fresh, rho)
    # Work ahead is worked off at a lone prompt's time each, whatever goes in one pass; the pass itself ends for all at once.
    wait = prompt_waits(prefill, load, rho, arrival_cv) * lone
    slower = slowing(decode, load, batch / decode_workers, at.context)
    places_found = place_waits(load, arrival_cv, slower, batch=batch, places=fullest, most=most, rate=rate)
    outside = at.api_s + r.transfer_s + moved
    gap = step if decode.draft is None else step / decode.speculation
    return answered(
        load,
        stable,
        requests_per_s=rate,
        capacity_per_s=np.where(room >= 1.0, np.minimum(most, rate / np.maximum(prompts, 1e-300)), 0.0),
        ttft_s=outside + passing + wait + places_found[2],
        tpot_s=step / decode.yields,
        step_s=step,
        prefill_s=passing,
        each_s=0.0 * one,  # no prompt stalls those who decode
        api_s=outside,
        enter_s=passing,
        held_s=0.0 * passing,
        prompt_wait_s=wait,
        wait_share=rho,
        places_found=places_found,
        decoding=batch,
        slowing=slower,
        prefill_load=prompts,
        decode_load=rate / most,
        max_requests=room,
        parts=parts,
        flops_per_s=parts.flops / gap,
        bytes_per_s=parts.bytes_moved / gap,
    )


def matched_workers(
    prefill: Deployment, decode: Deployment, load: Load, decode_batch: Floats, prefill_load: float
) -> Floats:
    """Prefill workers for each decode worker that answers `decode_batch` at once, with prefill at a load of its capacity."""
    at = setting(prefill, load)
    tpot = decode_step(decode, decode_batch, at.context).total / load.decode_derate / decode.yields
    one = pool_prefill_seconds(prefill, at.fresh, at.cached) / load.prefill_derate
    return decode_batch / (at.output * tpot) * one / (prefill_load * lanes_of(prefill, at.fresh))
