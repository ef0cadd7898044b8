"""Charts of risk: the draws as a histogram with promises as lines, the tornado, shares of the variance, convergence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gigawatt.report.chart_parts import axis, names_axis, rows_with, scale_of
from gigawatt.report.grid import words_of
from gigawatt.report.numbers import canonical
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, INK, MUTED, ORANGE, RED, SKY, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

MOST_BARS = 14


def _asked(result: RunResult) -> tuple[str, dict[str, Any], str]:
    """The metric asked for: its name, its row, its unit."""
    name = str(result.manifest.get("metric"))
    row = next((row for row in result.metrics.rows() if row["name"] == name), {})
    return name, row, canonical(str(row.get("unit") or ""))


def histogram(result: RunResult) -> Figure | None:
    """Share of the draws by value, the sum of them on the right; P10, P50, P90, the plan and every promise as lines."""
    bins = rows_with(rows_of(result, "histogram"), "from", "to", "share", "below")
    if not bins:
        return None
    name, row, unit = _asked(result)
    factor, said = scale_of([row.get("p10"), row.get("p90"), bins[0]["from"], bins[-1]["to"]], unit)
    middle = [(one["from"] + one["to"]) / 2 * factor for one in bins]
    width = (bins[0]["to"] - bins[0]["from"]) * factor
    words = words_of(name)
    data = [
        {"type": "bar", "name": "share of the draws", "x": middle, "y": [one["share"] for one in bins], "width": width,
         "marker": {"color": fade(BLUE, 0.55)}, "hovertemplate": f"%{{x:,.3g}} {said}: %{{y:.1%}} of the draws<extra></extra>"},
        {"type": "scatter", "mode": "lines", "name": "share below", "x": [one["to"] * factor for one in bins],
         "y": [one["below"] for one in bins], "yaxis": "y2", "line": {"color": INK, "width": 2},
         "hovertemplate": f"%{{y:.1%}} of the draws below %{{x:,.3g}} {said}<extra></extra>"},
    ]  # fmt: skip
    lines = [(label, row.get(key), BLUE, "dot") for label, key in (("P10", "p10"), ("P50", "p50"), ("P90", "p90"))]
    lines += [("as it stands", row.get("value"), INK, "solid")]
    lines += [
        (str(one["covenant"]), one["level"], RED, "dash")
        for one in rows_of(result, "covenants")
        if one["metric"] == name
    ]
    shapes, notes = [], []
    told = [(label, float(value), colour, dash) for label, value, colour, dash in lines if value is not None]
    for at, (label, value, colour, dash) in enumerate(told):
        x = value * factor
        shapes.append({"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper",
                       "line": {"color": colour, "dash": dash, "width": 1.5}})  # fmt: skip
        notes.append({"x": x, "y": 1 - 0.055 * (at % 3), "yref": "paper", "text": wrap(label, 22), "showarrow": False,
                      "xanchor": "left", "xshift": 3, "font": {"size": 11, "color": colour}})  # fmt: skip
    ground = layout(
        height=430,
        showlegend=True,
        xaxis=axis(f"{words} [{said}]" if said else words),
        yaxis=axis("share of the draws", tickformat=".0%", rangemode="tozero"),
    )
    more = {"yaxis2": {"overlaying": "y", "side": "right", "range": [0, 1.02], "tickformat": ".0%", "dtick": 0.25,
                       "showgrid": False,
                       "title": {"text": "share below"}, "automargin": True}}  # fmt: skip
    return {"data": data, "layout": {**ground, **more, "shapes": shapes, "annotations": notes, "bargap": 0.02}}


def tornado(result: RunResult) -> Figure | None:
    """Each input from its P10 to its P90, all others at their medians; the widest bar on top."""
    rows = rows_with(rows_of(result, "sensitivity"), "metric_at_p10", "metric_at_p90")[:MOST_BARS]
    if not rows:
        return None
    name, _, unit = _asked(result)
    factor, said = scale_of([one[end] for one in rows for end in ("metric_at_p10", "metric_at_p90")], unit)
    names = [wrap(str(one["words"]), 34) for one in rows]
    middle = float(result.manifest["at_medians"]) * factor  # every input at its median: where all bars meet
    data = []
    for end, label, colour in (
        ("metric_at_p10", "input at its P10", SKY),
        ("metric_at_p90", "input at its P90", ORANGE),
    ):
        values = [one[end] * factor for one in rows]
        data.append(
            {"type": "bar", "orientation": "h", "name": label, "y": names, "x": [value - middle for value in values],
             "base": [middle] * len(rows), "marker": {"color": colour}, "customdata": values,
             "hovertemplate": f"%{{y}}, {label}: %{{customdata:,.3g}} {said}<extra></extra>"}
        )  # fmt: skip
    words = words_of(name)
    ground = layout(
        height=130 + 30 * len(rows),
        showlegend=True,
        yaxis=names_axis(),
        xaxis=axis(f"{words} [{said}]" if said else words),
    )
    return {"data": data, "layout": {**ground, "barmode": "overlay"}}


def indices(result: RunResult) -> Figure | None:
    """Shares of the variance by input: Sobol' first and total, or Shapley effects; and what knowing it is worth."""
    rows = rows_of(result, "sensitivity")[:MOST_BARS]
    kinds = (
        ("first", "alone (Sobol' first)", SKY),
        ("total", "with all it acts with (Sobol' total)", BLUE),
        ("shapley", "Shapley effect", BLUE),
        ("narrower_if_known", "narrower P10 to P90 if known", GREY),
    )
    names = [wrap(str(one["words"]), 34) for one in rows]
    data = []
    for key, label, colour in kinds:
        if not any(one.get(key) is not None for one in rows):
            continue
        error = [one.get(f"{key}_error") or 0.0 for one in rows]
        data.append(
            {"type": "bar", "orientation": "h", "name": label, "y": names, "x": [_at_least_none(one.get(key)) for one in rows],
             "marker": {"color": colour}, "hovertemplate": f"%{{y}}, {label}: %{{x:.1%}}<extra></extra>",
             **({"error_x": {"type": "data", "array": error, "color": MUTED, "thickness": 1}} if any(error) else {})}
        )  # fmt: skip
    if not data:
        return None
    ground = layout(
        height=140 + 40 * len(rows),
        showlegend=True,
        yaxis=names_axis(),
        xaxis=axis("share of the variance", tickformat=".0%"),
    )
    return {"data": data, "layout": {**ground, "barmode": "group"}}


def _at_least_none(share: float | None) -> float | None:
    """A share that the noise of few draws puts below zero is none, in the chart as in the table."""
    return None if share is None else max(share, 0.0)


def convergence(result: RunResult) -> Figure | None:
    """P10, P50 and P90 as draws are added, twice their standard error as whiskers."""
    rows = rows_with(rows_of(result, "convergence"), "draws", "p10", "p50", "p90")
    if len(rows) < 2:
        return None
    name, _, unit = _asked(result)
    factor, said = scale_of([one[key] for one in rows for key in ("p10", "p90")], unit)
    data = []
    for key, colour in (("p90", SKY), ("p50", INK), ("p10", BLUE)):
        data.append(
            {"type": "scatter", "mode": "lines+markers", "name": key.upper(), "x": [one["draws"] for one in rows],
             "y": [one[key] * factor for one in rows], "line": {"color": colour, "width": 2},
             "error_y": {"type": "data", "array": [2 * one[f"{key}_error"] * factor for one in rows], "color": colour,
                         "thickness": 1},
             "hovertemplate": f"%{{x:,}} draws, {key.upper()}: %{{y:,.4g}} {said}<extra></extra>"}
        )  # fmt: skip
    words = words_of(name)
    ground = layout(
        height=360, showlegend=True, xaxis=axis("draws", type="log"), yaxis=axis(f"{words} [{said}]" if said else words)
    )
    return {"data": data, "layout": ground}


RISK_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "histogram": histogram,
    "sensitivity": tornado,
    "indices": indices,
    "convergence": convergence,
}
