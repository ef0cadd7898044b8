"""Chart of tasks of machines: seconds on board and by a site, on a scale of tens, beside each task's deadline."""

from __future__ import annotations

import math

from gigawatt.report.chart_parts import axis, marks, names_axis, rows_with
from gigawatt.report.numbers import number
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, ORANGE, RED, Figure, layout
from gigawatt.study.result import RunResult


def edge_places(result: RunResult) -> Figure | None:
    """A row for each task over each link: a mark on board, one by the site, a bar at the deadline."""
    rows = rows_with(rows_of(result, "edge_places"), "on_board_ms", "by_site_ms", "deadline_ms")
    if not rows:
        return None
    names = [f"{row['task']} over {row['link']}" for row in rows]
    data = []
    for column, words, colour in (("on_board_ms", "on board", BLUE), ("by_site_ms", "by the site", ORANGE)):
        values = [row[column] for row in rows]
        low, high = ([row.get(f"{column}_{end}") for row in rows] for end in ("low", "high"))
        data.append(marks(names, values, words, colour, "ms", low, high, size=10))
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "deadline",
            "y": names,
            "x": [row["deadline_ms"] for row in rows],
            "marker": {"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": RED}},
            "hovertemplate": "%{y}, deadline: %{x:,.3g} ms<extra></extra>",
        }
    )
    ticks = [10.0**k for k in range(-2, 5)]
    seen = [row[name] for row in rows for name in ("on_board_ms", "by_site_ms", "deadline_ms")]
    span = [math.log10(min(seen)) - 0.7, math.log10(max(seen)) + 0.6]
    x = axis(
        "from observation to action [ms]",
        type="log",
        tickvals=ticks,
        ticktext=[number(t, 1) for t in ticks],
        range=span,
    )
    return {"data": data, "layout": layout(height=130 + 32 * len(names), xaxis=x, yaxis=names_axis(), showlegend=True)}


EDGE = {"edge_places": edge_places}
