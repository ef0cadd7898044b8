"""A deployment's own speed, from one measured point of it or several: how much slower or faster than the constants say.

    decode, prefill    two factors on the speed of a deployment's decode steps and of its prompts
    log TPOT, log TTFT of the measured points, each with its noise, and the spread of such factors between deployments, make
    the likeliest pair:     min  sum ((log predicted - log measured) / noise)^2 + sum (log factor / spread)^2

One point pulls the factors only as far as its noise allows; many points pull them all the way. The factors enter as derates of
a load (`Load.decode_derate`, `prefill_derate`), so that whatever is asked of the deployment after is asked of the anchored one.
Noise and spreads are the calibration's: the scatter within deployments, and between them, of fits that left a model out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.steady.aggregated import Load, steady_state

TURNS = 6
STEP = 1e-3
LARGEST = 1.0  # of a factor's logarithm in one turn


@dataclass(frozen=True, slots=True)
class Spread:
    """Sigmas of logarithms: of the two factors between deployments, and of a measured point's times within one."""

    decode: float = 0.15
    prefill: float = 0.35
    tpot: float = 0.06
    ttft: float = 0.25


TYPICAL = Spread()


@dataclass(frozen=True, slots=True)
class Anchor:
    """Factors on the speed of decoding and of prefill; below 1 where the deployment is slower than the constants say."""

    decode: float = 1.0
    prefill: float = 1.0

    def anchored(self, load: Load) -> Load:
        """A load on the deployment as it was measured."""
        return replace(
            load, decode_derate=load.decode_derate * self.decode, prefill_derate=load.prefill_derate * self.prefill
        )


Times = Callable[[Load], tuple[Floats, Floats]]


def anchor(
    d: Deployment,
    load: Load,
    tpot_s: Floats,
    ttft_s: Floats,
    spread: Spread = TYPICAL,
    times: Times | None = None,
) -> Anchor:
    """The likeliest factors of a deployment; each row of `d` and `load` is one measured point of it.

    A time that was not measured is nan. `times` answers (TPOT, TTFT) for a load where the deployment is no aggregated replica.
    """

    def aggregated(asked: Load) -> tuple[Floats, Floats]:
        state = steady_state(d, asked)
        return state.tpot_s, state.ttft_s

    solve = aggregated if times is None else times
    truth = np.log(np.concatenate([np.atleast_1d(tpot_s), np.atleast_1d(ttft_s)]))
    noise = np.repeat([spread.tpot, spread.ttft], len(truth) // 2)
    known = np.isfinite(truth)
    width = np.array([spread.decode, spread.prefill])

    def away(x: Floats) -> Floats:
        found = solve(Anchor(*np.exp(x)).anchored(load))
        return np.asarray(((np.log(np.concatenate(found)) - truth) / noise)[known])

    x = np.zeros(2)
    for _ in range(TURNS):
        here = away(x)
        slopes = np.stack([(away(x + STEP * unit) - here) / STEP for unit in np.eye(2)], axis=1)
        normal = slopes.T @ slopes + np.diag(1.0 / width**2)
        move = -np.linalg.solve(normal, slopes.T @ here + x / width**2)
        x = x + np.clip(move, -LARGEST, LARGEST)
        if np.abs(move).max() < STEP:
            break
    return Anchor(*(float(f) for f in np.exp(x)))


def spread_of(errors: Mapping[str, tuple[Floats, Floats]]) -> Spread:
    """Spreads from errors (log predicted / measured of TPOT, TTFT) by deployment: between medians, and about them.

    Robust: medians of absolute values over 0.6745, the quantile of a normal variable that holds half of them.
    """
    middle = np.array([[np.median(part) for part in pair] for pair in errors.values()])
    about = [np.concatenate([np.abs(pair[k] - np.median(pair[k])) for pair in errors.values()]) for k in (0, 1)]
    between = np.median(np.abs(middle), axis=0) / 0.6745
    within = [float(np.median(a)) / 0.6745 for a in about]
    return Spread(float(between[0]), float(between[1]), max(within[0], 0.01), max(within[1], 0.05))
