"""Answers changes of one question; facts and the file are read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError, Problems
from gigawatt.core.table import Table
from gigawatt.study.evaluate.physics import RememberedPhysics
from gigawatt.study.evaluate.recipe import Changes, Outcome, Recipe
from gigawatt.study.headline import values
from gigawatt.study.load import check
from gigawatt.study.perform import Physics
from gigawatt.study.pipeline import bare_answer
from gigawatt.study.questions import answer_source
from gigawatt.study.resolve import resolve
from gigawatt.study.result import RunResult
from gigawatt.study.source import Source, changed

Progress = Callable[[str], Any]


class Evaluator:
    """Headline metrics, or the whole answer, of a question with some inputs changed."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.units: dict[str, str] = {}  # of every metric seen so far
        self._physics = RememberedPhysics()

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog.load(tuple(Path(folder) for folder in self.recipe.overlays))

    def source(self, changes: Changes) -> Source:
        """The question's data with the changes in it.

        Raises:
            InputError: a path that names nothing.
        """
        problems = Problems()
        made = changed(self.recipe.source, changes, problems)
        problems.raise_if_any()
        return made

    def outcome(self, changes: Changes | None = None) -> Outcome:
        """Headline metrics; what can not be is told, not raised, so that one bad scenario spoils no sweep."""
        try:
            found = self._numbers(self.source(changes or {}))
        except Infeasible as error:
            return Outcome("infeasible", {}, str(error))
        except InputError as error:
            return Outcome("wrong", {}, "; ".join(problem.message for problem in error.problems))
        except MemoryError:
            raise  # the machine's fault: asked again, it may have an answer
        except Exception as error:
            return Outcome("failed", {}, f"{type(error).__name__}: {error}")
        self.units |= {name: unit for name, (_, unit) in found.items()}
        return Outcome("ok", {name: value for name, (value, _) in found.items()})

    def _numbers(self, source: Source) -> dict[str, tuple[float, str]]:
        """Headline metrics with their units, by the shortest way that gives the same numbers as the whole answer."""
        if self.recipe.verb == "run":
            return planned(source, self.catalog, self._physics)
        rows = self._answer(source).metrics.rows()
        return {row["name"]: (float(row["value"]), row["unit"]) for row in rows if _is_number(row["value"])}

    def metrics(self, changes: Changes | None = None) -> Table:
        """The table of headline metrics (name, value, unit, ...).

        Raises:
            InputError: the changed input is wrong.
            Infeasible: no plan fits.
        """
        return self.result(changes).metrics

    def result(self, changes: Changes | None = None, progress: Progress = lambda text: None) -> RunResult:
        """The whole answer, with its tables.

        Raises:
            InputError: the changed input is wrong.
            Infeasible: no plan fits.
        """
        return self._answer(self.source(changes or {}), progress)

    def _answer(self, source: Source, progress: Progress = lambda text: None) -> RunResult:
        return answer_source(self.recipe.verb, source, self.catalog, self.recipe.as_of, progress)


def planned(source: Source, catalog: Catalog, physics: Physics | None = None) -> dict[str, tuple[float, str]]:
    """Headline metrics of a scenario's plan, with their units: what `run` says of them, without tables and bands.

    Raises:
        InputError: the scenario is wrong.
        Infeasible: no plan fits.
    """
    return values(bare_answer(resolve(check(source), catalog), physics=physics))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
