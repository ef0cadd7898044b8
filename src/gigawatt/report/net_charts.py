"""Charts of a network: bus bandwidth against size with its band and published points, bandwidth against chips, sites.

One line a network or algorithm, a panel of its own for each collective and number of chips where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.report.chart_parts import DASHES, axis, band, value_of
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import INK, MUTED, PALETTE, Figure, layout, wrap
from gigawatt.study.net.answer import words_of_kind
from gigawatt.study.net.tables import series_name, size_words
from gigawatt.study.result import RunResult

Rows = Sequence[dict[str, Any]]
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star")
MOST_PANELS = 9
HIGH = 340  # of a panel, in pixels
TICKS = [float(2**power) for power in range(0, 45, 5)]


def busbw_chart(result: RunResult) -> Figure | None:
    """Bus bandwidth against size; against the number of chips where there is one size and several of those."""
    rows = rows_of(result, "rows")
    sizes, chips = {row["nbytes"] for row in rows}, {row["n"] for row in rows}
    if len(sizes) < 2 and len(chips) < 2:
        return None
    by_chips = len(sizes) < 2 or (len(chips) > len(sizes) and len(sizes) <= 2)
    x, panel = ("n", "size") if by_chips else ("nbytes", "n")
    keys = list(dict.fromkeys((row["collective"], row[panel]) for row in rows))[:MOST_PANELS]
    across = 1 if len(keys) == 1 else 2
    down = -(-len(keys) // across)
    made = _panels(keys, across, down, sorted(chips) if by_chips else [])
    networks = len({row["network"] for row in rows})
    names = list(dict.fromkeys(series_name(row, networks, _algorithms(rows)) for row in rows))
    data: list[dict[str, Any]] = []
    for at, (kind, which) in enumerate(keys):
        ax = {"xaxis": f"x{at + 1 if at else ''}", "yaxis": f"y{at + 1 if at else ''}"}
        mine = [row for row in rows if (row["collective"], row[panel]) == (kind, which)]
        for order, name in enumerate(names):
            drawn = sorted((r for r in mine if series_name(r, networks, _algorithms(rows)) == name), key=lambda r: r[x])
            data += _line(name, drawn, x, order, ax, first=at == 0)
        data += [] if by_chips else _dots(result, mine, kind, which, ax, first=at == 0)
    ground = layout(height=150 + HIGH * down, showlegend=True, margin={"l": 70, "r": 24, "t": 90, "b": 60}, **made)
    # The legend stands above the panels' titles, whatever the height.
    ground["legend"] = {**ground["legend"], "y": 1 + 30 / (HIGH * down)}
    return {"data": data, "layout": ground}


def _algorithms(rows: Rows) -> int:
    return len({row["algorithm"] for row in rows})


def _panels(keys: Sequence[tuple[str, Any]], across: int, down: int, chips: Sequence[int]) -> dict[str, Any]:
    """Axes and titles of the panels, row by row from the top; against `chips` where there are any, else against size."""
    made: dict[str, Any] = {"annotations": []}
    gap_x, gap_y = 0.09, 0.26 / down
    wide, high = (1 - gap_x * (across - 1)) / across, (1 - gap_y * (down - 1)) / down
    for at, (kind, which) in enumerate(keys):
        left, top = (at % across) * (wide + gap_x), 1 - (at // across) * (high + gap_y)
        number = at + 1 if at else ""
        marks = chips[:: max(1, len(chips) // 10)] if chips else TICKS
        words = [f"{n:,}" for n in marks] if chips else [size_words(tick) for tick in marks]
        title = {"text": "chips" if chips else "size", "standoff": 4}
        ticks = {"title": title, "tickvals": list(marks), "ticktext": words}
        made[f"xaxis{number}"] = axis("", domain=[left, left + wide], anchor=f"y{number}", type="log") | ticks
        made[f"yaxis{number}"] = axis(
            "bus bandwidth [GB/s]", domain=[top - high, top], anchor=f"x{number}", rangemode="tozero"
        )
        of = which if chips else f"{which:,} chips"
        made["annotations"].append(
            {
                "text": f"<b>{wrap(f'{words_of_kind(kind)}, {of}', 60)}</b>",
                "xref": "paper",
                "yref": "paper",
                "x": left,
                "y": top,
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 13, "color": INK},
            }
        )
    return made


def _line(name: str, rows: Rows, x: str, order: int, ax: dict[str, str], first: bool) -> list[dict[str, Any]]:
    """A line with its band; `order` gives the colour."""
    kept = [row for row in rows if value_of(row["busbw_gb_per_s"]) is not None]
    if not kept:
        return []
    colour = PALETTE[order % len(PALETTE)]
    xs = [row[x] for row in kept]
    ends = ([row["busbw_low"] for row in kept], [row["busbw_high"] for row in kept])
    shade = band(xs, *ends, colour, legendgroup=name, **ax)
    told = [
        f"{row['size']} among {row['n']:,}: {row['time_us']:,.4g} us, {row['busbw_gb_per_s']:,.4g} GB/s "
        f"({row['busbw_low']:,.4g} to {row['busbw_high']:,.4g})<br>{wrap(row['bound'], 60)}"
        for row in kept
    ]
    line = {
        "type": "scatter",
        "mode": "lines" if len(kept) > 1 else "markers",
        "name": wrap(name, 60),
        "legendgroup": name,
        "showlegend": first,
        "x": xs,
        "y": [row["busbw_gb_per_s"] for row in kept],
        "line": {"color": colour, "width": 2.5, "dash": DASHES[order // len(PALETTE) % len(DASHES)]},
        "text": told,
        "hovertemplate": f"{wrap(name, 60)}<br>%{{text}}<extra></extra>",
        **ax,
    }
    return [*shade, line]


def _dots(result: RunResult, rows: Rows, kind: str, n: int, ax: dict[str, str], first: bool) -> list[dict[str, Any]]:
    """Published points of a panel's networks, a symbol a source, each with its source in the hover."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    found = [
        point
        for point in rows_of(result, "measured")
        if point["collective"] == kind and point["n"] == n and point["network"] in networks
    ]
    out = []
    for at, source in enumerate(dict.fromkeys((p["network"], _table_of(p["source"]), p["machine"]) for p in found)):
        mine = [p for p in found if (p["network"], _table_of(p["source"]), p["machine"]) == source]
        out.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": wrap(f"published: {_short(source[1])}", 60),
                "showlegend": False,
                "x": [p["nbytes"] for p in mine],
                "y": [p["busbw_gb_per_s"] for p in mine],
                "marker": {
                    "color": PALETTE[networks.index(source[0]) % len(PALETTE)],
                    "symbol": SYMBOLS[at % len(SYMBOLS)],
                    "size": 7,
                    "line": {"color": INK, "width": 1},
                },
                "text": [
                    f"{p['size']}: {p['busbw_gb_per_s']:,.4g} GB/s<br>{wrap(p['machine'], 60)}<br>{wrap(p['software'], 60)}"
                    f"<br>{wrap(p['source'], 60)}"
                    for p in mine
                ],
                "hovertemplate": "published, %{text}<extra></extra>",
                **ax,
            }
        )
    if out and first:
        key = {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "name": "published points", **ax}
        out.append(
            key | {"marker": {"color": "#ffffff", "size": 7, "line": {"color": INK, "width": 1}}, "hoverinfo": "skip"}
        )
    return out


def _table_of(source: str) -> str:
    """A source without its line."""
    return source.rpartition(" L")[0] or source


def _short(source: str) -> str:
    return source.removeprefix("github.com/").partition("@")[0]


def across_chart(result: RunResult) -> Figure | None:
    """Bandwidth between sites against utilisation, a line for each number of steps between exchanges."""
    rows = rows_of(result, "across")
    needs = [name for name in (rows[0] if rows else {}) if name.startswith("need_")]
    if not needs:
        return None
    data = []
    for at, row in enumerate(rows):
        kept = [(float(name.removeprefix("need_")), row[name]) for name in needs if value_of(row[name]) is not None]
        every = "every step" if row["sync_every"] == 1 else f"every {row['sync_every']} steps"
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": every,
                "x": [share for share, _ in kept],
                "y": [need for _, need in kept],
                "line": {"color": PALETTE[at % len(PALETTE)], "width": 2.5},
                "hovertemplate": f"{every}: %{{x}} % busy takes %{{y:,.3g}} Gb/s<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=360,
            showlegend=True,
            margin={"l": 70, "r": 24, "t": 50, "b": 60},
            xaxis=axis("share of time that a site computes [%]"),
            yaxis=axis("bandwidth of a site [Gb/s]", type="log"),
        ),
    }


def flows_chart(result: RunResult) -> Figure | None:
    """Share of line rate: mean, first percentile and slowest pair, by routing."""
    rows = [row for row in rows_of(result, "flows") if value_of(row.get("mean_share")) is not None]
    if not rows:
        return None
    names = [
        wrap(f"{row['network']}, {words_of_kind(row['collective'])} among {row['n']:,}, {_routing(row)}", 44)
        for row in rows
    ]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": words,
            "y": names,
            "x": [100 * row[column] for row in rows],
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}: {words} %{{x:.3g}} % of line rate<extra></extra>",
        }
        for words, column, colour in (
            ("mean", "mean_share", PALETTE[0]),
            ("first percentile", "p1_share", PALETTE[4]),
            ("slowest pair", "min_share", MUTED),
        )
    ]
    return {
        "data": data,
        "layout": layout(
            height=120 + 64 * len(rows),
            barmode="group",
            showlegend=True,
            xaxis=axis("share of line rate [%]", range=[0, 102]),
            yaxis={"autorange": "reversed", "automargin": True, "ticksuffix": "  ", "type": "category"},
        ),
    }


def _routing(row: Mapping[str, Any]) -> str:
    pairs = row.get("queue_pairs")
    return f"{row['routing']}, {pairs} queue pair{'s' if pairs != 1 else ''}" if pairs else str(row["routing"])


NET_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "rows": busbw_chart,
    "flows": flows_chart,
    "across": across_chart,
}
