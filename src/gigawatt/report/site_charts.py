"""Charts of provisioning: GPUs per MW by policy, the gain of measured power beside published claims, kW per GPU by part."""

from __future__ import annotations

from gigawatt.report.chart_parts import axis, names_axis, rows_with, whiskers
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, INK, ORANGE, PALETTE, RED, Figure, layout, wrap
from gigawatt.study.result import RunResult

PARTS = ("chip", "host", "network", "fans", "supplies", "facility")


def provisioning_bars(result: RunResult) -> Figure | None:
    """GPUs per MW that each policy's own plan holds; the policy of the run stands out."""
    rows = rows_with(rows_of(result, "provisioning"), "gpus_per_mw")
    if not rows:
        return None
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [wrap(str(row["policy"])) for row in rows],
                "x": [row["gpus_per_mw"] for row in rows],
                "text": [f"{number(row['gpus_per_mw'])} GPUs, {quantity(row['value_usd'], 'USD')}" for row in rows],
                "textposition": "auto",
                "insidetextanchor": "end",
                "marker": {"color": [BLUE if row["chosen"] else GREY for row in rows]},
                "hovertemplate": "%{y}: %{text}<extra></extra>",
            }
        ],
        "layout": layout(height=100 + 40 * len(rows), xaxis=axis("GPUs per MW set aside"), yaxis=names_axis()),
    }


def gain_whiskers(result: RunResult) -> Figure | None:
    """Gain over the rating of steered racks by platform and load, P10 to P90, with the published gains as lines."""
    rows = rows_with(rows_of(result, "provisioning_gain"), "dynamic", "dynamic_low", "dynamic_high")
    if not rows:
        return None
    names = [wrap(f"{row['platform']}: {row['load']}", 44) for row in rows]
    percent = [100 * row["dynamic"] for row in rows]
    ends = [[100 * row[f"dynamic_{end}"] for row in rows] for end in ("low", "high")]
    claims = rows_with(rows_of(result, "provisioning_claims"), "published")
    marks = [
        {
            "type": "line",
            "x0": 100 * row["published"],
            "x1": 100 * row["published"],
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": INK, "width": 1.5, "dash": "dash"},
        }
        for row in claims
    ]
    words = [
        {
            "x": 100 * row["published"],
            "y": 1.0,
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "text": f"+{number(100 * row['published'])} % {str(row['claim']).partition(':')[0]}",
        }
        for row in claims
    ]
    planning = {
        "type": "scatter",
        "mode": "markers",
        "name": "by the planning figure",
        "y": names,
        "x": [100 * row["planning"] for row in rows],
        "marker": {"symbol": "line-ns-open", "size": 14, "color": ORANGE, "line": {"width": 3}},
        "hovertemplate": "%{y}, planning: %{x:.0f} %<extra></extra>",
    }
    steered = {
        "type": "scatter",
        "mode": "markers",
        "name": "steered, P10 to P90",
        "y": names,
        "x": percent,
        "error_x": whiskers(percent, ends[0], ends[1]),
        "marker": {"size": 10, "color": [RED if row["verdict"] == "fails" else BLUE for row in rows]},
        "hovertemplate": "%{y}: %{x:.0f} %<extra></extra>",
    }
    return {
        "data": [planning, steered],
        "layout": layout(
            height=150 + 34 * len(rows),
            xaxis=axis(
                "GPUs in the same power over those by the rating [+%]; red: hardly more than by the planning figure"
            ),
            yaxis=names_axis(),
            shapes=marks,
            annotations=words,
            showlegend=True,
        ),
    }


def kw_bars(result: RunResult) -> Figure | None:
    """All-in kW for each GPU, stacked by part, with the published figure as a mark."""
    rows = rows_with(rows_of(result, "kw_per_gpu"), "total")
    if not rows:
        return None
    names = [wrap(str(row["platform"])) for row in rows]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": part,
            "y": names,
            "x": [row[part] for row in rows],
            "marker": {"color": PALETTE[at % len(PALETTE)]},
            "hovertemplate": "%{y}, " + part + ": %{x:.3f} kW<extra></extra>",
        }
        for at, part in enumerate(PARTS)
    ]
    told = rows_with(rows, "published")
    if told:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "published",
                "y": [wrap(str(row["platform"])) for row in told],
                "x": [row["published"] for row in told],
                "marker": {"symbol": "diamond", "size": 11, "color": INK},
                "hovertemplate": "%{y}, published: %{x:.2f} kW<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=120 + 40 * len(rows),
            barmode="stack",
            xaxis=axis("kW per GPU at the meter, all parts at full load"),
            yaxis=names_axis(),
            showlegend=True,
        ),
    }


__all__ = ["gain_whiskers", "kw_bars", "provisioning_bars"]
