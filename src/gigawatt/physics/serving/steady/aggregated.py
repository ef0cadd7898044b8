"""The closed-form steady state of an aggregated replica: `concurrency` users who each ask again as soon as they are answered.

    TPOT = step(B, S) / speculation + kap B / output t_pf      prompts stall those who decode
    TTFT = api + ctok n + t_pf + ri step + W + V
    W    = q rho / (2 (1 - rho)) t_pf (C - 1) / C              a queue of constant service, finite source
    V    = wave (C - 1) t_pf / 2                               the burst at the start of a benchmark, if its mean is asked for
    C    = X (TTFT + output TPOT),  X = B / (output TPOT)      Little's law, solved by damped iteration
    Q    : requests beyond the cache wait for a place

Errors raised: none; a row that cannot run has `max_requests` below one and infinite times.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import StepSeconds, decode_step, prefill_flops, prefill_seconds

ITERATIONS = 14
MAX_LOAD = 0.98


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of each row. `burst` 1 adds the start burst of benchmarks (0: an open, steady stream);

    `extra_in_flight` 1 says that one request more than the engine admits is kept in flight. `max_batch` caps admission.
    """

    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    burst: Floats
    extra_in_flight: Floats
    max_batch: Floats

    @classmethod
    def of(
        cls,
        input_tokens: Floats | float,
        output_tokens: Floats | float,
        concurrency: Floats | float,
        burst: Floats | float = 0.0,
        extra_in_flight: Floats | float = 0.0,
        max_batch: Floats | float = np.inf,
    ) -> Load:
        given = (input_tokens, output_tokens, concurrency, burst, extra_in_flight, max_batch)
        return cls(*(np.asarray(item, dtype=np.float64) for item in given))


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Times in s, rates per second and replica. `ttft_p99_s` takes the wait as exponential above its mean."""

    ttft_s: Floats
    ttft_p99_s: Floats
    tpot_s: Floats
    step_s: Floats
    prefill_s: Floats
    queue_s: Floats
    requests_per_s: Floats
    decoding: Floats
    max_requests: Floats
    prefill_load: Floats
    parts: StepSeconds
    flops_per_s: Floats
    bytes_per_s: Floats

    @property
    def fits(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return self.max_requests >= 1.0


def overlap(d: Deployment) -> Floats:
    """Prompts that data-parallel ranks prefill side by side."""
    return np.power(d.dp, d.rates["rank_overlap"])


def prompts_sharing(load: Load, decoding: Floats, d: Deployment) -> Floats:
    """Prompts of one rank that enter in the same step and share its launches; at most a token budget of 8192."""
    entering = decoding / d.dp / np.maximum(load.output_tokens, 1.0)
    return np.clip(entering, 1.0, np.maximum(8192.0 / np.maximum(load.input_tokens, 1.0), 1.0))


def steady_state(d: Deployment, load: Load) -> SteadyState:
    """Solve every row; shapes broadcast to the deployment's rows."""
    r = d.rates
    n, out = load.input_tokens, np.maximum(load.output_tokens, 1.0)
    room = max_requests(d, n, out)
    admitted = np.minimum(np.minimum(load.concurrency, np.maximum(room, 1.0)), load.max_batch)
    context = n + out / 2.0
    api = (r.api_s + r["token_us"] * 1e-6 * n) / d.maturity
    batch = admitted * 0.9
    for _ in range(ITERATIONS):
        parts = decode_step(d, batch, context)
        step = parts.total
        prefill = prefill_seconds(d, n, prompts_sharing(load, batch, d)) + 0.0 * step
        stall = r["stall_share"] * batch / out * prefill / overlap(d)
        tpot = step / d.speculation + stall
        rate = batch / (out * tpot)
        rho = np.minimum(rate * prefill / overlap(d), MAX_LOAD)
        wait = r["queue_share"] * rho / (2.0 * (1.0 - rho)) * prefill * np.maximum(admitted - 1.0, 0.0) / admitted
        serve = api + prefill + r.poll_steps * step + wait
        burst = load.burst * r.wave * np.maximum(admitted - 1.0, 0.0) * prefill / 2.0 / overlap(d)
        first = serve + burst
        batch = 0.5 * batch + 0.5 * admitted * out * tpot / (first + out * tpot)
    cycle = first + out * tpot
    queue = np.maximum(load.concurrency / admitted - 1.0, 0.0) * cycle
    extra = load.extra_in_flight * cycle / (load.concurrency + 1.0)
    rate = admitted / cycle
    tail = wait * np.maximum(np.log(100.0 * np.maximum(rho, 0.01)), 1.0) / np.maximum(rho, 0.2)
    gap = 1.0 / np.maximum(tpot, 1e-12)
    return SteadyState(
        ttft_s=first + queue + extra,
        ttft_p99_s=first - wait + np.maximum(tail, wait) + queue + extra,
        tpot_s=tpot,
        step_s=step,
        prefill_s=prefill,
        queue_s=queue + extra,
        requests_per_s=rate,
        decoding=batch,
        max_requests=room,
        prefill_load=rho,
        parts=parts,
        flops_per_s=parts.flops * gap + rate * prefill_flops(d, n) / d.gpus,
        bytes_per_s=parts.bytes_moved * gap,
    )


def take(state: SteadyState, rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> SteadyState:
    """The rows named."""
    parts = StepSeconds(*(getattr(state.parts, f.name)[rows] for f in fields(StepSeconds)))
    columns = {f.name: getattr(state, f.name)[rows] for f in fields(SteadyState) if f.name != "parts"}
    return SteadyState(parts=parts, **columns)
