"""When no build-out fits: which limits of which quarters conflict, and the smallest change that fits.

Two different questions, as for one period. The conflict is an irreducible set of limits: drop any one of it and a plan
exists. The smallest change comes from an elastic programme: each limit may be moved by a slack that costs 1 / limit, and the
sum of those shares is least. A run for each limit alone then tells which of them can mend it alone.
"""

from __future__ import annotations

import numpy as np

from gigawatt.core.errors import Infeasible
from gigawatt.factory.buildout.programme import Programme
from gigawatt.factory.conflict import told
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
    hints = _hints(programme, clash)
    return told(programme.program, movable, clash, clash[:_SINGLES], why=why, hints=hints, presolve=True)


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
