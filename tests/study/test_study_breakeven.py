"""Break-even values: the crossing of a known curve is found, none is said where there is none, a reading names one number."""

from __future__ import annotations

import doctest
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.study import breakeven
from gigawatt.study.breakeven import break_even, crossing, few_of, run_file, split_number
from gigawatt.study.reading import Reading, read_of
from gigawatt.study.result import RunResult

EXAMPLES = Path(__file__).parents[2] / "src" / "gigawatt" / "examples"


def test_the_examples_in_the_docstrings_hold():
    found = doctest.testmod(breakeven)
    assert found.attempted > 2
    assert found.failed == 0


@given(root=st.floats(-0.99, 0.99), slope=st.floats(0.1, 10), falls=st.booleans(), backwards=st.booleans())
def test_the_root_of_a_line_is_found_from_either_end(root, slope, falls, backwards):
    sign = -slope if falls else slope
    start, end = (1.0, -1.0) if backwards else (-1.0, 1.0)
    made = crossing(lambda x: sign * (x - root), start, end)
    assert made.crossings == 1
    assert made.at == pytest.approx(root, abs=2 / 8 / 2**8)


@given(level=st.floats(0.01, 5))
def test_what_never_crosses_has_no_break_even(level):
    made = crossing(lambda x: x * x + level, -3.0, 3.0)
    assert made.at is None
    assert made.crossings == 0


@settings(max_examples=30)
@given(jump=st.floats(0.05, 0.95))
def test_a_count_that_jumps_over_its_level_is_found(jump):
    made = crossing(lambda x: (2.0 if x >= jump else 0.0) - 0.5, 0.0, 1.0)
    assert made.at == pytest.approx(jump, abs=1 / 8 / 2**8 + 1e-12)
    assert (made.at_start, made.at_end) == (-0.5, 1.5)


def test_the_crossing_nearest_to_the_start_is_told_and_all_are_counted():
    up = crossing(lambda x: math.sin(x), 0.5, 7.0, steps=40)
    down = crossing(lambda x: math.sin(x), 7.0, 0.5, steps=40)
    assert up.crossings == down.crossings == 2
    assert up.at == pytest.approx(math.pi, abs=1e-3)
    assert down.at == pytest.approx(2 * math.pi, abs=1e-3)


def test_a_value_without_a_number_is_no_sign():
    made = crossing(lambda x: math.nan if x < 0.5 else x, 0.0, 1.0)
    assert made.at is None


def test_ends_need_one_unit():
    assert split_number("30 billion USD/GW") == (30.0, "billion USD/GW")
    with pytest.raises(InputError, match="two units"):
        break_even(EXAMPLES / "market" / "supply-and-demand.yaml", "supply.price", "1 GW", "2 MW", Reading(metric="x"))
    with pytest.raises(InputError, match="no number"):
        split_number("much")


def test_the_price_paid_is_the_break_even_of_a_ratio():
    """An oracle: the ratio of a reported 7.252 B to what is set beside it is one at 7.252 B."""
    file = EXAMPLES / "market" / "vendors-quarters.yaml"
    path = "series.compare.networking-company-once-paid.beside"
    reading = Reading(metric="networking_company_once_paid_ratio")
    made = break_even(file, path, "5 billion USD", "10 billion USD", reading, 1.0)
    assert made.unit == "billion USD"
    assert made.at == pytest.approx(7.252, abs=5 / 8 / 2**8)
    assert made.at_start == pytest.approx(7.252 / 5)


def test_a_wrong_path_or_metric_is_an_input_error():
    file = EXAMPLES / "market" / "vendors-quarters.yaml"
    with pytest.raises(InputError, match="next_quarter"):
        break_even(file, "series.window", 8, 12, Reading(metric="next_quater"))
    with pytest.raises(InputError, match="windwo"):
        break_even(file, "series.windwo", 8, 12, Reading(metric="next_quarter"))


def test_a_name_may_ask_for_the_build_out_of_a_site():
    """`fleet build-out-small` is what `gigawatt fleet` says of the file: worth more with more power, and by quarters."""
    file = EXAMPLES / "build-out-small.yaml"
    made = run_file(file, few_of(file, "fleet"), verb="fleet")
    assert made.manifest["question"] == "fleet"
    quarters = read_of(made, Reading.of({"table": "periods", "column": "quarter", "pick": "count"}))
    assert quarters.number == 12
    more = run_file(file, [*few_of(file, "fleet"), "build_out.capital.0.amount=300 million USD"], verb="fleet")
    assert read_of(more, Reading.of("npv_usd")).number >= read_of(made, Reading.of("npv_usd")).number


def test_a_back_test_is_no_run():
    with pytest.raises(InputError, match="back-test"):
        run_file(EXAMPLES / "backtests" / "bt23-a-stake-in-a-supplier.yaml")


# -- readings -----------------------------------------------------------------------------------------------------------------


def result():
    names = ("name", "value", "unit", "low", "high")
    metrics = Table.from_rows("metrics", [dict(zip(names, ("profit", 8.0, "USD", 6.0, 9.0), strict=True))], names)
    rows = [
        {"who": "a", "usd": 1.0, "usd_low": 0.5, "usd_high": 2.0, "first": True},
        {"who": "b", "usd": 3.0, "usd_low": 2.5, "usd_high": 4.0, "first": False},
        {"who": "b", "usd": 5.0, "usd_low": 4.5, "usd_high": 6.0, "first": False},
    ]
    table = Table.from_rows("owed", rows, tuple(rows[0]), {"usd": "USD"})
    return RunResult("r", "r", "a headline", {"owed": table}, metrics)


def read(given):
    return read_of(result(), Reading.of(given))


def test_a_metric_is_read_with_its_band():
    made = read("profit")
    assert (made.value, made.unit, made.low, made.high) == (8.0, "USD", 6.0, 9.0)


def test_a_cell_is_read_with_its_unit_and_band():
    made = read({"table": "owed", "where": {"who": "a"}, "column": "usd"})
    assert (made.value, made.unit, made.low, made.high) == (1.0, "USD", 0.5, 2.0)
    made = read({"table": "owed", "where": {"first": True}, "column": "usd", "band": ["usd_high", "usd_low"]})
    assert (made.low, made.high) == (2.0, 0.5)


@pytest.mark.parametrize(("pick", "value"), [("first", 3.0), ("last", 5.0), ("sum", 8.0), ("count", 2)])
def test_of_several_rows_one_must_say_which(pick, value):
    assert read({"table": "owed", "where": {"who": "b"}, "column": "usd", "pick": pick}).value == value
    with pytest.raises(InputError, match="2 rows"):
        read({"table": "owed", "where": {"who": "b"}, "column": "usd"})


def test_one_reading_less_another_and_over_another():
    first = {"table": "owed", "where": {"who": "a"}, "column": "usd"}
    assert read({"metric": "profit", "minus": first}).value == 7.0
    made = read({"metric": "profit", "over": first})
    assert (made.value, made.unit) == (8.0, "share")


def test_no_row_is_no_value():
    assert read({"table": "owed", "where": {"who": "c"}, "column": "usd"}).value is None
    assert math.isnan(read({"table": "owed", "where": {"who": "c"}, "column": "usd"}).number)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("proft", "profit"),
        ({"table": "owes", "column": "usd"}, "owed"),
        ({"table": "owed", "column": "us"}, "usd"),
        ({"table": "owed", "column": "usd", "pick": "frist"}, "first"),
        ({"tabel": "owed"}, "table"),
    ],
)
def test_a_wrong_name_names_the_nearest(given, near):
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        read(given)
