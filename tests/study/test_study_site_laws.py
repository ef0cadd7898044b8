"""Laws of site, build-out and moats on real examples, through the rooms that the verbs go through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_moats_sample import site

from gigawatt.catalog import Catalog
from gigawatt.factory.buildout import build_out, rental_of
from gigawatt.physics.site import meter_watts
from gigawatt.study.fleet.inputs import inputs_of
from gigawatt.study.load import from_data, load
from gigawatt.study.moats.answer import answer_moats
from gigawatt.study.pipeline import chosen, work_out
from gigawatt.study.resolve import resolve
from gigawatt.study.site.hall import air_words, pue_by_air
from gigawatt.study.site.plant import plant_of
from gigawatt.study.timeline import timeline

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["one-rack", "hundred-megawatts"])
def test_one_period_of_a_fleet_in_rental_form_is_the_plan_of_run(name: str) -> None:
    """Two ways: the plan's own inputs, and the first quarter of `fleet`'s columns with capital at the plan's charges."""
    resolved = resolve(load(EXAMPLES / f"{name}.yaml", ["build_out.software=release"]))
    priced, best = chosen(resolved, timeline(resolved.scenario))
    theirs = build_out(rental_of(priced.inputs), prices=False)
    assert theirs.npv_usd == pytest.approx(best.value_usd_per_yr, rel=1e-9)
    columns, charges = inputs_of(resolved).build.part(0, 1), priced.inputs.chosen
    rented = replace(
        columns,
        charge_usd_per_yr=charges.platform_usd_per_yr - columns.upkeep_usd_per_yr,
        shell_charge_usd_per_mw_yr=charges.shell_usd_per_mw_yr - columns.shell_upkeep_usd_per_mw_yr,
        period_yr=1.0,
        discount=np.ones(1),
        opening_discount=np.ones(1),
    )
    ours = build_out(rented, prices=False)
    assert ours.npv_usd == pytest.approx(best.value_usd_per_yr, rel=1e-9)
    np.testing.assert_allclose(ours.racks[:, 0], best.racks, rtol=1e-6, atol=1e-6)


def test_listed_companies_are_together_worth_the_plan_with_plant_provisioning_and_flexibility_on() -> None:
    """Own plant, racks set aside by percentile, and a grid that asks load back, all at once: payments between them cancel."""
    changes = [
        "site.generation=[{id: engines, technology: gas-engine, capacity: 60 MW}]",
        "site.storage=[{id: packs, power: 10 MW, hours: 2}]",
        "site.flexibility={share: 20 %, hours: 100}",
        "site.provisioning={policy: percentile, percentile: 99 %}",
        "moats=false",
        "uncertainty={samples: 16}",
    ]
    answer = work_out(load(EXAMPLES / "hundred-megawatts.yaml", changes))
    assert sum(own.capital_usd for own in answer.priced.plant.supply.standing.own) > 0
    ledger = answer.settled.ledger
    listed = [c.id for c in answer.resolved.scenario.companies if c.id in ledger.companies]
    together = sum(answer.npv(company) for company in listed)
    together -= answer.settled.residual_markup_usd * (1 + answer.rate) ** -answer.settled.schedule.time_years[-1]
    assert together == pytest.approx(answer.plan.value_usd_per_yr * answer.line.annuity_years, rel=1e-6)
    assert ledger.imbalance() < 1e-12


def shapley(facts: Path | None = None, **changes: Any) -> dict[str, dict[str, float]]:
    """{regime: {moat: USD a MW-year}} of the small site, as the verb's rows have them."""
    catalog = Catalog.load((facts,) if facts else ())
    asked = {"samples": 0, "regimes": ["chips", "demand", "power"], **changes.pop("moats", {})}
    made = answer_moats(from_data(site(moats=asked, **changes), "small"), catalog=catalog)
    out: dict[str, dict[str, float]] = {}
    for row in made.tables["moats"].as_json():
        out.setdefault(row["regime"], {})[row["moat"]] = row["shapley_usd_per_mw_yr"]
    for regime, total in made.manifest["total"].items():
        assert sum(out[regime].values()) == pytest.approx(total, rel=1e-9, abs=1e-3)
    return out


def test_watts_are_worth_nothing_where_they_and_their_shell_cost_nothing_and_are_not_short(tmp_path: Path) -> None:
    halls = tmp_path / "facility"
    halls.mkdir()
    free = {"extends": "liquid-cooled-2026", "name": "Free hall", "kind": "assumed", "source": "a law's own case",
            "as_of": "2026", "shell_price": "0 USD/MW"}  # fmt: skip
    (halls / "free-hall.yaml").write_text(json.dumps(free), encoding="utf-8")
    ample = {"grid_power": "5 GW", "energy_price": "0 USD/MWh"}
    paid = shapley(capital="300 billion USD", site=ample)
    given = shapley(tmp_path, capital="300 billion USD", site={**ample, "facility": "free-hall"})
    for regime in ("chip-limited", "demand-limited"):
        assert paid[regime]["perf_per_watt"] > 1e4 > abs(given[regime]["perf_per_watt"])
        assert given[regime]["software"] > 1e5
    assert given["power-limited"]["perf_per_watt"] > 1e5  # free, but short


def test_a_rival_twice_as_efficient_lowers_the_moat_of_watts(tmp_path: Path) -> None:
    """A basis of dense peak over power at equal speed and price: twice the rival's peak for the same watts."""
    chips = tmp_path / "accelerator"
    chips.mkdir()
    record = Catalog.load().get("accelerator", "mi355x")
    peak = {name: f"{2 * datum.value:.6g} FLOP/s" for name, datum in record.peak_flops.items()}
    (chips / "mi355x.yaml").write_text(
        json.dumps({"extends": "mi355x", "name": "twice", "kind": "assumed", "source": "a law's own case",
                        "as_of": "2026", "peak_flops": peak}), encoding="utf-8")  # fmt: skip
    fp8 = {"basis": "fp8", "regimes": ["power"]}
    now, then = shapley(moats=fp8), shapley(tmp_path, moats=fp8)
    assert then["power-limited"]["perf_per_watt"] < now["power-limited"]["perf_per_watt"] - 1e5


def test_racks_that_air_cools_in_a_liquid_hall_are_named_with_what_they_would_take() -> None:
    resolved = resolve(load(EXAMPLES / "hundred-megawatts.yaml"))
    chain = plant_of(resolved).chain
    rows = {offered.offer.id: i for i, offered in enumerate(resolved.offers)}
    assert air_words(resolved, chain, [rows["gb300"]]) == []
    (said,) = air_words(resolved, chain, rows.values())
    assert "that of b200 too" in said
    assert pue_by_air(chain) > meter_watts(1.0, chain) + 0.1
    other = resolve(load(EXAMPLES / "hundred-megawatts.yaml", ["site.facility=air-cooled-2020"]))
    assert air_words(other, plant_of(other).chain, rows.values()) == []
