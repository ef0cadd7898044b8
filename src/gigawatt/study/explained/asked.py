"""Reads a tree back: from a run folder or a manifest in memory, with the line of every fact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.core.table import Table
from gigawatt.study.explain import Node, node
from gigawatt.study.explained.derived import derived_trees
from gigawatt.study.explained.kept import tree_in
from gigawatt.study.explained.places import Places

LIST = "list"
# What a unit measures, for the list: the first that a unit begins with or holds.
_GROUPS = (
    ("money", ("USD",)),
    ("tokens and work", ("token", "tok", "request", "flop", "images", "steps")),
    ("power, energy, water, carbon", ("W", "kW", "MW", "GW", "Wh", "kWh", "MWh", "J", "L", "kg", "t ")),
    ("time", ("s", "ms", "us", "h", "day", "days", "yr", "quarter", "month", "months")),
)
REST = "shares, ratios, counts"


def explained(manifest: Mapping[str, Any], metric: str, where: str = "this result") -> Node:
    """The tree of a metric with the place of every value; 'list' names all metrics.

    Raises:
        InputError: there is no such metric; names the nearest.
    """
    trees: Mapping[str, Any] = manifest.get("explain", {})
    if metric == LIST:
        return listed(manifest)
    if metric not in trees:
        near = nearest(metric, trees)
        known = ("known: " + ", ".join(trees)) if trees else "it holds no explanations"
        hints = ((f"did you mean '{near}'?",) if near else ()) + (known,)
        raise InputError(Problem("unknown_metric", f"there is no metric '{metric}'", Where(where), hints))
    return Places(manifest).placed(tree_in(manifest, metric))


def listed(manifest: Mapping[str, Any]) -> Node:
    """Every metric of a result without its branches, in groups by what it measures."""
    heads = []
    for name in manifest.get("explain", {}):
        tree = tree_in(manifest, name)
        heads.append({**tree, "metric": name, "group": group_of(str(tree["unit"])), "children": []})
    return node("formula", "metrics of this run", None, children=heads)


def group_of(unit: str) -> str:
    """What a unit measures, in a few words."""
    first = unit.partition("/")[0].strip()
    for group, starts in _GROUPS:
        if first in starts or (group in ("money", "tokens and work") and first.startswith(starts)):
            return group
    return REST


def explain_metric(folder: Path, metric: str) -> Node:
    """The tree of one metric of a run folder; 'list' names them all.

    Raises:
        InputError: the run knows no such metric.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if not manifest.get("explain"):
        tables = _tables(folder, manifest)
        metrics = tables.pop("metrics", Table("metrics", {}))
        manifest |= {"explain": derived_trees(manifest, metrics, tables)}
    return explained(manifest, metric, str(folder))


def _tables(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Table]:
    """The tables of a folder that trees are derived from."""
    import polars as pl

    out = {}
    for name in ("metrics", "steps", "inputs", "every_metric", "sensitivity", "effects", "best"):
        file = folder / f"{name}.parquet"
        if name in manifest.get("tables", {}) and file.is_file():
            out[name] = Table(name, pl.read_parquet(file).to_dict(as_series=False))
    return out
