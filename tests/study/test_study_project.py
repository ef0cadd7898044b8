"""A project file from text to result: examples run, faults are told with their places, bands are seeded."""

from pathlib import Path

import numpy as np
import pytest

import gigawatt
from gigawatt.core.errors import InputError
from gigawatt.report.files import write_run
from gigawatt.report.live_sheet import Evaluator
from gigawatt.report.project_sheets import sheets_of
from gigawatt.report.project_workbook import write_project_workbook
from gigawatt.study.project import check_project, load_project, run_project
from gigawatt.study.source import Source

EXAMPLES = Path(gigawatt.__file__).parent / "examples" / "projects"
CLOUD = EXAMPLES / "cloud-contract-with-debt.yaml"
SMALL = {
    "question": "project",
    "name": "small",
    "project": {
        "id": "small",
        "timing": {"step": "year", "construction": "1 yr", "operation": "4 yr"},
        "capital": [{"id": "plant", "cost": "100 million USD"}],
        "revenue": [{"id": "rent", "price": "3.5 million USD/MW/yr", "power": "10 MW"}],
        "senior": {"rate": "8 %", "tenor": "4 yr", "dscr": 1.3},
    },
    "uncertainty": {"samples": 64},
}


def small(*overrides):
    return check_project(Source("small.yaml", SMALL), overrides)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_run_and_tie(path, tmp_path):
    result = run_project(load_project(path))
    assert result.name == path.stem
    expected = {"project", "sources_uses", "debt_service", "waterfall", "covenants", "assumptions"}
    assert expected <= set(result.tables)
    assert result.manifest["balance_gap_usd"] < 0.01 > result.manifest["residual_usd"]
    for name in ("debt", "dscr_min", "equity_irr", "project_irr", "llcr", "payback"):
        row = result.metric(name)
        assert row["low"] <= row["p50"] <= row["high"]
        assert row["formula"] and row["unit"]
    write_project_workbook(result, tmp_path / "project.xlsx")
    assert Evaluator(sheets_of(result.model, result.sources)).named["all_checks"] == 1
    assert "grade" in result.tables["assumptions"].columns
    write_run(result, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_published_contract_by_overrides():
    """Without prepayment, tax, fee and reserve, 70 % of the cost in level payments: the published cover of 1.58."""
    result = run_project(
        load_project(
            CLOUD,
            [
                "project.revenue.cloud.prepaid='0 %'",
                "project.tax.rate='0 %'",
                "project.reserve.months=0",
                "project.senior={rate: 9 %, tenor: 5 yr, repayment: annuity, amount: 4.06 billion USD}",
                "uncertainty.samples=0",
            ],
        )
    )
    assert result.metric("dscr_min")["value"] == pytest.approx(1.58, abs=0.005)
    assert result.metric("project_irr")["value"] == pytest.approx(0.130, abs=0.0005)
    assert result.metric("dscr_min")["low"] is None


def test_the_tables_tell_the_same_story():
    result = run_project(small())
    project, service = result.tables["project"], result.tables["debt_service"]
    assert list(service.columns) == [
        "company",
        "period",
        "date_end",
        "interest_usd",
        "principal_usd",
        "cfads_usd",
        "dscr",
    ]
    assert len(project) == 6 and len(service) == 4
    assert np.allclose(project.columns["cfads_usd"][2:], service.columns["cfads_usd"])
    for row in service.rows():
        assert row["dscr"] == pytest.approx(1.3)
        assert row["company"] == "small"
    steps = {}
    for row in result.tables["waterfall"].rows():
        steps[row["period"]] = steps.get(row["period"], 0.0) + row["amount_usd"]
    assert set(steps) == {2, 3, 4, 5}
    assert max(map(abs, steps.values())) < 0.01
    sides = {"use": 0.0, "source": 0.0}
    for row in result.tables["sources_uses"].rows():
        sides[row["side"]] += row["amount_usd"]
    assert sides["use"] == pytest.approx(sides["source"], abs=0.01)
    worst = {row["covenant"]: row for row in result.tables["covenants"].rows()}
    assert not worst["payment"]["breached"]


def test_draws_are_seeded_and_more_of_them_leave_the_first_alone():
    few, again = run_project(small()), run_project(small())
    assert few.metrics.as_json() == again.metrics.as_json()
    other = run_project(check_project(Source("small.yaml", SMALL | {"seed": 7})))
    assert other.metric("equity_irr")["low"] != few.metric("equity_irr")["low"]
    from gigawatt.study.project import draw

    loaded = small("uncertainty.samples=32")
    longer = small("uncertainty.samples=64")
    model = few.model
    few_rates, many_rates = (draw(one.file, model)["equity_irr"] for one in (loaded, longer))
    assert np.array_equal(few_rates, many_rates[:32], equal_nan=True)


def test_debt_that_can_not_be_carried_is_an_answer_with_a_price():
    result = run_project(small("project.opex=[{id: costs, fixed: 60 million USD/yr}]", "project.senior.gearing='60 %'"))
    assert result.metric("debt")["value"] == 0
    assert "carries no debt: no period has cash left" in result.headline
    factor = result.metric("price_factor")["value"]
    assert f"{factor - 1:.1%} higher" in result.headline
    carried = run_project(
        small(
            "project.opex=[{id: costs, fixed: 60 million USD/yr}]",
            "project.senior.gearing='60 %'",
            f"project.revenue.rent.price='{3.5 * factor * 1.00001:.9f} million USD/MW/yr'",
        )
    )
    assert carried.metric("gearing")["value"] == pytest.approx(0.6, abs=1e-4)


def test_every_fault_is_told_with_its_place_and_the_nearest_name(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(
        "question: project\n"
        "project:\n"
        "  id: bad\n"
        "  timing: {step: quartr}\n"
        "  capital: [{id: plant, cost: 100}]\n"
        "  revenue: [{id: rent, price: 5 million USD/MW/yr, power: 10 MW, flor: 80 %}]\n"
        "  tax: {rate: 130 %}\n"
    )
    with pytest.raises(InputError) as raised:
        load_project(file)
    said = {str(p.where).partition("bad.yaml:")[2]: str(p) for p in raised.value.problems}
    assert len(said) == 4
    text = "\n".join(said.values())
    assert "did you mean 'quarter'?" in text and "did you mean 'floor'?" in text
    assert "money needs one" in text and "at most 1" in text
    assert {place.split(":")[0] for place in said} == {"4", "5", "6", "7"}


def test_terms_that_do_not_fit_each_other_are_told_with_their_places(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(
        "question: project\n"
        "project:\n"
        "  id: bad\n"
        "  timing: {step: year, construction: 1 yr, operation: 3 yr}\n"
        "  capital: [{id: plant, cost: 100 million USD, curve: [50 %, 40 %]}]\n"
        "  revenue: [{id: rent, price: 5 million USD/MW/yr, power: 10 MW, term: 9 yr}]\n"
        "  senior: {rate: 5 %, tenor: 8 yr}\n"
    )
    with pytest.raises(InputError) as raised:
        load_project(file)
    codes = {p.code: str(p) for p in raised.value.problems}
    assert {"not_shares", "term_too_long", "tenor_too_long", "no_size"} == set(codes)
    assert "bad.yaml:7" in codes["tenor_too_long"] and "project.senior.tenor" in codes["tenor_too_long"]
    assert "project.revenue.rent.term" in codes["term_too_long"]
    with pytest.raises(InputError, match="no whole number of periods"):
        small("project.senior.tenor=2.5 yr")


def test_values_with_their_origin_and_by_year():
    loaded = small(
        "project.senior.rate={value: 9 %, kind: assumed, source: a guess}",
        "project.revenue.rent.utilisation={by_year: {1: 50 %, 3: 90 %}, source: a ramp}",
    )
    assert loaded.terms.senior.rate == pytest.approx(0.09)
    assert loaded.terms.revenue[0].utilisation.tolist() == [0.5, 0.5, 0.9, 0.9]
    result = run_project(loaded)
    rows = {row["name"]: row for row in result.tables["assumptions"].rows()}
    assert rows["senior.rate"]["source"] == "a guess"
    assert result.sources["rate_s"] == "a guess"
    with pytest.raises(InputError, match="beside a value"):
        small("project.senior.rate={value: 9 %, sorce: a guess}")


def test_a_file_extends_another(tmp_path):
    file = tmp_path / "longer.yaml"
    file.write_text(
        f"extends: {CLOUD}\nname: longer\nproject: {{senior: {{dscr: 1.5}}}}\nuncertainty: {{samples: 0}}\n"
    )
    base, other = load_project(CLOUD), load_project(file)
    assert other.terms.senior.cover == 1.5 != base.terms.senior.cover
    assert other.terms.capital == base.terms.capital
    debt = [run_project(one).metric("debt")["value"] for one in (base, other)]
    assert debt[1] < debt[0]


def test_inflation_counts_only_where_prices_are_real():
    plain = small("project.inflation={revenue: 3 %, opex: 3 %}")
    real = small("project.inflation={revenue: 3 %, opex: 3 %}", "project.prices=real")
    assert plain.terms.inflation.revenue == 0 and real.terms.inflation.revenue == pytest.approx(0.03)
    assert run_project(real).metric("debt")["value"] > run_project(plain).metric("debt")["value"]


def test_a_refinancing_is_told():
    result = run_project(small("project.refinancing={after: 2 yr, rate: 5 %, tenor: 2 yr, dscr: 1.1}"))
    assert result.metric("refinancing_gain")["value"] > 0
    assert any("refinancing is worth" in line for line in result.texts["notes"])
