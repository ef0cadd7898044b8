"""`validate KIND`: read a table, predict every row blind, score, group, add regret."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, nearest
from gigawatt.validation.base import Prediction, score
from gigawatt.validation.tables import KINDS, Row, TableKind, find_tables, layout_of, read_rows

Predictor = Callable[[list[Row]], list[Prediction]]


def validate(kind: str, truth: Path | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What `validate KIND --truth FILE --json` prints; all tables of the kind where no file is given.

    `overrides` change inputs of back-tests, such as "bt18:inputs.term='6 yr'".

    Raises:
        InputError: unknown kind, no table of it, or an override of what is no back-test.
    """
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        raise InputError(
            Problem(
                "unknown_kind",
                f"there is no kind '{kind}'",
                None,
                ((f"did you mean '{near}'?",) if near else ()) + (f"known: {', '.join(KINDS)}",),
            )
        )
    paths = [truth] if truth else find_tables(kind)
    if not paths:
        raise InputError(
            Problem("no_table", f"no measured table of kind '{kind}' is at hand", None, ("name one: --truth FILE",))
        )
    module = importlib.import_module(f"gigawatt.validation.{kind}")
    predict: Predictor = module.predict
    if kind == "economics":
        predict = partial(module.predict, overrides=module.parse_overrides(overrides))
    elif overrides:
        raise InputError(Problem("bad_set", f"'{kind}' has no inputs to set: only the back-tests of 'economics' have"))
    predictions: list[Prediction] = []
    seen: list[Row] = []
    measured: dict[tuple[str, str], float | None] = {}
    regrets: dict[str, float | None] = {"regret_median": None, "regret_p90": None}
    for path in paths:
        rows = read_rows(path)
        seen += rows
        layout = layout_of(kind, rows, path)
        made = predict(layout.blind(rows))
        predictions += _complete(layout, rows, made)
        measured |= layout.measured(rows)
        if kind in ("serving", "training"):
            regrets |= _regret(kind, layout, rows, made)
    scored = report(kind, predictions, measured, regrets)
    return module.add_tolerances(scored, seen) if kind == "economics" else scored


def _complete(layout: TableKind, rows: Sequence[Row], made: Sequence[Prediction]) -> list[Prediction]:
    """The predictions, and a skip with its reason for whatever row has none."""
    have = {(p.id, p.metric) for p in made}
    missing = [key for key in layout.measured(rows) if key not in have]
    return [*made, *(Prediction(i, m, None, reason="no model answers this row") for i, m in missing)]


def _regret(kind: str, layout: TableKind, rows: Sequence[Row], made: Sequence[Prediction]) -> dict[str, float | None]:
    from gigawatt.validation.regret import regret

    if kind == "serving" and layout.file != "serving_points.csv":
        return {}
    found = regret(rows, made, layout.measured(rows), kind)
    return {name: value for name, value in found.items() if name.startswith("regret")}


def report(
    kind: str,
    predictions: Sequence[Prediction],
    measured: dict[tuple[str, str], float | None],
    regrets: dict[str, float | None],
) -> dict[str, Any]:
    """Summary, groups (by kin, metric, and whether blanks were filled), rows and skips."""
    groups: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        if prediction.predicted is None:
            continue
        groups.setdefault(f"metric: {prediction.metric}", []).append(prediction)
        if prediction.group:
            groups.setdefault(prediction.group, []).append(prediction)
        for stratum in prediction.strata:
            groups.setdefault(stratum, []).append(prediction)
        if prediction.defaulted:
            groups.setdefault("with defaults filled in", []).append(prediction)
    return {
        "kind": kind,
        "summary": score(predictions, measured) | regrets,
        "groups": [{"group": name} | score(members, measured) for name, members in sorted(groups.items())],
        "rows": [
            {
                "id": p.id,
                "metric": p.metric,
                "measured": measured.get((p.id, p.metric)),
                "predicted": p.predicted,
                "low": p.low,
                "high": p.high,
                "note": p.note,
            }
            for p in predictions
            if p.predicted is not None
        ],
        "skipped": [
            {"id": p.id, "metric": p.metric, "reason": p.reason or "no reason given"}
            for p in predictions
            if p.predicted is None
        ],
    }
