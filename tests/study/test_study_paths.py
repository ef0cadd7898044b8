"""Dotted paths: read off the models, right for every question, and told with the nearest where wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gigawatt
from gigawatt.core.errors import InputError
from gigawatt.study.evaluate import Recipe
from gigawatt.study.paths import check_path, inputs_table

EXAMPLES = Path(gigawatt.__file__).parent / "examples"
FILES = [
    "one-gigawatt.yaml", "post-training.yaml", "build-out-small.yaml", "site/behind-the-meter.yaml",
    "projects/cloud-contract-with-debt.yaml", "deals/three-companies.yaml", "market/vendors-quarters.yaml",
]  # fmt: skip


def test_inputs_name_unit_bounds_and_what_stands_there():
    known = Recipe.of(EXAMPLES / "one-gigawatt.yaml").inputs()
    price = known["site.energy_price"]
    assert (price.kind, price.unit, price.value, price.written) == ("quantity", "USD/J", "48 USD/MWh", True)
    assert price.number("36 USD/MWh") == pytest.approx(1e-8)
    share = known["workloads.chat.price.realised_share"]
    assert share.number("18 %") == pytest.approx(0.18)
    assert share.holds(1.0) and not share.holds(1.1) and share.range_words == "at least 0 and at most 1"
    assert known["fleet.tpu7x.supply"].value == 2350
    assert not known["fleet.gb300.supply"].written
    assert known["objective.for"].choices == ("system", "operator", "lab")
    assert known["workloads.chat.demand.tiers.1.at"].value == "60 %"
    project = Recipe.of(EXAMPLES / "projects/cloud-contract-with-debt.yaml").inputs()
    assert project["project.revenue.cloud.price"].number("9 million USD/MW/yr") == pytest.approx(9e6)


@pytest.mark.parametrize("name", FILES)
def test_all_that_a_file_says_is_a_known_path(name):
    recipe = Recipe.of(EXAMPLES / name)
    known = recipe.inputs()

    def walk(node, path):
        if path and path in known and (known[path].open or known[path].kind not in ("group", "list")):
            return
        if path:
            assert path in known, path
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, item in items:
            part = item.get("id", key) if isinstance(node, list) and isinstance(item, dict) else key
            if isinstance(node, dict) or isinstance(item, dict):
                walk(item, f"{path}.{part}" if path else str(part))

    walk(recipe.source.data, "")


@given(st.sampled_from(["site.energy_price", "fleet.gb300.list_price", "workloads.chat.price.output"]), st.data())
def test_a_letter_lost_finds_the_path_again(path, data):
    known = Recipe.of(EXAMPLES / "one-gigawatt.yaml").inputs()
    at = data.draw(st.integers(path.rindex(".") + 2, len(path) - 1))
    problem = check_path(path[:at] + path[at + 1 :], known)
    assert problem is not None and f"did you mean '{path}'?" in problem.hints


def test_below_what_the_user_names_any_path_may_be_right():
    known = Recipe.of(EXAMPLES / "one-gigawatt.yaml").inputs()
    assert check_path("uncertainty.vary.discount_rate.gsd", known) is None
    assert check_path("fleet.none.list_price", known) is not None


def test_a_verb_that_does_not_answer_a_file_is_refused():
    with pytest.raises(InputError, match="does not answer"):
        Recipe.of(EXAMPLES / "one-gigawatt.yaml", "deals")


def test_the_table_of_inputs_shows_a_part_and_refuses_what_is_none():
    known = Recipe.of(EXAMPLES / "one-gigawatt.yaml").inputs()
    rows = {row["path"]: row for row in inputs_table(known, "site").rows()}
    assert all(path.startswith("site.") for path in rows)
    assert rows["site.energy_price"]["now"] == "48 USD/MWh" and rows["site.redundancy"]["from"] == "default"
    with pytest.raises(InputError, match=r"did you mean 'site'"):
        inputs_table(known, "sit")


def test_a_mistyped_verb_is_named_and_a_sweep_is_no_answer():
    with pytest.raises(InputError) as told:
        Recipe.of(EXAMPLES / "one-gigawatt.yaml", "flete")
    assert told.value.problems[0].hints == ("did you mean 'fleet'?",)
    with pytest.raises(InputError, match="asks for a sweep") as told:
        Recipe.of(EXAMPLES / "sweeps" / "site-and-prices.yaml")
    assert told.value.problems[0].hints == ("'gigawatt sweep' answers it",)
