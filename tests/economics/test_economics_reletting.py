"""Re-letting: waiting times against a simulation, life and value against closed forms, laws of more buyers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from gigawatt.economics.cost import crf
from gigawatt.economics.market import reletting as relet

AGES, SHARES = [1.0, 2.0, 3.0], np.array([[0.625, 0.425, 0.30]])


def chip(draws: int = 1, **changes: float) -> relet.Chip:
    given_ = {"rent_usd_per_mw_yr": 11e6, "running_usd_per_mw_yr": 1.6e6, "capex_usd_per_mw": 26e6, "gain": np.log(1.45),
              "drift": 0.0, "utilisation": 0.9, "new_utilisation": 0.9, "rate": 0.1, "charge_years": 5.0}  # fmt: skip
    return relet.Chip(**{name: np.full(draws, float(value)) for name, value in (given_ | changes).items()})


@given(st.lists(st.floats(0, 20), min_size=3, max_size=3), st.integers(0, 2), st.floats(0, 10))
def test_more_buyers_never_lower_use(buyers: list[float], kind: int, more: float) -> None:
    support, maturity = [1.0, 0.5, 0.3], [0.9, 0.7, 1.2]
    added = [b + (more if k == kind else 0) for k, b in enumerate(buyers)]
    before, after = (relet.fitting_buyers_per_yr(b, support, maturity) for b in (buyers, added))
    use = [float(relet.utilisation(2.0, relet.vacancy_years(b, 0.1))) for b in (before, after)]
    assert use[1] >= use[0]


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.sampled_from([0.01, 0.05, 0.2]), st.floats(0, 5))
@settings(max_examples=40, deadline=None)
def test_more_buyers_never_lower_the_loan(few: float, more: float, p: float, age: float) -> None:
    rng = np.random.default_rng(3)
    luck = 1 - rng.random(400)
    shares = np.exp(np.log(SHARES) + 0.2 * rng.standard_normal((400, 1)))
    value = float(relet.resale_share(age, AGES, SHARES)[0])
    loans = [
        relet.loan_to_value(
            relet.recovery_share(age, np.full(400, b), luck, AGES, shares, fit_out_years=0.1, sale_cost_share=0.1, rate=0.1),
            value, p)
        for b in (few, few + more)
    ]  # fmt: skip
    assert loans[1] >= loans[0] - 1e-12


def test_waiting_times_of_a_thinned_stream() -> None:
    rng = np.random.default_rng(11)
    asked, fits = np.array([6.0, 2.0]), relet.fit([0.5, 1.0], [0.8, 1.4])
    horizon = 40_000.0
    times = []
    for rate, part in zip(asked, fits, strict=True):
        arrivals = rng.uniform(0, horizon, rng.poisson(rate * horizon))
        times.append(arrivals[rng.random(len(arrivals)) < part])
    gaps = np.diff(np.sort(np.concatenate(times)))
    buyers = relet.fitting_buyers_per_yr(asked, [0.5, 1.0], [0.8, 1.4])
    assert gaps.mean() == pytest.approx(float(relet.vacancy_years(buyers)), rel=0.01)
    assert np.mean(gaps <= 0.25) == pytest.approx(float(relet.let_within(buyers, 0.25)), abs=0.005)


def test_quarters_until_let_are_geometric() -> None:
    p = float(relet.let_within(1.5, 0.25))
    for quarters in (1, 3, 8):
        assert float(relet.let_within(1.5, quarters / 4)) == pytest.approx(1 - (1 - p) ** quarters)


def test_a_chip_that_nobody_can_use_is_empty_and_no_security() -> None:
    nobody = np.zeros(3)
    assert np.isinf(relet.vacancy_years(nobody)).all()
    assert relet.utilisation(2.0, relet.vacancy_years(nobody)).tolist() == [0, 0, 0]
    assert relet.recovery_share(1.0, nobody, np.full(3, 0.5), AGES, np.repeat(SHARES, 3, axis=0)).tolist() == [0, 0, 0]


def test_kinds_that_run_are_counted_at_the_threshold() -> None:
    assert int(relet.kinds_that_run([1.0, 0.5, 0.2], [1.0, 1.0, 1.0], 0.5)) == 2
    assert int(relet.kinds_that_run([1.0, 0.5, 0.2], [0.9, 0.9, 1.0], 0.5)) == 1


@given(st.floats(8e6, 16e6), st.floats(1e6, 3e6), st.floats(0.1, 0.6), st.floats(0.5, 1.0))
@settings(max_examples=40, deadline=None)
def test_life_with_level_rents_is_the_closed_form(rent: float, running: float, gain: float, use: float) -> None:
    one = chip(rent_usd_per_mw_yr=rent, running_usd_per_mw_yr=running, gain=gain, utilisation=use)
    new = max(0.9 * rent - running - 26e6 * float(crf(0.1, 5)), 0.0)
    for limited, hurdle in ((True, new), (False, 0.0)):
        want = max(np.log(use * rent / (running + hurdle)) / gain, 0.0) if use * rent > running else 0.0
        made = float(relet.economic_life_years(one, power_limited=limited)[0])
        assert made == pytest.approx(min(want, relet.OLDEST_YEARS), abs=2e-3)


def test_life_with_moving_rents_is_where_the_margins_cross() -> None:
    one = chip(drift=0.08, rent_usd_per_mw_yr=13e6)

    def gap(age: float) -> float:
        new = float(relet.new_margin_usd(one, [age])[0, 0])
        return float(relet.old_margin_usd(one, [age])[0, 0]) - max(new, 0.0)

    assert float(relet.economic_life_years(one)[0]) == pytest.approx(brentq(gap, 0, 15), abs=2e-3)


@given(st.floats(0.4, 0.95), st.floats(0.0, 0.05))
def test_better_use_never_shortens_life(use: float, more: float) -> None:
    low, high = chip(utilisation=use), chip(utilisation=use + more)
    assert relet.economic_life_years(high)[0] >= relet.economic_life_years(low)[0]


def test_life_is_longer_where_power_is_ample() -> None:
    assert relet.economic_life_years(chip(), power_limited=False)[0] > relet.economic_life_years(chip())[0]


def test_what_a_chip_still_earns_is_the_integral_of_its_margins() -> None:
    one = chip()
    life = relet.economic_life_years(one)
    for age in (0.0, 1.3):

        def flow(t: float, since: float = age) -> float:
            return float(relet.old_margin_usd(one, [t])[0, 0]) * 1.1 ** -(t - since)

        want, _ = quad(flow, age, float(life[0]))
        assert float(relet.earning_value_usd(one, age, life)[0]) == pytest.approx(want, rel=0.03)
    assert float(relet.earning_value_usd(one, 10.0, life)[0]) == 0


@given(st.floats(0, 8))
def test_resale_falls_with_age_and_passes_the_known_points(age: float) -> None:
    now, later = (float(relet.resale_share(a, AGES, SHARES)[0]) for a in (age, age + 0.5))
    assert later < now <= 1
    for known, share in zip(AGES, SHARES[0], strict=True):
        assert float(relet.resale_share(known, AGES, SHARES)[0]) == pytest.approx(share)


def test_a_loan_falls_short_in_the_stated_part_of_the_cases() -> None:
    recovery = np.random.default_rng(2).uniform(0.2, 0.6, 5000)
    for p in (0.01, 0.1):
        loan = relet.loan_to_value(recovery, 0.5, p) * 0.5
        assert np.mean(recovery < loan) == pytest.approx(p, abs=0.001)
    assert relet.loan_to_value(recovery, 0.5, 0.01) < relet.loan_to_value(recovery, 0.5, 0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        relet.loan_to_value(recovery, 0.5, 1.0)


def test_draws_are_columns() -> None:
    two = replace(chip(2), utilisation=np.array([0.5, 0.9]))
    life = relet.economic_life_years(two)
    assert life[1] == relet.economic_life_years(chip())[0]
    assert life[0] < life[1]
