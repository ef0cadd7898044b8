"""Charts of architecture drift: what a site is worth by the chance of change, and what having the focal platforms adds."""

from __future__ import annotations

from gigawatt.report.chart_parts import axis, band, line, note, rows_with, scale_of, value_of
from gigawatt.report.numbers import number
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, RED, Figure, layout
from gigawatt.study.result import RunResult

LINES = (
    ("flexibility_usd_per_yr", "having the focal platforms on the menu"),
    ("all_usd_per_yr", "all on offer"),
    ("without_usd_per_yr", "all but the focal platforms"),
    ("alone_usd_per_yr", "the focal platforms alone"),
)


def drift(result: RunResult) -> Figure | None:
    """Worth by the chance of change, with the chance at which the lead turns."""
    rows = rows_with(rows_of(result, "drift"), "chance")
    if not rows:
        return None
    factor, unit = scale_of([row.get(name) for row in rows for name, _ in LINES], "USD/yr")
    drawn = rows_with(rows, "flexibility_usd_per_yr_low", "flexibility_usd_per_yr_high")
    low, high = ([row[f"flexibility_usd_per_yr_{end}"] * factor for row in drawn] for end in ("low", "high"))
    data = band([100 * row["chance"] for row in drawn], low, high, BLUE)
    for at, (name, words) in enumerate(LINES):
        kept = rows_with(rows, name)
        if kept:
            x, y = [100 * row["chance"] for row in kept], [row[name] * factor for row in kept]
            data.append(line(words, x, y, at, unit))
    shapes, said = [], []
    turn = next((value_of(row.get("value")) for row in rows_of(result, "drift_turn")
                 if row.get("measure") == "break-even chance"), None)  # fmt: skip
    if turn is not None:
        x0 = 100 * turn
        rule = {"color": RED, "width": 2, "dash": "dash"}
        shapes = [{"type": "line", "xref": "x", "yref": "paper", "x0": x0, "x1": x0, "y0": 0, "y1": 1, "line": rule}]
        place = {"xref": "x", "yanchor": "top", "xshift": 5, "font": {"size": 12, "color": RED}}
        said = [note(f"the lead turns at {number(x0)} %", x0, 1.0, **place)]
    made = layout(
        height=400,
        xaxis=axis("chance that the architecture has changed [%]"),
        yaxis=axis(f"worth [{unit}]", rangemode="tozero"),
        showlegend=True,
    )
    return {"data": data, "layout": made | {"shapes": shapes, "annotations": said}}


DRIFT_CHARTS = {"drift": drift}
