"""Designs chosen at once or layer after layer: the laws, and a case by hand."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.factory.joint import by_measure, by_value, joint, worth


@st.composite
def spaces(draw):
    shape = tuple(draw(st.integers(1, 4)) for _ in range(3))
    cell = st.one_of(st.floats(-1e3, 1e3), st.just(float("nan")))
    return np.array(draw(st.lists(cell, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))).reshape(shape)


@given(value=spaces(), data=st.data())
def test_nothing_beats_choosing_at_once(value, data):
    best = joint(value)
    possible = [one for one in product(*map(range, value.shape)) if np.isfinite(value[one])]
    assert worth(value, best) == max([0.0, *(value[one] for one in possible)])
    assert (best is None) == (not possible)
    start = data.draw(st.tuples(*(st.integers(0, n - 1) for n in value.shape)))
    measures = [np.array(data.draw(st.lists(st.floats(0, 9), min_size=n, max_size=n))) for n in value.shape]
    shaped = [measures[0], measures[1][None, :], measures[2][None, None, :]]
    ways = [by_value(value, order, start) for order in permutations(range(3))] + [by_measure(value, shaped)]
    for choice in ways:
        assert choice is None or np.isfinite(value[choice])
        assert worth(value, best) >= worth(value, choice)
    if possible:
        assert by_measure(value, shaped) is not None


@given(
    parts=st.tuples(*(st.lists(st.floats(-100, 100), min_size=1, max_size=4) for _ in range(3))),
    order=st.permutations(range(3)),
)
def test_where_values_add_up_layer_after_layer_is_as_good(parts, order):
    value = sum(np.array(part).reshape([-1 if axis == at else 1 for axis in range(3)]) for at, part in enumerate(parts))
    chosen = by_value(value, order, (0, 0, 0))
    assert worth(value, chosen) == pytest.approx(worth(value, joint(value)), abs=1e-9)


def test_a_case_by_hand():
    """The fast chip is best only on the dear fabric, which nobody takes who looks at its price alone."""
    value = np.array([[[5.0], [1.0]], [[3.0], [2.0]]])  # [slow, fast], [cheap, dear]
    value[1, 1] = 9.0
    speed, cheap, site = np.array([1.0, 2.0]), np.array([[2.0, 1.0], [2.0, 1.0]]), np.zeros((1, 1, 1))
    assert joint(value) == (1, 1, 0)
    assert by_measure(value, (speed, cheap, site)) == (1, 0, 0)
    assert by_value(value, (0, 1, 2), (0, 0, 0)) == (0, 0, 0)  # held at the cheap fabric the slow chip looks better
    assert by_value(value, (1, 0, 2), (1, 0, 0)) == (1, 1, 0)


def test_a_layer_without_a_choice_and_a_design_worth_less_than_nothing():
    value = np.full((2, 1, 1), np.nan)
    assert joint(value) is None
    assert by_value(value, (0, 1, 2), (0, 0, 0)) is None
    assert by_measure(value, (np.ones(2), np.ones((1, 1)), np.ones((1, 1, 1)))) is None
    assert worth(value, None) == 0.0
    assert worth(np.array([[[-3.0]]]), (0, 0, 0)) == 0.0
