"""Laws of the market: supply is the least input, backlog is never negative, more of what binds never lowers revenue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog
from scipy.stats import kendalltau

from gigawatt.economics.market.backlog import Inputs, Ordering, Path, Pricing
from gigawatt.economics.market.backlog import run as run_path
from gigawatt.economics.market.draws import fan, normals, ranged, uniforms
from gigawatt.economics.market.learning import cost_factor, exponent, implied_exponent, learning_rate
from gigawatt.economics.market.ramp import bill_usd_per_year, ramp_path, shortage
from gigawatt.economics.market.supply import arrivals, lead_kernel, leontief, stocks
from gigawatt.economics.market.tokens import observed_decline, price_ahead

QUARTERS = 6
AMOUNT = st.floats(0.1, 100.0)
STOCKS = arrays(np.float64, (3, QUARTERS), elements=AMOUNT)
NEEDS = arrays(np.float64, 3, elements=st.floats(0.1, 10.0))
DEMAND = arrays(np.float64, QUARTERS, elements=st.floats(0.0, 50.0))


def path_of(stock: np.ndarray, need: np.ndarray, demand: np.ndarray, backlog: float, **more: object) -> Path:
    inputs = Inputs(("a", "b", "c"), stock[None], need[None], np.ones((1, 3)), np.zeros((1, 3, stock.shape[1])))
    return run_path(inputs, demand, backlog, Pricing(**{"base_usd_per_gw": 10.0, **more}))  # type: ignore[arg-type]


@given(STOCKS, NEEDS)
def test_supply_is_what_a_linear_programme_makes(stock: np.ndarray, need: np.ndarray) -> None:
    made = leontief(stock, need)
    found = linprog([-1.0], A_ub=need[:, None], b_ub=stock[:, 0])
    assert made.made[0] == pytest.approx(-found.fun, rel=1e-7)
    # the worth of one more is the dual where one input binds alone
    if np.count_nonzero(stock[:, 0] / need < made.made[0] * (1 + 1e-9)) == 1:
        np.testing.assert_allclose(made.slope[:, 0], -found.ineqlin.marginals, rtol=1e-6, atol=1e-9)


def test_a_tie_is_worth_nothing_and_room_is_what_the_next_allows() -> None:
    tie = leontief([[4.0], [8.0]], [1.0, 2.0])
    assert tie.slope.tolist() == [[0.0], [0.0]] and tie.room.tolist() == [0.0]
    one = leontief([[4.0], [10.0]], [1.0, 2.0])
    assert one.slope.tolist() == [[1.0], [0.0]] and one.room.tolist() == [1.0]
    assert one.used_share[:, 0].tolist() == [1.0, 0.8]
    assert leontief([[4.0]], [1.0]).room.tolist() == [np.inf]
    with pytest.raises(ValueError, match="positive"):
        leontief([[4.0]], [0.0])


@given(STOCKS, NEEDS, DEMAND, st.floats(0.0, 50.0), st.floats(0.0, 0.5))
def test_shipments_backlog_and_revenue(
    stock: np.ndarray, need: np.ndarray, demand: np.ndarray, backlog: float, bend: float
) -> None:
    path = path_of(stock, need, demand, backlog, elasticity=bend)
    made, shipped, owed = path.supply.made[0], path.shipped_gw[0], path.backlog_gw[0]
    np.testing.assert_allclose(shipped, np.minimum(made, demand + path.opening_gw[0]))
    assert np.all(owed >= 0) and np.all(shipped >= 0)
    # what was ordered is shipped or owed
    assert backlog + demand.sum() == pytest.approx(shipped.sum() + owed[-1])
    np.testing.assert_allclose(path.revenue_usd, path.price_usd_per_gw * path.shipped_gw)
    assert np.all((path.price_usd_per_gw >= 5.0 - 1e-9) & (path.price_usd_per_gw <= 20.0 + 1e-9))
    # where demand limits, no unit of any input is worth anything
    assert np.all(path.worth_usd[0][:, ~path.supply_limited[0]] == 0)
    assert np.all(path.cover_quarters >= 0)


@given(STOCKS, NEEDS, DEMAND, st.floats(0.0, 50.0), st.integers(0, 2), st.floats(0.01, 5.0), st.floats(0.0, 0.5))
def test_more_of_an_input_never_lowers_the_revenue_of_its_quarter(
    stock: np.ndarray, need: np.ndarray, demand: np.ndarray, backlog: float, which: int, more: float, bend: float
) -> None:
    before = path_of(stock, need, demand, backlog, elasticity=bend)
    richer = stock.copy()
    richer[which, 0] += more
    after = path_of(richer, need, demand, backlog, elasticity=bend)
    gain = after.revenue_usd[0, 0] - before.revenue_usd[0, 0]
    worth = before.worth_usd[0, which, 0]
    assert gain >= -1e-9
    if worth == 0:  # an input that does not bind, or a market that demand limits
        if before.supply.allows[0, which, 0] > before.supply.made[0, 0] * (1 + 1e-9) or not before.supply_limited[0, 0]:
            assert gain == pytest.approx(0.0, abs=1e-9)
    else:  # one-sided: up to where the next input or demand takes over
        assert gain <= worth * more * (1 + 1e-9) + 1e-9
        tiny = stock.copy()
        room = min(before.supply.room[0, 0], demand[0] + backlog - before.supply.made[0, 0]) * need[which]
        assume(room > 1e-6)
        tiny[which, 0] += 0.5 * room
        step = path_of(tiny, need, demand, backlog, elasticity=bend).revenue_usd[0, 0] - before.revenue_usd[0, 0]
        assert step == pytest.approx(worth * 0.5 * room, rel=1e-6, abs=1e-9)


@given(STOCKS, NEEDS, DEMAND, st.floats(0.0, 50.0), arrays(np.float64, (3, QUARTERS), elements=st.floats(0.0, 20.0)))
def test_more_of_anything_never_lowers_all_that_was_shipped(
    stock: np.ndarray, need: np.ndarray, demand: np.ndarray, backlog: float, more: np.ndarray
) -> None:
    before = np.cumsum(path_of(stock, need, demand, backlog).shipped_gw)
    after = np.cumsum(path_of(stock + more, need, demand, backlog).shipped_gw)
    assert np.all(after >= before - 1e-9)


def test_the_price_reacts_to_the_backlog_within_bounds() -> None:
    stock = np.full((3, 3), 2.0)
    path = path_of(stock, np.ones(3), np.array([6.0, 0.0, 0.0]), 2.0, elasticity=1.0, cover=2.0, least=0.5, most=1.2)
    # as stated; then 6 owed over 2 shipped is 1.5 times the reference, held at 1.2; then 4 over 2
    assert path.price_usd_per_gw[0].tolist() == [10.0, 12.0, 10.0]
    slack = path_of(stock, np.ones(3), np.array([1.0, 1.0, 1.0]), 0.0, elasticity=1.0)
    assert slack.price_usd_per_gw[0].tolist() == [10.0, 5.0, 5.0]
    inputs = Inputs(("a",), np.full((1, 1, 1), 2.0), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1, 1)))
    opened = run_path(inputs, 0.0, 3.0, Pricing(10.0, elasticity=1.0), opening_shipped_gw=2.0)
    assert opened.price_usd_per_gw.tolist() == [[15.0]]


@given(arrays(np.float64, 8, elements=st.floats(0.0, 10.0)), st.floats(0.0, 7.0))
def test_orders_arrive_whole_and_after_their_lead_time(orders: np.ndarray, lead: float) -> None:
    kernel = lead_kernel(lead, 9)
    assert kernel.sum() == pytest.approx(1.0)
    assert kernel @ np.arange(9) == pytest.approx(lead)
    come = arrivals(orders, kernel)
    assert np.all(come >= 0) and come.sum() <= orders.sum() + 1e-9
    whole = np.convolve(orders, kernel)[:8]
    np.testing.assert_allclose(come, whole, atol=1e-12)
    np.testing.assert_allclose(stocks(np.full(8, 3.0), orders, kernel), 3.0 + np.cumsum(whole))


def test_expansion_follows_the_backlog_and_comes_late() -> None:
    base = np.full((1, 1, 8), 2.0)
    inputs = Inputs(("chips",), base, np.ones((1, 1)), np.full((1, 1), 2.0), np.zeros_like(base))
    rule = Ordering(gain=1.0, clear_quarters=4.0, most_share=10.0)
    path = run_path(inputs, np.full(8, 4.0), 0.0, Pricing(10.0), rule)
    assert path.stock[0, 0, :2].tolist() == [2.0, 2.0]  # nothing arrives before two quarters are over
    assert path.orders[0, 0, 0] == pytest.approx(4.0 + 2.0 / 4 - 2.0)
    assert path.stock[0, 0, 2] == pytest.approx(2.0 + path.orders[0, 0, 0])
    # what is on order already is not ordered again
    assert path.orders[0, 0, 1] == pytest.approx(4.0 + 4.0 / 4 - 4.5)
    held = run_path(inputs, np.full(8, 4.0), 0.0, Pricing(10.0))
    assert not held.orders.any() and path.shipped_gw.sum() > held.shipped_gw.sum()
    by_hand = np.zeros_like(base)
    by_hand[0, 0, 1] = 3.0
    ordered = run_path(
        Inputs(("chips",), base, np.ones((1, 1)), np.full((1, 1), 2.0), by_hand), 4.0, 0.0, Pricing(10.0)
    )
    assert ordered.stock[0, 0].tolist() == [2, 2, 2, 5, 5, 5, 5, 5]


@given(st.integers(0, 2**40), st.integers(1, 20), st.integers(1, 9), st.integers(0, 30))
def test_a_draw_is_the_same_in_any_chunk(seed: int, count: int, width: int, first: int) -> None:
    whole = uniforms(seed, 3, first + count, width)
    np.testing.assert_array_equal(whole[first:], uniforms(seed, 3, count, width, first=first))
    assert not np.array_equal(whole, uniforms(seed, 4, first + count, width))
    assert np.all((whole >= 0) & (whole < 1)) and np.all(np.isfinite(normals(whole)))


def test_ranged_holds_eighty_per_cent() -> None:
    made = ranged(10.0, 8.0, 14.0, uniforms(1, 0, 40_000, 1)[:, 0])
    assert np.mean(made < 8.0) == pytest.approx(0.1, abs=0.005)
    assert np.mean(made > 14.0) == pytest.approx(0.1, abs=0.005)
    assert fan(made)["p50"] == pytest.approx(10.0, abs=0.05)
    assert np.all(ranged(1.0, 0.0, 9.0, np.array([0.0, 1e-9])) >= 0)


@given(st.floats(0.01, 0.6), st.floats(1.0, 100.0))
def test_learning_saves_its_rate_with_every_doubling(rate: float, made: float) -> None:
    b = exponent(rate)
    assert float(learning_rate(b)) == pytest.approx(rate)
    assert float(cost_factor(b, 2 * made, made)) == pytest.approx(1 - rate)
    assert float(cost_factor(b, 4 * made, made)) == pytest.approx((1 - rate) ** 2)
    assert float(implied_exponent(cost_factor(b, 2 * made, made), 2.0)) == pytest.approx(float(b))
    with pytest.raises(ValueError, match="below 1"):
        exponent(1.0)


def test_the_learning_rate_that_epochs_figures_imply() -> None:
    assert float(learning_rate(implied_exponent(1 / 1.3, 2.3))) == pytest.approx(0.196, abs=5e-4)


@given(st.floats(0.01, 100.0), st.floats(0.0, 0.95), st.floats(0.1, 5.0))
def test_a_decline_undone_is_the_decline(price: float, decline: float, years: float) -> None:
    ahead = float(price_ahead(price, decline, years))
    assert float(observed_decline(price, ahead, years)) == pytest.approx(decline, abs=1e-9)
    with pytest.raises(ValueError, match="below 1"):
        price_ahead(price, 1.0, years)


@settings(max_examples=50)
@given(st.floats(1.0, 10.0), st.floats(11.0, 60.0), st.integers(1, 20), st.sampled_from(["geometric", "linear"]))
def test_a_ramp_reaches_its_target_and_stays(start: float, target: float, quarters: int, shape: str) -> None:
    path = ramp_path(start, target, quarters, quarters + 4, shape)
    assert np.all(np.diff(path) >= -1e-9) and path[0] > start
    np.testing.assert_allclose(path[quarters - 1 :], target)


def test_what_runs_short_first() -> None:
    allows = np.array([[[9.0, 9.0, 9.0], [5.0, 5.0, 5.0], [4.0, 12.0, 12.0]]])
    found = shortage(allows, np.array([3.0, 6.0, 8.0]), np.array([[1.0, 4.0, 1.0]]))
    assert found.quarter.tolist() == [[3, 1, 3]]  # the horizon's length: never
    assert found.first.tolist() == [1]
    assert found.late_quarters.tolist() == [[0.0, 3.0, 0.0]]
    np.testing.assert_allclose(found.multiple, [[8 / 9, 8 / 5, 2.0]])
    none = shortage(allows[:, :1], np.array([3.0, 6.0, 8.0]), np.array([[1.0]]))
    assert none.first.tolist() == [-1] and none.late_quarters.tolist() == [[0.0]]
    assert float(bill_usd_per_year(52, 60e9)) == pytest.approx(3.12e12)


@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=7, unique=True))
def test_the_chance_of_falling_growth_is_kendalls(rates: list[float]) -> None:
    from gigawatt.economics.market.trends import growth_test

    assume(np.diff(np.sort(rates)).min() > 1e-6)
    values = np.cumprod([1.0, *(1 + np.array(rates))])
    made = growth_test(values)
    expected = kendalltau(np.arange(len(rates)), rates, alternative="less", method="exact")
    assert made.chance == pytest.approx(expected.pvalue, abs=1e-9)
    assert made.falls_throughout == (made.falling_pairs == made.pairs)
