"""The waterfall of a comparison: bars lie where the levels are, and the axis shows what moves."""

from __future__ import annotations

import pytest

from gigawatt.core.table import Table
from gigawatt.report.compare_charts import waterfall, window
from gigawatt.report.compare_parts import by_metric, shown_metrics, shown_steps
from gigawatt.report.compare_terminal import BAR, _bar
from gigawatt.report.html import page
from gigawatt.study.result import RunResult


@pytest.fixture
def result():
    steps = [
        {"step": "site", "change": "1 -> 2", "value": 3e9, "after": 13e9, "lowest": 2e9, "highest": 4e9, "moves": True},
        {"step": "idle", "change": "x", "value": 0.0, "after": 13e9, "lowest": 0.0, "highest": 0.0, "moves": False},
        {"step": "<b>", "change": "y", "value": -1e9, "after": 12e9, "lowest": None, "highest": None, "moves": True},
    ]
    metrics = [{"name": "system_npv", "a": 10e9, "b": 12e9, "value": 2e9, "change": 0.2, "unit": "USD"}]
    every = [{"metric": "system_npv", "step": row["step"], "value": row["value"], "unit": "USD"} for row in steps]
    tables = {
        "steps": Table.from_rows(
            "steps", steps, list(steps[0]), {"value": "USD", "after": "USD"}, "From A to B", "note"
        ),
        "every_metric": Table.from_rows("every_metric", every, list(every[0])),
    }
    manifest = {
        "question": "compare", "a": 10e9, "b": 12e9, "gap": 2e9, "unit": "USD", "metric": "system_npv", "a_name": "a.yaml",
        "b_name": "b.yaml",
    }  # fmt: skip
    return RunResult(
        "a-to-b", "Why", "said", tables, Table.from_rows("metrics", metrics, list(metrics[0])), {}, manifest
    )


def test_the_chart_is_a_waterfall_of_what_moves(result):
    figure = waterfall(result)
    bars = figure["data"][0]
    assert bars["measure"] == ["absolute", "relative", "relative", "total"]
    assert bars["x"] == pytest.approx([10.0, 3.0, -1.0, 12.0])
    assert bars["y"] == ["A", "site", "&lt;b&gt;", "B"]
    assert "B USD" in figure["layout"]["xaxis"]["title"]["text"]


def test_tables_for_reading(result):
    assert [row["step"] for row in shown_steps(result).rows()] == ["A", "site", "<b>", "B"]
    assert next(shown_metrics(result).rows()) == {
        "metric": "System NPV", "A": "10.0 B USD", "B": "12.0 B USD", "B less A": "+2.00 B USD", "change": "+20.0 %",
    }  # fmt: skip
    assert next(by_metric(result).rows())["site"] == "3.00 B USD"
    assert 'id="chart-steps"' in page(result)


def test_levels_that_lie_close_are_shown_by_themselves():
    assert window([100.0, 40.0]) is None and window([-1.0, 1.0]) is None and window([5.0, 5.0]) is None
    low, high = window([100.0, 101.0, 99.0])
    assert 98 < low < 99 and 101 < high < 102


def test_bars_of_text_stay_on_their_line():
    near = (0.0, 10.0)
    assert len(_bar(0.0, 10.0, near, "=")) == BAR
    assert _bar(10.0, 10.0, near, "|") == " " * (BAR - 1) + "|"
    assert _bar(5.0, 2.5, near, "-") == " " * (BAR // 4) + "-" * (BAR // 4)
    assert all(len(_bar(x, y, near, "+")) <= BAR for x in range(-3, 14) for y in range(-3, 14))
