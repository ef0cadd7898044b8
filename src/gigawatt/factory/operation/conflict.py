"""When what must run does not fit: what conflicts, and the smallest change of each kind that would fit.

The conflict is an irreducible set of rows, told as the things that a user knows: power in some hours, the pace of a run,
racks of a platform. For each of these one elastic programme gives the least change of it alone: so many MW more in every
hour of the period, so much less of a run's pace. Changes are those with which every block runs all the time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gigawatt.core.errors import Change, Infeasible
from gigawatt.factory.operation.inputs import Array, Indices
from gigawatt.factory.operation.model import Model, held_on
from gigawatt.factory.solver import LinearProgram, Solver

# Rows that a user knows, and as what.
SAID = {
    "power": "power",
    "energy": "power",
    "hall": "hall",
    "pace": "pace",
    "racks": "racks",
    "size": "size",
    "block": "size",
    "store": "store",
}


def infeasible(model: Model) -> Infeasible:
    """The error to raise for hours that nothing fits."""
    solver = Solver(model.program, relax=True)
    if solver.solve().optimal:  # parts of blocks would fit: only whole ones do not
        model = replace(model, program=_steady(model))
        solver = Solver(model.program, relax=True)
        solver.solve()
    rows = [model.rows[i] for i in solver.conflict()]
    names = _named(model, rows)
    owed = sorted({subject for kind, subject, _ in rows if kind == "pace"})
    changes: list[Change] = []
    if any(kind in ("power", "energy") for kind, _, _ in rows):
        changes += _more_power(model)
    for work in owed:
        changes += _slower(model, work)
    words = " together with ".join(names) if names else "all limits"
    return Infeasible(f"no schedule of these hours meets {words}", conflict=names, changes=changes)


def hours_in_words(hours: list[int]) -> str:
    """Hours of a period as spans.

    >>> hours_in_words([14, 15, 16, 20])
    '14:00 to 17:00, 20:00 to 21:00'
    >>> hours_in_words([25])
    'day 2, 01:00 to 02:00'
    """
    spans: list[list[int]] = []
    for hour in sorted(set(hours)):
        if spans and hour == spans[-1][1] and hour % 24:
            spans[-1][1] += 1
        else:
            spans.append([hour, hour + 1])
    out = []
    for first, last in spans:
        day = f"day {first // 24 + 1}, " if max(hours) >= 24 else ""
        out.append(f"{day}{first % 24:02d}:00 to {(last - 1) % 24 + 1:02d}:00")
    return ", ".join(out)


def _named(model: Model, rows: list[tuple[str, int, int]]) -> list[str]:
    """The conflict in words, each thing once."""
    inputs = model.inputs
    found: dict[tuple[str, int], list[int]] = {}
    for kind, subject, hour in rows:
        if kind in SAID:
            found.setdefault((SAID[kind], subject), []).append(hour)
    everything = inputs.hours
    out = []
    for (kind, subject), hours in found.items():
        when = "in every hour" if len(set(hours)) == everything else hours_in_words(hours)
        if kind == "power":
            out.append(f"power at the meter, {when}")
        elif kind == "hall":
            out.append(f"what the building was built for, {when}")
        elif kind == "pace":
            out.append(
                f"pace of {inputs.works.names[subject]} ({inputs.works.owed_tokens_per_s[subject]:,.4g} tokens/s)"
            )
        elif kind == "racks":
            out.append(f"racks of {inputs.platforms[subject]}, {when}")
        elif kind == "size":
            lane = inputs.lanes
            name = f"{inputs.works.names[lane.work[subject]]} on {inputs.platforms[lane.platform[subject]]}"
            out.append(f"size of {name} (at most {lane.most_racks[subject]:,.4g} racks)")
        else:
            out.append(f"store {inputs.stores.names[subject]}, {when}")
    return out


def _steady(model: Model) -> LinearProgram:
    """Blocks as they run where nothing makes them pause: what fits so fits."""
    return held_on(model, np.ones(model.at.on.shape))


def _more_power(model: Model) -> list[Change]:
    """The same MW more at the meter in every hour, all else held; [] where no power would do."""
    program, h = _steady(model), model.inputs.hours
    n, m = program.cost.size, program.row_low.size
    more, drawn = n, n + 1 + np.arange(h)
    rows = np.concatenate([model.power_row, model.energy_row, m + np.arange(h), m + np.arange(h)])
    columns = np.concatenate([np.full(h, more), drawn, drawn, np.full(h, more)])
    values = np.concatenate([-np.ones(h), np.ones(h), np.ones(h), -np.ones(h)])
    cost = np.concatenate([np.zeros(n), [-1.0], np.zeros(h)])
    wider = _extended(program, cost, 1 + h, np.full(h, -np.inf), np.zeros(h), rows, columns, values)
    answer = Solver(wider, relax=True).solve()
    if not answer.optimal or answer.x[more] <= 1e-9:
        return []
    now = float(model.inputs.cap_mw.min())
    return [Change("least power at the meter", now, now + float(answer.x[more]), "MW")]


def _slower(model: Model, work: int) -> list[Change]:
    """The least cut of one run's pace, all else held; [] where none would do."""
    program = _steady(model)
    n = program.cost.size
    mine = np.array([i for i, (kind, w, _) in enumerate(model.rows) if kind == "pace" and w == work], dtype=np.int64)
    cost = np.concatenate([np.zeros(n), [-1.0]])
    none = np.zeros(0)
    wider = _extended(program, cost, 1, none, none, mine, np.full(mine.size, n), program.row_low[mine])
    wider = replace(wider, col_high=np.append(program.col_high, 1.0))
    answer = Solver(wider, relax=True).solve()
    if not answer.optimal or answer.x[n] <= 1e-9:
        return []
    pace = float(model.inputs.works.owed_tokens_per_s[work])
    name = f"pace of {model.inputs.works.names[work]}"
    return [Change(name, pace, pace * (1.0 - float(answer.x[n])), "tokens/s")]


def _extended(
    program: LinearProgram,
    cost: Array,
    columns: int,
    row_low: Array,
    row_high: Array,
    rows: Indices,
    column: Indices,
    values: Array,
) -> LinearProgram:
    """The programme with further columns (from 0 up) and rows."""
    names = tuple(f"extra {i}" for i in range(len(row_low)))
    return LinearProgram(
        cost,
        np.concatenate([program.col_low, np.zeros(columns)]),
        np.concatenate([program.col_high, np.full(columns, np.inf)]),
        np.concatenate([program.row_low, row_low]),
        np.concatenate([program.row_high, row_high]),
        np.concatenate([program.rows, rows]),
        np.concatenate([program.columns, column]),
        np.concatenate([program.values, values]),
        program.row_names + names,
        np.zeros(program.cost.size + columns, dtype=np.bool_),
    )
