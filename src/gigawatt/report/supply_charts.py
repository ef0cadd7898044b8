"""Where the watts come from, by month."""

from __future__ import annotations

from gigawatt.report.chart_parts import axis
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import GREY, INK, PALETTE, Figure, layout
from gigawatt.study.result import RunResult


def supply_months(result: RunResult) -> Figure | None:
    """GWh by month, stacked by source; what batteries take is below the line, what was not served in grey."""
    rows = rows_of(result, "site_supply_months")
    if not rows:
        return None
    months = list(dict.fromkeys(str(row["month"]) for row in rows))
    data = []
    for at, name in enumerate(dict.fromkeys(str(row["source"]) for row in rows)):
        mine = {str(row["month"]): (row["mwh"] or 0.0) / 1e3 for row in rows if row["source"] == name}
        if not any(mine.values()):
            continue
        missing = name == "not served"
        data.append(
            {
                "type": "bar",
                "name": name,
                "x": months,
                "y": [mine.get(month, 0.0) for month in months],
                "marker": {"color": GREY if missing else PALETTE[at % len(PALETTE)]},
                "hovertemplate": "%{x}, " + name + ": %{y:,.3g} GWh<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=360,
            barmode="relative",
            xaxis={"type": "category", "automargin": True},
            yaxis=axis("GWh", zeroline=True, zerolinecolor=INK),
            showlegend=True,
        ),
    }
