"""Who is bound to whom: parties as dots, and arrows between them for what one pays, owns, lends to or guarantees for another.

The places are found by stress majorisation (Gansner, Koren and North, 2004): distances in the drawing follow the number of
steps between two parties, from a circle as the start, so that the same network is always drawn the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.report.chart_parts import value_of
from gigawatt.report.numbers import quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREEN, GREY, INK, ORANGE, PINK, Figure, fade, layout, wrap
from gigawatt.study.result import RunResult

Array = NDArray[np.float64]

COLOURS = {"pays": BLUE, "owns": GREEN, "lends": ORANGE, "guarantees": PINK}
WIDE, HIGH = 10.0, 5.6  # of the drawing, in its own units
MOST_PARTIES = 32
MOST_AMOUNTS = 16  # with more links only the largest say their amount on the drawing
BEND = 0.13  # of its length that a link stands off the straight line
STEPS = 200
TIGHTEST = 1.1  # of the drawing's units, between two parties


def positions(names: Sequence[str], links: Sequence[tuple[str, str]]) -> Array:
    """Places of the parties, [n, 2], within a box of WIDE by HIGH; the same for the same names and links.

    >>> positions(["a"], []).tolist()
    [[5.0, 2.8]]
    """
    count = len(names)
    if count == 1:
        return np.array([[WIDE / 2, HIGH / 2]])
    steps = _steps(names, links)
    ring = _round(names, links)
    turn = 2 * math.pi * np.array([ring.index(name) for name in names]) / count
    place = np.stack((np.cos(turn), np.sin(turn)), axis=1) * steps.max() / 2
    weight = np.divide(1.0, steps**2, out=np.zeros_like(steps), where=steps > 0)
    for _ in range(STEPS):
        gap = place[:, None, :] - place[None, :, :]
        apart = np.maximum(np.sqrt((gap**2).sum(axis=2)), 1e-9)
        pull = place[None, :, :] + gap * (steps / apart)[:, :, None]
        place = (weight[:, :, None] * pull).sum(axis=1) / weight.sum(axis=1)[:, None]
    return _apart(_boxed(_laid(place)))


def _steps(names: Sequence[str], links: Sequence[tuple[str, str]]) -> Array:
    """Distance between every two parties along links, those of separate parts a little beyond the longest.

    A link between two parties with many links is longer, so that the middle keeps its room.
    """
    count = len(names)
    at = {name: k for k, name in enumerate(names)}
    steps = np.full((count, count), np.inf)
    np.fill_diagonal(steps, 0.0)
    pairs = {frozenset(pair) for pair in links if pair[0] != pair[1]}
    degree = {name: sum(name in pair for pair in pairs) for name in names}
    for a, b in map(tuple, pairs):
        steps[at[a], at[b]] = steps[at[b], at[a]] = 0.6 + 0.3 * math.sqrt(min(degree[a], degree[b]))
    for k in range(count):
        steps = np.minimum(steps, steps[:, k : k + 1] + steps[k : k + 1, :])
    longest = float(np.max(steps, where=np.isfinite(steps), initial=1.0))
    return np.where(np.isfinite(steps), steps, longest + 1.0)


def _round(names: Sequence[str], links: Sequence[tuple[str, str]]) -> list[str]:
    """The parties in an order in which neighbours on the circle are linked where they can be."""
    beside: dict[str, list[str]] = {name: [] for name in names}
    for a, b in links:
        beside[a].append(b)
        beside[b].append(a)
    left = sorted(names, key=lambda name: (-len(beside[name]), name))
    out: list[str] = []
    while left:
        near = [name for name in (beside[out[-1]] if out else ()) if name in left]
        out.append(min(near, key=lambda name: (len(beside[name]), name)) if near else left[0])
        left.remove(out[-1])
    return out


def _laid(place: Array) -> Array:
    """Turned so that the longest direction lies flat."""
    centred = place - place.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    flat = vectors[:, np.argsort(-values)]
    # The sign of an eigenvector is arbitrary: the first party of weight stands left and above.
    turned = centred @ flat
    for axis in (0, 1):
        column = turned[:, axis]
        first = int(np.argmax(np.abs(column) > 1e-6 * np.abs(column).max()))
        if (column[first] > 0) == (axis == 0):
            turned[:, axis] = -column
    return np.asarray(turned)


def _boxed(place: Array) -> Array:
    """Stretched to the drawing; one that lies on a line is set in the middle."""
    low, span = place.min(axis=0), np.ptp(place, axis=0)
    size = np.array([WIDE, HIGH])
    unit = np.divide(place - low, span, out=np.full_like(place, 0.5), where=span > 1e-9)
    return np.asarray(unit * size)


def _apart(place: Array) -> Array:
    """Parties that would lie on each other pushed apart, then back into the drawing; names are wider than high."""
    flat = np.array([0.75, 1.35])
    for _ in range(120):
        gap = (place[:, None, :] - place[None, :, :]) * flat
        far = np.sqrt((gap**2).sum(axis=2))
        np.fill_diagonal(far, np.inf)
        near = far < TIGHTEST
        if not near.any():
            break
        # Two at one place part along a direction of their own.
        turn = np.arange(len(place), dtype=np.float64)
        aside = np.stack((np.cos(turn), np.sin(turn)), axis=1)[:, None, :]
        way = np.where(far[:, :, None] > 1e-9, gap / np.maximum(far, 1e-9)[:, :, None], aside)
        push = np.where(near, 0.3 * (TIGHTEST - far), 0.0)
        push[~near] = 0.0
        place = place + (way * push[:, :, None]).sum(axis=1) / flat
        place = np.clip(place, 0.0, np.array([WIDE, HIGH]))
    return np.asarray(place)


def network(result: RunResult) -> Figure | None:
    """Parties and the links between them; colour says the relation, width the amount, dashes a letter of intent."""
    rows = [row for row in rows_of(result, "network") if row.get("source") and row.get("target")]
    if not rows:
        return None
    rows = sorted(rows, key=lambda row: -_amount(row))
    names: list[str] = []
    for row in rows:
        names += [name for name in (str(row["source"]), str(row["target"])) if name not in names]
    names = names[:MOST_PARTIES]
    rows = [row for row in rows if str(row["source"]) in names and str(row["target"]) in names]
    links = [(str(row["source"]), str(row["target"])) for row in rows]
    place = dict(zip(names, positions(names, links), strict=True))
    largest = max(_amount(row) for row in rows) or 1.0
    size = _sizes(names, rows)
    data, marks = _legend(rows), []
    taken: dict[frozenset[str], int] = {}
    for at, row in enumerate(rows):
        ends = (str(row["source"]), str(row["target"]))
        if ends[0] == ends[1]:
            continue
        pair = frozenset(ends)
        nth = taken[pair] = taken.get(pair, -1) + 1
        bend = BEND * (1 + nth // 2) * (1 if nth % 2 == 0 else -1) * (1 if ends[0] < ends[1] else -1)
        curve = _curve(place[ends[0]], place[ends[1]], bend)
        width = 1.4 + 5.6 * math.sqrt(_amount(row) / largest)
        data += _link(row, curve, width)
        marks.append(_head(row, curve, width, size[ends[1]] / 2))
        if at < MOST_AMOUNTS and _amount(row) > 0:
            marks.append(_said(row, curve))
    data.append(_dots(names, place, rows, size))
    marks += [_name(name, place[name]) for name in names]
    height = 420 if len(names) <= 5 else 620 if len(names) <= 14 else 820
    plain = {"visible": False, "fixedrange": True}
    return {
        "data": data,
        "layout": layout(
            height=height,
            xaxis={**plain, "range": [-0.9, WIDE + 0.9]},
            yaxis={**plain, "range": [-0.6, HIGH + 0.5]},
            annotations=marks,
            showlegend=True,
            hovermode="closest",
        ),
    }


def _amount(row: dict[str, Any]) -> float:
    return abs(value_of(row.get("amount_usd")) or 0.0)


def _colour(row: dict[str, Any]) -> str:
    return COLOURS.get(str(row.get("relation")), GREY)


def _words(row: dict[str, Any]) -> str:
    said = quantity(_amount(row), "USD") if _amount(row) else "no amount stated"
    intent = ", letter of intent" if row.get("status") == "intent" else ""
    return f"{wrap(str(row['source']))} {wrap(str(row['relation']))} {wrap(str(row['target']))}: {said}{intent}"


def _curve(start: Array, end: Array, bend: float) -> Array:
    """A quadratic curve from start to end, [points, 2], bent to the left of its way by a share of its length."""
    way = end - start
    middle = (start + end) / 2 + 2 * bend * np.array([-way[1], way[0]])
    t = np.linspace(0.0, 1.0, 25)[:, None]
    return np.asarray((1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end)


def _link(row: dict[str, Any], curve: Array, width: float) -> list[dict[str, Any]]:
    """The line, and unseen dots along its middle that say what it is."""
    look = {
        "color": fade(_colour(row), 0.75),
        "width": width,
        "dash": "dash" if row.get("status") == "intent" else "solid",
    }
    common = {"type": "scatter", "showlegend": False}
    body = curve[:-2]  # the head covers the last of it
    return [
        common
        | {"mode": "lines", "x": body[:, 0].tolist(), "y": body[:, 1].tolist(), "line": look, "hoverinfo": "skip"},
        common
        | {
            "mode": "markers",
            "x": curve[8:17:2, 0].tolist(),
            "y": curve[8:17:2, 1].tolist(),
            "marker": {"size": 14, "color": fade(_colour(row), 0.0)},
            "hovertemplate": _words(row) + "<extra></extra>",
        },
    ]


def _head(row: dict[str, Any], curve: Array, width: float, radius: float) -> dict[str, Any]:
    tip, tail = curve[-1], curve[-4]
    return {
        "x": float(tip[0]),
        "y": float(tip[1]),
        "ax": float(tail[0]),
        "ay": float(tail[1]),
        "xref": "x",
        "yref": "y",
        "axref": "x",
        "ayref": "y",
        "text": "",
        "showarrow": True,
        "arrowhead": 2,
        "arrowsize": max(0.7, 1.5 - 0.12 * width),
        "arrowwidth": width,
        "arrowcolor": _colour(row),
        "standoff": radius,
    }


def _said(row: dict[str, Any], curve: Array) -> dict[str, Any]:
    """The amount on the link's middle."""
    x, y = curve[len(curve) // 2]
    return {
        "x": float(x),
        "y": float(y),
        "xref": "x",
        "yref": "y",
        "text": quantity(_amount(row), "USD").removesuffix(" USD"),
        "showarrow": False,
        "font": {"size": 11, "color": _colour(row)},
        "bgcolor": "rgba(255,255,255,0.85)",
        "borderpad": 1,
    }


def _sizes(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Width of each party's dot, in pixels, by the money of its links."""
    weight = {name: sum(_amount(r) for r in rows if name in (str(r["source"]), str(r["target"]))) for name in names}
    most = max(weight.values()) or 1.0
    return {name: 12 + 14 * math.sqrt(weight[name] / most) for name in names}


def _dots(
    names: Sequence[str], place: dict[str, Array], rows: Sequence[dict[str, Any]], size: dict[str, float]
) -> dict[str, Any]:
    hover = []
    for name in names:
        mine = [_words(row) for row in rows if name in (str(row["source"]), str(row["target"]))]
        more = [f"and {len(mine) - 10} more"] if len(mine) > 10 else []
        hover.append("<br>".join([f"<b>{wrap(name)}</b>", *mine[:10], *more]))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(place[name][0]) for name in names],
        "y": [float(place[name][1]) for name in names],
        "marker": {
            "size": [size[name] for name in names],
            "color": INK,
            "opacity": 1.0,
            "line": {"color": "#ffffff", "width": 2},
        },
        "customdata": hover,
        "hovertemplate": "%{customdata}<extra></extra>",
        "showlegend": False,
    }


def _name(name: str, place: Array) -> dict[str, Any]:
    return {
        "x": float(place[0]),
        "y": float(place[1]),
        "xref": "x",
        "yref": "y",
        "text": f"<b>{wrap(name, 18)}</b>",
        "showarrow": False,
        "yanchor": "top" if place[1] < HIGH / 2 else "bottom",
        "yshift": -13 if place[1] < HIGH / 2 else 13,
        "font": {"size": 13, "color": INK},
        "bgcolor": "rgba(255,255,255,0.85)",
        "borderpad": 1,
    }


def _legend(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line of each relation that there is, and the dashes of an intent."""
    found = [
        (name, name, colour, "solid") for name, colour in COLOURS.items() if any(r["relation"] == name for r in rows)
    ]
    if any(row.get("status") == "intent" for row in rows):
        found.append(("intent", "letter of intent", GREY, "dash"))
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": words,
            "x": [None],
            "y": [None],
            "line": {"color": colour, "width": 3, "dash": dash},
            "hoverinfo": "skip",
        }
        for _, words, colour, dash in found
    ]
