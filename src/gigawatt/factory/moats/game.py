"""The game behind the moats: what a site is worth with some of a vendor's advantages switched off.

Let F be the vendor's platforms; rivals stay in the menu as they are. The worth of a set S of moats is

    v(S) = J(S) - J(F absent),     J = best annual value with F at production cost in the objective, list price in the capital
                                       row, and the named rival's values for every moat that is not in S

the joint surplus of buyer and vendor, which a price only splits. At a price instead (`price`, over list) the same programme
is the buyer's own: its value less that without F is the buyer's surplus, and (price - cost) x racks the vendor's profit.

A moat that is *given* raises the rivals and leaves F as it is. A run that is owed and that a weakened site can not do is
bought outside, at `outside_price` times what its last token costs this site with all moats on; else one missed date would
swallow every other worth.

One programme is built for a regime and changed in place from one coalition, draw or price to the next: HiGHS keeps its basis.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.draws import token_entries
from gigawatt.factory.inputs import PlanInputs
from gigawatt.factory.moats.shapley import Coalition, coalitions, shapley
from gigawatt.factory.moats.terms import MOATS, MoatTerms
from gigawatt.factory.model import MILLION, Model, build
from gigawatt.factory.solver import LinearProgram, Solver

Array = NDArray[np.float64]
SUBSETS = coalitions(MOATS)
# The same sets, each one moat away from the last: little changes in the programme, and few steps from the last optimum.
_WALK: tuple[Coalition, ...] = tuple(
    tuple(m for k, m in enumerate(MOATS) if (at ^ (at >> 1)) >> k & 1) for at in range(2 ** len(MOATS))
)


@dataclass(frozen=True, slots=True)
class World:
    """What a draw changes beside the terms: factors, 1 where None.

    Attributes:
        tokens: [platforms, workloads]. group: [groups of points]. price: [workloads] of tokens. platform: [platforms] of
            the price-linked charge. energy, shell: of what a watt-hour and a MW of building cost.
    """

    tokens: Array | None = None
    group: Array | None = None
    price: Array | None = None
    platform: Array | None = None
    energy: float = 1.0
    shell: float = 1.0


PLAIN = World()
_NOISE = 1e-9  # of the worths that a value is a mean of


@dataclass(frozen=True, slots=True)
class Position:
    """One solve: annual value of whoever it is solved for, site power, racks [platforms], the vendor's profit."""

    usd_per_yr: float
    site_mw: float
    racks: Array
    profit_usd_per_yr: float
    accelerators: float


@dataclass(slots=True)
class _Shown:
    """What the programme holds now, so that only what differs is changed."""

    tokens: Array
    watts: Array
    capex: Array
    absent: bool = False
    supply: dict[int, float] = field(default_factory=dict)


def at_production_cost(inputs: PlanInputs, terms: MoatTerms) -> PlanInputs:
    """The inputs with F at its production cost in the objective; capital stays at list price. Racks may be fractions."""
    mine = inputs.chosen
    charge = mine.platform_usd_per_yr - mine.price_usd_per_yr * (1 - terms.cost_share)
    joint = replace(
        mine, name="joint", platform_usd_per_yr=charge, price_usd_per_yr=mine.price_usd_per_yr * terms.cost_share
    )
    return replace(inputs, coefficients=(joint,), objective="joint", integer_racks=False, block_racks=1)


class Game:
    """The fleet programme of a regime, changed in place.

    Args:
        inputs: the site; the chosen coefficients are the buyer's, with every platform at its list price.
        terms: of the moats.
        outside_price: what an owed token costs outside, over what the last one costs this site with all moats on.

    Raises:
        Infeasible: the site has no plan even with all moats on.
    """

    def __init__(self, inputs: PlanInputs, terms: MoatTerms, *, outside_price: float = 2.0) -> None:
        self.terms = terms
        self._list = inputs.thinned()
        self.model = build(at_production_cost(self._list, terms))
        self.inputs = self.model.inputs
        program = _with_outside(self.model, outside_price)
        self._solver = Solver(program, relax=True)
        self._tokens = token_entries(self.model)
        n, platforms = len(self.inputs.points), self.inputs.platforms
        self._shown = _Shown(np.ones(n), np.ones(n), np.array(platforms.capex_usd))
        self._rows = {(limit.kind, limit.subject): limit for limit in self.model.limits}
        self._supply = np.array(platforms.supply_racks)

    def set_power(self, mw: float) -> None:
        """Another limit of site power, from now on."""
        self._solver.set_row(self._rows["power", 0].row, -np.inf, mw)

    def set_supply(self, racks: Array) -> None:
        """Other supplies [platforms], from now on."""
        self._supply = np.array(racks)
        for p, limit in enumerate(racks.tolist()):
            self._solver.set_row(self._rows["supply", p].row, -np.inf, limit)
        self._shown.absent = False

    def value(
        self,
        off: Coalition = (),
        *,
        given: Coalition = (),
        present: bool = True,
        price: float | None = None,
        box: bool = False,
        terms: MoatTerms | None = None,
        world: World = PLAIN,
    ) -> Position:
        """The best plan.

        Args:
            off: moats that F lacks. given: moats that every rival has.
            present: F is on offer.
            price: None is production cost in the objective and list in the capital row; else this factor on list in both.
            box: F's platforms are boxes of the rival's domain: their price and watts too.
            terms: of a draw. world: of a draw.
        """
        t = self.terms if terms is None else terms
        charge, dear, drawn = self._set(t, off, given, present, price, box, world)
        return self._position(t, price, charge, dear, drawn, world)

    def worths(self, terms: MoatTerms | None = None, world: World = PLAIN) -> dict[Coalition, float]:
        """v(S) of every set of moats that are on, USD per year: nine solves."""
        t = self.terms if terms is None else terms
        out = {}
        for on in _WALK:
            self._set(t, tuple(m for m in MOATS if m not in on), (), True, None, False, world)
            out[on] = self._usd()
        self._set(t, (), (), False, None, False, world)
        absent = self._usd()
        return {on: _clean(out[on] - absent, absent) for on in SUBSETS}

    def _usd(self) -> float:
        """USD per year of the programme as it stands; 0 where nothing fits."""
        value = self._solver.value()
        return value * MILLION if np.isfinite(value) else 0.0

    def _set(
        self,
        t: MoatTerms,
        off: Coalition,
        given: Coalition,
        present: bool,
        price: float | None,
        box: bool,
        world: World,
    ) -> tuple[Array, Array, Array]:
        """Change the programme to this question: factors on charges and on whole prices [platforms], on watts [points]."""
        p, w = self.inputs.points.platform, self.inputs.points.workload
        tokens, watts, charge = self._factors(t, off, given)
        dear = t.box_price if box else np.ones_like(charge)
        if world.tokens is not None:
            tokens = tokens * world.tokens
        made = tokens[p, w] * (1.0 if world.group is None else world.group[self.inputs.points.group])
        drawn = (watts * t.box_watts[:, None] if box else watts)[p, w]
        self._show_tokens(made)
        self._show_watts(drawn)
        self._show_capex(t, price, dear)
        self._show_supply(t, present)
        self._solver.set_cost(self._cost(t, price, charge, dear, drawn, world))
        return charge, dear, drawn

    def _factors(self, t: MoatTerms, off: Coalition, given: Coalition) -> tuple[Array, Array, Array]:
        """Tokens and watts [platforms, workloads] and charges [platforms] of a set of moats, over those of the inputs."""
        tokens = t.given_software.copy() if "software" in given else np.ones_like(t.software)
        watts, charge = np.ones_like(tokens), np.ones(len(tokens))
        if "software" in off:
            tokens *= t.software
            charge *= t.charge
        if "networking" in off:
            tokens *= t.networking
        if "networking" in given:
            tokens *= t.given_networking
        if "perf_per_watt" in off:
            watts *= t.watts
        if "perf_per_watt" in given:
            watts *= t.given_watts
        return tokens, watts, charge

    def _show_tokens(self, made: Array) -> None:
        shown = self._shown.tokens
        for row, column, j, amount in self._tokens:
            if made[j] != shown[j]:
                self._solver.set_entry(row, column, amount * float(made[j]))
        self._shown.tokens = made

    def _show_watts(self, drawn: Array) -> None:
        model, mw = self.model, self.inputs.points.mw
        for j in np.flatnonzero(drawn != self._shown.watts).tolist():
            for f, row in enumerate(model.power_row.tolist()):
                self._solver.set_entry(row, int(model.use[j, f]), float(mw[j] * drawn[j]))
        self._shown.watts = drawn

    def _show_capex(self, t: MoatTerms, price: float | None, dear: Array) -> None:
        """The capital row: list price, or the price asked on the part of a rack that F's vendor is paid."""
        capex = self.inputs.platforms.capex_usd * dear
        if price is not None:
            focal = list(t.focal)
            capex[focal] *= 1 + t.sold_share[focal] * (price - 1)
        row = self._rows["capital", 0].row
        for p in np.flatnonzero(capex != self._shown.capex).tolist():
            self._solver.set_entry(row, int(self.model.stock[p]), float(capex[p]) / MILLION)
        self._shown.capex = capex

    def _show_supply(self, t: MoatTerms, present: bool) -> None:
        if self._shown.absent is not present:
            return
        for p in t.focal:
            limit = float(self._supply[p]) if present else 0.0
            self._solver.set_row(self._rows["supply", p].row, -np.inf, limit)
        self._shown.absent = not present

    def _paid(self, t: MoatTerms, price: float | None, charge: Array, world: World) -> Array:
        """[platforms] factor on the price-linked charge at list."""
        factor = charge * (1.0 if world.platform is None else world.platform)
        paid = t.cost_share if price is None else np.where(_mask(t, len(charge)), price, 1.0)
        return np.asarray(factor * paid)

    def _cost(self, t: MoatTerms, price: float | None, charge: Array, dear: Array, drawn: Array, world: World) -> Array:
        model, mine = self.model, self._list.chosen
        weight = np.array([phase.weight for phase in self.inputs.phases])
        cost = model.program.cost.copy()
        energy = mine.energy_usd_per_yr * drawn * world.energy
        cost[model.use] = np.outer(mine.other_usd_per_yr - energy, weight) / MILLION
        paid = self._paid(t, price, charge, world) - 1
        cost[model.stock] = -dear * (mine.platform_usd_per_yr + mine.price_usd_per_yr * paid) / MILLION
        cost[model.site] *= world.shell
        if world.price is not None:
            cost[model.sold] *= world.price[self.inputs.segments.workload][:, None]
        return cost

    def _position(
        self, t: MoatTerms, price: float | None, charge: Array, dear: Array, drawn: Array, world: World
    ) -> Position:
        value, inputs = self._solver.value(), self.inputs
        if not np.isfinite(value):
            return Position(0.0, 0.0, np.zeros(len(charge)), 0.0, 0.0)
        x = self._solver.columns()
        racks = x[self.model.stock]
        mw = (x[self.model.use] * (inputs.points.mw * drawn)[:, None]).sum(axis=0).max(initial=0.0)
        focal = list(t.focal)
        at = 1.0 if price is None else price
        worn = charge * (1.0 if world.platform is None else world.platform) * dear
        each = self._list.chosen.price_usd_per_yr * worn * (at - t.cost_share)
        return Position(
            value * MILLION,
            float(mw),
            np.asarray(racks),
            float((each * racks)[focal].sum()),
            float((racks * inputs.platforms.chips_per_rack)[focal].sum()),
        )


def values_of(worth: dict[Coalition, float]) -> dict[str, float]:
    """Shapley values, without what rounding leaves of moats that do nothing."""
    noise = _NOISE * max(abs(v) for v in worth.values())
    return {m: v if abs(v) > noise else 0.0 for m, v in shapley(worth, MOATS).items()}


def _clean(value: float, beside: float) -> float:
    """Nothing where a difference is no more than what the solver leaves open."""
    return 0.0 if abs(value) < 1e-7 * max(abs(beside), 1e6) else value


def _mask(t: MoatTerms, count: int) -> NDArray[np.bool_]:
    out = np.zeros(count, dtype=np.bool_)
    out[list(t.focal)] = True
    return out


def _with_outside(model: Model, outside_price: float) -> LinearProgram:
    """The programme with one more column an obligation: its tokens bought elsewhere, at a price from the base plan."""
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
