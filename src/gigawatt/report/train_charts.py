"""Charts of training: speed against energy, where a step goes, memory by kind against the chip, the pipeline's timeline.

One colour a platform in fronts, one a part in steps and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.report.chart_parts import axis, band, names_axis, rows_with
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import INK, PALETTE, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

Rows = Sequence[dict[str, Any]]


def front_chart(result: RunResult) -> Figure | None:
    """Tokens/s of a chip against the joules of a token; the best of each platform is a star."""
    rows = rows_with(rows_of(result, "pareto"), "tokens_per_s_per_chip", "joules_per_token")
    if not rows:
        return None
    data: list[dict[str, Any]] = []
    for order, platform in enumerate(dict.fromkeys(row["platform"] for row in rows)):
        mine = sorted((r for r in rows if r["platform"] == platform), key=lambda r: r["joules_per_token"])
        colour = PALETTE[order % len(PALETTE)]
        xs = [row["joules_per_token"] for row in mine]
        lows, highs = [row["low"] for row in mine], [row["high"] for row in mine]
        data += band(xs, lows, highs, colour, legendgroup=platform) if len(mine) > 1 else []
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": wrap(platform, 60),
                "legendgroup": platform,
                "x": xs,
                "y": [row["tokens_per_s_per_chip"] for row in mine],
                "line": {"color": colour, "width": 2.5},
                "marker": {"size": 9},
                "text": [_told(row) for row in mine],
                "hovertemplate": f"{wrap(platform, 60)}<br>%{{text}}<extra></extra>",
            }
        )
        best = [row for row in rows_of(result, "platforms") if row["platform"] == platform]
        data += [_star(row, colour) for row in best]
    unit = "meter" if any(row["meter_w_per_chip"] for row in rows) else "chips alone"
    ground = layout(
        height=430,
        showlegend=True,
        margin={"l": 70, "r": 24, "t": 60, "b": 60},
        xaxis=axis(f"a token, {unit} [J]"),
        yaxis=axis("a GPU [tokens/s]", rangemode="tozero"),
    )
    return {"data": data, "layout": ground}


def _told(row: dict[str, Any]) -> str:
    return (
        f"{row['mapping']}<br>{row['precision']}, mode {row['mode']}<br>step {row['step_s']:.3g} s, MFU {row['mfu']:.0%}<br>"
        f"{row['tokens_per_s_per_chip']:,.4g} tokens/s a GPU ({row['low']:,.4g} to {row['high']:,.4g})<br>"
        f"{row['joules_per_token']:,.3g} J a token<br>bound by {wrap(row['bound'], 60)}"
    )


def _star(row: dict[str, Any], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": wrap(f"best of {row['platform']}", 60),
        "legendgroup": row["platform"],
        "showlegend": False,
        "x": [row["joules_per_token"]],
        "y": [row["tokens_per_s_per_chip"]],
        "marker": {"symbol": "star", "size": 15, "color": colour, "line": {"color": INK, "width": 1}},
        "text": [_told(row)],
        "hovertemplate": "best: %{text}<extra></extra>",
    }


def time_chart(result: RunResult) -> Figure | None:
    """Where a step goes: a bar a platform, stacked by part."""
    return _stacked(result, "time", "part", "seconds", "a step [s]", "s")


def memory_chart(result: RunResult) -> Figure | None:
    """Memory of a chip by kind, with what the chip has as a line."""
    made = _stacked(result, "memory", "kind", "gb", "a chip [GB]", "GB")
    if made is None:
        return None
    has = {row["platform"]: row["has_gb"] for row in rows_of(result, "memory")}
    names = list(has)
    made["layout"]["shapes"] = [
        {
            "type": "line",
            "xref": "x",
            "yref": "y",
            "x0": has[name],
            "x1": has[name],
            "y0": at - 0.42,
            "y1": at + 0.42,
            "line": {"color": INK, "width": 2.5},
        }
        for at, name in enumerate(names)
    ]
    made["layout"]["xaxis"]["range"] = [0, 1.06 * max(has.values())]
    return made


def _colour(at: int) -> str:
    """A colour for each part; those after the palette's last are its own, paler."""
    colour = PALETTE[at % len(PALETTE)]
    return colour if at < len(PALETTE) else fade(colour, 0.45)


def _stacked(result: RunResult, table: str, words: str, value: str, title: str, unit: str) -> Figure | None:
    rows = [row for row in rows_of(result, table) if row.get(value)]
    if not rows:
        return None
    platforms = list(dict.fromkeys(row["platform"] for row in rows))
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": wrap(part, 60),
            "y": [wrap(row["platform"], 34) for row in rows if row[words] == part],
            "x": [row[value] for row in rows if row[words] == part],
            "marker": {"color": _colour(at)},
            "hovertemplate": f"%{{y}}<br>{wrap(part, 60)}: %{{x:.3g}} {unit}<extra></extra>",
        }
        for at, part in enumerate(dict.fromkeys(row[words] for row in rows))
    ]
    ground = layout(
        height=150 + 46 * len(platforms),
        showlegend=True,
        margin={"l": 10, "r": 24, "t": 80, "b": 50},
        xaxis=axis(title),
        yaxis=names_axis(),
    )
    return {"data": data, "layout": {**ground, "barmode": "stack"}}


def schedule_chart(result: RunResult) -> Figure | None:
    """The pipeline of the best mapping over time: a line a stage, colours by pass, lighter by chunk."""
    rows = [row for row in rows_of(result, "schedule") if "work" in row]
    if not rows:
        return None
    passes = list(dict.fromkeys(row["work"] for row in rows))
    data = []
    for at, work in enumerate(passes):
        mine = [row for row in rows if row["work"] == work]
        chunks = max(row["chunk"] for row in rows) + 1
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": wrap(work, 60),
                "y": [row["rank"] for row in mine],
                "base": [row["start_s"] for row in mine],
                "x": [row["end_s"] - row["start_s"] for row in mine],
                "marker": {
                    "color": [fade(PALETTE[at % len(PALETTE)], 1.0 - 0.6 * row["chunk"] / chunks) for row in mine],
                    "line": {"color": "#ffffff", "width": 0.5},
                },
                "text": [f"{row['micro_batch'] + 1}, chunk {row['chunk'] + 1}" for row in mine],
                "textposition": "none",
                "hovertemplate": f"stage %{{y}}<br>{wrap(work, 60)} of micro-batch %{{text}}<br>%{{base:.4g}} s<extra></extra>",
            }
        )
    ranks = max(row["rank"] for row in rows) + 1
    ground = layout(
        height=140 + 22 * ranks,
        showlegend=True,
        margin={"l": 60, "r": 24, "t": 60, "b": 50},
        xaxis=axis("of a step [s]"),
        yaxis={
            "title": {"text": "stage"},
            "autorange": "reversed",
            "dtick": 1 if ranks <= 16 else 4,
            "automargin": True,
        },
    )
    return {"data": data, "layout": {**ground, "barmode": "overlay", "bargap": 0.15}}


TRAIN_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "pareto": front_chart,
    "time": time_chart,
    "memory": memory_chart,
    "schedule": schedule_chart,
}
