"""Charts as plain Plotly figure dicts ({"data", "layout"}), made from a run's tables without importing plotly.

The same dict serves the page, a notebook (`figure`) and a test. White ground, dark text, sizes that survive printing,
colours that colour-blind readers tell apart (Okabe & Ito, https://jfly.uni-koeln.de/color/). A table that is missing
or empty gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gigawatt.report.building_charts import pue_months, stage_hours
from gigawatt.report.chart_parts import axis, names_axis, whiskers
from gigawatt.report.flows import cash_sankey, power_sankey
from gigawatt.report.grid import company_columns, words_of
from gigawatt.report.numbers import number, quantity, scaled
from gigawatt.report.sentences import rows_of
from gigawatt.report.site_charts import gain_whiskers, kw_bars, provisioning_bars
from gigawatt.report.supply_charts import supply_months
from gigawatt.report.theme import BLUE, GREEN, GREY, INK, LINE, ORANGE, PALETTE, RED, Figure, layout, wrap
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    import plotly.graph_objects as go


def figure(chart: Figure) -> go.Figure:
    """The dict as a live Plotly figure, for notebooks."""
    import plotly.graph_objects as go

    return go.Figure(chart)


def plan_bars(result: RunResult) -> Figure | None:
    """MW by platform, stacked by workload."""
    rows = rows_of(result, "plan")
    if not rows:
        return None
    platforms = list(dict.fromkeys(str(row["platform"]) for row in rows))
    data = []
    for at, workload in enumerate(dict.fromkeys(str(row["workload"]) for row in rows)):
        mine = {
            name: sum(r["mw"] or 0.0 for r in rows if (r["platform"], r["workload"]) == (name, workload))
            for name in platforms
        }
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": workload,
                "y": [wrap(name) for name in platforms],
                "x": [mine[name] for name in platforms],
                "text": [quantity(mine[name], "MW") if mine[name] else "" for name in platforms],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "marker": {"color": PALETTE[at % len(PALETTE)]},
                "hovertemplate": "%{y}, " + workload + ": %{text}<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=110 + 48 * len(platforms),
            barmode="stack",
            xaxis=axis("MW at the meter"),
            yaxis=names_axis(),
            showlegend=True,
        ),
    }


def limits_bars(result: RunResult) -> Figure | None:
    """Share of each limit that is used; those that bind stand out."""
    from gigawatt.report.sentences import binding, worth_of_one_more

    rows = [row for row in rows_of(result, "limits") if row.get("used_share") is not None]
    if not rows:
        return None
    short = {row["name"] for row in binding(result)}
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [wrap(str(row["name"])) for row in rows],
                "x": [100 * row["used_share"] for row in rows],
                "text": [
                    f"{number(100 * row['used_share'])} %"
                    + (f"  one more: {worth_of_one_more(row)}" if row["name"] in short else "")
                    for row in rows
                ],
                "textposition": "auto",
                "insidetextanchor": "end",
                "marker": {"color": [RED if row["name"] in short else GREY for row in rows]},
                "hovertemplate": "%{y}: %{text}<extra></extra>",
            }
        ],
        "layout": layout(
            height=100 + 40 * len(rows),
            xaxis=axis("used [%]", range=[0, max(105.0, *(102 * row["used_share"] for row in rows))]),
            yaxis=names_axis(),
        ),
    }


def npv_whiskers(result: RunResult) -> Figure | None:
    """NPV by company, with P10 and P90 as whiskers."""
    rows = [row for row in rows_of(result, "companies") if row.get("npv_usd") is not None]
    if not rows:
        return None
    names = [str(row["company"]) for row in rows]
    values = [row["npv_usd"] for row in rows]
    return _whisker_bars(
        names, values, [row.get("npv_low_usd") for row in rows], [row.get("npv_high_usd") for row in rows], "USD", "NPV"
    )


def quarterly_cash(result: RunResult) -> Figure | None:
    """Cumulated net cash of each company by quarter."""
    table = result.tables.get("quarters")
    if table is None or not len(table):
        return None
    rows = list(table.rows())
    companies = company_columns(table)
    running = {name: _cumulated([row[name] for row in rows]) for name in companies}
    top = max((abs(v) for values in running.values() for v in values), default=0.0)
    factor, unit = scaled("USD", top)
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [str(row.get("date_end") or row.get("period")) for row in rows],
            "y": [value * factor for value in running[name]],
            "line": {
                "color": PALETTE[at % len(PALETTE)],
                "width": 2.5,
                "dash": ("solid", "dash", "dot", "dashdot")[at // len(PALETTE) % 4],
            },
            "hovertemplate": f"%{{x}}, {name}: %{{y:,.2f}} {unit}<extra></extra>",
        }
        for at, name in enumerate(companies)
    ]
    return {
        "data": data,
        "layout": layout(
            height=380,
            xaxis={"gridcolor": LINE, "tickformat": "%b %Y", "automargin": True},
            yaxis=axis(f"cumulated cash [{unit}]", zeroline=True, zerolinecolor=INK, zerolinewidth=1.5),
            showlegend=True,
        ),
    }


def _cumulated(values: list[Any]) -> list[float]:
    total, out = 0.0, []
    for value in values:
        total += float(value or 0.0)
        out.append(total)
    return out


def capex_bars(result: RunResult) -> Figure | None:
    """Capital by part, coloured by who is paid."""
    rows = sorted((row for row in rows_of(result, "capex") if row.get("usd")), key=lambda r: -r["usd"])
    if not rows:
        return None
    factor, unit = scaled("USD", rows[0]["usd"])
    parts = [wrap(str(row["part"])) for row in rows]
    data = []
    for at, payee in enumerate(dict.fromkeys(str(row.get("payee") or "") for row in rows)):
        mine = [row for row in rows if str(row.get("payee") or "") == payee]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": payee or "paid",
                "y": [wrap(str(row["part"])) for row in mine],
                "x": [row["usd"] * factor for row in mine],
                "text": [quantity(row["usd"], "USD") for row in mine],
                "textposition": "auto",
                "marker": {"color": PALETTE[at % len(PALETTE)]},
                "customdata": [str(row.get("boundary") or "") for row in mine],
                "hovertemplate": "%{y}: %{text} to " + payee + " (%{customdata})<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=120 + 34 * len(rows),
            barmode="stack",
            xaxis=axis(f"capital [{unit}]"),
            yaxis=names_axis(categoryorder="array", categoryarray=list(dict.fromkeys(parts))),
            showlegend=True,
        ),
    }


def contracts_beside(result: RunResult) -> Figure | None:
    """Revenue per MW-year: ours beside signed contracts."""
    rows = [row for row in rows_of(result, "contracts_beside") if row.get("usd_m_per_mw_yr") is not None]
    if not rows:
        return None
    rows = sorted(rows, key=lambda r: -r["usd_m_per_mw_yr"])
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [wrap(str(row["name"])) for row in rows],
                "x": [row["usd_m_per_mw_yr"] for row in rows],
                "text": [number(float(row["usd_m_per_mw_yr"])) for row in rows],
                "textposition": "auto",
                "marker": {"color": [BLUE if row.get("kind") == "ours" else GREY for row in rows]},
                "customdata": [str(row.get("source") or "") for row in rows],
                "hovertemplate": "%{y}: %{text} M USD/MW/yr<br>%{customdata}<extra></extra>",
            }
        ],
        "layout": layout(height=100 + 38 * len(rows), xaxis=axis("revenue [M USD/MW/yr]"), yaxis=names_axis()),
    }


def moats_bars(result: RunResult) -> Figure | None:
    """Shapley value of each moat by regime, with 80 % whiskers and a line at zero."""
    rows = [row for row in rows_of(result, "moats") if row.get("shapley_usd_per_mw_yr") is not None]
    if not rows:
        return None
    regimes = list(dict.fromkeys(str(row["regime"]) for row in rows))
    data = []
    for at, moat in enumerate(dict.fromkeys(str(row["moat"]) for row in rows)):
        mine = {str(row["regime"]): row for row in rows if row["moat"] == moat}
        have = [name for name in regimes if name in mine]
        values = [mine[name]["shapley_usd_per_mw_yr"] / 1e6 for name in have]
        lows = [mine[name].get("low") for name in have]
        highs = [mine[name].get("high") for name in have]
        data.append(
            {
                "type": "bar",
                "name": words_of(moat),
                "x": [wrap(name, 18) for name in have],
                "y": values,
                "marker": {"color": PALETTE[at % len(PALETTE)]},
                "error_y": whiskers(values, [v and v / 1e6 for v in lows], [v and v / 1e6 for v in highs]),
                "hovertemplate": "%{x}, " + words_of(moat) + ": %{y:,.2f} M USD/MW/yr<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": layout(
            height=400,
            barmode="group",
            yaxis=axis("Shapley value [M USD/MW/yr]", zeroline=True, zerolinecolor=INK, zerolinewidth=2),
            xaxis={"automargin": True},
            showlegend=True,
        ),
    }


def weakest_bars(result: RunResult) -> Figure | None:
    """How far each weak input moves NPV within its own range."""
    rows = [row for row in rows_of(result, "weakest") if row.get("effect_usd") is not None]
    if not rows:
        return None
    rows = sorted(rows, key=lambda r: -abs(r["effect_usd"]))[:12]
    factor, unit = scaled("USD", abs(rows[0]["effect_usd"]))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [wrap(str(row["name"])) for row in rows],
                "x": [abs(row["effect_usd"]) * factor for row in rows],
                "text": [quantity(abs(row["effect_usd"]), "USD") for row in rows],
                "textposition": "auto",
                "marker": {"color": ORANGE},
                "hovertemplate": "%{y}: %{text}<extra></extra>",
            }
        ],
        "layout": layout(height=100 + 34 * len(rows), xaxis=axis(f"moves NPV by [{unit}]"), yaxis=names_axis()),
    }


def _whisker_bars(
    names: list[str], values: list[float], lows: list[Any], highs: list[Any], unit: str, words: str
) -> Figure:
    top = max(abs(v) for v in [*values, *(v for v in [*lows, *highs] if v is not None)])
    factor, shown = scaled(unit, top)
    centre = [value * factor for value in values]
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [wrap(name) for name in names],
                "x": centre,
                "marker": {"color": [GREEN if value >= 0 else RED for value in values]},
                "error_x": whiskers(
                    centre,
                    [None if v is None else v * factor for v in lows],
                    [None if v is None else v * factor for v in highs],
                ),
                "text": [quantity(value, unit) for value in values],
                "textposition": "none",
                "hovertemplate": "%{y}: %{text}<extra></extra>",
            }
        ],
        "layout": layout(
            height=100 + 44 * len(names),
            xaxis=axis(f"{words} [{shown}], whiskers P10 to P90", zeroline=True, zerolinecolor=INK, zerolinewidth=2),
            yaxis=names_axis(),
        ),
    }


CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "plan": plan_bars,
    "limits": limits_bars,
    "power": power_sankey,
    "site_supply_months": supply_months,
    "site_months": pue_months,
    "site_hours": stage_hours,
    "companies": npv_whiskers,
    "cash_links": cash_sankey,
    "quarters": quarterly_cash,
    "capex": capex_bars,
    "contracts_beside": contracts_beside,
    "moats": moats_bars,
    "weakest": weakest_bars,
    "provisioning": provisioning_bars,
    "provisioning_gain": gain_whiskers,
    "kw_per_gpu": kw_bars,
}
