import json

import pytest
from report_sample import sample

from gigawatt.core.table import Table, plain
from gigawatt.report.charts import figure
from gigawatt.report.money_charts import BY_QUESTION
from gigawatt.study.result import RunResult

CHARTS = BY_QUESTION["plan"]


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_plotly_accepts_every_chart_and_it_is_plain_json(name):
    chart = CHARTS[name](sample())
    assert chart is not None
    json.dumps(chart, allow_nan=False, default=plain)
    figure(chart)  # plotly's own validation raises on a wrong property


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_no_table_no_chart(name):
    empty = RunResult("x", "x", "", {}, Table("metrics", {}))
    assert CHARTS[name](empty) is None


def test_the_power_sankey_carries_the_watts_of_the_table():
    chart = CHARTS["power"](sample())
    link = chart["data"][0]["link"]
    assert sum(v for v, s in zip(link["value"], link["source"], strict=True) if s == 0) == pytest.approx(998.0)


def test_the_cash_sankey_has_no_loop_and_loses_no_dollar():
    """Money goes in a circle here (vendor to lab to operator to vendor); the drawing must not."""
    chart = CHARTS["cash_links"](sample())
    link = chart["data"][0]["link"]
    labels = chart["data"][0]["node"]["label"]
    assert not set(link["source"]) & set(link["target"]) - set(_middle(link))
    paid = sum(v for v, t in zip(link["value"], link["target"], strict=True) if t in _middle(link))
    assert paid == pytest.approx(sum(r["amount_usd"] for r in sample().tables["cash_links"].rows()) / 1e9)
    assert any("milestone" in label for label in labels)


def _middle(link):
    return [at for at in set(link["source"]) if at in set(link["target"])]


def test_small_payments_are_gathered_and_still_counted():
    rows = [("a", "b", 1e9, "rent"), *(("a", "b", 1e5, f"fee {at}") for at in range(5))]
    made = Table.from_rows(
        "cash_links",
        [dict(zip(("source", "target", "amount_usd", "account"), row, strict=True)) for row in rows],
        ["source", "target", "amount_usd", "account"],
    )
    chart = CHARTS["cash_links"](RunResult("x", "x", "", {"cash_links": made}, Table("metrics", {})))
    labels = chart["data"][0]["node"]["label"]
    assert sum("fee" in label for label in labels) == 0
    assert any(label.startswith("other") for label in labels)


def test_whiskers_end_at_p10_and_p90():
    bars = CHARTS["companies"](sample())["data"][0]
    lab = bars["y"].index("lab")
    error = bars["error_x"]
    assert bars["x"][lab] - error["arrayminus"][lab] == pytest.approx(-4.1)
    assert bars["x"][lab] + error["array"][lab] == pytest.approx(7.9)
    assert CHARTS["moats"](sample())["layout"]["yaxis"]["zeroline"] is True


def test_quarterly_lines_add_up():
    lines = {trace["name"]: trace["y"] for trace in CHARTS["quarters"](sample())["data"]}
    operator = sample().tables["quarters"].columns["operator"]
    assert lines["operator"][-1] == pytest.approx(sum(operator) / 1e9)
