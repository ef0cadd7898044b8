"""Charts of the moats: values by regime with bands, which matters over scarce power and chips, over what a watt costs,
demand.

One colour a moat in every chart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.report.chart_parts import axis, note, rows_with, whiskers, zero_axis
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import GREY, INK, PALETTE, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

MOATS = ("software", "networking", "perf_per_watt")
NAMES = {"software": "software", "networking": "networking", "perf_per_watt": "performance per watt"}
COLOURS = {name: PALETTE[at] for at, name in enumerate(MOATS)} | {"none": GREY}
ALL, NONE = PALETTE[4], GREY
MONEY = "{}_usd_per_mw_yr"
MILLION = 1e6


def moat_bars(result: RunResult) -> Figure | None:
    """Shapley value of each moat by regime, P10 to P90 as whiskers, a line at zero."""
    rows = rows_with(rows_of(result, "moats"), "shapley_usd_per_mw_yr")
    if not rows:
        return None
    regimes = list(dict.fromkeys(str(row["regime"]) for row in rows))
    data = []
    for moat in MOATS:
        mine = [row for name in regimes for row in rows if row["regime"] == name and row["moat"] == moat]
        values = [row["shapley_usd_per_mw_yr"] / MILLION for row in mine]
        ends = ([row[end] / MILLION if row.get(end) is not None else None for row in mine] for end in ("low", "high"))
        data.append(
            {
                "type": "bar",
                "name": NAMES[moat],
                "x": [wrap(str(row["regime"]), 18) for row in mine],
                "y": values,
                "marker": {"color": COLOURS[moat]},
                "error_y": whiskers(values, *ends),
                "hovertemplate": f"%{{x}}, {NAMES[moat]}: %{{y:,.3g}} M USD/MW/yr<extra></extra>",
            }
        )
    ground = layout(
        height=430, showlegend=True, yaxis=zero_axis("Shapley value [M USD/MW/yr]"), xaxis={"automargin": True}
    )
    return {"data": data, "layout": {**ground, "barmode": "group"}}


def scarcity_chart(result: RunResult) -> Figure | None:
    """Which moat is largest over site power and chips on offer; in each cell all three values."""
    rows = rows_with(rows_of(result, "map_scarcity"), "power_mw", "accelerators")
    if not rows:
        return None
    across = sorted({row["power_mw"] for row in rows})
    up = sorted({row["accelerators"] for row in rows})
    cells = {(row["power_mw"], row["accelerators"]): row for row in rows}
    order = [*MOATS, "none"]
    z = [[order.index(str(cells[x, y]["largest"])) for x in across] for y in up]
    text = [[_three(cells[x, y]) for x in across] for y in up]
    hover = [[_told(cells[x, y], quantity(x, "MW"), f"{number(y)} accelerators on offer") for x in across] for y in up]
    steps = [(at / len(order), (at + 1) / len(order), fade(COLOURS[name], 0.75)) for at, name in enumerate(order)]
    data = [
        {
            "type": "heatmap",
            "x": [quantity(x, "MW") for x in across],
            "y": [_thousands(y) for y in up],
            "z": z,
            "zmin": -0.5,
            "zmax": len(order) - 0.5,
            "text": text,
            "texttemplate": "%{text}",
            "textfont": {"size": 10},
            "hovertext": hover,
            "hovertemplate": "%{hovertext}<extra></extra>",
            "colorscale": [point for low, high, colour in steps for point in ([low, colour], [high, colour])],
            "showscale": False,
            "xgap": 2,
            "ygap": 2,
        }
    ]
    data += [
        {"type": "scatter", "mode": "markers", "name": NAMES.get(name, "none is worth anything"), "x": [None], "y": [None],
         "marker": {"symbol": "square", "size": 13, "color": fade(COLOURS[name], 0.75)}}
        for name in order if any(row["largest"] == name for row in rows)
    ]  # fmt: skip
    ground = layout(
        height=470,
        showlegend=True,
        margin={"l": 90, "r": 24, "t": 60, "b": 60},
        xaxis={"title": {"text": "site power"}, "type": "category", "showgrid": False, "automargin": True},
        yaxis={
            "title": {"text": "accelerators of the vendor on offer"},
            "type": "category",
            "showgrid": False,
            "automargin": True,
        },
    )
    return {"data": data, "layout": ground}


def _three(row: dict[str, Any]) -> str:
    """The three values, in M USD."""
    return " / ".join(number(row[MONEY.format(moat)] / MILLION, 2) for moat in MOATS)


def _thousands(value: float) -> str:
    return f"{number(value / 1e3)} k" if value >= 1e3 else number(value)


def _told(row: dict[str, Any], x: str, y: str) -> str:
    values = "".join(f"<br>{NAMES[moat]}: {number(row[MONEY.format(moat)] / MILLION, 3)} M USD/MW/yr" for moat in MOATS)
    return f"{x}, {y}{values}"


def watts_chart(result: RunResult) -> Figure | None:
    """Value of performance per watt over the price of energy and of the building, where power is no limit."""
    rows = rows_with(rows_of(result, "map_watts"), "energy_usd_per_mwh", "shell_usd_per_mw")
    if not rows:
        return None
    across = sorted({row["energy_usd_per_mwh"] for row in rows})
    up = sorted({row["shell_usd_per_mw"] for row in rows})
    cells = {(row["energy_usd_per_mwh"], row["shell_usd_per_mw"]): row for row in rows}
    column = MONEY.format("perf_per_watt")
    z = [[cells[x, y][column] / MILLION for x in across] for y in up]
    most = max((abs(value) for line in z for value in line), default=0.0) or 1.0
    data = [
        {
            "type": "heatmap",
            "x": [f"{number(x)}" for x in across],
            "y": [f"{number(y / MILLION)}" for y in up],
            "z": z,
            "zmin": -most,
            "zmax": most,
            "text": [[_share(cells[x, y]) for x in across] for y in up],
            "texttemplate": "%{text}",
            "hovertext": [
                [_told(cells[x, y], f"{number(x)} USD/MWh", f"{number(y / MILLION)} M USD/MW") for x in across]
                for y in up
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "colorscale": [
                [0.0, fade(COLOURS["software"], 0.75)],
                [0.5, "#ffffff"],
                [1.0, fade(COLOURS["perf_per_watt"], 0.85)],
            ],
            "colorbar": {"title": {"text": "M USD/MW/yr"}, "thickness": 14},
            "xgap": 2,
            "ygap": 2,
        }
    ]
    ground = layout(
        height=360,
        margin={"l": 90, "r": 24, "t": 24, "b": 60},
        xaxis={"title": {"text": "energy [USD/MWh]"}, "type": "category", "showgrid": False, "automargin": True},
        yaxis={"title": {"text": "building [M USD/MW]"}, "type": "category", "showgrid": False, "automargin": True},
    )
    return {"data": data, "layout": ground}


def _share(row: dict[str, Any]) -> str:
    value = number(row[MONEY.format("perf_per_watt")] / MILLION, 2)
    share = row.get("perf_per_watt_share")
    return value if share is None else f"{value} ({share:.0%})"


def curves_chart(result: RunResult) -> Figure | None:
    """Price over list against what is taken: with all moats, without each, with none; list and production cost as lines."""
    rows = rows_with(rows_of(result, "curves"), "price", "accelerators")
    if not rows:
        return None
    names = list(dict.fromkeys(str(row["regime"]) for row in rows))
    shown = "power-limited" if "power-limited" in names else names[0]
    mine = [row for row in rows if row["regime"] == shown]
    data = []
    for name in dict.fromkeys(str(row["moats"]) for row in mine):
        line = [row for row in mine if row["moats"] == name]
        moat = name.removeprefix("without ")
        colour = COLOURS.get(moat, ALL if name == "all moats" else NONE)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"without {NAMES[moat]}" if moat in NAMES else name,
                "x": [row["accelerators"] / 1e3 for row in line],
                "y": [row["price"] for row in line],
                "line": {"color": colour, "width": 3.5 if name == "all moats" else 2.5, "shape": "linear"},
                "hovertemplate": "%{x:,.3g} k accelerators at %{y:.2f} x list<extra></extra>",
            }
        )
    ground = layout(
        height=430,
        showlegend=True,
        margin={"l": 70, "r": 24, "t": 80, "b": 60},
        xaxis=axis("accelerators taken [k]", rangemode="tozero"),
        yaxis=axis("price [x list]", rangemode="tozero"),
    )
    level = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y",
        "line": {"color": INK, "width": 1, "dash": "dot"},
    }
    lines: Sequence[tuple[float, str]] = [(1.0, "list price"), *_cost(result, shown)]
    ground["shapes"] = [{**level, "y0": at, "y1": at} for at, _ in lines]
    ground["annotations"] = [
        note(f"{words}, {shown}" if at == 1.0 else words, 0.99, at, yref="y", xanchor="right") for at, words in lines
    ]
    return {"data": data, "layout": ground}


def _cost(result: RunResult, regime: str) -> list[tuple[float, str]]:
    return [
        (float(row["value"]), "production cost")
        for row in rows_of(result, "extras")
        if row["regime"] == regime and row["line"] == "production cost" and row["value"] is not None
    ]


MOAT_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "moats": moat_bars,
    "map_scarcity": scarcity_chart,
    "map_watts": watts_chart,
    "curves": curves_chart,
}
