"""Charts of a deals run.

Cash of companies with its fan, backlog, debt service, by whose money a vendor is paid, and who breaks first. Plotly dicts
as in `charts`; a table that is missing, empty or zero throughout gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gigawatt.report.chart_parts import (
    axis,
    band,
    dates_axis,
    names_axis,
    note,
    panel_axes,
    panel_height,
    rows_with,
    scale_of,
    value_of,
    zero_axis,
)
from gigawatt.report.debt_chart import debt_figure, due_usd
from gigawatt.report.flows import cash_sankey
from gigawatt.report.network_chart import network
from gigawatt.report.numbers import quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, INK, ORANGE, PALETTE, RED, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

ACROSS = 3
MOST_PANELS = 12  # the others are in the table
MOST_SOURCES = 7  # of money; smaller ones are drawn as one

OWN_MONEY = "its own money"  # a vendor's, come back to it

Chart = Callable[[RunResult], Figure | None]


def by_company(result: RunResult, table: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a table by company, in the order in which companies come."""
    out: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(result, table):
        out.setdefault(str(row.get("company")), []).append(row)
    return out


def cash_fans(result: RunResult) -> Figure | None:
    """Cash of each company by quarter, a panel each: the file's case, P10 to P90 of the draws, the quarter of default."""
    found = {
        name: kept
        for name, rows in by_company(result, "companies").items()
        if (kept := rows_with(rows, "cash_usd")) and any(abs(row["cash_usd"]) > 1 for row in kept)
    }
    # Those that may fall come first, then those with most money.
    names = sorted(found, key=lambda name: (-_risk(found[name]), -max(abs(row["cash_usd"]) for row in found[name])))
    names = names[:MOST_PANELS]
    if not names:
        return None
    across = min(ACROSS, len(names))
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    words = []
    for (suffix, x_domain, y_domain), name in zip(panel_axes(len(names), across), names, strict=True):
        rows = found[name]
        at = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        lows, highs = [row.get("cash_low_usd") for row in rows], [row.get("cash_high_usd") for row in rows]
        factor, unit = scale_of([row["cash_usd"] for row in rows] + lows + highs)
        days = [str(row["date_end"]) for row in rows]
        low, high = ([None if v is None else v * factor for v in ends] for ends in (lows, highs))
        data += band(days, low, high, BLUE, **at)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": days,
                "y": [row["cash_usd"] * factor for row in rows],
                "line": {"color": BLUE, "width": 2},
                "customdata": [_cash_hover(row) for row in rows],
                "hovertemplate": "%{x}: %{customdata}<extra></extra>",
                "showlegend": False,
                **at,
            }
        )
        fallen = next((row for row in rows if row.get("in_default")), None)
        if fallen is not None:
            mark = {"symbol": "x", "size": 11, "color": RED, "line": {"color": "#ffffff", "width": 1}}
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": [str(fallen["date_end"])],
                    "y": [fallen["cash_usd"] * factor],
                    "marker": mark,
                    "cliponaxis": False,
                    "showlegend": False,
                    "hovertemplate": f"{wrap(name)} in default, %{{x}}<extra></extra>",
                    **at,
                }
            )
        axes[f"xaxis{suffix}"] = dates_axis(
            domain=x_domain, anchor=f"y{suffix}", tickformat="%Y", dtick="M24" if len(days) > 24 else "M12"
        )
        axes[f"yaxis{suffix}"] = zero_axis("", domain=y_domain, anchor=f"x{suffix}", nticks=5, rangemode="tozero")
        share = value_of(rows[-1].get("default_share"))
        risk = f", {quantity(share, 'share')} default" if share else ""
        title = f"<b>{wrap(name, 30)}</b> [{unit}]{risk}"
        words.append(note(title, x_domain[0], y_domain[1], font={"size": 12, "color": INK}))
    height = panel_height(len(names), across) + 10
    return {
        "data": data,
        "layout": layout(height=height, annotations=words, **axes, margin={"l": 10, "r": 24, "t": 24, "b": 10}),
    }


def _risk(rows: list[dict[str, Any]]) -> float:
    share = value_of(rows[-1].get("default_share")) or 0.0
    return 1.0 + share if any(row.get("in_default") for row in rows) else share


def _cash_hover(row: Mapping[str, Any]) -> str:
    low, high = row.get("cash_low_usd"), row.get("cash_high_usd")
    ends = f" (P10 {quantity(low, 'USD')}, P90 {quantity(high, 'USD')})" if low is not None and high is not None else ""
    return quantity(row["cash_usd"], "USD") + ends


def backlog_lines(result: RunResult) -> Figure | None:
    """Backlog by seller: what is owed whatever happens (solid), and with plans and letters (dashed)."""
    found = {
        name: kept
        for name, rows in by_company(result, "backlog").items()
        if (kept := rows_with(rows, "firm_usd", "headline_usd")) and max(row["headline_usd"] for row in kept) > 0
    }
    names = sorted(found, key=lambda name: -max(row["headline_usd"] for row in found[name]))[: len(PALETTE)]
    if not names:
        return None
    factor, unit = scale_of([row["headline_usd"] for name in names for row in found[name]])
    data = []
    for at, name in enumerate(names):
        rows, colour = found[name], PALETTE[at]
        days = [str(row["date_end"]) for row in rows]
        for column, dash, words in (("firm_usd", "solid", "firm"), ("headline_usd", "dot", "headline")):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": wrap(name, 40),
                    "legendgroup": name,
                    "showlegend": words == "firm",
                    "x": days,
                    "y": [row[column] * factor for row in rows],
                    "line": {"color": colour, "width": 2.5 if words == "firm" else 1.8, "dash": dash},
                    "hovertemplate": f"%{{x}}, {wrap(name, 40)}, {words}: %{{y:,.3g}} {unit}<extra></extra>",
                }
            )
    return {
        "data": data,
        "layout": layout(
            height=400,
            xaxis=dates_axis(),
            yaxis=axis(f"still to come [{unit}]; dotted: headline", rangemode="tozero"),
            showlegend=True,
        ),
    }


def debt_panels(result: RunResult) -> Figure | None:
    """Debt service of each borrower: interest and principal stacked, cash that is there to serve it, cover on the right."""
    found = {
        name: kept
        for name, rows in by_company(result, "debt_service").items()
        if (kept := rows_with(rows, "interest_usd", "principal_usd")) and any(due_usd(row) for row in kept)
    }
    names = sorted(found, key=lambda name: -sum(due_usd(row) for row in found[name]))[:6]
    return debt_figure([(name, found[name]) for name in names])


def whose_money_bars(result: RunResult) -> Figure | None:
    """Each vendor's revenue as one bar, split by whose money paid it; its own money stands out."""
    rows = [row for row in rows_with(rows_of(result, "whose_money"), "amount_usd", "share") if row["amount_usd"] > 0]
    vendors = list(dict.fromkeys(str(row["company"]) for row in rows))
    if not vendors:
        return None
    total = {name: sum(r["amount_usd"] for r in rows if str(r["company"]) == name) for name in vendors}
    weight: dict[str, float] = {}
    for row in rows:
        weight[str(row["funded_by"])] = weight.get(str(row["funded_by"]), 0.0) + row["amount_usd"]
    order = sorted(weight, key=lambda name: -weight[name])
    main = order[:MOST_SOURCES]
    own = [name for name in order if name == OWN_MONEY]
    main += [name for name in own if name not in main]
    colours = [c for c in PALETTE if c != RED]
    data = []
    for at, source in enumerate([*main, "others"]):
        amount = {
            name: sum(
                row["amount_usd"]
                for row in rows
                if str(row["company"]) == name
                and (row["funded_by"] == source or (source == "others" and str(row["funded_by"]) not in main))
            )
            for name in vendors
        }
        if not any(amount.values()):
            continue
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": wrap(source, 40),
                "y": [f"{wrap(name)}<br>{quantity(total[name], 'USD')}" for name in vendors],
                "x": [100 * amount[name] / total[name] for name in vendors],
                "text": [
                    quantity(amount[name] / total[name], "share") if amount[name] >= 0.04 * total[name] else ""
                    for name in vendors
                ],
                "customdata": [quantity(amount[name], "USD") for name in vendors],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "marker": {
                    "color": RED if source in own else GREY if source == "others" else colours[at % len(colours)]
                },
                "hovertemplate": f"{wrap(source, 60)}: %{{customdata}}<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=130 + 58 * len(vendors),
            barmode="stack",
            xaxis=axis("share of what it is paid [%]", range=[0, 101]),
            yaxis=names_axis(),
            showlegend=True,
        ),
    }


def stress_bars(result: RunResult) -> Figure | None:
    """What creditors lose and what is called under each shock, with who falls first and when."""
    rows = rows_with(rows_of(result, "stress"), "lost_usd")
    if not rows:
        return None
    called = [value_of(row.get("called_usd")) or 0.0 for row in rows]
    factor, unit = scale_of([row["lost_usd"] for row in rows] + called)
    labels = [wrap(str(row["shock"]), 30) for row in rows]
    lost = [max(row["lost_usd"], 0.0) * factor for row in rows]
    top = max([a + b * factor for a, b in zip(lost, called, strict=True)] or [0.0])
    common = {"type": "bar", "orientation": "h", "y": labels}
    data: list[dict[str, Any]] = [
        common
        | {
            "name": "lost by creditors",
            "x": lost,
            "marker": {"color": RED},
            "customdata": [wrap(str(row.get("means") or ""), 60) for row in rows],
            "hovertemplate": f"%{{y}} (%{{customdata}}): %{{x:,.3g}} {unit} lost<extra></extra>",
        }
    ]
    if any(called):
        data.append(
            common
            | {
                "name": "called under guarantees",
                "x": [value * factor for value in called],
                "marker": {"color": ORANGE},
                "hovertemplate": f"%{{y}}: %{{x:,.3g}} {unit} called<extra></extra>",
            }
        )
    words = [
        {
            "text": wrap(first_to_fall(row), 60),
            "x": lost[at] + called[at] * factor,
            "y": labels[at],
            "xref": "x",
            "yref": "y",
            "xanchor": "left",
            "xshift": 6,
            "showarrow": False,
            "font": {"size": 12, "color": INK if row.get("first_default") else fade(INK, 0.6)},
        }
        for at, row in enumerate(rows)
    ]
    return {
        "data": data,
        "layout": layout(
            height=110 + 34 * len(rows),
            barmode="stack",
            xaxis=axis(f"over the horizon [{unit}]", range=[0, 1.55 * top or 1.0]),
            yaxis=names_axis(),
            annotations=words,
            showlegend=len(data) > 1,
        ),
    }


def first_to_fall(row: Mapping[str, Any]) -> str:
    """'lab first, by 2029-09-30; 3 in all' of a row of `stress`."""
    if not row.get("first_default"):
        return "nobody falls"
    count = int(row.get("defaults") or 1)
    return f"{row['first_default']} first, by {row.get('date')}" + (f"; {count} in all" if count > 1 else "")


DEALS_CHARTS: Mapping[str, Chart] = {
    "companies": cash_fans,
    "cash_links": cash_sankey,
    "network": network,
    "whose_money": whose_money_bars,
    "backlog": backlog_lines,
    "debt_service": debt_panels,
    "stress": stress_bars,
}
