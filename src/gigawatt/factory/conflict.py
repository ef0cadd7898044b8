"""When nothing fits: which limits conflict, and the smallest change that fits.

Two different questions. The conflict is an irreducible set of limits: drop any one of it and a plan exists. The
smallest change comes from an elastic program: each limit may be moved by a slack that costs 1 / limit, and the sum
of those shares is least. A run for each limit alone then tells which of them can mend it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gigawatt.core.errors import Change, Infeasible
from gigawatt.factory.model import LimitRow, Model
from gigawatt.factory.solver import LinearProgram, Solver


def infeasible(model: Model) -> Infeasible:
    """The error to raise for a model that has no plan."""
    movable = [limit for limit in model.limits if np.isfinite(limit.bound)]
    solver = Solver(model.program, relax=True)
    solver.solve()
    rows = set(solver.conflict())
    clash = [limit for limit in movable if limit.row in rows]
    return told(model.program, movable, clash, clash)


def told(
    program: LinearProgram,
    movable: Sequence[LimitRow],
    clash: Sequence[LimitRow],
    alone: Sequence[LimitRow],
    *,
    why: str = "",
    hints: Sequence[str] = (),
    presolve: bool = False,
) -> Infeasible:
    """The error in words: `clash` can not all hold; the least change of `movable` limits, and of each of `alone` by itself.

    Args:
        why: words for where this happened. hints: what no limit says, a sentence each.
        presolve: worth its time from some ten thousand columns on.
    """
    singles = [(limit, _smallest(program, [limit], presolve)) for limit in alone]
    words = [str(found[0]) if found else f"{limit.name} alone can not mend it" for limit, found in singles]
    names = [limit.name for limit in clash]
    message = f"{why}no plan meets " + (" together with ".join(names) if names else "all limits")
    if words:
        message += ". One change alone: " + "; ".join(words)
    for hint in hints:
        message += f". {hint}"
    return Infeasible(message, conflict=names, changes=_smallest(program, movable, presolve))


def _smallest(program: LinearProgram, movable: Sequence[LimitRow], presolve: bool) -> list[Change]:
    """The least sum of relative changes of `movable` limits that fits; [] where none does."""
    n, extra = program.cost.size, len(movable)
    # A limit of zero has no relative change: one unit of its row costs as much as doubling another limit.
    weight = np.array([1 / limit.bound if limit.bound > 0 else 1.0 for limit in movable])
    sign = np.array([1.0 if limit.lower else -1.0 for limit in movable])
    elastic = replace(
        program,
        cost=np.concatenate([np.zeros(n), -weight]),
        col_low=np.concatenate([program.col_low, np.zeros(extra)]),
        col_high=np.concatenate([program.col_high, [limit.bound if limit.lower else np.inf for limit in movable]]),
        rows=np.concatenate([program.rows, np.array([limit.row for limit in movable], dtype=np.int64)]),
        columns=np.concatenate([program.columns, n + np.arange(extra)]),
        values=np.concatenate([program.values, sign]),
        integer=np.zeros(n + extra, dtype=np.bool_),
    )
    answer = Solver(elastic, presolve=presolve).solve()
    if not answer.optimal:
        return []
    out = []
    for limit, slack, direction in zip(movable, answer.x[n:], sign, strict=True):
        if slack * max(1 / limit.bound if limit.bound > 0 else 1.0, 1e-12) > 1e-9:
            needed = float((limit.bound - direction * slack) * limit.scale)
            out.append(Change(limit.name, limit.bound * limit.scale, needed, limit.unit))
    return out
