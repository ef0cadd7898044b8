"""The build-out as one linear programme, in units that the solver likes: racks, MW, million USD, trillion tokens a year.

    max  sum_t d_t y m_t  -  sum_t o_t (cost b + shell h - resale r)  +  d_T (terminal N_T + shell_terminal h)     M USD
    m_t  = revenue share x price s + (other - energy) u - upkeep N - shell upkeep H                                M USD/yr
    s.t. stock       N[p,t] = N[p,t-1] + b[p,t-lead] + arriving - r[p,t]
                     r[p,t] <= N[p,t-1]
         life        N[p,t] <= what came into use in the last `life` quarters
         use         sum_{j of p} u[j,t] <= N[p,t]
         draw        sum_j MW_j u[j,t] <= q_t <= H_t,   H_t = H_{t-1} + h_t        shell stays once built
         sell        sum_{s of w} s[s,t] <= sum_{j of w} speed[p,w,t] tok_j u[j,t]
         power       q_t <= P_t                    demand      s[s,t] <= D[s,t]
         supply      b[p,t] <= S[p,t]              obligation  sum_{j of w} speed tok u >= R[o,t]
         capital     C_t - C_{t-1} + list b + shell h - resale r - rho y m_{t-1} <= K_t,   C_t >= 0

N racks owned, b bought, r that leave, u in use by operating point, h and H shell built and standing, q power drawn, s tokens
sold, C cash after the purchases of a quarter. d_t and o_t discount to its end and start, y is its length in years. Life binds
the platform's stock and not each rack, which loses nothing: the oldest leave first and all of a platform resell alike.

In rental form the objective pays a charge per year on N and H, and neither buys nor resells; the capital row stays.
Rows and columns are assembled by index arithmetic; columns of a kind form one block, by [subject, quarter].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.factory.buildout.inputs import BuildInputs
from gigawatt.factory.model import MILLION, T_TOKENS_PER_YR, LimitRow
from gigawatt.factory.solver import LinearProgram

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
KINDS = ("power", "capital", "supply", "demand", "obligation")
_DROPPED = 1e-9  # of a USD million or T tokens a year, per rack: under what any answer shows


@dataclass(frozen=True, slots=True)
class Programme:
    """The programme of some inputs, and where everything stands in it.

    Attributes:
        stock, bought, left: [P, T] columns (`bought` counts blocks of `unit` racks). use: [J, T]. built, shell, drawn: [T].
        sold: [S, T]. cash: [T].
        limit_row: {kind: [T] or [subject, T] rows}; `bound` likewise, in row units.
    """

    inputs: BuildInputs
    program: LinearProgram
    stock: Indices
    bought: Indices
    left: Indices
    use: Indices
    built: Indices
    shell: Indices
    drawn: Indices
    sold: Indices
    cash: Indices
    limit_row: dict[str, Indices]
    bound: dict[str, Array]
    unit: float

    def limits(self) -> tuple[LimitRow, ...]:
        """Every limit that is not infinite, by kind, subject and quarter; `subject` counts platforms, segments, duties."""
        out = []
        for kind in KINDS:
            for (subject, t), row in np.ndenumerate(self.limit_row[kind]):
                bound = float(self.bound[kind][subject, t])
                if np.isfinite(bound):
                    out.append(self.limit(kind, subject, t, int(row), bound))
        return tuple(out)

    def limit(self, kind: str, subject: int, t: int, row: int, bound: float) -> LimitRow:
        """One limit with its name and what a unit of its row means; worths are in present USD."""
        inputs = self.inputs
        per_s = 1 / T_TOKENS_PER_YR
        mtok = MILLION / (inputs.period_yr * 1e6)  # M USD per T tokens a year, held for the quarter, per million tokens
        names = {"supply": inputs.platforms, "demand": inputs.segments, "obligation": inputs.obligations}
        text = {
            "power": "power",
            "capital": "capital",
            "supply": "supply of ",
            "demand": "demand of ",
            "obligation": "",
        }[kind]
        name = f"{text}{names[kind][subject] if kind in names else ''} in {inputs.quarters[t]}"
        name = f"obligation {name}" if kind == "obligation" else name
        unit, scale, price_unit, price = {
            "power": ("MW", 1.0, "USD per MW", MILLION),
            "capital": ("USD", MILLION, "USD per USD", 1.0),
            "supply": ("racks", 1.0, "USD per rack", MILLION),
            "demand": ("tokens/s", per_s, "USD per million tokens", mtok),
            "obligation": ("tokens/s", per_s, "USD per million tokens", mtok),
        }[kind]
        return LimitRow(name, kind, subject, row, bound, kind == "obligation", unit, scale, price_unit, price)

    @property
    def tie_break(self) -> Array:
        """Costs of the second solve: least capital at list price, earliest money dearest, then the lowest column numbers."""
        inputs = self.inputs
        columns = self.program.cost.size
        cost = 1e-6 * (1 + np.arange(columns) / columns)
        cost[self.bought] += inputs.list_usd / MILLION * self.unit * inputs.opening_discount
        cost[self.built] += inputs.shell_usd_per_mw / MILLION * inputs.opening_discount
        cost[self.cash] = 0.0
        return cost


class _Rows:
    """Collects blocks of rows and triplets."""

    def __init__(self) -> None:
        self.low: list[Array] = []
        self.high: list[Array] = []
        self.triplets: list[tuple[Indices, Indices, Array]] = []
        self.count = 0

    def block(self, shape: tuple[int, ...], low: ArrayLike = -np.inf, high: ArrayLike = np.inf) -> Indices:
        """Row numbers of a new block, [shape]."""
        size = int(np.prod(shape))
        self.low.append(np.broadcast_to(np.asarray(low, dtype=np.float64), shape).ravel())
        self.high.append(np.broadcast_to(np.asarray(high, dtype=np.float64), shape).ravel())
        self.count += size
        return np.arange(self.count - size, self.count).reshape(shape)

    def add(self, rows: Indices, columns: Indices, values: ArrayLike) -> None:
        """Entries; the three broadcast. What would be lost in the solver is left out here."""
        wide = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=np.float64))
        r, c, v = (part.ravel() for part in wide)
        kept = np.abs(v) >= _DROPPED
        self.triplets.append((r[kept], c[kept], v[kept]))


def build(inputs: BuildInputs) -> Programme:
    """The programme of `inputs`, with names and positions."""
    n_t, n_p, n_j = len(inputs.quarters), len(inputs.platforms), len(inputs.points)
    n_s, n_o, n_w = len(inputs.segments), len(inputs.obligations), len(inputs.workloads)
    ends = np.cumsum([0, *(n * n_t for n in (n_p, n_p, n_p, n_j, 1, 1, 1, n_s, 1))])
    stock, bought, left, use, built, shell, drawn, sold, cash = (
        np.arange(a, b).reshape(-1, n_t) for a, b in pairwise(ends)
    )
    built, shell, drawn, cash = built[0], shell[0], drawn[0], cash[0]
    unit = float(inputs.block_racks or 1)
    points, rows = inputs.points, _Rows()

    change = inputs.arriving.copy()
    change[:, 0] += inputs.opening_racks
    balance = rows.block((n_p, n_t), change, change)
    rows.add(balance, stock, 1.0)
    rows.add(balance[:, 1:], stock[:, :-1], -1.0)
    rows.add(balance, left, 1.0)
    p, k = np.nonzero(np.arange(n_t) + inputs.lead_quarters[:, None] < n_t)
    comes = k + inputs.lead_quarters[p]
    rows.add(balance[p, comes], bought[p, k], -unit)
    leave = rows.block((n_p, n_t - 1), high=0.0)  # what comes in a quarter does not leave in it
    rows.add(leave, left[:, 1:], 1.0)
    rows.add(leave, stock[:, :-1], -1.0)
    _add_life(rows, inputs, stock, bought, unit)
    owned = rows.block((n_p, n_t), high=0.0)
    rows.add(owned[points.platform], use, 1.0)
    rows.add(owned, stock, -1.0)
    draw, within = rows.block((n_t,), high=0.0), rows.block((n_t,), high=0.0)
    rows.add(draw, use, points.mw[:, None])
    rows.add(draw, drawn, -1.0)
    rows.add(within, drawn, 1.0)
    rows.add(within, shell, -1.0)
    opening = np.where(np.arange(n_t) == 0, inputs.opening_mw, 0.0)
    standing = rows.block((n_t,), opening, opening)
    rows.add(standing, shell, 1.0)
    rows.add(standing[1:], shell[:-1], -1.0)
    rows.add(standing, built, -1.0)
    made = points.tokens_out_per_s[:, None] * T_TOKENS_PER_YR * inputs.speed[points.platform, points.workload]
    sell = rows.block((n_w, n_t), high=0.0)
    rows.add(sell[inputs.segment_workload], sold, 1.0)
    rows.add(sell[points.workload], use, -made)

    bound = {
        "power": inputs.power_mw[None, :],
        "capital": np.where(np.logical_or.accumulate(np.isinf(inputs.capital_usd)), np.inf, inputs.capital_usd)[None, :]
        / MILLION,
        "supply": inputs.supply_racks,
        "demand": inputs.demand_tokens_per_s * T_TOKENS_PER_YR,
        "obligation": inputs.owed_tokens_per_s * T_TOKENS_PER_YR,
    }
    limit_row = {
        kind: rows.block((n_o, n_t), low=bound[kind])
        if kind == "obligation"
        else rows.block(bound[kind].shape, high=bound[kind])
        for kind in KINDS
    }
    rows.add(limit_row["power"][0], drawn, 1.0)
    rows.add(limit_row["supply"], bought, unit)
    rows.add(limit_row["demand"], sold, 1.0)
    for o, w in enumerate(inputs.obligation_workload):
        mine = points.workload == w
        rows.add(limit_row["obligation"][o], use[mine], made[mine])

    # What a unit of each column earns over its quarter, M USD at the quarter's end; what it takes at the start.
    margin = np.zeros(int(ends[-1]))
    y = inputs.period_yr
    margin[sold] = inputs.price_usd_per_mtok * inputs.revenue_share * y  # USD/Mtok = M USD per T tokens
    margin[use] = (inputs.other_usd_per_yr[:, None] - inputs.energy_usd_per_yr) / MILLION * y
    margin[stock] = -inputs.upkeep_usd_per_yr[:, None] / MILLION * y
    margin[shell] = -inputs.shell_upkeep_usd_per_mw_yr / MILLION * y
    resale = np.zeros((n_p, n_t)) if inputs.rented else inputs.resale_usd / MILLION
    _add_capital(
        rows, inputs, limit_row["capital"][0], margin, resale, (stock, bought, left, use, built, shell, sold, cash)
    )

    cost = np.zeros(margin.size)
    for block in (sold, use, stock, shell):
        cost[block] = margin[block] * inputs.discount
    if inputs.charge_usd_per_yr is not None and inputs.shell_charge_usd_per_mw_yr is not None:
        cost[stock] -= inputs.charge_usd_per_yr[:, None] / MILLION * y * inputs.discount
        cost[shell] -= inputs.shell_charge_usd_per_mw_yr / MILLION * y * inputs.discount
    else:
        end = inputs.discount[-1] / MILLION
        cost[bought] = -inputs.cost_usd / MILLION * inputs.opening_discount * unit
        cost[left] = resale * inputs.opening_discount
        cost[stock[:, -1]] += inputs.terminal_usd * end
        cost[built] = (
            inputs.shell_terminal_usd_per_mw * end - inputs.shell_usd_per_mw / MILLION * inputs.opening_discount
        )

    col_high = np.full(margin.size, np.inf)
    late = np.arange(n_t) + inputs.lead_quarters[:, None] >= n_t
    col_high[bought[late]] = 0.0
    col_high[left[:, 0]] = inputs.opening_racks
    integer = np.zeros(margin.size, dtype=np.bool_)
    integer[bought] = inputs.block_racks > 0
    parts = [np.concatenate(part) for part in zip(*rows.triplets, strict=True)]
    program = LinearProgram(
        cost,
        np.zeros(margin.size),
        col_high,
        np.concatenate(rows.low),
        np.concatenate(rows.high),
        parts[0],
        parts[1],
        parts[2],
        (),
        integer,
    )
    return Programme(inputs, program, stock, bought, left, use, built, shell, drawn, sold, cash, limit_row, bound, unit)


def _add_life(rows: _Rows, inputs: BuildInputs, stock: Indices, bought: Indices, unit: float) -> None:
    """N[p,t] at most what came into use within its life; only where a rack can have reached it."""
    n_t = stock.shape[1]
    inherited = np.cumsum(inputs.arriving, axis=1) + inputs.opening_racks[:, None]
    expired = np.cumsum(inputs.expiring, axis=1)
    t = np.arange(n_t)
    oldest = t - (inputs.life_quarters + inputs.lead_quarters)[:, None]  # purchases up to this quarter are gone by t
    needed = (oldest >= 0) | (expired > 0)
    p, at = np.nonzero(needed)
    life = rows.block((p.size,), high=(inherited - expired)[p, at])
    rows.add(life, stock[p, at], 1.0)
    k = np.arange(n_t)
    alive = (k > oldest[p, at][:, None]) & (k <= (at - inputs.lead_quarters[p])[:, None])
    row, quarter = np.nonzero(alive)
    rows.add(life[row], bought[p[row], quarter], -unit)


def _add_capital(
    rows: _Rows, inputs: BuildInputs, capital: Indices, margin: Array, resale: Array, columns: tuple[Indices, ...]
) -> None:
    """Cash carried over, less purchases at list price, and what may be spent of the margin of the quarter before."""
    stock, bought, left, use, built, shell, sold, cash = columns
    rows.add(capital, cash, 1.0)
    rows.add(capital[1:], cash[:-1], -1.0)
    rows.add(capital, bought, inputs.list_usd / MILLION * float(inputs.block_racks or 1))
    rows.add(capital, built, inputs.shell_usd_per_mw / MILLION)
    rows.add(capital, left, -resale)
    if inputs.reinvest_share > 0:
        for block in (np.atleast_2d(part) for part in (sold, use, stock, shell)):
            rows.add(capital[1:], block[:, :-1], -inputs.reinvest_share * margin[block[:, :-1]])
