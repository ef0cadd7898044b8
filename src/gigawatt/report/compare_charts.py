"""The waterfall from A to B: bars of the steps that move the metric, between the two totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gigawatt.report.chart_parts import axis, names_axis, scale_of
from gigawatt.report.grid import words_of
from gigawatt.report.numbers import quantity, span
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, GREY, RED, Figure, layout, wrap
from gigawatt.study.result import RunResult

ZOOM = 0.35  # share of the larger total below which all that moves is shown by itself, not from zero


def window(levels: list[float]) -> tuple[float, float] | None:
    """The part of the axis that shows all levels where they lie close together, far from zero; None for all of it.

    >>> window([100.0, 104.0, 98.0]), window([100.0, 20.0])
    ((97.1, 104.9), None)
    """
    low, high = min(levels), max(levels)
    if low <= 0.0 <= high or high - low > ZOOM * max(abs(low), abs(high)) or high == low:
        return None
    room = 0.15 * (high - low)
    return round(low - room, 12), round(high + room, 12)


def waterfall(result: RunResult) -> Figure | None:
    """One bar a step from where the one before it ended; A and B as whole bars."""
    made = result.manifest
    rows = [row for row in rows_of(result, "steps") if row.get("moves")]
    if not rows:
        return None
    unit = str(made["unit"])
    levels = [made["a"], *(row["after"] for row in rows), made["b"]]
    factor, shown = scale_of(levels, unit)
    names = ["A", *(str(row["step"]) for row in rows), "B"]
    hover = [str(made["a_name"])]
    for row in rows:
        band = span(row.get("lowest"), row.get("highest"), unit)
        hover.append(f"{row['change']}{f'; over the orders {band}' if band else ''}")
    hover.append(str(made["b_name"]))
    data = {
        "type": "waterfall",
        "orientation": "h",
        "measure": ["absolute", *("relative" for _ in rows), "total"],
        "y": [wrap(name, 34) for name in names],
        "x": [made["a"] * factor, *(row["value"] * factor for row in rows), made["b"] * factor],
        "text": [
            quantity(made["a"], unit),
            *(("+" if row["value"] > 0 else "") + quantity(row["value"], unit) for row in rows),
            quantity(made["b"], unit),
        ],
        "textposition": "auto",
        "cliponaxis": False,
        "hovertext": [wrap(text, 60) for text in hover],
        "hovertemplate": "%{y}: %{text}<br>%{hovertext}<extra></extra>",
        "increasing": {"marker": {"color": GREEN}},
        "decreasing": {"marker": {"color": RED}},
        "totals": {"marker": {"color": BLUE}},
        "connector": {"line": {"color": GREY, "width": 1}},
    }
    near = window([level * factor for level in levels])
    more = {"range": list(near)} if near else {}
    x = axis(f"{words_of(str(made['metric']))} [{shown}]", **more)
    return {"data": [data], "layout": layout(height=110 + 40 * len(names), xaxis=x, yaxis=names_axis())}


COMPARE_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {"steps": waterfall}
