"""Back-tests of the money: each row's number is computed by the scenario of its id, from that scenario's stated inputs.

Nothing of a row is read but its id and metric. Forecasts of revenue carry a band: split-conformal on the errors of the
same rule over the ten quarters before; everything else is arithmetic on stated inputs and carries none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gigawatt.catalog.quarters import quarters
from gigawatt.core.errors import GigawattError
from gigawatt.economics.market.forecast import Rule, conformal_half_width, guided, last_growth, last_increment, rolling
from gigawatt.study import backtests
from gigawatt.study.backtests import Case
from gigawatt.validation.base import Prediction

BAND_QUARTERS = 10


def predict(rows: list[dict[str, str]]) -> list[Prediction]:
    """One prediction a row; an id or a metric that no scenario computes is skipped with its reason."""
    done: dict[str, tuple[Case, dict[str, float], dict[str, float]] | str] = {}
    return [_row(row, done) for row in rows]


def _row(row: Mapping[str, str], done: dict[str, tuple[Case, dict[str, float], dict[str, float]] | str]) -> Prediction:
    name, metric = row.get("id", ""), row.get("metric", "")
    if name not in done:
        try:
            case = backtests.load(name)
            done[name] = (case, case.outputs(), _half_widths(case))
        except GigawattError as error:
            done[name] = f"no scenario computes this row: {error}"
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
    return Prediction(name, metric, value, low, high, note=case.title, group=f"class: {case.kind}")


def _half_widths(case: Case) -> dict[str, float]:
    """Half-widths in the outputs' own unit (billion USD), for the forecast of a quarter not yet reported."""
    if case.evaluator.name != "next_quarter":
        return {}
    table = quarters(case.inputs.text("company"))
    at, k = table.at(case.inputs.text("quarter")), int(case.inputs.number("quarters"))
    past = range(at - BAND_QUARTERS, at)
    total, centre = table.revenue_usd[past.start : at], table.data_centre_usd[past.start : at]

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
