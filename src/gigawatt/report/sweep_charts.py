"""Charts of a sweep: the metric by level of each input, over the two that matter most, through all inputs at once, by share.

One input is a line, two are a heat map, more are lines through an axis an input (parallel coordinates).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.report.chart_parts import (
    axis,
    band,
    bars,
    note,
    panel_axes,
    panel_height,
    rows_with,
    scale_of,
    value_of,
)
from gigawatt.report.grid import words_of
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, INK, LINE, MUTED, ORANGE, RED, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

ACROSS = 2
MOST_PANELS = 8
MOST_LINES = 240  # scenarios drawn as lines through all inputs
CLASSES = (
    "#440154",
    "#3b528b",
    "#21918c",
    "#5ec962",
    "#fde725",
)  # dark to light, read in grey too (matplotlib's viridis)
HEAT = ((0.0, "#440154"), (0.25, "#3b528b"), (0.5, "#21918c"), (0.75, "#5ec962"), (1.0, "#fde725"))


def metric_of(result: RunResult) -> str:
    """The metric that decides what is best."""
    return str(result.manifest.get("metric") or "")


def unit_of(result: RunResult) -> str:
    """Its unit."""
    return str(result.manifest.get("units", {}).get(metric_of(result), ""))


def effects_chart(result: RunResult) -> Figure | None:
    """Share of the metric's variance that each input explains by itself."""
    rows = rows_with(rows_of(result, "effects"), "share_of_variance")
    if len(rows) < 2:
        return None
    names, shares = [_breakable(str(row["input"])) for row in rows], [float(row["share_of_variance"]) for row in rows]
    by_chance = [float(row["share_of_variance"]) <= 2 * float(row["by_chance"] or 0.0) for row in rows]
    colours = [GREY if chance else BLUE for chance in by_chance]
    return bars(names, shares, colours, f"share of the variance of {words_of(metric_of(result))}", "share")


def _breakable(path: str) -> str:
    """A long dotted path with room for a new line after its dots."""
    return path if len(path) <= 34 else path.replace(".", ". ")


def levels_chart(result: RunResult) -> Figure | None:
    """Mean of the metric by level of each input, P10 to P90 as ground; one panel an input, the strongest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_with(rows_of(result, "levels"), "mean"):
        found.setdefault(str(row["input"]), []).append(row)
    names = list(found)[:MOST_PANELS]
    if not names:
        return None
    factor, unit = scale_of([row["mean"] for name in names for row in found[name]], unit_of(result))
    across = min(ACROSS, len(names))
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    words = []
    for (suffix, x_domain, y_domain), name in zip(panel_axes(len(names), across), names, strict=True):
        rows = found[name]
        at = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        numeric = len(rows_with(rows, "at")) == len(rows)
        x = [row["at"] for row in rows] if numeric else [wrap(str(row["level"]), 16) for row in rows]
        ends = [[None if (v := value_of(row[end])) is None else v * factor for row in rows] for end in ("low", "high")]
        if numeric:
            data += band(x, ends[0], ends[1], BLUE, **at)
        data.append(_means(rows, x, factor, numeric, ends, at))
        axes[f"xaxis{suffix}"] = axis(
            "", domain=x_domain, anchor=f"y{suffix}", nticks=6, **({} if numeric else {"type": "category"})
        )
        axes[f"yaxis{suffix}"] = axis("", domain=y_domain, anchor=f"x{suffix}", nticks=5)
        of = f" [{rows[0]['at_unit']}]" if numeric and rows[0]["at_unit"] else ""
        words.append(note(f"<b>{wrap(name, 44)}</b>{of}", x_domain[0], y_domain[1], font={"size": 12, "color": INK}))
    height = panel_height(len(names), across, each=260) + 10
    ground = layout(height=height, margin={"l": 60, "r": 24, "t": 40, "b": 40}, annotations=words)
    if len({row["mean"] for name in names for row in found[name]}) > 1:
        _one_scale(data, axes)
    told = note(f"{words_of(metric_of(result))} [{unit}]", 0, 1, yshift=22, font={"size": 12, "color": MUTED})
    ground["annotations"] = [*words, told]
    return {"data": data, "layout": {**ground, **axes}}


def _means(
    rows: Sequence[dict[str, Any]],
    x: Sequence[Any],
    factor: float,
    numeric: bool,
    ends: Sequence[Sequence[float | None]],
    at: Mapping[str, str],
) -> dict[str, Any]:
    y = [row["mean"] * factor for row in rows]
    hover = [f"{row['level']}: {row['feasible']:,} of {row['runs']:,} feasible" for row in rows]
    made: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if numeric else "markers",
        "x": list(x),
        "y": y,
        "line": {"color": BLUE, "width": 2.5},
        "marker": {"size": 7 if numeric else 11, "color": BLUE},
        "customdata": [wrap(text, 60) for text in hover],
        "hovertemplate": "%{customdata}<br>mean %{y:,.4g}<extra></extra>",
        "showlegend": False,
        **at,
    }
    if not numeric:
        made["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, (high if high is not None else v) - v) for v, high in zip(y, ends[1], strict=True)],
            "arrayminus": [max(0.0, v - (low if low is not None else v)) for v, low in zip(y, ends[0], strict=True)],
            "color": fade(BLUE, 0.5),
            "thickness": 1.5,
            "width": 6,
        }
    return made


def _one_scale(data: Sequence[dict[str, Any]], axes: dict[str, Any]) -> None:
    """The same range in every panel, so that slopes can be compared."""
    values = [v for one in data for v in one["y"] if v is not None]
    for one in data:
        if "error_y" in one:
            up, down = one["error_y"]["array"], one["error_y"]["arrayminus"]
            values += [v + e for v, e in zip(one["y"], up, strict=True)]
            values += [v - e for v, e in zip(one["y"], down, strict=True)]
    least, most = min(values), max(values)
    room = 0.06 * (most - least)
    for name, one in axes.items():
        if name.startswith("yaxis") and room > 0:
            one["range"] = [least - room, most + room]


def cells_chart(result: RunResult) -> Figure | None:
    """The mean over the two inputs that matter most; a cell of which nothing is feasible stays white with a cross."""
    table = result.tables.get("cells")
    rows = [row for row in rows_of(result, "cells") if {"x", "y", "mean"} <= row.keys()]
    if table is None or not rows:
        return None
    across, up = (list(dict.fromkeys(str(row[name]) for row in rows)) for name in ("x", "y"))
    found = {(str(row["x"]), str(row["y"])): row for row in rows}
    factor, unit = scale_of([row["mean"] for row in rows], unit_of(result))
    means = {key: value_of(row["mean"]) for key, row in found.items()}

    def cell(x: str, y: str) -> float | None:
        mean = means.get((x, y))
        return None if mean is None else mean * factor

    few = len(across) * len(up) <= 80
    text = [[_said(cell(x, y), found.get((x, y))) for x in across] for y in up]
    names = [name.partition(": ")[2] for name in table.note.split("; ")[:2]]
    data = [
        {
            "type": "heatmap",
            "x": [wrap(x, 18) for x in across],
            "y": [wrap(y, 24) for y in up],
            "z": [[cell(x, y) for x in across] for y in up],
            "text": text,
            **({"texttemplate": "%{text}"} if few else {}),
            "textfont": {"size": 11},
            "hovertext": [[_told(found.get((x, y)), x, y, unit, cell(x, y)) for x in across] for y in up],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "colorscale": [list(step) for step in HEAT],
            "colorbar": {"title": {"text": unit}, "thickness": 14},
            "xgap": 2,
            "ygap": 2,
            "hoverongaps": True,
        }
    ]
    ground = layout(
        height=140 + 34 * max(4, min(len(up), 24)),
        margin={"l": 90, "r": 24, "t": 24, "b": 60},
        xaxis={"title": {"text": names[0]}, "type": "category", "showgrid": False, "automargin": True},
        yaxis={"title": {"text": names[1], "standoff": 14}, "type": "category", "showgrid": False, "automargin": True},
    )
    return {"data": data, "layout": ground}


def _said(value: float | None, row: Mapping[str, Any] | None) -> str:
    if row is None or not row["runs"]:
        return ""
    return "x" if value is None else number(value)


def _told(row: Mapping[str, Any] | None, x: str, y: str, unit: str, value: float | None) -> str:
    if row is None:
        return ""
    if not row["runs"]:
        return f"{wrap(x, 60)}, {wrap(y, 60)}<br>no scenario"
    mean = "nothing fits" if value is None else f"mean {number(value)} {unit}"
    return f"{wrap(x, 60)}, {wrap(y, 60)}<br>{mean}<br>{row['feasible']:,} of {row['runs']:,} feasible"


def scenarios_chart(result: RunResult) -> Figure | None:
    """Every scenario as a line through an axis an input and one of the metric; colour: how much of the metric it has."""
    metric = metric_of(result)
    rows = rows_with(rows_of(result, "scenarios"), metric)
    varying = [str(row["input"]) for row in rows_of(result, "effects")]
    names = [part for name in varying for part in name.split(" + ")][:MOST_PANELS]
    if len(varying) < 3 or len(rows) < 2:
        return None
    step = -(-len(rows) // MOST_LINES)
    rows = rows[::step]
    scales = [_scale_of(result, name, [row[name] for row in rows]) for name in [*names, metric]]
    values = sorted(row[metric] for row in rows)
    edges = [values[len(values) * k // len(CLASSES)] for k in range(1, len(CLASSES))]
    data: list[dict[str, Any]] = []
    for at, colour in enumerate(CLASSES):
        mine = [row for row in rows if sum(row[metric] >= edge for edge in edges) == at]
        if not mine:
            continue
        x: list[Any] = []
        y: list[Any] = []
        for row in mine:
            x += [*range(len(scales)), None]
            y += [*(place(row[name]) for name, (place, _) in zip([*names, metric], scales, strict=True)), None]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "line": {"color": fade(colour, 0.55), "width": 1.4},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    words = []
    for at, (_, ticks) in enumerate(scales):
        for where, text in ticks:
            words.append(
                note(text, at, where, xref="x", yref="y", xanchor="left", yanchor="middle", xshift=5,
                     font={"size": 10, "color": INK}, bgcolor="rgba(255,255,255,0.7)")
            )  # fmt: skip
    labels = [wrap(name, 16) for name in [*names, words_of(metric)]]
    rule = {"type": "line", "yref": "y", "y0": 0, "y1": 1, "line": {"color": INK, "width": 1}}
    ground = layout(
        height=440,
        margin={"l": 20, "r": 90, "t": 20, "b": 60},
        xaxis={"tickvals": list(range(len(labels))), "ticktext": labels, "showgrid": False, "zeroline": False,
               "range": [-0.08, len(labels) - 0.75], "automargin": True},
        yaxis={"visible": False, "range": [-0.04, 1.04]},
        shapes=[{**rule, "x0": at, "x1": at} for at in range(len(labels))],
        annotations=words,
    )  # fmt: skip
    return {"data": data, "layout": ground}


Place = Callable[[Any], float | None]


def _scale_of(result: RunResult, name: str, values: Sequence[Any]) -> tuple[Place, list[tuple[float, str]]]:
    """(value -> 0 to 1, marks on the axis) of one input or metric."""
    unit = str(result.tables["scenarios"].units.get(name, ""))
    found = [value_of(value) for value in values]
    numbers = [one for one in found if one is not None]
    if numbers and len(numbers) == len(found):
        least, most = min(numbers), max(numbers)
        width = (most - least) or 1.0
        ends = [(0.0, quantity(least, unit)), (1.0, quantity(most, unit))]
        return lambda value: None if value is None else (value - least) / width, ends
    levels = sorted({str(value) for value in values})
    at = {level: (k + 0.5) / len(levels) for k, level in enumerate(levels)}
    marks = [(where, wrap(level, 22)) for level, where in at.items()]
    return lambda value: at[str(value)], marks[:: max(1, len(marks) // 12)]


def statuses_chart(result: RunResult) -> Figure | None:
    """How many scenarios have an answer, where some have none."""
    rows = rows_of(result, "statuses")
    if len(rows) < 2:
        return None
    colours = {"ok": BLUE, "infeasible": ORANGE, "wrong": GREY, "failed": RED}
    return bars(
        [str(row["meaning"] or row["status"]) for row in rows],
        [float(row["runs"]) for row in rows],
        [colours.get(str(row["status"]), LINE) for row in rows],
        "scenarios",
        "",
        texts=[f"{row['runs']:,} ({row['share']:.1%})" for row in rows],
    )


SWEEP_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "effects": effects_chart,
    "levels": levels_chart,
    "cells": cells_chart,
    "scenarios": scenarios_chart,
    "statuses": statuses_chart,
}
