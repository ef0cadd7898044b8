"""Joint design of a scenario: every design is the plan of itself, and nothing beats the best of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError
from gigawatt.report.money_charts import chart_of
from gigawatt.study.load import load
from gigawatt.study.pipeline import run

FILE = Path(__file__).parents[2] / "src" / "gigawatt" / "examples" / "joint-design.yaml"
SMALL = [
    "fleet=[{id: gb300, platform: gb300-nvl72, fabric: quantum-x800-2tier}, {id: b200, platform: hgx-b200}]",
    "workloads=[{id: chat, kind: serving, model: llama3-70b, input_tokens: 1000, output_tokens: 300, "
    "slo: {ttft_p99: 2 s, tpot_p99: 40 ms}, demand: {output: 300e6 tokens/s}, "
    "price: {input: 0 USD/Mtok, output: 0.4 USD/Mtok}}]",
    "joint.fabrics={gb300: [quantum-x800-2tier, tomahawk5-roce-2tier]}",
    "joint.samples=8",
    "uncertainty.samples=16",
]


@pytest.fixture(scope="module")
def made():
    return run(load(FILE, SMALL))


def rows(result, table):
    return list(result.tables[table].rows())


def test_every_design_is_there_and_none_beats_the_joint_one(made):
    designs = rows(made, "joint_designs")
    assert {(r["chip"], r["fabric"], r["site"]) for r in designs} == {
        (chip, fabric, site)
        for chip, fabric in (("gb300", "quantum-x800-2tier"), ("gb300", "tomahawk5-roce-2tier"), ("b200", "auto"))
        for site in ("texas", "norway", "virginia")
    }
    ways = {row["way"]: row for row in rows(made, "joint")}
    best = max(row["value_usd_per_yr"] for row in designs)
    assert ways["joint"]["value_usd_per_yr"] == pytest.approx(best)
    assert all(row["joint_worth_usd_per_yr"] >= 0 for row in ways.values())
    assert len(ways) == 1 + 3 + 6


def test_a_design_is_the_plan_of_its_own_scenario(made):
    """The value of one design is the optimum of a run with that chip, fabric and site alone."""
    from gigawatt.factory import plan
    from gigawatt.study.perform import perform
    from gigawatt.study.price import price
    from gigawatt.study.resolve import resolve
    from gigawatt.study.timeline import timeline

    alone = [*SMALL, "fleet=[{id: b200, platform: hgx-b200}]", "joint=null", "site.grid_power=60 MW", "site.place=norway",
             "site.facility=air-cooled-2020", "site.energy_price=35 USD/MWh"]  # fmt: skip
    loaded = load(FILE, [one for one in alone if not one.startswith("joint.")])
    resolved, line = resolve(loaded), timeline(loaded.scenario)
    value = plan(price(resolved, perform(resolved, line), line).inputs, prices=False).value_usd_per_yr
    mine = next(r for r in rows(made, "joint_designs") if (r["chip"], r["site"]) == ("b200", "norway"))
    assert mine["value_usd_per_yr"] == pytest.approx(value, rel=1e-6)


def test_more_capital_is_never_worth_less_and_cheap_tokens_end_it(made):
    scan = rows(made, "joint_scan")
    capital = [row["value_usd_per_yr"] for row in scan if row["changed"] == "capital"]
    prices = [row["value_usd_per_yr"] for row in scan if row["changed"] == "price of tokens"]
    assert capital == sorted(capital) and prices == sorted(prices)
    assert all(row["over_worst_order_usd_per_yr"] >= 0 and row["over_measures_usd_per_yr"] >= 0 for row in scan)


def test_it_is_said_and_drawn(made):
    assert made.texts["answer"][0].startswith("All at once: ")
    assert chart_of(made, "joint")["data"]


def test_an_offer_that_is_not_there_is_told():
    with pytest.raises(InputError, match="did you mean 'gb300'"):
        run(load(FILE, ["joint.fabrics={gb30: [quantum-x800-2tier]}"]))
    with pytest.raises(InputError, match="norwai"):
        run(load(FILE, ["joint.sites.norway.place=norwai"]))
