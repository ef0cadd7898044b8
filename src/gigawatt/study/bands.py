"""Bands: what the plan is worth when prices, catalog ranges and calibrations are drawn, the fleet held.

Draws are rows of a Sobol' sequence (`study.risk.world`); row d depends on the seed and d alone, so that more samples never
change the first ones. They are worked out in blocks of one size, so that a number does not depend on how many stand beside it.
With `reoptimise` the fleet is chosen again for each draw too; which of the two a band is, is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory import Plan
from gigawatt.factory.draws import Draws, replan
from gigawatt.study.price import Priced
from gigawatt.study.resolve import Resolved
from gigawatt.study.risk.costs import prices_of
from gigawatt.study.risk.held import Held
from gigawatt.study.risk.world import Inputs, World, inputs_of
from gigawatt.study.settle import Settled
from gigawatt.study.timeline import Timeline

Array = NDArray[np.float64]
LEVELS = (10, 50, 90)
BLOCK = 2048  # draws at once: what a block takes stays in the second cache
MISSED = "missed."


@dataclass(frozen=True, slots=True)
class Bands:
    """The draws of a plan.

    Attributes:
        columns: metrics of the held plan by name, [draws]; see `Held.columns`.
        replanned: value of the objective where the fleet was chosen anew for each draw, USD, else None.
    """

    columns: Mapping[str, Array]
    replanned: Array | None
    count: int

    def npv(self, party: str) -> Array:
        """[draws] USD that the plan is worth to system, operator or lab."""
        return self.columns[f"value.{party}"]

    @property
    def missed(self) -> dict[str, float]:
        """Share of draws in which an owed run comes too late."""
        return {
            name.removeprefix(MISSED): float(x.mean()) for name, x in self.columns.items() if name.startswith(MISSED)
        }


def no_bands() -> Bands:
    """Of a plan that nobody asked the bands of."""
    return Bands({}, None, 0)


def groups_of(priced: Priced) -> list[str]:
    """What the groups of operating points are called, by their number."""
    return sorted({row.group for row in priced.performance.points})


def inputs_for(resolved: Resolved, priced: Priced) -> Inputs:
    """All that a plan's scenario draws."""
    return inputs_of(resolved, priced.inputs.points, groups_of(priced))


def draw_bands(resolved: Resolved, priced: Priced, plan: Plan, line: Timeline, settled: Settled) -> Bands:
    """Every metric of the held fleet in every draw; a new fleet for each too where the scenario asks."""
    law = resolved.scenario.uncertainty
    inputs = inputs_for(resolved, priced)
    held = Held(resolved, priced, plan, line, settled)
    columns = evaluate(held.columns, (inputs.draw(first, last) for first, last in blocks(law.samples)), law.samples)
    replanned = reoptimised(held, inputs, law.samples) if law.reoptimise else None
    return Bands(columns, replanned, law.samples)


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """(first, last) rows of whole blocks that hold `count` draws."""
    return ((first, first + BLOCK) for first in range(0, count, BLOCK))


def evaluate(
    metrics: Callable[[World], Mapping[str, Array]],
    worlds: Iterator[World],
    count: int,
    say: Callable[[int], Any] = lambda done: None,
) -> dict[str, Array]:
    """Metrics of the first `count` draws of some worlds."""
    parts: dict[str, list[Array]] = {}
    done = 0
    for world in worlds:
        for name, values in metrics(world).items():
            parts.setdefault(name, []).append(np.asarray(values, dtype=np.float64))
        done += world.count
        say(done)
    return {name: np.concatenate(several)[:count] for name, several in parts.items() if sum(map(len, several)) >= count}


def reoptimised(held: Held, inputs: Inputs, count: int, say: Callable[[int], Any] = lambda done: None) -> Array:
    """[draws] USD of the objective with the best fleet of each draw; nan where none fits."""
    out = []
    for first in range(0, count, BLOCK):
        world = inputs.draw(first, first + BLOCK)
        draws, annuity = held.for_objective(world)
        rows = min(BLOCK, count - first)
        out.append(replan(held.priced.inputs, taken(draws, rows)).value_usd_per_yr * annuity[:rows])
        say(first + rows)
    return np.concatenate(out)


def taken(draws: Draws, rows: int) -> Draws:
    """The first rows of some draws."""
    parts = {name: getattr(draws, name) for name in Draws.__slots__[1:]}
    return Draws(rows, **{name: None if part is None else part[:rows] for name, part in parts.items()})


def make_draws(resolved: Resolved, priced: Priced) -> Draws:
    """The draws of a scenario as factors that do not know whose money it is: throughput, prices of tokens, energy and racks.

    What build-outs and moats take: shares of upkeep, the building and contracts are as they are.
    """
    count = resolved.scenario.uncertainty.samples
    inputs = inputs_for(resolved, priced)
    world = inputs.draw(0, count)
    price, tokens, _ = prices_of(resolved, world)
    own = priced.plant.supply.fuel_share  # the dispatch is held, as the fleet is
    ones = np.ones(count)
    groups: Sequence[object] = range(int(priced.inputs.points.group.max(initial=-1)) + 1)
    listed = world.stack("list", list(range(len(resolved.offers))))
    return Draws(
        count,
        throughput=world.stack("throughput", list(groups)),
        price=np.ones((count, len(priced.inputs.workloads))) if price is None else price,
        energy=((1 - own) * world.of("grid") + own * world.of("fuel")) * ones,
        platform=np.ones((count, len(resolved.offers))) if listed is None else listed,
        tokens=tokens,
    )


def percentiles(values: Array) -> tuple[float, float, float]:
    """P10, P50, P90 of the draws that have a value."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return float("nan"), float("nan"), float("nan")
    low, middle, high = np.percentile(kept, LEVELS)
    return float(low), float(middle), float(high)
