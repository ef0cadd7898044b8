"""Charts of a market's counterfactuals: a ramp, selling or being banned, labs that race, chips let again, prices of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gigawatt.report.chart_parts import (
    axis,
    band,
    bars,
    line,
    marks,
    names_axis,
    note,
    rows_with,
    scale_of,
    value_of,
    zero_axis,
)
from gigawatt.report.chart_parts import steps_axis as steps
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, GREY, INK, LINE, ORANGE, PALETTE, RED, Figure, layout, wrap
from gigawatt.study.result import RunResult


def ban(result: RunResult) -> Figure | None:
    """What selling is worth over being banned, by the speed of the rival's learning; where it is worth nothing is marked."""
    rows = sorted(rows_with(rows_of(result, "ban"), "speed", "value_usd"), key=lambda row: float(row["speed"]))
    if not rows:
        return None
    factor, unit = scale_of(
        [row.get(name) for row in rows for name in ("value_usd", "value_usd_high", "value_usd_low")]
    )
    speeds = [float(row["speed"]) for row in rows]
    lows, highs = (
        [None if (v := value_of(row.get(end))) is None else v * factor for row in rows]
        for end in ("value_usd_low", "value_usd_high")
    )
    data = band(speeds, lows, highs, BLUE)
    for at, (column, words) in enumerate(
        (("value_usd", "in all"), ("direct_usd", "sales there"), ("elsewhere_usd", "sales elsewhere"))
    ):
        kept = rows_with(rows, column)
        if kept:
            points = [row[column] * factor for row in kept]
            data.append(line(words, [float(row["speed"]) for row in kept], points, at, unit, mode="lines+markers"))
    turn = break_even(speeds, [row["value_usd"] for row in rows])
    shapes, words_on = [], []
    if turn is not None:
        rule = {"color": RED, "width": 2, "dash": "dash"}
        shapes.append(
            {"type": "line", "xref": "x", "yref": "paper", "x0": turn, "x1": turn, "y0": 0, "y1": 1, "line": rule}
        )
        said = f"break-even at {number(turn)} x"
    else:
        better = "selling" if rows[0]["value_usd"] > 0 else "the ban"
        said = f"no break-even in this range: {better} is worth more throughout"
    place = {"xref": "x", "xshift": 6} if turn is not None else {}
    words_on.append(
        note(said, 0.01 if turn is None else turn, 0.99, yanchor="top", font={"size": 12, "color": RED}, **place)
    )
    made = layout(
        height=400,
        xaxis=axis("speed of the software loop, 1 as stated [x]"),
        yaxis=zero_axis(f"selling over being banned [{unit}]"),
        showlegend=True,
        shapes=shapes,
        annotations=words_on,
    )
    return {"data": data, "layout": made}


def break_even(x: list[float], y: list[float]) -> float | None:
    """Where a line through points in order first crosses zero; None where it does not.

    >>> break_even([0.0, 1.0, 2.0], [3.0, 1.0, -1.0])
    1.5
    """
    for (a, u), (b, v) in zip(zip(x, y, strict=True), list(zip(x, y, strict=True))[1:], strict=False):
        if u == 0:
            return a
        if u * v < 0:
            return a + (b - a) * u / (u - v)
    return x[-1] if y and y[-1] == 0 else None


def loop(result: RunResult) -> Figure | None:
    """Share of the vendor's stack by quarter and region: sold there, and banned from there."""
    rows = rows_with(rows_of(result, "loop"), "share")
    stack = next((str(row.get("stack")) for row in rows), "")
    rows = [row for row in rows if str(row.get("stack")) == stack]
    data = []
    for at, region in enumerate(dict.fromkeys(str(row["region"]) for row in rows)):
        for world, dash in (("sold", "solid"), ("banned", "dot")):
            mine = [row for row in rows if str(row["region"]) == region and str(row["world"]) == world]
            if mine:
                colour = PALETTE[at % len(PALETTE)]
                x, y = [str(row["quarter"]) for row in mine], [100 * row["share"] for row in mine]
                data.append(
                    line(f"{region}, {world}", x, y, at, "%") | {"line": {"color": colour, "width": 2.5, "dash": dash}}
                )
    if not data:
        return None
    names = sorted(dict.fromkeys(str(row["quarter"]) for row in rows))
    title = f"share of {wrap(stack)} [%]"
    return {
        "data": data,
        "layout": layout(height=360, xaxis=steps(names), yaxis=axis(title, range=[0, 100]), showlegend=True),
    }


def contest(result: RunResult) -> Figure | None:
    """What each lab spends and keeps, racing and together."""
    rows = rows_with(rows_of(result, "contest"), "spend_usd_per_yr", "profit_usd_per_yr")
    if not rows:
        return None
    names = list(dict.fromkeys(f"{row['lab']}, {row['world']}" for row in rows))
    factor, unit = scale_of([abs(row["spend_usd_per_yr"]) + abs(row["profit_usd_per_yr"]) for row in rows], "USD/yr")
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": words,
            "y": [wrap(name, 30) for name in names],
            "x": [row[column] * factor for row in rows],
            "text": [quantity(row[column], "USD/yr") if abs(row[column]) > 1 else "" for row in rows],
            "textposition": "auto",
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}, {words}: %{{x:,.3g}} {unit}<extra></extra>",
        }
        for column, words, colour in (
            ("spend_usd_per_yr", "spent on compute", ORANGE),
            ("profit_usd_per_yr", "kept", GREEN),
        )
    ]
    made = layout(
        height=120 + 34 * len(names),
        barmode="relative",
        xaxis=zero_axis(f"[{unit}]"),
        yaxis=names_axis(),
        showlegend=True,
    )
    return {"data": data, "layout": made}


def take(result: RunResult) -> Figure | None:
    """Share of the prize that is spent on compute, by what is changed: entrants, decisiveness, tokens for a dollar."""
    rows = rows_with(rows_of(result, "take"), "spent_share")
    columns = {"labs": "labs", "decisiveness": "decisiveness", "tokens per dollar": "tokens_per_dollar"}
    names = [f"{row['changed']} {number(row.get(columns.get(str(row['changed']), '')))}" for row in rows]
    order = list(dict.fromkeys(str(row["changed"]) for row in rows))
    colours = [PALETTE[order.index(str(row["changed"])) % len(PALETTE)] for row in rows]
    texts = [
        f"{quantity(r['spent_share'], 'share')}; {quantity(r.get('vendor_gross_profit_usd_per_yr'), 'USD/yr')} to the vendor"
        for r in rows
    ]
    made = bars(
        names, [row["spent_share"] for row in rows], colours, "of the prize, spent on compute", "share", texts=texts
    )
    if made is not None:
        made["layout"]["xaxis"]["range"] = [0, 100]
    return made


def labs(result: RunResult) -> Figure | None:
    """What a MW earns each lab on average, and what one more would, beside its rent."""
    rows = rows_with(rows_of(result, "labs"), "average_usd_per_mw_yr", "marginal_usd_per_mw_yr")
    if not rows:
        return None
    names = [wrap(f"{row['lab']} {row.get('date') or ''}".strip(), 30) for row in rows]
    data: list[dict[str, Any]] = []
    for column, words, colour in (
        ("average_usd_per_mw_yr", "average", GREY),
        ("marginal_usd_per_mw_yr", "one more MW", BLUE),
    ):
        values = [row[column] / 1e6 for row in rows]
        low, high = (
            [None if (v := value_of(r.get(f"{column}_{e}"))) is None else v / 1e6 for r in rows]
            for e in ("low", "high")
        )
        data.append(marks(names, values, words, colour, "M USD/MW/yr", low, high))
    shapes, said = [], []
    rent = _rent(result)
    if rent is not None:
        rule = {"color": RED, "width": 2, "dash": "dash"}
        shapes = [
            {"type": "line", "xref": "x", "yref": "paper", "x0": rent, "x1": rent, "y0": 0, "y1": 1, "line": rule}
        ]
        said = [
            note(f"rent {number(rent)}", rent, 1.0, xref="x", yanchor="top", xshift=5, font={"size": 12, "color": RED})
        ]
    made = layout(
        height=130 + 36 * len(names),
        xaxis=axis("revenue [M USD/MW/yr]", rangemode="tozero"),
        yaxis=names_axis(),
        showlegend=True,
    )
    return {"data": data, "layout": made | {"shapes": shapes, "annotations": said}}


def _rent(result: RunResult) -> float | None:
    """The rent of a MW in M USD a year, as the section's inputs give it (USD/W/s)."""
    for row in rows_of(result, "labs_inputs"):
        if (
            row.get("input") == "rent"
            and row.get("unit") == "USD/W/s"
            and (found := value_of(row.get("value"))) is not None
        ):
            return found * 8760 * 3600
    return None


def relet(result: RunResult) -> Figure | None:
    """Share of its life that each platform is let."""
    rows = rows_with(rows_of(result, "relet"), "utilisation")
    lows, highs = ([row.get(f"utilisation_{end}") for row in rows] for end in ("low", "high"))
    names = [str(row["platform"]) for row in rows]
    return bars(
        names, [row["utilisation"] for row in rows], BLUE, "let, of its life; whiskers P10 to P90", "share", lows, highs
    )


def resale(result: RunResult) -> Figure | None:
    """What a platform still earns by age, and what resale pays."""
    rows = rows_with(rows_of(result, "resale"), "age_years")
    data = []
    for at, name in enumerate(dict.fromkeys(str(row["platform"]) for row in rows)):
        mine = rows_with([row for row in rows if str(row["platform"]) == name], "earning_share")
        if mine:
            x, y = [row["age_years"] for row in mine], [100 * row["earning_share"] for row in mine]
            data.append(line(f"{name}, still to earn", x, y, at, "%", mode="lines+markers"))
    first = next((str(row["platform"]) for row in rows), "")
    sold = rows_with([row for row in rows if str(row["platform"]) == first], "resale_share")
    if sold:
        x, y = [row["age_years"] for row in sold], [100 * row["resale_share"] for row in sold]
        data.append(line("resale", x, y, 0, "%") | {"line": {"color": INK, "width": 2, "dash": "dash"}})
    if not data:
        return None
    y_axis = axis("of the price when new [%]", rangemode="tozero")
    return {"data": data, "layout": layout(height=360, xaxis=axis("age [yr]"), yaxis=y_axis, showlegend=True)}


def tokens(result: RunResult) -> Figure | None:
    """List prices of output tokens by the day of their release, on a scale of tens."""
    rows = [row for row in rows_with(rows_of(result, "tokens"), "output") if row["output"] > 0]
    if not rows:
        return None
    data = []
    for column, words, symbol, colour in (
        ("output", "list price", "circle", BLUE),
        ("realised", "received", "diamond-open", ORANGE),
    ):
        kept = [row for row in rows_with(rows, column) if row[column] > 0]
        if kept:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers+text" if column == "output" else "markers",
                    "name": words,
                    "x": [_day(str(row["as_of"])) for row in kept],
                    "y": [row[column] for row in kept],
                    "text": [wrap(str(row["model"])) for row in kept],
                    "textposition": "top center",
                    "textfont": {"size": 10},
                    "marker": {"size": 10, "color": colour, "symbol": symbol},
                    "hovertemplate": f"%{{text}}, {words}: %{{y:,.3g}} USD/Mtok<extra></extra>",
                }
            )
    ticks = [10.0**k for k in range(-3, 4)]
    y_axis = axis("output tokens [USD/Mtok]", type="log", tickvals=ticks, ticktext=[number(t, 1) for t in ticks])
    x_axis = {"type": "date", "gridcolor": LINE, "tickformat": "%b %Y", "automargin": True}
    return {"data": data, "layout": layout(height=420, xaxis=x_axis, yaxis=y_axis, showlegend=True)}


def _day(text: str) -> str:
    """A partial date as a day: its first."""
    return text + "-01-01" if len(text) == 4 else text + "-01" if len(text) == 7 else text


def ramp(result: RunResult) -> Figure | None:
    """GW a year that each input allows now and at the end, beside the target."""
    rows = rows_with(rows_of(result, "ramp"), "gw_per_year_now", "gw_per_year_at_end")
    if not rows:
        return None
    labels = [wrap(str(row["input"])) for row in rows]
    need = max(row["gw_per_year_now"] * (value_of(row.get("needed_multiple")) or 0.0) for row in rows)
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": words,
            "y": labels,
            "x": [row[column] for row in rows],
            "text": [number(float(row[column])) for row in rows],
            "textposition": "auto",
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}, {words}: %{{x:,.3g}} GW/yr<extra></extra>",
        }
        for column, words, colour in (
            ("gw_per_year_now", "now", GREY),
            ("gw_per_year_at_end", "at the end, as ordered and expanded", BLUE),
        )
    ]
    shapes, words = [], []
    if need > 0:
        rule = {"color": RED, "width": 2, "dash": "dash"}
        shapes.append(
            {"type": "line", "xref": "x", "yref": "paper", "x0": need, "x1": need, "y0": 0, "y1": 1, "line": rule}
        )
        words.append(
            note(
                f"target {quantity(need, 'GW/yr')}",
                need,
                1.0,
                xref="x",
                xanchor="right",
                yanchor="top",
                xshift=-6,
                font={"size": 12, "color": RED},
            )
        )
    made = layout(
        height=120 + 52 * len(rows), barmode="group", xaxis=axis("allows [GW/yr]"), yaxis=names_axis(), showlegend=True
    )
    return {"data": data, "layout": made | {"shapes": shapes, "annotations": words}}


WORLDS: Mapping[str, Any] = {
    "ramp": ramp,
    "ban": ban,
    "loop": loop,
    "contest": contest,
    "take": take,
    "labs": labs,
    "relet": relet,
    "resale": resale,
    "tokens": tokens,
}
