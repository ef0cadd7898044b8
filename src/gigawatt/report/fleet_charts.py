"""Charts of a build-out: MW by platform and by workload over time, what limits it when, cash and capital, tokens.

A platform has one colour in every chart. Everything is a step: what stands in a quarter stands for all of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gigawatt.report.chart_parts import axis, line, names_axis, rows_with, scale_of, steps_axis, value_of, zero_axis
from gigawatt.report.numbers import quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, GREY, INK, ORANGE, PALETTE, RED, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

Rows = Sequence[dict[str, Any]]
IDLE = "idle"
# From nothing to much: white to the palette's red, through its yellow.
HEAT = ((0.0, "#f6f8fa"), (0.02, "#fff3c4"), (0.3, "#f7c948"), (0.65, ORANGE), (1.0, RED))
MOST_LIMITS = 16


def quarters_of(result: RunResult) -> list[str]:
    """The quarters in their order."""
    return [str(row["quarter"]) for row in rows_of(result, "periods") if "quarter" in row]


def at_work(result: RunResult, value: str) -> list[dict[str, Any]]:
    """The rows of the fleet that do something and have a number in this column."""
    return [row for row in rows_with(rows_of(result, "fleet"), value) if row["workload"] != IDLE]


def summed(rows: Rows, key: str, value: str, quarters: Sequence[str]) -> dict[str, list[float]]:
    """`value` of the rows by `key`, a list over the quarters, in the order in which they first appear."""
    at = {name: t for t, name in enumerate(quarters)}
    out: dict[str, list[float]] = {}
    for row in rows:
        column = out.setdefault(str(row[key]), [0.0] * len(quarters))
        column[at[str(row["quarter"])]] += float(row[value] or 0.0)
    return out


def colours_of(result: RunResult) -> dict[str, str]:
    """A colour a platform, in the order of the offers; those after the palette's last are paler."""
    names = [str(row["platform"]) for row in rows_of(result, "generations")]
    return {name: colour_at(at) for at, name in enumerate(names)}


def colour_at(at: int) -> str:
    """The colour of the `at`-th of a chart."""
    colour = PALETTE[at % len(PALETTE)]
    return colour if at < len(PALETTE) else fade(colour, 0.5)


def platforms_chart(result: RunResult) -> Figure | None:
    """MW drawn by platform, stacked, under the power that may be drawn."""
    quarters = quarters_of(result)
    stacks = summed(at_work(result, "mw"), "platform", "mw", quarters)
    colours = colours_of(result)
    # The oldest at the bottom.
    order = sorted(stacks, key=lambda name: next((t for t, v in enumerate(stacks[name]) if v > 0), len(quarters)))
    return _stacked(result, {name: stacks[name] for name in order}, [colours.get(name, GREY) for name in order])


def workloads_chart(result: RunResult) -> Figure | None:
    """The same by what the racks do."""
    quarters = quarters_of(result)
    stacks = summed(at_work(result, "mw"), "workload", "mw", quarters)
    return _stacked(result, stacks, [colour_at(at) for at in range(len(stacks))])


def _stacked(result: RunResult, stacks: Mapping[str, list[float]], colours: Sequence[str]) -> Figure | None:
    if not stacks:
        return None
    quarters = quarters_of(result)
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": wrap(name, 40),
            "x": quarters,
            "y": values,
            "stackgroup": "mw",
            "line": {"width": 0.5, "shape": "hv", "color": colour},
            "fillcolor": colour,
            "hovertemplate": f"%{{x}}, {wrap(name, 40)}: %{{y:,.0f}} MW<extra></extra>",
        }
        for (name, values), colour in zip(stacks.items(), colours, strict=True)
    ]
    limit = [value_of(row.get("power_mw")) for row in rows_of(result, "periods")]
    if any(value is not None for value in limit):
        data.append(
            line(
                "power that may be drawn",
                quarters,
                limit,
                0,
                "MW",
                line={"color": INK, "width": 2, "dash": "dash", "shape": "hv"},
            )
        )
    return {
        "data": data,
        "layout": layout(
            height=420,
            showlegend=True,
            hovermode="x unified",
            xaxis=steps_axis(quarters),
            yaxis=axis("at the meter [MW]", rangemode="tozero"),
        ),
    }


def limits_heat(result: RunResult) -> Figure | None:
    """What one per cent more of each limit is worth, by quarter: a row a limit that ever binds, the dearest on top."""
    quarters = quarters_of(result)
    at = {name: t for t, name in enumerate(quarters)}
    found: dict[str, list[float]] = {}
    said: dict[str, list[str]] = {}
    for row in rows_with(rows_of(result, "limits"), "available"):
        name = str(row["name"])
        worth = one_per_cent(row)
        found.setdefault(name, [0.0] * len(quarters))[at[str(row["quarter"])]] = worth
        said.setdefault(name, [""] * len(quarters))[at[str(row["quarter"])]] = wrap(str(row.get("words") or ""), 70)
    kept = sorted((name for name in found if max(found[name]) > 0), key=lambda name: -sum(found[name]))[:MOST_LIMITS]
    if not kept:
        return None
    factor, unit = scale_of([value for name in kept for value in found[name]])
    return {
        "data": [
            {
                "type": "heatmap",
                "x": quarters,
                "y": [wrap(name, 40) for name in kept],
                "z": [[value * factor for value in found[name]] for name in kept],
                "customdata": [said[name] for name in kept],
                "colorscale": [list(step) for step in HEAT],
                "zmin": 0,
                "xgap": 1,
                "ygap": 2,
                "colorbar": {"title": {"text": unit}, "thickness": 12, "len": 1.0},
                "hovertemplate": f"%{{y}}, %{{x}}: 1 % more is worth %{{z:,.3g}} {unit}<br>%{{customdata}}<extra></extra>",
            }
        ],
        "layout": layout(
            height=130 + 30 * len(kept),
            xaxis=steps_axis(quarters, tickangle=0, tickvals=quarters[:: max(4, len(quarters) // 6)]),
            yaxis=names_axis(),
        ),
    }


def one_per_cent(row: Mapping[str, Any]) -> float:
    """What one per cent more of a limit is worth (of an obligation: what one per cent less would save), USD of today."""
    up, amount = value_of(row.get("shadow_price_up")), value_of(row.get("available"))
    if up is None or amount is None:
        return 0.0
    if str(row.get("price_unit") or "").endswith("million tokens"):
        amount *= 8760 * 3600 / 4 / 1e6  # tokens a second through a quarter, in millions
    return abs(up) * amount * 0.01


def cash_chart(result: RunResult) -> Figure | None:
    """Capital, resale and what operation earns by quarter, and what is in at once."""
    rows = rows_with(rows_of(result, "periods"), "capital_usd", "operating_usd", "funding_usd")
    if not rows:
        return None
    quarters = quarters_of(result)
    factor, unit = scale_of([row[name] for row in rows for name in ("capital_usd", "operating_usd", "funding_usd")])
    bars = (
        ("earned by operation", "operating_usd", 1.0, GREEN),
        ("resale", "resale_usd", 1.0, BLUE),
        ("capital", "capital_usd", -1.0, RED),
    )
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": words,
            "x": quarters,
            "y": [sign * float(row[name]) * factor for row in rows],
            "marker": {"color": colour},
            "hovertemplate": f"%{{x}}, {words}: %{{y:,.3g}} {unit}<extra></extra>",
        }
        for words, name, sign, colour in bars
        if any(row[name] for row in rows)
    ]
    funding = [float(row["funding_usd"]) * factor for row in rows]
    data.append(line("in at once", quarters, funding, 0, unit, line={"color": INK, "width": 2.5, "shape": "hv"}))
    left = [value_of(row.get("cash_usd")) for row in rows]
    if any(value is not None for value in left):
        ys = [None if value is None else value * factor for value in left]
        data.append(line("cash not spent", quarters, ys, 0, unit, line={"color": GREY, "width": 2, "dash": "dot"}))
    ground = layout(
        height=400, showlegend=True, barmode="relative", hovermode="x unified", xaxis=steps_axis(quarters),
        yaxis=zero_axis(f"in a quarter [{unit}]"),
    )  # fmt: skip
    return {"data": data, "layout": ground}


def tokens_chart(result: RunResult) -> Figure | None:
    """Output tokens by workload, stacked, and revenue of a MW-year on the right."""
    quarters = quarters_of(result)
    stacks = summed(at_work(result, "tokens_out_per_s"), "workload", "tokens_out_per_s", quarters)
    if not stacks:
        return None
    factor, unit = scale_of([value for values in stacks.values() for value in values], "tok/s")
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": wrap(name, 40),
            "x": quarters,
            "y": [value * factor for value in values],
            "stackgroup": "tokens",
            "line": {"width": 0.5, "shape": "hv", "color": colour_at(at)},
            "fillcolor": colour_at(at),
            "hovertemplate": f"%{{x}}, {wrap(name, 40)}: %{{y:,.3g}} {unit}<extra></extra>",
        }
        for at, (name, values) in enumerate(stacks.items())
    ]
    earned = [value_of(row.get("revenue_usd_per_mw_yr")) for row in rows_of(result, "periods")]
    ys = [None if value is None else value / 1e6 for value in earned]
    style = {"color": INK, "width": 2.5, "shape": "hv"}
    data.append(line("revenue of a MW-year", quarters, ys, 0, "M USD", line=style, yaxis="y2"))
    return {
        "data": data,
        "layout": layout(
            height=400,
            showlegend=True,
            hovermode="x unified",
            margin={"l": 10, "r": 70, "t": 36, "b": 10},
            xaxis=steps_axis(quarters),
            yaxis=axis(f"output and trained tokens [{unit}]", rangemode="tozero"),
            yaxis2={"overlaying": "y", "side": "right", "title": {"text": "M USD/MW/yr"}, "rangemode": "tozero",
                    "showgrid": False, "automargin": True, "tickmode": "auto", "nticks": 6},
        ),
    }  # fmt: skip


def policies_chart(result: RunResult) -> Figure | None:
    """What each way to decide loses against foresight of all quarters."""
    rows = rows_with(rows_of(result, "policies"), "npv_usd", "lost_usd")
    if len(rows) < 2:
        return None
    factor, unit = scale_of([row["lost_usd"] for row in rows])
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [wrap(str(row["decides"]), 34) for row in rows],
                "x": [float(row["lost_usd"]) * factor for row in rows],
                "text": [
                    f"{quantity(float(row['lost_usd']), 'USD')} of {quantity(float(row['npv_usd'] + row['lost_usd']), 'USD')}"
                    if row["lost_usd"]
                    else quantity(float(row["npv_usd"]), "USD")
                    for row in rows
                ],
                "textposition": "auto",
                "marker": {"color": [BLUE if row["shown"] else GREY for row in rows]},
                "hovertemplate": "%{y}: %{text}<extra></extra>",
            }
        ],
        "layout": layout(
            height=100 + 44 * len(rows),
            xaxis=axis(f"loses against foresight of all quarters [{unit}]", rangemode="tozero"),
            yaxis=names_axis(),
        ),
    }


def letters(names: Sequence[str]) -> dict[str, str]:
    """A letter a name, for bars of text.

    >>> letters(["a100", "h200"])
    {'a100': 'A', 'h200': 'B'}
    """
    return {name: chr(ord("A") + at % 26) for at, name in enumerate(names)}


def text_bar(parts: Sequence[tuple[str, float]], whole: float, width: int) -> str:
    """Stacked parts as letters, `width` of them for `whole`; largest remainders, so that the bar's length is right.

    >>> text_bar([("A", 30.0), ("B", 20.0)], 100.0, 20)
    'AAAAAABBBB'
    """
    if whole <= 0:
        return ""
    exact = [value / whole * width for _, value in parts]
    counts = [math.floor(x) for x in exact]
    for at in sorted(range(len(parts)), key=lambda k: counts[k] - exact[k])[: round(sum(exact)) - sum(counts)]:
        counts[at] += 1
    return "".join(letter * count for (letter, _), count in zip(parts, counts, strict=True))


FLEET_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "fleet": platforms_chart,
    "fleet_by_work": workloads_chart,
    "limits": limits_heat,
    "periods": cash_chart,
    "tokens": tokens_chart,
    "policies": policies_chart,
}
