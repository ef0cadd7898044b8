"""Back-tests of the money: each row's number is computed by the scenario of its id, from that scenario's stated inputs.

Nothing of a row is read but its id and metric. Forecasts of revenue carry a band: split-conformal on the errors of the
same rule over the ten quarters before; everything else is arithmetic on stated inputs and carries none. Classes are scored
apart, since agreement proves another thing in each; a replay, whose inputs were solved from the answer, is not scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog.quarters import quarters
from gigawatt.core.errors import GigawattError, InputError, Problems, Where, unknown_name
from gigawatt.core.table import Table
from gigawatt.economics.market.forecast import Rule, conformal_half_width, guided, last_growth, last_increment, rolling
from gigawatt.study import backtests
from gigawatt.study.backtests import PROVES, Case
from gigawatt.validation.base import Prediction, number

BAND_QUARTERS = 10
CLASS = "class: "
ROUNDING = 1e-12

Overrides = Mapping[str, Sequence[str]]
_Done = dict[str, tuple[Case, dict[str, float], dict[str, float]] | str]


def parse_overrides(texts: Sequence[str]) -> dict[str, list[str]]:
    """'bt18:inputs.term=6 yr' texts by the id of their back-test, each checked against it.

    >>> parse_overrides(["bt18:inputs.term='6 yr'", "BT18:inputs.power=2 GW"])
    {'bt18': ["inputs.term='6 yr'", 'inputs.power=2 GW']}

    Raises:
        InputError: no id, no such back-test, or an override that does not fit it; all at once.
    """
    problems = Problems()
    found: dict[str, list[str]] = {}
    for text in texts:
        name, colon, change = text.partition(":")
        where = Where(f"--set {text}")
        if not colon or "=" in name:
            hint = "name the back-test first: --set bt18:inputs.term='6 yr'"
            problems.add("bad_set", f"'{text}' is not 'id:path=value'", where, hint)
        elif name.strip().lower() not in backtests.cases():
            problems.extend([unknown_name("back-test", name.strip().lower(), backtests.cases(), where)])
        else:
            found.setdefault(name.strip().lower(), []).append(change.strip())
    for name, changes in found.items():
        try:
            backtests.load(name, changes)
        except InputError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    return found


def predict(rows: list[dict[str, str]], overrides: Overrides | None = None) -> list[Prediction]:
    """One prediction a row; an id or a metric that no scenario computes is skipped with its reason.

    `overrides` changes inputs of back-tests by their id; see `parse_overrides`.
    """
    done: _Done = {}
    changes = {name.lower(): tuple(texts) for name, texts in (overrides or {}).items()}
    return [_row(row, done, changes) for row in rows]


def _row(row: Mapping[str, str], done: _Done, changes: Mapping[str, Sequence[str]]) -> Prediction:
    name, metric = row.get("id", ""), row.get("metric", "")
    if name not in done:
        done[name] = _work_out(name, changes.get(name.lower(), ()))
    found = done[name]
    if isinstance(found, str):
        return Prediction(name, metric, None, reason=found)
    case, outputs, widths = found
    if metric not in outputs:
        return Prediction(name, metric, None, reason=f"'{case.id}' computes {', '.join(outputs)}; not '{metric}'")
    value = outputs[metric]
    if not np.isfinite(value):
        return Prediction(name, metric, None, reason=f"'{metric}' has no finite value for these inputs")
    half = widths.get(metric)
    low, high = (None, None) if half is None else (value - half, value + half)
    note = "; ".join(part for part in (case.title, case.outcome and f"outcome {case.outcome}") if part)
    if name.lower() in changes:
        note += f"; with {', '.join(changes[name.lower()])}"
    return Prediction(name, metric, value, low, high, note=note, group=f"{CLASS}{case.kind_of(metric)}")


def _work_out(name: str, changes: Sequence[str]) -> tuple[Case, dict[str, float], dict[str, float]] | str:
    try:
        case = backtests.load(name, changes)
        if case.kind == "replay":
            return f"'{case.id}' is a replay and no back-test that could be scored: it proves {PROVES['replay']}"
        return case, case.outputs(), _half_widths(case)
    except GigawattError as error:
        return f"no scenario computes this row: {error}"


def _half_widths(case: Case) -> dict[str, float]:
    """Half-widths in the outputs' own unit (billion USD), for the forecast of a quarter not yet reported."""
    if case.evaluator.name != "next_quarter":
        return {}
    table = quarters(case.inputs.text("company"))
    at, k = table.at(case.inputs.text("quarter")), case.inputs.whole("quarters")
    past = range(at - BAND_QUARTERS, at)
    total, centre = table.revenue_usd[past.start : at], table.data_centre_usd[past.start : at]
    if past.start < k or np.any(np.isnan(table.guide_usd[past.start - k : at])):
        return {}  # too few quarters before to say how wrong the rule is

    def beats(ratio: bool) -> float:
        made = [guided(table.revenue_usd, table.guide_usd, q, quarters=k, ratio=ratio) for q in past]
        return conformal_half_width(np.array(made) - total) / 1e9

    def steps(rule: Rule) -> float:
        return conformal_half_width(rolling(rule, table.data_centre_usd, past.start, at - 1) - centre) / 1e9

    return {
        "total_additive_usd_b": beats(False),
        "total_multiplicative_usd_b": beats(True),
        "dc_last_increment_usd_b": steps(last_increment),
        "dc_last_growth_usd_b": steps(last_growth),
    }


def add_tolerances(scored: dict[str, Any], rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The object that `validate` prints, with the number of rows within their own tolerance, by class and in all.

    A table that states `abs_tol` and `rel_tol` gives each of its rows |predicted - measured| <= max(abs, rel x |measured|);
    summary, groups of class and rows then say `within_tolerance`, of `with_tolerance` rows that state one.
    """
    allowed = {
        (row.get("id", ""), row.get("metric", "")): (
            number(row.get("abs_tol")) or 0.0,
            number(row.get("rel_tol")) or 0.0,
        )
        for row in rows
        if number(row.get("abs_tol")) is not None or number(row.get("rel_tol")) is not None
    }
    counts: dict[str, list[int]] = {}
    for row in scored["rows"]:
        key, measured = (row["id"], row["metric"]), row["measured"]
        if key not in allowed or measured is None:
            continue
        most = max(allowed[key][0], allowed[key][1] * abs(measured)) + ROUNDING
        row["within_tolerance"] = abs(row["predicted"] - measured) <= most
        group = f"{CLASS}{_class_of(row['id'], row['metric'])}"
        for name in ("", group):
            count = counts.setdefault(name, [0, 0])
            count[0] += row["within_tolerance"]
            count[1] += 1
    for target in (scored["summary"], *scored["groups"]):
        found = counts.get(target.get("group", ""))
        if found is not None:
            target["within_tolerance"], target["with_tolerance"] = found
    return scored


def _class_of(name: str, metric: str) -> str:
    return _case(name.lower()).kind_of(metric)


@lru_cache(maxsize=64)
def _case(name: str) -> Case:
    return backtests.load(name)


def failures_table() -> Table:
    """Models that history refuted, each with the forecast and how far off it was: the engine reproduces the failure."""
    rows = []
    for name in backtests.cases():
        case = backtests.load(name)
        if case.fails:
            made = case.outputs()
            rows.append({"back-test": name, "model": case.title, "error": made[case.fails], "reading": case.reading})
    return Table.from_rows("failures", rows, ("back-test", "model", "error", "reading"), title="Models that failed")


def replays() -> list[str]:
    """Titles of the packaged replays, which prove nothing and are not scored."""
    return [case.title for case in map(backtests.load, backtests.cases()) if case.kind == "replay"]
