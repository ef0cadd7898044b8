"""The building over a year: PUE and water by month, watts by hour and stage of a typical and of the hottest day."""

from __future__ import annotations

from gigawatt.report.chart_parts import axis
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, YELLOW, Figure, layout
from gigawatt.study.result import RunResult

# From the racks outwards, as the watts add up.
COLOURS = {
    "IT": GREY,
    "distribution loss": YELLOW,
    "UPS loss": ORANGE,
    "fans": SKY,
    "pumps": BLUE,
    "chillers": RED,
    "house load": PINK,
    "transformer loss": GREEN,
}


def pue_months(result: RunResult) -> Figure | None:
    """PUE by month as bars above one, litres for each kWh as a line where water is taken."""
    rows = rows_of(result, "site_months")
    if not rows:
        return None
    months = [str(row["month"]) for row in rows]
    above = [row["pue"] - 1.0 for row in rows]
    data = [
        {
            "type": "bar",
            "name": "PUE",
            "x": months,
            "y": above,
            "base": [1.0] * len(rows),
            "marker": {"color": BLUE},
            "customdata": [row["pue"] for row in rows],
            "hovertemplate": "%{x}: PUE %{customdata:.3f}<extra></extra>",
        }
    ]
    wet = any(row["wue"] for row in rows)
    more = {}
    if wet:
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "water",
                "x": months,
                "y": [row["wue"] for row in rows],
                "yaxis": "y2",
                "line": {"color": GREEN, "width": 2.5},
                "hovertemplate": "%{x}: %{y:.2f} L/kWh<extra></extra>",
            }
        )
        more["yaxis2"] = axis("L/kWh of IT", overlaying="y", side="right", rangemode="tozero", showgrid=False)
    return {
        "data": data,
        "layout": layout(
            height=320,
            xaxis={"type": "category", "automargin": True},
            yaxis=axis("PUE", range=[1.0, 1.0 + 1.25 * max(above)]),
            showlegend=wet,
            **more,
        ),
    }


def stage_hours(result: RunResult) -> Figure | None:
    """MW by hour, stacked by stage, two days side by side; from the least IT upwards, so that the losses can be seen."""
    rows = rows_of(result, "site_hours")
    if not rows:
        return None
    days = list(dict.fromkeys(str(row["day"]) for row in rows))
    data, titles = [], []
    for at, day in enumerate(days):
        mine = [row for row in rows if row["day"] == day]
        suffix = "" if at == 0 else str(at + 1)
        for stage, colour in COLOURS.items():
            data.append(
                {
                    "type": "bar",
                    "name": stage,
                    "legendgroup": stage,
                    "showlegend": at == 0,
                    "x": [row["hour"] for row in mine],
                    "y": [row[f"{stage} MW"] for row in mine],
                    "xaxis": f"x{suffix}",
                    "yaxis": "y",
                    "marker": {"color": colour},
                    "hovertemplate": "%{x}:00, " + stage + ": %{y:,.4g} MW<extra></extra>",
                }
            )
        titles.append(
            {
                "text": f"{day} day, {mine[0]['date']}: {min(r['dry_bulb'] for r in mine):.0f} to "
                f"{max(r['dry_bulb'] for r in mine):.0f} C",
                "x": (at + 0.5) / len(days),
                "y": 1.0,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
    floor = 0.97 * min(row["IT MW"] for row in rows)
    most = max(row["meter_mw"] for row in rows)
    gap, width = 0.04, 1.0 / len(days)
    axes = {
        f"xaxis{'' if at == 0 else at + 1}": {
            "domain": [at * width + (gap / 2 if at else 0), (at + 1) * width - (gap / 2 if at + 1 < len(days) else 0)],
            "dtick": 6,
            "ticksuffix": ":00",
            "showgrid": False,
            "automargin": True,
        }
        for at in range(len(days))
    }
    made = layout(
        height=380, barmode="stack", yaxis=axis("MW", range=[floor, most * 1.01]), showlegend=True, bargap=0.05, **axes
    )
    return {"data": data, "layout": made | {"annotations": titles, "legend": {**made["legend"], "y": 1.1}}}
