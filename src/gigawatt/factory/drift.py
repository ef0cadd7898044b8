"""Architecture drift: what it is worth to own chips that run what comes next, as a programme of two stages.

    here and now     N[p]     racks bought, and the site, before it is known which architecture the work will have
    in each case m   u[j,m]   use of the racks on the operating points of that architecture;  m = 0 is today's
    max   - charges(N, site) + sum_m q_m (margin of the use in case m)
    q_0 = 1 - q,    q_m = q x the share of case m among the changes
    tokens of platform p on workload w in case m = keep[p,m,w] x tokens today

q is the chance that the architecture has changed, seen over the life of the racks (or the part of the life that follows the
change: the programme is linear, so both read alike). keep is the share of its throughput that a platform keeps. Demand and
prices are the same in every case, limits hold in each, and obligations are owed for today's architecture alone.

    flexibility(q) = V(all on offer) - V(all but the focal platforms)                              never below zero
    lead(q)        = V(the focal platforms alone) - V(all but them)                                either sign

V is convex in q for a given menu (a maximum of expressions linear in q), so flexibility, a difference, may fall and rise. The
break-even q is where the lead first changes sign. Past it nothing may be worth building: both values zero is no tie.

It is the programme of `model` with one phase a case (and a phase of the horizon), in which the points of the other cases'
architectures are held at zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.inputs import Obligation, Phase, PlanInputs, Segments
from gigawatt.factory.model import MILLION, Model, build
from gigawatt.factory.points import Points
from gigawatt.factory.solver import Solver

Array = NDArray[np.float64]
TODAY = "today"
_HALVINGS = 24


@dataclass(frozen=True, slots=True)
class Drift:
    """What may come: cases by name, `share` [cases] of each among the changes (they sum to 1), and `keep` [platforms, cases,
    workloads] of today's throughput.

    Raises:
        ValueError: shapes that do not fit, shares that do not sum to 1, a keep below zero.
    """

    cases: tuple[str, ...]
    share: Array
    keep: Array

    def __post_init__(self) -> None:
        if self.keep.ndim != 3 or self.keep.shape[1] != len(self.cases) or self.share.shape != (len(self.cases),):
            raise ValueError("drift needs a share a case and keep as [platforms, cases, workloads]")
        if not self.cases or np.any(self.share < 0) or abs(self.share.sum() - 1) > 1e-9 or np.any(self.keep < 0):
            raise ValueError("the shares of the cases must sum to 1, and no keep may be below zero")


def expanded(inputs: PlanInputs, drift: Drift, q: float) -> PlanInputs:
    """The inputs with a phase for each case and phase, and each workload once for each architecture.

    Workload w of case m stands at m x W + w, phase f of case m at m x F + f; case 0 is today.
    """
    n_w, n_f = len(inputs.workloads), len(inputs.phases)
    names = (TODAY, *drift.cases)
    points, segments = inputs.points, inputs.segments
    keep = np.concatenate([np.ones((drift.keep.shape[0], 1, n_w)), drift.keep], axis=1)
    rows = np.arange(len(points))
    takes = np.tile(rows, len(names))
    case = np.repeat(np.arange(len(names)), len(points))
    factor = keep[points.platform[takes], case, points.workload[takes]]
    # Less than a millionth is nothing; the solver would not take so small an entry either.
    factor = np.where(factor < 1e-6, 0.0, factor)
    made = points.take(takes).scaled(tokens=factor)
    made = replace(made, workload=made.workload + case * n_w)
    weights = probabilities(drift, q)
    phases = tuple(
        Phase(f"{phase.name}, {name}", float(weight * phase.weight))
        for name, weight in zip(names, weights, strict=True)
        for phase in inputs.phases
    )
    sold = Segments(
        tuple(f"{name}, {case_name}" for case_name in names for name in segments.names),
        np.concatenate([segments.workload + m * n_w for m in range(len(names))]),
        np.tile(segments.usd_per_mtok, len(names)),
        np.tile(segments.tokens_per_s, len(names)),
    )
    parties = tuple(
        replace(c, other_usd_per_yr=c.other_usd_per_yr[takes], energy_usd_per_yr=c.energy_usd_per_yr[takes])
        for c in inputs.coefficients
    )
    owed = tuple(Obligation(o.name, o.workload, o.tokens_per_s, tuple(f for f in o.phases if f < n_f))
                 for o in inputs.obligations)  # fmt: skip
    workloads = tuple(f"{name}, {case_name}" for case_name in names for name in inputs.workloads)
    return replace(
        inputs, workloads=workloads, points=made, segments=sold, coefficients=parties, phases=phases, obligations=owed
    )


def probabilities(drift: Drift, q: float) -> Array:
    """[1 + cases] of today's architecture and of each case."""
    return np.concatenate([[1.0 - q], q * drift.share])


class TwoStage:
    """The programme of some inputs under a drift, solved again and again for other q and other menus."""

    def __init__(self, inputs: PlanInputs, drift: Drift) -> None:
        cases = 1 + len(drift.cases)
        thin = inputs.thinned()
        # Every case weighs the same here; `value` puts each one's probability in its place.
        even = 1.0 - 1.0 / cases
        flat = replace(drift, share=np.full(cases - 1, 1.0 / (cases - 1)))
        self.drift, self.inputs = drift, thin
        self.model: Model = build(expanded(thin, flat, even))
        points: Points = self.model.inputs.points
        n_w, n_f = len(thin.workloads), len(thin.phases)
        case_of_point = points.workload // n_w
        case_of_phase = np.arange(len(self.model.inputs.phases)) // n_f
        high = self.model.program.col_high.copy()
        other = case_of_point[:, None] != case_of_phase[None, :]
        high[self.model.use[other]] = 0.0
        case_of_segment = self.model.inputs.segments.workload // n_w
        unsold = case_of_segment[:, None] != case_of_phase[None, :]
        high[self.model.sold[unsold]] = 0.0
        self._high, self._case_of_phase, self._cases = high, case_of_phase, cases
        self._solver = Solver(replace(self.model.program, col_high=high), relax=True)

    def value(self, q: float, without: Sequence[int] = ()) -> float:
        """USD a year of the best plan at a chance q of change, with some platforms off the menu.

        Minus infinity where the limits can not be met without them.
        """
        self._set(q, without)
        return self._solver.value() * MILLION

    def racks(self, q: float, without: Sequence[int] = ()) -> Array:
        """[platforms] racks that the best plan buys here and now (one of them, where several are as good)."""
        self._set(q, without)
        if not np.isfinite(self._solver.value()):
            return np.full(len(self.inputs.platforms.names), np.nan)
        found = np.asarray(self._solver.columns()[self.model.stock]) * self.model.rack_unit
        return np.where(found < 1e-7, 0.0, found)

    def _set(self, q: float, without: Sequence[int]) -> None:
        cost = self.model.program.cost.copy()
        scale = (probabilities(self.drift, q) * self._cases)[self._case_of_phase]
        cost[self.model.use] = cost[self.model.use] * scale
        cost[self.model.sold] = cost[self.model.sold] * scale
        self._solver.set_cost(cost)
        high = self._high.copy()
        high[self.model.stock[list(without)]] = 0.0
        self._solver.set_bounds(self.model.program.col_low, high)


@dataclass(frozen=True, slots=True)
class Curve:
    """Columns over `q`: USD a year with all on offer, without the focal platforms, with them alone; racks [q, platforms]."""

    q: Array
    all_usd_per_yr: Array
    without_usd_per_yr: Array
    alone_usd_per_yr: Array
    racks: Array

    @property
    def flexibility_usd_per_yr(self) -> Array:
        """What having the focal platforms on the menu is worth; what is below the solver's tolerance is nothing."""
        made = self.all_usd_per_yr - self.without_usd_per_yr
        return np.where(made > 1e-9 * np.abs(self.all_usd_per_yr), made, 0.0)

    @property
    def lead_usd_per_yr(self) -> Array:
        """The focal platforms alone less all the others."""
        return self.alone_usd_per_yr - self.without_usd_per_yr


def curve(stage: TwoStage, focal: Sequence[int], q: Sequence[float]) -> Curve:
    """The values over chances of change."""
    rest = [p for p in range(len(stage.inputs.platforms.names)) if p not in focal]
    chances = np.asarray(q, dtype=np.float64)
    return Curve(
        chances,
        np.array([stage.value(x) for x in chances]),
        np.array([stage.value(x, focal) for x in chances]),
        np.array([stage.value(x, rest) for x in chances]),
        np.array([stage.racks(x) for x in chances]),
    )


def break_even(stage: TwoStage, focal: Sequence[int], steps: int = 20) -> float | None:
    """The smallest chance of change at which the lead of the focal platforms changes sign; None where it does not.

    A lead of exactly nothing on both sides (neither is worth building) is no change of sign.
    """
    rest = [p for p in range(len(stage.inputs.platforms.names)) if p not in focal]

    def lead(x: float) -> float:
        mine, theirs = stage.value(x, rest), stage.value(x, focal)
        near = 1e-9 * max(abs(mine), abs(theirs), 1.0)
        return 0.0 if abs(mine - theirs) <= near else mine - theirs

    grid = np.linspace(0.0, 1.0, steps + 1)
    seen = [lead(float(x)) for x in grid]
    last: tuple[float, float] | None = None  # the last chance with a lead of either sign
    for x, value in zip(grid, seen, strict=True):
        if value == 0:
            continue
        if last is not None and np.sign(value) != np.sign(last[1]):
            return _halved(lead, last[0], float(x), float(np.sign(last[1])))
        last = (float(x), value)
    return None


def _halved(lead: Callable[[float], float], low: float, high: float, side: float) -> float:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.sign(lead(middle)) == side:
            low = middle
        else:
            high = middle
    return (low + high) / 2
