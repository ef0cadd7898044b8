"""A sweep as one sees it: the bar while it runs, lines for logs, charts of hard cases."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from gigawatt.core.table import Table
from gigawatt.report.html import page
from gigawatt.report.money_charts import chart_of
from gigawatt.report.sweep_terminal import Bar, Line, best_words, progress_words, render_sweep
from gigawatt.study.result import RunResult
from gigawatt.study.sweep import Tally

PRICE = "site.energy_price"


def tally(done=60, found=20, **statuses):
    counted = statuses or {"ok": done}
    return Tally("system_npv", False, 100, "USD", done, found, counted, 1.5e9, {PRICE: "30 USD/MWh"})


def test_rate_and_time_left_count_what_was_done_since_the_start():
    said = progress_words(tally(), 10.0)
    assert said == "60 of 100  4/s  10 s left  100% feasible"
    assert progress_words(tally(ok=45, infeasible=10, failed=5), 10.0).endswith("75% feasible  5 failed")
    assert progress_words(tally(0, 0), 0.0) == "0 of 100"
    assert best_words(tally()) == "system_npv 1.50 B USD at site.energy_price=30 USD/MWh"
    assert best_words(Tally("x", False, 1)) == ""


def test_the_bar_at_a_terminal():
    out = io.StringIO()
    with Bar(Console(file=out, force_terminal=True, width=100)) as bar:
        bar.say("reading the question")
        bar.tick(tally(), 10.0)
        bar.live.refresh()
        shown = out.getvalue()
    assert "60 of 100" in shown and "10 s left" in shown and "best: system_npv 1.50 B USD" in shown


def test_lines_for_a_log_come_now_and_then_and_at_the_end():
    out = io.StringIO()
    with Line(Console(file=out, width=100)) as line:
        for second in range(40):
            line.tick(tally(second, 0, ok=second), float(second))
        line.tick(tally(100, 0), 41.0)
    lines = out.getvalue().splitlines()
    assert len(lines) == 4 and lines[-1].startswith("100 of 100")


def made(best=None, levels=(), cells=(), statuses=()):
    """A result with a few rows of each table."""
    tables = {
        "best": best
        or Table("best", {"index": [0], "system_npv": [1.0e9], PRICE: [30.0]}, {"system_npv": "USD", PRICE: "USD/MWh"}),
        "levels": Table.from_rows(
            "levels", levels, ["input", "level", "at", "at_unit", "runs", "feasible", "mean", "low", "high"]
        ),
        "cells": Table.from_rows(
            "cells", cells, ["x", "y", "mean", "runs", "feasible"], {}, "", "x: a; y: b; the mean."
        ),
        "statuses": Table.from_rows("statuses", statuses, ["status", "meaning", "runs", "share", "most_often"]),
    }
    metrics = Table(
        "metrics", {"name": ["system_npv"], "value": [1.0e9], "unit": ["USD"], "low": [None], "high": [None]}
    )
    manifest = {"question": "sweep", "metric": "system_npv", "units": {"system_npv": "USD"}}
    kept = {name: table for name, table in tables.items() if len(table)}
    return RunResult("swept", "Swept", "One line.", kept, metrics, {"next": ["gigawatt query 'x' --run DIR"]}, manifest)


def level(name, words, mean, at=None, runs=4, feasible=4):
    return {"input": name, "level": words, "at": at, "at_unit": "MW", "runs": runs, "feasible": feasible,
            "mean": mean, "low": None if mean is None else mean - 1, "high": None if mean is None else mean + 1}  # fmt: skip


def test_levels_without_anything_feasible_are_left_out_of_charts_and_nothing_is_nan():
    rows = [level("x", "1 MW", 5.0, 1.0), level("x", "2 MW", None, 2.0, feasible=0), level("y", "<b>", 3.0)]
    result = made(levels=rows, cells=[{"x": "1", "y": "1", "mean": None, "runs": 2, "feasible": 0},
                                      {"x": "1", "y": "2", "mean": 7.0, "runs": 2, "feasible": 1}])  # fmt: skip
    chart = chart_of(result, "levels")
    points = [trace for trace in chart["data"] if "customdata" in trace]
    assert [list(trace["y"]) for trace in points] == [[5.0], [3.0]]
    assert points[1]["x"] == ["&lt;b&gt;"]
    heat = chart_of(result, "cells")["data"][0]
    assert heat["z"] == [[None], [7.0]] and heat["text"][0] == ["x"]
    text = page(result)
    assert "<b></td>" not in text and "NaN" not in json.dumps(chart)


def test_a_chart_of_statuses_only_where_some_have_none():
    one = [{"status": "ok", "meaning": "answered", "runs": 3, "share": 1.0, "most_often": None}]
    two = [
        *one,
        {"status": "infeasible", "meaning": "infeasible: no plan fits", "runs": 1, "share": 0.25, "most_often": "dear"},
    ]
    assert chart_of(made(statuses=one), "statuses") is None
    assert chart_of(made(statuses=two), "statuses")["data"][0]["x"] == [3.0, 1.0]


@pytest.mark.parametrize("width", [60, 100])
def test_the_terminal_keeps_its_width_and_names_the_folder(width, tmp_path):
    out = io.StringIO()
    render_sweep(made(levels=[level("x", "1 MW", 5.0, 1.0)]), Console(file=out, width=width), tmp_path)
    lines = out.getvalue().splitlines()
    assert all(len(line) <= width for line in lines if not line.startswith(("report", "next")))
    assert f"--run {tmp_path}" in lines[-1]
