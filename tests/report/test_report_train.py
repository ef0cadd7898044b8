"""Charts and tables of an answer about training: bands around fronts, parts that sum, every part shown."""

from __future__ import annotations

import io
import itertools
import json

import pytest
from rich.console import Console

from gigawatt.report.html import page
from gigawatt.report.train_charts import front_chart, memory_chart, schedule_chart, time_chart
from gigawatt.report.train_page import write_train_chart
from gigawatt.report.train_parts import bar, shown_front, shown_job, shown_memory, shown_time, side_by_side
from gigawatt.report.train_terminal import render_train
from gigawatt.study.train import answer, read_question


@pytest.fixture(scope="module")
def result():
    asked = read_question("llama3-70b", on="hgx-b200,hgx-h100", gpus="512", batch="512", tokens="2T", mapping="pp4")
    return answer(asked)


def test_a_front_lies_in_its_band_and_every_platform_has_one(result):
    chart = front_chart(result)
    json.dumps(chart, allow_nan=False)
    lines = [trace for trace in chart["data"] if trace.get("mode") == "lines+markers"]
    assert [line["name"] for line in lines] == ["hgx-b200", "hgx-h100"]
    shades = [trace for trace in chart["data"] if trace.get("line") == {"width": 0}]
    for line, high, low in zip(lines, shades[::2], shades[1::2], strict=True):
        assert all(lo <= y <= hi for lo, y, hi in zip(low["y"], line["y"], high["y"], strict=True))
    stars = [trace for trace in chart["data"] if trace.get("marker", {}).get("symbol") == "star"]
    assert len(stars) == 2


def test_where_a_step_goes_adds_up(result):
    chart = time_chart(result)
    json.dumps(chart, allow_nan=False)
    for row in result.tables["platforms"].rows():
        parts = [
            x for trace in chart["data"] for y, x in zip(trace["y"], trace["x"], strict=True) if y == row["platform"]
        ]
        assert sum(parts) == pytest.approx(row["step_s"], rel=1e-6)


def test_memory_stays_below_what_the_chip_has(result):
    chart = memory_chart(result)
    json.dumps(chart, allow_nan=False)
    for row in result.tables["platforms"].rows():
        mine = [r for r in result.tables["memory"].rows() if r["platform"] == row["platform"]]
        assert sum(r["gb"] for r in mine) == pytest.approx(row["memory_gb"], rel=1e-6)
        assert sum(r["share"] for r in mine) < 1.0
    assert len(chart["layout"]["shapes"]) == 2


def test_the_pipeline_runs_one_thing_at_a_time(result):
    chart = schedule_chart(result)
    json.dumps(chart, allow_nan=False)
    rows = list(result.tables["schedule"].rows())
    for rank in {row["rank"] for row in rows}:
        mine = sorted((row["start_s"], row["end_s"]) for row in rows if row["rank"] == rank)
        assert all(after[0] >= before[1] - 1e-9 for before, after in itertools.pairwise(mine))
    passes = {row["work"] for row in rows}
    assert {"forward", "backward"} <= passes


def test_every_part_is_in_the_page(result):
    made = page(result)
    for words in ("The best mapping", "The whole job", "Where a step goes", "Memory of a chip", "chart-schedule"):
        assert words in made


def test_tables_for_people(result):
    shown = side_by_side(result)
    assert list(shown.columns) == ["what", "hgx-b200", "hgx-h100"]
    assert "step [s]" in shown.columns["what"]
    assert "platform" in shown_front(result).columns
    job = shown_job(result)
    assert any("wall time [day]" in what for what in job.columns["what"])
    for table in (shown_time(result), shown_memory(result)):
        assert all(set(cell) <= {"#"} for cell in table.columns["bar"])
    assert bar(0.0) == ""
    assert bar(0.001) == "#"


def test_the_terminal_shows_every_part_within_a_hundred_columns(result):
    out = io.StringIO()
    render_train(result, Console(file=out, width=100))
    text = out.getvalue()
    for words in ("THE BEST MAPPING", "THE WHOLE JOB", "WHERE A STEP GOES", "MEMORY OF A CHIP", "SPEED AGAINST ENERGY"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_front_is_a_page_of_its_own(result, tmp_path):
    assert "Plotly" in write_train_chart(result, tmp_path / "front.html").read_text()
