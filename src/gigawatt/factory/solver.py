"""HiGHS, made quiet and repeatable: one linear program, solved, changed in place and solved again.

Two habits of the solver that matter here, beside the banner that `core.highs` keeps quiet:

* Matrix entries below 1e-9 are dropped with a mere warning, and a bound of 1e20 is no bound. So callers scale (MW,
  million USD, trillion tokens, racks), and an entry that would be dropped is refused here.
* Tolerances are absolute. They are tightened to 1e-9, so that a finite difference of 1e-4 of a limit is exact to 1e-5.

One thread, a fixed seed and the simplex method: the same input gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.highs import core_module, quiet_highs

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
_SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class LinearProgram:
    """max cost.x subject to row_low <= A x <= row_high, col_low <= x <= col_high; A in triplets (no duplicates)."""

    cost: Array
    col_low: Array
    col_high: Array
    row_low: Array
    row_high: Array
    rows: Indices
    columns: Indices
    values: Array
    row_names: tuple[str, ...]
    integer: NDArray[np.bool_]

    def with_row(self, coefficients: Array, low: float, high: float, name: str) -> LinearProgram:
        """The same program with one more (dense) row."""
        used = np.flatnonzero(np.abs(coefficients) > _SMALLEST)
        return LinearProgram(
            self.cost,
            self.col_low,
            self.col_high,
            np.append(self.row_low, low),
            np.append(self.row_high, high),
            np.concatenate([self.rows, np.full(used.size, self.row_low.size)]),
            np.concatenate([self.columns, used]),
            np.concatenate([self.values, coefficients[used]]),
            (*self.row_names, name),
            self.integer,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a solve found: `status` is optimal, infeasible, unbounded or another word of the solver."""

    status: str
    value: float
    x: Array
    row_dual: Array
    bound: float
    column_dual: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def optimal(self) -> bool:
        """True where `x` is the answer."""
        return self.status == "optimal"


class Solver:
    """A program held by HiGHS; changes keep the basis, so that the next solve starts warm.

    `presolve` shrinks the program before the first solve: three to five times faster from some ten thousand columns on.
    """

    def __init__(
        self, program: LinearProgram, *, relax: bool = False, gap: float = 1e-4, presolve: bool = False
    ) -> None:
        self._core = core_module()
        self._highs = quiet_highs()
        self._integer = bool(program.integer.any()) and not relax
        options: dict[str, Any] = {
            "solver": "choose" if self._integer else "simplex",
            "presolve": "choose" if self._integer else "on" if presolve else "off",
            "primal_feasibility_tolerance": 1e-9,
            "dual_feasibility_tolerance": 1e-9,
            "mip_rel_gap": gap,
        }
        for name, value in options.items():
            self._highs.setOptionValue(name, value)
        self._highs.passModel(self._lp(program))

    def _lp(self, program: LinearProgram) -> Any:
        """The program in HiGHS' own form (column-wise)."""
        core = self._core
        tiny = (np.abs(program.values) < _SMALLEST) & (program.values != 0)
        if tiny.any():
            raise ValueError(f"{tiny.sum()} matrix entries lie below 1e-9 and would be dropped: use larger units")
        order = np.lexsort((program.rows, program.columns))
        lp = core.HighsLp()
        lp.num_col_, lp.num_row_ = program.cost.size, program.row_low.size
        lp.sense_ = core.ObjSense.kMaximize
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.cost, program.col_low, program.col_high
        lp.row_lower_, lp.row_upper_ = program.row_low, program.row_high
        counts = np.bincount(program.columns, minlength=program.cost.size)
        lp.a_matrix_.format_ = core.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        lp.a_matrix_.index_ = program.rows[order].astype(np.int32)
        lp.a_matrix_.value_ = program.values[order]
        lp.row_names_ = list(program.row_names)
        if self._integer:
            kinds = core.HighsVarType
            lp.integrality_ = [kinds.kInteger if i else kinds.kContinuous for i in program.integer]
        return lp

    def solve(self) -> Answer:
        """Solve from where the last solve ended."""
        highs = self._highs
        highs.run()
        if not self._integer:
            highs.setOptionValue("presolve", "off")  # a presolve forgets the basis that the next solve starts from
        status = _STATUS.get(highs.modelStatusToString(highs.getModelStatus()), "failed")
        if status != "optimal":
            empty = np.zeros(0)
            return Answer(status, float("nan"), empty, empty, float("nan"))
        solution, info = highs.getSolution(), highs.getInfo()
        value = float(info.objective_function_value)
        bound = float(info.mip_dual_bound) if self._integer else value
        x, duals = np.array(solution.col_value), np.array(solution.row_dual)
        return Answer(status, value, x, duals, bound, np.array(solution.col_dual))

    def value(self) -> float:
        """The optimum alone; minus infinity where nothing fits."""
        self._highs.run()
        if self._highs.getModelStatus() != self._core.HighsModelStatus.kOptimal:
            return float("-inf")
        return float(self._highs.getInfo().objective_function_value)

    def columns(self) -> Array:
        """x of the last solve."""
        return np.array(self._highs.getSolution().col_value)

    def duals(self) -> Array:
        """Prices of the rows in the last solve."""
        return np.array(self._highs.getSolution().row_dual)

    def row_range(self, row: int) -> tuple[float, float]:
        """How far the right side of a binding row may move before the basis changes: (down to, up to)."""
        ranging = self._highs.getRanging()[1]
        return float(ranging.row_bound_dn.value_[row]), float(ranging.row_bound_up.value_[row])

    def conflict(self) -> list[int]:
        """Row numbers of an irreducible set that conflicts, after a solve that ended infeasible; [] where none."""
        # Strategy 0 gives an empty set and 2 one that is not minimal; 6 is both valid and irreducible.
        self._highs.setOptionValue("iis_strategy", 6)
        found = self._highs.getIis()
        iis = found[1] if isinstance(found, tuple) else found
        return [int(i) for i in iis.row_index_]

    def set_row(self, row: int, low: float, high: float) -> None:
        """New bounds of a row."""
        self._highs.changeRowBounds(row, low, high)

    def set_bounds(self, low: Array, high: Array) -> None:
        """New bounds of all columns."""
        index = np.arange(low.size, dtype=np.int32)
        self._highs.changeColsBounds(low.size, index, low, high)

    def set_rows(self, low: Array, high: Array) -> None:
        """New bounds of all rows."""
        index = np.arange(low.size, dtype=np.int32)
        self._highs.changeRowsBounds(low.size, index, low, high)

    def add_columns(self, rows: list[Indices], value: float) -> None:
        """Columns fixed at zero and worth nothing, each with one value in some rows; the basis stays."""
        n, count = len(rows), np.array([part.size for part in rows], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int32)
        zero, total = np.zeros(n), int(count.sum())
        index = np.concatenate(rows).astype(np.int32)
        self._highs.addCols(n, zero, zero, zero, total, starts, index, np.full(total, value))

    def set_column(self, column: int, low: float, high: float) -> None:
        """New bounds of a column."""
        self._highs.changeColBounds(column, low, high)

    def set_cost(self, cost: Array) -> None:
        """New objective."""
        self._highs.changeColsCost(cost.size, np.arange(cost.size, dtype=np.int32), cost)

    def set_entry(self, row: int, column: int, value: float) -> None:
        """A new matrix entry."""
        self._highs.changeCoeff(row, column, value)


_STATUS = {
    "Optimal": "optimal",
    "Infeasible": "infeasible",
    "Unbounded": "unbounded",
    "Primal infeasible or unbounded": "infeasible",
}
