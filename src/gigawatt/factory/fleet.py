"""`plan`: which racks to buy, what to run on them, what limits it and what was left out. A pure function.

Steps: build the program; solve it; solve again for the same value with the least capital and the lowest row numbers,
so that one of several equal plans is always the same one; price every limit from both sides; price what was not
chosen.

The shell is paid per MW of site power that is built, with a price and a life of its own, and not per rack: racks of
one platform that run at less power need less building. Site power built is the highest draw of any phase.

With whole racks there are three prices, and all are given: of the linear relaxation (what a MW is worth in the long
run), with the racks fixed (what it is worth to the fleet as built), and the true gain of a step that one would buy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.core.table import Table
from gigawatt.factory.alternatives import Alternative, alternatives
from gigawatt.factory.conflict import infeasible
from gigawatt.factory.inputs import PlanInputs
from gigawatt.factory.limits import Limit, activity, sentence, shadow_prices
from gigawatt.factory.model import MILLION, T_TOKENS_PER_YR, Model, build
from gigawatt.factory.solver import Answer, Solver

Array = NDArray[np.float64]
_SAME = 1e-11  # tighter than the 1e-9 of the solver, so that no value is traded for capital
_DUST = 1e-7


@dataclass(frozen=True, slots=True)
class Plan:
    """The best fleet. USD per year are discounted means over the phases.

    Attributes:
        inputs: what was asked, with the objective it was solved for.
        value_usd_per_yr: the optimum for that party.
        racks: [platforms] owned. use: [points, phases] racks in use. sold_tokens_per_s: [segments, phases].
        site_mw: power that is built. capital_usd: racks at list price and the shell.
        limits: what limits it. alternatives: what was not chosen.
        bound_usd_per_yr: with whole racks, the linear optimum above; else the value.
    """

    inputs: PlanInputs
    value_usd_per_yr: float
    racks: Array
    use: Array
    sold_tokens_per_s: Array
    site_mw: float
    capital_usd: float
    limits: tuple[Limit, ...]
    alternatives: tuple[Alternative, ...]
    bound_usd_per_yr: float

    @property
    def weights(self) -> Array:
        """Discounted share of each phase."""
        return np.array([phase.weight for phase in self.inputs.phases])

    @property
    def mean_use(self) -> Array:
        """[points] racks in use, mean over phases."""
        return np.asarray(self.use @ self.weights)

    @property
    def revenue_usd_per_yr(self) -> float:
        """From sold tokens, all of it, whoever receives it."""
        return float(self.revenue_by_workload.sum())

    @property
    def revenue_by_workload(self) -> Array:
        """[workloads] USD per year from sold tokens."""
        segments = self.inputs.segments
        per_s = segments.usd_per_mtok * (self.sold_tokens_per_s @ self.weights)
        out = np.zeros(len(self.inputs.workloads))
        np.add.at(out, segments.workload, per_s * T_TOKENS_PER_YR * MILLION)
        return out

    def made_tokens_per_s(self) -> Array:
        """[workloads, phases] output or trained tokens per second that the fleet makes."""
        points = self.inputs.points
        out = np.zeros((len(self.inputs.workloads), self.use.shape[1]))
        np.add.at(out, points.workload, self.use * points.tokens_out_per_s[:, None])
        return out

    def table(self) -> Table:
        """One row a platform, workload, point and phase in use."""
        points, inputs = self.inputs.points, self.inputs
        rows = [
            {
                "platform": inputs.platforms.names[points.platform[j]],
                "workload": inputs.workloads[points.workload[j]],
                "point": points.label[j],
                "phase": inputs.phases[f].name,
                "racks": float(self.use[j, f]),
                "mw": float(self.use[j, f] * points.mw[j]),
                "tokens_in_per_s": float(self.use[j, f] * points.tokens_in_per_s[j]),
                "tokens_out_per_s": float(self.use[j, f] * points.tokens_out_per_s[j]),
            }
            for j in range(len(points))
            for f in range(self.use.shape[1])
            if self.use[j, f] > 0
        ]
        columns = ("platform", "workload", "point", "phase", "racks", "mw", "tokens_in_per_s", "tokens_out_per_s")
        return Table.from_rows("use", rows, columns, {"mw": "MW"} | dict.fromkeys(columns[-2:], "token/s"))

    def sentences(self) -> list[str]:
        """What binds first, then power and capital where they do not, then what comes nearest to being chosen."""
        shown = [limit for limit in self.limits if limit.binding or limit.kind in ("power", "capital")]
        words = [sentence(limit) for limit in sorted(shown, key=lambda limit: not limit.binding)]
        first = next(iter(self.alternatives), None)
        if first is not None:
            worse = first.worse_usd_per_mw_yr / MILLION
            words.append(
                f"First alternative: {first.platform} on {first.workload}, {worse:,.3g} M USD a year worse per MW."
            )
        return words


def plan(inputs: PlanInputs, *, prices: bool = True) -> Plan:
    """The fleet of highest value per year for the party named by `inputs.objective`.

    Args:
        inputs: platforms, points, prices, limits, coefficients.
        prices: work out limits and alternatives too (else both are empty: one solve and its tie-break).

    Raises:
        Infeasible: the limits conflict; names an irreducible set of them and the smallest change that fits.
    """
    model = build(inputs)
    linear = Solver(model.program, relax=True).solve()
    if not linear.optimal:
        raise _no_plan(model, linear)
    whole = _whole(model) if inputs.integer_racks else linear
    chosen = _tie_break(model, whole)
    limits = shadow_prices(model, linear, chosen) if prices else ()
    if prices and inputs.integer_racks:
        limits = _integer_prices(model, whole, limits)
    others = alternatives(model, linear) if prices else ()
    racks = _clean(chosen[model.stock]) * model.rack_unit
    if inputs.integer_racks:
        racks = np.round(racks)
    use = _clean(chosen[model.use])
    site_mw = float((use * inputs.points.mw[:, None]).sum(axis=0).max(initial=0.0))
    return Plan(
        inputs,
        whole.value * MILLION - inputs.chosen.fixed_usd_per_yr,
        racks,
        use,
        _clean(chosen[model.sold]) / T_TOKENS_PER_YR,
        site_mw,
        float(racks @ inputs.platforms.capex_usd) + inputs.shell_usd_per_mw * site_mw,
        limits,
        others,
        linear.value * MILLION - inputs.chosen.fixed_usd_per_yr,
    )


def plan_all_objectives(inputs: PlanInputs, *, prices: bool = False) -> dict[str, Plan]:
    """The best plan of each party, by its name; by default without prices of limits."""
    return {party.name: plan(inputs.with_objective(party.name), prices=prices) for party in inputs.coefficients}


def value_of(plan_: Plan, party: str) -> float:
    """What a plan is worth per year to `party` (a name of a coefficient set), USD."""
    model = build(plan_.inputs.with_objective(party))
    x = np.zeros(model.program.cost.size)
    x[model.stock] = plan_.racks / model.rack_unit
    x[model.use] = plan_.use
    x[model.site] = plan_.site_mw
    x[model.sold] = plan_.sold_tokens_per_s * T_TOKENS_PER_YR
    return float(model.program.cost @ x * MILLION) - model.inputs.chosen.fixed_usd_per_yr


def _clean(x: Array) -> Array:
    """Solver dust to zero."""
    return np.where(np.abs(x) < _DUST, 0.0, x)


def _no_plan(model: Model, answer: Answer) -> Exception:
    if answer.status == "infeasible":
        return infeasible(model)
    if answer.status == "unbounded":
        return ValueError("the plan is unbounded: some point earns without limit and nothing limits racks or power")
    return RuntimeError(f"the solver ended with '{answer.status}'")


def _tie_break(model: Model, best: Answer) -> Array:
    """Of all plans of this value, the one with the least capital, then the lowest row numbers."""
    program = model.program
    slack = _SAME * max(1.0, abs(best.value))
    fixed = program.with_row(program.cost, best.value - slack, np.inf, "value")
    if program.integer.any():
        low, high = program.col_low.copy(), program.col_high.copy()
        low[model.stock] = high[model.stock] = np.round(best.x[model.stock])
        fixed = replace(fixed, col_low=low, col_high=high)
    answer = Solver(replace(fixed, cost=-model.tie_break), relax=True).solve()
    return answer.x if answer.optimal else best.x


def _whole(model: Model) -> Answer:
    """The best plan of whole blocks."""
    answer = Solver(model.program, gap=model.inputs.integer_gap).solve()
    if not answer.optimal:
        blocks = f"blocks of {model.rack_unit}" if model.rack_unit > 1 else "whole racks"
        raise Infeasible(f"no plan of {blocks} meets all limits, though one of parts of racks does")
    return answer


def _integer_prices(model: Model, whole: Answer, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Adds the price with the racks fixed and the true gain of a step of one per cent (at least one rack)."""
    program = model.program
    low, high = program.col_low.copy(), program.col_high.copy()
    low[model.stock] = high[model.stock] = np.round(whole.x[model.stock])
    built = Solver(replace(program, col_low=low, col_high=high), relax=True).solve()
    probe = Solver(program, gap=min(model.inputs.integer_gap, 1e-6))
    base = probe.value()
    used = activity(model, whole.x)
    out = []
    rows = {row.name: row for row in model.limits}
    for limit in limits:
        row = rows[limit.name]
        operating = float(built.row_dual[row.row]) * row.price_scale if built.optimal else None
        near = abs(row.bound - used[row.row]) <= 0.02 * max(row.bound, 1e-12)
        if not (near or limit.binding):
            out.append(replace(limit, operating=operating, increment=0.0))
            continue
        step = max(0.01 * row.bound, float(model.rack_unit) if row.kind == "supply" else 0.0)
        bound = row.bound + step
        probe.set_row(row.row, bound if row.lower else -np.inf, np.inf if row.lower else bound)
        gain = (probe.value() - base) / step if step > 0 else 0.0
        gain = 0.0 if abs(gain * step) < _SAME * max(1.0, abs(base)) else gain
        probe.set_row(row.row, row.bound if row.lower else -np.inf, np.inf if row.lower else row.bound)
        out.append(
            replace(limit, operating=operating, increment=gain * row.price_scale, increment_step=step * row.scale)
        )
    return tuple(out)
