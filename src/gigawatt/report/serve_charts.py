"""Charts of serving: the front of interactivity against throughput a chip and a MW, where a token's time goes, KV room.

One colour a platform; full dots meet the SLO. Measured points of the same model, chip and lengths are crosses, with layout,
engine and source in the hover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.physics.serving.search.space import SPENT
from gigawatt.report.chart_parts import axis, band, rows_with
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import INK, PALETTE, Figure, layout, wrap
from gigawatt.study.result import RunResult

Rows = Sequence[dict[str, Any]]
PARTS_IN_WORDS = {
    "host": "host",
    "launches": "kernel launches",
    "dense": "dense weights",
    "experts": "experts",
    "attention": "attention and cache",
    "collectives": "messages",
    "stall": "prompts of others",
}


def front_chart(result: RunResult) -> Figure | None:
    """Output tokens/s a chip against tokens/s that a user sees."""
    return _front(
        result, "pareto", "tokens_out_per_s_per_chip", ("low", "high"), "output [tokens/s/chip]", measured=True
    )


def front_mw_chart(result: RunResult) -> Figure | None:
    """The same a MW at the meter."""
    ends = ("tokens_out_per_s_per_mw_low", "tokens_out_per_s_per_mw_high")
    return _front(result, "pareto_mw", "tokens_out_per_s_per_mw", ends, "output [tokens/s/MW at the meter]")


def _front(
    result: RunResult, table: str, column: str, ends: tuple[str, str], title: str, measured: bool = False
) -> Figure | None:
    rows = rows_with(rows_of(result, table), "interactivity", column)
    platforms = list(dict.fromkeys(row["platform"] for row in rows))
    data: list[dict[str, Any]] = []
    for order, platform in enumerate(platforms):
        mine = sorted((r for r in rows if r["platform"] == platform), key=lambda r: r["interactivity"])
        data += _line(platform, mine, column, ends, order)
    if measured:
        data += _crosses(result, platforms)
    if not data:
        return None
    return {
        "data": data,
        "layout": layout(
            height=430,
            showlegend=True,
            margin={"l": 70, "r": 24, "t": 60, "b": 60},
            xaxis=axis("what a user sees, 1/TPOT [tokens/s]", type="log"),
            yaxis=axis(title, rangemode="tozero"),
        ),
    }


def _line(name: str, rows: Rows, column: str, ends: tuple[str, str], order: int) -> list[dict[str, Any]]:
    colour = PALETTE[order % len(PALETTE)]
    xs = [row["interactivity"] for row in rows]
    shade = band(xs, [row[ends[0]] for row in rows], [row[ends[1]] for row in rows], colour, legendgroup=name)
    told = [
        f"{row['mapping']} {row['precision']} {row['engine']} {row['mode']}<br>{row['users']:,.0f} at once, "
        f"TPOT {row['tpot_ms']:.3g} ms, TTFT p99 {row['ttft_p99_ms']:,.0f} ms<br>{row[column]:,.4g} "
        f"({row[ends[0]]:,.4g} to {row[ends[1]]:,.4g})<br>{wrap(row['bound'], 60)}"
        for row in rows
    ]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": wrap(name, 60),
        "legendgroup": name,
        "x": xs,
        "y": [row[column] for row in rows],
        "line": {"color": colour, "width": 2.5},
        "marker": {
            "size": 8,
            "color": [colour if row["meets_slo"] else "#ffffff" for row in rows],
            "line": {"color": colour, "width": 2},
        },
        "text": told,
        "hovertemplate": f"{wrap(name, 60)}<br>%{{text}}<extra></extra>",
    }
    return [*shade, line]


def _crosses(result: RunResult, platforms: Sequence[str]) -> list[dict[str, Any]]:
    points = rows_with(rows_of(result, "measured"), "interactivity", "tokens_out_per_s_per_chip")
    out = []
    for platform in dict.fromkeys(point["platform"] for point in points):
        mine = [point for point in points if point["platform"] == platform]
        colour = PALETTE[platforms.index(platform) % len(PALETTE)] if platform in platforms else INK
        out.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": wrap(f"measured, {platform}", 60),
                "x": [point["interactivity"] for point in mine],
                "y": [point["tokens_out_per_s_per_chip"] for point in mine],
                "marker": {"symbol": "x-thin", "size": 8, "line": {"color": colour, "width": 2}},
                "text": [
                    f"{p['mapping']} {p['precision']} {p['engine']} {p['version']}, {p['concurrency']:,.0f} at once"
                    f"<br>{wrap(p['source'], 60)}"
                    for p in mine
                ],
                "hovertemplate": "measured: %{text}<extra></extra>",
            }
        )
    return out


def spent_chart(result: RunResult) -> Figure | None:
    """Where the time between two tokens goes, point by point of the front."""
    rows = rows_of(result, "pareto")
    if not rows:
        return None
    names = _names(rows)
    data = [
        {
            "type": "bar",
            "name": PARTS_IN_WORDS[part],
            "x": names,
            "y": [row[f"{part}_ms"] for row in rows],
            "marker": {"color": PALETTE[at % len(PALETTE)]},
            "hovertemplate": f"%{{x}}<br>{PARTS_IN_WORDS[part]}: %{{y:.3g}} ms<extra></extra>",
        }
        for at, part in enumerate(SPENT)
        if any(row[f"{part}_ms"] > 1e-6 for row in rows)
    ]
    ground = layout(
        height=460,
        showlegend=True,
        margin={"l": 70, "r": 24, "t": 60, "b": 150},
        xaxis={"type": "category", "tickangle": -40, "automargin": True},
        yaxis=axis("mean time between two tokens [ms]"),
    )
    return {"data": data, "layout": {**ground, "barmode": "stack"}}


def room_chart(result: RunResult) -> Figure | None:
    """How full the cache is, point by point of the front."""
    rows = rows_of(result, "pareto")
    if not rows:
        return None
    data = [
        {
            "type": "bar",
            "x": _names(rows),
            "y": [100.0 * row["kv_share"] for row in rows],
            "marker": {"color": PALETTE[0]},
            "hovertemplate": "%{x}: %{y:.3g} %<extra></extra>",
        }
    ]
    ground = layout(
        height=320,
        margin={"l": 70, "r": 24, "t": 20, "b": 150},
        xaxis={"type": "category", "tickangle": -40, "automargin": True},
        yaxis=axis("KV cache in use [%]", range=[0, 100]),
    )
    return {"data": data, "layout": ground}


def _names(rows: Rows) -> list[str]:
    """One name a point: layout and requests at once, with the platform where there are several."""
    several = len({row["platform"] for row in rows}) > 1
    out: list[str] = []
    for row in rows:
        words = [row["platform"]] if several else []
        words += [row["mapping"].replace(" prefill + ", "+").replace(" decode", ""), f"{row['users']:,.0f}"]
        name = ", ".join(words)
        out.append(name if name not in out else f"{name} ({row['precision']} {row['engine']})")
    return out


SERVE_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "pareto": front_chart,
    "pareto_mw": front_mw_chart,
    "spent": spent_chart,
    "room": room_chart,
}
