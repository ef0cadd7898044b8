"""Where a headline number comes from: data, calibrations, formulas, choices, kept in the run's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem, Where, nearest

NodeKind = Literal["datum", "calibration", "formula", "choice"]
Node = dict[str, Any]


def node(
    kind: NodeKind, name: str, value: Any, unit: str = "", source: str = "", children: Sequence[Node] = ()
) -> Node:
    """One node of the tree."""
    return {"kind": kind, "name": name, "value": value, "unit": unit, "source": source, "children": list(children)}


def of_datum(name: str, datum: Datum, scale: float = 1.0, unit: str = "") -> Node:
    """A datum as a leaf: its path in the catalog or the scenario, its kind, source and date."""
    source = f"{datum.path} [{datum.kind}] {datum.source}" + (f" ({datum.as_of})" if datum.as_of else "")
    return node("datum", name, datum.value * scale, unit or datum.unit, source)


def newest_run(asked: Path | None) -> Path:
    """The run folder asked for, or the newest below `runs/`.

    Raises:
        InputError: there is none, or it holds no manifest.
    """
    if asked is not None:
        if not (asked / "manifest.json").is_file():
            hint = "a run folder holds manifest.json; make one: gigawatt run FILE -o DIR"
            raise InputError(Problem("no_run", f"'{asked}' is no run folder", Where(str(asked)), (hint,)))
        return asked
    found = sorted(Path("runs").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InputError(
            Problem(
                "no_run",
                "there is no run below runs/ yet",
                None,
                ("make one: gigawatt run FILE", "or name one: --run DIR"),
            )
        )
    return found[-1].parent


def explain_metric(folder: Path, metric: str) -> Node:
    """The tree of one metric; 'list' names them all.

    Raises:
        InputError: the run knows no such metric.
    """
    manifest: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    trees: Mapping[str, Node] = manifest.get("explain", {})
    if metric == "list":
        return node(
            "formula", "metrics of this run", None, children=[{**tree, "children": []} for tree in trees.values()]
        )
    if metric not in trees:
        near = nearest(metric, trees)
        hints = ((f"did you mean '{near}'?",) if near else ()) + ("known: " + ", ".join(trees),)
        raise InputError(Problem("unknown_metric", f"there is no metric '{metric}'", Where(str(folder)), hints))
    return trees[metric]
