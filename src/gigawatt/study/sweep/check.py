"""Is a design right? Every path, value, id and law, told at once before anything runs.

Numbers are held against the bounds of their field. What only the whole file can tell (ids, choices, dates, parts that must fit
together) is tried by reading the question with that one change in it, which costs no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, Where
from gigawatt.study.evaluate import Recipe
from gigawatt.study.paths import Input, check_path
from gigawatt.study.questions import check_source
from gigawatt.study.source import changed
from gigawatt.study.sweep.axes import Axis, Cases
from gigawatt.study.sweep.sampled import Sampled
from gigawatt.study.sweep.values import Span, written

MOST_TRIED = 400  # changes that are tried by reading the whole question


def check_axes(recipe: Recipe, axes: Sequence[Axis], problems: Problems) -> None:
    """Add every problem of what the axes change in a question.

    Raises:
        InputError: the question itself is wrong.
    """
    catalog = Catalog.load(tuple(Path(folder) for folder in recipe.overlays))
    check_source(recipe.source, catalog, recipe.as_of)
    known, tries = recipe.inputs(), 0
    for axis, path in ((one, path) for one in axes for path in one.paths):
        unknown = check_path(path, known, axis.place(path))
        if unknown is not None:
            problems.extend([unknown])
            continue
        of = known.get(path)
        levels = list(_levels(axis, path))
        wrong = [
            (level, value)
            for level, value in levels
            if of is not None and _number_problem(of, axis, level, value, problems)
        ]
        for level, value in levels:
            if (level, value) not in wrong and tries < MOST_TRIED:
                tries += 1
                _try(recipe, {path: value}, axis.place(path, level), catalog, problems)
    if axes and not problems.found:
        first = {path: value for axis in axes for path, value in axis.at(0).items()}
        _try(recipe, first, axes[0].place(), catalog, problems, whole=True)


def _levels(axis: Axis, path: str) -> Iterator[tuple[int, Any]]:
    """(level, value) of what is checked of an input: both ends of a range, the outermost draws, every value of a list."""
    values = axis.values(path)
    if isinstance(axis, Cases):
        yield from ((level, changes[path]) for level, changes in enumerate(axis.cases.values()) if path in changes)
    elif isinstance(values, Span):
        yield from ((0, values[0]), (len(values) - 1, values[len(values) - 1]))
    else:
        yield from enumerate(values)


def _number_problem(of: Input, axis: Axis, level: int, value: Any, problems: Problems) -> bool:
    """Whether a number of a measured field is none or out of bounds; adds what is wrong."""
    if not of.is_number or value is None or value == "auto" or isinstance(value, (dict, list)):
        return False
    where = axis.place(of.path, level)
    try:
        number = of.number(value)
    except (ValueError, TypeError) as error:
        _tell(problems, "bad_value", f"{of.path}: {error}", where)
        return True
    if of.holds(number):
        return False
    unit = f" {of.unit}" if of.unit else ""
    said = f"{written(value)} is out of range; it must be {of.range_words}{unit}"
    if isinstance(axis, Sampled):
        law = axis.drawn[of.path].said
        said = f"the law {written(law)} draws {said}"
    _tell(problems, "out_of_range", f"{of.path}: {said}", where)
    return True


def _tell(problems: Problems, code: str, message: str, where: Where | None, *hints: str) -> None:
    """Add a problem once."""
    if not any(p.message == message and p.where == where for p in problems.found):
        problems.add(code, message, where, *hints)


def _try(
    recipe: Recipe,
    changes: Mapping[str, Any],
    where: Where | None,
    catalog: Catalog,
    problems: Problems,
    whole: bool = False,
) -> None:
    """Read the question with changes in it; what is wrong is told at the place of the change."""
    found = Problems()
    source = changed(recipe.source, changes, found)
    wrong: list[Problem] = list(found.found)
    if not wrong:
        try:
            check_source(source, catalog, recipe.as_of)
        except InputError as error:
            wrong = list(error.problems)
    said = "the first scenario" if whole else ", ".join(f"{path}={written(value)}" for path, value in changes.items())
    for one in wrong:
        _tell(problems, one.code, f"{said}: {one.message}", where, *one.hints)
