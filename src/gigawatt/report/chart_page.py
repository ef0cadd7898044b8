"""One chart as a page of its own that opens anywhere: no network, Plotly's JavaScript inside."""

from __future__ import annotations

import html
import json
from pathlib import Path

from gigawatt.report.html import plotly_js
from gigawatt.report.theme import FONT, Figure

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ margin: 24px auto; max-width: 1100px; font-family: {font}; color: #1b2733 }}
h1 {{ font-size: 1.3rem }} p {{ color: #5b6875 }}</style>
</head><body><h1>{title}</h1><div id="chart"></div><p>{note}</p>
<script>{plotly}</script>
<script>const figure = {figure};
Plotly.newPlot("chart", figure.data, figure.layout, {{responsive: true, displaylogo: false}});</script>
</body></html>
"""


def write_chart_page(figure: Figure, title: str, note: str, path: Path) -> Path:
    """Write the page, parents included, and return its path."""
    text = json.dumps(figure, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    page = PAGE.format(title=html.escape(title), note=html.escape(note), font=FONT, plotly=plotly_js(), figure=text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path
