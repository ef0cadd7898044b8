"""The software loop: laws of shares, learning and bans; present values and roots against other libraries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from gigawatt.economics.market.ban import break_even_shortage_years, break_even_speed, value_of_selling
from gigawatt.economics.market.ecosystem import (
    FLOOR,
    Loop,
    calibrated,
    demand_usd_per_q,
    discounted,
    matured,
    simulate,
)
from gigawatt.economics.market.learning import exponent

HERE, THERE = 0, 1  # the region that stays open, and the one that may be banned
FOCAL, RIVAL = 0, 1


def make(draws: int = 1, quarters: int = 20, **changes: object) -> Loop:
    """Two regions, two stacks; every column can be changed by name, a number filling it."""

    def full(value: object, *shape: int) -> np.ndarray:
        return np.array(np.broadcast_to(np.asarray(value, dtype=float), (draws, *shape)))

    given_: dict[str, object] = {
        "demand_usd_per_yr": [400e9, 80e9], "growth": [0.3, 0.3], "fade_years": 3.0,
        "base_usd": [[500e9, 100e9], [30e9, 20e9]], "maturity": [[1.0, 1.0], [0.65, 0.55]],
        "ceiling": [[1.1, 1.1], [1.0, 1.0]], "learning": float(exponent(0.2)), "openness": [1.0, 0.4],
        "forgetting": 0.1, "life_years": 5.0, "sensitivity": 3.0, "switching": 0.3, "hardware_growth": [0.0, 0.0],
        "attraction": [[0.5, 0.0], [0.5, 0.0]], "cost_share": 0.25, "toll": [0.0, 0.25], "supply_start": [1.0, 0.3],
        "supply_years": [1.0, 4.0], "redirect": 0.0, "redirect_years": 0.0, "discount_rate": 0.09,
    }  # fmt: skip
    shapes = {"demand_usd_per_yr": (2,), "growth": (2,), "toll": (2,), "supply_start": (2,), "supply_years": (2,),
              "openness": (2,), "hardware_growth": (2,), "base_usd": (2, 2), "attraction": (2, 2), "maturity": (2, 2),
              "ceiling": (2, 2)}  # fmt: skip
    given_ |= {key: value for key, value in changes.items() if key != "pricing"}
    columns = {name: full(value, *shapes.get(name, ())) for name, value in given_.items()}
    pricing = changes.get("pricing", "list")
    return Loop(**columns, use_share=np.array([0.7, 0.3]), quarters=quarters, pricing=pricing)  # type: ignore[arg-type]


loops = st.fixed_dictionaries(
    {
        "learning": st.floats(0.0, 1.5),
        "openness": st.tuples(st.just(1.0), st.floats(0, 1)).map(list),
        "forgetting": st.floats(0, 0.5),
        "sensitivity": st.floats(0.3, 8),
        "switching": st.floats(0, 1.5),
        "growth": st.tuples(st.floats(0, 1), st.floats(0, 1)).map(list),
        "toll": st.tuples(st.just(0.0), st.floats(0, 0.6)).map(list),
        "maturity": st.tuples(st.floats(0.3, 1.2), st.floats(0.2, 1.0)).map(lambda m: [[m[0]] * 2, [m[1]] * 2]),
        "pricing": st.sampled_from(["list", "hold-share"]),
    }
)


@given(loops)
@settings(max_examples=40, deadline=None)
def test_shares_sum_to_one_and_a_ban_takes_all_of_the_vendors(changes: dict[str, object]) -> None:
    loop = make(**changes)
    free, banned = simulate(loop), simulate(loop, banned=(THERE,))
    assert free.share.sum(axis=-1) == pytest.approx(1)
    assert banned.share.sum(axis=-1) == pytest.approx(1)
    assert np.all(banned.share[:, :, THERE, FOCAL] == 0)
    assert np.all(banned.profit_usd[:, :, THERE] == 0)
    assert np.all(free.share > 0)


@given(loops)
@settings(max_examples=40, deadline=None)
def test_without_learning_a_ban_never_pays_the_rival(changes: dict[str, object]) -> None:
    loop = make(**changes)
    found = value_of_selling(loop, THERE, speed=0.0)
    for name in ("maturity", "share", "base_usd", "premium_half"):
        sold, banned = getattr(found.sold, name), getattr(found.banned, name)
        assert banned[:, :, HERE] == pytest.approx(sold[:, :, HERE])
    assert np.all(found.value_usd >= -1e-6)
    assert found.elsewhere_usd == pytest.approx(0, abs=1)


@given(loops, st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_more_openness_never_lowers_the_rivals_maturity_elsewhere(changes: dict[str, object], more: float) -> None:
    low = make(**changes)
    high = replace(low, openness=low.openness + np.array([0.0, more]) * (1 - low.openness))
    for banned in ((), (THERE,)):
        before, after = simulate(low, banned=banned), simulate(high, banned=banned)
        assert np.all(after.maturity[:, :, HERE, RIVAL] >= before.maturity[:, :, HERE, RIVAL] - 1e-9)


@given(loops, st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_a_higher_switching_cost_never_lowers_the_incumbents_share(changes: dict[str, object], more: float) -> None:
    low = make(**changes | {"pricing": "list"})
    high = replace(low, switching=low.switching + more)
    before, after = simulate(low), simulate(high)
    base = before.base_usd[:, 0, HERE]
    # Who has most of the base is the incumbent; past that point a cost of switching is the other's friend.
    still = np.flatnonzero(base[:, FOCAL] < base[:, RIVAL])
    until = still[0] + 1 if len(still) else len(base)
    assert np.all(after.share[:until, 0, HERE, FOCAL] >= before.share[:until, 0, HERE, FOCAL] - 1e-9)


@given(st.floats(0.1, 1), st.floats(0.1, 1.5), st.floats(0.01, 100), st.floats(0, 3))
def test_maturity_stays_inside_and_grows_with_experience(m0: float, top: float, ratio: float, b: float) -> None:
    made, more = float(matured(m0, top, ratio, b)), float(matured(m0, top, ratio * 1.1, b))
    assert min(FLOOR, m0) <= made <= max(top, m0)
    assert more >= made
    assert float(matured(m0, top, 1.0, b)) == pytest.approx(m0)


def test_a_gap_closes_by_the_learning_rate_with_each_doubling() -> None:
    b = exponent(0.3)
    assert float(matured(0.6, 1.0, 2.0, b)) == pytest.approx(1 - 0.4 * 0.7)
    assert float(matured(0.6, 1.0, 8.0, b)) == pytest.approx(1 - 0.4 * 0.7**3)


def test_the_first_quarter_by_hand() -> None:
    loop = make(quarters=1, openness=[1.0, 0.5])
    path = simulate(loop)
    quality = np.array([1.0, 0.65**0.7 * 0.55**0.3])
    share = np.array([500, 100]) / 600
    value = 3 * (np.log(quality) + 0.3 * share) + np.array([0.5, 0.0])
    want = np.exp(value) / np.exp(value).sum()
    assert path.share[0, 0, HERE] == pytest.approx(want)
    assert path.base_usd[0, 0, HERE] == pytest.approx(np.array([500e9, 100e9]) * 0.95 + want * 100e9)
    assert path.profit_usd[0, 0, HERE] == pytest.approx(want[0] * 100e9 * 0.75)
    # The second quarter's experience: what is remembered, made here, and half of what is made there.
    two = simulate(make(quarters=2, openness=[1.0, 0.5]))
    made = two.share[0, 0, :, RIVAL] * np.array([100e9, 20e9])
    assert two.experience[1, 0, HERE, RIVAL] * 120e9 == pytest.approx(120e9 * 0.975 + made[0] + 0.5 * made[1])


@given(loops)
@settings(max_examples=30, deadline=None)
def test_the_premium_is_the_price_at_which_half_still_buy(changes: dict[str, object]) -> None:
    loop = make(quarters=6, **changes | {"pricing": "list"})
    path = simulate(loop)
    quarter, region = 5, HERE
    odds = path.share[quarter, 0, region, FOCAL] / path.share[quarter, 0, region, RIVAL]
    at_premium = odds * path.premium_half[quarter, 0, region] ** -loop.sensitivity[0]
    assert at_premium == pytest.approx(1)
    assert path.premium_held[0] == pytest.approx(1)


def test_the_fitted_start_has_the_stated_shares() -> None:
    want = np.array([[[0.8, 0.2], [0.6, 0.4]]])
    assert simulate(calibrated(make(), want)).share[0] == pytest.approx(want)


def test_holding_the_share_holds_it_until_cost_is_reached() -> None:
    path = simulate(make(quarters=40, pricing="hold-share", maturity=[[1.0, 1.0], [0.4, 0.4]], learning=1.0))
    share, price = path.share[:, 0, HERE, FOCAL], path.price[:, 0, HERE]
    above = price > 0.25 + 1e-9
    assert np.all(np.diff(price) <= 1e-9)
    assert share[above & (price < 1)] == pytest.approx(share[0])


def test_demand_fades_to_its_limit() -> None:
    loop = make(growth=[0.5, 0.0], fade_years=2.0)
    assert demand_usd_per_q(loop, 0)[0] == pytest.approx([100e9, 20e9])
    assert demand_usd_per_q(loop, 4000)[0] == pytest.approx([100e9 * 1.5**2, 20e9])
    assert demand_usd_per_q(loop, 1)[0, 0] == pytest.approx(100e9 * 1.5**0.25, rel=0.01)


def test_present_values_agree_with_numpy_financial() -> None:
    flows = np.linspace(5, 40, 12)[:, None, None] * np.ones((12, 2, 3))
    rate = np.array([0.0, 0.13])
    mine = discounted(flows, rate)
    for d in range(2):
        want = npf.npv((1 + rate[d]) ** 0.25 - 1, [0.0, *flows[:, d, 0]])
        assert mine[d] == pytest.approx(want)


@given(loops, st.floats(0, 1), st.floats(0, 5))
@settings(max_examples=25, deadline=None)
def test_the_parts_of_the_value_sum_to_it(changes: dict[str, object], redirect: float, years: float) -> None:
    found = value_of_selling(make(redirect=redirect, redirect_years=years, **changes), THERE)
    assert found.direct_usd + found.elsewhere_usd == pytest.approx(found.value_usd, abs=1)
    assert found.value_usd == pytest.approx(found.sold_usd - found.banned_usd)


def test_selling_is_worth_the_regions_profit_where_nothing_is_learned() -> None:
    found = value_of_selling(make(), THERE, speed=0.0)
    assert found.value_usd == pytest.approx(found.sold.npv_usd(np.array([0.09]))[:, THERE])


def test_the_break_even_speed_is_the_root_that_scipy_finds() -> None:
    loop = make(quarters=40, pricing="hold-share", redirect=1.0, redirect_years=4.0)
    loop = calibrated(loop, np.array([[[0.8, 0.2], [0.6, 0.4]]]))

    def gap(speed: float) -> float:
        return float(value_of_selling(loop, THERE, speed).value_usd[0])

    found = break_even_speed(loop, THERE)
    assert gap(0.0) > 0 > gap(8.0)
    assert found.at[0] == pytest.approx(brentq(gap, 0.0, 8.0), rel=1e-6)
    assert found.crossings[0] == 1
    assert gap(found.at[0] / 2) > 0 > gap(found.at[0] * 2)


def test_where_selling_always_wins_no_speed_is_reported() -> None:
    found = break_even_speed(make(), THERE)
    assert np.isnan(found.at[0])
    assert found.crossings[0] == 0


def test_the_shortage_that_makes_a_ban_free() -> None:
    loop = make(quarters=40, redirect=1.0)
    found = break_even_shortage_years(loop, THERE)
    at = replace(loop, redirect_years=found.at)
    assert 0 < found.at[0] < 10
    assert value_of_selling(at, THERE).value_usd[0] == pytest.approx(0, abs=1e4)
    longer = replace(loop, redirect_years=found.at + 1)
    assert value_of_selling(longer, THERE).value_usd[0] < 0


def test_a_draw_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    loop = make(draws=7, learning=rng.uniform(0, 1, 7), sensitivity=rng.uniform(1, 5, 7), redirect=1.0,
                redirect_years=rng.uniform(0, 6, 7), pricing="hold-share")  # fmt: skip
    whole, part = simulate(loop), simulate(loop.take([2, 5]))
    for name in ("share", "maturity", "profit_usd", "base_usd"):
        assert getattr(part, name).tobytes() == getattr(whole, name)[:, [2, 5]].tobytes()
    roots, few = break_even_shortage_years(loop, THERE), break_even_shortage_years(loop.take([2, 5]), THERE)
    assert few.at == pytest.approx(roots.at[[2, 5]], nan_ok=True)
