"""Answers changes of one question; facts and the file are read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError, Problems
from gigawatt.core.table import Table
from gigawatt.study.evaluate.recipe import Changes, Outcome, Recipe
from gigawatt.study.result import RunResult
from gigawatt.study.source import Source, changed

Progress = Callable[[str], Any]


class Evaluator:
    """Headline metrics, or the whole answer, of a question with some inputs changed."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.units: dict[str, str] = {}  # of every metric seen so far

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
            metrics = self.metrics(changes)
        except Infeasible as error:
            return Outcome("infeasible", {}, str(error))
        except InputError as error:
            return Outcome("wrong", {}, "; ".join(problem.message for problem in error.problems))
        except Exception as error:
            return Outcome("failed", {}, f"{type(error).__name__}: {error}")
        rows = [row for row in metrics.rows() if isinstance(row["value"], (int, float))]
        self.units |= {row["name"]: row["unit"] for row in rows}
        return Outcome("ok", {row["name"]: float(row["value"]) for row in rows})

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
        from gigawatt.study.questions import answer_source

        recipe = self.recipe
        return answer_source(recipe.verb, self.source(changes or {}), self.catalog, recipe.as_of, progress)
