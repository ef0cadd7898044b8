"""Scenarios as values: what they read, how they are changed, what they tell when something is wrong."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gigawatt as gw
from gigawatt.api.data import flat, plain_data

EVERY_KIND = {
    "one-rack": "run",
    "operate/four-jobs-one-site": "operate",
    "deals/three-companies": "deals",
    "projects/hyperion-shell": "deals",
    "market/rent-of-an-h100": "market",
    "serving/chat": "serve",
    "training/llama-405b": "train",
    "networks/domains": "net",
}


@pytest.fixture(scope="module")
def rack():
    return gw.load("one-rack")


@pytest.mark.parametrize("template", EVERY_KIND)
def test_every_kind_of_question_is_read(template):
    found = gw.load(template)
    assert found.verb == EVERY_KIND[template]
    assert len(found.paths()) > 5
    again = gw.load(found.data)
    assert again == found and hash(again) == hash(found)


def test_a_change_gives_a_new_one_and_leaves_the_old(rack):
    before = rack.data
    new = rack.with_(
        {"site.grid_power": "500 kW", "workloads.chat.price.output": "2 USD/Mtok"}, capital="20 million USD"
    )
    assert rack.data == before
    assert new.data["site"]["grid_power"] == "500 kW"
    assert new.data["workloads"][0]["price"]["output"] == "2 USD/Mtok"
    assert new.data["capital"] == "20 million USD"
    assert new != rack
    assert [row["path"] for row in rack.diff(new).rows()] == [
        "site.grid_power",
        "capital",
        "workloads.chat.price.output",
    ]
    assert new.with_(rack.data) == rack  # whole sections are changed like single inputs


def test_what_is_given_out_can_not_change_it(rack):
    rack.data["site"]["grid_power"] = "9 GW"
    rack.defaults.clear()
    assert rack.data["site"]["grid_power"] == "200 kW" and rack.defaults
    with pytest.raises(AttributeError):
        rack.name = "other"


def test_two_underscores_stand_for_a_dot(rack):
    assert rack.with_(site__grid_power="1 MW") == rack.with_({"site.grid_power": "1 MW"})


def test_python_values_are_taken_as_a_file_would_say_them(rack):
    new = rack.with_(
        {"horizon.start": date(2028, 1, 1), "horizon.years": np.int64(4), "discount_rate": np.float64(0.08)}
    )
    assert new.data["horizon"] == {"start": "2028-01-01", "years": 4}
    assert new.data["discount_rate"] == 0.08


def test_every_problem_is_told_at_once_with_the_nearest_names(rack):
    with pytest.raises(gw.InputError) as told:
        rack.with_({"site.grid_powr": "1 MW", "workloads.chatt.price.output": "1 USD/Mtok", "capital": "red"})
    text = "\n".join(told.value.told())
    assert "did you mean 'grid_power'?" in text and "did you mean 'chat'?" in text and "5 billion USD" in text
    assert text.endswith("3 problems; nothing was run.")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: gw.load("one-rac"), "did you mean 'one-rack'?"),
        (lambda: gw.load("nowhere.yaml"), "there is no file 'nowhere.yaml'"),
        (lambda: gw.load({"question": "serv"}), "did you mean 'serve'?"),
        (lambda: gw.load({"extends": "one-rack"}), "a mapping extends nothing"),
        (lambda: gw.load({"capital": print}), "capital: a builtin_function_or_method is nothing that a file can say"),
        (lambda: gw.load("../examples/one-rack"), "there is no template"),
        (lambda: gw.load("backtests/bt04-first-tranche"), "is a back-test"),
        (lambda: gw.load("one-rack", overlays="/nowhere"), "overlay '/nowhere' is no folder"),
        (lambda: gw.load("deals/three-companies", as_of="soon"), "--as-of 2025-09-24"),
        (lambda: gw.run("one-rack", "flet"), "did you mean 'fleet'?"),
        (lambda: gw.run("deals/three-companies", "run"), "answered by: deals"),
        (lambda: gw.train("llama3-405b", gpu=8), "did you mean 'gpus'?"),
        (lambda: gw.serve("lama3-8b", on="hgx-h100"), "did you mean 'llama3-8b'?"),
        (lambda: gw.serve("one-rack.yaml", on="hgx-h100"), "a scenario says it itself"),
        (lambda: gw.net("all_reduse"), "did you mean 'all_reduce'?"),
    ],
)
def test_what_is_wrong_is_said_with_a_way_out(ask, said):
    with pytest.raises(gw.InputError) as told:
        ask()
    assert said in str(told.value)


def test_a_notebook_shows_the_problem_and_no_traceback(rack):
    with pytest.raises(gw.InputError) as told:
        rack.with_(capital="red")
    lines = told.value._render_traceback_()
    assert lines[0] == "error: capital=red: capital: 'red' is not a quantity; write for example '5 billion USD'"
    infeasible = gw.Infeasible("no plan", ["power", "capital"], [])
    assert infeasible._render_traceback_()[:3] == ["infeasible: no plan", "These can not all hold:", "  - power"]


def test_paths_say_unit_bounds_and_value(rack):
    found = {row["path"]: row for row in rack.paths().rows()}
    assert found["site.grid_power"] | {"range": ""} == {
        "path": "site.grid_power", "kind": "quantity", "unit": "W", "range": "", "value": "200 kW", "written": True,
    }  # fmt: skip
    assert not found["discount_rate"]["written"]
    assert {row["path"] for row in rack.paths("price").rows()} < set(found)


def test_differences_are_of_what_is_meant_not_of_how_it_is_written(rack):
    same = rack.with_({"site.grid_power": "0.2 MW", "capital": "0.01 billion USD"})
    assert len(rack.diff(same)) == 0
    assert list(rack.diff(rack.with_({"site.grid_power": "0.3 MW"}))["other"]) == ["0.3 MW"]


def test_the_file_of_a_scenario_is_the_scenario(rack, tmp_path):
    new = rack.with_({"site.energy_price": "71 USD/MWh"})
    file = tmp_path / "mine.yaml"
    text = new.to_yaml(file)
    assert file.read_text(encoding="utf-8") == text
    assert gw.load(file).data == new.data and gw.load(str(file)) == new
    with pytest.raises(gw.InputError, match="is there already"):
        rack.to_yaml(file)


def test_a_day_and_overlays_stay_with_what_is_changed(tmp_path):
    record = tmp_path / "platform" / "my-rack.yaml"
    record.parent.mkdir()
    record.write_text(
        '{extends: gb300-nvl72, name: my rack, kind: measured, source: ours, as_of: "2026-01", list_price: 4 million USD}',
        encoding="utf-8",
    )
    mine = gw.load("one-rack", overlays=tmp_path).with_({"fleet.rack.platform": "my-rack"})
    assert mine.check().title.startswith("'one-rack' is right")
    with pytest.raises(gw.InputError, match="there is no platform 'my-rack'"):
        gw.load(mine.data)
    assert gw.load(mine.data, overlays=[tmp_path]) == mine
    deals = gw.load("deals/circular-loop-late-2026", as_of=date(2025, 9, 24))
    assert deals != gw.load("deals/circular-loop-late-2026")
    assert deals.with_({}) == deals


def test_it_shows_itself(rack):
    assert repr(rack) == "<Scenario 'one-rack', answered by 'run'>"
    shown = rack.with_(title="<script>alert(1)</script>")._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown and "grid_power: 200 kW" in shown


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), below, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=40)
@given(plain)
def test_plain_data_stays_as_it_is_and_is_a_copy(data):
    copied = plain_data(data)
    assert copied == data and repr(copied) == repr(data)
    assert copied is not data or not isinstance(data, (dict, list))


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers() | st.text(max_size=3), min_size=1, max_size=4)
)
def test_every_leaf_has_a_path_of_its_own(inner):
    leaves = dict(flat({"outer": inner, "items": [{"id": "x", **inner}, {"id": "y", **inner}]}))
    assert len(leaves) == 3 * len(inner)
    assert all(leaves[f"items.x.{key}"] == value for key, value in inner.items())


def test_an_input_that_may_be_any_text_is_no_number():
    found = {row["path"]: row["kind"] for row in gw.load("serving/chat").paths().rows()}
    assert found["on"] in ("text", "list") and found["model"] == "text"
    assert gw.load("serving/chat").with_(on="hgx-h100").data["on"] == "hgx-h100"
