"""Draws for the bands of the moats: terms and worlds, the same for every regime (common random numbers).

Draw i depends on the seed and on i alone, so that more samples never change the first ones. Six latents are triangular
over their ranges (mode at the value): maturity of rivals' serving and training software (catalog), the network's gain
(none of it to its square), the basis of performance per watt (between the smallest and largest of measured and the
dense peaks), months of the port, years of life lost. Throughput, token prices, energy and list prices are drawn as for
a run, by the scenario's own `uncertainty`; where it says nothing of token prices they move together by a factor of 1.25
(geometric standard deviation).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.moats import Draw, World
from gigawatt.study.bands import make_draws
from gigawatt.study.moats.strengths import Latents, Strengths

Array = NDArray[np.float64]
PRICE_GSD = 1.25  # of token prices where the scenario does not vary them; assumed
LATENTS = ("serving", "training", "networking", "basis", "porting", "life")


def draws_of(strengths: Strengths, samples: int) -> tuple[Draw, ...]:
    """(terms, world) of each draw."""
    if samples < 1:
        return ()
    setting = strengths.setting
    scenario = setting.resolved.scenario
    law = scenario.uncertainty.model_copy(update={"samples": samples})
    resolved = replace(
        setting.resolved,
        loaded=replace(setting.resolved.loaded, scenario=scenario.model_copy(update={"uncertainty": law})),
    )
    drawn = make_draws(resolved, setting.priced)
    latents = _triangular(scenario.seed, samples)
    prices = drawn.price if drawn.price is not None else np.ones((samples, len(setting.inputs.workloads)))
    if not any(path.startswith("workloads.") for path in scenario.uncertainty.vary):
        prices = prices * np.exp(latents[:, -1:] * np.log(PRICE_GSD))
    points = setting.priced.inputs.points
    out = []
    for i in range(samples):
        group = None if drawn.throughput is None else drawn.throughput[i]
        speed = _speed(strengths, group, points.group, points.platform, points.workload)
        at = Latents(**dict(zip(LATENTS, latents[i].tolist(), strict=False)), speed=speed)
        world = World(
            tokens=strengths.moved(at),
            group=group,
            price=prices[i],
            platform=None if drawn.platform is None else drawn.platform[i],
            energy=1.0 if drawn.energy is None else float(drawn.energy[i]),
        )
        out.append((strengths.terms(at), world))
    return tuple(out)


def _triangular(seed: int, samples: int) -> Array:
    """[samples, latents and one standard normal]: one stream read row by row, so that rows do not depend on their number."""
    from scipy.special import ndtr

    # A stream of its own: that of the throughput errors has the seed itself.
    normal = np.random.Generator(np.random.Philox(key=[seed, 1])).standard_normal((samples, len(LATENTS) + 1))
    u = ndtr(normal[:, : len(LATENTS)])
    low = np.sqrt(2 * u) - 1
    high = 1 - np.sqrt(2 * (1 - u))
    return np.column_stack([np.where(u < 0.5, low, high), normal[:, -1]])


def _speed(
    strengths: Strengths, group: Array | None, of: NDArray[np.int64], offer: NDArray[np.int64], work: NDArray[np.int64]
) -> Array | None:
    """[offers, workloads] latent factors on throughput: all points of a pair share a group."""
    if group is None:
        return None
    out = np.ones_like(strengths.setting.per_mw)
    out[offer, work] = group[of]
    return out
