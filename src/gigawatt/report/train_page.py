"""The front of an answer about training as a page of its own."""

from __future__ import annotations

from pathlib import Path

from gigawatt.report.chart_page import write_chart_page
from gigawatt.report.train_charts import front_chart
from gigawatt.study.result import RunResult

NOTE = "Shaded: 80 % range. Every point is a mapping at a precision and in a power mode; more is in the hover."


def write_train_chart(result: RunResult, path: Path) -> Path:
    """Write the chart of tokens/s against joules a token.

    Raises:
        ValueError: the answer holds no front, which none of `study.train.answer` lacks.
    """
    chart = front_chart(result)
    if chart is None:
        raise ValueError("an answer without a front")
    return write_chart_page(chart, result.title, NOTE, path)
