"""Percentiles of an outcome with what may be said of them, and how a fleet was used.

Up to a load of 0.85 a percentile is a point beside its sampling error. From there on, a small error of the step grows
into a large one of the wait: the percentile is an interval, from the same requests served by steps shorter and longer by
the curve's `step_error` and from the sampling error. Where those steps bring the load above one, nothing bounds it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.serving.events.fleet import Fleet
from gigawatt.physics.serving.events.load import offered_load
from gigawatt.physics.serving.events.outcome import Outcome
from gigawatt.physics.serving.events.requests import Floats, Requests
from gigawatt.physics.serving.events.simulate import simulate

HIGH_LOAD = 0.85
SECTIONS = 10
# Student's t at 90 % for 1 to 9 degrees of freedom: two-sided intervals of 80 %.
STUDENT_90 = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383)
LEAST_SECTION = 100


@dataclass(frozen=True, slots=True)
class Tail:
    """A statistic in s with an 80 % interval. `said`: point, interval (`value` is NaN) or unstable (`high_s` is infinite)."""

    value_s: float
    low_s: float
    high_s: float
    said: str


@dataclass(frozen=True, slots=True)
class Latency:
    """Mean and percentiles of one time."""

    mean: Tail
    p50: Tail
    p90: Tail
    p99: Tail


@dataclass(frozen=True, slots=True)
class Summary:
    """The measured window of a run.

    offered_load: see `offered_load`; NaN in a closed loop, which asks only as it is answered. goodput_per_s: requests
    that met both limits. Rates are per second of the window; shares of use and cache are of the whole run.
    """

    requests: int
    served: int
    refused: int
    offered_load: float
    ttft: Latency
    tpot: Latency
    e2e: Latency
    requests_per_s: float
    goodput_per_s: float
    input_tokens_per_s: float
    output_tokens_per_s: float
    utilisation: Floats
    mean_batch: float
    mean_queue: float
    cache_use: float
    prefix_hits: float
    preemptions: int
    end_s: float


def summarise(
    requests: Requests,
    fleet: Fleet,
    *,
    users: int = 0,
    think_s: float = 0.0,
    window_s: tuple[float, float] = (0.0, math.inf),
    ttft_limit_s: float = math.inf,
    tpot_limit_s: float = math.inf,
    solver: str = "auto",
) -> tuple[Outcome, Summary]:
    """Simulate and sum up the requests that arrive within `window_s` (a cut for warming up).

    At a load above 0.85 the requests are served twice more, by faster and by slower steps.

    Raises:
        InputError: as `simulate`; no request arrives within the window.
    """

    def at(pace: float) -> Outcome:
        paced = replace(fleet, pace=fleet.pace * pace)
        return simulate(requests, paced, users=users, think_s=think_s, solver=solver)

    outcome = at(1.0)
    inside = (outcome.arrival_s >= window_s[0]) & (outcome.arrival_s < window_s[1])
    if not bool(inside.any()):
        last = float(outcome.arrival_s.max())
        message = f"no request arrives from {window_s[0]:g} to {window_s[1]:g} s; the last comes at {last:g} s"
        raise InputError(Problem("empty", message))
    arrivals = outcome.arrival_s[inside]
    span_s = float(np.ptp(arrivals)) if len(arrivals) > 1 else 0.0
    load = math.nan
    others: list[Outcome] = []
    error = max(group.curve.step_error for group in fleet.groups)
    if users == 0 and span_s > 0:
        load = offered_load(requests, fleet, (len(arrivals) - 1) / span_s, outcome.cached_tokens)
        if HIGH_LOAD < load <= 1.0 and error > 0:
            others = [at(math.exp(error)), at(math.exp(-error))]
    worst = load * math.exp(error) if load > HIGH_LOAD else load
    runs = [outcome, *others]
    slow_enough = (outcome.ttft_s <= ttft_limit_s) & ~(outcome.tpot_s > tpot_limit_s)
    served = inside & outcome.served
    ends = outcome.finish_s[served]
    seconds = max(span_s if users == 0 or not len(ends) else float(ends.max() - arrivals[0]), 1e-300)
    use = outcome.use
    blocks = use.blocks * np.maximum(use.on_s, 1e-300)
    return outcome, Summary(
        requests=int(inside.sum()),
        served=int(served.sum()),
        refused=int((inside & outcome.refused).sum()),
        offered_load=load,
        ttft=_latency([run.ttft_s for run in runs], inside, load, worst),
        tpot=_latency([run.tpot_s for run in runs], inside, load, worst),
        e2e=_latency([run.e2e_s for run in runs], inside, load, worst),
        requests_per_s=served.sum() / seconds,
        goodput_per_s=float((served & slow_enough).sum()) / seconds,
        input_tokens_per_s=float(outcome.input_tokens[served].sum()) / seconds,
        output_tokens_per_s=float(outcome.output_tokens[served].sum()) / seconds,
        utilisation=use.busy_s / np.maximum(use.on_s, 1e-300),
        mean_batch=float(use.batch_s.sum() / max(use.busy_s.sum(), 1e-300)),
        mean_queue=float(use.queue_s.sum() / max(use.on_s.sum(), 1e-300)),
        cache_use=float(use.used_block_s.sum() / blocks.sum()),
        prefix_hits=float(use.hit_tokens.sum() / max(use.lookup_tokens.sum(), 1)),
        preemptions=int(outcome.preemptions[inside].sum()),
        end_s=outcome.end_s,
    )


def _latency(times: Sequence[Floats], inside: NDArray[np.bool_], load: float, worst: float) -> Latency:
    def of(share: float) -> Tail:
        found = [sectioned(mine[inside], share) for mine in times]
        value, low, high = found[0][0], min(f[1] for f in found), max(f[2] for f in found)
        if load > 1.0:
            return Tail(math.nan, found[0][1], math.inf, "unstable")
        if load > HIGH_LOAD:
            return Tail(math.nan, low, math.inf if worst > 1.0 else high, "interval" if worst <= 1.0 else "unstable")
        return Tail(value, low, high, "point")

    return Latency(of(math.nan), of(0.5), of(0.9), of(0.99))


def sectioned(times: Floats, share: float) -> tuple[float, float, float]:
    """(statistic, low, high): a quantile, or the mean where `share` is NaN, with an 80 % interval by sectioning.

    The requests are cut by arrival into up to ten sections, so that waits that belong together stay together; the spread
    of the sections' statistics about that of all gives the error (Nakayama 2014). Fewer than two sections of 100: to the
    least and the greatest seen.
    """
    known = times[np.isfinite(times)]
    if len(known) == 0:
        return math.nan, math.nan, math.nan

    def statistic(part: Floats) -> float:
        return float(part.mean()) if math.isnan(share) else float(np.quantile(part, share))

    value = statistic(known)
    sections = min(len(known) // LEAST_SECTION, SECTIONS)
    if sections < 2:
        return value, float(known.min()), float(known.max())
    parts = np.array([statistic(part) for part in np.array_split(known, sections)])
    spread = math.sqrt(float(np.sum((parts - value) ** 2)) / (sections - 1) / sections)
    half = STUDENT_90[sections - 2] * spread
    return value, max(value - half, 0.0), value + half
