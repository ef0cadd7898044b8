"""What a part's columns are: decided before the first part is written, so that no part depends on another.

Inputs stand as they were written and, where they are numbers, as numbers in the unit that heads the column
(`site.energy_price [USD/MWh]`). Metrics are those that the verb declares, else those of the question as it stands and of a few
scenarios spread over the design; one that only another scenario has is kept as JSON in `other_metrics`: nothing is lost.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from gigawatt.study.evaluate import Outcome, Recipe
from gigawatt.study.paths import Input
from gigawatt.study.sweep.design import Design
from gigawatt.study.sweep.sampled import Sampled
from gigawatt.study.sweep.values import Span, number_of, split, written

if TYPE_CHECKING:
    import polars as pl

INDEX, CASE, STATUS, MESSAGE, OTHER = "index", "case", "status", "message", "other_metrics"
OWN = (INDEX, CASE, STATUS, MESSAGE, OTHER)
PROBES = 3  # scenarios besides the question as it stands that say which metrics there are
MOST_PROBES = 12  # where the first are infeasible


@dataclass(frozen=True, slots=True)
class InputColumn:
    """The columns of one changed input; '' where it has none of that kind.

    `unit` is as written where all values are written in one, else the engine's own (`reader` makes it).
    """

    path: str
    text: str
    number: str
    unit: str = ""
    reader: Input | None = None

    def number_of(self, value: Any) -> float:
        """The number in the column's unit; NaN for none."""
        if value is None:
            return math.nan
        if self.reader is not None:
            return self.reader.number(value)
        return number_of(value)


@dataclass(frozen=True, slots=True)
class Schema:
    """Columns of every part of a sweep: inputs, and metrics with their units."""

    inputs: tuple[InputColumn, ...]
    metrics: Mapping[str, str]
    cases: bool = False

    @property
    def types(self) -> dict[str, pl.DataType]:
        """Every column with its type, in order."""
        import polars as pl

        made: dict[str, Any] = {INDEX: pl.UInt64}
        if self.cases:
            made[CASE] = pl.String
        for one in self.inputs:
            made |= ({one.text: pl.String} if one.text else {}) | ({one.number: pl.Float64} if one.number else {})
        return {
            **made,
            STATUS: pl.String,
            MESSAGE: pl.String,
            **dict.fromkeys(self.metrics, pl.Float64),
            OTHER: pl.String,
        }

    def as_json(self) -> dict[str, Any]:
        columns = [{"path": c.path, "text": c.text, "number": c.number, "unit": c.unit} for c in self.inputs]
        return {"inputs": columns, "metrics": dict(self.metrics)}


def inputs_of(design: Design, known: Mapping[str, Input], metrics: Mapping[str, str]) -> tuple[InputColumn, ...]:
    """The columns of every input that a design changes."""
    taken = {*OWN, *metrics}
    out = []
    for axis, path in design.changed:
        values = axis.values(path)
        name = f"input.{path}" if path in taken else path
        reader = None
        if isinstance(axis, Sampled):
            numeric, unit = True, axis.drawn[path].unit
        elif isinstance(values, Span):
            numeric, unit = True, values.unit
        else:
            found = [split(value) for value in values]
            written_in = {one[1] for one in found if one is not None}
            numeric = all(one is not None for one in found) and len(written_in) == 1
            unit = next(iter(written_in)) if numeric else ""
            of = known.get(path)
            if of is not None and not of.is_number:
                numeric = False
            elif of is not None and len(written_in) > 1 and all(one is not None for one in found):
                numeric, unit, reader = True, of.unit, of
        if not numeric:
            out.append(InputColumn(path, name, ""))
        elif not unit and reader is None:
            out.append(InputColumn(path, "", name))
        else:
            out.append(InputColumn(path, name, f"{name} [{unit}]" if unit else f"{name} [number]", unit, reader))
    return tuple(out)


def metrics_of(recipe: Recipe, design: Design) -> dict[str, str]:
    """Headline metrics with their units: those a verb declares, else of the question as it stands and a few scenarios.

    The few are spread over the design; where they are infeasible more are asked, up to `MOST_PROBES`.
    """
    found = declared(recipe)
    if found:
        return found
    evaluator, answered = recipe.evaluator(), 0
    for changes in [{}, *map(design.changes, design.spread(MOST_PROBES))]:
        if answered > PROBES:
            break
        outcome = evaluator.outcome(changes)
        answered += outcome.status == "ok"
        found |= {name: evaluator.units.get(name, "") for name in outcome.values if name not in found}
    return found


def declared(recipe: Recipe) -> dict[str, str]:
    """Every metric that a verb may have, whatever the scenario says; none where they depend on it."""
    if recipe.verb != "run":
        return {}
    from gigawatt.study.headline import HEADLINES

    return {one.name: one.unit for one in HEADLINES}


def schema_of(recipe: Recipe, design: Design) -> Schema:
    """The columns of a sweep's parts."""
    metrics = metrics_of(recipe, design)
    return Schema(inputs_of(design, recipe.inputs(), metrics), metrics, design.cases is not None)


def frame_of(
    schema: Schema,
    design: Design,
    rows: Sequence[int],
    changes: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Outcome],
) -> pl.DataFrame:
    """The rows of one part, with what each changes and what came of it, in the order of the schema."""
    import polars as pl

    columns: dict[str, list[Any]] = {INDEX: list(rows)}
    if schema.cases:
        columns[CASE] = [design.case(row) for row in rows]
    for one in schema.inputs:
        values = [change.get(one.path) for change in changes]
        if one.text:
            columns[one.text] = [None if value is None else written(value) for value in values]
        if one.number:
            numbers = [one.number_of(value) for value in values]
            columns[one.number] = [None if math.isnan(number) else number for number in numbers]
    columns[STATUS] = [outcome.status for outcome in outcomes]
    columns[MESSAGE] = [outcome.message or None for outcome in outcomes]
    for name in schema.metrics:
        columns[name] = [_finite(outcome.values.get(name)) for outcome in outcomes]
    columns[OTHER] = [_others(outcome, schema) for outcome in outcomes]
    return pl.DataFrame(columns, schema=schema.types)


def encode(frame: pl.DataFrame) -> bytes:
    """A part as Parquet: the same rows give the same bytes."""
    out = BytesIO()
    frame.write_parquet(out, compression="zstd", compression_level=3, statistics=True)
    return out.getvalue()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _others(outcome: Outcome, schema: Schema) -> str | None:
    more = {
        name: value for name, value in outcome.values.items() if name not in schema.metrics and math.isfinite(value)
    }
    return json.dumps(more, sort_keys=True) if more else None
