"""Forecast rules, the quarters they look at, and the packaged back-tests with their inputs changed."""

import csv
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from gigawatt.catalog.quarters import quarters
from gigawatt.core.errors import InputError
from gigawatt.economics.market.forecast import RULES, conformal_half_width, fit_line, guided, mape_percent, rolling
from gigawatt.study import backtests
from gigawatt.validation.economics import predict

LINE_QUARTERS = ("FY2025Q1", "FY2025Q2", "FY2025Q3", "FY2025Q4", "FY2026Q1", "FY2026Q2")
VALUES = st.lists(st.floats(1.0, 1e5), min_size=6, max_size=20)


@given(VALUES)
def test_line_as_scipy(values: list[float]) -> None:
    assume(np.ptp(values) > 0)  # a constant has no standard error to compare
    line, expected = fit_line(values), stats.linregress(np.arange(len(values)), values)
    scale = max(values)
    assert line.slope == pytest.approx(expected.slope, abs=1e-9 * scale)
    assert line.intercept == pytest.approx(expected.intercept, abs=1e-9 * scale)
    # standard error of the slope is sigma / sqrt(spread)
    assert line.sigma / np.sqrt(line.spread) == pytest.approx(expected.stderr, rel=1e-6, abs=1e-9 * scale)
    if np.ptp(values) > 1e-3 * scale:
        assert line.r_squared == pytest.approx(expected.rvalue**2, abs=1e-7)


@given(VALUES, st.sampled_from(sorted(RULES)), st.floats(1.0, 1e5))
def test_no_rule_looks_ahead(values: list[float], name: str, other: float) -> None:
    changed = [*values[:-1], other]
    last = len(values) - 1
    np.testing.assert_array_equal(rolling(RULES[name], values, 4, last), rolling(RULES[name], changed, 4, last))


def test_guides_do_not_look_ahead() -> None:
    actual, guide = np.array([10.0, 11, 12, 13, 99]), np.array([9.0, 9, 9, 9, 20])
    assert guided(actual, guide, 4) == pytest.approx(22.5)
    assert guided(actual, guide, 4, ratio=True) == pytest.approx(20 * np.mean([10, 11, 12, 13]) / 9)
    assert mape_percent([90.0, 110.0], [100.0, 100.0]) == pytest.approx(10.0)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(0.1, 0.95))
def test_conformal_half_width_holds_its_share_of_the_past(errors: list[float], coverage: float) -> None:
    half = conformal_half_width(errors, coverage)
    assert np.mean(np.abs(errors) <= half) >= min(coverage, 1.0) - 1e-12


def test_quarters_add_up_to_the_years_in_print() -> None:
    table = quarters("nvidia")
    assert table.span("revenue", "FY2025Q1", "FY2025Q4").sum() == 130_497e6
    assert table.span("data_centre", "FY2025Q1", "FY2025Q4").sum() == 115_186e6
    assert table.span("revenue", "FY2026Q1", "FY2026Q4").sum() == 215_938e6
    assert table.span("data_centre", "FY2026Q1", "FY2026Q4").sum() == 193_737e6
    assert list(table.ends) == sorted(table.ends)
    with pytest.raises(InputError, match="not known"):
        table.span("revenue", "FY2027Q2", "FY2027Q3")
    with pytest.raises(InputError, match="FY2026Q2"):
        table.at("FY2026Q22")
    with pytest.raises(InputError, match="nvidia"):
        quarters("nvidea")


@pytest.mark.parametrize("name", backtests.cases())
def test_packaged_cases_run_and_hold_no_answer(name: str) -> None:
    case = backtests.load(name)
    assert case.id == name
    assert case.title and case.reading
    outputs = case.outputs()
    assert outputs and all(np.isfinite(value) for value in outputs.values())
    text = backtests.cases()[name].read_text(encoding="utf-8")
    assert "expected" not in text and "tolerance: 0" not in text


def test_changed_inputs_change_the_answer() -> None:
    assert backtests.run("bt01", ["inputs.power=20 GW"])["vendor_sale_high_usd_b"] == pytest.approx(700)
    assert backtests.run("bt15", ["inputs.lives=[10]"]) == {"tco_usd_b_per_yr_life_10": pytest.approx(5.875)}
    dear = backtests.run("bt18", ["inputs.capex.1=45 billion USD/GW"])
    assert dear["irr_capex_38"] > dear["irr_capex_45"] > dear["irr_capex_60"]
    assert backtests.run("bt20", ["inputs.rate=6 %"])["dscr_level_annuity"] > 1.58
    assert backtests.run("bt22", ["inputs.top_price=500 USD"])["exceeds_gross_sales"] == 0
    assert backtests.run("bt26", ["inputs.alpha=1", "inputs.beta=1"])["rogers_veraart_p1"] == pytest.approx(
        1.473214, abs=1e-6
    )
    straight = ["inputs.payments.0.amount=0 USD", "inputs.outside_inflows.0.amount=55 billion USD"]
    assert backtests.run("bt27", straight)["finn_index"] == 0
    assert backtests.run("bt12", ["inputs.quarter=FY2026Q2"])["supply_binds"] == 1
    # the flag's own record: it rises for the break, and for two smaller misses before it
    flags = {q: backtests.run("bt07", [f"inputs.last_quarter={q}"])["regime_change_flagged"] for q in LINE_QUARTERS}
    assert [q for q, flag in flags.items() if flag] == ["FY2025Q3", "FY2026Q1", "FY2026Q2"]
    assert backtests.run("bt04", ["inputs.built_by_quarter=[1 GW, 2 GW]"])["cash_before_first_gw_usd_b"] == 0


def test_the_letter_counts_only_as_long_as_it_stands() -> None:
    def on(day: date) -> dict[str, float]:
        found = backtests.run("bt05", [f"inputs.by={day}"])
        return {key.split("_")[0]: value for key, value in found.items()}

    assert on(date(2025, 12, 31)) == {"cash": 0, "headline": 10}
    assert on(date(2026, 7, 1)) == {"cash": 30, "headline": 30}


def test_wrong_inputs_are_told_with_their_place() -> None:
    with pytest.raises(InputError, match="did you mean 'term'"):
        backtests.load("bt20", ["inputs.trem=6 yr"])
    with pytest.raises(InputError, match="not a power"):
        backtests.load("bt20", ["inputs.power=6 yr"])
    with pytest.raises(InputError, match="no back-test 'bt99'"):
        backtests.load("bt99")
    with pytest.raises(InputError, match="'lab' pays 55,000,000,000 USD"):
        backtests.run("bt27", ["inputs.payments.0.amount=0 USD"])
    with pytest.raises(InputError, match="path=value"):
        backtests.load("bt20", ["inputs.power"])


def test_unknown_rows_are_skipped_with_a_reason() -> None:
    unknown, missing, good = predict(
        [{"id": "BT99", "metric": "x"}, {"id": "BT01", "metric": "x"}, {"id": "BT16", "metric": "energy_usd_per_kwh"}]
    )
    assert unknown.predicted is None and "no back-test" in unknown.reason
    assert missing.predicted is None and "vendor_sale_high_usd_b" in missing.reason
    assert good.predicted == pytest.approx(0.06849, abs=1e-5)


def test_a_forecast_carries_a_band() -> None:
    (row,) = predict([{"id": "BT10", "metric": "total_additive_usd_b"}])
    assert row.predicted is not None and row.low is not None and row.high is not None
    assert 1.0 < row.high - row.predicted < 8.0


@pytest.mark.truth
def test_every_row_within_its_tolerance() -> None:
    folder = os.environ.get("GIGAWATT_TRUTH")
    if not folder:
        pytest.skip("GIGAWATT_TRUTH is not set")
    with (Path(folder) / "truth" / "economics_truth.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    blind = [{**row, "value": ""} for row in rows]
    for row, made in zip(rows, predict(blind), strict=True):
        value = float(row["value"])
        allowed = max(float(row["abs_tol"]), float(row["rel_tol"]) * abs(value)) + 1e-12
        assert made.predicted is not None, made.reason
        assert abs(made.predicted - value) <= allowed, (row["id"], row["metric"], made.predicted, value)
