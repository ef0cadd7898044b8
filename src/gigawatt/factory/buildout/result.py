"""What a build-out answers: what is bought, owned, run and sold by quarter, what it earns, and what limited it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.factory.buildout.inputs import BuildInputs
from gigawatt.factory.buildout.limits import PeriodLimit, sentences
from gigawatt.factory.buildout.programme import Programme
from gigawatt.factory.model import MILLION, T_TOKENS_PER_YR

Array = NDArray[np.float64]
_DUST = 1e-7  # racks, MW, T tokens a year: a hundred times the solver's tolerance
_DUST_USD = 10.0  # that tolerance on M USD, times what a horizon adds up


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is done by quarter, in racks, MW and tokens per second; points as in the inputs they were made for."""

    racks: Array
    bought: Array
    retired: Array
    use: Array
    sold: Array
    built_mw: Array
    site_mw: Array

    @classmethod
    def of(cls, programme: Programme, x: Array, rows: NDArray[np.bool_]) -> Decisions:
        """From the columns of a programme of the points `rows` (a mask of all points); solver dust is cleaned off."""
        clean = np.where(np.abs(x) < _DUST, 0.0, x)
        bought = clean[programme.bought] * programme.unit
        use = np.zeros((rows.size, programme.use.shape[1]))
        use[rows] = clean[programme.use]
        return cls(
            clean[programme.stock],
            np.round(bought) if programme.inputs.block_racks else bought,
            clean[programme.left],
            use,
            clean[programme.sold] / T_TOKENS_PER_YR,
            clean[programme.built],
            clean[programme.shell],
        )


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The build-out.

    Attributes:
        inputs: what was asked. policy: perfect, rolling or myopic; window: quarters that it saw (None: all).
        npv_usd: present value at the start of the first quarter, for whom `cost_usd` and the prices are.
        bound_usd: optimum with any part of a rack and all quarters known: no plan is worth more.
        perfect_usd: value with all quarters known, as the plan was asked for (in blocks, to within their gap).
        racks, bought, retired: [P, T] owned over the quarter; bought and gone at its start. use: [J, T] racks in use.
        sold: [S, T] tokens per second. site_mw: [T] shell that stands. cash_usd: [T] after the purchases of a quarter
            (infinite where capital is no limit).
        limits: what limited it, by kind, subject and quarter. notes: what else a reader must know, in words.
    """

    inputs: BuildInputs
    policy: str
    window: int | None
    npv_usd: float
    bound_usd: float
    perfect_usd: float
    racks: Array
    bought: Array
    retired: Array
    use: Array
    sold: Array
    built_mw: Array
    site_mw: Array
    cash_usd: Array
    limits: tuple[PeriodLimit, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def lost_usd(self) -> float:
        """What seeing less than all quarters costs."""
        return max(self.perfect_usd - self.npv_usd, 0.0)

    @property
    def lost_share(self) -> float:
        """`lost_usd` over the value with all quarters known (NaN where that is not positive)."""
        return self.lost_usd / self.perfect_usd if self.perfect_usd > 0 else float("nan")

    @property
    def draw_mw(self) -> Array:
        """[T] at the meter."""
        return np.asarray(self.inputs.points.mw @ self.use)

    @property
    def made_tokens_per_s(self) -> Array:
        """[W, T] output or trained tokens that the fleet makes, sold or not."""
        points = self.inputs.points
        speed = self.inputs.speed[points.platform, points.workload]
        out = np.zeros((len(self.inputs.workloads), self.use.shape[1]))
        np.add.at(out, points.workload, self.use * speed * points.tokens_out_per_s[:, None])
        return out

    @property
    def running_usd(self) -> dict[str, Array]:
        """{line: [T]} earned (+) or paid (-) at the end of each quarter, nominal: what operation brings."""
        inputs, y = self.inputs, self.inputs.period_yr
        tokens = self.sold * T_TOKENS_PER_YR * MILLION  # million tokens a year
        return {
            "revenue": (inputs.price_usd_per_mtok * tokens).sum(axis=0) * inputs.revenue_share * y,
            "energy": -(inputs.energy_usd_per_yr * self.use).sum(axis=0) * y,
            "other": inputs.other_usd_per_yr @ self.use * y,
            "upkeep": -(inputs.upkeep_usd_per_yr @ self.racks + inputs.shell_upkeep_usd_per_mw_yr * self.site_mw) * y,
        }

    @property
    def capital_usd(self) -> dict[str, Array]:
        """{line: [T]} paid (-) or received (+) for racks and shell as the objective counts them, nominal.

        At the start of each quarter: racks, shell, resale. At the end of the last: terminal. In rental form a charge at the
        end of each quarter takes the place of all four.
        """
        inputs, n_t = self.inputs, self.racks.shape[1]
        if inputs.charge_usd_per_yr is not None and inputs.shell_charge_usd_per_mw_yr is not None:
            charge = inputs.charge_usd_per_yr @ self.racks + inputs.shell_charge_usd_per_mw_yr * self.site_mw
            return {"charge": -charge * inputs.period_yr}
        terminal = np.zeros(n_t)
        terminal[-1] = inputs.terminal_usd @ self.racks[:, -1] + inputs.shell_terminal_usd_per_mw @ self.built_mw
        return {
            "racks": -(inputs.cost_usd * self.bought).sum(axis=0),
            "shell": -inputs.shell_usd_per_mw * self.built_mw,
            "resale": (inputs.resale_usd * self.retired).sum(axis=0),
            "terminal": terminal,
        }

    @property
    def present_usd(self) -> dict[str, float]:
        """{line: present value}; they sum to `npv_usd`."""
        inputs = self.inputs
        at_start = ("racks", "shell", "resale")
        lines = self.running_usd | self.capital_usd
        return {
            name: float((inputs.opening_discount if name in at_start else inputs.discount) @ flow)
            for name, flow in lines.items()
        }

    @property
    def binding(self) -> tuple[PeriodLimit, ...]:
        """The limits that bind."""
        return tuple(limit for limit in self.limits if limit.binding)

    def sentences(self) -> list[str]:
        """What binds, quarter by quarter, and what else must be known."""
        return sentences(self.binding) + list(self.notes)

    def table(self) -> Table:
        """One row a quarter and platform that is owned, bought or gone."""
        inputs = self.inputs
        p, t = np.nonzero((self.racks > 0) | (self.bought > 0) | (self.retired > 0))
        order = np.lexsort((p, t))
        p, t = p[order], t[order]
        draw = np.zeros(self.racks.shape)
        np.add.at(draw, inputs.points.platform, self.use * inputs.points.mw[:, None])
        columns = {
            "quarter": [inputs.quarters[i] for i in t],
            "platform": [inputs.platforms[i] for i in p],
            "racks": self.racks[p, t].tolist(),
            "bought": self.bought[p, t].tolist(),
            "retired": self.retired[p, t].tolist(),
            "mw": draw[p, t].tolist(),
        }
        return Table("fleet", columns, {"mw": "MW"})


def cash(inputs: BuildInputs, plan: BuildPlan) -> Array:
    """[T] USD after the purchases of a quarter, by adding up what comes in and goes out (not read from the solver)."""
    margin = sum(plan.running_usd.values(), np.zeros(plan.racks.shape[1]))
    spent = (inputs.list_usd * plan.bought).sum(axis=0) + inputs.shell_usd_per_mw * plan.built_mw
    resale = np.zeros(spent.size) if inputs.rented else (inputs.resale_usd * plan.retired).sum(axis=0)
    earned = np.concatenate([[0.0], inputs.reinvest_share * margin[:-1]])
    held = np.cumsum(inputs.capital_usd - spent + resale + earned)
    return np.where(np.abs(held) < _DUST_USD, 0.0, held)
