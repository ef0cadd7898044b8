"""Charts and tables of an answer about serving: bands around fronts, measured points with sources, every part shown."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from gigawatt.report.html import page
from gigawatt.report.serve_charts import front_chart, front_mw_chart, room_chart, spent_chart
from gigawatt.report.serve_parts import shown_assumed, shown_front, side_by_side
from gigawatt.report.serve_terminal import render_serve
from gigawatt.study.serve import answer, read_question
from gigawatt.validation.serve_measured import measured, with_measured


@pytest.fixture(scope="module")
def result():
    asked = read_question(
        "deepseek-v3", on="hgx-b200,hgx-h200", isl="1024", osl="1024", slo="ttft=2 s,tpot=40 ms", pareto=8
    )
    with pytest.MonkeyPatch.context() as alone:  # the packaged points, whatever tables lie beside
        alone.delenv("GIGAWATT_TRUTH", raising=False)
        return with_measured(answer(asked))


def lines(chart):
    return [trace for trace in chart["data"] if trace.get("mode") == "lines+markers"]


def test_a_front_lies_in_its_band_and_every_platform_has_one(result):
    for chart in (front_chart(result), front_mw_chart(result)):
        json.dumps(chart, allow_nan=False)
        assert [line["name"] for line in lines(chart)] == ["hgx-b200", "hgx-h200"]
        shades = [trace for trace in chart["data"] if trace.get("line") == {"width": 0}]
        for line, high, low in zip(lines(chart), shades[::2], shades[1::2], strict=True):
            assert all(lo <= y <= hi for lo, y, hi in zip(low["y"], line["y"], high["y"], strict=True))


def test_measured_points_are_of_the_same_model_and_chip(result):
    rows = list(result.tables["measured"].rows())
    assert rows
    crosses = [trace for trace in front_chart(result)["data"] if trace.get("marker", {}).get("symbol") == "x-thin"]
    assert sum(len(trace["x"]) for trace in crosses) == len(rows)
    chips = frozenset(("b200-sxm", "h200-sxm"))
    assert {p["accelerator"] for p in measured("deepseek-v3", chips)} <= chips
    assert not measured("deepseek-v3", frozenset(("l4",)))
    assert with_measured(answer(read_question("mistral-7b", on="hgx-h100"))).tables.get("measured") is None


def test_where_a_token_goes_adds_up(result):
    bars = spent_chart(result)["data"]
    rows = list(result.tables["pareto"].rows())
    for panel in dict.fromkeys(bar["xaxis"] for bar in bars):
        mine = [bar for bar in bars if bar["xaxis"] == panel]
        sums = [sum(values) for values in zip(*(bar["y"] for bar in mine), strict=True)]
        assert all(any(total == pytest.approx(row["tpot_ms"], rel=1e-6) for row in rows) for total in sums)
        assert len(set(mine[0]["x"])) == len(sums)
    assert all(0 <= y <= 100 for line in room_chart(result)["data"] for y in line["y"])


def test_every_part_is_in_the_page(result):
    made = page(result)
    for words in (
        "Interactivity against throughput",
        "Measured points",
        "What fell out",
        "Assumed for you",
        "chart-spent",
    ):
        assert words in made
    assert "hgx-b200" in made


def test_tables_for_people(result):
    shown = side_by_side(result)
    assert list(shown.columns) == ["what", *(row["platform"] for row in result.tables["platforms"].rows())]
    assert any(what == "TPOT [ms]" for what in shown.columns["what"])
    assert not any(name.endswith("_low") for name in shown_front(result).columns)
    assert len(set(shown_assumed(result).columns["what"])) == len(shown_assumed(result))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_terminal_keeps_its_width(result, width):
    out = io.StringIO()
    render_serve(result, Console(file=out, width=width, force_terminal=False))
    assert max(map(len, out.getvalue().splitlines())) <= min(width, 100)
    assert "TTFT" in out.getvalue()
