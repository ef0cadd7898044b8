"""The closed-form steady state of an aggregated replica: `concurrency` users who each ask again as soon as they are answered.

    TPOT = step(B, S) / yields + kap B / output t_pf / p       prompts stall those who decode, p of them side by side
    TTFT = api + ctok n + E + W + V
    E    = (held + ri) step + t_pf k                           what the scheduler holds, a pass of k prompts (see `scheduling`)
    W    = q rho / (2 (1 - rho)) t_pf (C - 1) / C              a queue of constant service, finite source
    V    = echo share (C / dp - 1) t_pf / 2                    the burst at the start of a benchmark (see `protocol`)
    C    = X (TTFT + output TPOT),  X = B / (output TPOT)      Little's law, solved by damped iteration
    Q    : requests beyond the cache wait for a place

Errors raised: none; a row that cannot run has `max_requests` below one and infinite times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np

from gigawatt.physics.serving.engine.caching import fetch_seconds
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.scheduling import BUDGET_TOKENS, entry
from gigawatt.physics.serving.engine.step import (
    StepSeconds,
    decode_step,
    prefill_flops,
    prefill_seconds,
    prompts_on_their_way,
)

ITERATIONS = 14
MAX_LOAD = 0.98


def _number(value: float) -> Callable[[], Floats]:
    return lambda: np.asarray(value, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of each row. `burst` is the share of requests that come at once at a benchmark's start (`Protocol.burst`).

    `extra_in_flight` 1 says that one request more than the engine admits is kept in flight. `max_batch` caps admission.
    `cached_share` of the input is found in the cache, `fetched_share` of that in the host's memory. `decode_derate` and
    `prefill_derate` are what is left of each phase's speed between a benchmark's profile and production (DeepSeek: 0.80
    and 0.51). `input_cv` and `output_cv` are coefficients of variation of the lengths.
    """

    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    burst: Floats
    extra_in_flight: Floats
    max_batch: Floats
    cached_share: Floats = field(default_factory=_number(0.0))
    fetched_share: Floats = field(default_factory=_number(0.0))
    decode_derate: Floats = field(default_factory=_number(1.0))
    prefill_derate: Floats = field(default_factory=_number(1.0))
    input_cv: Floats = field(default_factory=_number(0.0))
    output_cv: Floats = field(default_factory=_number(0.0))

    @classmethod
    def of(
        cls,
        input_tokens: Floats | float,
        output_tokens: Floats | float,
        concurrency: Floats | float,
        burst: Floats | float = 0.0,
        extra_in_flight: Floats | float = 0.0,
        max_batch: Floats | float = np.inf,
        **more: Floats | float,
    ) -> Load:
        """A load of plain numbers or columns; `more` are fields by their names."""
        given = (input_tokens, output_tokens, concurrency, burst, extra_in_flight, max_batch)
        columns = {name: np.asarray(item, dtype=np.float64) for name, item in more.items()}
        return cls(*(np.asarray(item, dtype=np.float64) for item in given), **columns)

    def at(self, concurrency: Floats) -> Load:
        """The same load of other numbers of users."""
        return replace(self, concurrency=concurrency)

    @property
    def cached_tokens(self) -> Floats:
        """Tokens of a prompt that are found in a cache; the last one is always worked out."""
        return np.minimum(self.cached_share * self.input_tokens, np.maximum(self.input_tokens - 1.0, 0.0))


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Times in s, rates per second and replica. `ttft_p99_s` takes the wait as exponential above its mean.

    `each_s` and `enter_s` as in `Moment`; `wait_s` is for prompts ahead, `queue_s` for a place.
    """

    ttft_s: Floats
    ttft_p99_s: Floats
    tpot_s: Floats
    step_s: Floats
    prefill_s: Floats
    each_s: Floats
    enter_s: Floats
    held_s: Floats
    wait_s: Floats
    queue_s: Floats
    requests_per_s: Floats
    decoding: Floats
    max_requests: Floats
    prefill_load: Floats
    parts: StepSeconds
    flops_per_s: Floats
    bytes_per_s: Floats
    side_by_side: Floats

    @property
    def fits(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return self.max_requests >= 1.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What does not change with the number of requests that decode: tokens, the time outside the chips, prompts at once.

    `output` is the mean of all answers, `resident` of those under way at a time: long ones stay longer.
    """

    fresh: Floats
    cached: Floats
    output: Floats
    resident: Floats
    context: Floats
    api_s: Floats
    on_their_way: Floats
    budget: Floats


@dataclass(frozen=True, slots=True)
class Moment:
    """A replica while so many requests decode: a step, a prompt's pass, and the mean time between two tokens of a request.

    `each_s` is what a prompt takes of the chips' time (less than its pass where several run side by side); `enter_s` what
    passes from a request's arrival to its first token where no prompt is ahead of it: what the scheduler holds, and the pass.
    Of that, `held_s` is the mean of a wait that differs from request to request, until the scheduler lets prompts in again.
    """

    parts: StepSeconds
    step_s: Floats
    prefill_s: Floats
    each_s: Floats
    enter_s: Floats
    held_s: Floats
    side_by_side: Floats
    tpot_s: Floats


def setting(d: Deployment, load: Load) -> Setting:
    """The constants of a load on a deployment."""
    r, n, cached = d.rates, load.input_tokens, load.cached_tokens
    out = np.maximum(load.output_tokens, 1.0)
    resident = out * (1.0 + load.output_cv**2)
    api = (r.api_s + r["token_us"] * 1e-6 * n) / d.maturity
    if np.any(load.fetched_share > 0):
        api = api + fetch_seconds(d, load.fetched_share * cached)
    on_their_way = np.ones_like(d.gpus) if d.hand_over is None else prompts_on_their_way(d, n - cached)
    tokens = np.where(np.isfinite(d.token_budget), d.token_budget, BUDGET_TOKENS)
    budget = np.maximum(tokens / np.maximum(n - cached, 1.0), 1.0)
    return Setting(n - cached, cached, out, resident, n + resident / 2.0, api, on_their_way, budget)


def moment(
    d: Deployment,
    load: Load,
    at: Setting,
    batch: Floats,
    stall_share: float | None = None,
    beside: Floats | float = 0.0,
) -> Moment:
    """A replica while `batch` requests decode (a mean), their successors' prompts among their steps.

    `stall_share` of a prompt's time is one that decoders wait; the one fitted to closed loops where None: users of like
    requests fall into step, so that fewer prompts meet those who decode. The steps that requests meet are those of `beside`
    more than the mean.
    """
    parts = decode_step(d, batch + beside, at.context)
    step = parts.total / load.decode_derate
    how = entry(d.scheduling, batch * d.yields / d.dp / at.output, d.dp, at.fresh)
    sharing = np.minimum(how.beside, at.budget)
    prefill = prefill_seconds(d, at.fresh, sharing, at.cached, how.ranks) / load.prefill_derate + 0.0 * step
    side_by_side = how.ranks * at.on_their_way
    each = prefill / side_by_side
    stall = (d.rates["stall_share"] if stall_share is None else stall_share) * batch / at.output * each
    # Prompts of one go are passed together as far as a step's tokens reach, then one go after the other.
    passing = prefill * (how.beside + sharing) / 2.0
    held = how.steps * step
    entering = passing + held + d.rates.poll_steps * step
    return Moment(parts, step, prefill, each, entering, held, side_by_side, step / d.yields + stall)


def burst_wait(d: Deployment, load: Load, at: Setting, admitted: Floats) -> Floats:
    """Mean wait that a start burst adds: each rank works off its share of the first wave, one full step after the other."""
    mine = np.maximum(admitted / d.dp, 1.0)
    rush = prefill_seconds(d, at.fresh, np.minimum(mine, at.budget), at.cached, np.minimum(admitted, d.dp))
    wave = d.rates["echo"] * (mine - 1.0) * rush / load.prefill_derate / 2.0 / at.on_their_way
    return load.burst * (wave + d.rates.cold_s)


def steady_state(d: Deployment, load: Load) -> SteadyState:
    """Solve every row; shapes broadcast to the deployment's rows."""
    r, at = d.rates, setting(d, load)
    n, out, cached = load.input_tokens, at.output, at.cached
    room = max_requests(d, n, at.resident)
    admitted = np.minimum(np.minimum(load.concurrency, np.maximum(room, 1.0)), load.max_batch)
    burst = burst_wait(d, load, at, admitted)
    batch = admitted * 0.9
    for _ in range(ITERATIONS):
        now = moment(d, load, at, batch)
        prefill, tpot = now.prefill_s, now.tpot_s
        rate = batch / (out * tpot)
        rho = np.minimum(rate * now.each_s, MAX_LOAD)
        wait = r["queue_share"] * rho / (2.0 * (1.0 - rho)) * prefill * np.maximum(admitted - 1.0, 0.0) / admitted
        first = at.api_s + now.enter_s + wait + burst
        batch = 0.5 * batch + 0.5 * admitted * out * tpot / (first + out * tpot)
    cycle = first + out * tpot
    queue = np.maximum(load.concurrency / admitted - 1.0, 0.0) * cycle
    extra = load.extra_in_flight * cycle / (load.concurrency + 1.0)
    rate = admitted / cycle
    tail = wait * np.maximum(np.log(100.0 * np.maximum(rho, 0.01)), 1.0) / np.maximum(rho, 0.2)
    # Work of a step is done once in as many tokens as its drafts yield (a plain factor says nothing of its work).
    gap = 1.0 / np.maximum(tpot if d.draft is None else tpot * d.draft.yields, 1e-12)
    return SteadyState(
        ttft_s=first + queue + extra,
        ttft_p99_s=first - wait + np.maximum(tail, wait) + queue + extra,
        tpot_s=tpot,
        step_s=now.step_s,
        prefill_s=prefill,
        each_s=now.each_s,
        enter_s=now.enter_s,
        held_s=now.held_s,
        wait_s=wait,
        queue_s=queue + extra,
        requests_per_s=rate,
        decoding=batch,
        max_requests=room,
        prefill_load=rho,
        parts=now.parts,
        flops_per_s=now.parts.flops * gap + rate * prefill_flops(d, at.fresh, cached) / d.chips,
        bytes_per_s=now.parts.bytes_moved * gap,
        side_by_side=now.side_by_side,
    )


def take(state: SteadyState, rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> SteadyState:
    """The rows named."""
    parts = StepSeconds(*(getattr(state.parts, f.name)[rows] for f in fields(StepSeconds)))
    columns = {f.name: getattr(state, f.name)[rows] for f in fields(SteadyState) if f.name != "parts"}
    return SteadyState(parts=parts, **columns)
