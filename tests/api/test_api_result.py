"""Answers: numbers, tables, charts, explanations, folders, and what a notebook shows of them."""

import json
import math
import re

import plotly.graph_objects as go
import pytest

import gigawatt as gw
from gigawatt.study.evaluate import Recipe


@pytest.fixture(scope="module")
def rack():
    return gw.run("one-rack")


@pytest.fixture(scope="module")
def plain():
    """The same answer without the face."""
    from importlib.resources import files

    return Recipe.of(str(files("gigawatt") / "examples" / "one-rack.yaml")).evaluator().result()


def test_numbers_are_the_engines(rack, plain):
    rows = {row["name"]: row for row in plain.metrics.rows()}
    assert list(rack.metrics) == list(rows)
    for name, metric in rack.metrics.items():
        assert (metric.value, metric.unit, metric.low, metric.high, metric.formula) == tuple(
            rows[name][key] for key in ("value", "unit", "low", "high", "formula")
        )


def test_a_metric_is_a_number(rack):
    capex = rack.metrics["capex"]
    assert capex * 2 == float(capex) * 2 and capex > 0 and f"{capex:.2e}" == f"{float(capex):.2e}"
    assert f"{capex}".startswith("6.52 M USD") and repr(capex) == f"<Metric capex: {capex}>"
    assert json.loads(json.dumps({"capex": capex})) == {"capex": float(capex)}
    assert rack.metrics["site_power"].band is None
    assert math.isnan(gw.Metric({"name": "word", "value": "none"}))


def test_tables_are_the_engines_in_the_order_of_the_report(rack, plain):
    assert set(rack.tables) == {"metrics", *(name for name, table in plain.tables.items() if len(table))}
    assert list(rack.tables)[:2] == ["plan", "limits"]
    table = rack.table("limits")
    assert list(table.rows()) == plain.tables["limits"].as_json() and table.columns == plain.tables["limits"].columns
    assert table["name"] == table.polars()["name"].to_list()
    assert table.units["used_share"] == "share"
    assert len(table) == len(plain.tables["limits"])
    assert "power [MW]" in str(rack.table()) and "[MW]" in rack.table()._repr_html_()


def test_charts_are_those_of_the_report(rack):
    for name in rack.plots:
        drawn = rack.plot(name)
        assert isinstance(drawn, go.Figure) and len(drawn.data) > 0
    assert rack.plot().to_dict()["data"] == rack.plot(rack.plots[0]).to_dict()["data"]


@pytest.mark.parametrize(
    ("ask", "near"),
    [
        (lambda r: r.metrics["capx"], "capex"),
        (lambda r: r.table("plann"), "plan"),
        (lambda r: r.table()["rackz"], "racks"),
        (lambda r: r.plot("limit"), "limits"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(rack, ask, near):
    with pytest.raises(gw.InputError, match=f"did you mean '{near}'"):
        ask(rack)
    with pytest.raises(KeyError):
        ask(rack)


def test_every_explained_metric_unfolds_to_facts_with_sources(rack):
    tree = rack.explain("capex")
    facts = [node for node in tree.walk() if node.kind == "datum"]
    assert facts and all(node.source or node.where for node in facts)
    assert any(".yaml:" in node.where for node in facts)
    assert tree.value == rack.metrics["capex"].value
    assert str(tree).startswith("capex") and all(len(line) <= 100 for line in str(tree).splitlines())
    assert len(tree.text(0)) >= len(tree.text(1))
    assert tree._repr_html_().count("<details") == sum(1 for node in tree.walk() if node.children)
    with pytest.raises(gw.InputError, match="did you mean 'capex'"):
        rack.explain("capx")


def test_a_folder_gives_the_result_back(rack, tmp_path):
    folder = rack.save(tmp_path / "run")
    again = gw.open(folder)
    assert again.headline == rack.headline
    assert {name: metric.value for name, metric in again.metrics.items()} == {
        name: metric.value for name, metric in rack.metrics.items()
    }
    assert set(again.tables) == set(rack.tables) and again.plots == rack.plots
    assert again.scenario.data == rack.scenario.data and again.scenario.verb == "run"
    assert str(again.explain("capex")) == str(rack.explain("capex"))
    with pytest.raises(gw.InputError, match="is no run folder"):
        gw.open(tmp_path)


def test_a_report_is_one_page(rack, tmp_path):
    page = rack.report(tmp_path / "page.html")
    assert rack.headline in page.read_text(encoding="utf-8")
    with pytest.raises(gw.InputError, match="can not write"):
        rack.report(tmp_path / "nowhere" / "page.html")


def test_a_notebook_sees_headline_numbers_and_plan_in_its_own_colours(rack):
    shown = rack._repr_html_()
    assert rack.headline.split(":")[0] in shown and "System NPV" in shown and "output tokens" in shown
    assert not re.search(r"color:\s*#|background:\s*#|fill=\"#", shown)  # dark and light pages lend their ink
    assert "http" not in shown
    assert (
        repr(rack)
        == f"<Result 'one-rack': {len(rack.metrics)} metrics, {len(rack.tables)} tables, {len(rack.plots)} plots>"
    )
    assert str(rack).startswith(rack.headline)


def test_names_from_a_file_are_text_and_never_markup():
    evil = "<img src=x onerror=alert(1)>"
    made = gw.run(gw.load("networks/domains").with_(title=evil))
    for shown in (made._repr_html_(), made.table()._repr_html_(), made.metrics._repr_html_()):
        assert "<img" not in shown


@pytest.mark.parametrize("verb", ["fleet", "operate"])
def test_a_site_answers_the_other_verbs_of_its_scenario(verb):
    made = gw.run("one-rack", verb)
    assert made.name.endswith(verb) and len(made.metrics) > 5 and made.plots and made.table().name != "metrics"


def test_questions_in_words_are_those_of_a_file():
    words = gw.train("llama3-405b", on=["gb300-nvl72"], gpus=1152, mapping={"tp": 4, "pp": 8, "mb": 1})
    asked = gw.load(
        {"question": "train", "model": "llama3-405b", "on": "gb300-nvl72", "gpus": 1152, "mapping": "tp4-pp8-mb1"}
    )
    assert {k: v.value for k, v in words.metrics.items()} == {k: v.value for k, v in gw.run(asked).metrics.items()}
    assert words.scenario.verb == "train"


def test_a_workload_of_a_plan_is_served_as_the_plan_says():
    made = gw.serve(gw.load("one-rack"), workload="chat")
    assert made.name == "one-rack-chat" and made.metrics["tpot"].unit == "s"
    with pytest.raises(gw.InputError, match="there is no serving workload 'chatt'"):
        gw.serve(gw.load("one-rack"), workload="chatt")


def test_measured_points_stand_beside_a_network():
    made = gw.net("all_reduce", on="hgx-h100", chips=16, sizes="1KiB..16GiB")
    assert "measured" in made.tables


@pytest.mark.parametrize("template", ["deals/three-companies", "projects/hyperion-shell", "market/rent-of-an-h100"])
def test_every_answer_shows_itself(template):
    made = gw.run(template)
    assert made._repr_html_() and str(made) and made.table() and made.plot()
