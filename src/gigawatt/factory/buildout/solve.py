"""One programme over the quarters, solved: the optimum, and of all plans of that value always the same one.

The second solve stays on the optimal face: a column with a reduced cost and a row with a price keep the bound at which they
are, which holds for every optimal plan (complementary slackness), and the rest is free to move to the least capital, then to
the lowest column numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.factory.buildout.conflict import infeasible
from gigawatt.factory.buildout.programme import Programme
from gigawatt.factory.solver import Answer, Solver

Array = NDArray[np.float64]
_PRICED = 1e-8  # reduced costs and duals above this hold their bound; the solver's own tolerance is 1e-9


@dataclass(frozen=True, slots=True)
class Solved:
    """A programme with its optimum and the plan chosen among equals.

    Attributes:
        solver: holds the linear programme at its optimum, to go on from.
        linear: optimum with any part of a rack. whole: in blocks (None where none are asked for).
        value: of the plan that is shown, M USD. x: its columns.
    """

    programme: Programme
    solver: Solver
    linear: Answer
    whole: Answer | None
    value: float
    x: Array


def solve(programme: Programme, why: str = "") -> Solved:
    """The optimum and the plan that is shown; `why` opens the message where none fits.

    Raises:
        Infeasible: the limits conflict, or no whole blocks fit. ValueError: something earns without limit.
    """
    program = programme.program
    solver = Solver(program, relax=True, presolve=True)
    linear = solver.solve()
    if linear.status == "infeasible":
        raise infeasible(programme, solver, why)
    if linear.status == "unbounded":
        raise ValueError(
            "the build-out is unbounded: something earns without limit, and neither racks, power nor money end it"
        )
    if not linear.optimal:
        raise RuntimeError(f"the solver ended with '{linear.status}'")
    best, low, high, whole = linear, program.col_low, program.col_high, None
    if program.integer.any():
        whole = Solver(program, gap=programme.inputs.integer_gap).solve()
        if not whole.optimal:
            blocks = f"blocks of {programme.inputs.block_racks}"
            raise Infeasible(f"{why}no plan of {blocks} racks meets all limits, though one of parts of racks does")
        low, high = with_blocks(programme, whole.x)
        solver.set_bounds(low, high)
        best = solver.solve()
    x = _first_of_equals(programme, solver, best, low, high) if best.optimal or whole is None else whole.x
    solver.set_bounds(program.col_low, program.col_high)
    solver.set_rows(program.row_low, program.row_high)
    solver.set_cost(program.cost)
    solver.value()
    return Solved(programme, solver, linear, whole, float(program.cost @ x), x)


def with_blocks(programme: Programme, x: Array) -> tuple[Array, Array]:
    """Column bounds with the purchases of x held."""
    low, high = programme.program.col_low.copy(), programme.program.col_high.copy()
    low[programme.bought] = high[programme.bought] = np.round(x[programme.bought])
    return low, high


def _first_of_equals(programme: Programme, solver: Solver, best: Answer, low: Array, high: Array) -> Array:
    """Of all plans of this value, the one with the least capital, then the lowest column numbers."""
    program = programme.program
    low, high = low.copy(), high.copy()
    held = np.abs(best.column_dual) > _PRICED
    at_low = held & (best.x - low <= high - best.x)
    at_high = held & ~at_low
    high[at_low], low[at_high] = low[at_low], high[at_high]
    row_low, row_high = program.row_low.copy(), program.row_high.copy()
    priced = np.abs(best.row_dual) > _PRICED
    upper = priced & np.isfinite(row_high)
    lower = priced & ~upper
    row_low[upper], row_high[lower] = row_high[upper], row_low[lower]
    solver.set_bounds(low, high)
    solver.set_rows(row_low, row_high)
    solver.set_cost(-programme.tie_break)
    answer = solver.solve()
    return answer.x if answer.optimal else best.x
