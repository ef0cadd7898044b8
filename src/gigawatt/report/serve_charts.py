"""Charts of serving: the front of interactivity against throughput a chip and a MW, where a token's time goes, KV room.

One colour a platform; full dots meet the SLO. Measured points of the same model, chip and lengths are crosses, with layout,
engine and source in the hover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gigawatt.physics.serving.search.spent import SPENT
from gigawatt.report.chart_parts import axis, band, note, panel_axes, rows_with
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import INK, PALETTE, Figure, layout, wrap
from gigawatt.study.result import RunResult

TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
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
            xaxis=_seen(),
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
    """Where the time between two tokens goes along the front, a panel a platform."""
    rows = rows_of(result, "pareto")
    if not rows:
        return None
    platforms = list(dict.fromkeys(row["platform"] for row in rows))
    shown = [part for part in SPENT if any(row[f"{part}_ms"] > 1e-6 for row in rows)]
    across = min(len(platforms), 3)
    data: list[dict[str, Any]] = []
    made: dict[str, Any] = {"annotations": []}
    for number, x, y, platform in _panels(platforms, across):
        mine = [row for row in rows if row["platform"] == platform]
        made[f"xaxis{number}"] = axis(
            "a user [tokens/s]", domain=x, anchor=f"y{number}", type="category", tickangle=-60
        )
        made[f"yaxis{number}"] = axis("between two tokens [ms]" if x[0] == 0 else "", domain=y, anchor=f"x{number}")
        made["annotations"].append(note(f"<b>{wrap(platform, 40)}</b>", x[0], y[1]))
        data += [
            {
                "type": "bar",
                "name": PARTS_IN_WORDS[part],
                "legendgroup": part,
                "showlegend": number == "",
                "x": [f"{row['interactivity']:.3g}" for row in mine],
                "y": [row[f"{part}_ms"] for row in mine],
                "marker": {"color": PALETTE[at % len(PALETTE)]},
                "text": [f"{row['mapping']} {row['precision']}, {row['users']:,.0f} at once" for row in mine],
                "textposition": "none",
                "hovertemplate": f"%{{text}}<br>{PARTS_IN_WORDS[part]}: %{{y:.3g}} ms<extra></extra>",
                "xaxis": f"x{number}",
                "yaxis": f"y{number}",
            }
            for at, part in enumerate(shown)
        ]
    high = 100 + 260 * -(-len(platforms) // across)
    ground = layout(height=high, showlegend=True, margin={"l": 60, "r": 24, "t": 70, "b": 60}, **made)
    ground["legend"] = {**ground["legend"], "y": 1 + 30 / high}
    return {"data": data, "layout": {**ground, "barmode": "stack"}}


def _panels(names: Sequence[str], across: int) -> Iterator[tuple[str, list[float], list[float], str]]:
    for (number, x, y), name in zip(panel_axes(len(names), across), names, strict=True):
        yield number, x, y, name


def room_chart(result: RunResult) -> Figure | None:
    """How full the cache is along the front."""
    rows = rows_of(result, "pareto")
    if not rows:
        return None
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": wrap(platform, 60),
            "x": [row["interactivity"] for row in rows if row["platform"] == platform],
            "y": [100.0 * row["kv_share"] for row in rows if row["platform"] == platform],
            "line": {"color": PALETTE[order % len(PALETTE)], "width": 2.5},
            "text": [
                f"{row['mapping']} {row['precision']}, {row['users']:,.0f} at once"
                for row in rows
                if row["platform"] == platform
            ],
            "hovertemplate": f"{wrap(platform, 60)}<br>%{{text}}: %{{y:.3g}} %<extra></extra>",
        }
        for order, platform in enumerate(dict.fromkeys(row["platform"] for row in rows))
    ]
    ground = layout(
        height=320,
        showlegend=len(data) > 1,
        margin={"l": 70, "r": 24, "t": 50, "b": 60},
        xaxis=_seen(),
        yaxis=axis("KV cache in use [%]", range=[0, 100]),
    )
    return {"data": data, "layout": ground}


def _seen() -> dict[str, Any]:
    """The axis of what a user sees."""
    return axis("a user, 1/TPOT [tokens/s]", type="log", tickvals=TICKS, ticktext=[f"{tick:,}" for tick in TICKS])


def service_chart(result: RunResult) -> Figure | None:
    """The rate of a service against its latency, a line a platform with its band."""
    rows = rows_with(rows_of(result, "pareto"), "latency_ms", "units_per_s_per_chip")
    if not rows:
        return None
    data: list[dict[str, Any]] = []
    for order, platform in enumerate(dict.fromkeys(row["platform"] for row in rows)):
        mine = [row for row in rows if row["platform"] == platform]
        colour = PALETTE[order % len(PALETTE)]
        xs = [row["latency_ms"] / 1e3 for row in mine]
        data += band(xs, [row["low"] for row in mine], [row["high"] for row in mine], colour, legendgroup=platform)
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": wrap(platform, 60),
                "legendgroup": platform,
                "x": xs,
                "y": [row["units_per_s_per_chip"] for row in mine],
                "line": {"color": colour, "width": 2.5},
                "text": [
                    f"a batch of {row['batch']:,.4g} in {row['precision']}<br>{wrap(row['bound'], 60)}" for row in mine
                ],
                "hovertemplate": f"{wrap(platform, 60)}<br>%{{text}}<br>%{{x:.3g}} s, %{{y:.4g}}<extra></extra>",
            }
        )
    unit = str(result.manifest.get("unit") or "unit")
    ground = layout(
        height=400,
        showlegend=True,
        margin={"l": 70, "r": 24, "t": 60, "b": 60},
        xaxis=axis("latency [s]", type="log"),
        yaxis=axis(f"a chip [{unit}/s]", rangemode="tozero"),
    )
    return {"data": data, "layout": ground}


def simulated_chart(result: RunResult) -> Figure | None:
    """Share of requests by the time to their first token."""
    return _shares(result, "ttft_ms", "time to the first token [ms]")


def simulated_tpot_chart(result: RunResult) -> Figure | None:
    """Share of requests by their mean time between tokens."""
    return _shares(result, "tpot_ms", "time between tokens [ms]")


def _shares(result: RunResult, column: str, title: str) -> Figure | None:
    rows = rows_with(rows_of(result, "simulated"), f"{column}_low", f"{column}_high")
    if not rows:
        return None
    shares = [row["percentile"] for row in rows]
    shade = band(shares, [row[f"{column}_low"] for row in rows], [row[f"{column}_high"] for row in rows], PALETTE[0])
    known = rows_with(rows, column)
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [row["percentile"] for row in known],
        "y": [row[column] for row in known],
        "line": {"color": PALETTE[0], "width": 2.5},
        "hovertemplate": "%{x} % of requests: %{y:,.4g} ms<extra></extra>",
    }
    ground = layout(
        height=330,
        margin={"l": 70, "r": 24, "t": 20, "b": 60},
        xaxis=axis("share of requests that are faster [%]"),
        yaxis=axis(title, type="log", dtick=1),
    )
    return {"data": [*shade, line], "layout": ground}


SERVICE_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {"pareto": service_chart}
SERVE_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "pareto": front_chart,
    "pareto_mw": front_mw_chart,
    "spent": spent_chart,
    "room": room_chart,
    "simulated": simulated_chart,
    "simulated_tpot": simulated_tpot_chart,
}
