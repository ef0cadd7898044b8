"""Charts and tables of a build-out: stacks that add up under the power, limits with their worth, every part shown."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gigawatt.report.fleet_charts import (
    FLEET_CHARTS,
    cash_chart,
    limits_heat,
    one_per_cent,
    platforms_chart,
    policies_chart,
    text_bar,
    tokens_chart,
    workloads_chart,
)
from gigawatt.report.fleet_parts import FLEET, legend, shown_limits, shown_quarters
from gigawatt.report.fleet_terminal import render_fleet
from gigawatt.report.html import page
from gigawatt.study.fleet.answer import run_fleet
from gigawatt.study.load import load

SMALL = Path(__file__).parents[2] / "examples" / "build-out-small.yaml"


@pytest.fixture(scope="module")
def result():
    return run_fleet(load(SMALL))


@pytest.mark.parametrize("make", [platforms_chart, workloads_chart])
def test_stacks_add_up_to_what_is_drawn_and_lie_under_the_power(result, make):
    chart = make(result)
    json.dumps(chart, allow_nan=False)
    stacks = [trace for trace in chart["data"] if "stackgroup" in trace]
    power = next(trace for trace in chart["data"] if trace["name"] == "power that may be drawn")
    for t, row in enumerate(result.tables["periods"].rows()):
        total = sum(trace["y"][t] for trace in stacks)
        assert total == pytest.approx(row["mw"], rel=1e-6)
        assert total <= power["y"][t] * (1 + 1e-6)


def test_limits_that_bind_have_a_colour_and_one_row_in_the_summary(result):
    chart = limits_heat(result)
    json.dumps(chart, allow_nan=False)
    heat = chart["data"][0]
    binding = {row["name"] for row in result.tables["limits"].rows() if row["binding"] and one_per_cent(row) > 0}
    assert set(heat["y"]) == binding
    assert {row["limit"] for row in shown_limits(result).rows()} >= binding


def test_cash_tokens_and_policies_are_drawn(result):
    for make in (cash_chart, tokens_chart, policies_chart):
        chart = make(result)
        json.dumps(chart, allow_nan=False)
        assert chart["data"]


def test_every_part_is_on_the_page_and_in_the_terminal(result):
    text = page(result)
    for section in FLEET:
        if section.table in result.tables:
            assert f'id="{section.table}"' in text
    for name in FLEET_CHARTS:
        assert f'id="chart-{name}"' in text
    out = io.StringIO()
    render_fleet(result, Console(file=out, width=100, highlight=False))
    said = out.getvalue()
    assert max(map(len, said.splitlines())) <= 100
    assert result.headline.split(":")[0].split()[0] in said
    assert all(row["quarter"] in said for row in shown_quarters(result).rows())
    assert legend(result) in " ".join(said.split())


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6), st.integers(1, 60))
def test_a_bar_is_as_long_as_its_share(parts, width):
    whole = max(sum(parts), 1.0) * 1.3
    bar = text_bar([(chr(65 + n), value) for n, value in enumerate(parts)], whole, width)
    assert abs(len(bar) - sum(parts) / whole * width) <= 0.5 + 1e-9
    for n, value in enumerate(parts):
        assert abs(bar.count(chr(65 + n)) - value / whole * width) < 1 + 1e-9
