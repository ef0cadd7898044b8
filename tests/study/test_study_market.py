"""Market files: the examples and their numbers, only what was known by a day, and problems told with their place."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import gigawatt.study.market.series as series_room
from gigawatt.catalog.quarters import Quarters, quarters
from gigawatt.core.errors import InputError
from gigawatt.study.market.run import merged, run_market
from gigawatt.study.market.scenario import load_market
from gigawatt.study.result import RunResult

EXAMPLES = Path(str(resources.files("gigawatt") / "examples" / "market"))
OWN = ("vendors-quarters", "supply-and-demand", "linear-supply-forecast", "gigawatt-a-week", "rent-of-an-h100")


def answer(name: str, *overrides: str, as_of: date | None = None) -> RunResult:
    return run_market(load_market(EXAMPLES / f"{name}.yaml", overrides, as_of))


def rows(result: RunResult, table: str) -> list[dict[str, object]]:
    return result.tables[table].as_json()


def row(result: RunResult, table: str, **having: object) -> dict[str, object]:
    return next(r for r in rows(result, table) if all(r[key] == value for key, value in having.items()))


@pytest.mark.parametrize("name", OWN)
def test_examples_run_say_where_from_and_are_the_same_twice(name: str) -> None:
    loaded = load_market(EXAMPLES / f"{name}.yaml", ["samples=50"])
    assert loaded.market.description
    if loaded.market.claim:
        assert loaded.market.claim.sources and loaded.market.claim.refuted_by and loaded.market.claim.since
    first, second = run_market(loaded), run_market(loaded)
    assert first.headline and first.texts["answer"] and first.texts["notes"]
    assert {n: t.as_json() for n, t in first.tables.items()} == {n: t.as_json() for n, t in second.tables.items()}
    for table in first.tables.values():
        if table.name.endswith("_inputs"):
            assert all(r["kind"] and (r["source"] or r["kind"] == "assumed") for r in table.rows()), table.name
    assert "calibrated" not in str(first.texts) + first.headline


def test_the_quarter_of_the_essay_and_the_live_forecast() -> None:
    result = answer("vendors-quarters")
    quarter = row(result, "quarters", quarter="FY2026Q2")
    assert (quarter["revenue_usd"], quarter["data_centre_usd"], quarter["networking_usd"]) == (46743e6, 41096e6, 7252e6)
    assert quarter["data_centre_growth_share"] == pytest.approx(0.564, abs=5e-4)
    assert row(result, "quarters", quarter="FY2026Q3")["guide_usd"] == 54e9
    assert row(result, "compare", id="networking-company-once-paid")["ratio"] == pytest.approx(7.252 / 6.9)
    assert row(result, "compare", id="data-centre-expected")["ratio"] < 1  # type: ignore[operator]
    assert [round(float(r["cover_ratio"]), 2) for r in rows(result, "quarters") if r["cover_ratio"] is not None][-5:] == [
        0.80, 0.74, 1.17, 1.24, 2.58,
    ]  # type: ignore[arg-type]  # fmt: skip
    assert [r["quarter"] for r in rows(result, "quarters") if r["binding_side"] == "demand"] == ["FY2023Q2"]
    made = result.as_json()["forecast"]
    assert made["status"] == "pending" and made["quarter"] == "FY2027Q3" and (made["hits"], made["trials"]) == (9, 10)
    assert made["value"] / 1e9 == pytest.approx(111.74, abs=0.01)
    assert (made["high"] - made["low"]) / 2e9 == pytest.approx(2.67, abs=0.01)
    assert made["baseline"] == 96222e6 and made["baseline_rule"] == "last_value"
    ratio = row(result, "forecast_rows", rule="guide_ratio4")
    assert float(ratio["value_usd"]) / 1e9 == pytest.approx(113.6, abs=0.01)  # type: ignore[arg-type]
    tested = row(result, "backtest", rule="guide_beat4")
    assert 100 * float(tested["mape_share"]) == pytest.approx(1.43, abs=0.005)  # type: ignore[arg-type]
    assert tested["naive_width_share"] > tested["median_width_share"]  # type: ignore[operator]
    assert row(result, "backtest", rule="guide_beat4, all quarters")["quarters"] == 18


def test_the_forecast_of_september_2025_and_its_failure() -> None:
    then = answer("linear-supply-forecast", as_of=date(2025, 9, 15))
    now = answer("linear-supply-forecast")
    for result in (then, now):
        steps = [r for r in rows(result, "backtest") if str(r["rule"]).startswith("line ")]
        np.testing.assert_allclose([float(r["forecast_usd"]) / 1e9 for r in steps], [46.47, 58.44], atol=0.01)  # type: ignore[arg-type]
    assert then.as_json()["forecast"]["status"] == "pending" and now.as_json()["forecast"]["status"] == 51215e6
    assert then.as_json()["forecast"]["value"] == now.as_json()["forecast"]["value"]
    assert all(r["error_share"] is None for r in rows(then, "backtest") if str(r["rule"]).startswith("line "))
    failed = [r["error_share"] for r in rows(now, "backtest") if str(r["rule"]).startswith("line ")]
    np.testing.assert_allclose(failed, [-0.0927, -0.3435], atol=5e-4)  # type: ignore[arg-type]
    assert now.metric("line_break")["value"] == pytest.approx(5.3, abs=0.05)
    assert any("5.3 standard errors" in line and "had broken" in line for line in now.texts["answer"])
    assert {str(r["regime"]) for r in rows(then, "growth")} == {"to July 2025"}
    assert "FY2026Q4" not in str(then.tables["quarters"].columns["quarter"])


def test_nothing_later_changes_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    day = date(2025, 9, 15)
    before = answer("vendors-quarters", "series.quarter=FY2026Q3", as_of=day)
    judged = answer("vendors-quarters", "series.quarter=FY2026Q3").as_json()["forecast"]
    table = quarters("nvidia")
    after = np.array([one > day for one in table.reported])
    guided = np.roll(after, 1) & after

    def other(company: str) -> Quarters:
        return replace(
            table,
            revenue_usd=np.where(after, 1.0, table.revenue_usd),
            data_centre_usd=np.where(after, 2.0, table.data_centre_usd),
            networking_usd=np.where(after, 3.0, table.networking_usd),
            guide_usd=np.where(guided, 4.0, table.guide_usd),
        )

    monkeypatch.setattr(series_room, "quarters", other)
    changed = answer("vendors-quarters", "series.quarter=FY2026Q3", as_of=day)
    assert {n: t.as_json() for n, t in before.tables.items()} == {n: t.as_json() for n, t in changed.tables.items()}
    assert before.as_json()["forecast"] == changed.as_json()["forecast"]
    assert before.as_json()["forecast"]["value"] / 1e9 == pytest.approx(54 + 1.8045)
    # asked without the day, the quarter is forecast from the same data, and judged by what came
    assert judged["value"] == before.as_json()["forecast"]["value"] and judged["status"] == 57006e6


def test_prices_and_capacities_known_later_are_not_used() -> None:
    with pytest.raises(InputError) as caught:
        answer("supply-and-demand", as_of=date(2025, 9, 15))
    found = caught.value.problems
    assert {"logic-n3", "memory-hbm", "power-equipment", "powered-shell"} <= {p.message.split("'")[1] for p in found}
    assert all(p.where is not None and p.where.line for p in found)
    then = answer("rent-of-an-h100", "rent.start=2 USD/h", as_of=date(2025, 3, 1))
    assert "gpt-5" not in then.tables["tokens"].columns["model"] and "gpt-4o" in then.tables["tokens"].columns["model"]
    assert "rent_seen" not in then.tables
    with pytest.raises(InputError, match="known by then"):
        answer("rent-of-an-h100", as_of=date(2025, 3, 1))


def test_what_binds_and_what_one_more_is_worth() -> None:
    result = answer("supply-and-demand", "samples=300")
    binding = rows(result, "binding")
    one = [r for r in binding if r["binds"]]
    assert len(one) == 1 and one[0]["used_share"] == 1.0 and one[0]["worth_usd"] > 0  # type: ignore[operator]
    assert all(r["worth_usd"] == 0 and r["used_share"] < 1 for r in binding if not r["binds"])  # type: ignore[operator]
    assert sum(float(r["binds_share"]) for r in binding) <= 1 + 1e-9  # type: ignore[arg-type]
    computed = [r for r in rows(result, "quarters") if r["status"] == "computed"]
    assert [r["quarter"] for r in computed][:2] == ["FY2027Q3", "FY2027Q4"] and len(computed) == 8
    assert all(float(r["backlog_gw"]) >= 0 for r in computed)  # type: ignore[arg-type]
    # its worth is what one more of it brings: the same file with a little more of that input, given in full
    name = str(one[0]["input"])
    first = computed[0]
    assert first["binding_input"] == name and first["worth_usd"] == one[0]["worth_usd"]
    slack = answer("supply-and-demand", "samples=0", "supply.backlog=0 GW", "supply.demand={start: 1 GW}")
    assert {r["binding_side"] for r in rows(slack, "quarters") if r["status"] == "computed"} == {"demand"}
    assert all(r["worth_usd"] == 0 for r in rows(slack, "binding"))


def test_inputs_given_in_full_and_expansions(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "name: two\nsupply:\n  start: 2027-01-01\n  quarters: 6\n  price: {value: 10 billion USD/GW, low: 10 billion USD/GW, "
        "high: 10 billion USD/GW}\n  demand: {by_quarter: [5 GW]}\n  inputs:\n"
        "    - {id: chips, unit: wafers, stock: 20, per: month, need: 30, lead_time: 0.5 yr, orders: {2027-01-01: 10}}\n"
        "    - {id: power, unit: GW, stock: 3, need: 1, lead_time: 2 yr}\n"
    )
    result = run_market(load_market(file, ["samples=0"]))
    computed = rows(result, "quarters")
    assert [r["supply_gw"] for r in computed] == pytest.approx([2, 2, 3, 3, 3, 3])
    assert [r["binding_input"] for r in computed[:2]] == ["chips", "chips"]
    assert computed[0]["worth_usd"] == pytest.approx(10e9 / 30)
    assert computed[2]["worth_usd"] == 0.0  # both bind alike: one of them alone brings nothing
    assert [r["quarter"] for r in computed][:2] == ["2027Q1", "2027Q2"]
    more = run_market(load_market(file, ["samples=0", "supply.inputs.power.stock=4"]))
    assert rows(more, "quarters")[2]["worth_usd"] == pytest.approx(10e9 / 30)


def test_a_gigawatt_a_week() -> None:
    result = answer("gigawatt-a-week", "samples=200")
    bill = result.metric("bill_per_year")
    assert (bill["low"] / 1e12, bill["high"] / 1e12) == pytest.approx((2.6, 3.12))
    assert result.metric("racks_per_year")["value"] == pytest.approx(308_464)
    assert result.metric("chips_per_year")["value"] / 1e6 == pytest.approx(22.2, abs=0.05)
    assert result.metric("rack_rate_multiple")["value"] == pytest.approx(5.93, abs=0.01)
    table = rows(result, "ramp")
    first = [r for r in table if r["runs_short_first"]]
    assert len(first) == 1 and first[0]["short_from"] == table[0]["short_from"]
    assert all(r["needed_multiple"] > 1 for r in table)  # type: ignore[operator]
    # all of the world's part runs short later than the vendor's
    world = answer("gigawatt-a-week", "samples=0", "ramp.of=world")
    assert str(rows(world, "ramp")[0]["short_from"]) > str(table[0]["short_from"])


def test_rents_follow_the_backlog_of_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "both.yaml"
    text = (EXAMPLES / "rent-of-an-h100.yaml").read_text() + (
        EXAMPLES / "supply-and-demand.yaml"
    ).read_text().partition("\nsupply:\n")[2].join(["\nsupply:\n", ""])
    file.write_text(text)
    settings = ["samples=200", "rent.cover=supply", "rent.quarters=6", "rent.tie=0.2"]
    tied = run_market(load_market(file, settings))
    assert next(iter(tied.tables)) == "quarters" and len(tied.tables["rent_fan"]) == 6
    free = run_market(load_market(file, [*settings[:-1], "rent.tie=0"]))
    assert tied.metric("rent_at_end")["value"] > free.metric("rent_at_end")["value"]
    with pytest.raises(InputError, match="does not have"):
        answer("rent-of-an-h100", "rent.cover=supply")


def test_more_draws_never_change_the_first(tmp_path: Path) -> None:
    few, many = answer("supply-and-demand", "samples=40"), answer("supply-and-demand", "samples=400")
    stated = [[r["revenue_usd"] for r in rows(x, "quarters") if r["status"] == "computed"] for x in (few, many)]
    assert stated[0] == stated[1]
    other = answer("supply-and-demand", "samples=40", "seed=7")
    assert other.tables["backlog_fan"].as_json() != few.tables["backlog_fan"].as_json()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("series.rule=guide_bet4", "guide_beat4"),
        ("series.company=nvidea", "did you mean 'nvidia'"),
        ("series.quarter=FY2027Q4", "FY2027Q3"),
        ("series.windows=3", "did you mean 'window'"),
        ("supply.inputs=[cowos]", "packaging-cowos"),
        ("supply.inputs=[network, network]", "two 'network'"),
        ("supply.price=5 GW", "power price"),
        ("supply.demand={}", "by_quarter"),
        ("question=deals", "not 'market'"),
        ("as_of=soon", "as_of"),
    ],
)
def test_wrong_inputs_are_told_with_their_place(override: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        answer("supply-and-demand", override)
    problem = caught.value.problems[0]
    assert said in str(caught.value)
    assert problem.where is not None and override.partition("=")[0] in str(problem.where)


def test_too_little_known_to_forecast() -> None:
    with pytest.raises(InputError, match="'guide_beat4' can not forecast FY2022Q2"):
        answer("vendors-quarters", "series.quarter=FY2022Q2")
    bare = answer("vendors-quarters", "series.quarter=FY2022Q3", "series.rule=last_value")
    made = bare.as_json()["forecast"]
    assert made["value"] == 6507e6 and made["past_errors"] == 0 and np.isnan(made["low"])
    assert "no band" in bare.headline and "nan" not in bare.headline


def test_a_file_that_asks_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("question: market\nname: x\n")
    with pytest.raises(InputError, match="asks nothing"):
        load_market(file)
    file.write_text("question: market\nname: x\nramp:\n  start: 2027-01-01\n  reach_by: 2026-01-01\n")
    with pytest.raises(InputError) as caught:
        load_market(file)
    assert all(p.where is not None and p.where.line for p in caught.value.problems)


def test_tables_of_one_name_are_laid_under_each_other() -> None:
    from gigawatt.core.table import Table

    made = merged([Table("a", {"x": [1]}, {"x": "GW"}), Table("a", {"y": [2]}), Table("b", {})])
    assert made["a"].as_json() == [{"x": 1, "y": None}, {"x": None, "y": 2}] and list(made) == ["a"]
