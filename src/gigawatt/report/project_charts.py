"""Charts of a project's finance: its flows, debt service and cover, the waterfall, what is paid for and by whom, covenants.

Columns that the run lacks leave their part out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from gigawatt.report.chart_parts import (
    axis,
    bars,
    dates_axis,
    line,
    names_axis,
    rows_with,
    scale_of,
    value_of,
    zero_axis,
)
from gigawatt.report.deals_charts import by_company
from gigawatt.report.debt_chart import debt_figure
from gigawatt.report.grid import NOISE, label_of
from gigawatt.report.numbers import number, quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, ORANGE, PALETTE, RED, Figure, layout, wrap
from gigawatt.study.result import RunResult

FLOWS = ("revenue_usd", "cfads_usd", "senior_paid_usd", "distribution_usd")
BALANCE = "senior_balance_usd"
# More steps than the palette has colours: greys and darks told apart by lightness.
MANY = (*PALETTE, "#332288", "#999933", "#882255", "#44AA99", "#4d4d4d", "#c7c7c7")
KEPT = ("cash kept from before", "cash kept")  # steps that only carry cash from period to period


def flows(result: RunResult) -> Figure | None:
    """Revenue, cash to serve debt, debt service and distributions by period, and the debt that is left."""
    rows = rows_of(result, "project")
    found = [name for name in FLOWS if any(value_of(row.get(name)) for row in rows)]
    if not found:
        return None
    factor, unit = scale_of([row.get(name) for row in rows for name in found])
    days = [str(row.get("date_end") or row.get("period")) for row in rows]
    data = [
        line(label_of(name, "USD"), days, [(value_of(row.get(name)) or 0.0) * factor for row in rows], at, unit)
        for at, name in enumerate(found)
    ]
    made = layout(
        height=380, xaxis=dates_axis(), yaxis=zero_axis(f"by period [{unit}]", rangemode="tozero"), showlegend=True
    )
    if any(value_of(row.get(BALANCE)) for row in rows):
        large, shown = scale_of([row.get(BALANCE) for row in rows])
        owed = [(value_of(row.get(BALANCE)) or 0.0) * large for row in rows]
        data.append(line(f"debt left [{shown}, right]", days, owed, len(found), shown, yaxis="y2"))
        right = {"side": "right", "showgrid": False, "rangemode": "tozero", "nticks": 6, "tickmode": "auto"}
        made["yaxis2"] = axis("", overlaying="y", **right)
    return {"data": data, "layout": made}


def debt_service(result: RunResult) -> Figure | None:
    """Interest and principal by period, the cash that serves them, and the cover."""
    found = {
        name: rows_with(rows, "interest_usd", "principal_usd")
        for name, rows in by_company(result, "debt_service").items()
    }
    found = {
        name: rows for name, rows in found.items() if any(row["interest_usd"] or row["principal_usd"] for row in rows)
    }
    return debt_figure(list(found.items())[:4])


def waterfall(result: RunResult) -> Figure | None:
    """Where each period's cash comes from (up) and goes (down), in the order of payment."""
    rows = [row for row in rows_with(rows_of(result, "waterfall"), "amount_usd") if row.get("step") not in KEPT]
    steps = [step for step in _steps(rows) if any(row["amount_usd"] for row in rows if row["step"] == step)]
    if not steps:
        return None
    factor, unit = scale_of([row["amount_usd"] for row in rows])
    data = []
    for at, step in enumerate(steps):
        mine = [row for row in rows if row["step"] == step]
        data.append(
            {
                "type": "bar",
                "name": wrap(step, 40),
                "x": [str(row.get("date_end") or row.get("period")) for row in mine],
                "y": [row["amount_usd"] * factor for row in mine],
                "marker": {"color": MANY[at % len(MANY)]},
                "hovertemplate": f"%{{x}}, {wrap(step, 40)}: %{{y:,.3g}} {unit}<extra></extra>",
            }
        )
    y_axis = zero_axis(f"by period [{unit}]")
    return {
        "data": data,
        "layout": layout(height=430, barmode="relative", xaxis=dates_axis(), yaxis=y_axis, showlegend=True),
    }


def _steps(rows: list[dict[str, Any]]) -> list[str]:
    order = {str(row["step"]): value_of(row.get("order")) or 0.0 for row in rows}
    return sorted(order, key=lambda step: order[step])


def waterfall_total(result: RunResult) -> Figure | None:
    """The same steps summed over all periods, one after the other."""
    rows = [row for row in rows_with(rows_of(result, "waterfall"), "amount_usd") if row.get("step") not in KEPT]
    sums = {step: sum(row["amount_usd"] for row in rows if row["step"] == step) for step in _steps(rows)}
    most = max((abs(value) for value in sums.values()), default=0.0)
    sums = {step: value for step, value in sums.items() if abs(value) > NOISE * most}
    if not sums:
        return None
    factor, unit = scale_of(list(sums.values()))
    running = list(accumulate(value * factor for value in sums.values()))
    top = max(0.0, *running)
    return {
        "data": [
            {
                "type": "waterfall",
                "x": [wrap(step, 13) for step in sums],
                "y": [value * factor for value in sums.values()],
                "text": [quantity(value, "USD") for value in sums.values()],
                "textposition": "outside",
                "cliponaxis": False,
                "increasing": {"marker": {"color": GREEN}},
                "decreasing": {"marker": {"color": ORANGE}},
                "hovertemplate": "%{x}: %{text}<extra></extra>",
            }
        ],
        "layout": layout(
            height=430,
            yaxis=zero_axis(f"over all periods [{unit}]", range=[-0.09 * top, 1.12 * top]),
            xaxis={"automargin": True, "tickangle": 0, "tickfont": {"size": 11}},
            margin={"l": 10, "r": 24, "t": 34, "b": 10},
        ),
    }


def sources_uses(result: RunResult) -> Figure | None:
    """What is paid for and who pays: two stacked bars."""
    rows = [row for row in rows_with(rows_of(result, "sources_uses"), "amount_usd") if row["amount_usd"] > 0]
    if not rows:
        return None
    total: dict[str, float] = {}
    for row in rows:
        total[str(row.get("side"))] = total.get(str(row.get("side")), 0.0) + row["amount_usd"]
    factor, unit = scale_of(list(total.values()))
    data = []
    for at, row in enumerate(rows):
        side, item, said = str(row.get("side")), str(row.get("item")), quantity(row["amount_usd"], "USD")
        data.append(
            {
                "type": "bar",
                "name": wrap(item, 40),
                "orientation": "h",
                "y": [wrap(side)],
                "x": [row["amount_usd"] * factor],
                "text": [f"{wrap(item, 24)}<br>{said}" if row["amount_usd"] > 0.1 * total[side] else ""],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "marker": {"color": PALETTE[at % len(PALETTE)]},
                "hovertemplate": f"{wrap(item, 60)}: {said}<extra></extra>",
            }
        )
    made = layout(height=280, barmode="stack", xaxis=zero_axis(f"[{unit}]"), yaxis=names_axis(), showlegend=True)
    return {"data": data, "layout": made}


def covenants(result: RunResult) -> Figure | None:
    """Each covenant where it is tightest (and where it breaks), as a multiple of its threshold."""
    rows = [row for row in rows_with(rows_of(result, "covenants"), "value", "threshold") if row["threshold"]][:20]
    texts = [
        f"{number(row['value'])} against {number(row['threshold'])} {row.get('unit') or ''}".strip() for row in rows
    ]
    names = [f"{str(row.get('covenant')).replace('_', ' ')}, {row.get('date_end')}" for row in rows]
    colours = [RED if row.get("breached") else BLUE for row in rows]
    return bars(
        names, [row["value"] / row["threshold"] for row in rows], colours, "value over threshold", "x", texts=texts
    )


PROJECT_CHARTS: Mapping[str, Callable[[RunResult], Figure | None]] = {
    "project": flows,
    "debt_service": debt_service,
    "waterfall": waterfall,
    "waterfall_total": waterfall_total,
    "sources_uses": sources_uses,
    "covenants": covenants,
}
