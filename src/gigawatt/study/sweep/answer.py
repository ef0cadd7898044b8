"""The answer of a sweep: best and worst, what each input does, which scenarios can not be, as one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gigawatt import __version__
from gigawatt.core.table import Table
from gigawatt.study.plugged import with_overlays
from gigawatt.study.result import RunResult
from gigawatt.study.source import digest
from gigawatt.study.sweep.drive import FAILED, INFEASIBLE, OK, WRONG, Swept
from gigawatt.study.sweep.effects import Effect, cells_of, effect_of, factors_of
from gigawatt.study.sweep.reading import Runs, reading
from gigawatt.study.sweep.schema import CASE, INDEX, STATUS, Schema

MOST_BEST = 10
OF_A_CELL = 6  # draws, about, of a cell of two sampled inputs
MOST_DRAWN = 1000  # rows in a chart of all inputs at once
SMALL_SHARE = 0.005  # of the variance; below it an input is not named in the answer
MOST_BESIDE = 3  # metrics beside the one that decides, where none is asked for
STATUS_WORDS = {
    OK: "answered",
    INFEASIBLE: "infeasible: no plan fits",
    WRONG: "wrong: the input can not be",
    FAILED: "failed: our own fault",
}
# Looked at beside the one that decides, in this order, where the answer has them.
USUAL = ("system_npv", "operator_npv", "revenue_per_mw_year", "cost_per_mtok", "capex", "operator_irr")


def answer_sweep(swept: Swept) -> RunResult:
    """The result of a sweep, from its parts alone: the same parts give the same result."""
    sweep, schema, tally = swept.sweep, swept.schema, swept.tally
    with reading(swept.folder, sweep.design.rows) as runs:
        spreads = {name: found for name in schema.metrics if (found := runs.spread(name))["runs"]}
        metric = tally.metric if tally.metric in spreads else next(iter(spreads), "")
        looked_at = _looked_at(sweep.metrics, metric, spreads)
        statuses = runs.statuses()
        effects = _effects(runs, swept, metric) if metric else []
        # Of a small sweep no scenario is both among the best and among the worst.
        most = min(MOST_BEST, -(-tally.feasible // 2))
        tables = {
            "best": _rows("best", runs.top(metric, most, tally.lowest) if metric else [], schema, looked_at),
            "worst": _rows("worst", runs.top(metric, most, not tally.lowest) if metric else [], schema, looked_at),
            "effects": _effects_table(effects, metric, schema),
            "levels": _levels_table(effects, metric, schema),
            "cells": _cells(runs, effects, metric, swept),
            "scenarios": _rows("scenarios", runs.thinned(MOST_DRAWN), schema, looked_at),
            "statuses": _statuses(statuses, sweep.design.rows),
        }
    design = sweep.design.as_json()
    manifest = {
        "question": "sweep",
        "version": __version__,
        "verb": sweep.recipe.verb,
        "count": sweep.design.rows,
        "feasible": tally.feasible,
        "statuses": {status: tally.statuses.get(status, 0) for status in STATUS_WORDS},
        "metric": metric,
        "lowest": tally.lowest,
        "looked_at": list(looked_at),
        "design": design,
        "units": {name: schema.metrics[name] for name in looked_at},
        "scenario": sweep.recipe.source.data,
        "scenario_hash": digest(sweep.recipe.source.data)[:16],
    }
    metrics = _metrics(spreads, schema)
    texts = {
        "answer": _sentences(swept, tables, metric, effects),
        "notes": _notes(swept),
        "next": _next(swept, metric, effects),
    }
    made = RunResult(sweep.name, sweep.title, _headline(swept, tables, metric), _kept(tables), metrics, texts, manifest)
    return with_overlays(made, sweep.recipe.overlays)


def first_runs(swept: Swept, most: int) -> list[dict[str, Any]]:
    """The first rows as they stand in the parts, at most so many."""
    with reading(swept.folder, swept.sweep.design.rows) as runs:
        return runs.first(most)


def _kept(tables: Mapping[str, Table]) -> dict[str, Table]:
    return {name: table for name, table in tables.items() if len(table)}


def _looked_at(asked: Sequence[str], metric: str, spreads: Mapping[str, Any]) -> tuple[str, ...]:
    """The metric that decides, and those beside it that some scenario has."""
    beside = [name for name in asked if name in spreads] or [name for name in (*USUAL, *spreads) if name in spreads]
    most = len(asked) or MOST_BESIDE + 1
    return tuple(dict.fromkeys([metric, *beside]))[: max(most, 1)] if metric else ()


def _rows(name: str, rows: Sequence[Mapping[str, Any]], schema: Schema, looked_at: Sequence[str]) -> Table:
    """Rows of the parts: the metric that decides, the inputs (numbers where they are), the other metrics.

    An input goes by its path alone, since the unit stands in the header; per cent are shares, as in every table.
    """
    inputs = {one.path: one for one in schema.inputs}
    made = []
    for row in rows:
        shown = {INDEX: row[INDEX], **({CASE: row[CASE]} if schema.cases else {})}
        for path, one in inputs.items():
            value = row[one.number or one.text]
            shown[path] = value / 100 if one.unit == "%" and value is not None else value
        made.append(shown | {metric: row[metric] for metric in looked_at})
    columns = [INDEX, *looked_at[:1], *([CASE] if schema.cases else []), *inputs, *looked_at[1:]]
    units = {path: "share" if one.unit == "%" else one.unit for path, one in inputs.items() if one.number and one.unit}
    units |= {metric: schema.metrics[metric] for metric in looked_at}
    title = {"best": "Best", "worst": "Worst", "scenarios": "Scenarios"}[name]
    return Table.from_rows(name, made, columns, units, title)


def _effects(runs: Runs, swept: Swept, metric: str) -> list[Effect]:
    """Every factor's effect, the strongest first."""
    found = [effect_of(runs, factor, metric) for factor in factors_of(swept.sweep.design, swept.schema)]
    return sorted(found, key=lambda effect: -(effect.share or 0.0))


def _effects_table(effects: Sequence[Effect], metric: str, schema: Schema) -> Table:
    rows = []
    for effect in effects:
        held = [level for level in effect.levels if level.mean is not None]
        least = min(held, key=lambda level: level.mean or 0.0) if held else None
        most = max(held, key=lambda level: level.mean or 0.0) if held else None
        rows.append(
            {
                "input": effect.factor.name,
                "levels": len(effect.factor.words),
                "share_of_variance": effect.share,
                "by_chance": effect.factor.chance,
                "lowest_mean": least.mean if least else None,
                "lowest_at": least.words if least else None,
                "highest_mean": most.mean if most else None,
                "highest_at": most.words if most else None,
                "swing": effect.swing,
                "least_feasible_share": min((level.feasible / level.runs for level in effect.levels), default=None),
            }
        )
    unit = schema.metrics.get(metric, "")
    units = dict.fromkeys(("lowest_mean", "highest_mean", "swing"), unit)
    units |= dict.fromkeys(("share_of_variance", "by_chance", "least_feasible_share"), "share")
    note = (
        "Share of variance: the variance of the means by level over that of all scenarios (correlation ratio, eta squared). "
        "What is left are interactions, and what is infeasible."
    )
    columns = list(rows[0]) if rows else ["input"]
    return Table.from_rows("effects", rows, columns, units, f"What each input does to {metric}", note)


def _levels_table(effects: Sequence[Effect], metric: str, schema: Schema) -> Table:
    rows = [
        {
            "input": effect.factor.name,
            "level": level.words,
            "at": level.at if effect.factor.is_number else None,
            "at_unit": effect.factor.unit,
            "runs": level.runs,
            "feasible": level.feasible,
            "mean": level.mean,
            "low": level.low,
            "high": level.high,
        }
        for effect in effects
        for level in effect.levels
    ]
    units = dict.fromkeys(("mean", "low", "high"), schema.metrics.get(metric, ""))
    columns = list(rows[0]) if rows else ["input"]
    note = "Mean, P10 and P90 over the feasible scenarios at each level, all other inputs as they vary."
    return Table.from_rows("levels", rows, columns, units, f"{metric} by level of each input", note)


def _cells(runs: Runs, effects: Sequence[Effect], metric: str, swept: Swept) -> Table:
    """Mean by the two inputs that matter most."""
    if len(effects) < 2:
        return Table("cells", {})
    factors = {one.name: one for one in factors_of(swept.sweep.design, swept.schema, OF_A_CELL)}
    across, up = (factors[effect.factor.name] for effect in effects[:2])
    rows = cells_of(runs, across, up, metric)
    title = f"{metric} over {across.name} and {up.name}"
    note = f"x: {across.name}; y: {up.name}; the mean over the feasible scenarios of each cell."
    return Table.from_rows(
        "cells", rows, ["x", "y", "mean", "runs", "feasible"], {"mean": swept.schema.metrics[metric]}, title, note
    )


def _statuses(found: Sequence[Mapping[str, Any]], total: int) -> Table:
    rows = [
        {
            "status": row[STATUS],
            "meaning": STATUS_WORDS.get(row[STATUS], ""),
            "runs": row["runs"],
            "share": row["runs"] / total,
            "most_often": row["message"],
        }
        for row in found
    ]
    columns = ["status", "meaning", "runs", "share", "most_often"]
    return Table.from_rows("statuses", rows, columns, {"share": "share"}, "How many scenarios have an answer")


def _metrics(spreads: Mapping[str, Mapping[str, Any]], schema: Schema) -> Table:
    """Every headline metric over the scenarios: its median as value, P10 and P90 as band."""
    rows = [
        {
            "name": name,
            "value": found["p50"],
            "unit": schema.metrics[name],
            "low": found["low"],
            "high": found["high"],
            "p50": found["p50"],
            "least": found["least"],
            "mean": found["mean"],
            "most": found["most"],
            "runs": found["runs"],
            "formula": "median over the scenarios that have it; low and high are their P10 and P90",
        }
        for name, found in spreads.items()
    ]
    columns = ["name", "value", "unit", "low", "high", "p50", "least", "mean", "most", "runs", "formula"]
    note = "Over the scenarios, each counted once: how the design is spread decides what is frequent."
    return Table.from_rows("metrics", rows, columns, {}, "Headline numbers over the scenarios", note)


def _headline(swept: Swept, tables: Mapping[str, Table], metric: str) -> str:
    tally, total = swept.tally, swept.sweep.design.rows
    counted = f"{total:,} scenarios of '{swept.sweep.recipe.verb}', {tally.feasible:,} feasible"
    if not metric or not len(tables["best"]):
        return f"{counted}: nothing fits."
    best, worst = (next(tables[name].rows()) for name in ("best", "worst"))
    unit = swept.schema.metrics[metric]
    said = ", ".join(f"{name} {_number(value)}" for name, value in _inputs(best, swept).items())
    return (
        f"{counted}; {metric} from {_number(worst[metric])} to {_number(best[metric])} {unit}, best at {said}.".replace(
            " ,", ","
        )
    )


def _inputs(row: Mapping[str, Any], swept: Swept) -> dict[str, Any]:
    """The changed inputs of a row of `best`, each with its unit."""
    named = {CASE: row[CASE]} if CASE in row else {}
    for one in swept.schema.inputs:
        value = row.get(one.path)
        if value is not None:
            named[one.path] = f"{_number(100 * value if one.unit == '%' else value)} {one.unit}".strip()
    return named


def _number(value: Any) -> str:
    """Four digits; what is large with a word for its thousands.

    >>> _number(7231995.0), _number(31.25), _number(-2.4e9), _number("norway")
    ('7.232 M', '31.25', '-2.4 B', 'norway')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    for size, word in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.4g} {word}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"


def _sentences(swept: Swept, tables: Mapping[str, Table], metric: str, effects: Sequence[Effect]) -> list[str]:
    lines: list[str] = []
    told = [effect for effect in effects if effect.share is not None and effect.share >= SMALL_SHARE][:3]
    if told:
        shares = ", ".join(f"{effect.factor.name} {(effect.share or 0.0) * 100:.0f} %" for effect in told)
        lines.append(f"What moves {metric} most (share of its variance): {shares}.")
    for status in (INFEASIBLE, WRONG, FAILED):
        count = swept.tally.statuses.get(status, 0)
        if count:
            row = next(row for row in tables["statuses"].rows() if row["status"] == status)
            reason = f", most often: {row['most_often']}" if row["most_often"] else ""
            lines.append(f"{count:,} {STATUS_WORDS[status]}{reason}")
    return lines


def _notes(swept: Swept) -> list[str]:
    return [
        "A scenario that can not be is a row with its reason, and is left out of means and shares.",
        "Every row is in parts/; row i of the design depends on i alone, so any part can be made again by itself.",
    ]


def _next(swept: Swept, metric: str, effects: Sequence[Effect]) -> list[str]:
    """How the metric goes with the input that moves it most."""
    named = {one.path: one.number or one.text for one in swept.schema.inputs}
    first = effects[0].factor.name.partition(" + ")[0] if effects else next(iter(named))
    column = named.get(first, first)
    return (
        [f"gigawatt query 'select \"{column}\", avg({metric}) from runs group by 1 order by 1' --run DIR"]
        if metric
        else []
    )
