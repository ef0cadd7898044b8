import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_money_sample import LOOP, NAMES, sample, trained

from gigawatt.core.table import Table, plain
from gigawatt.report.chart_parts import band, panel_axes, value_of
from gigawatt.report.charts import figure
from gigawatt.report.flows import MOST_PARTIES, cash_sankey
from gigawatt.report.market_worlds import break_even
from gigawatt.report.money_charts import BY_QUESTION, chart_of, question_of
from gigawatt.report.money_sections import present
from gigawatt.report.network_chart import HIGH, WIDE, network, positions
from gigawatt.report.theme import PALETTE
from gigawatt.study.result import RunResult

MONEY = [name for name in BY_QUESTION if name != "plan"]


def charts(name):
    result = sample(name)
    drawn = [key for one in present(result) for key in (one.table, *one.charts)]
    return {key: chart for key in drawn if (chart := chart_of(result, key)) is not None}


def bare(question, **tables):
    return RunResult("x", "x", "", tables, Table("metrics", {}), {}, {"question": question})


def points(trace):
    """How many values a trace draws."""
    if trace["type"] == "sankey":
        return len(trace["link"]["value"])
    return sum(value is not None for value in trace["x"])


@pytest.mark.parametrize("name", NAMES)
def test_plotly_accepts_every_chart_and_none_is_empty_or_holds_nan(name):
    found = charts(name)
    assert found
    for key, chart in found.items():
        json.dumps(chart, allow_nan=False, default=plain)
        figure(chart)  # plotly's own validation raises on a wrong property
        drawn = [trace for trace in chart["data"] if trace.get("x") != [None]]  # but for entries of the legend
        assert drawn, key
        for trace in drawn:
            assert points(trace) > 0, key
            if "y" in trace and trace["type"] != "heatmap":
                assert len(trace["x"]) == len(trace["y"]), key


@pytest.mark.parametrize("question", MONEY)
def test_no_table_and_an_empty_one_give_no_chart(question):
    for name, made in BY_QUESTION[question].items():
        assert made(bare(question)) is None, name
        assert made(bare(question, **{name: Table(name, {"a": []})})) is None, name
        odd = Table(name, {"something": ["else"], "company": ["x"]})
        assert made(bare(question, **{name: odd})) is None, name


def test_every_chart_of_a_deals_run_is_drawn_for_the_loop():
    assert set(charts(LOOP)) == set(BY_QUESTION["deals"])


def test_the_examples_draw_every_chart_that_there_is():
    for question in MONEY:
        drawn = {key for name in NAMES if question_of(sample(name)) == question for key in charts(name)}
        if question == "train":
            drawn = {key for key in BY_QUESTION[question] if chart_of(trained(), key) is not None}
        assert drawn == set(BY_QUESTION[question])


def test_plotly_accepts_the_charts_of_a_training_answer():
    for key in BY_QUESTION["train"]:
        chart = chart_of(trained(), key)
        json.dumps(chart, allow_nan=False, default=plain)
        figure(chart)
        assert all(points(trace) > 0 for trace in chart["data"] if trace.get("x") != [None]), key


def test_a_plan_keeps_its_own_charts():
    plan = RunResult("x", "x", "", {}, Table("metrics", {}))
    assert question_of(plan) == "plan"
    rows = Table("companies", {"company": ["a"], "npv_usd": [1e9]})
    assert chart_of(RunResult("x", "x", "", {"companies": rows}, Table("metrics", {})), "companies") is not None
    assert chart_of(bare("deals", companies=rows), "companies") is None  # a deals run has a row a quarter


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 14).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_any_network_is_laid_out_in_the_box_twice_alike_and_nobody_lies_on_another(given_):
    count, links = given_
    names = [f"party-{at}" for at in range(count)]
    pairs = sorted((names[a], names[b]) for a, b in links)
    place = positions(names, pairs)
    assert np.array_equal(place, positions(names, pairs))
    assert np.isfinite(place).all()
    assert (place >= -1e-9).all()
    assert (place <= np.array([WIDE, HIGH]) + 1e-9).all()
    gap = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2)) + 9 * np.eye(count)
    assert gap.min() > 0.2


def test_neighbours_stand_nearer_than_strangers():
    names = ["a", "b", "c", "d", "e"]
    place = positions(names, [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")])
    assert math.dist(place[0], place[4]) > 2 * math.dist(place[0], place[1])


def test_the_order_of_names_does_not_move_the_drawing_between_runs():
    first, again = chart_of(sample(LOOP), "network"), chart_of(sample(LOOP), "network")
    assert json.dumps(first) == json.dumps(again)


def test_relations_have_colours_intents_dashes_and_every_link_an_arrow():
    columns = ("source", "target", "relation", "status", "amount_usd")
    rows = [
        ("a", "b", "pays", "signed", 1e9), ("b", "a", "owns", "intent", 2e9), ("c", "a", "lends", "signed", 4e9),
        ("a", "c", "guarantees", "signed", 0.0), ("a", "a", "pays", "signed", 1e9), ("b", "c", "holds", "signed", None),
    ]  # fmt: skip
    table = Table.from_rows("network", [dict(zip(columns, row, strict=True)) for row in rows], columns)
    chart = network(bare("deals", network=table))
    lines = [trace for trace in chart["data"] if trace.get("mode") == "lines" and trace["x"] != [None]]
    arrows = [mark for mark in chart["layout"]["annotations"] if mark.get("showarrow")]
    assert len(lines) == len(arrows) == 5  # what a party does with itself is not drawn
    assert {line["line"]["dash"] for line in lines} == {"solid", "dash"}
    legend = {trace["name"]: trace["line"]["color"] for trace in chart["data"] if trace["x"] == [None]}
    assert set(legend) == {"pays", "owns", "lends", "guarantees", "letter of intent"}
    assert {legend["pays"], legend["owns"], legend["lends"], legend["guarantees"]} <= set(PALETTE)
    widths = [mark["arrowwidth"] for mark in arrows]
    assert widths == sorted(widths, reverse=True)  # the largest amount first and widest
    said = {mark["text"] for mark in chart["layout"]["annotations"]}
    assert {"4.00 B", "<b>a</b>", "<b>b</b>", "<b>c</b>"} <= said


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(1e3, 1e12)), min_size=1, max_size=120))
def test_a_sankey_of_many_parties_gathers_the_small_ones_and_loses_no_dollar(links):
    rows = [{"source": f"p{a}", "account": "rent", "target": f"q{b}", "amount_usd": usd} for a, b, usd in links]
    chart = cash_sankey(bare("deals", cash_links=Table.from_rows("cash_links", rows, list(rows[0]))))
    link = chart["data"][0]["link"]
    middle = set(link["source"]) & set(link["target"])
    into = sum(v for v, t in zip(link["value"], link["target"], strict=True) if t in middle)
    assert into == pytest.approx(sum(usd for _, _, usd in links) / 1e9)
    for side in (set(link["source"]) - middle, set(link["target"]) - middle):
        assert len(side) <= MOST_PARTIES


@given(st.floats(-5, 5), st.floats(0.1, 3), st.integers(2, 12))
def test_break_even_is_where_a_falling_line_meets_zero(root, slope, count):
    x = [float(at) - 6.0 for at in range(count)]
    found = break_even(x, [slope * (root - value) for value in x])
    if x[0] <= root <= x[-1]:
        assert found == pytest.approx(root, abs=1e-6)
    else:
        assert found is None


@given(st.integers(1, 30), st.integers(1, 4))
def test_panels_do_not_overlap_and_stay_on_the_paper(count, across):
    boxes = panel_axes(count, across)
    assert len({suffix for suffix, _, _ in boxes}) == count
    for at, (_, x, y) in enumerate(boxes):
        assert 0 <= x[0] < x[1] <= 1
        assert 0 <= y[0] < y[1] <= 1
        for _, u, v in boxes[:at]:
            assert x[0] >= u[1] or u[0] >= x[1] or y[0] >= v[1] or v[0] >= y[1]


def test_a_band_leaves_out_what_is_not_known():
    made = band([1, 2, 3], [0.0, None, 1.0], [2.0, 3.0, float("nan")], "#0072B2")
    assert [trace["x"] for trace in made] == [[1], [1]]
    assert band([1], [None], [None], "#0072B2") == []
    assert value_of("12") is None


def test_the_bars_of_whose_money_are_the_whole_of_it_and_its_own_stands_out():
    chart = charts(LOOP)["whose_money"]
    assert sum(trace["x"][0] for trace in chart["data"]) == pytest.approx(100.0)
    own = [trace for trace in chart["data"] if trace["name"] == "its own money"]
    assert own[0]["marker"]["color"] == "#D55E00"


def test_stress_bars_say_who_falls_and_when():
    rows = list(sample(LOOP).tables["stress"].rows())
    words = [mark["text"] for mark in charts(LOOP)["stress"]["layout"]["annotations"]]
    for row, text in zip(rows, words, strict=True):
        assert (
            (row["first_default"] in text and row["date"] in text) if row["first_default"] else text == "nobody falls"
        )


def test_a_default_is_marked_in_the_panel_of_who_falls():
    rows = [
        {"company": "a", "period": t, "date_end": f"2027-0{t + 1}-28", "cash_usd": 1e9 * (2 - t), "in_default": t >= 2}
        for t in range(4)
    ]
    chart = chart_of(bare("deals", companies=Table.from_rows("companies", rows, list(rows[0]))), "companies")
    marks = [trace for trace in chart["data"] if trace["mode"] == "markers"]
    assert [mark["x"] for mark in marks] == [["2027-03-28"]]
