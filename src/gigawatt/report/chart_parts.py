"""What the charts of money and markets have in common: axes, lines with a band, bars with whiskers, rows of small panels.

Everything is a plain Plotly dict. A value that is missing or not finite is left out, so that no chart holds NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gigawatt.report.numbers import canonical, quantity, scaled
from gigawatt.report.theme import INK, LINE, MUTED, PALETTE, Figure, fade, layout, wrap

DASHES = ("solid", "dash", "dot", "dashdot")


def value_of(value: Any) -> float | None:
    """The number, or None where there is none.

    >>> value_of(3), value_of(float("nan")), value_of("x"), value_of(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def rows_with(rows: Sequence[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Those rows in which every one of these columns is a number."""
    return [row for row in rows if all(value_of(row.get(name)) is not None for name in names)]


def scale_of(values: Sequence[Any], unit: str = "USD") -> tuple[float, str]:
    """(factor, unit shown) for the largest of `values`.

    >>> scale_of([1e9, None, -4e10])
    (1e-09, 'B USD')
    """
    return scaled(canonical(unit), max((abs(x) for v in values if (x := value_of(v)) is not None), default=0.0))


# Ticks that are not seen keep labels off the bars, and the labels of both axes apart in the corner.
ROOM: dict[str, Any] = {"ticks": "outside", "ticklen": 6, "tickcolor": "rgba(0,0,0,0)"}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """A value axis."""
    return {"title": {"text": title}, "gridcolor": LINE, "zeroline": False, "automargin": True, **ROOM, **more}


def zero_axis(title: str, **more: Any) -> dict[str, Any]:
    """A value axis on which zero stands out."""
    return axis(title, zeroline=True, zerolinecolor=INK, zerolinewidth=1.5, **more)


def names_axis(**more: Any) -> dict[str, Any]:
    """The names of horizontal bars, the first on top."""
    return {
        "autorange": "reversed",
        "automargin": True,
        "ticksuffix": "  ",
        "showgrid": False,
        "type": "category",
        **ROOM,
        **more,
    }


def steps_axis(names: Sequence[str], **more: Any) -> dict[str, Any]:
    """Named quarters in their order; of many only some are written."""
    every = max(1, math.ceil(len(names) / 14))
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(names),
        "tickvals": list(names[::every]),
        "gridcolor": LINE,
        "automargin": True,
        **ROOM,
        **more,
    }


def dates_axis(**more: Any) -> dict[str, Any]:
    """Days as months."""
    return {"type": "date", "gridcolor": LINE, "tickformat": "%b %Y", "automargin": True, **more}


def line(name: str, x: Sequence[Any], y: Sequence[Any], at: int, unit: str, **more: Any) -> dict[str, Any]:
    """One line; the `at`-th of its chart has the `at`-th colour."""
    style = {"color": PALETTE[at % len(PALETTE)], "width": 2.5, "dash": DASHES[at // len(PALETTE) % len(DASHES)]}
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "name": wrap(name, 60),
        "x": list(x),
        "y": [value_of(value) for value in y],
        "line": style,
        "hovertemplate": f"%{{x}}, {wrap(name, 60)}: %{{y:,.3g}} {unit}<extra></extra>",
        **more,
    }


def band(x: Sequence[Any], low: Sequence[Any], high: Sequence[Any], colour: str, **more: Any) -> list[dict[str, Any]]:
    """Two unseen lines with the colour between them; where an end is missing the band is."""
    kept = [
        (x, lo, hi) for x, a, b in zip(x, low, high, strict=True) if None not in (lo := value_of(a), hi := value_of(b))
    ]
    if not kept:
        return []
    common = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    xs = [point[0] for point in kept]
    upper = {**common, "x": xs, "y": [point[2] for point in kept], **more}
    lower = {
        **common,
        "x": xs,
        "y": [point[1] for point in kept],
        "fill": "tonexty",
        "fillcolor": fade(colour, 0.2),
        **more,
    }
    return [upper, lower]


def whiskers(values: Sequence[float], lows: Sequence[Any], highs: Sequence[Any]) -> dict[str, Any]:
    """Plotly's error bars are distances from the value, never below zero."""
    plus = [max(0.0, (value_of(high) or value) - value) for value, high in zip(values, highs, strict=True)]
    minus = [
        max(0.0, value - (value if value_of(low) is None else float(low)))
        for value, low in zip(values, lows, strict=True)
    ]
    look = {"color": INK, "thickness": 1.5, "width": 5, "visible": any(plus) or any(minus)}
    return {"type": "data", "symmetric": False, "array": plus, "arrayminus": minus, **look}


def marks(
    names: Sequence[str],
    values: Sequence[float],
    words: str,
    colour: str,
    unit: str,
    lows: Sequence[Any],
    highs: Sequence[Any],
    size: int = 11,
) -> dict[str, Any]:
    """A mark a name, beside each other along x, with whiskers where ends are given."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": words,
        "y": list(names),
        "x": list(values),
        "marker": {"size": size, "color": colour},
        "error_x": whiskers(values, lows, highs),
        "hovertemplate": f"%{{y}}, {words}: %{{x:,.3g}} {unit}<extra></extra>",
    }


def bars(
    names: Sequence[str],
    values: Sequence[float],
    colours: Sequence[str] | str,
    title: str,
    unit: str,
    lows: Sequence[Any] | None = None,
    highs: Sequence[Any] | None = None,
    texts: Sequence[str] | None = None,
) -> Figure | None:
    """Horizontal bars with their value (or `texts`) beside them, and whiskers where ends are given."""
    if not names:
        return None
    factor, shown = scale_of([*values, *(lows or ()), *(highs or ())], unit)
    lengths = [value * factor for value in values]
    said = list(texts) if texts is not None else [quantity(value, unit) for value in values]
    bar: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": [wrap(name, 34) for name in names],
        "x": lengths,
        "text": [wrap(text, 60) for text in said],
        "textposition": "none" if lows is not None else "auto",
        "marker": {"color": colours if isinstance(colours, str) else list(colours)},
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }
    if lows is not None and highs is not None:
        bar["error_x"] = whiskers(
            lengths,
            [None if v is None else v * factor for v in lows],
            [None if v is None else v * factor for v in highs],
        )
    return {
        "data": [bar],
        "layout": layout(height=100 + 40 * len(names), xaxis=zero_axis(f"{title} [{shown}]"), yaxis=names_axis()),
    }


def panel_axes(count: int, across: int) -> list[tuple[str, list[float], list[float]]]:
    """(axis suffix, x domain, y domain) of each of `count` small panels, row by row from the top."""
    down = math.ceil(count / across)
    gap_x, gap_y = 0.07, min(0.34 / down, 0.16) if down > 1 else 0.0
    wide, high = (1 - gap_x * (across - 1)) / across, (1 - gap_y * (down - 1)) / down
    out = []
    for at in range(count):
        row, column = divmod(at, across)
        left, top = column * (wide + gap_x), 1 - row * (high + gap_y)
        out.append(("" if at == 0 else str(at + 1), [left, min(left + wide, 1.0)], [max(top - high, 0.0), top]))
    return out


def note(text: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    """Words on the chart, without an arrow."""
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12, "color": MUTED},
        **more,
    }


def panel_height(count: int, across: int, each: int = 190) -> int:
    """Room for `count` panels."""
    return 60 + each * math.ceil(count / across)
