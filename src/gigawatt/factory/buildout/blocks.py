"""With racks bought in blocks there are three prices of a limit, and all are given.

The dual of the linear programme is the long-run price; the dual with the purchases held is what one more is worth to the
fleet as it is built; the increment is the true gain of a tenth more from a quarter on (at least a block), per unit, with blocks
chosen anew. A search for whole blocks stops at a gap, so an increment is known between two numbers only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gigawatt.factory.buildout.limits import PeriodLimit
from gigawatt.factory.buildout.solve import Solved, with_blocks
from gigawatt.factory.solver import Answer, Solver

_STEP = 0.1


def with_block_prices(solved: Solved, limits: tuple[PeriodLimit, ...]) -> tuple[PeriodLimit, ...]:
    """`limits` with the price at held purchases, and for the dearest of each kind the gain of a step that one would buy."""
    programme, whole = solved.programme, solved.whole
    if whole is None:
        return limits
    solver = solved.solver
    solver.set_bounds(*with_blocks(programme, whole.x))
    held = solver.solve()
    solver.set_bounds(programme.program.col_low, programme.program.col_high)
    solver.value()
    rows = {limit.name: limit for limit in programme.limits()}
    dearest: dict[str, str] = {}
    for limit in sorted(limits, key=lambda limit: -limit.lasting_dual * max(limit.limit, 1.0)):
        if limit.kind in ("power", "supply") and limit.lasting_dual > 0 and limit.limit > 0:
            dearest.setdefault(limit.kind, limit.name)
    out = []
    for limit in limits:
        row = rows[limit.name]
        operating = float(held.row_dual[row.row]) * row.price_scale if held.optimal else None
        limit = replace(limit, operating=operating)
        if dearest.get(limit.kind) == limit.name:
            limit = _increment(solved, whole, limit, row.price_scale)
        out.append(limit)
    return tuple(out)


def _increment(solved: Solved, whole: Answer, limit: PeriodLimit, price_scale: float) -> PeriodLimit:
    """A tenth more of a limit from its quarter on, with blocks chosen anew."""
    programme = solved.programme
    subject = 0 if limit.kind == "power" else programme.inputs.platforms.index(limit.subject)
    rows = programme.limit_row[limit.kind][subject, limit.t :]
    rows = rows[programme.bound[limit.kind][subject, limit.t :] > 0]
    step = max(_STEP * limit.limit, float(programme.inputs.block_racks) if limit.kind == "supply" else 0.0)
    high = programme.program.row_high.copy()
    high[rows] += step
    found = Solver(replace(programme.program, row_high=high), gap=programme.inputs.integer_gap).solve()
    if not found.optimal:
        return limit
    # The old plan still fits, so the new optimum is no less than it.
    value, scale = max(found.value, whole.value), price_scale / step
    return replace(
        limit,
        increment=(value - whole.value) * scale,
        increment_low=float(np.clip(value - whole.bound, 0.0, None)) * scale,
        increment_high=max(found.bound - whole.value, 0.0) * scale,
        increment_step=step,
    )
