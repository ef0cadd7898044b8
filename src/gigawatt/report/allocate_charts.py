"""Charts of a power budget among uses: the budget at which nothing is given up by form, and what is served at other budgets."""

from __future__ import annotations

import math

from gigawatt.report.chart_parts import axis, line, names_axis, note, rows_with, value_of, whiskers
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, RED, Figure, layout
from gigawatt.study.result import RunResult


def allocation_forms(result: RunResult) -> Figure | None:
    """The budget at which nothing need be given up, by the form that a use takes, on a scale of tens, and the budget."""
    rows = rows_with(rows_of(result, "allocation_forms"), "all_need_gw")
    if not rows:
        return None
    names = [f"{row['use']} as {row['form']}" for row in rows]
    values = [row["all_need_gw"] for row in rows]
    lows, highs = ([row.get(f"all_need_gw_{end}") for row in rows] for end in ("low", "high"))
    marks = {
        "type": "scatter",
        "mode": "markers",
        "y": names,
        "x": values,
        "marker": {"size": 11, "color": [BLUE if row.get("chosen") else GREY for row in rows]},
        "error_x": whiskers(values, lows, highs),
        "hovertemplate": "%{y}: all need %{x:,.3g} GW<extra></extra>",
    }
    budget = _budget_gw(result)
    shapes, said = [], []
    if budget is not None:
        rule = {"color": RED, "width": 2, "dash": "dash"}
        shapes = [
            {"type": "line", "xref": "x", "yref": "paper", "x0": budget, "x1": budget, "y0": 0, "y1": 1, "line": rule}
        ]
        place = {"xref": "x", "yanchor": "top", "xshift": 5, "font": {"size": 12, "color": RED}}
        said = [note(f"budget {quantity(budget, 'GW')}", math.log10(budget), 1.0, **place)]
    ticks = [10.0**k for k in range(-1, 5)]
    x = axis("all uses need [GW]", type="log", tickvals=ticks, ticktext=[number(t, 1) for t in ticks])
    made = layout(height=110 + 32 * len(names), xaxis=x, yaxis=names_axis())
    return {"data": [marks], "layout": made | {"shapes": shapes, "annotations": said}}


def _budget_gw(result: RunResult) -> float | None:
    """The budget of an allocation, as its section's inputs give it (W)."""
    found = (row for row in rows_of(result, "allocate_inputs") if row.get("input") == "budget")
    watts = next((value_of(row.get("value")) for row in found), None)
    return None if watts is None else watts / 1e9


def allocation_path(result: RunResult) -> Figure | None:
    """What of each use is served at other budgets, on a scale of tens."""
    rows = rows_with(rows_of(result, "allocation_path"), "budget_mw")
    if not rows:
        return None
    budgets = [row["budget_mw"] / 1e3 for row in rows]
    uses = [name for name in rows[0] if name.startswith("served_")]
    data = [
        line(name.removeprefix("served_"), budgets, [100 * row[name] for row in rows], at, "%", mode="lines+markers")
        for at, name in enumerate(uses)
    ]
    x = axis("budget [GW]", type="log")
    y = axis("served of the demand [%]", rangemode="tozero")
    return {"data": data, "layout": layout(height=360, xaxis=x, yaxis=y, showlegend=True)}


ALLOCATION = {"allocation_forms": allocation_forms, "allocation_path": allocation_path}
