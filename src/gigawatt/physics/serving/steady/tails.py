"""Percentiles of what users feel, and how far to trust them near saturation.

A wait grows as 1/(1 - rho), so its logarithm moves by 1/(1 - rho) times that of the speed: where the speed is known to 18 %,
a p99 at 90 % load is not known at all. Every percentile therefore comes with the ones that a slower and a faster engine would
have, by the calibration's own 80 % half-width (`low`, `high`; infinite where the slower one is not stable). Up to 85 % load the
middle is given too; beyond, high percentiles are an interval and no point; and what is not stable has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.engine.calibration import sigmas
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.steady.aggregated import Load, steady_state
from gigawatt.physics.serving.steady.open_loop import OpenLoop, open_loop
from gigawatt.physics.serving.steady.spread import (
    Spread,
    closed_spread,
    itl_quantile,
    open_spread,
    tpot_quantile,
    ttft_quantile,
)

SHARES = (0.5, 0.9, 0.99)
NEAR = 0.85  # load from which high percentiles are intervals
HIGH = 0.9  # the percentiles meant


@dataclass(frozen=True, slots=True)
class Percentiles:
    """One time, (shares, rows), s. `middle_s` is NaN where only an interval is honest, all three where nothing is stable."""

    middle_s: Floats
    low_s: Floats
    high_s: Floats


@dataclass(frozen=True, slots=True)
class Tails:
    """Percentiles at `shares` of the requests (of the steps for `itl`); `load` as the steady state has it."""

    shares: tuple[float, ...]
    ttft: Percentiles
    tpot: Percentiles
    itl: Percentiles
    load: Floats
    stable: NDArray[np.bool_]


def closed_tails(d: Deployment, load: Load, shares: Sequence[float] = SHARES, half_width: float | None = None) -> Tails:
    """Of `load.concurrency` users who ask again as soon as they are answered; always stable, loaded by their prompts."""

    def solved(engine: Deployment, _: float) -> tuple[Spread, Floats, NDArray[np.bool_]]:
        state = steady_state(engine, load)
        return closed_spread(engine, load, state), state.prefill_load, state.fits

    return _tails(d, solved, shares, half_width)


def open_tails(
    d: Deployment,
    load: Load,
    requests_per_s: Floats | float,
    arrival_cv: Floats | float = 1.0,
    shares: Sequence[float] = SHARES,
    half_width: float | None = None,
    solve: Callable[[Deployment, float], OpenLoop] | None = None,
) -> Tails:
    """Of requests that come at a rate (per replica).

    `solve` gives the open loop of something else than one replica, with its software so many times as fast: of pools, where
    `d` is what decodes:  lambda d, x: open_pools(at_speed(prefill, x), d, ...).
    """

    def solved(engine: Deployment, factor: float) -> tuple[Spread, Floats, NDArray[np.bool_]]:
        state = open_loop(engine, load, requests_per_s, arrival_cv) if solve is None else solve(engine, factor)
        return open_spread(engine, load, state), state.load, state.stable

    return _tails(d, solved, shares, half_width)


Solve = Callable[[Deployment, float], tuple[Spread, Floats, NDArray[np.bool_]]]


def _tails(d: Deployment, solve: Solve, shares: Sequence[float], half_width: float | None) -> Tails:
    half = float(sigmas()["throughput_fitted"]) if half_width is None else half_width
    solved = [solve(at_speed(d, factor), factor) for factor in (1.0, float(np.exp(half)), float(np.exp(-half)))]
    (mid, load, stable), (fast, _, _), (slow, _, slow_stable) = solved
    vague = (load > NEAR) & stable
    kinds = {"ttft": ttft_quantile, "tpot": tpot_quantile, "itl": itl_quantile}
    found: dict[str, Percentiles] = {}
    for name, quantile in kinds.items():
        middle, low, high = (np.stack([quantile(s, share) for share in shares]) for s in (mid, fast, slow))
        high = np.where(slow_stable, high, np.inf)
        unsure = vague & (np.asarray(shares)[:, None] >= HIGH)
        gone = np.where(stable, 0.0, np.nan)
        found[name] = Percentiles(np.where(unsure, np.nan, middle) + gone, low + gone, high + gone)
    return Tails(tuple(shares), found["ttft"], found["tpot"], found["itl"], load, stable)


def at_speed(d: Deployment, factor: float) -> Deployment:
    """The same deployment on software that is `factor` times as fast."""
    faster = replace(d, maturity=d.maturity * factor)
    if d.draft is None:
        return faster
    return replace(faster, draft=replace(d.draft, by=at_speed(d.draft.by, factor)))
