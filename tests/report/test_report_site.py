"""The charts of provisioning, and the computed parts of its page."""

import re
from pathlib import Path

from report_sample import sample

from gigawatt.core.table import Table
from gigawatt.report import site_page
from gigawatt.report.sentences import provisioning
from gigawatt.report.site_charts import gain_whiskers, kw_bars, provisioning_bars
from gigawatt.study.result import RunResult

PAGE = Path(__file__).parents[2] / "docs" / site_page.PAGE


def test_the_chosen_policy_stands_out_and_a_policy_without_a_plan_has_no_bar():
    (bars,) = provisioning_bars(sample())["data"]
    assert bars["y"] == ["busy", "nameplate", "dynamic"]
    assert len(set(bars["marker"]["color"])) == 2 and bars["marker"]["color"][0] != bars["marker"]["color"][1]


def test_the_gain_has_its_band_and_the_published_claims_are_lines():
    chart = gain_whiskers(sample())
    steered = chart["data"][1]
    assert steered["x"] == [25.0, 8.0]
    assert [round(v, 6) for v in steered["error_x"]["array"]] == [17.0, 12.0]
    (line,) = chart["layout"]["shapes"]
    assert line["x0"] == line["x1"] == 45.0
    assert steered["marker"]["color"][0] != steered["marker"]["color"][1]  # one holds, one fails


def test_parts_are_stacked_to_the_total_with_the_published_figure_where_there_is_one():
    chart = kw_bars(sample())
    stacks = [trace for trace in chart["data"] if trace["type"] == "bar"]
    for at, row in enumerate(sample().tables["kw_per_gpu"].rows()):
        assert abs(sum(trace["x"][at] for trace in stacks) - row["total"]) < 1e-9
    assert chart["data"][-1]["x"] == [2.5]


def test_the_sentence_names_policy_and_risk():
    said = provisioning(sample())
    assert "busy" in said and "9.00 %" in said and "468 (nameplate)" in said and "672 (dynamic)" in said
    assert provisioning(RunResult("x", "x", "", {}, Table("metrics", {}))) == ""


def test_the_page_asks_for_what_can_be_computed(monkeypatch):
    text = PAGE.read_text(encoding="utf-8")
    asked = re.findall(r"<!-- computed: (\w+) -->", text)
    assert sorted(asked) == sorted(site_page.COMPUTED)
    short = {name: site_page.COMPUTED[name] for name in ("provisioning_claims", "maxlps", "kw_per_gpu")}
    monkeypatch.setattr(site_page, "COMPUTED", dict.fromkeys(asked, lambda: "| a |") | short)
    filled = site_page.filled(text)
    assert "| hgx-h100 |" in filled and "MaxLPS" in filled and filled.count("| a |") == len(asked) - len(short)
    assert re.sub(site_page.BLOCK, "", filled) == re.sub(site_page.BLOCK, "", text)  # what is written by hand stays


def test_margins_are_told_in_both_orders_without_a_verdict():
    text = site_page.COMPUTED["margin_order"]()
    assert text.startswith("Theirs: gb200 > tpu_v6e > ") and "Ours: " in text
    assert "price and energy are the same on both sides" in text
    assert text.count("\n| ") == 7
