"""Trees of answers about other answers: what `compare`, `risk` and `sweep` say, from the tables that they keep.

    compare   B less A = sum of the steps, one group of inputs at a time
    risk      a number of the draws; under it its percentiles, and the inputs by what they move
    sweep     the median over the scenarios; under it the least, the most, and what each input of the design does

How the number of one scenario comes about is that scenario's own tree: `gigawatt explain NAME --run SWEEP --row N`, or the
run's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.study.explain import Node, NodeKind, choice, defined, node, worked
from gigawatt.study.explained.kept import shown
from gigawatt.study.source import read, split_path

Row = Mapping[str, Any]
Tables = Mapping[str, Table]
MOST_BARS = 40  # inputs of an analysis of risk that a tree shows, the widest first


def derived_trees(manifest: Mapping[str, Any], metrics: Table, tables: Tables) -> dict[str, Node]:
    """A tree for every metric of such an answer; nothing for one of another kind."""
    how = _KINDS.get(str(manifest.get("question", "")))
    if how is None:
        return {}
    rows = [row for row in metrics.rows() if isinstance(row["value"], (int, float))]
    return {row["name"]: how(row, manifest, tables) for row in rows}


def _rows(tables: Tables, name: str) -> Iterator[dict[str, Any]]:
    return tables[name].rows() if name in tables else iter(())


def _compare(row: Row, manifest: Mapping[str, Any], tables: Tables) -> Node:
    name, unit = str(row["name"]), str(row["unit"])
    inputs = _differences(tables)
    own = name == manifest.get("metric")
    steps = [
        (str(one["step"]), one["value"])
        for one in _rows(tables, "steps" if own else "every_metric")
        if own or one["metric"] == name
    ]
    ends = [
        node("formula", f"{name} of {side}: {manifest.get(f'{key}_name', side)}", row[key], unit, "asked by itself",
             inputs or [choice("nothing differs", None, "", "both say the same")])
        for side, key in (("B", "b"), ("A", "a"))
    ]  # fmt: skip
    if not steps or any(value is None for _, value in steps):
        return worked("difference", f"{name}: B less A", unit, ends, row["value"])
    rows = [
        node(
            "formula",
            step,
            value,
            unit,
            f"all else held; {manifest.get('method', 'one after another')}",
            _of_group(tables, step),
        )
        for step, value in steps
    ]
    made = worked("sum", f"{name}: B less A, step by step", unit, rows, rests_on=ends)
    scale = max(abs(row["value"]), *(abs(value) for _, value in steps))
    if abs(made["value"] - row["value"]) > 1e-6 * scale:
        return worked("difference", f"{name}: B less A", unit, ends, row["value"], rests_on=rows)
    return {**made, "value": row["value"]}


def _differences(tables: Tables) -> list[Node]:
    """Inputs that differ, each with both values and both places."""
    return [_difference(one) for one in _rows(tables, "inputs")]


def _difference(one: Row) -> Node:
    places = [str(one[key]) for key in ("a_where", "b_where") if one.get(key)]
    where = " and ".join(dict.fromkeys(places)) or "default of the scenario"
    return node(
        "datum",
        str(one["path"]),
        f"{one['a']} -> {one['b']}",
        "",
        "A and B as they say it",
        where=where,
        input=str(one["path"]),
    )


def _of_group(tables: Tables, step: str) -> list[Node]:
    """Inputs of the groups that a step moves; all of them where the step is none of theirs."""
    names = set(step.split(" + "))
    mine = [_difference(one) for one in _rows(tables, "inputs") if one["group"] in names]
    return mine or _differences(tables) or [choice(step, None, "", "facts of the catalog, or the engine")]


def _risk(row: Row, manifest: Mapping[str, Any], tables: Tables) -> Node:
    name, unit = str(row["name"]), str(row["unit"])
    draws = node(
        "datum",
        "draws",
        manifest.get("samples"),
        "draws",
        f"seed {manifest.get('seed')}",
        where=_file(manifest, "uncertainty.samples"),
    )
    inputs = [_bar(one, manifest) for _, one in zip(range(MOST_BARS), _rows(tables, "sensitivity"), strict=False)]
    rests = inputs or [draws]
    of_draws = [
        node("formula", f"{words} over the draws", row[key], unit, "percentile of the draws", [draws, *rests])
        for key, words in (("p10", "P10"), ("p50", "P50"), ("p90", "P90"), ("mean", "mean"))
        if isinstance(row.get(key), (int, float))
    ]
    held = choice(
        f"held in every draw: {manifest.get('bands') or row.get('held') or 'nothing'}",
        None,
        "",
        "what a draw leaves as it is",
    )
    source = str(row.get("formula") or "the value at the file's own inputs")
    return node(
        "formula", f"{name}: {source}", row["value"], unit, source, [held, *of_draws, *([] if of_draws else rests)]
    )


def _bar(one: Row, manifest: Mapping[str, Any]) -> Node:
    """An input that is drawn, at both ends, with what the metric does between them."""
    path, metric = str(one["input"]), manifest.get("metric", "the metric")
    unit = str(manifest.get("tables", {}).get("sensitivity", {}).get("units", {}).get("swing", ""))
    words = f"{one['words']} ({path}): moves {metric} by"
    low, high = one["at_p10"], one["at_p90"]
    source = f"{one['source']}; from {low:.4g} to {high:.4g} {one['input_unit']}".rstrip()
    kind: NodeKind = "calibration" if path.startswith("calibration.") else "datum"
    return node(kind, words, one["swing"], unit, source, where=_file(manifest, path), input=path)


def _file(manifest: Mapping[str, Any], path: str) -> str:
    """Where an input of a question stands now: in the catalog, in the scenario's file, else its dotted path."""
    if path.startswith("catalog."):
        try:
            found = Catalog.load().where(path.removeprefix("catalog."))
            return f"{shown(Path(found.file))}:{found.line}:{found.column}"
        except InputError:
            pass
    file = Path(str(manifest.get("scenario_file") or ""))
    if file.is_file():
        try:
            source = read(file)
        except InputError:
            return f"{file}: {path}"
        place = source.places.get(split_path(path, source.data))
        return str(place) if place is not None else f"{file}: {path}"
    return f"the scenario: {path}"


def _sweep(row: Row, manifest: Mapping[str, Any], tables: Tables) -> Node:
    name, unit = str(row["name"]), str(row["unit"])
    decides = name == manifest.get("metric")
    effects = [
        node("datum", f"{one['input']}: {one['levels']} levels" + (", swing of the mean" if decides else ""),
             one["swing"] if decides else float(one["levels"]), unit if decides else "levels",
             f"least at {one['lowest_at']}, most at {one['highest_at']}" if decides else "axis of the design",
             where=f"design: {one['input']}", input=str(one["input"]))
        for one in _rows(tables, "effects")
    ]  # fmt: skip
    design = effects or [defined("the design", float(manifest.get("count", 0)), "scenarios", "as asked")]
    rows = [
        node("formula", f"{words} of the scenarios", row[key], unit, "over the scenarios that have it", design)
        for key, words in (("least", "least"), ("low", "P10"), ("mean", "mean"), ("high", "P90"), ("most", "most"))
        if isinstance(row.get(key), (int, float))
    ]
    best = next(iter(_rows(tables, "best")), None) if decides else None
    chosen = (
        [choice(f"best of all: row {best['index']}", best.get(name), unit, f"--row {best['index']} explains it")]
        if best
        else []
    )
    return node(
        "formula",
        f"{name}: median over the scenarios",
        row["value"],
        unit,
        str(row.get("formula", "")),
        [*chosen, *rows, *design],
    )


_KINDS: dict[str, Callable[[Row, Mapping[str, Any], Tables], Node]] = {
    "compare": _compare,
    "risk": _risk,
    "sweep": _sweep,
}
