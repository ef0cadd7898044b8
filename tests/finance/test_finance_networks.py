"""Clearing against a linear programme and its own definition; Finn's index against a simulated walk; loops."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gigawatt.core.errors import InputError
from gigawatt.finance.circularity import breakers, circularity, loops
from gigawatt.finance.clearing import clear


def network(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 9))
    owed = random.exponential(1.0, (n, n)) * (random.random((n, n)) < 0.5)
    np.fill_diagonal(owed, 0.0)
    return owed, random.exponential(0.4, n), random.exponential(0.5, n) * (random.random(n) < 0.7)


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_eisenberg_noe_is_the_linear_programme(seed: int) -> None:
    """max sum p  s.t.  p <= e + Pi' p,  0 <= p <= p_bar."""
    owed, assets, outside = network(seed)
    total = owed.sum(axis=1) + outside
    share = np.divide(owed, total[:, None], out=np.zeros_like(owed), where=total[:, None] > 0)
    solved = linprog(
        -np.ones(len(total)), np.eye(len(total)) - share.T, assets, bounds=[(0, one) for one in total], method="highs"
    )
    np.testing.assert_allclose(clear(owed, assets, outside).paid_usd, solved.x, atol=1e-9)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_rogers_veraart_is_the_greatest_fixed_point(seed: int, alpha: float, beta: float) -> None:
    """Plain iteration from full payment, in which no firm that fell gets up again."""
    owed, assets, outside = network(seed)
    total = owed.sum(axis=1) + outside
    share = np.divide(owed, total[:, None], out=np.zeros_like(owed), where=total[:, None] > 0)
    paid, down = total.copy(), np.zeros(len(total), dtype=bool)
    for _ in range(20_000):
        got = share.T @ paid
        down |= assets + got < total * (1 - 1e-12)
        new = np.where(down, np.minimum(total, alpha * assets + beta * got), total)
        if np.abs(new - paid).max() < 1e-14:
            break
        paid = new
    found = clear(owed, assets, outside, alpha=alpha, beta=beta)
    np.testing.assert_allclose(found.paid_usd, paid, atol=1e-8)
    assert np.all(found.paid_usd <= found.owed_usd + 1e-12)
    assert np.all(found.equity_usd[found.defaulted] <= 1e-9)


def test_a_ring_with_hardly_any_outside_debt_does_not_stall() -> None:
    n = 60
    owed = np.zeros((n, n))
    owed[np.arange(n), (np.arange(n) + 1) % n] = 1.0
    found = clear(owed, np.full(n, 0.0005), np.full(n, 0.001))
    # by symmetry p = e + p / 1.001, so p = 0.0005 x 1001
    np.testing.assert_allclose(found.paid_usd, 0.0005 * 1001, rtol=1e-9)
    closed = clear(owed, np.zeros(n))
    assert not closed.defaulted.any()


def test_costs_of_default_only_hurt() -> None:
    owed, assets, outside = network(3)
    plain, costly = clear(owed, assets, outside), clear(owed, assets, outside, alpha=0.5, beta=0.7)
    assert np.all(costly.paid_usd <= plain.paid_usd + 1e-12)
    assert np.all(costly.shortfall_usd >= plain.shortfall_usd - 1e-12)


def test_networks_that_are_none() -> None:
    with pytest.raises(InputError, match="itself"):
        clear([[1.0]], [1.0])
    with pytest.raises(InputError, match="negative"):
        clear([[0.0, -1.0], [0.0, 0.0]], [1.0, 1.0])
    with pytest.raises(InputError, match="shares between"):
        clear([[0.0, 1.0], [0.0, 0.0]], [1.0, 1.0], alpha=1.5)
    with pytest.raises(InputError, match="state what enters"):
        circularity([[0.0, 5.0], [0.0, 0.0]], [1.0, 0.0])
    with pytest.raises(InputError, match="turns for ever"):
        circularity([[0.0, 5.0], [5.0, 0.0]], [0.0, 0.0])


def test_finn_depends_on_where_outside_money_enters() -> None:
    loop = np.array([[0.0, 10, 0], [0, 0, 55], [35, 0, 0]])
    assert circularity(loop, [0, 45, 0]).index == pytest.approx(2 / 11)
    # the same loop driven from the vendor: 80 reaches it, 10 goes round
    assert circularity([[0.0, 55, 0], [0, 0, 35], [35, 0, 0]], [45, 0, 0]).index == pytest.approx(0.4375)
    returned = circularity(loop, [0, 45, 0]).returned_usd
    assert returned[0, 1] == pytest.approx(10 * 35 / 55)
    assert circularity(np.triu(np.ones((4, 4)), 1)).index == 0.0


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_finn_is_a_walk_of_dollars(seed: int) -> None:
    """Send dollars in from outside, let each go on by the shares, count the visits that are returns."""
    random = np.random.default_rng(seed)
    n = 4
    flows = random.exponential(1.0, (n, n)) * (random.random((n, n)) < 0.6)
    np.fill_diagonal(flows, 0.0)
    inflow = np.maximum(flows.sum(axis=1) - flows.sum(axis=0), 0.0) + random.exponential(0.8, n)
    through = inflow + flows.sum(axis=0)
    walkers = 40_000
    place = random.choice(n, size=walkers, p=inflow / inflow.sum())
    chance = np.cumsum(flows / through[:, None], axis=1)
    seen = np.zeros((walkers, n), dtype=bool)
    visits, again = np.zeros(n), np.zeros(n)
    alive = np.arange(walkers)
    while len(alive):
        here = place[alive]
        visits += np.bincount(here, minlength=n)
        again += np.bincount(here[seen[alive, here]], minlength=n)
        seen[alive, here] = True
        onward = (random.random(len(alive))[:, None] > chance[here]).sum(axis=1)
        place[alive] = np.minimum(onward, n - 1)
        alive = alive[onward < n]
    expected = circularity(flows, inflow)
    np.testing.assert_allclose(visits / visits.sum(), through / through.sum(), atol=0.02)
    # a visit is a return with probability 1 - (share of dollars that come at all) / visits: Finn's c_i
    np.testing.assert_allclose(again / visits, expected.cycled_share, atol=0.02)
    assert again.sum() / visits.sum() == pytest.approx(expected.index, abs=0.02)


@given(st.integers(0, 10**6))
def test_loops_as_networkx(seed: int) -> None:
    random = np.random.default_rng(seed)
    flows = (random.random((7, 7)) < 0.2) * 1.0
    np.fill_diagonal(flows, 0.0)
    graph = nx.from_numpy_array(flows, create_using=nx.DiGraph)
    expected = {frozenset(one) for one in nx.strongly_connected_components(graph) if len(one) > 1}
    assert {frozenset(one) for one in loops(flows)} == expected
    for firm in breakers(flows):
        rest = graph.copy()
        rest.remove_node(firm)
        assert nx.is_directed_acyclic_graph(rest)
