"""Rules and bands over a vendor's quarters: the published errors, the hits, and that nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gigawatt.catalog.quarters import Quarters, quarters
from gigawatt.core.errors import InputError
from gigawatt.economics.market.bands import backtest, band, errors_before
from gigawatt.economics.market.rules import BASELINES, History, forecaster, in_words
from gigawatt.economics.market.trends import growth_test, line_test, linear_growth, supply_rejected

TABLE = quarters("nvidia")
TOTAL = History(TABLE.revenue_usd, TABLE.revenue_usd, TABLE.guide_usd)
CENTRE = History(TABLE.data_centre_usd, TABLE.revenue_usd, TABLE.guide_usd)
FIRST, LAST = TABLE.at("FY2025Q1"), TABLE.at("FY2027Q2")
NAMES = st.sampled_from(["guide_beat1", "guide_beat4", "guide_ratio4", "ols4", "loglinear4", "ols9", *BASELINES])
SERIES = arrays(np.float64, (3, 16), elements=st.floats(1.0, 1e4))


def mape(name: str, history: History = TOTAL) -> float:
    made = backtest(forecaster(name), history, FIRST, LAST, 10, 0.8)
    assert made is not None and len(made.quarters) == 10
    return 100 * made.mape


@pytest.mark.parametrize(
    ("name", "expected"),
    [("guide_beat1", 1.16), ("guide_beat2", 1.29), ("guide_beat4", 1.43), ("guide_beat6", 1.85), ("guide_beat8", 2.25),
     ("guide_ratio4", 2.57), ("last_increment", 2.94), ("guide", 5.25), ("last_value", 13.6)],
)  # fmt: skip
def test_errors_of_the_total(name: str, expected: float) -> None:
    assert mape(name) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("guide_beat4", 2.75), ("last_increment", 3.42), ("last_growth", 4.13), ("ols4", 5.52), ("loglinear4", 12.21),
     ("last_value", 14.48)],
)  # fmt: skip
def test_errors_of_the_data_centre(name: str, expected: float) -> None:
    assert mape(name, CENTRE) == pytest.approx(expected, abs=0.05)


def test_the_band_held_nine_of_ten_and_was_wide_after_the_boom() -> None:
    made = backtest(forecaster("guide_beat4"), TOTAL, FIRST, LAST, 10, 0.8)
    assert made is not None and (made.hits, made.trials) == (9, 10)
    width = 2 * made.half / TABLE.guide_usd[FIRST : LAST + 1]
    assert width[0] == pytest.approx(0.48, abs=0.01) and width[-1] == pytest.approx(0.049, abs=0.001)
    naive = backtest(forecaster("last_value"), TOTAL, FIRST, LAST, 10, 0.8)
    assert naive is not None and naive.median_width > made.median_width
    # the beats grow with the base: the last four are all too low, and that was no chance
    assert np.all((made.error[-4:] < -0.016) & (made.error[-4:] > -0.025))


def test_over_eighteen_quarters_the_rule_is_worse() -> None:
    made = backtest(forecaster("guide_beat4"), TOTAL, TABLE.at("FY2023Q1"), LAST, 10, 0.8)
    assert made is not None and len(made.quarters) == 18
    assert 100 * made.mape == pytest.approx(5.1, abs=0.05) and 100 * made.median_ape == pytest.approx(2.3, abs=0.05)
    assert made.error[1] == pytest.approx(0.243, abs=5e-4) and made.error[5] == pytest.approx(-0.197, abs=5e-4)


@pytest.mark.parametrize(("window", "half"), [(10, 2.7), (12, 4.1), (18, 16.2)])
def test_the_window_is_the_assumption(window: int, half: float) -> None:
    made = band(forecaster("guide_beat4"), TOTAL, LAST + 1, window, 0.8)
    assert made.value / 1e9 == pytest.approx(111.74, abs=0.01)
    assert made.half / 1e9 == pytest.approx(half, abs=0.05) and made.errors == window and made.enough


@given(SERIES, NAMES, st.integers(10, 14), st.floats(1.0, 1e4))
def test_no_rule_and_no_band_looks_ahead(columns: np.ndarray, name: str, at: int, other: float) -> None:
    history, rule = History(*columns), forecaster(name)
    changed = columns.copy()
    changed[:2, at:] = other
    changed[2, at + 1 :] = other
    before, after = band(rule, history, at, 6, 0.8), band(rule, History(*changed), at, 6, 0.8)
    assert before == after or (np.isnan(before.value) and np.isnan(after.value))
    assert band(rule, history.before(at), at, 6, 0.8) == before or np.isnan(before.value)


@given(SERIES, NAMES, st.floats(0.5, 0.95))
def test_a_band_holds_its_share_of_the_past_it_rests_on(columns: np.ndarray, name: str, coverage: float) -> None:
    history, rule = History(*columns), forecaster(name)
    made = band(rule, history, 15, 8, coverage)
    errors = errors_before(rule, history, 15, 8)
    assert made.errors == len(errors)
    if made.enough:
        scale = columns[0, 14] / columns[1, 14] * columns[2, 15]
        assert np.mean(np.abs(errors) <= made.half / scale + 1e-9) >= coverage - 1e-9


def test_the_line_and_its_break() -> None:
    values = TABLE.span("data_centre", "FY2024Q2", "FY2026Q2")
    made = line_test(values, TABLE.data_centre_usd[TABLE.at("FY2026Q3") :], (1, 4, 5))
    assert made.line.r_squared == pytest.approx(0.9962, abs=5e-4)
    assert made.line.slope / 1e9 == pytest.approx(3.991, abs=0.001)
    np.testing.assert_allclose(made.error[:2], [-0.0927, -0.3435], atol=5e-4)
    assert made.break_errors == pytest.approx(5.3, abs=0.05)
    assert np.isnan(made.error[2])  # not yet reported
    unknown = line_test(values, [], (1,))
    assert np.isnan(unknown.break_errors) and np.isnan(unknown.actual[0])


def test_growth_falls_within_each_regime() -> None:
    new = growth_test(TABLE.span("data_centre", "FY2026Q2", "FY2027Q2"))
    np.testing.assert_allclose(100 * new.growth, [24.6, 21.7, 20.75, 18.3], atol=0.05)
    assert new.falls_throughout and new.chance == pytest.approx(1 / 24) and new.increment[-1] > new.increment[0]
    old = growth_test(TABLE.span("data_centre", "FY2024Q2", "FY2026Q2"))
    assert not old.falls_throughout and old.chance < 0.001
    assert np.all(np.diff(linear_growth(10.0, 4.0, 9)) < 0)


def test_a_quarter_that_demand_bound() -> None:
    def rejected(name: str) -> bool:
        q = TABLE.at(name)
        before = TABLE.gross_margin_share[max(0, q - 5) : q]
        return supply_rejected(TABLE.revenue_usd[q], TABLE.guide_usd[q], TABLE.gross_margin_share[q], before, 0.02, 0.1)

    assert [name for name in TABLE.names if rejected(name)] == ["FY2023Q2"]


def test_the_table_as_it_stood() -> None:
    then = TABLE.known(date(2025, 8, 27))
    assert then.names[-1] == "FY2026Q3" and then.names[then.last_reported] == "FY2026Q2"
    assert then.guide_usd[-1] == 54e9 and np.isnan(then.revenue_usd[-1]) and np.isnan(then.data_centre_usd[-1])
    assert TABLE.known(date(2025, 8, 26)).names[-1] == "FY2026Q2"
    assert len(TABLE.known(date(2020, 1, 1))) == 0
    assert TABLE.known(None) is TABLE
    assert not TABLE.reported_assumed[TABLE.at("FY2026Q2")] and TABLE.reported_assumed[0]
    assert len(TABLE.known(date(2027, 1, 1))) == len(TABLE) and np.isnan(TABLE.revenue_usd[TABLE.at("FY2027Q3")])


@given(st.dates(date(2022, 6, 1), date(2026, 11, 24)), st.floats(0.1, 9.0))
def test_later_reports_change_nothing(day: date, factor: float) -> None:
    out = sum(1 for one in TABLE.reported if one <= day)

    def later(values: np.ndarray, first: int) -> np.ndarray:
        return np.where(np.arange(len(values)) >= first, values * factor, values)

    changed: Quarters = replace(
        TABLE,
        revenue_usd=later(TABLE.revenue_usd, out),
        data_centre_usd=later(TABLE.data_centre_usd, out),
        networking_usd=later(TABLE.networking_usd, out),
        supply_commitments_usd=later(TABLE.supply_commitments_usd, out),
        guide_usd=later(TABLE.guide_usd, out + 1),
    )
    for series in ("revenue", "guide", "data_centre", "networking", "supply_commitments"):
        np.testing.assert_array_equal(TABLE.known(day).column(series), changed.known(day).column(series))


def test_unknown_rules_are_told() -> None:
    for wrong in ("guide_beat", "ols2", "gide", "ols100"):
        with pytest.raises(InputError, match=wrong):
            forecaster(wrong)
    assert in_words("ols9") == "line through the last 9" and in_words("guide") == "the guide alone"
