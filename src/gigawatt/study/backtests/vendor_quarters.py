"""Forecasts of a vendor's quarters from what was known before them, beside what came."""

from __future__ import annotations

import numpy as np

from gigawatt.catalog.quarters import Quarters, quarters
from gigawatt.core.errors import InputError, Problem
from gigawatt.economics.market.forecast import (
    RULES,
    guided,
    last_growth,
    last_increment,
    log_trend,
    mape_percent,
    rolling,
    trend,
)
from gigawatt.economics.market.trends import line_test, supply_rejected
from gigawatt.finance.schedule import Array
from gigawatt.study.backtests.case import Evaluator
from gigawatt.study.backtests.inputs import Inputs

BILLION = 1e9
TREND_POINTS = 4
_USUAL_TRENDS = (f"ols{TREND_POINTS}", f"loglinear{TREND_POINTS}")


def linear_supply(x: Inputs) -> dict[str, float]:
    """A line through the quarters known, extrapolated; its error; and whether what came is off the line altogether.

    The regime has changed when the first quarter after the fit lies more than `threshold` standard errors (of a new
    observation) from the line: known one quarter later, whatever horizon was forecast.
    """
    table = quarters(x.text("company"))
    series, last, steps = x.text("series"), x.text("last_quarter"), x.whole("steps")
    known = table.span(series, x.text("first_quarter"), last) / BILLION
    if len(known) < 3:
        raise InputError(Problem("too_few", f"a line with an error needs three quarters, not {len(known)}"))
    made = line_test(known, table.column(series)[table.at(last) + 1 :] / BILLION, (steps,))
    (forecast,), (error,) = made.forecast, made.error
    out = {"r2": made.line.r_squared, "slope_usd_b_per_q": made.line.slope, "forecast_usd_b": float(forecast)}
    if np.isfinite(error):
        out["error"] = float(error)
    if not np.isnan(made.break_errors):
        out["break_standard_errors"] = made.break_errors
        out["regime_change_flagged"] = float(made.break_errors > x.number("threshold"))
    return out


def one_step_rules(x: Inputs) -> dict[str, float]:
    """Mean absolute error of each plain rule over one-step forecasts, in per cent of the actual.

    A line through another number of quarters than the usual four stands under its own name too ('mape_ols6').
    """
    table = quarters(x.text("company"))
    series, first, last = x.text("series"), table.at(x.text("first_quarter")), table.at(x.text("last_quarter"))
    points = x.whole("points", 2) if "points" in x else TREND_POINTS
    _enough(table, series, first, points)
    actual = table.span(series, x.text("first_quarter"), x.text("last_quarter"))
    values = table.column(series)
    rules = RULES | {f"ols{points}": trend(points), f"loglinear{points}": log_trend(points)}
    if points != TREND_POINTS:
        rules = {name: rule for name, rule in rules.items() if name not in _USUAL_TRENDS}
    out = {f"mape_{name}": mape_percent(rolling(rule, values, first, last), actual) for name, rule in rules.items()}
    return out | {"mape_ols": out[f"mape_ols{points}"], "mape_loglinear": out[f"mape_loglinear{points}"]}


def guide_rules(x: Inputs) -> dict[str, float]:
    """Mean absolute error of a company's guide, alone and with its mean beat of the quarters before."""
    table = quarters(x.text("company"))
    first, last = table.at(x.text("first_quarter")), table.at(x.text("last_quarter"))
    k = x.whole("quarters")
    _enough(table, "guide", first, k)
    guide = table.span("guide", x.text("first_quarter"), x.text("last_quarter"))
    actual = table.span("revenue", x.text("first_quarter"), x.text("last_quarter"))
    beat = mape_percent(_guided(table, first, last, k, False), actual)
    ratio = mape_percent(_guided(table, first, last, k, True), actual)
    return {
        f"mape_guide_plus_mean{k}_beat": beat,
        f"mape_guide_times_mean{k}_ratio": ratio,
        "mape_guide": mape_percent(guide, actual),
        "mape_guide_plus_mean_beat": beat,
        "mape_guide_times_mean_ratio": ratio,
    }


def next_quarter(x: Inputs) -> dict[str, float]:
    """The quarter after the last one known: total by guide and beat, data centre by last step and last ratio."""
    table = quarters(x.text("company"))
    at = table.at(x.text("quarter"))
    k = x.whole("quarters")
    _enough(table, "guide", at, k)
    _enough(table, "revenue", at, k)
    _enough(table, "data_centre", at, 2)
    table.span("guide", table.names[at], table.names[at])
    known = table.data_centre_usd[:at]
    return {
        "total_additive_usd_b": guided(table.revenue_usd, table.guide_usd, at, quarters=k) / BILLION,
        "total_multiplicative_usd_b": guided(table.revenue_usd, table.guide_usd, at, quarters=k, ratio=True) / BILLION,
        "dc_last_increment_usd_b": last_increment(known) / BILLION,
        "dc_last_growth_usd_b": last_growth(known) / BILLION,
    }


def growth_by_quarter(x: Inputs) -> dict[str, float]:
    """Growth over the quarter before, in per cent, and whether it falls throughout while the increments rise."""
    table = quarters(x.text("company"))
    first, last = table.at(x.text("first_quarter")), table.at(x.text("last_quarter"))
    _enough(table, x.text("series"), first, 1)
    values = table.span(x.text("series"), table.names[first - 1], table.names[last])
    growth = 100 * (values[1:] / values[:-1] - 1)
    names = [table.names[k] for k in range(first, last + 1)]
    out = {f"qoq_fy{name[4:6]}{name[6:].lower()}": float(one) for name, one in zip(names, growth, strict=True)}
    if len(growth) > 1:
        out |= {"qoq_first": float(growth[0]), "qoq_last": float(growth[-1])}
    out["growth_falls"] = float(np.all(np.diff(growth) < 0))
    out["last_increment_exceeds_first"] = float(values[-1] - values[-2] > values[1] - values[0])
    return out


def binding_side(x: Inputs) -> dict[str, float]:
    """Whether supply can have bound a quarter: a firm that sells all it makes does not miss its guide and write off
    stock.

    Supply is rejected where revenue lies below the guide by more than the guide's own range *and* the gross margin
    fell by more than `margin_drop` below the mean of the quarters before.
    """
    table = quarters(x.text("company"))
    at = table.at(x.text("quarter"))
    window = x.whole("margin_quarters")
    _enough(table, "gross_margin", at, window)
    (revenue,), (guide,) = (table.span(name, table.names[at], table.names[at]) for name in ("revenue", "guide"))
    to_guide = float(revenue / guide - 1)
    before = table.gross_margin_share[at - window : at]
    drop = float(before.mean() - table.gross_margin_share[at])
    margin, limits = float(table.gross_margin_share[at]), (x.number("guide_range"), x.number("margin_drop"))
    demand = supply_rejected(float(revenue), float(guide), margin, before, *limits)
    return {"revenue_to_guide": 100 * to_guide, "margin_drop": drop, "supply_binds": float(not demand)}


def _enough(table: Quarters, series: str, at: int, quarters_before: int) -> None:
    """Refuse a quarter without that many known ones before it."""
    known = table.column(series)[max(0, at - quarters_before) : at]
    if len(known) < quarters_before or not np.all(np.isfinite(known)):
        message = f"{table.company}: {series} is not known for {quarters_before} quarters before {table.names[at]}"
        raise InputError(Problem("no_values", message))


def _guided(table: Quarters, first: int, last: int, k: int, ratio: bool) -> Array:
    at = range(first, last + 1)
    return np.array([guided(table.revenue_usd, table.guide_usd, q, quarters=k, ratio=ratio) for q in at])


_SPAN = {"company": "text", "series": "text", "first_quarter": "text", "last_quarter": "text"}
EVALUATORS = (
    Evaluator("linear_supply", linear_supply, {**_SPAN, "steps": "count", "threshold": "count"}),
    Evaluator("one_step_rules", one_step_rules, {**_SPAN, "points": "count"}, optional=("points",)),
    Evaluator(
        "guide_rules",
        guide_rules,
        {"company": "text", "first_quarter": "text", "last_quarter": "text", "quarters": "count"},
    ),
    Evaluator("next_quarter", next_quarter, {"company": "text", "quarter": "text", "quarters": "count"}),
    Evaluator("growth_by_quarter", growth_by_quarter, _SPAN),
    Evaluator(
        "binding_side",
        binding_side,
        {
            "company": "text",
            "quarter": "text",
            "guide_range": "share",
            "margin_quarters": "count",
            "margin_drop": "share",
        },
    ),
)
