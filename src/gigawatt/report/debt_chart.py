"""Debt service as panels, one a borrower: what is owed as bars, what is there to pay it as a line, cover on the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gigawatt.report.chart_parts import axis, dates_axis, note, panel_axes, panel_height, scale_of, value_of, zero_axis
from gigawatt.report.numbers import quantity
from gigawatt.report.theme import BLUE, GREEN, INK, ORANGE, Figure, layout, wrap

COVER_SHOWN = 4.0  # a DSCR above this is drawn at the edge; what it is stands in the table


def debt_figure(found: list[tuple[str, list[dict[str, Any]]]]) -> Figure | None:
    """The panels of `debt_panels`, one a borrower with its rows."""
    if not found:
        return None
    across = min(2, len(found))
    domains = panel_axes(len(found), across)
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    words = []
    for at, ((_, x_domain, y_domain), (name, rows)) in enumerate(zip(domains, found, strict=True)):
        left, right = str(2 * at + 1) if at else "", str(2 * at + 2)
        x_domain = [x_domain[0], x_domain[1] - 0.04]
        days = [str(row.get("date_end") or row.get("period")) for row in rows]
        have = [value_of(row.get("cfads_usd")) for row in rows]
        factor, unit = scale_of([*map(due_usd, rows), *have])
        here = {"xaxis": f"x{left}", "yaxis": f"y{left}", "showlegend": at == 0}
        for column, label, colour in (("interest_usd", "interest", ORANGE), ("principal_usd", "principal", BLUE)):
            data.append(
                {
                    "type": "bar",
                    "name": label,
                    "legendgroup": label,
                    "x": days,
                    "y": [row[column] * factor for row in rows],
                    "marker": {"color": colour},
                    "hovertemplate": f"%{{x}}, {label}: %{{y:,.3g}} {unit}<extra></extra>",
                    **here,
                }
            )
        line = {"type": "scatter", "mode": "lines", "x": days}
        if any(v is not None for v in have):
            data.append(
                line
                | here
                | {
                    "name": "cash to serve it (CFADS)",
                    "legendgroup": "cfads",
                    "y": [None if v is None else v * factor for v in have],
                    "line": {"color": GREEN, "width": 2.5},
                    "hovertemplate": f"%{{x}}, CFADS: %{{y:,.3g}} {unit}<extra></extra>",
                }
            )
        cover = [value_of(row.get("dscr")) for row in rows]
        if any(v is not None for v in cover):
            data.append(
                line
                | here
                | {
                    "name": "DSCR (right)",
                    "legendgroup": "dscr",
                    "yaxis": f"y{right}",
                    "y": [None if v is None else min(max(v, -1.0), COVER_SHOWN) for v in cover],
                    "customdata": ["" if v is None else quantity(v, "x") for v in cover],
                    "line": {"color": INK, "width": 1.5, "dash": "dot"},
                    "hovertemplate": "%{x}, DSCR: %{customdata}<extra></extra>",
                }
            )
        axes[f"xaxis{left}"] = dates_axis(domain=x_domain, anchor=f"y{left}", tickformat="%Y") | (
            {} if all("-" in day for day in days) else {"type": "category", "tickformat": ""}
        )
        axes[f"yaxis{left}"] = zero_axis("", domain=y_domain, anchor=f"x{left}", nticks=6)
        axes[f"yaxis{right}"] = axis(
            "",
            overlaying=f"y{left}",
            side="right",
            anchor=f"x{left}",
            showgrid=False,
            range=[0, COVER_SHOWN],
            tickvals=[0, 1, 2, 3, 4],
            ticksuffix=" x",
        )
        title = f"<b>{wrap(name, 30)}</b> [{unit}]"
        words.append(note(title, x_domain[0], y_domain[1], font={"size": 12, "color": INK}))
    height = panel_height(len(found), across, 270) + 20
    made = layout(
        height=height,
        barmode="stack",
        showlegend=True,
        annotations=words,
        **axes,
        margin={"l": 10, "r": 24, "t": 64, "b": 10},
    )
    made["legend"] |= {"y": 1 + 30 / height, "yref": "paper"}
    return {"data": data, "layout": made}


def due_usd(row: Mapping[str, Any]) -> float:
    """Interest and principal of a period."""
    return float(abs(row["interest_usd"]) + abs(row["principal_usd"]))
