"""Any question under uncertainty, asked whole for each draw: a black box that takes values at dotted paths.

For what has no columns of its own. A draw costs a whole answer, so draws are few; a draw that can not be answered (infeasible)
has no values and is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem, Problems, Where
from gigawatt.study.evaluate import Evaluator, Outcome, Recipe
from gigawatt.study.paths import Input as Known
from gigawatt.study.paths import check_path
from gigawatt.study.risk.model import Array, Input, Metric
from gigawatt.study.risk.spec import Distribution
from gigawatt.study.risk.world import SMALL
from gigawatt.study.sampling import Correlation, Law, Sampler, correlation_of, mass_outside, pair_problems


@dataclass(frozen=True, slots=True)
class Boxed:
    """One varied path: its law in the unit inside (`scale` turns factors into values)."""

    known: Known
    law: Law
    scale: float
    given: Distribution

    def written(self, drawn: float) -> Any:
        """What a file would say."""
        value = drawn * self.scale
        if self.known.kind == "whole number":
            return round(value)
        return f"{value!r} {self.known.unit}".strip() if self.known.dimension else value


@dataclass
class BoxedModel:
    """A question answered anew for each draw."""

    recipe: Recipe
    varied: dict[str, Boxed]
    correlation: Correlation | None
    seed: int
    quick: bool = False
    held: str = "everything chosen anew in each draw"
    lost: Counter[str] = field(default_factory=Counter)

    @cached_property
    def evaluator(self) -> Evaluator:
        return self.recipe.evaluator()

    @cached_property
    def base(self) -> Outcome:
        """The question as it stands.

        Raises:
            InputError: it can not be answered as it stands.
        """
        found = self.evaluator.outcome({})
        if found.status != "ok":
            where = Where(self.recipe.source.file)
            raise InputError(Problem(found.status, f"as the file stands: {found.message}", where))
        return found

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What is varied, as shown."""
        return tuple(
            Input(
                path,
                path.rpartition(".")[2].replace("_", " "),
                one.law,
                one.known.unit or "",
                "file",
                "as asked",
                one.scale,
            )
            for path, one in self.varied.items()
        )

    @cached_property
    def sampler(self) -> Sampler:
        return Sampler({path: one.law for path, one in self.varied.items()}, self.seed, self.correlation)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every headline of the question as it stands."""
        base = self.base
        return tuple(Metric(name, value, self.evaluator.units.get(name, "")) for name, value in base.values.items())

    def values(self, normal: Array, say: Callable[[int], Any] = lambda done: None, only: str = "") -> dict[str, Array]:
        """Headlines of every row, one whole answer a row."""
        drawn = self.sampler.columns(normal)
        names = [one.name for one in self.metrics]
        out = {name: np.full(len(normal), np.nan) for name in names}
        for d in range(len(normal)):
            made = self.evaluator.outcome(
                {path: one.written(float(drawn[path][d])) for path, one in self.varied.items()}
            )
            if made.status == "ok":
                for name in names:
                    out[name][d] = made.values.get(name, np.nan)
            else:
                self.lost[f"{made.status}: {made.message}"] += 1
            say(d + 1)
        return out

    def notes(self, rows: int) -> list[str]:
        """What could not be answered."""
        return [f"{count} of {rows:,} questions asked have no answer: {why}" for why, count in self.lost.most_common(3)]


def boxed_model(
    recipe: Recipe,
    vary: Mapping[str, Distribution],
    pairs: Sequence[tuple[str, str, float]],
    seed: int,
    where: Callable[[str], Where] = lambda path: Where(f"--vary {path}"),
) -> BoxedModel:
    """A black box over some paths of a question.

    Raises:
        InputError: unknown paths, laws outside their field's range, correlations that can not be; all at once.
    """
    problems, known = Problems(), recipe.inputs()
    varied: dict[str, Boxed] = {}
    for path, given in vary.items():
        wrong = check_path(path, known, where(path))
        if wrong is not None:
            problems.found.append(wrong)
            continue
        try:
            one = _boxed(path, known.get(path), given, recipe)
        except ValueError as error:
            problems.add("bad_law", f"{path}: {error}", where(path))
            continue
        share = mass_outside(one.law, *(end / one.scale for end in _bounds(one.known)))
        if share > SMALL:
            low, high = (f"{end * one.scale:.4g}" for end in one.law.support)
            said = f"{path}: a {given.dist} from {low} to {high} leaves the field's range in {share:.2g} of the draws"
            hint = "a law with both ends fits: {dist: pert, low: .., high: ..}"
            problems.add("out_of_range", f"{said}; it must be {one.known.range_words}", where(path), hint)
        varied[path] = one
    problems.extend(pair_problems(list(varied), pairs, Where("--correlate")) if not problems.found else [])
    problems.raise_if_any()
    correlation = correlation_of(list(varied), pairs) if pairs else None
    contradiction = correlation.problem(Where("--correlate")) if correlation is not None else None
    if contradiction is not None:
        raise InputError(contradiction)
    return BoxedModel(recipe, varied, correlation, seed)


def _bounds(known: Known) -> tuple[float, float]:
    bounds = known.bounds or {}
    low = max((bounds[name] for name in ("gt", "ge") if name in bounds), default=-np.inf)
    high = min((bounds[name] for name in ("lt", "le") if name in bounds), default=np.inf)
    return float(low), float(high)


def _boxed(path: str, known: Known | None, given: Distribution, recipe: Recipe) -> Boxed:
    if known is None or not known.is_number:
        kind = "open" if known is None else known.kind
        raise ValueError(f"only numbers can be drawn, and it is a {kind}")
    base = _now(known)
    if given.absolute:
        return Boxed(known, given.law(known.dimension or "share", base), 1.0, given)
    if not base:
        raise ValueError("factors need a value to multiply; give the law in the input's unit, such as "
                         f"{{dist: uniform, low: 1 {known.unit}, high: 2 {known.unit}}}".replace(" ,", ","))  # fmt: skip
    return Boxed(known, given.law(middle=1.0), base, given)


def _now(known: Known) -> float | None:
    """The value as it stands, inside."""
    value = known.value.get("value") if isinstance(known.value, Mapping) else known.value
    if value is None:
        return None
    try:
        return float(value) if isinstance(value, float) and not known.written else known.number(value)
    except (ValueError, TypeError):
        return None
