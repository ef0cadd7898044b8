"""Units at the door: our definitions, the refusals, and that reading and writing agree."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core import units

EXAMPLES = [
    ("100 MW", "power", 1e8),
    ("1 GW", "power", 1e9),
    ("400 Gb/s", "data_rate", 5e10),
    ("400 GB/s", "data_rate", 4e11),
    ("192 GiB", "bytes", 192 * 2**30),
    ("0.30 USD/Mtok", "token_price", 0.30e-6),
    ("48 USD/MWh", "energy_price", 48 / 3.6e9),
    ("13.3 million USD/MW/yr", "rent", 13.3e6 / 1e6 / (8760 * 3600)),
    ("5 billion USD", "money", 5e9),
    ("35 %/yr", "rate", 0.35 / (8760 * 3600)),
    ("35 %", "share", 0.35),
    ("0.35", "share", 0.35),
    ("2.5 PFLOP/s", "compute_rate", 2.5e15),
    ("25 degC", "temperature", 298.15),
    ("1 million USD/day", "money_rate", 1e6 / 86400),
    ("1,000 MW", "power", 1e9),
]


@pytest.mark.parametrize(("text", "dimension", "expected"), EXAMPLES)
def test_reads(text: str, dimension: str, expected: float) -> None:
    assert units.parse(text, dimension) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dimension", units.DIMENSIONS)
def test_every_example_is_itself_valid(dimension: str) -> None:
    _, example = units.DIMENSIONS[dimension]
    assert math.isfinite(units.parse(example.split(" or ")[0], dimension))


@pytest.mark.parametrize(
    ("text", "dimension", "says"),
    [
        ("10", "power", "no unit"),
        (10, "power", "no unit"),
        ("10 USD", "power", "is not a power"),
        ("ten MW", "power", "is not a quantity"),
        ("100 MV", "power", "did you mean 'MW'"),
        (True, "power", "expected"),
        ("1e999 MW", "power", "finite"),
        ("43 billion EUR", "money", "is not a money"),
        ("1 MW; import os", "power", "unknown unit"),
    ],
)
def test_refuses_in_words(text: object, dimension: str, says: str) -> None:
    with pytest.raises(units.UnitError, match=says):
        units.parse(text, dimension)  # type: ignore[arg-type]


@given(st.floats(min_value=1e-6, max_value=1e12), st.sampled_from(["kW", "MW", "GW"]))
def test_prefixes_scale(value: float, unit: str) -> None:
    scale = {"kW": 1e3, "MW": 1e6, "GW": 1e9}[unit]
    assert units.parse(f"{value!r} {unit}", "power") == pytest.approx(value * scale, rel=1e-12)


def test_a_gigabit_is_no_gilbert_and_a_year_has_8760_hours() -> None:
    assert units.parse("8 Gb", "bytes") == 1e9
    assert units.parse("1 yr", "time") == 8760 * 3600
