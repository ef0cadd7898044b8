"""What each input does to a metric, from the rows of a sweep.

For an input with levels b, n_b rows and mean m_b at each, and m over all N feasible rows:

    correlation ratio   eta^2 = sum_b n_b (m_b - m)^2 / sum_i (y_i - m)^2                    (Pearson 1905)

the share of the metric's variance that this input alone explains. On a whole grid without infeasible rows it is the
first Sobol' index of the grid's own distribution. Sampled inputs are cut into classes of equal probability; there an
input without any effect shows (classes - 1) / (draws - 1) by chance, which stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gigawatt.study.sql import quoted
from gigawatt.study.sweep.axes import Axis, Cases
from gigawatt.study.sweep.design import Design
from gigawatt.study.sweep.reading import Runs
from gigawatt.study.sweep.sampled import Sampled
from gigawatt.study.sweep.schema import INDEX, STATUS, Schema
from gigawatt.study.sweep.values import quantity, split, written

MOST_LEVELS = 24  # of an input; more are gathered into as many classes
CLASSES = 12  # of a sampled input


@dataclass(frozen=True, slots=True)
class Level:
    """One level or class of an input: its words, where it lies on an axis of numbers (NaN for none), what came of it."""

    words: str
    at: float
    runs: int
    feasible: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Factor:
    """Something that varies by itself: a grid's input, inputs that are zipped, the case, a sampled input.

    `sql` gives the number of a row's level; `words` and `at` describe each.
    """

    name: str
    unit: str
    sql: str
    words: tuple[str, ...]
    at: tuple[float, ...]
    chance: float = 0.0

    @property
    def is_number(self) -> bool:
        return all(map(math.isfinite, self.at))


@dataclass(frozen=True, slots=True)
class Effect:
    """A factor's levels and its share of the metric's variance."""

    factor: Factor
    levels: tuple[Level, ...]
    share: float | None

    @property
    def swing(self) -> float | None:
        """Highest less lowest mean over the levels."""
        means = [level.mean for level in self.levels if level.mean is not None]
        return max(means) - min(means) if means else None


def factors_of(design: Design, schema: Schema, of_a_cell: int = 1) -> list[Factor]:
    """Everything that varies by itself, in the order of the axes; what has one level only varies nothing.

    A sampled input has `CLASSES` classes, or so few that one by another holds about `of_a_cell` draws a cell.
    """
    out: list[Factor] = []
    stride = design.rows
    for axis in design.axes:
        stride //= len(axis)
        if len(axis) < 2:
            continue
        if isinstance(axis, Sampled):
            classes = max(2, min(CLASSES, math.isqrt(axis.count // of_a_cell)))
            out += [_sampled(axis, path, schema, classes) for path in axis.paths]
        else:
            out.append(_listed(axis, stride))
    return out


def _listed(axis: Axis, stride: int) -> Factor:
    size = len(axis)
    level = f"(({INDEX} // {stride}) % {size})::bigint"
    if isinstance(axis, Cases):
        return Factor("case", "", level, axis.names, (math.nan,) * size)
    path = axis.paths[0]
    values = axis.values(path)
    units = {found[1] if (found := split(values[k])) else None for k in (0, size - 1)}
    unit = units.pop() if len(units) == 1 else None
    groups = _groups(size)
    words, at = [], []
    for group in groups:
        first, last = values[group[0]], values[group[-1]]
        said = written(first) if len(group) == 1 else f"{written(first)} to {written(last)}"
        if len(group) == 1 and len(axis.paths) > 1:
            said = ", ".join(written(axis.values(one)[group[0]]) for one in axis.paths)
        words.append(said)
        ends = [split(one) for one in (first, last)]
        fits = unit is not None and all(end is not None and end[1] == unit for end in ends)
        at.append(sum(end[0] for end in ends if end is not None) / 2 if fits else math.nan)
    if len(groups) < size:
        level = f"({level} * {len(groups)} // {size})::bigint"
    return Factor(" + ".join(axis.paths), unit or "", level, tuple(words), tuple(at))


def _groups(size: int) -> list[range]:
    """Levels by class: each its own, or `MOST_LEVELS` classes of neighbours (level k is in class floor(k classes / size))."""
    count = min(size, MOST_LEVELS)
    starts = [-(-k * size // count) for k in range(count + 1)]
    return [range(low, high) for low, high in pairwise(starts)]


def _sampled(axis: Sampled, path: str, schema: Schema, count: int) -> Factor:
    one = axis.drawn[path]
    column = quoted(next(c.number for c in schema.inputs if c.path == path))
    levels = np.linspace(0, 1, count + 1)
    edges = list(dict.fromkeys(float(f"{one.number(float(u)):.9g}") for u in levels[1:-1]))
    middles = [one.number(float(u)) for u in (levels[:-1] + levels[1:]) / 2]
    if len(edges) + 1 < count:  # a law of few values: each is a class
        middles = [*edges, one.number(1 - 1e-9)]
    tests = " ".join(f"when {column} <= {edge!r} then {k}" for k, edge in enumerate(edges))
    shown = [quantity(float(f"{edge:.4g}"), one.unit) for edge in edges]
    words = [f"up to {shown[0]}", *(f"to {edge}" for edge in shown[1:]), f"over {shown[-1]}"]
    chance = len(edges) / max(axis.count - 1, 1)
    return Factor(path, one.unit, f"(case {tests} else {len(edges)} end)::bigint", tuple(words), tuple(middles), chance)


def effect_of(runs: Runs, factor: Factor, metric: str) -> Effect:
    """The means of a metric by level and the factor's share of its variance."""
    name = quoted(metric)
    rows = runs.ask(
        f"select {factor.sql} as level, count(*)::bigint, (count(*) filter ({STATUS} = 'ok'))::bigint, count({name})::bigint, "
        f"avg({name}), quantile_cont({name}, 0.1), quantile_cont({name}, 0.9), var_pop({name}) from runs group by 1 order by 1"
    )
    levels = tuple(
        Level(factor.words[int(level)], factor.at[int(level)], total, feasible, mean, low, high)
        for level, total, feasible, _, mean, low, high, _ in rows
    )
    counted = [(n, mean, variance) for _, _, _, n, mean, _, _, variance in rows if n]
    return Effect(factor, levels, _share(counted))


def _share(counted: Sequence[tuple[int, float, float]]) -> float | None:
    """eta^2 of (rows, mean, variance) by level; None where the metric does not vary."""
    if not counted:
        return None
    n, mean, variance = (np.array(column, dtype=float) for column in zip(*counted, strict=True))
    middle = float(n @ mean / n.sum())
    between, within = float(n @ (mean - middle) ** 2), float(n @ variance)
    if between + within <= 1e-24 * float(n.sum()) * middle * middle:
        return None
    return between / (between + within)


def cells_of(runs: Runs, across: Factor, up: Factor, metric: str) -> list[dict[str, Any]]:
    """Mean of a metric by the levels of two factors, every pair in its order; None where no row is or none is feasible."""
    name = quoted(metric)
    rows = runs.ask(
        f"select {across.sql} as x, {up.sql} as y, avg({name}), count(*)::bigint, (count(*) filter ({STATUS} = 'ok'))::bigint "
        "from runs group by 1, 2"
    )
    found = {(int(x), int(y)): (mean, total, feasible) for x, y, mean, total, feasible in rows}
    return [
        {"x": across.words[x], "y": up.words[y], "mean": mean, "runs": total, "feasible": feasible}
        for x in range(len(across.words))
        for y in range(len(up.words))
        for mean, total, feasible in [found.get((x, y), (None, 0, 0))]
    ]
