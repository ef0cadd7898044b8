"""A sweep as asked: the question, the design over its inputs, what to look at; checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.core.errors import Problems
from gigawatt.study.evaluate import Recipe
from gigawatt.study.questions import question_of
from gigawatt.study.source import changed, override
from gigawatt.study.sweep.check import check_axes
from gigawatt.study.sweep.design import Design, design_of
from gigawatt.study.sweep.file import base_of, read_sweep_file
from gigawatt.study.sweep.gathered import Gathered, Named, Said

SEED = 20260101


@dataclass(frozen=True, slots=True)
class Sweep:
    """A question asked of every scenario of a design.

    Attributes:
        recipe: the question; picklable.
        design: which scenarios.
        name: of the folder, where no other is asked for.
        title: of the page.
        metrics: headline metrics to look at; the first decides what is best. All are kept anyhow.
    """

    recipe: Recipe
    design: Design
    name: str
    title: str
    metrics: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        file: Path | str,
        verb: str | None = None,
        *,
        grid: Said = (),
        zip_: Said = (),
        sample: Said = (),
        samples: int | None = None,
        seed: int | None = None,
        cases: Named = (),
        metrics: Sequence[str] = (),
        chunk: int | None = None,
        overrides: Sequence[str] = (),
        overlays: Sequence[Path | str] = (),
        as_of: str | None = None,
    ) -> Sweep:
        """The sweep of a file: one that says `question: sweep`, or any question with axes given here.

        Args:
            file: the question whose inputs are changed, or a sweep's file.
            verb: who answers, where it is not the file's own.
            grid: inputs that are each an axis: path -> values, or words 'PATH=VALUES'.
            zip_: inputs that move together, in the same form.
            sample: inputs drawn from laws: path -> law, or words 'PATH=LAW'.
            samples: how many draws (256).
            seed: of the draws (the question's own, else 20260101).
            cases: named changes: name -> {path: value}, or words 'NAME: PATH=VALUE; PATH=VALUE'.
            metrics: headline metrics to look at, the first decides what is best.
            chunk: rows of a part.
            overrides, overlays, as_of: as for the verb itself.

        Raises:
            InputError: with every problem found, before anything runs.
        """
        path, gathered = Path(file), Gathered(Problems())
        name, title, looked_at, rows = "", "", tuple(metrics), chunk
        settings: Mapping[str, Any] = {}
        base = path
        if question_of(path) == "sweep":
            spec, source = read_sweep_file(path)
            base = base_of(spec, source)
            verb = verb or spec.verb
            as_of = as_of or (None if spec.as_of is None else str(spec.as_of))
            name, title, settings = spec.name, spec.title, spec.set_
            looked_at, rows = looked_at or tuple(spec.metrics), chunk or spec.chunk
            samples, seed = samples or spec.samples, spec.seed if seed is None else seed
            gathered.add_file(spec, source)
        recipe = _recipe(base, verb, settings, overrides, overlays, as_of)
        gathered.add(cases, grid, zip_, sample)
        return cls._made(recipe, gathered, samples, seed, rows, looked_at, name, title)

    @classmethod
    def of_recipe(
        cls,
        recipe: Recipe,
        *,
        grid: Said = (),
        zip_: Said = (),
        sample: Said = (),
        samples: int | None = None,
        seed: int | None = None,
        cases: Named = (),
        metrics: Sequence[str] = (),
        chunk: int | None = None,
    ) -> Sweep:
        """The sweep of a question that is read already; see `of`.

        Raises:
            InputError: with every problem found, before anything runs.
        """
        gathered = Gathered(Problems())
        gathered.add(cases, grid, zip_, sample)
        return cls._made(recipe, gathered, samples, seed, chunk, tuple(metrics))

    @classmethod
    def _made(
        cls,
        recipe: Recipe,
        gathered: Gathered,
        samples: int | None,
        seed: int | None,
        chunk: int | None,
        looked_at: tuple[str, ...],
        name: str = "",
        title: str = "",
    ) -> Sweep:
        if seed is None:
            own = recipe.source.data.get("seed")
            seed = own if isinstance(own, int) else SEED
        problems = gathered.problems
        axes = gathered.axes(samples, seed, recipe.inputs())
        design = design_of(axes, chunk, problems) if axes or not problems.found else None
        check_axes(recipe, axes, problems)
        problems.raise_if_any()
        assert design is not None
        of = str(recipe.source.data.get("name") or Path(recipe.source.file).stem)
        said = str(recipe.source.data.get("title") or of)
        return cls(recipe, design, name or f"{of}-sweep", title or f"{said}: {design.rows:,} scenarios", looked_at)


def _recipe(
    base: Path,
    verb: str | None,
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    overlays: Sequence[Path | str],
    as_of: str | None,
) -> Recipe:
    """The question, with what the sweep's file sets and then what the command line does."""
    recipe = Recipe.of(base, verb, (), overlays, as_of)
    problems = Problems()
    source = changed(recipe.source, settings, problems)
    source = override(source, overrides, problems)
    problems.raise_if_any()
    return Recipe(recipe.verb, source, recipe.overlays, recipe.as_of)
