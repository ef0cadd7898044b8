"""The game behind the moats: what a site is worth with some of a vendor's advantages switched off.

Let F be the focal platforms (one vendor's); rivals stay as they are. A moat that is *off* changes F's own rows only:

| moat        | off means                                                                                  |
|-------------|--------------------------------------------------------------------------------------------|
| software    | tokens x software[w] x (1 - porting), charge x software_charge (a shorter life)            |
| networking  | tokens x networking[w], as in a scale-up domain of the rival's size, same price and watts  |
| perf_per_watt | watts x power, same tokens and price; the shell follows the watts                        |

The worth of a set S of moats is v(S) = J(S) - J(F absent), J being the best annual value with F at its production
cost in the objective and at list price in the capital row: the joint surplus of buyer and vendor, which the price
only splits.

A moat that is *given* instead raises the rivals by the same factors and leaves F as it is.

A run that is owed and that a weakened site can not do is bought outside, at `outside_price` times what its last token
costs this site with all moats on; else one missed date would swallow every other worth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.factory.draws import token_entries
from gigawatt.factory.inputs import PlanInputs
from gigawatt.factory.model import MILLION, Model, build
from gigawatt.factory.solver import LinearProgram, Solver

Array = NDArray[np.float64]
MOATS = ("software", "networking", "perf_per_watt")


@dataclass(frozen=True, slots=True)
class MoatTerms:
    """How strong each moat of the focal platforms is, as factors that apply when it is off.

    Attributes:
        focal: row numbers of the vendor's platforms.
        software: [workloads] rival maturity over focal maturity. porting: share of the life lost in moving over.
        software_charge: factor on the price-linked charge (a shorter life), 1 or more.
        networking: [workloads] tokens in the rival's scale-up domain over tokens in its own.
        power: watts per chip over focal watts at the rival's tokens per watt; below 1 the moat is the rival's.
        cost_share: production cost over list price of F, as in the `system` coefficients.
        small_domain: rivals that a given network would raise. power_rivals: rivals that given watts would raise.
    """

    focal: tuple[int, ...]
    software: Array
    networking: Array
    power: float
    porting: float = 0.0
    software_charge: float = 1.0
    cost_share: float = 1.0
    small_domain: tuple[int, ...] = ()
    power_rivals: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        focal: tuple[int, ...],
        workloads: int,
        *,
        software: ArrayLike = 1.0,
        networking: ArrayLike = 1.0,
        power: float = 1.0,
        porting: float = 0.0,
        software_charge: float = 1.0,
        cost_share: float = 1.0,
        small_domain: tuple[int, ...] = (),
        power_rivals: tuple[int, ...] = (),
    ) -> MoatTerms:
        """Terms with scalars or one factor a workload.

        Raises:
            ValueError: no focal platform, or a factor that is not positive.
        """
        given = (np.asarray(values, dtype=np.float64) for values in (software, networking))
        by_work = [np.array(np.broadcast_to(values, workloads)) for values in given]
        factors = [*by_work[0], *by_work[1], power, 1 - porting, software_charge, cost_share]
        if not focal or not all(value > 0 for value in factors):
            raise ValueError("moats need a focal platform and factors above zero")
        return cls(
            focal, by_work[0], by_work[1], power, porting, software_charge, cost_share, small_domain, power_rivals
        )

    def drawn(self, weak: MoatTerms, strong: MoatTerms, at: Array) -> MoatTerms:
        """Terms of a draw: `at` [3] is where each moat lies from weak (-1) over these terms (0) to strong (1).

        Factors move along their logarithms, all those of one moat together.
        """

        def mix(name: str, t: float) -> Array:
            base = np.asarray(getattr(self, name))
            end = np.asarray(getattr(strong if t > 0 else weak, name))
            return np.asarray(base * (end / base) ** abs(t))

        kept = (strong if at[0] > 0 else weak).porting
        return replace(
            self,
            software=mix("software", float(at[0])),
            porting=1 - (1 - self.porting) * ((1 - kept) / (1 - self.porting)) ** abs(float(at[0])),
            software_charge=float(mix("software_charge", float(at[0]))),
            networking=mix("networking", float(at[1])),
            power=float(mix("power", float(at[2]))),
        )


@dataclass(frozen=True, slots=True)
class Position:
    """One solve of the game: annual value, site power, focal racks."""

    usd_per_yr: float
    site_mw: float
    focal_racks: float


class Game:
    """The fleet programme of a regime, changed in place from one set of moats to the next."""

    def __init__(self, inputs: PlanInputs, *, outside_price: float = 2.0) -> None:
        self.model = build(replace(inputs.with_objective("system").thinned(), integer_racks=False))
        self._inputs = self.model.inputs
        self._cost = self.model.program.cost
        self._solver = Solver(_with_outside(self.model, outside_price), relax=True)
        self._tokens = token_entries(self.model)
        self._shown = [np.ones(len(self._inputs.points)), np.ones(len(self._inputs.points))]

    def value(
        self, terms: MoatTerms, off: tuple[str, ...] = (), *, present: bool = True, given: bool = False
    ) -> Position:
        """The best plan with the moats `off` (or, with `given`, handed to the rivals), F on offer or not."""
        points, inputs = self._inputs.points, self._inputs
        focal = np.isin(points.platform, terms.focal)
        tokens, watts = np.ones(len(points)), np.ones(len(points))
        charge = np.ones(len(inputs.platforms.names))
        work = points.workload
        if "software" in off:
            who, factor = (~focal, 1 / terms.software) if given else (focal, terms.software * (1 - terms.porting))
            tokens[who] *= factor[work[who]]
            if not given:
                charge[list(terms.focal)] *= terms.software_charge
        if "networking" in off:
            who = np.isin(points.platform, terms.small_domain) if given else focal
            tokens[who] *= (1 / terms.networking if given else terms.networking)[work[who]]
        if "perf_per_watt" in off:
            who = np.isin(points.platform, terms.power_rivals) if given else focal
            watts[who] *= 1 / terms.power if given else terms.power
        return self._solve(terms, tokens, watts, charge, present)

    def at_list(self, terms: MoatTerms, factor: float, off: tuple[str, ...] = ()) -> Position:
        """The buyer's plan at `factor` x the list price of F, in its charge and in the capital row."""
        points, focal = self._inputs.points, list(terms.focal)
        tokens, watts = np.ones(len(points)), np.ones(len(points))
        own = np.isin(points.platform, terms.focal)
        charge = np.ones(len(self._inputs.platforms.names))
        charge[focal] = factor / terms.cost_share
        if "software" in off:
            tokens[own] *= (terms.software * (1 - terms.porting))[points.workload[own]]
            charge[focal] *= terms.software_charge
        if "networking" in off:
            tokens[own] *= terms.networking[points.workload[own]]
        if "perf_per_watt" in off:
            watts[own] *= terms.power
        self._capital(terms.focal, factor)
        found = self._solve(terms, tokens, watts, charge, True)
        self._capital(terms.focal, 1.0)
        return found

    def _capital(self, focal: tuple[int, ...], factor: float) -> None:
        row = next(limit.row for limit in self.model.limits if limit.kind == "capital")
        for p in focal:
            capex = float(self._inputs.platforms.capex_usd[p]) / MILLION
            self._solver.set_entry(row, int(self.model.stock[p]), capex * factor)

    def _solve(self, terms: MoatTerms, tokens: Array, watts: Array, charge: Array, present: bool) -> Position:
        model, inputs, solver = self.model, self._inputs, self._solver
        shown_tokens, shown_watts = self._shown
        for row, column, j, amount in self._tokens:
            if tokens[j] != shown_tokens[j]:
                solver.set_entry(row, column, amount * float(tokens[j]))
        for j in np.flatnonzero(watts != shown_watts).tolist():
            for f, draw in enumerate(model.power_row.tolist()):
                solver.set_entry(draw, int(model.use[j, f]), float(inputs.points.mw[j] * watts[j]))
        self._shown = [tokens, watts]
        mine = inputs.chosen
        cost = self._cost.copy()
        weight = np.array([phase.weight for phase in inputs.phases])
        cost[model.use] = np.outer(mine.other_usd_per_yr - mine.energy_usd_per_yr * watts, weight) / MILLION
        cost[model.stock] -= mine.price_usd_per_yr * (charge - 1) / MILLION
        solver.set_cost(cost)
        for limit in model.limits:
            if limit.kind == "supply" and limit.subject in terms.focal:
                solver.set_row(limit.row, -np.inf, limit.bound if present else 0.0)
        value = solver.value()
        if not np.isfinite(value):
            return Position(0.0, 0.0, 0.0)
        x = solver.columns()
        mw = (x[model.use] * (inputs.points.mw * watts)[:, None]).sum(axis=0).max(initial=0.0)
        return Position(value * MILLION, float(mw), float(x[model.stock[list(terms.focal)]].sum()))


def _with_outside(model: Model, outside_price: float) -> LinearProgram:
    """The programme with one more column an obligation: its tokens bought elsewhere."""
    owed = [limit for limit in model.limits if limit.kind == "obligation"]
    program = model.program
    if not owed:
        return program
    base = Solver(program, relax=True).solve()
    if not base.optimal:
        from gigawatt.factory.conflict import infeasible

        raise infeasible(model)
    n, rows = program.cost.size, np.array([limit.row for limit in owed], dtype=np.int64)
    # The dual of an obligation is the (negative) worth of one more.
    price = np.maximum(-base.row_dual[rows], 1e-6) * outside_price
    return LinearProgram(
        np.concatenate([program.cost, -price]),
        np.concatenate([program.col_low, np.zeros(len(owed))]),
        np.concatenate([program.col_high, np.full(len(owed), np.inf)]),
        program.row_low,
        program.row_high,
        np.concatenate([program.rows, rows]),
        np.concatenate([program.columns, n + np.arange(len(owed))]),
        np.concatenate([program.values, np.ones(len(owed))]),
        program.row_names,
        np.concatenate([program.integer, np.zeros(len(owed), dtype=np.bool_)]),
    )
