"""The fleet as a linear program, in units that the solver likes: racks, MW, million USD, trillion tokens a year.

    max  sum_f w_f (sum_j margin_j u[j,f] + sum_s price_s s[s,f])  -  sum_p charge_p N[p]  -  shell M       M USD/yr
    s.t. stock       sum_{j of p} u[j,f] <= N[p]                         every phase f
         power       sum_j MW_j u[j,f] <= M,   M <= P
         capital     sum_p capex_p N[p] + shell_capex M <= K             at list price
         supply      N[p] <= S_p
         sell        sum_{s of w} s[s,f] <= sum_{j of w} tok_j u[j,f]    only what is made
         demand      s[s,f] <= T[s],   T[s] <= D_s
         obligation  sum_{j of w} tok_j u[j,f] >= O[i] in its phases,   O[i] >= R_i

N are racks owned, u racks in use, M the site power that is built (and whose shell is paid for: the peak over phases,
not the mean), s tokens sold. T and O repeat a limit that holds in several phases in one column, so that every limit
is one row with one price. Each limit row has a name that a user knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.inputs import SECONDS_PER_YEAR, PlanInputs
from gigawatt.factory.solver import LinearProgram

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
MILLION = 1e6
T_TOKENS_PER_YR = SECONDS_PER_YEAR / 1e12  # one token/s, in trillion tokens a year


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit that a user may move: its row, its bound and what one unit of the row means to people.

    `scale` x (row units) = `unit`; a dual in M USD per row unit x `price_scale` is USD per year and `unit`
    (or USD per million tokens).
    """

    name: str
    kind: str
    subject: int
    row: int
    bound: float
    lower: bool
    unit: str
    scale: float
    price_unit: str
    price_scale: float


@dataclass(frozen=True, slots=True)
class Model:
    """The program of some inputs, and where everything stands in it."""

    inputs: PlanInputs
    program: LinearProgram
    limits: tuple[LimitRow, ...]
    stock: Indices
    use: Indices
    site: int
    sold: Indices
    stock_row: Indices
    sell_row: Indices
    buys_row: Indices
    owed_row: Indices
    power_row: Indices
    rack_unit: int

    @property
    def tie_break(self) -> Array:
        """Costs of the second solve: least capital first, then the fewest racks in use by row number."""
        inputs = self.inputs
        cost = np.zeros(self.program.cost.size)
        cost[self.stock] = (inputs.platforms.capex_usd / MILLION + 1e-6) * self.rack_unit
        cost[self.site] = inputs.shell_usd_per_mw / MILLION + 1e-6
        n = max(len(inputs.points), 1)
        cost[self.use] = 1e-6 * (1 + np.arange(n)[: len(inputs.points), None] / n)
        return cost


class _Builder:
    """Collects rows and triplets."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.low: list[float] = []
        self.high: list[float] = []
        self.names: list[str] = []
        self.triplets: list[tuple[Indices, Indices, Array]] = []

    def row(self, name: str, columns: object, values: object, low: float = -np.inf, high: float = np.inf) -> int:
        """One row of the matrix; zeros are left out."""
        index = np.atleast_1d(np.asarray(columns, dtype=np.int64))
        value = np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), index.shape))
        kept = value != 0
        number = len(self.names)
        self.triplets.append((np.full(int(kept.sum()), number, dtype=np.int64), index[kept], value[kept]))
        self.names.append(name)
        self.low.append(low)
        self.high.append(high)
        return number


def build(inputs: PlanInputs) -> Model:
    """The program of `inputs`, with names and positions."""
    n_p, n_j, n_f = len(inputs.platforms.names), len(inputs.points), len(inputs.phases)
    n_s, n_o, n_w = len(inputs.segments.names), len(inputs.obligations), len(inputs.workloads)
    unit = inputs.block_racks if inputs.integer_racks else 1
    counts = np.cumsum([0, n_p, n_j * n_f, 1, n_s * n_f, n_s, n_o])
    stock = np.arange(n_p)
    use = counts[1] + np.arange(n_j * n_f).reshape(n_j, n_f)
    site = int(counts[2])
    sold = counts[3] + np.arange(n_s * n_f).reshape(n_s, n_f)
    taken = counts[4] + np.arange(n_s)
    owed = counts[5] + np.arange(n_o)

    rows = _Builder(int(counts[-1]))
    points, segments = inputs.points, inputs.segments
    made = points.tokens_out_per_s * T_TOKENS_PER_YR
    stock_row = np.zeros((n_p, n_f), dtype=np.int64)
    sell_row = np.zeros((n_w, n_f), dtype=np.int64)
    buys_row = np.zeros((n_s, n_f), dtype=np.int64)
    owed_row = np.full((n_o, n_f), -1, dtype=np.int64)
    power_row = np.zeros(n_f, dtype=np.int64)
    for f in range(n_f):
        for p in range(n_p):
            own = use[points.platform == p, f]
            columns = np.append(own, stock[p])
            stock_row[p, f] = rows.row(f"stock {p} {f}", columns, np.append(np.ones(own.size), -float(unit)), high=0)
        power_row[f] = rows.row(f"draw {f}", np.append(use[:, f], site), np.append(points.mw, -1.0), high=0)
        for w in range(n_w):
            j, s = points.workload == w, segments.workload == w
            columns = np.concatenate([sold[s, f], use[j, f]])
            sell_row[w, f] = rows.row(f"sell {w} {f}", columns, np.append(np.ones(int(s.sum())), -made[j]), high=0)
        for s in range(n_s):
            buys_row[s, f] = rows.row(f"buys {s} {f}", [sold[s, f], taken[s]], [1, -1], high=0)
    for i, obligation in enumerate(inputs.obligations):
        j = points.workload == obligation.workload
        for f in obligation.phases:
            columns = np.append(use[j, f], owed[i])
            owed_row[i, f] = rows.row(f"owed {i} {f}", columns, np.append(made[j], -1.0), low=0)

    limits = _limits(inputs, rows, stock, site, taken, owed, unit)
    mine = inputs.chosen
    weight = np.array([phase.weight for phase in inputs.phases])
    cost = np.zeros(rows.columns)
    cost[stock] = -mine.platform_usd_per_yr / MILLION * unit
    cost[use] = np.outer(mine.other_usd_per_yr - mine.energy_usd_per_yr, weight) / MILLION
    cost[site] = -mine.shell_usd_per_mw_yr / MILLION
    cost[sold] = np.outer(segments.usd_per_mtok * mine.revenue_share, weight)  # USD/Mtok = M USD per T tokens
    integer = np.zeros(rows.columns, dtype=np.bool_)
    integer[stock] = inputs.integer_racks
    parts = [np.concatenate(part) for part in zip(*rows.triplets, strict=True)]
    program = LinearProgram(
        cost,
        np.zeros(rows.columns),
        np.full(rows.columns, np.inf),
        np.array(rows.low),
        np.array(rows.high),
        parts[0],
        parts[1],
        parts[2],
        tuple(rows.names),
        integer,
    )
    return Model(
        inputs, program, limits, stock, use, site, sold, stock_row, sell_row, buys_row, owed_row, power_row, unit
    )


def _limits(
    inputs: PlanInputs, rows: _Builder, stock: Indices, site: int, taken: Indices, owed: Indices, unit: int
) -> tuple[LimitRow, ...]:
    """The rows that a user may move, in the order in which they are shown."""
    out: list[LimitRow] = []
    add = out.append
    row = rows.row("power", site, 1.0, high=inputs.power_mw)
    add(LimitRow("power", "power", 0, row, inputs.power_mw, False, "MW", 1.0, "USD/yr per MW", MILLION))
    columns = np.append(stock, site)
    capex = np.append(inputs.platforms.capex_usd * unit, inputs.shell_usd_per_mw) / MILLION
    row = rows.row("capital", columns, capex, high=inputs.capital_usd / MILLION)
    bound = inputs.capital_usd / MILLION
    add(LimitRow("capital", "capital", 0, row, bound, False, "USD", MILLION, "USD/yr per USD", 1.0))
    for p, name in enumerate(inputs.platforms.names):
        supply = float(inputs.platforms.supply_racks[p])
        row = rows.row(f"supply of {name}", stock[p], float(unit), high=supply)
        text = f"supply of {name}"
        add(LimitRow(text, "supply", p, row, supply, False, "racks", 1.0, "USD/yr per rack", MILLION))
    per_s = 1 / T_TOKENS_PER_YR
    for s, name in enumerate(inputs.segments.names):
        demand = float(inputs.segments.tokens_per_s[s]) * T_TOKENS_PER_YR
        row = rows.row(f"demand of {name}", taken[s], 1.0, high=demand)
        text = f"demand of {name}"
        add(LimitRow(text, "demand", s, row, demand, False, "tokens/s", per_s, "USD per million tokens", 1.0))
    for i, obligation in enumerate(inputs.obligations):
        rate = obligation.tokens_per_s * T_TOKENS_PER_YR
        row = rows.row(f"obligation {obligation.name}", owed[i], 1.0, low=rate)
        text = f"obligation {obligation.name}"
        add(LimitRow(text, "obligation", i, row, rate, True, "tokens/s", per_s, "USD per million tokens", 1.0))
    return tuple(out)
