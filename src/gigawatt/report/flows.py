"""The two Sankey diagrams: watts from the meter to the chips, and cash from payer through account to payee."""

from __future__ import annotations

from typing import Any

from gigawatt.report.numbers import quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, GREY, INK, ORANGE, PALETTE, RED, SKY, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

# Payments below this share of all cash are drawn as one 'other' stream, so that labels keep their room.
SMALLEST_SHARE = 0.004
# With more parties than this on a side, the smallest are drawn as one.
MOST_PARTIES = 16
OTHERS = "other parties"

# What a stage is called says what it is; anything else is grey.
_STAGE_COLOURS = (
    (("chip", "accelerator", "gpu"), GREEN),
    (("cool",), SKY),
    (("loss", "ups", "transformer", "conversion", "distribution"), RED),
    (("meter", "grid"), BLUE),
    (("rack", "it"), BLUE),
    (("network", "switch", "fan", "host", "cpu"), ORANGE),
)


def _stage_colour(stage: str) -> str:
    lowered = stage.lower()
    words = lowered.replace("-", " ").replace("_", " ").split()
    for keys, colour in _STAGE_COLOURS:
        if any(key in words if len(key) <= 3 else key in lowered for key in keys):
            return colour
    return GREY


def power_sankey(result: RunResult) -> Figure | None:
    """Watts from stage to stage; the width of a stream is its watts."""
    links = [row for row in rows_of(result, "power_links") if (row.get("watts") or 0) > 0]
    if not links:
        return None
    names = list(dict.fromkeys(str(name) for row in links for name in (row["source"], row["target"])))
    inflow = {name: sum(row["watts"] for row in links if row["target"] == name) for name in names}
    outflow = {name: sum(row["watts"] for row in links if row["source"] == name) for name in names}
    labels = [f"{wrap(name, 40)}  <b>{quantity(max(inflow[name], outflow[name]), 'W')}</b>" for name in names]
    colours = [_stage_colour(name) for name in names]
    return _sankey(
        labels,
        colours,
        [(names.index(str(r["source"])), names.index(str(r["target"])), float(r["watts"]) / 1e6) for r in links],
        [fade(_stage_colour(str(row["target"])), 0.38) for row in links],
        [f"{row['source']} to {row['target']}: {quantity(row['watts'], 'W')}" for row in links],
        height=max(380, 46 * len(names)),
    )


def cash_sankey(result: RunResult) -> Figure | None:
    """Who pays (left), for what (middle), who gets (right): never a loop, though money may go in a circle."""
    rows = [row for row in rows_of(result, "cash_links") if (row.get("amount_usd") or 0) > 0]
    if not rows:
        return None
    total = sum(row["amount_usd"] for row in rows)
    payers, payees = _largest(rows, "source"), _largest(rows, "target")
    merged: dict[tuple[str, str, str], float] = {}
    for row in rows:
        account = str(row.get("account") or "payments").replace("_", " ")
        key = (
            payers.get(str(row["source"]), OTHERS),
            account if row["amount_usd"] >= SMALLEST_SHARE * total else "other",
            payees.get(str(row["target"]), OTHERS),
        )
        merged[key] = merged.get(key, 0.0) + float(row["amount_usd"])
    parties = list(dict.fromkeys(name for payer, _, payee in merged for name in (payer, payee)))
    colour_of = {name: PALETTE[at % len(PALETTE)] for at, name in enumerate(parties)}
    nodes: dict[tuple[str, str], float] = {}
    links: dict[tuple[tuple[str, str], tuple[str, str]], tuple[float, str]] = {}
    for (payer, account, payee), amount in merged.items():
        ends = (("pays", payer), ("for", account), ("gets", payee))
        for end in ends:
            nodes[end] = nodes.get(end, 0.0) + amount
        for pair in ((ends[0], ends[1]), (ends[1], ends[2])):
            before = links.get(pair, (0.0, ""))[0]
            links[pair] = (before + amount, colour_of[payer])
    order = list(nodes)
    return _sankey(
        [f"{wrap(name, 40)}  <b>{quantity(nodes[side, name], 'USD')}</b>" for side, name in order],
        [GREY if side == "for" else colour_of[name] for side, name in order],
        [(order.index(a), order.index(b), amount / 1e9) for (a, b), (amount, _) in links.items()],
        [fade(colour, 0.38) for _, colour in links.values()],
        [f"{a[1]} - {b[1]}: {quantity(amount, 'USD')}" for (a, b), (amount, _) in links.items()],
        height=max(420, 44 * max(sum(side == which for side, _ in order) for which in ("pays", "for", "gets"))),
        heads=True,
    )


def _largest(rows: list[dict[str, Any]], side: str) -> dict[str, str]:
    """The parties of one side that are drawn by name: all, or of too many those with most money."""
    money: dict[str, float] = {}
    for row in rows:
        money[str(row[side])] = money.get(str(row[side]), 0.0) + float(row["amount_usd"])
    named = (
        list(money) if len(money) <= MOST_PARTIES else sorted(money, key=lambda name: -money[name])[: MOST_PARTIES - 1]
    )
    return {name: name for name in named}


def _sankey(
    labels: list[str],
    colours: list[str],
    links: list[tuple[int, int, float]],
    link_colours: list[str],
    hover: list[str],
    height: int,
    heads: bool = False,
) -> Figure:
    node: dict[str, Any] = {
        "label": labels,
        "color": colours,
        "pad": 24,
        "thickness": 16,
        "line": {"color": "#ffffff", "width": 0.5},
        "hovertemplate": "%{label}<extra></extra>",
    }
    marks = []
    if heads:
        marks = [
            {
                "text": f"<b>{words}</b>",
                "x": x,
                "y": 1.0,
                "xref": "paper",
                "yref": "paper",
                "xanchor": anchor,
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"color": INK, "size": 13},
            }
            for words, x, anchor in (("who pays", 0, "left"), ("for what", 0.5, "center"), ("who gets", 1, "right"))
        ]
    return {
        "data": [
            {
                "type": "sankey",
                "arrangement": "snap",
                "node": node,
                "link": {
                    "source": [a for a, _, _ in links],
                    "target": [b for _, b, _ in links],
                    "value": [value for _, _, value in links],
                    "color": link_colours,
                    "customdata": hover,
                    "hovertemplate": "%{customdata}<extra></extra>",
                },
            }
        ],
        "layout": layout(height=height, margin={"l": 8, "r": 8, "t": 34, "b": 16}, annotations=marks),
    }
