"""When no build-out fits: which limits of which quarters conflict, and the smallest change that fits.

Two different questions, as for one period. The conflict is an irreducible set of limits: drop any one of it and a plan
exists. The smallest change comes from an elastic programme: each limit may be moved by a slack that costs 1 / limit, and the
sum of those shares is least. A run for each limit alone then tells which of them can mend it alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gigawatt.core.errors import Change, Infeasible
from gigawatt.factory.buildout.programme import Programme
from gigawatt.factory.model import LimitRow
from gigawatt.factory.solver import Solver

_SINGLES = 8  # limits of a conflict that are tried alone


def infeasible(programme: Programme, solver: Solver, why: str = "") -> Infeasible:
    """The error to raise for a programme without a plan.

    Args:
        programme: what was asked. solver: holds it, after a solve that ended infeasible.
        why: words for where this happened (a window of a policy that sees less).
    """
    movable = programme.limits()
    rows = set(solver.conflict())
    clash = [limit for limit in movable if limit.row in rows]
    changes = _smallest(programme, list(movable))
    singles = [(limit, _smallest(programme, [limit])) for limit in clash[:_SINGLES]]
    words = [str(found[0]) if found else f"{limit.name} alone can not mend it" for limit, found in singles]
    names = [limit.name for limit in clash]
    message = f"{why}no plan meets " + (" together with ".join(names) if names else "all limits")
    if words:
        message += ". One change alone: " + "; ".join(words)
    for hint in _hints(programme, clash):
        message += f". {hint}"
    return Infeasible(message, conflict=names, changes=changes)


def _hints(programme: Programme, clash: list[LimitRow]) -> list[str]:
    """What no limit says: a workload that no platform runs, racks that would come after the horizon."""
    inputs = programme.inputs
    out = []
    for limit in clash:
        if limit.kind != "obligation":
            continue
        w = int(inputs.obligation_workload[limit.subject])
        able = np.unique(inputs.points.platform[inputs.points.workload == w])
        if not able.size:
            out.append(f"no platform runs {inputs.workloads[w]}")
            continue
        late = [p for p in able if inputs.lead_quarters[p] >= len(inputs.quarters) and not inputs.opening_racks[p]]
        if len(late) == able.size:
            out.append(f"every platform that runs {inputs.workloads[w]} would arrive after the horizon")
    return list(dict.fromkeys(out))


def _smallest(programme: Programme, movable: list[LimitRow]) -> list[Change]:
    """The least sum of relative changes of `movable` limits that fits; [] where none does."""
    program = programme.program
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
    answer = Solver(elastic, presolve=True).solve()
    if not answer.optimal:
        return []
    out = []
    for limit, slack, direction in zip(movable, answer.x[n:], sign, strict=True):
        if slack * max(1 / limit.bound if limit.bound > 0 else 1.0, 1e-12) > 1e-9:
            needed = float((limit.bound - direction * slack) * limit.scale)
            out.append(Change(limit.name, limit.bound * limit.scale, needed, limit.unit))
    return out
