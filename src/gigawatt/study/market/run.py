"""One run of a market file: its sections in order, their tables side by side, one headline, the forecast."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problems
from gigawatt.core.table import Table
from gigawatt.study.explained.kept import kept
from gigawatt.study.market.explained import QUARTERS, trees
from gigawatt.study.market.scenario import SECTIONS, LoadedMarket
from gigawatt.study.market.section import Context, SectionResult
from gigawatt.study.result import RunResult
from gigawatt.study.source import digest

Array = NDArray[np.float64]
Progress = Callable[[str], Any]
METRIC_COLUMNS = ("name", "value", "unit", "low", "high", "p50", "formula", "inputs")


def run_market(
    loaded: LoadedMarket, progress: Progress = lambda text: None, catalog: Catalog | None = None
) -> RunResult:
    """Answer a market file.

    Raises:
        InputError: what a section can not know or find, of all sections at once, each at its place.
    """
    began = time.perf_counter()
    market, facts = loaded.market, Catalog.load() if catalog is None else catalog
    columns: dict[str, Array] = {}
    answers: dict[str, SectionResult] = {}
    problems = Problems()
    for name, section in SECTIONS.items():
        given = loaded.section(name)
        if given is None:
            continue
        progress(f"working out {name}")
        context = (Context(facts, _below(loaded, name), columns),) if section.context else ()
        try:
            made = section.run(given, market.seed, market.samples, loaded.as_of, *context)
        except InputError as error:
            problems.extend(error.problems)
            continue
        answers[name] = made
        columns |= made.columns
    problems.raise_if_any()
    return _assemble(loaded, answers, facts, time.perf_counter() - began)


def _below(loaded: LoadedMarket, name: str) -> Callable[[Sequence[str | int]], Any]:
    return lambda path: loaded.source.where((name, *path))


def _assemble(loaded: LoadedMarket, answers: Mapping[str, SectionResult], facts: Catalog, wall_s: float) -> RunResult:
    market = loaded.market
    tables = merged([table for made in answers.values() for table in made.tables])
    rows = [row for made in answers.values() for row in made.metrics]
    metrics = Table.from_rows("metrics", rows, METRIC_COLUMNS, {}, "Headline numbers", "low and high bound 80 %.")
    said = {name: made.sentences for name, made in answers.items()}
    first = [lines[0] for lines in said.values() if lines]
    texts = {
        "answer": [line for lines in said.values() for line in lines],
        "left_out": [line for made in answers.values() for line in made.left_out],
        "notes": [_as_of(loaded), *(line for made in answers.values() for line in made.notes)],
        "next": [f"gigawatt market {loaded.source.file} --json"],
    }
    manifest: dict[str, Any] = {
        "version": __version__,
        "question": "market",
        "scenario": loaded.source.data,
        "scenario_file": loaded.source.file,
        "scenario_hash": digest(loaded.source.data)[:16],
        "seed": market.seed,
        "samples": market.samples,
        "as_of": loaded.as_of.isoformat() if loaded.as_of else None,
        "description": market.description,
        "claim": market.claim.model_dump(mode="json") if market.claim else None,
        **kept(trees(loaded.source, answers), facts, loaded.source, QUARTERS),
        "wall_s": wall_s,
    }
    for made in answers.values():
        # The first section that has one gives the forecast; other facts have names of their own.
        manifest = {**made.facts, **manifest}
    return RunResult(market.name, market.title or market.name, " ".join(first), tables, metrics, texts, manifest)


def merged(tables: Sequence[Table]) -> dict[str, Table]:
    """Tables by name; those of one name become one, row under row, with all their columns."""
    out: dict[str, Table] = {}
    for table in tables:
        if not len(table):
            continue
        held = out.get(table.name)
        if held is None:
            out[table.name] = table
            continue
        columns = list(dict.fromkeys((*held.columns, *table.columns)))
        notes = " ".join(dict.fromkeys(note for note in (held.note, table.note) if note))
        out[table.name] = Table.from_rows(
            table.name, [*held.rows(), *table.rows()], columns, {**held.units, **table.units}, held.title, notes
        )
    return out


def _as_of(loaded: LoadedMarket) -> str:
    if loaded.as_of is None:
        return "Everything that the catalog knows was used; --as-of DATE uses only what was known by a day."
    return f"Only what was known by {loaded.as_of} was used."
