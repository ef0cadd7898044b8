"""Goodput: answers per second that keep both limits, and the most requests per second of which nearly all do.

    share(rate)  = P(TTFT <= limit) P(TPOT <= limit)          the two taken as independent
    goodput      = rate x share
    best rate    : the largest with share >= 0.99, by halving between 0 and the capacity

The share falls with the rate. Where not even a lone request keeps the limits the best rate is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.steady.aggregated import Load
from gigawatt.physics.serving.steady.open_loop import OpenLoop, open_loop
from gigawatt.physics.serving.steady.spread import open_spread, tpot_share_within, ttft_share_within

Bools = NDArray[np.bool_]
LONE = 1e-4  # of the capacity: a request that meets no other
HALVINGS = 18


@dataclass(frozen=True, slots=True)
class Goodput:
    """Columns: the rate that keeps the limits for the share asked, what it leaves unused, the state there.

    `share_alone` is that of requests that meet no other.
    """

    requests_per_s: Floats
    share: Floats
    share_alone: Floats
    load: Floats
    state: OpenLoop


def share_within(d: Deployment, load: Load, state: OpenLoop, ttft_s: Floats | float, tpot_s: Floats | float) -> Floats:
    """Share of requests that keep both limits; 0 where the state is not stable."""
    spread = open_spread(d, load, state)
    both = ttft_share_within(spread, np.asarray(ttft_s)) * tpot_share_within(spread, np.asarray(tpot_s))
    return np.where(state.stable, both, 0.0)


def goodput_per_s(
    d: Deployment,
    load: Load,
    requests_per_s: Floats | float,
    ttft_s: Floats | float,
    tpot_s: Floats | float,
    arrival_cv: Floats | float = 1.0,
) -> Floats:
    """Answers per second within both limits at a rate of requests."""
    state = open_loop(d, load, requests_per_s, arrival_cv)
    return state.requests_per_s * share_within(d, load, state, ttft_s, tpot_s)


def largest(capacity_per_s: Floats, alone: Bools, holds: Callable[[Floats], Bools]) -> Floats:
    """The largest rate of each row that still `holds`, by halving between a lone request and the capacity.

    0 where a lone one (`alone`, at `LONE` of the capacity) does not.
    """
    low, high = LONE * capacity_per_s, capacity_per_s
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        good = holds(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return np.where(alone, low, 0.0)


def best_rate(
    d: Deployment,
    load: Load,
    ttft_s: Floats | float,
    tpot_s: Floats | float,
    share: float = 0.99,
    arrival_cv: Floats | float = 1.0,
    solve: Callable[[Floats], OpenLoop] | None = None,
) -> Goodput:
    """The largest rate of each row at which `share` of the requests keep both limits.

    `solve` gives the open loop of something else than one replica at a rate: of pools, where `d` is what decodes.
    """

    def at(rate: Floats) -> tuple[OpenLoop, Floats]:
        state = open_loop(d, load, rate, arrival_cv) if solve is None else solve(rate)
        return state, share_within(d, load, state, ttft_s, tpot_s)

    capacity = at(np.full_like(d.gpus, 1e-9))[0].capacity_per_s
    alone = at(LONE * capacity)[1]
    rate = largest(capacity, alone >= share, lambda rate: at(rate)[1] >= share)
    state, kept = at(rate)
    return Goodput(rate, np.where(rate > 0, kept, alone), alone, state.load, state)
