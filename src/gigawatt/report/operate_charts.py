"""Charts of the hours: power by work and by stage, demand against served, price and worth of a MW, PUE with the weather."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gigawatt.report.chart_parts import ROOM, axis, line, panel_axes, panel_height, rows_with, value_of
from gigawatt.report.numbers import canonical, scaled
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import GREY, INK, MUTED, PALETTE, RED, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

Rows = Sequence[dict[str, Any]]


def _when(rows: Rows) -> list[str]:
    """Hours as an axis of dates reads them, each from its beginning; the end of the last one too, so that it is drawn."""
    hours = [str(row["hour"]) for row in rows]
    end = datetime.fromisoformat(hours[-1]) + timedelta(hours=1)
    return [*hours, end.strftime("%Y-%m-%d %H:%M")]


def _held(values: Iterable[Any]) -> list[Any]:
    """A value an hour as steps: the last holds to the end."""
    out = list(values)
    return [*out, out[-1]]


def _hours_axis(count: int) -> dict[str, Any]:
    form = "%H:%M" if count <= 24 else "%d %b<br>%H:%M"
    return {"type": "date", "tickformat": form, "showgrid": False, "automargin": True, **ROOM}


def _right(title: str, **more: Any) -> dict[str, Any]:
    """A second axis, on the right."""
    place = {"overlaying": "y", "side": "right", "showgrid": False, "automargin": True, "tickmode": "auto", "nticks": 6}
    return {"title": {"text": title}, **place, **more}


def _area(name: str, x: list[str], y: list[float], colour: str, unit: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "stackgroup": "one",
        "name": wrap(name, 40),
        "x": x,
        "y": y,
        "line": {"width": 0.5, "color": colour, "shape": "hv"},
        "fillcolor": fade(colour, 0.75),
        "hovertemplate": f"%{{x}}, {wrap(name, 40)}: %{{y:,.3g}} {unit}<extra></extra>",
    }


def power_chart(result: RunResult) -> Figure | None:
    """Watts at the meter, stacked by work, then racks without work, losses and cooling, house; the cap as a line."""
    rows, hours = rows_with(rows_of(result, "power_hours"), "meter_mw"), rows_with(rows_of(result, "hours"), "cap_mw")
    if not rows or not hours:
        return None
    x = _when(rows)
    works = [name for name in rows[0] if name.endswith("_it_mw")]
    data = [
        _area(name.removesuffix("_it_mw"), x, _held(row[name] for row in rows), PALETTE[at % len(PALETTE)], "MW")
        for at, name in enumerate(works)
    ]
    rest = (("racks_without_work_mw", "#C9D2DA"), ("losses_and_cooling_mw", "#8A96A3"), ("house_mw", INK))
    for name, colour in rest:
        values = _held(row[name] for row in rows)
        if any(values):
            data.append(_area(name.removesuffix("_mw").replace("_", " "), x, values, colour, "MW"))
    cap = {
        "type": "scatter",
        "mode": "lines",
        "name": "may be drawn",
        "x": x,
        "y": _held(row["cap_mw"] for row in hours),
        "line": {"color": RED, "width": 2, "dash": "dash", "shape": "hv"},
        "hovertemplate": "%{x}, may be drawn: %{y:,.4g} MW<extra></extra>",
    }
    ground = layout(
        height=430,
        showlegend=True,
        margin={"l": 60, "r": 24, "t": 80, "b": 50},
        xaxis=_hours_axis(len(rows)),
        yaxis=axis("at the meter [MW]", rangemode="tozero"),
    )
    return {"data": [*data, cap], "layout": ground}


def work_chart(result: RunResult) -> Figure | None:
    """A panel a work: tokens served or made against what is asked for and what the plan meant."""
    rows = rows_with(rows_of(result, "work_hours"), "planned_tokens_per_s")
    names = list(dict.fromkeys(str(row["workload"]) for row in rows))
    if not names:
        return None
    across = 1 if len(names) == 1 else 2
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    told: set[str] = set()
    for at, ((suffix, wide, high), name) in enumerate(zip(panel_axes(len(names), across), names, strict=True)):
        mine = [row for row in rows if row["workload"] == name]
        columns = [
            (key, [value_of(row[f"{key}_tokens_per_s" if key != "made" else "tokens_out_per_s"]) for row in mine])
            for key in ("demand", "planned", "made")
        ]
        most = max((abs(v) for _, values in columns for v in values if v is not None), default=0.0)
        factor, unit = scaled(canonical("token/s"), most)
        looks = {
            "demand": {"color": GREY, "width": 2, "dash": "dot"},
            "planned": {"color": MUTED, "width": 1.5, "dash": "dash"},
            "made": {"color": PALETTE[at % len(PALETTE)], "width": 2.5},
        }
        words = {"demand": "asked for", "planned": "planned", "made": "served or made"}
        for key, values in columns:
            if any(v is not None for v in values):
                data.append(
                    line(
                        words[key], _when(mine), _held(None if v is None else v * factor for v in values), 0, unit,
                        line={**looks[key], "shape": "hv"}, xaxis=f"x{suffix}", yaxis=f"y{suffix}",
                        showlegend=key not in told, legendgroup=key,
                    )
                )  # fmt: skip
                told.add(key)
        axes[f"xaxis{suffix}"] = _hours_axis(len(mine)) | {"domain": wide, "anchor": f"y{suffix}"}
        title = {"title": {"text": f"{wrap(name, 30)} [{unit}]", "font": {"size": 12}}, "rangemode": "tozero"}
        axes[f"yaxis{suffix}"] = axis("") | title | {"domain": high, "anchor": f"x{suffix}"}
    height = panel_height(len(names), across) + 40
    return {"data": data, "layout": layout(height=height, showlegend=True, **axes)}


def worth_chart(result: RunResult) -> Figure | None:
    """What energy costs and what a MW more is worth, by the hour."""
    rows = rows_with(rows_of(result, "hours"), "worth_usd_per_mwh", "usd_per_mwh")
    if not rows:
        return None
    x = _when(rows)
    worth = {
        "type": "bar",
        "name": "a MW more is worth",
        "x": x[:-1],
        "y": [value_of(row["worth_usd_per_mwh"]) for row in rows],
        "offset": 0,
        "width": 3.3e6,
        "marker": {"color": PALETTE[1]},
        "hovertemplate": "%{x}, a MW more is worth %{y:,.4g} USD<extra></extra>",
    }
    price = line(
        "energy costs (right)", x, _held(row["usd_per_mwh"] for row in rows), 0, "USD/MWh", yaxis="y2",
        line={"color": PALETTE[0], "width": 2.5, "shape": "hv"},
    )  # fmt: skip
    ground = layout(
        height=330,
        showlegend=True,
        margin={"l": 70, "r": 70, "t": 60, "b": 50},
        xaxis=_hours_axis(len(rows)),
        yaxis=axis("a MW more [USD/MWh]", rangemode="tozero"),
        yaxis2=_right("energy [USD/MWh]", rangemode="tozero"),
    )
    return {"data": [worth, price], "layout": ground}


def weather_chart(result: RunResult) -> Figure | None:
    """PUE on the left, dry and wet bulb on the right."""
    rows = rows_with(rows_of(result, "hours"), "pue", "dry_bulb_c", "wet_bulb_c")
    if not rows:
        return None
    x = _when(rows)[:-1]
    data = [line("PUE", x, [row["pue"] for row in rows], 0, "")]
    data += [
        line(name, x, [row[column] for row in rows], at, "C", yaxis="y2")
        for at, (name, column) in enumerate((("dry bulb", "dry_bulb_c"), ("wet bulb", "wet_bulb_c")), 1)
    ]
    ground = layout(
        height=330,
        showlegend=True,
        margin={"l": 70, "r": 70, "t": 60, "b": 50},
        xaxis=_hours_axis(len(rows)),
        yaxis=axis("PUE"),
        yaxis2=_right("[C]"),
    )
    return {"data": data, "layout": ground}


OPERATE_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "power_hours": power_chart,
    "work_hours": work_chart,
    "hours": worth_chart,
    "weather": weather_chart,
}
