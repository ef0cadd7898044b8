"""How sure a model is, and what matters: percentiles with their errors, the bad end, promises broken, causes.

tornado      each input at its P10 and P90, all others at their medians
Sobol'       share of the variance that an input causes alone (first) and with all it acts with (total); independent inputs
Shapley      the variance shared out among inputs that are correlated; sums to 1
known        how much narrower P10 to P90 would be were the input known to lie at its median, in the middle of the others
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gigawatt.core.errors import Problems, Where
from gigawatt.study.risk.model import Array, Asked, Model, correlation_matrix
from gigawatt.study.sensitivity import (
    Halving,
    Running,
    Share,
    expected_shortfall,
    first_order,
    halving,
    running,
    shapley_design,
    shapley_effects,
    sobol_design,
    sobol_indices,
    stretch_errors,
    tornado,
    tornado_design,
    wilson,
)

LEVELS = (0.1, 0.5, 0.9)
BUDGET = 60_000  # evaluations for indices of a quick model: about a second
CHUNK = 8192
FEW = 0.2  # share of draws without a value up to which causes are still sought
NOTHING = 1e-9  # of the widest bar, or of the metric: what an input moves less is rounding


@dataclass(frozen=True, slots=True)
class Spread:
    """One metric over the draws; `without` is the share of draws that have no value."""

    p10: float
    p50: float
    p90: float
    mean: float
    errors: Array
    without: float
    below_zero: Share | None
    shortfall_5: float | None
    shortfall_10: float | None


@dataclass(frozen=True, slots=True)
class Cause:
    """One input's effect on the metric asked for; None where it was not worked out."""

    at: int
    low: float
    high: float
    swing: float
    first: float | None = None
    first_error: float | None = None
    total: float | None = None
    total_error: float | None = None
    shapley: float | None = None
    shapley_error: float | None = None
    known: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An analysis: every metric's draws and spread, causes of one of them, how still its percentiles hold."""

    drawn: dict[str, Array]
    normal: Array
    spreads: dict[str, Spread]
    causes: tuple[Cause, ...]
    middle: float
    steady: Halving | None
    path: Running | None
    broken: tuple[Share, ...]
    notes: list[str] = field(default_factory=list)


def analyse(model: Model, asked: Asked, say: Callable[[str], Any] = lambda text: None) -> Found:
    """Everything at once. Deterministic: seed, rows and order decide alone."""
    parts: dict[str, list[Array]] = {}
    rows: list[Array] = []
    for first in range(0, asked.samples, CHUNK):
        last = min(first + CHUNK, asked.samples)
        normal = model.sampler.normals(first, last)
        rows.append(normal)
        made = model.values(normal, lambda done, first=first: say(f"drawing {first + done:,} of {asked.samples:,}"))  # type: ignore[misc]
        for name, values in made.items():
            parts.setdefault(name, []).append(values)
    drawn = {name: np.concatenate(several) for name, several in parts.items()}
    drawn = {name: values for name, values in drawn.items() if len(values) == asked.samples} | dict(asked.further)
    _refuse_undrawn(model, asked, drawn)
    normal = np.concatenate(rows)
    spreads = {name: spread_of(values) for name, values in drawn.items()}
    target, notes = _numbers(drawn[asked.metric], asked.metric)
    say("asking what matters")
    causes, middle = _causes(model, asked, normal, target, notes)
    enough = len(target) >= 32 and bool(causes)
    return Found(
        drawn,
        normal,
        spreads,
        causes,
        middle,
        halving(target) if enough else None,
        running(target, first=min(64, len(target) // 2)) if enough else None,
        tuple(wilson(int(p.broken(drawn[p.metric]).sum()), asked.samples) for p in asked.promises),
        notes,
    )


def spread_of(values: Array) -> Spread:
    """Percentiles of the draws that have a value, their standard errors, the bad end."""
    kept = values[np.isfinite(values)]
    without = 1.0 - len(kept) / max(len(values), 1)
    if len(kept) < 16:
        none = float("nan")
        return Spread(none, none, none, none, np.full(3, none), without, None, None, None)
    low, middle, high = np.quantile(kept, LEVELS)
    below = wilson(int((kept < 0).sum()), len(kept)) if np.any(kept < 0) or np.any(kept > 0) else None
    return Spread(
        float(low), float(middle), float(high), float(kept.mean()), stretch_errors(kept), without, below,
        expected_shortfall(kept, 0.05).mean, expected_shortfall(kept, 0.10).mean,
    )  # fmt: skip


def _refuse_undrawn(model: Model, asked: Asked, drawn: Mapping[str, Array]) -> None:
    """Metrics that are asked for must be there in the draws.

    Raises:
        InputError: the question has no such number (a plan without loans has no cover), or no draw moves it.
    """
    values = {one.name: one.value for one in model.metrics}
    problems = Problems()
    for metric, said in ((asked.metric, "--metric"), *((one.metric, f"covenant '{one.id}'") for one in asked.promises)):
        if metric not in drawn:
            there = values.get(metric) is not None
            why = f"nothing that is drawn moves '{metric}'" if there else f"there is no '{metric}' here"
            problems.add("not_drawn", why, Where(said), f"drawn: {', '.join(name for name in values if name in drawn)}")
    problems.raise_if_any()


def _numbers(values: Array, name: str) -> tuple[Array, list[str]]:
    """The draws with the worst value in place of none (no return, never paid back), and a sentence on it."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return values, []
    return _filled(values, name), [f"{bad.mean():.1%} of the draws have no {name}: they count as the worst that is."]


def _filled(values: Array, name: str) -> Array:
    known = values[np.isfinite(values)]
    worst = 0.0 if not len(known) else float(known.max() if name == "payback" else known.min())
    return np.where(np.isfinite(values), values, worst)


def _causes(
    model: Model, asked: Asked, normal: Array, target: Array, notes: list[str]
) -> tuple[tuple[Cause, ...], float]:
    """Every input that moves the metric, the widest bar first."""
    name, count = asked.metric, len(model.inputs)

    def of(rows: Array) -> Array:
        return np.concatenate([_filled(model.values(part, only=name)[name], name) for part in _split(rows)])

    bars_of = tornado_design(count)
    bars = tornado(bars_of, of(bars_of.normals))
    least = NOTHING * max(float(bars.swing.max(initial=0.0)), abs(bars.middle))
    order = [int(i) for i in bars.order if bars.swing[i] > least]
    causes = [Cause(i, float(bars.low[i]), float(bars.high[i]), float(bars.swing[i])) for i in order]
    lost = float(np.mean(~np.isfinite(target)))
    if not order or float(target.std()) == 0 or lost > FEW:
        return tuple(causes), bars.middle
    if not model.quick:
        one = first_order(normal, target) if len(target) >= 32 else None
        more = [{"first": float(one.first[i]), "first_error": float(one.error[i])} if one else {} for i in order]
        return _with(causes, more), bars.middle
    return _with(causes, _indices(model, asked, order, count, of, normal, target, notes)), bars.middle


def _indices(
    model: Model,
    asked: Asked,
    order: Sequence[int],
    count: int,
    of: Callable[[Array], Array],
    normal: Array,
    target: Array,
    notes: list[str],
) -> list[dict[str, float]]:
    """Sobol' indices where inputs are independent, else Shapley effects; and what knowing each would be worth."""
    rest = [i for i in range(count) if i not in set(order)]
    groups = [[i] for i in order] + ([rest] if rest else [])
    out: list[dict[str, float]] = [{} for _ in order]
    matrix = correlation_matrix(model.sampler.correlation, count)
    rows = 1 << int(np.log2(max(BUDGET / 2 / (len(groups) + 2), 64)))
    if model.sampler.correlation is None:
        design = sobol_design(count, rows, asked.seed, groups)
        made = sobol_indices(design, of(design.normals))
        for k in range(len(order)):
            out[k] |= {"first": float(made.first[k]), "first_error": float(made.first_error[k]),
                       "total": float(made.total[k]), "total_error": float(made.total_error[k])}  # fmt: skip
    else:
        notes.append("Inputs are correlated: Shapley effects stand in place of Sobol' indices.")
        shares_of = shapley_design(matrix, rows, asked.seed, groups)
        shares = shapley_effects(shares_of, of(shares_of.normals))
        for k in range(len(order)):
            out[k] |= {"shapley": float(shares.share[k]), "shapley_error": float(shares.error[k])}
    width = float(np.subtract(*np.quantile(target, [0.9, 0.1])))
    sample = normal[: min(len(normal), max(1024, BUDGET // (2 * len(groups))))]
    for k, i in enumerate(order):
        # Given z_i = 0 the other normals keep what they do not share with it.
        known = sample - np.outer(sample[:, i], matrix[:, i])
        if width > 0:
            out[k]["known"] = 1.0 - float(np.subtract(*np.quantile(of(known), [0.9, 0.1]))) / _width(
                target[: len(sample)]
            )
    return out


def _width(values: Array) -> float:
    return max(float(np.subtract(*np.quantile(values, [0.9, 0.1]))), 1e-300)


def _with(causes: Sequence[Cause], more: Sequence[dict[str, Any]]) -> tuple[Cause, ...]:
    return tuple(Cause(c.at, c.low, c.high, c.swing, **extra) for c, extra in zip(causes, more, strict=True))


def _split(rows: Array) -> list[Array]:
    return [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
