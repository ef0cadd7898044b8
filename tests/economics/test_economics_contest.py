"""The contest of labs against its closed form, scipy and a grid of deviations; a lab's marginal MW."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar, root

from gigawatt.economics.market import lab_revenue
from gigawatt.economics.market.contest import (
    Contest,
    cheaper,
    cooperation,
    dilemma,
    equilibrium,
    shares,
    symmetric_spend_usd,
    vendor_take_usd,
    with_labs,
)

PRIZE = 90e9


def make(
    quality: list[float],
    cost: list[float] | float = 0.5e-6,
    r: float = 1.0,
    growth: float = 0.0,
    reference: float = 1e17,
) -> Contest:
    n = len(quality)
    return Contest(
        prize_usd_per_yr=np.array([PRIZE]),
        decisiveness=np.array([r]),
        prize_growth=np.array([growth]),
        reference_tokens=np.array([reference]),
        cost_usd_per_token=np.broadcast_to(np.asarray(cost, dtype=float), (1, n)).copy(),
        quality=np.array([quality]),
    )


qualities = st.lists(st.floats(0.5, 2.0), min_size=2, max_size=6)
decisive = st.floats(0.2, 1.0)


@given(st.integers(2, 8), st.floats(0.1, 1.0))
@settings(max_examples=40, deadline=None)
def test_equal_labs_spend_what_the_closed_form_says(n: int, r: float) -> None:
    game = make([1.0] * n, r=r)
    made = equilibrium(game)
    assert made.tokens[0] == pytest.approx(r * PRIZE * (n - 1) / (n**2 * 0.5e-6), rel=1e-8)
    assert made.spend_usd_per_yr[0] == pytest.approx(float(symmetric_spend_usd(PRIZE, n, r)), rel=1e-8)
    assert made.holds[0]


@given(st.integers(2, 6), st.floats(0.3, 1.0), st.floats(0.05, 0.6))
@settings(max_examples=30, deadline=None)
def test_a_growing_prize_follows_its_closed_form(n: int, r: float, growth: float) -> None:
    made = equilibrium(make([1.0] * n, r=r, growth=growth))
    assert made.spent_share[0] == pytest.approx((r * (n - 1) + growth) / n, rel=1e-6)
    want = float(symmetric_spend_usd(made.prize_usd_per_yr[0], n, r, growth))
    assert made.spend_usd_per_yr[0, 0] == pytest.approx(want, rel=1e-6)


def test_two_labs_spend_half_of_the_prize_and_four_three_quarters() -> None:
    assert [float(equilibrium(make([1.0] * n)).spent_share[0]) for n in (2, 4)] == pytest.approx([0.5, 0.75])


@given(qualities, decisive, st.floats(0, 0.5))
@settings(max_examples=30, deadline=None)
def test_no_lab_gains_by_deviating(quality: list[float], r: float, growth: float) -> None:
    game = make(quality, r=r, growth=growth)
    made = equilibrium(game)
    assert made.residual[0] < 1e-8
    for i in range(len(quality)):

        def loss(factor: float, lab: int = i) -> float:
            tokens = made.tokens.copy()
            tokens[0, lab] *= factor
            spend = game.cost_usd_per_token[0, lab] * tokens[0, lab]
            return float(spend - game.prize(tokens)[0] * shares(game, tokens)[0, lab])

        best = minimize_scalar(loss, bounds=(1e-3, 10), method="bounded", options={"xatol": 1e-9})
        assert -best.fun <= made.payoff_usd_per_yr[0, i] + 1e-6 * PRIZE
    assert made.holds[0]


@given(st.lists(st.floats(0.7, 1.4), min_size=2, max_size=5), st.floats(0.2, 0.9))
@settings(max_examples=20, deadline=None)
def test_unequal_labs_agree_with_scipy(quality: list[float], r: float) -> None:
    made = equilibrium(make(quality, r=r))
    q = np.array(quality)

    def conditions(logs: np.ndarray) -> np.ndarray:
        spend = np.exp(logs)
        weight = (q * spend) ** r
        s = weight / weight.sum()
        return np.asarray(r * s * (1 - s) - spend)

    found = root(conditions, np.log(np.full(len(q), r / len(q) ** 2)), method="lm", options={"xtol": 1e-13})
    assert np.abs(conditions(found.x)).max() < 1e-9
    assert made.spend_usd_per_yr[0] / PRIZE == pytest.approx(np.exp(found.x), abs=1e-6)


def test_a_weak_lab_stays_out_of_a_lottery() -> None:
    """With r = 1 two labs share by quality whatever they cost, and one whose quality is below their mean does not enter."""
    made = equilibrium(make([1.0, 2.0, 0.5]))
    assert made.share[0] == pytest.approx([1 / 3, 2 / 3, 0], abs=1e-6)
    assert made.spend_usd_per_yr[0] / PRIZE == pytest.approx([2 / 9, 2 / 9, 0], abs=1e-6)
    assert made.holds[0]


@given(st.integers(2, 7), decisive)
def test_more_labs_spend_a_larger_part_of_the_prize(n: int, r: float) -> None:
    few, more = equilibrium(make([1.0] * n, r=r)), equilibrium(make([1.0] * (n + 1), r=r))
    assert more.spent_share[0] > few.spent_share[0]


@given(st.integers(2, 7), st.floats(0.1, 0.9))
def test_a_more_decisive_contest_spends_more(n: int, r: float) -> None:
    low, high = equilibrium(make([1.0] * n, r=r)), equilibrium(make([1.0] * n, r=r * 1.1))
    assert high.spent_share[0] > low.spent_share[0]


@given(qualities, decisive, st.floats(1.1, 20))
@settings(max_examples=30, deadline=None)
def test_efficiency_raises_tokens_and_not_profit(quality: list[float], r: float, factor: float) -> None:
    game = make(quality, r=r)
    before, after = equilibrium(game), equilibrium(cheaper(game, factor))
    assert after.tokens[0] == pytest.approx(before.tokens[0] * factor, rel=1e-8)
    assert after.payoff_usd_per_yr[0] == pytest.approx(before.payoff_usd_per_yr[0], rel=1e-8, abs=1)
    assert after.spend_usd_per_yr[0] == pytest.approx(before.spend_usd_per_yr[0], rel=1e-8)


def test_a_better_lab_has_the_larger_share_and_a_dearer_one_the_smaller() -> None:
    made = equilibrium(make([1.2, 1.0, 1.0], cost=[0.5e-6, 0.5e-6, 1e-6]))
    first, second, third = made.share[0]
    assert first > second > third
    assert made.share.sum() == pytest.approx(1)


@pytest.mark.parametrize(("n", "r", "exists"), [(2, 1.9, True), (2, 2.2, False), (4, 1.3, True), (4, 1.45, False)])
def test_a_pure_equilibrium_exists_up_to_n_over_n_minus_one(n: int, r: float, exists: bool) -> None:
    made = equilibrium(make([1.0] * n, r=r))
    all_in = bool(np.all(made.spend_usd_per_yr[0] > 0.01 * PRIZE / n**2))
    assert (all_in and bool(made.holds[0])) is exists


@given(qualities, decisive, st.floats(0, 0.6))
@settings(max_examples=30, deadline=None)
def test_together_the_labs_never_earn_less_than_apart(quality: list[float], r: float, growth: float) -> None:
    game = make(quality, r=r, growth=growth)
    apart, joint = equilibrium(game), cooperation(game)
    assert joint.payoff_usd_per_yr.sum() >= apart.payoff_usd_per_yr.sum() - 1e-6 * PRIZE


def test_the_joint_optimum_is_where_scipy_finds_it() -> None:
    game = make([1.0, 0.8], growth=0.3)

    def loss(log_tokens: float) -> float:
        tokens = np.exp(log_tokens)
        return float(0.5e-6 * tokens - PRIZE * (tokens / 1e17) ** 0.3)

    best = minimize_scalar(loss, bounds=(np.log(1e12), np.log(1e19)), method="bounded", options={"xatol": 1e-10})
    assert cooperation(game).payoff_usd_per_yr.sum() == pytest.approx(-best.fun, rel=1e-9)
    assert cooperation(make([1.0, 1.0])).spend_usd_per_yr.sum() == 0


@given(st.integers(2, 6), st.floats(0.6, 1.0), st.floats(0.1, 0.6))
def test_labs_with_a_fixed_prize_are_prisoners(n: int, r: float, truce: float) -> None:
    (both, loses), (wins, raced) = dilemma(make([1.0] * n, r=r), truce)[:, :, 0]
    assert both > raced  # all would be better off with the truce
    assert raced > loses  # and to keep it alone is worst
    if wins < both:  # a truce so deep that racing alone overshoots what wins it
        assert truce < 0.5
    else:
        assert wins > both


def test_labs_alike_and_the_vendors_part() -> None:
    game = with_labs(make([1.0, 0.5]), 4)
    assert game.quality.tolist() == [[1.0] * 4]
    spend = equilibrium(game).spend_usd_per_yr.sum(axis=-1)
    sale = vendor_take_usd(spend, 0.6, 0.7)
    assert sale == pytest.approx(0.42 * 0.75 * PRIZE)
    assert vendor_take_usd(spend, 0.6, 0.7, 0.75) == pytest.approx(0.75 * sale)


def test_draws_do_not_see_each_other() -> None:
    one = make([1.0, 0.9, 0.8], r=0.7)
    many = Contest(*(np.repeat(getattr(one, name), 3, axis=0) for name in Contest.__dataclass_fields__))
    many = replace(many, decisiveness=np.array([1.4, 0.7, 0.3]))
    assert equilibrium(many).tokens[1] == pytest.approx(equilibrium(one).tokens[0], rel=1e-9)


@given(st.floats(0.05, 10), st.floats(1e9, 1e11), st.floats(0.2, 1.2))
def test_the_marginal_mw_is_the_slope_of_revenue(gw: float, revenue: float, elasticity: float) -> None:
    step = gw * 1e-6
    up, down = (lab_revenue.revenue_usd_per_yr(gw + sign * step, gw, revenue, elasticity) for sign in (1, -1))
    slope = float(up - down) / (2 * step * 1e3)
    assert float(lab_revenue.marginal_usd_per_mw_yr(gw, gw, revenue, elasticity)) == pytest.approx(slope, rel=1e-5)


@given(st.floats(0.1, 5), st.floats(5e9, 5e10), st.floats(0.3, 0.9), st.floats(6e6, 2e7))
def test_at_the_limit_the_marginal_mw_earns_its_rent(gw: float, revenue: float, e: float, rent: float) -> None:
    limit = float(lab_revenue.gw_at_rent(gw, revenue, e, rent))
    assert float(lab_revenue.marginal_usd_per_mw_yr(limit, gw, revenue, e)) == pytest.approx(rent)
    found = brentq(lambda x: float(lab_revenue.marginal_usd_per_mw_yr(np.exp(x), gw, revenue, e)) - rent, -60, 60)
    assert np.log(limit) == pytest.approx(found, abs=1e-6)
    assert (limit > gw) == (e > float(lab_revenue.threshold_elasticity(gw, revenue, rent)))


def test_constant_returns_have_no_limit() -> None:
    assert lab_revenue.gw_at_rent(1.0, 12e9, 1.0, 10e6) == np.inf
    assert lab_revenue.gw_at_rent(1.0, 8e9, 1.0, 10e6) == 0


def test_published_points_of_a_lab_grew_as_its_power() -> None:
    """0.2, 0.6, 1.9 GW and 2, 6, 20 billion USD: the company's finance chief, January 2026."""
    assert lab_revenue.past_elasticity([0.2, 0.6, 1.9], [2e9, 6e9, 20e9]) == pytest.approx(1.02, abs=0.01)
    with pytest.raises(ValueError, match="two different powers"):
        lab_revenue.past_elasticity([1.0, 1.0], [2.0, 3.0])
