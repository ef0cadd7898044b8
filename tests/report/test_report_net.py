"""Charts and tables of an answer about a network: bands around lines, published points with sources, every part shown."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from gigawatt.catalog import Catalog
from gigawatt.report.html import page
from gigawatt.report.net_charts import across_chart, busbw_chart, flows_chart
from gigawatt.report.net_parts import shown_assumed, shown_measured, shown_rows
from gigawatt.report.net_terminal import render_net
from gigawatt.study.net import Across, Check, answer, read_question
from gigawatt.validation.network_points import published, with_measured

CAT = Catalog.load()


@pytest.fixture(scope="module")
def result():
    question = read_question("all_reduce", on="hgx-h100,gb300-nvl72", chips="8,16", size="1 KiB..16 GiB")
    across = Across(2, 1000.0, 50e9, 405e9, 26.0)
    with pytest.MonkeyPatch.context() as alone:  # the packaged points, whatever tables lie beside
        alone.delenv("GIGAWATT_TRUTH", raising=False)
        return with_measured(answer(question, CAT, check=Check(), parts=True, across=across))


def test_a_line_lies_in_its_band_and_every_panel_has_its_networks(result):
    chart = busbw_chart(result)
    text = json.dumps(chart, allow_nan=False)
    assert "16 chips" in text and "8 chips" in text
    lines = [trace for trace in chart["data"] if trace.get("text") and trace["mode"] == "lines"]
    assert len(lines) == 4
    shades = [trace for trace in chart["data"] if trace.get("line") == {"width": 0}]
    for line, high, low in zip(lines, shades[::2], shades[1::2], strict=True):
        assert low["fill"] == "tonexty"
        for at, y in enumerate(line["y"]):
            assert low["y"][at] <= y <= high["y"][at]
    assert chart["layout"]["xaxis"]["type"] == "log"
    assert sum(bool(trace.get("showlegend")) for trace in lines) == 2  # each network once


def test_published_points_are_drawn_with_their_sources(result):
    dots = [t for t in busbw_chart(result)["data"] if t["mode"] == "markers" and t["x"] != [None]]
    assert dots
    for trace in dots:
        assert all("github.com" in text for text in trace["text"])
    for row in result.tables["measured"].rows():
        assert row["network"] == "hgx-h100" and row["n"] in (8, 16)


def test_most_published_points_lie_in_the_band(result):
    """A band of 80 %: of the packaged points beside this answer at least 60 % must lie in it."""
    bands = {
        (r["network"], r["n"], r["nbytes"]): (r["busbw_low"], r["busbw_high"]) for r in result.tables["rows"].rows()
    }
    held = []
    for row in result.tables["measured"].rows():
        if (found := bands.get((row["network"], row["n"], row["nbytes"]))) is not None:
            held.append(found[0] <= row["busbw_gb_per_s"] <= found[1])
    assert len(held) > 40
    assert sum(held) / len(held) > 0.6


def test_points_of_another_domain_or_accelerator_are_not_shown():
    assert published("all_reduce", "h100-sxm", 16, 8)
    assert not published("all_reduce", "h100-sxm", 16, 4)
    assert not published("all_reduce", "h200-sxm", 16, 8)


def test_against_chips_where_there_is_one_size():
    found = answer(read_question("all_to_all", on="hgx-h100", chips="8..1024", size="1 GiB"), CAT)
    chart = busbw_chart(found)
    assert chart["layout"]["xaxis"]["title"]["text"] == "chips"
    assert chart["layout"]["xaxis"]["ticktext"][-1] == "1,024"
    assert busbw_chart(answer(read_question("all_to_all", on="hgx-h100", chips="8", size="1 GiB"), CAT)) is None


def test_other_charts(result):
    across = across_chart(result)
    assert [trace["name"] for trace in across["data"]] == ["every step", "every 100 steps"]
    assert all(trace["y"] == sorted(trace["y"]) for trace in across["data"])
    bars = flows_chart(result)
    assert all(0 <= x <= 100 for trace in bars["data"] for x in trace["x"])


def test_columns_that_say_the_same_everywhere_are_left_out(result):
    assert "collective" not in shown_rows(result).columns and "network" in shown_rows(result).columns
    assert len(shown_assumed(result)) < len(result.tables["assumed"])
    assert len(shown_measured(result)) == len(result.tables["measured"])


def test_page_and_terminal_hold_every_part(result):
    text = page(result)
    for part in (
        "How long it takes",
        "Published points",
        "Flow by flow",
        "Parts of the network",
        "Over sites",
        "Assumed for you",
    ):
        assert part in text
    assert 'id="chart-rows"' in text and 'id="chart-across"' in text
    out = io.StringIO()
    render_net(result, Console(file=out, width=100, highlight=False))
    said = out.getvalue()
    for part in ("HOW LONG IT TAKES", "WHICH IS FASTEST", "PUBLISHED POINTS", "WHAT THE NETWORK TAKES", "OVER SITES"):
        assert part in said
    assert max(map(len, said.splitlines())) <= 100
