"""The steady state at a rate of requests: users who come whether or not those before them are answered.

    X(B)    = B / (output TPOT(B))        answers per second while B requests decode: rises with B, ever more slowly
    X(B)    = rate                        solved for B within what cache and slots hold
    TPOT    = step(B + z) / y + rate TPOT t           who decodes meets all others and itself: B + 1 where they are Poisson; and
              every prompt of another request stalls it
    W       = q (ca^2 + cs^2)/2 rho/(1 - rho) t       prompts wait for the chips, rho = rate x t (Kingman 1961)
    Q       = P(wait) (ca^2 + co^2)/2 / (X(B_max) - rate)       requests wait for a place: many servers in heavy traffic
    P(wait) = 1 / (1 + beta Phi(beta)/phi(beta)),  beta = (B_max - B) / sd B       (Halfin, Whitt 1981)
    sd B    = sqrt(B z / (1 - e)),  z = (1 + ca^2)/2 of the arrivals,  e = d ln step / d ln B: a fuller batch is slower, and
              so fuller still

A row is stable where neither prompts nor answers nor places are asked for faster than they can be given: `load` < 1, the
largest of four. What is not stable has no steady state: its times are NaN. ca, cs, co: coefficients of variation of the gaps
between requests, of prompts, of answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import StepSeconds, decode_step, prefill_flops, prefill_seconds
from gigawatt.physics.serving.steady.aggregated import Load, Moment, moment, setting

Between = Callable[[Floats], Floats]

ROUNDS = 16
ALL = 1.0  # of a prompt's time is one that decoders wait: strangers do not fall into step
LEAST_BATCH = 1e-6
FILLED = (1.0, 0.5, 0.25)  # of the places: where arithmetic binds, more answers at once may be fewer a second
NUDGE = 1.03  # by which a batch is made fuller to see its slope
LEAST_SLOPE = 0.05  # of d ln X / d ln B, so that the spread of a batch at its limit stays a number


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Columns; times in s, rates per second and replica, NaN where `stable` is False.

    `each_s`, `enter_s`, `held_s` as in `aggregated.Moment`. `decoding` requests decode in the mean (standard deviation
    `decoding_sd`), `in_flight` are anywhere (Little's law). `prompt_wait_s` and `place_wait_s` are means over all requests;
    `wait_share` and `place_share` of them wait at all.
    Loads: of the chips by prompts, of what decodes (rate over the most that `room` yields), of places, of the cache.
    `capacity_per_s` is the rate at which the first of them reaches 1. `slowing` is d ln step / d ln B.
    """

    stable: NDArray[np.bool_]
    requests_per_s: Floats
    capacity_per_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    step_s: Floats
    prefill_s: Floats
    each_s: Floats
    api_s: Floats
    enter_s: Floats
    held_s: Floats
    prompt_wait_s: Floats
    wait_share: Floats
    place_wait_s: Floats
    place_share: Floats
    decoding: Floats
    decoding_sd: Floats
    slowing: Floats
    prefill_load: Floats
    decode_load: Floats
    slot_load: Floats
    cache_load: Floats
    max_requests: Floats
    parts: StepSeconds
    flops_per_s: Floats
    bytes_per_s: Floats

    @property
    def load(self) -> Floats:
        """The largest of the loads: what comes first to its end."""
        loads: Floats = np.maximum.reduce([self.prefill_load, self.decode_load, self.slot_load, self.cache_load])
        return loads

    @property
    def in_flight(self) -> Floats:
        """Requests in the replica and before it."""
        return self.decoding + self.requests_per_s * self.ttft_s


def open_loop(d: Deployment, load: Load, requests_per_s: Floats | float, arrival_cv: Floats | float = 1.0) -> OpenLoop:
    """Solve every row at its rate (per replica). `load.concurrency` and `load.burst` are not read.

    `arrival_cv` 1 are Poisson arrivals; measured services reach 3 and more.
    """
    at = setting(d, load)
    rate = np.asarray(requests_per_s, dtype=np.float64) + 0.0 * d.gpus
    room = max_requests(d, load.input_tokens, at.resident) + 0.0 * rate
    places = np.maximum(np.minimum(room, load.max_batch), LEAST_BATCH)

    itself = met(arrival_cv)

    def seen(batch: Floats) -> Moment:
        return moment(d, load, at, batch, ALL, np.minimum(itself, np.maximum(places - batch, 0.0)))

    def tpot_s(batch: Floats) -> Floats:
        return seen(batch).tpot_s

    fullest, most = most_per_s(tpot_s, at.output, places)
    batch = batch_at(tpot_s, at.output, rate, fullest, most)
    now = seen(batch)
    prompts, decode_load = rate * now.each_s, rate / most
    stable = (np.maximum(prompts, decode_load) < 1.0) & (room >= 1.0)
    rho = np.minimum(prompts, 1.0 - 1e-9)
    # A queue fills the steps that prompts enter, in which each takes least; half of that gain shortens it (by simulation).
    crowded = prefill_seconds(d, at.fresh, at.budget, at.cached, d.dp) / load.prefill_derate / d.dp / at.on_their_way
    queued = 0.5 * rho * (1.0 + np.minimum(crowded / now.each_s, 1.0))
    wait = prompt_waits(d, load, queued, arrival_cv) * now.prefill_s
    slower = slowing(d, load, batch, at.context)
    places_found = place_waits(load, arrival_cv, slower, batch=batch, places=fullest, most=most, rate=rate)
    gap = 1.0 / np.maximum(now.tpot_s if d.draft is None else now.tpot_s * d.draft.yields, 1e-12)
    return answered(
        load,
        stable,
        requests_per_s=rate,
        capacity_per_s=np.where(room >= 1.0, np.minimum(most, 1.0 / now.each_s), 0.0),
        ttft_s=at.api_s + now.enter_s + wait + places_found[2],
        tpot_s=now.tpot_s,
        step_s=now.step_s,
        prefill_s=now.prefill_s,
        each_s=now.each_s,
        api_s=at.api_s,
        enter_s=now.enter_s,
        held_s=now.held_s,
        prompt_wait_s=wait,
        wait_share=queued,
        places_found=places_found,
        decoding=batch,
        slowing=slower,
        prefill_load=prompts,
        decode_load=decode_load,
        max_requests=room,
        parts=now.parts,
        flops_per_s=now.parts.flops * gap + rate * prefill_flops(d, at.fresh, at.cached) / d.chips,
        bytes_per_s=now.parts.bytes_moved * gap,
    )


def met(arrival_cv: Floats | float) -> Floats:
    """Requests beyond the mean that one of them meets, itself among them: variance over mean of a number of strangers."""
    return np.asarray((1.0 + np.asarray(arrival_cv) ** 2) / 2.0)


def most_per_s(tpot_s: Between, output: Floats, places: Floats) -> tuple[Floats, Floats]:
    """The batch within the places that answers most per second, and that rate: past it a fuller batch only waits."""
    tried = [(part * places, part * places / (output * tpot_s(part * places))) for part in FILLED]
    best, most = tried[0]
    for batch, rate in tried[1:]:
        best, most = np.where(rate > most, batch, best), np.maximum(rate, most)
    return best, most


def batch_at(tpot_s: Between, output: Floats, rate: Floats, places: Floats, most: Floats) -> Floats:
    """Requests that decode at a rate: the root of ln X(B) - ln rate in ln B, by false position (Illinois); rows beyond
    `most` stay at `places`. `tpot_s` gives the time between tokens while so many decode.
    """
    asked = np.log(np.maximum(rate, 1e-300))

    def beyond(x: Floats) -> Floats:
        return np.asarray(x - np.log(output * tpot_s(np.exp(x))) - asked)

    # No batch is faster than an empty one, so this many decode at least.
    high = np.log(places)
    low = np.minimum(asked + np.log(output * tpot_s(np.full_like(rate, LEAST_BATCH))), high)
    f_low, f_high = np.minimum(beyond(low), 0.0), np.log(most) - asked
    for _ in range(ROUNDS):
        width = f_high - f_low
        x = np.where(width > 0, low - f_low * (high - low) / np.where(width > 0, width, 1.0), low)
        x = np.clip(x, low, high)
        f = beyond(x)
        right = f > 0
        # The end that stays is pulled in by halving its value, so that neither stays for long.
        f_low, f_high = np.where(right, 0.5 * f_low, f), np.where(right, f, 0.5 * f_high)
        low, high = np.where(right, low, x), np.where(right, x, high)
    return np.where(rate < most, np.exp(np.where(np.abs(f) < 1e-12, x, 0.5 * (low + high))), places)


def prompt_waits(d: Deployment, load: Load, rho: Floats, arrival_cv: Floats | float) -> Floats:
    """Mean wait for prompts ahead over all requests, in units of a prompt's pass, at a load `rho`."""
    varied = (np.asarray(arrival_cv) ** 2 + load.input_cv**2) / 2.0
    return np.asarray(d.rates["queue_share"] * varied * rho / (1.0 - rho))


def place_waits(
    load: Load, arrival_cv: Floats | float, slower: Floats, *, batch: Floats, places: Floats, most: Floats, rate: Floats
) -> tuple[Floats, Floats, Floats]:
    """(standard deviation of the batch, share of requests that wait for a place, mean wait over all of them in s)."""
    gaps = np.asarray(arrival_cv) ** 2
    spread = np.sqrt(batch * met(arrival_cv) / np.maximum(1.0 - slower, LEAST_SLOPE))
    share = waits_for_a_place((places - batch) / np.maximum(spread, 1e-12))
    return spread, share, share * (gaps + load.output_cv**2) / 2.0 / np.maximum(most - rate, 1e-12 * most)


ALWAYS = (
    "requests_per_s",
    "capacity_per_s",
    "prefill_s",
    "each_s",
    "api_s",
    "prefill_load",
    "decode_load",
    "max_requests",
)


def answered(
    load: Load,
    stable: NDArray[np.bool_],
    *,
    parts: StepSeconds,
    places_found: tuple[Floats, Floats, Floats],
    **columns: Floats,
) -> OpenLoop:
    """The state of rows, times NaN where they are not stable; loads and what needs no steady state stay numbers."""
    spread, share, wait = places_found
    batch, room, none = columns["decoding"], columns["max_requests"], 0.0 * columns["requests_per_s"]
    columns |= {"decoding_sd": spread, "place_share": share, "place_wait_s": wait}
    nothing = np.where(stable, none, np.nan)
    return OpenLoop(
        stable=stable,
        parts=parts,
        slot_load=batch / load.max_batch + none,
        cache_load=batch / np.maximum(room, LEAST_BATCH),
        **{name: column + (none if name in ALWAYS else nothing) for name, column in columns.items()},
    )


def slowing(d: Deployment, load: Load, batch: Floats, context: Floats) -> Floats:
    """d ln step / d ln B: how much a fuller batch slows itself, prompts coming at their own rate."""
    more, less = (decode_step(d, batch * by, context).total for by in (NUDGE, 1.0 / NUDGE))
    return np.asarray(np.maximum(np.log(more / less) / np.log(NUDGE**2), 0.0))


def waits_for_a_place(spare: Floats) -> Floats:
    """Share of requests that find all places taken, `spare` standard deviations above the mean: 1 at none, 0 far above.

    >>> waits_for_a_place(np.array([0.0, 1.0])).round(2).tolist()
    [1.0, 0.22]
    """
    beta = np.maximum(spare, 0.0)
    log_density = -0.5 * beta**2 - 0.5 * np.log(2.0 * np.pi)
    odds = beta * np.exp(np.minimum(log_ndtr(beta) - log_density, 600.0))
    return np.asarray(1.0 / (1.0 + odds))


def take(state: OpenLoop, rows: NDArray[np.intp]) -> OpenLoop:
    """The rows named."""
    parts = StepSeconds(*(getattr(state.parts, f.name)[rows] for f in fields(StepSeconds)))
    columns = {f.name: getattr(state, f.name)[rows] for f in fields(OpenLoop) if f.name != "parts"}
    return OpenLoop(parts=parts, **columns)
