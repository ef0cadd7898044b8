"""The front of an answer about serving as a page of its own."""

from __future__ import annotations

from pathlib import Path

from gigawatt.report.chart_page import write_chart_page
from gigawatt.report.serve_charts import front_chart, service_chart
from gigawatt.study.result import RunResult

NOTE = (
    "Shaded: 80 % range. Full dots meet the SLO, empty ones only its TTFT. Crosses: measured on the same model and chip at "
    "these lengths; engine, layout and source are in the hover."
)


def write_serve_chart(result: RunResult, path: Path) -> Path:
    """Write the chart of interactivity against throughput a chip, or of a service's rate against latency.

    Raises:
        ValueError: the answer holds no front, which none of `study.serve.answer` lacks.
    """
    if "service" in result.manifest:
        chart, head, note = service_chart(result), result.title, "Shaded: 80 % range."
    else:
        chart, head, note = front_chart(result), f"{result.title}: {result.manifest['slo']}", NOTE
    if chart is None:
        raise ValueError("an answer without a front")
    return write_chart_page(chart, head, note, path)
