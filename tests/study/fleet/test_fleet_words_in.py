"""What a build-out may say: quarters and days, and every refusal with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError, Problem
from gigawatt.study.fleet.calendar import Quarters, quarters_of
from gigawatt.study.fleet.check import check_build_out
from gigawatt.study.load import load

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL = EXAMPLES / "build-out-small.yaml"


def problems(*changes: str) -> list[Problem]:
    loaded = load(SMALL, changes)
    with pytest.raises(InputError) as found:
        check_build_out(loaded, quarters_of(loaded.scenario))
    return list(found.value.problems)


@given(st.dates(date(2026, 1, 1), date(2032, 12, 31)), st.integers(1, 24))
def test_a_day_falls_into_one_quarter_and_is_there_from_the_next(day: date, count: int) -> None:
    line = Quarters.of(date(2027, 4, 1), count, 0.08)
    inside = line.holding(day)
    assert (inside is None) == (day < line.starts[0] or day >= line.end)
    if inside is not None:
        assert line.starts[inside] <= day
        assert line.from_day(day) == (inside if line.starts[inside] == day else inside + 1)
    assert len(set(line.names)) == count


def test_quarters_have_the_names_of_the_calendar() -> None:
    line = Quarters.of(date(2027, 4, 1), 4, 0.1)
    assert line.names == ("2027Q2", "2027Q3", "2027Q4", "2028Q1")
    assert line.end == date(2028, 4, 1)
    assert line.discount[3] == pytest.approx(1 / 1.1)
    assert line.opening_discount[0] == 1.0


def test_an_unknown_workload_is_named_with_the_nearest_and_its_place() -> None:
    found = problems("build_out.trends={chatt: {demand: 10 %/yr}}")
    assert found[0].code == "unknown_name"
    assert "did you mean 'chat'?" in found[0].hints
    assert found[0].where is not None


def test_an_unknown_offer_is_named_with_the_nearest() -> None:
    found = problems("build_out.offers={gb30: {price: -5 %/yr}}")
    assert "did you mean 'gb300'?" in found[0].hints


def test_power_that_falls_is_refused() -> None:
    found = problems("site.ramp=[{from: 2027-01-01, power: 9 MW}, {from: 2027-07-01, power: 8 MW}]")
    assert [p.code for p in found] == ["falling_ramp"]
    assert "9 MW to 8 MW" in found[0].message


def test_power_over_the_grid_connection_is_refused() -> None:
    found = problems("site.ramp=[{from: 2027-01-01, power: 30 MW}]")
    assert [p.code for p in found] == ["contradiction"]


def test_days_outside_the_horizon_are_refused_all_at_once() -> None:
    found = problems(
        "site.ramp=[{from: 2031-01-01, power: 9 MW}]",
        "build_out.capital=[{from: 2026-01-01, amount: 1 billion USD}, {from: 2030-02-01, amount: 1 billion USD}]",
        "build_out.offers={gb300: {supply: [{from: 2035-01-01, per_quarter: 1}]}}",
    )
    assert [p.code for p in found] == ["outside_horizon"] * 4
    assert "a horizon of 5 years" in " ".join(found[0].hints)


def test_steps_out_of_order_are_refused() -> None:
    found = problems(
        "build_out.capital=[{from: 2028-01-01, amount: 1 billion USD}, {from: 2027-01-01, amount: 1 billion USD}]"
    )
    assert [p.code for p in found] == ["out_of_order"]


def test_a_lab_has_no_build_out_of_its_own() -> None:
    assert [p.code for p in problems("objective.for=lab")] == ["no_such_plan"]


def test_a_trend_of_a_run_is_refused() -> None:
    loaded = load(EXAMPLES / "build-out.yaml", ["build_out.trends={pretrain: {price: -10 %/yr}}"])
    with pytest.raises(InputError) as found:
        check_build_out(loaded, quarters_of(loaded.scenario))
    assert found.value.problems[0].code == "no_trend"


def test_the_shipped_examples_are_right() -> None:
    for name in ("build-out.yaml", "build-out-small.yaml", "one-gigawatt.yaml"):
        loaded = load(EXAMPLES / name)
        check_build_out(loaded, quarters_of(loaded.scenario))
