"""A site with plant of its own in a whole run: money, watts and carbon agree; what can not be is told with its place."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.answer import Answer
from gigawatt.study.load import Loaded, from_data, load
from gigawatt.study.pipeline import assemble, work_out
from gigawatt.study.resolve import Resolved, resolve
from gigawatt.study.result import RunResult
from gigawatt.study.site.plant import plant_of
from gigawatt.study.site.supply import firm_mw_on
from gigawatt.study.templates import templates

FILE = Path(str(resources.files("gigawatt") / "examples" / "site" / "behind-the-meter.yaml"))


OWN = {
    "grid_power": "8 MW",
    "generation": [
        {"id": "turbines", "technology": "gas-turbine-mobile", "capacity": "96 MW"},
        {"id": "engines", "technology": "gas-engine", "capacity": "55 MW"},
        {"id": "sun", "technology": "solar-pv", "capacity": "60 MW"},
    ],
    "storage": [{"id": "packs", "power": "40 MW", "hours": 2}],
}


def _loaded(site: dict[str, object], *overrides: str) -> Loaded:
    """A small scenario of one offer and one workload on a site."""
    data = {
        "schema": 1,
        "name": "small",
        "capital": "5 billion USD",
        "moats": False,
        "horizon": {"start": "2027-01-01", "years": 4},
        "site": {"place": "memphis-tennessee", **site},
        "fleet": [{"id": "gb300", "platform": "gb300-nvl72"}],
        "workloads": [
            {
                "id": "chat",
                "kind": "serving",
                "model": "llama3-70b",
                "input_tokens": 2000,
                "output_tokens": 500,
                "slo": {"ttft_p99": "2 s", "tpot_p99": "40 ms"},
                "demand": {"output": "100e6 tokens/s"},
                "price": {"input": "0.2 USD/Mtok", "output": "0.6 USD/Mtok", "realised_share": 0.25},
            }
        ],
    }
    return from_data(data, "small.yaml", overrides)


def _site(**site: object) -> Resolved:
    return resolve(_loaded(site))


@lru_cache(maxsize=8)
def _answer(*overrides: str) -> Answer:
    return work_out(_loaded(OWN, *overrides))


@lru_cache(maxsize=1)
def _result() -> RunResult:
    return assemble(_answer())


def _gas(mw: float, technology: str = "gas-engine", **more: object) -> dict[str, object]:
    return {"id": "gas", "technology": technology, "capacity": f"{mw} MW", **more}


@pytest.mark.parametrize(
    "overrides", [(), ("horizon.build_quarters=3", "horizon.years=7"), ("site.grid_power=150 MW",)]
)
def test_the_ledger_is_worth_what_the_plan_says(overrides: tuple[str, ...]) -> None:
    """Capital at arrival with what it is worth at the end, fuel and upkeep: the plan's charge for own plant to the cent."""
    answer = _answer(*overrides)
    ledger = answer.settled.ledger
    own = {c.id for c in answer.resolved.scenario.companies}
    inside = sum(answer.npv(company) for company in own if company in ledger.companies)
    inside -= answer.settled.residual_markup_usd * (1 + answer.rate) ** -answer.settled.schedule.time_years[-1]
    assert inside == pytest.approx(answer.plan.value_usd_per_yr * answer.line.annuity_years, rel=1e-6)
    assert ledger.imbalance() < 1e-12
    parts = {p.part for p in answer.settled.purchases}
    assert {"own plant: turbines", "own plant: packs", "own plant: sun"} <= parts


def test_own_plant_comes_off_the_capital() -> None:
    answer = _answer()
    plant = answer.priced.plant
    assert answer.priced.inputs.capital_usd == pytest.approx(5e9 - plant.capital_usd)
    # Turbines 96 MW x 1.8, engines 55 x 1.7, sun 60 x 1.484, batteries 40 x 0.379 and 80 MWh x 240.8 USD/kWh.
    assert plant.capital_usd / 1e6 == pytest.approx(172.8 + 93.5 + 89.04 + 15.16 + 19.264, rel=1e-6)
    assert sum(p.usd for p in answer.settled.purchases) == pytest.approx(answer.capex_usd, rel=1e-6)
    with pytest.raises(Infeasible, match="own plant costs") as raised:
        work_out(_loaded(OWN, "capital=0.3 billion USD"))
    assert raised.value.changes[0].needed == pytest.approx(plant.capital_usd / 1e9)


def test_what_the_plan_draws_is_what_was_dispatched() -> None:
    """One load for the price of energy and for the plan; sources and batteries serve it; carbon is that of the sources."""
    answer, tables = _answer(), _result().tables
    supply = answer.priced.plant.supply
    assert answer.drawn_mw == pytest.approx(supply.load_mw * supply.served_share, rel=2e-3)
    assert answer.site_mw <= supply.firm_mw * (1 + 1e-9)
    rows = {row["source"]: row for row in tables["energy_sources"].rows()}
    burnt = sum(row["mwh"] * row["kg_per_mwh"] for row in rows.values() if row["kg_per_mwh"] is not None)
    assert burnt / (answer.drawn_mw * 8760) == pytest.approx(answer.priced.plant.carbon_kg_per_mwh, rel=1e-6)
    paid = sum(row["mwh"] * row["usd_per_mwh"] for row in rows.values() if row.get("usd_per_mwh"))
    assert paid == pytest.approx(answer.annual_energy_usd, rel=2e-3)
    by_month = tables["site_supply_months"].rows()
    assert sum(row["mwh"] for row in by_month) == pytest.approx(answer.drawn_mw * 8760, rel=1e-6)
    metrics = {row["name"]: row["value"] for row in _result().metrics.rows()}
    assert metrics["own_energy_share"] > 0.9 and metrics["energy_cost_all_in"] > metrics["energy_price"] > 20


def test_a_site_with_a_grid_alone_keeps_its_price_and_its_connection() -> None:
    plant = plant_of(_site(grid_power="100 MW", lack_hours=100.0))
    assert (plant.power_mw, plant.capital_usd, plant.charge_usd_per_yr, plant.served_share) == (100.0, 0.0, 0.0, 1.0)
    assert plant.energy_usd_per_mwh == pytest.approx(65.0) and plant.supply.found is None


def test_more_plant_and_cheaper_fuel_never_hurt() -> None:
    base = plant_of(_site(grid_power="50 MW", generation=[_gas(60)]))
    more = plant_of(_site(grid_power="50 MW", generation=[_gas(80)]))
    assert more.power_mw >= base.power_mw >= 50.0
    with_store = plant_of(_site(grid_power="50 MW", generation=[_gas(60)], storage=[{"id": "b", "power": "20 MW"}]))
    assert with_store.power_mw >= base.power_mw
    load_mw = base.supply.load_mw
    looser = plant_of(_site(grid_power="50 MW", generation=[_gas(60)], lack_hours=88.0))
    assert looser.power_mw > base.power_mw, "a standard of 1 % of the hours counts on more"
    dear = _site(grid_power="50 MW", generation=[_gas(60, "diesel-backup")])
    cheap = _site(grid_power="50 MW", generation=[_gas(60)])
    assert plant_of(cheap, load_mw).energy_usd_per_mwh <= plant_of(dear, load_mw).energy_usd_per_mwh
    # At the same load a second, dearer way to have watts is only taken where it is cheaper than the grid's hour.
    alone = plant_of(_site(grid_power="100 MW", flexibility={"share": 0.01, "hours": 1}), 40.0)
    helped = plant_of(_site(grid_power="100 MW", flexibility={"share": 0.01, "hours": 1}, generation=[_gas(60)]), 40.0)
    assert helped.energy_usd_per_mwh <= alone.energy_usd_per_mwh + 1e-9


def test_a_site_that_answers_the_grids_calls_loses_those_hours_and_no_more() -> None:
    flexible = plant_of(_site(grid_power="100 MW", flexibility={"share": "25 %", "hours": 100}))
    assert flexible.power_mw == pytest.approx(100.0)
    # At its mean load of four fifths the site draws about 79 MW, of which 75 stay.
    assert 1 - 0.25 * 100 / 8760 <= flexible.served_share < 1.0
    held = plant_of(
        _site(
            grid_power="100 MW",
            flexibility={"share": "25 %", "hours": 100},
            storage=[{"id": "b", "power": "40 MW", "hours": 8}],
        ),
        flexible.supply.load_mw,
    )
    assert held.served_share > flexible.served_share
    assert held.power_mw >= flexible.power_mw


def test_plant_counts_from_the_day_it_is_there() -> None:
    from datetime import date

    late = _site(grid_power="50 MW", generation=[_gas(180, available="2029-01-01")])
    assert plant_of(late).power_mw == 50.0
    assert firm_mw_on(late, date(2029, 1, 1)) > 150.0
    ramped = _site(
        grid_power="150 MW",
        generation=[_gas(180)],
        ramp=[{"from": "2028-01-01", "power": "100 MW"}, {"from": "2029-01-01", "power": "150 MW"}],
    )
    steps = [firm_mw_on(ramped, date(year, 6, 1)) for year in (2027, 2028, 2029)]
    assert steps == sorted(steps) and steps[2] - steps[0] == pytest.approx(150.0, rel=0.1)


def test_wrong_plant_is_told_all_at_once() -> None:
    with pytest.raises(InputError) as raised:
        _site(
            grid_power="0 MW",
            generation=[],
            storage=[{"id": "b", "technology": "batery-lithium", "power": "10 MW"}],
        )
    assert "did you mean 'battery-lithium'" in str(raised.value) and "nothing charges it" in str(raised.value)
    with pytest.raises(InputError) as raised:
        _site(
            generation=[
                {"id": "a", "technology": "gas-turbin", "capacity": "10 MW"},
                {"id": "a", "technology": "battery-lithium", "capacity": "10 MW"},
                {"id": "grid", "technology": "solar-pv", "capacity": "10 MW", "available": "2031-06-01"},
            ],
            storage=[{"id": "c", "technology": "solar-pv", "power": "10 MW"}],
        )
    words = str(raised.value)
    for said in ("did you mean 'gas-turbine'", "'a' is the name of two", "belongs under  storage:", "the grid's own name",
                 "the horizon ends on 2031-01-01", "belongs under  generation:"):  # fmt: skip
        assert said in words, said


def test_a_site_without_power_in_some_hour_names_it_and_what_would_fit() -> None:
    dark = _site(grid_power="0 MW", generation=[{"id": "sun", "technology": "solar-pv", "capacity": "100 MW"}])
    with pytest.raises(
        Infeasible, match=r"no power that can be counted on at 0\d:00 on \d+ \w+: it stands on sun"
    ) as raised:
        plant_of(dark)
    storage = next(change for change in raised.value.changes if change.limit == "storage")
    # The change that it names does fit, but for how the building's draw follows the weather.
    power = float(storage.unit.split("and ")[1].split()[0])
    fits = plant_of(
        _site(
            grid_power="0 MW",
            generation=[{"id": "sun", "technology": "solar-pv", "capacity": "100 MW"}],
            storage=[{"id": "b", "power": f"{power} MW", "hours": storage.needed / power}],
        )
    )
    assert 1.0 <= fits.power_mw / raised.value.changes[0].needed < 1.15
    single = _site(grid_power="0 MW", generation=[_gas(80, "nuclear-smr")])
    with pytest.raises(Infeasible, match="single unit"):
        plant_of(single)


def test_the_example_runs_and_tells_whether_its_plant_follows() -> None:
    assert "site/behind-the-meter" in templates()
    answer = work_out(load(FILE, ["moats=false"]))
    tables = assemble(answer).tables
    follows = list(tables["plant_follows"].rows())
    assert {row["change"] for row in follows} == {"swing", "failure", "restart"}
    assert answer.site_mw > 50 and len(tables["site_supply_months"]) >= 12 * 6
    # Turbines and engines of 228 MW count for half of it by themselves; grid, sun and batteries lift that.
    firm = answer.priced.plant.supply.standing.firm
    assert 100 < firm.fuel_alone_w / 1e6 < 130 and 150 < firm.load_w / 1e6 < 200
    assert firm.lack_hours <= 2.4


def test_the_same_seed_gives_the_same_hours() -> None:
    one, two = (plant_of(_site(**OWN)).supply for _ in range(2))
    assert one.found is not None and two.found is not None
    assert np.array_equal(one.found[0].source_w, two.found[0].source_w)
