"""What differs between two files, and the files that lie between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.study.compare.differences import ABSENT, Difference, between, differences, meaning_of, tree_of
from gigawatt.study.compare.groups import groups_of, in_asked_order
from gigawatt.study.scenario import Scenario

SCALARS = st.integers(0, 3) | st.sampled_from(["a", "b"]) | st.booleans()
ITEM = st.fixed_dictionaries({"id": st.sampled_from("xyz")}, optional={"p": SCALARS, "q": SCALARS})
FILES = st.fixed_dictionaries(
    {},
    optional={
        "one": SCALARS,
        "group": st.fixed_dictionaries(
            {"must": SCALARS}, optional={"may": SCALARS, "list": st.lists(SCALARS, max_size=2)}
        ),
        "fleet": st.lists(ITEM, max_size=3, unique_by=lambda item: item["id"]),
    },
)


@given(FILES, FILES)
def test_all_differences_moved_make_b_and_none_makes_a(a, b):
    trees = tree_of(a), tree_of(b)
    found = differences(*trees)
    assert between(*trees, []) == a
    assert between(*trees, found) == b
    assert (not found) == (a == b)
    assert len({(one.path, one.order) for one in found}) == len(found)


@given(FILES, FILES)
def test_back_is_the_same_paths_with_sides_exchanged(a, b):
    there = {(one.path, one.order): (one.a, one.b) for one in differences(tree_of(a), tree_of(b))}
    back = {(one.path, one.order): (one.b, one.a) for one in differences(tree_of(b), tree_of(a))}
    assert there == back


def test_what_means_the_same_is_no_difference():
    text = {
        "fleet": [{"id": "x", "platform": "gb300-nvl72"}],
        "workloads": [
            {"id": "w", "kind": "serving", "model": "m", "input_tokens": 10, "output_tokens": 5,
             "demand": {"output": "1e6 tokens/s"}, "price": {"output": "1 USD/Mtok"}}
        ],
    }  # fmt: skip
    other = text | {
        "name": "another",
        "discount_rate": "10 %",
        "site": {"grid_power": "1000 MW"},
        "contracts": [],
        "companies": ["operator", "lab", "chip-vendor", "lender"],
        "uncertainty": {"calibration": True},
    }
    meant = [meaning_of(Scenario, data) for data in (text, other)]
    assert differences(tree_of(text), tree_of(other), *meant) == []
    third = other | {"discount_rate": 0.12}
    found = differences(tree_of(text), tree_of(third), meant[0], meaning_of(Scenario, third))
    assert found == [Difference(("discount_rate",), ABSENT, 0.12)]


def test_a_new_item_stands_where_b_has_it_and_a_new_order_is_one_difference():
    a = tree_of({"fleet": [{"id": "x"}, {"id": "z"}]})
    b = tree_of({"fleet": [{"id": "x"}, {"id": "y"}, {"id": "z"}]})
    found = differences(a, b)
    assert [one.dotted for one in found] == ["fleet.y"]
    assert [item["id"] for item in between(a, b, found)["fleet"]] == ["x", "y", "z"]
    turned = tree_of({"fleet": [{"id": "z"}, {"id": "x"}]})
    assert [(one.dotted, one.order) for one in differences(a, turned)] == [("fleet (order)", True)]


def site(**more):
    return {
        "site": {"grid_power": "1 GW", "energy_price": "48 USD/MWh"},
        "capital": 5,
        "fleet": [{"id": "x", "platform": "p"}, {"id": "y", "platform": "q"}],
        "workloads": [{"id": "chat", "model": "m", "slo": 1, "demand": 2, "price": 3}],
        "contracts": [{"id": "rent", "price": 1}],
    } | more


CHANGED = site(
    site={"grid_power": "2 GW", "energy_price": "30 USD/MWh"},
    capital=6,
    fleet=[{"id": "x", "platform": "r"}, {"id": "new", "platform": "q"}],
    workloads=[{"id": "chat", "model": "n", "slo": 2, "demand": 3, "price": 4}],
    contracts=[],
    software="start",
    uncertainty={"samples": 16},
)


def groups(verb="run", fields=tuple(Scenario.model_fields), overlays=False):
    return groups_of(differences(tree_of(site()), tree_of(CHANGED)), verb, fields, overlays)


def test_groups_go_as_the_data_flows():
    names = [(group.name, group.change) for group in groups(overlays=True)]
    assert names == [
        ("overlays", ""), ("software", ""), ("site", ""), ("energy price", ""),
        ("fleet.x", ""), ("fleet.new", "added"), ("fleet.y", "removed"),
        ("workloads.chat model", ""), ("workloads.chat SLO", ""), ("workloads.chat demand", ""), ("workloads.chat price", ""),
        ("capital", ""), ("contracts.rent", "removed"), ("uncertainty", "added"),
    ]  # fmt: skip


def test_an_order_names_groups_paths_or_what_holds_them():
    asked = in_asked_order(groups(), "fleet, site.grid_power, contracts.rent")
    assert [group.name for group in asked][:4] == ["fleet", "site.grid_power", "contracts.rent", "software"]
    assert {one.dotted for one in asked[0].differences} == {"fleet.x.platform", "fleet.new", "fleet.y"}
    assert sorted(one.dotted for group in asked for one in group.differences) == sorted(
        one.dotted for group in groups() for one in group.differences
    )
    with pytest.raises(InputError, match="capitol") as told:
        in_asked_order(groups(), ["capitol", "site"])
    assert "did you mean 'capital'?" in told.value.problems[0].hints


def test_other_questions_go_by_their_fields_and_items():
    fields = ("contracts", "fleet", "site", "workloads", "capital", "software", "uncertainty")
    assert [group.name for group in groups("deals", fields)] == [
        "contracts.rent", "fleet.x", "fleet.new", "fleet.y", "site",
        "workloads.chat", "capital", "software", "uncertainty",
    ]  # fmt: skip
