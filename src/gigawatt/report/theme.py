"""Colours and the common layout of every chart."""

from __future__ import annotations

import html
import textwrap
from typing import Any

Figure = dict[str, Any]

INK = "#1b2733"
MUTED = "#5b6875"
LINE = "#e3e8ed"
GREY = "#a9b4be"
# Okabe & Ito's set: told apart under every common colour blindness, and in print.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"
PALETTE = (BLUE, ORANGE, GREEN, RED, SKY, PINK, "#7F7F7F", YELLOW)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def layout(height: int, **more: Any) -> dict[str, Any]:
    """The common ground of a chart: white, dark text, room for labels, the legend on top."""
    legend = bool(more.get("showlegend"))
    return {
        "height": height if legend else height - 20,
        "autosize": True,
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 10, "r": 24, "t": 36 if legend else 12, "b": 10},
        "showlegend": False,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": GREY, "font": {"color": INK}},
        "bargap": 0.28,
        **more,
    }


def wrap(text: str, width: int = 26) -> str:
    """A label in lines of `width`; markup in a name stays text (Plotly reads a small HTML in labels)."""
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width) or [""])


def fade(colour: str, alpha: float) -> str:
    """A hex colour as rgba.

    >>> fade("#0072B2", 0.4)
    'rgba(0,114,178,0.4)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
