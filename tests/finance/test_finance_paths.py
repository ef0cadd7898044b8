"""Paths and sites, drawn: their middles, their spread against the recursion, draws that do not depend on their number."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gigawatt.finance import Schedule, read_contract
from gigawatt.finance.contracts import Columns
from gigawatt.finance.paths import Path, SitePath, normals

START = date(2027, 1, 1)
TEN_YEARS = Schedule.quarterly(START, 40, opening=False)
DAYS = st.dates(date(2026, 1, 1), date(2035, 12, 31))


@given(start=st.floats(0.01, 1e3), growth=st.floats(-0.9, 3))
def test_a_path_without_noise_grows_at_its_rate(start: float, growth: float) -> None:
    middle = Path(start, growth).drawn(TEN_YEARS, "x", 1, 100)
    assert middle.shape == (1, 40)
    np.testing.assert_allclose(middle[0], start * (1 + growth) ** (np.arange(1, 41) / 4), rtol=1e-9)


def test_a_path_by_date_is_straight_between_and_flat_outside() -> None:
    path = Path(by_date={date(2027, 3, 31): 10.0, date(2027, 12, 31): 20.0})
    schedule = Schedule.quarterly(date(2026, 10, 1), 7, opening=False)
    days = (date(2027, 12, 31) - date(2027, 3, 31)).days
    june, september = (
        10 + 10 * (day - date(2027, 3, 31)).days / days for day in (date(2027, 6, 30), date(2027, 9, 30))
    )
    np.testing.assert_allclose(path.middle(schedule), [10, 10, june, september, 20, 20, 20])


@pytest.mark.parametrize("reversion", [0.0, 0.5, 3.0])
def test_the_spread_is_that_of_the_recursion(reversion: float) -> None:
    """var_t = var_{t-1} exp(-2 k dt) + sigma^2 dt; a random walk spreads with the root of time."""
    drawn = Path(2.0, -0.1, volatility=0.3, reversion=reversion).drawn(TEN_YEARS, "price", 7, 40_000)
    away = np.log(drawn / Path(2.0, -0.1).middle(TEN_YEARS))
    variance, expected = 0.0, []
    for _ in range(40):
        variance = variance * np.exp(-2 * reversion / 4) + 0.3**2 / 4
        expected.append(variance)
    if not reversion:
        assert expected[-1] == pytest.approx(0.09 * 10)
    np.testing.assert_allclose(away.std(axis=0), np.sqrt(expected), rtol=0.02)
    assert np.abs(away.mean(axis=0)).max() < 4 * np.sqrt(expected[-1] / 40_000), "the middle is the median"
    within = np.corrcoef(away[:, 0], away[:, 1])[0, 1]
    assert within == pytest.approx(np.sqrt(expected[0] / expected[1]) * np.exp(-reversion / 4), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    few=st.integers(1, 50),
    more=st.integers(0, 50),
    name=st.text(min_size=1, max_size=9),
)
def test_more_draws_keep_the_first(seed: int, few: int, more: int, name: str) -> None:
    path = Path(1.0, volatility=0.4)
    one, other = (path.drawn(TEN_YEARS, name, seed, n) for n in (few, few + more))
    assert one.tobytes() == other[:few].tobytes()


def test_seeds_and_names_give_other_numbers_and_they_are_normal() -> None:
    base = normals("price", 1, 20_000, 4)
    for other in (normals("price", 2, 20_000, 4), normals("rate", 1, 20_000, 4)):
        assert abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 0.02
    assert stats.kstest(base.ravel(), "norm").pvalue > 0.001
    assert np.abs(np.corrcoef(base.T) - np.eye(4)).max() < 0.04


PLANS = st.dictionaries(DAYS, st.floats(0, 20), min_size=1, max_size=6).map(
    lambda plan: dict(zip(sorted(plan), np.maximum.accumulate([plan[day] for day in sorted(plan)]), strict=True))
)


@given(PLANS, st.floats(0, 1))
def test_what_stands_counts_from_the_first_whole_quarter(plan: dict[date, float], used: float) -> None:
    site = SitePath(plan, used).schedule(TEN_YEARS, "hall", 1, 0)
    for begin, gw in zip(TEN_YEARS.begins, site.gw_built, strict=True):
        assert gw == max((value for day, value in plan.items() if day <= begin), default=0.0)
    np.testing.assert_allclose(site.mw_committed, site.gw_built * 1e3)
    np.testing.assert_allclose(site.mw_active, site.gw_built * 1e3 * used)


@settings(max_examples=60, deadline=None)
@given(PLANS, st.integers(0, 12), st.floats(0.1, 6), st.integers(0, 10**6))
def test_a_delay_never_brings_a_milestone_earlier(plan: dict[date, float], late: int, sd: float, seed: int) -> None:
    """Neither a stated delay nor a drawn one: at no time does more stand, and no tranche is paid before its day."""
    on_time = SitePath(plan).schedule(TEN_YEARS, "hall", seed, 0)
    tranche = read_contract(
        {"id": "t", "kind": "milestone_tranche", "pays": "v", "gets": "l", "site": "hall", "amount": 10e9, "per": 1e9}
    )

    def paid(site: Schedule) -> np.ndarray:
        return np.cumsum(tranche.postings(Columns(TEN_YEARS, sites={"hall": site}))[0].amount_usd, axis=-1)

    for site in (
        SitePath(plan, delay_quarters=late).schedule(TEN_YEARS, "hall", seed, 0),
        SitePath(plan, 1.0, late, sd).schedule(TEN_YEARS, "hall", seed, 50),
    ):
        assert np.all(site.gw_built <= on_time.gw_built + 1e-12)
        assert np.all(np.diff(site.gw_built, axis=-1) >= 0), "what stood stands"
        assert np.all(paid(site) <= paid(on_time) + 1e-3)


def test_a_stated_delay_moves_the_plan_by_whole_quarters_and_keeps_what_stood() -> None:
    plan = {date(2026, 1, 1): 1.0, date(2027, 4, 1): 2.0, date(2028, 1, 1): 3.0}
    gw = [
        SitePath(plan, delay_quarters=late).schedule(TEN_YEARS, "hall", 1, 0).gw_built[:8].tolist() for late in (0, 2)
    ]
    assert gw == [[1, 2, 2, 2, 3, 3, 3, 3], [1, 1, 1, 2, 2, 2, 3, 3]]


def test_drawn_delays_are_whole_quarters_around_the_stated_one() -> None:
    site = SitePath({START: 1.0, date(2028, 1, 1): 2.0}, delay_quarters=6, delay_sd_quarters=2.0)
    drawn = site.schedule(TEN_YEARS, "hall", 3, 20_000).gw_built
    first = np.argmax(drawn >= 2.0, axis=1) - 4
    assert first.min() >= 0
    assert first.mean() == pytest.approx(6.0, abs=0.06) and first.std() == pytest.approx(2.0, abs=0.06)
    assert np.array_equal(drawn[:50], site.schedule(TEN_YEARS, "hall", 3, 50).gw_built)
