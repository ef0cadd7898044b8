import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.table import Table
from gigawatt.report import grid as grid_module
from gigawatt.report import numbers, theme
from gigawatt.report.grid import grid
from gigawatt.report.numbers import number, quantity, scaled, span, unit_of


@pytest.mark.parametrize("module", [numbers, grid_module, theme])
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1.234e9, "USD", "1.23 B USD"),
        (9.996e8, "USD", "1.00 B USD"),
        (3.86e6, "USD per MW-yr", "3.86 M USD/MW/yr"),
        (805.2, "MW", "805 MW"),
        (8.05e8, "W", "805 MW"),
        (4120, "racks", "4.12 k racks"),
        (412, "racks", "412 racks"),
        (0.041, "s", "41.0 ms"),
        (1.2e-6, "USD/token", "1.20 USD/Mtok"),
        (48 / 3.6e9, "USD/J", "48.0 USD/MWh"),
        (-0.213, "share", "-21.3 %"),
        (0.0, "USD", "0 USD"),
        (None, "USD", ""),
        (float("inf"), "MW", "no limit"),
        ("auto", "", "auto"),
    ],
)
def test_a_person_can_read_it(value, unit, shown):
    assert quantity(value, unit) == shown


@given(st.floats(min_value=-1e18, max_value=1e18, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-9))
def test_what_is_shown_is_the_number_to_three_digits_and_never_scientific(value):
    text = number(value)
    assert "e" not in text.lower()
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.00501, abs=1e-300)


@given(
    st.floats(min_value=1e-9, max_value=1e17),
    st.sampled_from(["USD", "W", "MW", "s", "tok/s", "J/tok", "share", "byte/s", "USD/MW/yr", "", "USD/tok"]),
)
def test_scaling_leaves_between_a_thousandth_and_a_hundred_thousand_where_a_prefix_exists(value, unit):
    factor, shown = scaled(unit, value)
    assert factor > 0
    assert math.isfinite(value * factor)
    if unit in ("USD", "W") and 1 <= value < 1e15:
        assert 0.9995 <= value * factor < 1000
    assert shown or not unit


def test_span_has_one_unit():
    assert span(8.1e9, 1.6e10, "USD") == "8.10 to 16.0 B USD"
    assert span(None, 1.0, "USD") == ""


def test_units_come_from_the_table_before_the_name():
    assert unit_of("capex_usd") == "USD"
    assert unit_of("capex_usd", "M USD") == "M USD"
    assert unit_of("vendor_note") == ""


def test_a_column_has_one_scale_and_its_header_says_which():
    table = Table("plan", {"platform": ["a", "b"], "capex_usd": [2.9e10, 3.0e6], "irr": [None, None]})
    shown = grid(table)
    assert shown.headers() == ["platform", "capex [B USD]"]  # a column without a value is left out
    assert [row[1] for row in shown.rows] == ["29.0", "0.00300"]
    assert shown.numeric == [False, True]


def test_rows_with_their_own_unit_show_it():
    table = Table("metrics", {"name": ["npv", "irr"], "value": [1.5e9, 0.16], "unit": ["USD", "share"]})
    assert grid(table).rows == [["npv", "1.50 B USD"], ["irr", "16.0 %"]]


def test_missing_and_mixed_cells_are_text():
    table = Table("plan", {"racks": [None, 4120.0], "point": ["full", 3], "odd": ["auto", 2.5]})
    assert grid(table).rows == [["", "full", "auto"], ["4,120", "3", "2.50"]]


@pytest.mark.parametrize(
    ("unit", "price_unit", "amount", "worth"),
    [
        ("MW", "USD/yr per MW", "998 MW", "3.86 M USD/MW/yr"),
        ("USD/MW/yr", None, "998 MW", "3.86 M USD/MW/yr"),
        ("racks", "USD/yr per rack", "998 racks", "3.86 M USD/rack/yr"),
        ("tokens/s", "USD per million tokens", "998 tok/s", "3,860,000 USD/Mtok"),
    ],
)
def test_a_limit_counts_its_amounts_and_its_worth_in_their_own_units(unit, price_unit, amount, worth):
    row = {"name": "x", "used": 998.0, "shadow_price_up": 3.86e6, "unit": unit} | (
        {"price_unit": price_unit} if price_unit else {}
    )
    table = Table.from_rows("limits", [row], list(row))
    assert grid(table).rows == [["x", amount, worth]]
