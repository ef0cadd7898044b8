"""Designs: rows by number alone, products, ranges, draws; what a file and the command line may say."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_sweep_sample import CAPITAL, PLACE, PRICE, Quick, grid

from gigawatt.core.errors import Problems, Where
from gigawatt.study.sampling.laws import Lognormal, Uniform
from gigawatt.study.sweep.axes import Cases, Columns
from gigawatt.study.sweep.design import Design, chunk_of, design_of
from gigawatt.study.sweep.gathered import Gathered
from gigawatt.study.sweep.sampled import sampled_of
from gigawatt.study.sweep.values import Span, ValuesError, number_of, quantity, read_values, read_words, split

KNOWN = Quick().inputs()


def test_the_last_axis_runs_fastest_and_every_product_comes_once():
    design = grid("10..30 USD/MWh/3", "iowa, norway")
    rows = [tuple(design.changes(row).values()) for row in range(design.rows)]
    assert rows[:4] == [
        ("iowa", "10 USD/MWh"),
        ("iowa", "20 USD/MWh"),
        ("iowa", "30 USD/MWh"),
        ("norway", "10 USD/MWh"),
    ]
    assert len(set(rows)) == design.rows == 6


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(1, 50))
def test_rows_are_the_digits_of_their_number(sizes, chunk):
    axes = tuple(Columns({f"a{at}": tuple(range(size))}) for at, size in enumerate(sizes))
    design = Design(axes, chunk)
    for row in range(design.rows):
        assert design.levels(row) == tuple(np.unravel_index(row, sizes))
    parts = [list(design.rows_of(at)) for at in range(design.chunks)]
    assert [row for part in parts for row in part] == list(range(design.rows))
    with pytest.raises(IndexError):
        design.changes(design.rows)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e3), st.integers(2, 400), st.booleans())
def test_ranges_hold_both_ends_rise_and_are_what_is_written(low, ratio, points, log):
    span = Span(low, low * ratio, points, "MW", log)
    numbers = np.array([span.number(k) for k in range(points)])
    assert numbers[0] == low and numbers[-1] == low * ratio
    assert np.all(np.diff(numbers) > 0)
    exact = np.geomspace(low, low * ratio, points) if log else np.linspace(low, low * ratio, points)
    assert np.allclose(numbers, exact, rtol=1e-11)
    assert all(math.isclose(number_of(span[k]), numbers[k], rel_tol=1e-11) for k in range(points))


def test_a_million_rows_take_no_memory():
    tracemalloc.start()
    design = Design((Columns({"x": Span(0, 1, 1000)}), Columns({"y": Span(0, 1, 1000)})), 500)
    last = design.changes(design.rows - 1)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last == {"x": 1, "y": 1} and used < 100_000


def test_parts_depend_on_the_number_of_rows_alone():
    assert [chunk_of(n) for n in (1, 100, 10_000, 10**7)] == [1, 5, 50, 1000]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("30 USD/MWh, 40 USD/MWh", ["30 USD/MWh", "40 USD/MWh"]),
        ("30..50 USD/MWh/3", ["30 USD/MWh", "40 USD/MWh", "50 USD/MWh"]),
        ("1 GW..4 GW/3 log", ["1 GW", "2 GW", "4 GW"]),
        ("10, 20..40/3", [10, 20, 30, 40]),
        ("1..2/3", [1.0, 1.5, 2.0]),
        ("5 %..15 %/2", ["5 %", "15 %"]),
        ("true, auto, 2027-01-01", None),
        ("iowa", ["iowa"]),
    ],
)
def test_values_in_one_line(text, values):
    found = list(read_words(text))
    assert found == values if values is not None else len(found) == 3


def test_values_of_a_file():
    assert list(read_values({"from": "1 MW", "to": "100 MW", "points": 3, "spaced": "log"})) == [
        "1 MW",
        "10 MW",
        "100 MW",
    ]
    assert read_values([5, 8]) == read_values((5, 8)) == read_values(np.array([5, 8])) == (5, 8)
    assert read_values(5) == (5,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("30..90 USD/MWh", "does not say how many"),
        ("90..30 USD/MWh/7", "from low to high"),
        ("30 MW..90 GW/7", "one unit"),
        ("iowa..ohio/7", "only numbers span"),
        ("0..9 MW/4 log", "above zero"),
        ("1..9/1", "2 to 1,000,000 points"),
        ("5, 5", "twice"),
        ("[1, 2", "no list of values"),
    ],
)
def test_what_is_no_list_and_no_range(text, says):
    with pytest.raises(ValuesError, match=says):
        read_words(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(-1e9, 1e9, allow_nan=False), st.sampled_from(["", "MW", "USD/MWh", "billion USD", "%"]))
def test_a_number_and_its_unit_come_apart_as_they_were_put_together(number, unit):
    found = split(quantity(number, unit))
    assert found is not None and found[1] == unit
    assert found[0] == pytest.approx(number, rel=1e-11, abs=1e-11)


def test_ids_dates_and_models_are_no_numbers():
    assert [split(text) for text in ("gb300-nvl72", "2027-01-01", "405b-chat", "8xh200", True, None, [1])] == [None] * 7


def sampled(law, count=64, path=PRICE, known=KNOWN):
    problems = Problems()
    made = sampled_of({path: (law, Where("here"))}, count, 7, known, problems)
    return made, [problem.message for problem in problems.found]


def test_draws_follow_their_law_and_depend_on_their_number_alone():
    few, _ = sampled("lognormal 1.25", 64)
    many, _ = sampled("lognormal 1.25", 4096)
    assert [few.at(k) for k in range(64)] == [many.at(k) for k in range(64)]
    factors = np.sort([number_of(many.at(k)[PRICE]) / 48 for k in range(4096)])
    shares = (np.arange(4096) + 0.5) / 4096
    assert np.max(np.abs(Lognormal(1.25).cdf(factors) - shares)) < 0.01
    least, most = many.values(PRICE)
    assert number_of(least) == pytest.approx(48 * factors[0]) and number_of(most) == pytest.approx(48 * factors[-1])


def test_laws_of_values_have_units_and_laws_of_factors_have_none():
    made, _ = sampled("uniform 30..90 USD/MWh")
    assert made.drawn[PRICE].law == Uniform(30, 90) and made.drawn[PRICE].unit == "USD/MWh"
    made, _ = sampled("{dist: triangular, low: 0.5, mode: 1, high: 2}")
    numbers = [number_of(made.at(k)[PRICE]) for k in range(64)]
    assert 24 <= min(numbers) < 48 < max(numbers) <= 96


@pytest.mark.parametrize(
    ("law", "path", "says"),
    [
        ("lognrmal 1.2", PRICE, "did you mean 'lognormal'"),
        ("lognormal", PRICE, "is no law"),
        ("lognormal 0.9", PRICE, "above 1"),
        ("uniform 0.8", PRICE, "is no law"),
        ({"dist": "uniform", "low": 0.8, "high": "90 USD/MWh"}, PRICE, "one unit"),
        ({"dist": "lognormal", "gds": 1.2}, PRICE, "needs 'gsd'"),
        ("lognormal 1.2", PLACE, "only numbers are drawn"),
    ],
)
def test_laws_that_can_not_be(law, path, says):
    made, told = sampled(law, path=path)
    assert not made and len(told) == 1 and says in told[0]


def gathered(**asked):
    problems = Problems()
    made = Gathered(problems)
    for name, said in asked.items():
        getattr(made, f"add_{name}")(said)
    return made.axes(None, 1, KNOWN), [problem.message for problem in problems.found]


def test_words_make_axes_cases_first_draws_last():
    axes, told = gathered(
        sample=[f"{CAPITAL}=lognormal 1.2"],
        grid=[f"{PRICE}=30..90 USD/MWh/7"],
        cases=["as-is:", f"north: {PLACE}=norway; horizon.years=3"],
    )
    assert not told
    assert [len(axis) for axis in axes] == [2, 7, 256]
    assert isinstance(axes[0], Cases) and axes[0].at(1) == {PLACE: "norway", "horizon.years": 3}


def test_zipped_inputs_move_together():
    axes, told = gathered(zip=[f"{PRICE}=30 USD/MWh, 40 USD/MWh", f"{CAPITAL}=1 billion USD, 2 billion USD"])
    assert not told and len(axes) == 1
    assert axes[0].at(1) == {PRICE: "40 USD/MWh", CAPITAL: "2 billion USD"}
    _, told = gathered(zip=[f"{PRICE}=30 USD/MWh", f"{CAPITAL}=1 billion USD, 2 billion USD"])
    assert "equally many" in told[0]


def test_words_that_say_nothing_are_told_at_once():
    _, told = gathered(grid=["site.energy_price", f"{PRICE}=", f"{PLACE}=iowa", f"{PLACE}=ohio"], cases=["x: y"])
    assert len(told) == 4


def test_a_product_that_can_not_be():
    one = Columns({"site.energy_price": (1, 2)})
    for other in (Columns({"site.energy_price": (3,)}), Columns({"site": ({},)})):
        problems = Problems()
        assert design_of([one, other], None, problems) is None and problems.found[0].code == "changed_twice"
    problems = Problems()
    assert design_of([Columns({f"x{k}": Span(0, 1, 10_000)}) for k in range(3)], None, problems) is None
    assert "1,000,000,000,000 scenarios" in problems.found[0].message
    problems = Problems()
    assert design_of([], None, problems) is None and problems.found[0].code == "nothing_to_change"
