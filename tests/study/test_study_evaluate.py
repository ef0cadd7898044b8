"""A question asked many times gives what it gives alone, and searches physics no more than it must."""

from pathlib import Path

import pytest

import gigawatt
from gigawatt.core.remembered import content
from gigawatt.study.evaluate import Recipe
from gigawatt.study.evaluate.physics import MONEY, OFFER_MONEY, WORK_MONEY, physics_of
from gigawatt.study.load import check
from gigawatt.study.perform import perform
from gigawatt.study.resolve import resolve
from gigawatt.study.scenario import Offer, Scenario
from gigawatt.study.timeline import timeline

EXAMPLES = Path(gigawatt.__file__).parent / "examples"
# One change of each part that no operating point is said to depend on.
OTHER_MONEY = {
    "objective": {"for": "operator"},
    "site": {"grid_power": "3 MW", "place": "phoenix-arizona", "energy_price": "90 USD/MWh", "redundancy": "2N"},
    "capital": "40 million USD",
    "costs": "china-2026",
    "discount_rate": "14 %",
    "companies": ["operator", "lab"],
    "contracts": [],
    "uncertainty": {"samples": 16},
    "integer_racks": True,
    "moats": False,
    "build_out": {"policy": "myopic"},
    "operate": {"days": 2},
    "name": "other", "title": "other", "description": "other",
}  # fmt: skip


@pytest.fixture(scope="module")
def asked():
    return Recipe.of(EXAMPLES / "one-rack.yaml").evaluator()


def _resolved(evaluator, changes):
    return resolve(check(evaluator.source(changes)), evaluator.catalog)


def test_the_short_way_gives_the_numbers_of_the_whole_answer(asked):
    for changes in ({}, {"site.energy_price": "95 USD/MWh", "objective.for": "operator"}):
        short, whole = asked.outcome(changes), asked.result(changes)
        told = {row["name"]: row["value"] for row in whole.metrics.rows()}
        assert short.status == "ok" and short.values == told
        assert {name: asked.units[name] for name in told} == {r["name"]: r["unit"] for r in whole.metrics.rows()}


def test_what_can_not_be_is_an_outcome_and_spoils_no_other(asked):
    before = asked.outcome({})
    wrong = asked.outcome({"site.place": "atlantis"})
    assert wrong.status == "wrong" and "atlantis" in wrong.message and not wrong.values
    small = asked.outcome({"site.grid_power": "1 W", "site.energy_price": "48 USD/MWh"})
    assert small.status in ("ok", "infeasible")
    assert asked.outcome({}) == before


def test_prices_and_site_search_nothing_again(asked):
    asked.outcome({})
    before = asked._physics.searched
    for place in ("phoenix-arizona", "stockholm-sweden"):
        for price in (30, 60):
            asked.outcome({"site.place": place, "site.energy_price": f"{price} USD/MWh"})
    assert asked._physics.searched == before


def test_points_do_not_depend_on_what_is_called_money(asked):
    """Each part of the scenario that the memory leaves out of its key, changed: the same points, by content."""
    first = _resolved(asked, {})
    line = timeline(first.scenario)
    points = content(perform(first, line))
    for name in set(MONEY) - {"drift", "joint", "claim"}:
        other = _resolved(asked, {name: OTHER_MONEY[name]})
        assert content(perform(other, timeline(other.scenario))) == points, name
        assert physics_of(other) == physics_of(first)
    for changes in (
        {"fleet.rack.supply": 3, "fleet.rack.list_price": "5 million USD"},
        {"workloads.chat.price": {"output": "3 USD/Mtok"}, "workloads.chat.demand": {"output": "2e5 tokens/s"}},
        {
            "catalog.platform/gb300-nvl72": {"list_price": "5 million USD", "network_share": 0.2, "storage_share": 0.1},
            "catalog.site/abilene-texas.energy_price": "90 USD/MWh",
            "catalog.cost/baseline-2026.load_factor": 0.5,
        },
    ):
        other = _resolved(asked, changes)
        assert content(perform(other, line)) == points and physics_of(other) == physics_of(first)


def test_what_seconds_depend_on_is_in_the_key(asked):
    first = physics_of(_resolved(asked, {}))
    work = asked.recipe.source.data["workloads"][0]["id"]
    offer = asked.recipe.source.data["fleet"][0]["id"]
    for changes in (
        {f"workloads.{work}.input_tokens": 12345},
        {f"workloads.{work}.slo.tpot_p99": "33 ms"},
        {f"fleet.{offer}.maturity": 1.5},
        {f"fleet.{offer}.endpoints": 64},
        {"horizon.start": "2028-01-01"},
        {"software": "start"},
        {"seed": 5},
    ):
        assert physics_of(_resolved(asked, changes)) != first, changes


def test_names_of_the_key_are_fields():
    """A field that was renamed would silently come back into the key, or a new one of its name out of it."""
    assert set(MONEY) <= set(Scenario.model_fields)
    assert set(OFFER_MONEY) <= set(Offer.model_fields)
    work = Recipe.of(EXAMPLES / "one-gigawatt.yaml").inputs()
    assert {"workloads.chat.price", "workloads.chat.demand", "workloads.pretrain.price_per_run"} <= set(work)
    assert set(WORK_MONEY) == {"price", "price_per_run", "demand", "at"}
