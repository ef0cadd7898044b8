"""Laws of a walk from A to B, on values by hand: steps sum to the gap, reversal changes the sign, equals share alike."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.study.compare.walk import Step, in_order, over_all_orders, over_some_orders

NUMBERS = st.floats(-1e13, 1e13, allow_nan=False)


def sets_of(count):
    return [frozenset(s) for size in range(count + 1) for s in itertools.combinations(range(count), size)]


@st.composite
def games(draw, holes=True):
    """A value for every set of moves; none at some of those between the ends."""
    count = draw(st.integers(1, 4))
    values = {one: draw(NUMBERS) for one in sets_of(count)}
    if holes:
        for one in values:
            if 0 < len(one) < count and draw(st.booleans()):
                values[one] = None
    return count, values


def alone(count):
    return [frozenset({k}) for k in range(count)]


def worth(steps: list[Step], values):
    return [step.of(values.get) for step in steps]


@given(games(), st.randoms())
def test_steps_of_any_order_sum_to_the_gap(game, random):
    count, values = game
    order = list(range(count))
    random.shuffle(order)
    steps = in_order(order, values.get)
    gap = values[frozenset(range(count))] - values[frozenset()]
    assert math.fsum(worth(steps, values)) == pytest.approx(gap, rel=1e-12, abs=0.004)
    assert [k for step in steps for k in step.moves] == order  # every move once, in the order asked


@given(games())
def test_means_over_orders_sum_to_the_gap(game):
    count, values = game
    gap = values[frozenset(range(count))] - values[frozenset()]
    for made in (over_all_orders(alone(count), values.get), over_some_orders(alone(count), values.get, 6, 1)):
        if made is not None:
            assert math.fsum(worth(made.steps, values)) == pytest.approx(gap, rel=1e-12, abs=0.004)
            assert all(sum(term.weight for term in step.terms) == 1 for step in made.steps)


@given(games())
def test_from_b_to_a_is_the_negative(game):
    """The state with S moved from B is the one with the others moved from A."""
    count, values = game
    whole = frozenset(range(count))
    back = {whole - one: value for one, value in values.items()}
    for way in (lambda of: over_all_orders(alone(count), of), lambda of: over_some_orders(alone(count), of, 6, 7)):
        there, again = way(values.get), way(back.get)
        assert (there is None) == (again is None)
        if there is not None:
            assert worth(there.steps, values) == pytest.approx([-x for x in worth(again.steps, back)], abs=1e-3)
    if None not in values.values():
        forward = in_order(range(count), values.get)
        reverse = in_order(range(count)[::-1], back.get)
        assert worth(forward, values) == [-x for x in reversed(worth(reverse, back))]


@given(games())
def test_means_count_the_orders_that_pass(game):
    """The weights of the restricted game equal a walk of every order by hand."""
    count, values = game
    made = over_all_orders(alone(count), values.get)
    passing = []
    for order in itertools.permutations(range(count)):
        states = [frozenset(order[:k]) for k in range(count + 1)]
        if all(values[state] is not None for state in states):
            steps = {k: values[states[n + 1]] - values[states[n]] for n, k in enumerate(order)}
            passing.append(steps)
    assert (made is None) == (not passing)
    if made is not None:
        assert made.passed == len(passing) and made.tried == math.factorial(count)
        for k, step in enumerate(made.steps):
            mine = [one[k] for one in passing]
            assert step.of(values.get) == pytest.approx(sum(mine) / len(mine), rel=1e-9, abs=0.01)
            spread = step.spread(values.get)
            if spread is not None:
                assert spread == pytest.approx((min(mine), max(mine)))


@given(st.lists(NUMBERS, min_size=4, max_size=4))
def test_moves_that_do_the_same_share_alike(by_size):
    values = {one: by_size[len(one)] for one in sets_of(3)}
    made = over_all_orders(alone(3), values.get)
    shares = worth(made.steps, values)
    assert shares[0] == shares[1] == shares[2]


@given(games(holes=False))
def test_a_move_that_does_nothing_is_worth_nothing_and_changes_nothing(game):
    count, values = game
    more = {s: values[s - {count}] for s in sets_of(count + 1)}
    made, before = (over_all_orders(alone(n), of.get) for n, of in ((count + 1, more), (count, values)))
    assert worth(made.steps, more)[-1] == 0.0
    assert worth(made.steps, more)[:-1] == pytest.approx(worth(before.steps, values), rel=1e-9, abs=0.01)


@given(st.lists(st.integers(-1000, 1000), min_size=9, max_size=9), st.integers(0, 5))
def test_drawn_orders_find_what_adds_up(sizes, seed):
    """Where nothing interacts every order gives the same step, however few are drawn."""

    def added(moved):
        return float(sum(sizes[k] for k in moved))

    made = over_some_orders(alone(9), added, 4, seed)
    assert made.passed == 4
    for k, step in enumerate(made.steps):
        assert step.of(added) == sizes[k]


def test_a_hand_computed_game():
    """Gloves: two left, one right; a pair sells for 1. The right glove is worth 2/3, each left one 1/6 (Shapley)."""
    pairs = {s: float(2 in s and len(s) > 1) for s in sets_of(3)}
    made = over_all_orders(alone(3), pairs.get)
    assert worth(made.steps, pairs) == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert made.steps[0].spread(pairs.get) == (0.0, 1.0)


def test_what_can_not_be_moves_with_the_next():
    values = {s: float(len(s)) for s in sets_of(4)}
    values[frozenset({0})] = values[frozenset({0, 1})] = None
    assert [step.moves for step in in_order(range(4), values.get)] == [(0, 1, 2), (3,)]
    values[frozenset(range(4))] = None
    with pytest.raises(ValueError, match="last state"):
        in_order(range(4), values.get)
