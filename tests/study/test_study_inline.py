"""Values of records said in the scenario: read as the catalog's own, placed at their line, refused where they can not be."""

from pathlib import Path

import pytest

import gigawatt
from gigawatt.catalog import Catalog
from gigawatt.catalog.inline import with_values
from gigawatt.core.errors import InputError, Where
from gigawatt.study.evaluate import Recipe
from gigawatt.study.load import load
from gigawatt.study.resolve import resolve

EXAMPLES = Path(gigawatt.__file__).parent / "examples"


def _written(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: {EXAMPLES / 'one-rack.yaml'}\n{text}", encoding="utf-8")
    return file


def test_a_value_said_in_the_scenario_is_what_the_plan_reads(tmp_path):
    file = _written(tmp_path, "catalog:\n  platform/gb300-nvl72: {list_price: 5 million USD}\n")
    resolved = resolve(load(file))
    price = resolved.offers[0].platform.list_price
    assert (price.value, price.kind) == (5e6, "assumed") and str(file) in price.source
    where = resolved.catalog.where(price.path)
    assert (where.file, where.line) == (str(file), 3)
    # All else is the record's own, with its own source and place.
    kept = resolved.offers[0].platform.network_share
    assert kept == Catalog.load().get("platform", "gb300-nvl72").network_share
    assert resolved.catalog.where(kept.path).file.endswith("gb300-nvl72.yaml")


def test_a_dearer_rack_said_inline_is_a_dearer_rack_said_in_the_offer():
    asked = Recipe.of(EXAMPLES / "one-rack.yaml").evaluator()
    inline = asked.outcome({"catalog.platform/gb300-nvl72.list_price": "5 million USD"})
    offer = asked.outcome({"fleet.rack.list_price": "5 million USD"})
    assert inline.status == "ok" and inline.values == offer.values != asked.outcome({}).values


def test_a_value_keeps_the_range_and_the_source_that_it_says(tmp_path):
    said = "{value: 60 USD/MWh, low: 50 USD/MWh, high: 80 USD/MWh, kind: quoted, source: our broker}"
    file = _written(tmp_path, f"catalog:\n  site/abilene-texas: {{energy_price: {said}}}\n")
    datum = resolve(load(file)).energy_price
    assert (datum.kind, datum.source) == ("quoted", "our broker")
    assert datum.range == pytest.approx((50 / 3.6e9, 80 / 3.6e9))


def test_all_that_is_wrong_is_told_at_once_with_its_place(tmp_path):
    text = """catalog:
  platfrm/gb300-nvl72: {list_price: 5 million USD}
  platform/gb300-nvl7: {list_price: 5 million USD}
  platform/gb300-nvl72: {list_prise: 5 million USD}
  calibration/training-step: {note: mine}
  site/abilene-texas: {energy_price: 5 MW}
"""
    file = _written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        resolve(load(file))
    places = [problem.where.line for problem in caught.value.problems]
    assert places == [3, 4, 5, 6, 7]
    words = str(caught.value)
    for near in ("'platform'", "'gb300-nvl72'", "'list_price'"):
        assert f"did you mean {near}" in words


def test_ids_with_a_dot_are_one_part_of_a_path(tmp_path):
    asked = Recipe.of(EXAMPLES / "one-rack.yaml").evaluator()
    made = asked.source({"catalog.model/qwen2.5-7b.name": "mine", "fleet.rack.supply": 2})
    assert made.data["catalog"] == {"model/qwen2.5-7b": {"name": "mine"}}


def test_nothing_said_is_the_same_catalog():
    catalog = Catalog.load()
    assert with_values(catalog, {}, lambda path: Where("x"), "x") is catalog


def test_an_unknown_record_is_told_at_the_change_that_names_it():
    recipe = Recipe.of(EXAMPLES / "one-rack.yaml", overrides=["catalog.platform/gb300-nvl27.list_price=3 million USD"])
    with pytest.raises(InputError, match="gb300-nvl27") as told:
        recipe.evaluator().result()
    problem = told.value.problems[0]
    assert str(problem.where).startswith("--set catalog.platform/gb300-nvl27.list_price=")
    assert "did you mean 'gb300-nvl72'?" in problem.hints
