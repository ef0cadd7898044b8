"""A budget among uses: laws of the allocation, the same optimum as other solvers, closed forms against trying."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, milp

from gigawatt.factory.allocate import Uses, allocate, either_or, fits, needed_mw, turning_factor

numbers = st.floats(0.5, 500.0)


@st.composite
def cases(draw, whole=False):
    n = draw(st.integers(1, 5))
    mean = draw(st.lists(numbers, min_size=n, max_size=n))
    peak = draw(st.lists(st.floats(1.0, 4.0), min_size=n, max_size=n))
    worth = draw(st.lists(st.floats(0.0, 1e12), min_size=n, max_size=n))
    waits = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    entire = draw(st.lists(st.booleans(), min_size=n, max_size=n)) if whole else [False] * n
    budget = draw(st.floats(0.1, 2000.0))
    return uses_of(mean, peak, worth, waits, entire), budget


def uses_of(mean, peak, worth, waits, whole):
    names = tuple(f"use-{u}" for u in range(len(mean)))
    rows = [np.array([column], dtype=float) for column in (mean, peak, worth)]
    return Uses(names, *rows, np.array(waits), np.array(whole))


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_it_is_the_optimum_of_another_solver(case):
    uses, budget = case
    found = linprog(
        -uses.worth_usd_per_yr[0], A_ub=np.vstack([uses.mean_mw[0], uses.firm_mw[0]]), b_ub=[budget, budget], bounds=(0, 1)
    )  # fmt: skip
    made = allocate(uses, budget)
    assert made.worth_usd_per_yr[0] == pytest.approx(-found.fun, rel=1e-6, abs=10.0)


@settings(max_examples=40, deadline=None)
@given(case=cases(whole=True))
def test_whole_uses_are_taken_whole_and_best(case):
    uses, budget = case
    rows = np.vstack([uses.mean_mw[0], uses.firm_mw[0]])
    found = milp(
        -uses.worth_usd_per_yr[0] / 1e6, integrality=uses.whole.astype(int), bounds=(0, 1),
        constraints=LinearConstraint(rows, -np.inf, budget),
    )  # fmt: skip
    made = allocate(uses, budget)
    assert made.worth_usd_per_yr[0] == pytest.approx(-found.fun * 1e6, rel=1e-4, abs=1e4)
    taken = made.served[0][uses.whole]
    assert np.all((taken == 0) | (taken == 1))


@settings(max_examples=60, deadline=None)
@given(case=cases(whole=True), more=st.floats(1.0, 3.0))
def test_laws(case, more):
    uses, budget = case
    made, wider = allocate(uses, budget), allocate(uses, budget * more)
    tolerance = 1e-4 * uses.worth_usd_per_yr.sum() + 10
    # what is served fits, on average and at the peak
    assert made.served[0] @ uses.mean_mw[0] <= budget * (1 + 1e-6)
    assert made.served[0] @ uses.firm_mw[0] <= budget * (1 + 1e-6)
    # a looser limit never lowers the worth, and what is served is worth what is said
    assert wider.worth_usd_per_yr[0] >= made.worth_usd_per_yr[0] - tolerance
    assert made.served[0] @ uses.worth_usd_per_yr[0] == pytest.approx(made.worth_usd_per_yr[0], rel=1e-6, abs=tolerance)
    # it binds just where the budget is below what is needed, and then nothing more is needed from there on
    assert made.binds[0] == (needed_mw(uses)[0] > budget * (1 + 1e-9))
    enough = allocate(uses, needed_mw(uses))
    assert not enough.binds[0]
    assert enough.worth_usd_per_yr[0] == pytest.approx(uses.worth_usd_per_yr.sum())
    assert enough.next_usd_per_mw_yr[0] == 0
    assert made.next_usd_per_mw_yr[0] >= 0


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_the_factor_at_which_the_choice_turns_is_where_trying_finds_it(case):
    uses, budget = case
    for u in range(len(uses.names)):
        turn = turning_factor(uses, u, budget)[0]
        if np.isnan(turn):
            others = [v for v in range(len(uses.names)) if v != u]
            assert not fits(uses.only(others), budget)[0]
            continue
        assert fits(uses.times(u, turn * 0.999), budget)[0]
        # Where the others leave no room at all the factor is 0, and any of it is too much.
        assert not fits(uses.times(u, turn * 1.001 + 1e-3), budget)[0]


def test_work_that_waits_fills_the_valleys():
    """A hand-made day: 4 MW on average with a peak of 8 leave room for 6 MW that waits in 10 MW, none that does not."""
    waits = uses_of([4, 6], [2, 1], [1, 1], [False, True], [False, False])
    stays = uses_of([4, 6], [2, 1], [1, 1], [False, False], [False, False])
    assert needed_mw(waits)[0] == 10
    assert needed_mw(stays)[0] == 14
    assert fits(waits, 10.0)[0] and not fits(stays, 10.0)[0]


def test_an_either_or_is_each_alone_and_not_both():
    uses = uses_of([6, 5, 20], [1, 1, 1], [1, 1, 1], [False] * 3, [False] * 3)
    both, choose = either_or(uses, 0, 1, 10.0)
    assert not both[0] and choose[0]
    both, choose = either_or(uses, 0, 1, 11.0)
    assert both[0] and not choose[0]
    both, choose = either_or(uses, 0, 2, 10.0)  # one alone is too much: that is no choice between the two
    assert not both[0] and not choose[0]


def test_the_next_megawatt_is_that_of_the_best_use_left_out():
    uses = uses_of([10, 10], [1, 1], [50e6, 20e6], [False] * 2, [False] * 2)
    made = allocate(uses, 15.0)
    assert made.served[0].tolist() == pytest.approx([1.0, 0.5])
    assert made.next_usd_per_mw_yr[0] == pytest.approx(2e6)


def test_draws_are_answered_each_by_itself():
    mean = np.array([[5.0, 5.0], [50.0, 5.0]])
    uses = Uses(("a", "b"), mean, np.ones((2, 2)), np.ones((2, 2)) * 1e9, np.zeros(2, bool), np.zeros(2, bool))
    made = allocate(uses, np.array([10.0, 10.0]))
    assert made.binds.tolist() == [False, True]
    assert made.served[0].tolist() == [1.0, 1.0]
    assert made.served[1].tolist() == pytest.approx([0.1, 1.0])


def test_what_can_not_be_is_refused():
    with pytest.raises(ValueError, match="below the mean"):
        uses_of([1], [0.5], [1], [False], [False])
    with pytest.raises(ValueError, match="one name each"):
        Uses(("a", "a"), np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 2)), np.zeros(2, bool), np.zeros(2, bool))
    with pytest.raises(ValueError, match="not \\[draws, 1 uses\\]"):
        Uses(("a",), np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 2)), np.zeros(1, bool), np.zeros(1, bool))
