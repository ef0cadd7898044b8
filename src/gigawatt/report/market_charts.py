"""Charts of a market run: quarters and the next one, supply against demand, rents, prices, the ramp, the loop, the labs.

A table that is missing, empty or of other columns gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.report.allocate_charts import ALLOCATION
from gigawatt.report.chart_parts import (
    axis,
    band,
    bars,
    line,
    names_axis,
    note,
    rows_with,
    scale_of,
    steps_axis,
    value_of,
    whiskers,
)
from gigawatt.report.edge_charts import EDGE
from gigawatt.report.market_worlds import WORLDS
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, INK, ORANGE, RED, SKY, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

Rows = list[dict[str, Any]]


def series_of(result: RunResult) -> str:
    """The column of `quarters` that is forecast: the run's own series, else all revenue."""
    found = result.manifest.get("forecast")
    name = f"{found.get('series')}_usd" if isinstance(found, Mapping) else ""
    return name if any(value_of(row.get(name)) is not None for row in rows_of(result, "quarters")) else "revenue_usd"


def quarters(result: RunResult) -> Figure | None:
    """What was reported and guided, quarter by quarter, and the forecast with its band; what supply allows beside it."""
    column = series_of(result)
    rows = rows_with(rows_of(result, "quarters"), column)
    told = [row for row in rows if row.get("status") == "reported"]
    ahead = [row for row in rows if row.get("status") == "forecast"]
    made = rows_with([r for r in rows_of(result, "quarters") if r.get("status") == "computed"], "revenue_usd")
    if not told and not ahead:
        return None
    factor, unit = scale_of([row[column] for row in rows] + [row["revenue_usd"] for row in made])
    names = _in_order([*told, *ahead, *made])
    words = column.removesuffix("_usd").replace("_", " ")
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": f"{words}, reported",
            "x": [str(row["quarter"]) for row in told],
            "y": [row[column] * factor for row in told],
            "marker": {"color": fade(BLUE, 0.75)},
            "hovertemplate": f"%{{x}}: %{{y:,.3g}} {unit}<extra></extra>",
        }
    ]
    guided = rows_with([*told, *ahead], "guide_usd") if column == "revenue_usd" else []
    if guided:
        data.append(
            _points(
                "guide",
                guided,
                "guide_usd",
                factor,
                unit,
                {"symbol": "line-ew", "size": 11, "line": {"width": 2.5, "color": INK}},
            )
        )
    if made:
        spots = [str(row["quarter"]) for row in made]
        low, high = ([_times(row.get(end), factor) for row in made] for end in ("low_usd", "high_usd"))
        data += band(spots, low, high, ORANGE)
        data.append(line("what supply and demand allow", spots, [row["revenue_usd"] * factor for row in made], 1, unit))
    rules = [
        r
        for r in rows_with(rows_of(result, "forecast_rows"), "value_usd")
        if r.get("rule") in ("last_value", "last_increment")
    ]
    for row, colour in zip(rules, (GREY, SKY), strict=False):
        mark = {"symbol": "diamond-open", "size": 9, "color": colour, "line": {"width": 2}}
        data.append(_points(f"baseline: {row.get('words') or row['rule']}", [row], "value_usd", factor, unit, mark))
    if ahead:
        values = [row[column] * factor for row in ahead]
        lows, highs = ([_times(row.get(end), factor) for row in ahead] for end in ("low_usd", "high_usd"))
        mark = {"symbol": "circle", "size": 10, "color": RED}
        data.append(
            _points("forecast, band of 80 %", ahead, column, factor, unit, mark)
            | {"error_y": whiskers(values, lows, highs)}
        )
    title = f"{words} a quarter [{unit}]"
    return _lines(data, names, axis(title, rangemode="tozero"), 430, barmode="overlay")


def _points(name: str, rows: Rows, column: str, factor: float, unit: str, marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": wrap(name, 50),
        "x": [str(row["quarter"]) for row in rows],
        "y": [row[column] * factor for row in rows],
        "marker": marker,
        "hovertemplate": f"%{{x}}, {wrap(name, 50)}: %{{y:,.3g}} {unit}<extra></extra>",
    }


def _times(value: Any, factor: float) -> float | None:
    found = value_of(value)
    return None if found is None else found * factor


def _in_order(rows: Rows) -> list[str]:
    return sorted(dict.fromkeys(str(row["quarter"]) for row in rows))


def _lines(
    data: list[dict[str, Any]], names: Sequence[str], y: dict[str, Any], height: int = 380, **more: Any
) -> Figure:
    return {"data": data, "layout": layout(height=height, xaxis=steps_axis(names), yaxis=y, showlegend=True, **more)}


def balance(result: RunResult) -> Figure | None:
    """Supply, demand and backlog in GW; quarters in which demand is the limit are shaded."""
    rows = rows_with(rows_of(result, "quarters"), "supply_gw", "demand_gw")
    if not rows:
        return None
    names = [str(row["quarter"]) for row in rows]
    data = [
        line(words, names, [row.get(column) for row in rows], at, "GW")
        for at, (column, words) in enumerate(
            (
                ("supply_gw", "supply"),
                ("demand_gw", "orders"),
                ("shipped_gw", "shipped"),
                ("backlog_gw", "backlog (right)"),
            )
        )
        if rows_with(rows, column)
    ]
    for one in data:
        if one["name"].startswith("backlog"):
            one["yaxis"] = "y2"
        if one["name"] == "shipped":  # mostly the same as supply: both stay seen
            one["line"] |= {"dash": "dot", "width": 4}
    shapes = [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": at - 0.5,
            "x1": at + 0.5,
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "layer": "below",
            "fillcolor": fade(ORANGE if str(row.get("binding_side")).startswith("demand") else BLUE, 0.08),
        }
        for at, row in enumerate(rows)
    ]
    sides = {"demand" if str(row.get("binding_side")).startswith("demand") else "supply" for row in rows}
    said = ", ".join(f"{'orange' if side == 'demand' else 'blue'}: {side} is the limit" for side in sorted(sides))
    second = axis(
        "backlog [GW]", overlaying="y", side="right", showgrid=False, rangemode="tozero", tickmode="auto", nticks=8
    )
    made = _lines(data, names, axis("a quarter [GW]", rangemode="tozero"), 400, shapes=shapes, yaxis2=second)
    made["layout"]["annotations"] = [note(f"ground in {said}", 0.01, 0.98, yanchor="top")]
    return made


def forecast_rows(result: RunResult) -> Figure | None:
    """The next quarter by every rule with its band; the run's own rule stands out, and what came is a line."""
    rows = rows_with(rows_of(result, "forecast_rows"), "value_usd")
    if not rows:
        return None
    factor, unit = scale_of([row.get(name) for row in rows for name in ("value_usd", "high_usd")])
    values = [row["value_usd"] * factor for row in rows]
    lows, highs = ([_times(row.get(end), factor) for row in rows] for end in ("low_usd", "high_usd"))
    labels = [wrap(str(row.get("words") or row.get("rule")), 42) for row in rows]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "y": labels,
            "x": values,
            "error_x": whiskers(values, lows, highs),
            "marker": {"size": 11, "color": [RED if row.get("is_default") else GREY for row in rows]},
            "hovertemplate": f"%{{y}}: %{{x:,.4g}} {unit}<extra></extra>",
        }
    ]
    shapes, words = [], []
    actual = next((row["actual_usd"] for row in rows if value_of(row.get("actual_usd")) is not None), None)
    if actual is not None:
        x = actual * factor
        shapes.append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": x,
                "x1": x,
                "y0": 0,
                "y1": 1,
                "line": {"color": BLUE, "width": 2},
            }
        )
        words.append(note(f"came in at {quantity(actual, 'USD')}", x, 1.0, xref="x", font={"size": 12, "color": BLUE}))
    height = 110 + 34 * len(rows)
    made = layout(
        height=height,
        xaxis=axis(f"{rows[0].get('quarter') or 'next quarter'} [{unit}], bands of 80 %"),
        yaxis=names_axis(),
    )
    return {
        "data": data,
        "layout": made | {"shapes": shapes, "annotations": words, "margin": {"l": 10, "r": 24, "t": 34, "b": 10}},
    }


def rules(result: RunResult) -> Figure | None:
    """How far each rule missed on average over past quarters."""
    rows = rows_with(rows_of(result, "backtest"), "mape_share")
    texts = [
        f"{quantity(row['mape_share'], 'share')}; {number(row.get('hits'))} of {number(row.get('trials'))} bands held"
        for row in rows
    ]
    names = [
        str(row.get("words") or row["rule"]) + (" (all quarters)" if "all quarters" in str(row["rule"]) else "")
        for row in rows
    ]
    colours = [RED if row.get("is_default") else GREY for row in rows]
    return bars(names, [row["mape_share"] for row in rows], colours, "mean miss", "share", texts=texts)


def growth(result: RunResult) -> Figure | None:
    """Growth quarter on quarter, a line a regime."""
    rows = rows_with(rows_of(result, "growth"), "growth_share")
    data = [
        line(name, [r["quarter"] for r in mine], [100 * r["growth_share"] for r in mine], at, "%", mode="lines+markers")
        for at, name in enumerate(dict.fromkeys(str(row["regime"]) for row in rows))
        if (mine := [row for row in rows if str(row["regime"]) == name])
    ]
    return (
        _lines(data, _in_order(rows), axis("growth on the quarter before [%]", rangemode="tozero"), 340)
        if data
        else None
    )


def binding(result: RunResult) -> Figure | None:
    """How many GW each input allows in its quarter; the one that binds stands out."""
    rows = sorted(rows_with(rows_of(result, "binding"), "allows_gw"), key=lambda row: float(row["allows_gw"]))
    colours = [RED if row.get("binds") else GREY for row in rows]
    texts = [
        f"{quantity(row['allows_gw'], 'GW')}"
        + (f"; one more: {quantity(row['worth_usd'], 'USD')}" if row.get("worth_usd") else "")
        for row in rows
    ]
    return bars(
        [str(row["input"]) for row in rows],
        [row["allows_gw"] for row in rows],
        colours,
        "allows in the quarter",
        "GW",
        texts=texts,
    )


def inputs(result: RunResult) -> Figure | None:
    """What each input allows, quarter by quarter."""
    rows = rows_with(rows_of(result, "inputs"), "allows_gw")
    data = [
        line(name, [r["quarter"] for r in mine], [r["allows_gw"] for r in mine], at, "GW")
        for at, name in enumerate(dict.fromkeys(str(row["input"]) for row in rows))
        if (mine := [row for row in rows if str(row["input"]) == name])
    ]
    return _lines(data, _in_order(rows), axis("allows [GW a quarter]", rangemode="tozero")) if data else None


def _fan(rows: Rows, low: str, middle: str, high: str, unit: str, title: str, words: str) -> Figure | None:
    rows = rows_with(rows, middle)
    if not rows:
        return None
    factor, shown = scale_of([row.get(high) or row[middle] for row in rows], unit)
    names = [str(row["quarter"]) for row in rows]
    lows, highs = ([_times(row.get(end), factor) for row in rows] for end in (low, high))
    data = [*band(names, lows, highs, BLUE), line(words, names, [row[middle] * factor for row in rows], 0, shown)]
    return _lines(data, names, axis(f"{title} [{shown}], P10 to P90", rangemode="tozero"), 360)


def rent_fan(result: RunResult) -> Figure | None:
    """Rent ahead with its band, the mean, and on the right the chance of a glut."""
    rows = rows_of(result, "rent_fan")
    made = _fan(rows, "rent_p10", "rent_p50", "rent_p90", "USD/h", "rent of an hour", "median")
    glut = rows_with(rows, "glut_share")
    if made is not None and glut:
        names = [str(row["quarter"]) for row in glut]
        one = line("chance of a glut (right)", names, [100 * row["glut_share"] for row in glut], 1, "%", yaxis="y2")
        made["data"].append(one)
        made["layout"]["yaxis2"] = axis(
            "glut [%]", overlaying="y", side="right", showgrid=False, range=[0, 100], tickvals=[0, 25, 50, 75, 100]
        )
    return made


def backlog_fan(result: RunResult) -> Figure | None:
    """Backlog over the draws."""
    return _fan(
        rows_of(result, "backlog_fan"), "backlog_p10_gw", "backlog_p50_gw", "backlog_p90_gw", "GW", "backlog", "median"
    )


def ramp_path(result: RunResult) -> Figure | None:
    """The ramp that is asked for beside what the inputs allow."""
    rows = rows_with(rows_of(result, "ramp_path"), "target_gw_per_year")
    names = [str(row["quarter"]) for row in rows]
    data = [
        line(words, names, [row.get(column) for row in rows], at, "GW/yr")
        for at, (column, words) in enumerate(
            (("possible_gw_per_year", "what the inputs allow"), ("target_gw_per_year", "asked for"))
        )
        if rows_with(rows, column)
    ]
    return _lines(data, names, axis("rate [GW/yr]", rangemode="tozero"), 340) if data else None


def reported_beside(result: RunResult) -> Figure | None:
    """Reported figures as multiples of what they stand beside."""
    rows = rows_with(rows_of(result, "compare"), "ratio")
    texts = [
        f"{quantity(r.get('value_usd'), 'USD')} is {number(float(r['ratio']))} of {quantity(r.get('beside_usd'), 'USD')}"
        for r in rows
    ]
    return bars(
        [str(r["id"]).replace("-", " ") for r in rows], [r["ratio"] for r in rows], BLUE, "ratio", "x", texts=texts
    )


MARKET_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "quarters": quarters,
    "balance": balance,
    "forecast_rows": forecast_rows,
    "backtest": rules,
    "growth": growth,
    "binding": binding,
    "inputs": inputs,
    "rent_fan": rent_fan,
    "backlog_fan": backlog_fan,
    "ramp_path": ramp_path,
    "compare": reported_beside,
    **WORLDS,
    **ALLOCATION,
    **EDGE,
}
