"""The chart of an answer about a network as a page of its own."""

from __future__ import annotations

from pathlib import Path

from gigawatt.core.errors import InputError, Problem
from gigawatt.report.chart_page import write_chart_page
from gigawatt.report.net_charts import across_chart, busbw_chart
from gigawatt.study.result import RunResult

NOTE = (
    "Shaded: 80 % range. Dots: published points of the same accelerator, domain, collective and number of chips; the source "
    "and the machine are in the hover. Sizes and bus bandwidth as nccl-tests counts them."
)


def write_net_chart(result: RunResult, path: Path) -> Path:
    """Write the chart of bus bandwidth, or of sites where those were asked about alone.

    Raises:
        InputError: a single point, which makes no line.
    """
    chart = busbw_chart(result)
    note = NOTE
    if chart is None:
        chart = across_chart(result)
        note = str(result.tables["across"].note) if "across" in result.tables else ""
    if chart is None:
        hint = "--size 1KiB..16GiB, or several --chips"
        raise InputError(Problem("nothing_to_draw", "one size and one number of chips make no line", None, (hint,)))
    return write_chart_page(chart, result.title, note, path)
