"""The front of an answer about serving as a page of its own."""

from __future__ import annotations

from pathlib import Path

from gigawatt.report.chart_page import write_chart_page
from gigawatt.report.serve_charts import front_chart
from gigawatt.study.result import RunResult

NOTE = (
    "Shaded: 80 % range. Full dots meet the SLO, empty ones only its TTFT. Crosses: measured on the same model and chip at "
    "these lengths; engine, layout and source are in the hover."
)


def write_serve_chart(result: RunResult, path: Path) -> Path:
    """Write the chart of interactivity against throughput a chip.

    Raises:
        ValueError: the answer holds no front, which none of `study.serve.answer` lacks.
    """
    chart = front_chart(result)
    if chart is None:
        raise ValueError("an answer without a front")
    return write_chart_page(chart, f"{result.title}: {result.manifest['slo']}", NOTE, path)
