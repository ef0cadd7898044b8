"""Bands: what the plan is worth when prices and calibrations are drawn, the fleet held.

Draws are rows of factors: one latent error for each calibration group, and one for each input that the scenario varies. Row d
depends on the seed and d alone, so that more samples never change the first ones. With `reoptimise` the fleet is chosen
again for each draw instead; which of the two a band is, is said beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Problems, nearest
from gigawatt.factory import Plan
from gigawatt.factory.draws import Draws, draw_throughput, replan, revalue
from gigawatt.study.price import Priced
from gigawatt.study.resolve import Resolved
from gigawatt.study.scenario import Distribution
from gigawatt.study.timeline import Timeline

Array = NDArray[np.float64]
LEVELS = (10, 50, 90)


@dataclass(frozen=True, slots=True)
class Bands:
    """[draws] columns: annual value of each party, revenue and energy of the plan, price factor of the vendor's racks.

    `missed` is the share of draws in which an owed run comes too late. `replanned` is the value where the fleet was chosen
    anew for each draw, else None.
    """

    value: Mapping[str, Array]
    revenue: Array
    tokens: Array
    energy: Array
    platform: Array
    missed: Mapping[str, float]
    replanned: Array | None
    count: int


def no_bands() -> Bands:
    """Of a plan that nobody asked the bands of."""
    none = np.zeros(0)
    return Bands({}, none, none, none, none, {}, None, 0)


def varied(resolved: Resolved) -> dict[str, str]:
    """Dotted paths that may be varied, and what each is."""
    scenario = resolved.scenario
    paths = {"site.energy_price": "energy price", "fleet.list_price": "price of every platform"}
    if any(plant.record.fuel for plant in resolved.plants):
        paths["site.fuel_price"] = "fuel and variable upkeep of own plant"
    paths |= {f"fleet.{offer.id}.list_price": f"price of {offer.id}" for offer in scenario.fleet}
    serving = [work for work in resolved.works if work.is_serving]
    paths |= {f"workloads.{work.id}.price": f"token price of {work.id}" for work in serving}
    # A workload that is sold at several levels moves with all of them.
    tiered = {work.family for work in serving if work.id != work.family}
    return paths | {f"workloads.{name}.price": f"token price of {name} at every level" for name in tiered}


def check_varied(resolved: Resolved) -> None:
    """Every path that `uncertainty.vary` names must be one that can vary.

    Raises:
        InputError: unknown paths, each with the nearest.
    """
    problems, known = Problems(), varied(resolved)
    for path in resolved.scenario.uncertainty.vary:
        if path not in known:
            near = nearest(path, known)
            where = resolved.loaded.source.where(("uncertainty", "vary", path))
            hints = ((f"did you mean '{near}'?",) if near else ()) + ("known: " + ", ".join(known),)
            problems.found.append(
                Problem("unknown_path", f"uncertainty.vary: nothing varies at '{path}'", where, hints)
            )
    problems.raise_if_any()


def factors(normal: Array, law: Distribution) -> Array:
    """Factors of a distribution from standard normal deviates.

    lognormal: gsd^z. uniform and triangular (mode 1 where it lies inside, else the middle): by the inverse distribution.

    Raises:
        InputError: the triangle has no room.
    """
    if law.dist == "lognormal":
        return np.asarray(np.exp(normal * np.log(law.gsd or 1.0)))
    from scipy.special import ndtr

    u = ndtr(normal)
    low, high = law.low, law.high
    if low is None or high is None:
        raise InputError(Problem("missing", f"a {law.dist} needs 'low' and 'high'"))
    if law.dist == "uniform":
        return np.asarray(low + (high - low) * u)
    mode = 1.0 if low <= 1.0 <= high else (low + high) / 2
    cut = (mode - low) / (high - low)
    below = low + np.sqrt(u * (high - low) * (mode - low))
    above = high - np.sqrt((1 - u) * (high - low) * (high - mode))
    return np.asarray(np.where(u < cut, below, above))


def make_draws(resolved: Resolved, priced: Priced) -> Draws:
    """The draws of a scenario; columns in a fixed order, rows independent of their number."""
    scenario, inputs = resolved.scenario, priced.inputs
    law = scenario.uncertainty
    groups = int(inputs.points.group.max(initial=-1)) + 1
    paths = list(law.vary)
    width = groups + len(paths)
    # One counter-based stream read row by row: the first n rows are the same whatever the number of samples.
    normal = np.random.Generator(np.random.Philox(scenario.seed)).standard_normal((law.samples, max(width, 1)))
    throughput = draw_throughput(inputs.points, normal[:, :groups]) if law.calibration and groups else None
    grid, fuel = np.ones(law.samples), np.ones(law.samples)
    price = np.ones((law.samples, len(inputs.workloads)))
    platform = np.ones((law.samples, len(inputs.platforms.names)))
    for column, path in enumerate(paths, groups):
        drawn = factors(normal[:, column], law.vary[path])
        parts = path.split(".")
        if path == "site.energy_price":
            grid *= drawn
        elif path == "site.fuel_price":
            fuel *= drawn
        elif path == "fleet.list_price":
            platform *= drawn[:, None]
        elif parts[0] == "fleet":
            platform[:, inputs.platforms.names.index(".".join(parts[1:-1]))] *= drawn
        else:
            name = ".".join(parts[1:-1])
            moved = [work.family == name or work.id == name for work in resolved.works]
            price[:, moved] *= drawn[:, None]
    own = priced.plant.supply.fuel_share  # the dispatch is held, as the fleet is
    return Draws(law.samples, throughput, price, (1 - own) * grid + own * fuel, platform)


def draw_bands(resolved: Resolved, priced: Priced, plan: Plan, line: Timeline) -> Bands:
    """Value of the held fleet to each party in every draw; a new fleet for each where the scenario asks."""
    draws = make_draws(resolved, priced)
    made = {c.name: revalue(plan, draws, c.name) for c in priced.inputs.coefficients}
    first = next(iter(made.values()))
    energy = float(plan.mean_use @ priced.energy_usd_per_yr) * (draws.energy if draws.energy is not None else 1.0)
    bought = plan.racks * priced.inputs.platforms.capex_usd
    weight = bought / bought.sum() if bought.sum() > 0 else bought
    platform = draws.platform @ weight if draws.platform is not None and bought.sum() > 0 else np.ones(draws.count)
    replanned = None
    if resolved.scenario.uncertainty.reoptimise:
        replanned = replan(priced.inputs, draws).value_usd_per_yr * line.annuity_years
    values = {name: one.value_usd_per_yr for name, one in made.items()}
    return Bands(
        values,
        first.revenue_usd_per_yr,
        _tokens(resolved, priced, plan, draws),
        np.broadcast_to(energy, (draws.count,)),
        platform,
        first.missed,
        replanned,
        draws.count,
    )


def _tokens(resolved: Resolved, priced: Priced, plan: Plan, draws: Draws) -> Array:
    """[draws] output tokens per second of serving that are sold: what each phase makes, up to what is asked for."""
    inputs = priced.inputs
    points, segments = inputs.points, inputs.segments
    factor = np.ones((draws.count, len(points))) if draws.throughput is None else draws.throughput[:, points.group]
    sold = np.zeros(draws.count)
    for w, work in enumerate(resolved.works):
        if work.is_serving:
            mine = points.workload == w
            made = factor[:, mine] @ (plan.use * points.tokens_out_per_s[:, None])[mine]
            sold += np.minimum(made, segments.tokens_per_s[segments.workload == w].sum()) @ plan.weights
    return sold


def percentiles(values: Array) -> tuple[float, float, float]:
    """P10, P50, P90 of the draws that have a value."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return float("nan"), float("nan"), float("nan")
    low, middle, high = np.percentile(kept, LEVELS)
    return float(low), float(middle), float(high)
