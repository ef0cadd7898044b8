"""Hourly sources: means as asked for, geometry of the sun, heat and outages; what can be counted on, by hand and by chance."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.site.firm import FuelPlant, firm_load, smallest_battery
from gigawatt.physics.site.outages import LACK_HOURS, Units, counted_on_w, standing
from gigawatt.physics.site.sources import HOURS, Place, battery_of, derating, grid_source, source_of, units_of
from gigawatt.physics.site.storage import Battery
from gigawatt.physics.site.weather_plant import solar_share, wind_share

CAT = Catalog.load()
MILD = np.full(HOURS, 288.15)
HOUR = 3600.0


@pytest.mark.parametrize(("latitude", "factor"), [(32.4, 0.27), (39.0, 0.22), (-33.9, 0.25), (67.3, 0.12)])
def test_the_sun_gives_its_capacity_factor_by_day_alone(latitude: float, factor: float) -> None:
    share = solar_share(latitude, factor, MILD, np.random.default_rng(1))
    assert share.mean() == pytest.approx(factor, rel=1e-6)
    assert share.min() >= 0 and share.max() <= 1
    by_hour = share.reshape(365, 24)
    if abs(latitude) < 60:
        assert not by_hour[:, [0, 1, 2, 22, 23]].any(), "no sun at night below the polar circle"
    warm = share[171 * 24 : 173 * 24].sum() > share[354 * 24 : 356 * 24].sum()
    assert warm == (latitude > 0), "summer is in June in the north"


def test_day_length_is_that_of_the_almanac() -> None:
    """Abilene, 32.4 N: 14.1 h at the solstice of June, 9.9 h at that of December (to the hour that a grid of hours allows)."""
    share = solar_share(32.4, 0.2, MILD, np.random.default_rng(0)).reshape(365, 24)
    assert (share[171] > 0).sum() == pytest.approx(14.1, abs=1.0)
    assert (share[354] > 0).sum() == pytest.approx(9.9, abs=1.0)


def test_too_much_sun_or_wind_is_refused() -> None:
    with pytest.raises(InputError, match="at most"):
        solar_share(67.3, 0.35, MILD, np.random.default_rng(0))
    with pytest.raises(InputError, match="at most"):
        wind_share(0.9, np.random.default_rng(0))


@pytest.mark.parametrize("factor", [0.25, 0.38, 0.5])
def test_wind_gives_its_capacity_factor_with_hours_of_calm_and_of_full_output(factor: float) -> None:
    share = wind_share(factor, np.random.default_rng(2))
    assert share.mean() == pytest.approx(factor, rel=1e-6)
    assert 0.01 < (share == 0).mean() < 0.3 and (share == 1).mean() > 0.02
    assert np.corrcoef(share[1:], share[:-1])[0, 1] > 0.85


def test_heat_takes_output_from_turbines_and_hardly_from_engines() -> None:
    """27 K above 15 C: a frame machine loses 0.7 % a kelvin, 18.9 %; an engine 4 K above its 38 C, 4 %."""
    hot = np.array([273.15 + 42.0])
    assert derating(CAT.get("generation", "gas-turbine"), hot)[0] == pytest.approx(1 - 27 * 0.007)
    assert derating(CAT.get("generation", "gas-engine"), hot)[0] == pytest.approx(1 - 4 * 0.01)
    assert derating(CAT.get("generation", "gas-turbine"), np.array([263.0]))[0] == 1.0


def test_units_stand_as_often_as_their_rates_say() -> None:
    units = Units(200, 1.0, 0.08, 40.0, 0.05)
    up = standing(units, HOURS, np.random.default_rng(3))
    assert up.mean() == pytest.approx(0.92 * 0.95, abs=0.005)
    no_plan = standing(Units(200, 1.0, 0.08, 40.0), HOURS, np.random.default_rng(3))
    # Mean length of an outage from the share of hours down and the number of falls, one unit at a time.
    one = standing(Units(1, 1.0, 0.3, 10.0), 40 * HOURS, np.random.default_rng(4))
    falls = int(((one[1:] == 0) & (one[:-1] == 1)).sum())
    assert (one == 0).sum() / falls == pytest.approx(10.0, rel=0.1)
    assert no_plan.mean() == pytest.approx(0.92, abs=0.005)


@pytest.mark.parametrize(("count", "forced"), [(1, 0.05), (12, 0.06), (35, 0.06), (80, 0.01)])
def test_what_is_counted_on_is_the_binomial_quantile(count: int, forced: float) -> None:
    allowed = LACK_HOURS / 8760
    fewer = np.cumsum([comb(count, k) * (1 - forced) ** k * forced ** (count - k) for k in range(count + 1)])
    expected = next(k for k in range(count, -1, -1) if k == 0 or fewer[k - 1] <= allowed)
    assert counted_on_w([Units(count, 5.0, forced, 20.0)]) == pytest.approx(5.0 * expected)


@given(st.integers(1, 30), st.floats(0.0, 0.2), st.integers(1, 10), st.floats(0.0, 0.2))
def test_more_plant_is_never_counted_for_less(count: int, forced: float, more: int, other: float) -> None:
    base = [Units(count, 10.0, forced, 20.0)]
    together = counted_on_w([*base, Units(more, 7.0, other, 20.0)])
    step = (count * 10.0 + more * 7.0) / 4000 * (count + more)  # what the grid of capacities rounds down
    assert together >= counted_on_w(base) - step
    assert counted_on_w([Units(count + 1, 10.0, forced, 20.0)]) >= counted_on_w(base)


def test_the_quantile_holds_in_a_simulation() -> None:
    """100 years of 12 sets: fewer than what is counted on stand in 2.4 hours a year at most, in more with one set more."""
    units = Units(12, 1.0, 0.06, 36.0)
    rng = np.random.default_rng(5)
    up = standing(units, 100 * HOURS, rng) * 12
    counted = counted_on_w([units])
    hours_a_year = lambda watts: (up < watts - 1e-9).sum() / 100  # noqa: E731
    assert hours_a_year(counted) <= LACK_HOURS * 1.6
    assert hours_a_year(counted + 1) > LACK_HOURS


def test_firm_load_by_hand() -> None:
    """Sun of 10 for twelve hours a day: a lossless store of 24 carries 2 through the night, none more than the mean of 5."""
    sun = np.tile(np.where((np.arange(24) >= 6) & (np.arange(24) < 18), 10.0, 0.0), 20)
    zero = np.zeros(sun.size)
    small = firm_load(zero, [], [sun], [Battery("store", 10.0, 24.0 * HOUR)], lack_hours=0.0)
    assert small.load_w == pytest.approx(2.0, rel=1e-3), "24 in store carry 2 through twelve hours"
    big = firm_load(zero, [], [sun], [Battery("store", 10.0, 1e3 * HOUR)], lack_hours=0.0)
    assert big.load_w == pytest.approx(5.0, rel=1e-3), "no store gives more than the mean"
    assert firm_load(zero, [], [sun], []).load_w == 0.0
    grid = firm_load(np.full(100, 7.25), [], [], [])
    assert (grid.load_w, grid.lack_hours) == (7.25, 0.0), "a bare connection is exactly what was agreed"
    power, energy = smallest_battery(sun, 2.0)
    assert (power, energy / HOUR) == (8.0, pytest.approx(24.0)), "8 are spare at noon"
    assert smallest_battery(sun, 5.1)[1] == np.inf


@given(st.floats(0, 2), st.floats(0, 3), st.floats(0, 5), st.integers(0, 10**6))
def test_more_of_anything_is_never_less_to_count_on(grid: float, power: float, hours: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sun = np.clip(rng.normal(1, 1, 96), 0, None)

    def firm(grid: float, sun: np.ndarray, power: float, units: int) -> float:
        gas = FuelPlant(Units(units, 0.3, 0.05, 20.0, 0.03), np.ones(96), np.random.default_rng(seed))
        store = Battery("b", power, power * hours * HOUR, 0.9, 0.9)
        return firm_load(np.full(96, grid), [gas], [sun], [store], lack_hours=90.0, years=8).load_w

    base = firm(grid, sun, power, 3)
    for more in (
        firm(grid + 0.3, sun, power, 3),
        firm(grid, 1.3 * sun, power, 3),
        firm(grid, sun, 1.3 * power, 3),
        firm(grid, sun, power, 4),
    ):
        assert more >= base * (1 - 1e-3) - 1e-9


def test_thirty_years_say_what_many_do() -> None:
    """Twelve sets with a store of two hours: the sample's own error is a few per cent of what the plant counts for."""

    def firm(seed: int, years: int) -> float:
        gas = FuelPlant(Units(12, 1.0, 0.06, 36.0, 0.03), np.ones(HOURS), np.random.default_rng(seed))
        return firm_load(np.zeros(HOURS), [gas], [], [Battery("b", 4.0, 8.0 * HOUR, 0.92, 0.92)], years=years).load_w

    long = firm(1, 120)
    assert [firm(seed, 30) for seed in range(2)] == pytest.approx([long] * 2, rel=0.05)
    # By convolution sets alone count for seven; a store that bridges hours adds to it.
    assert 7.0 <= long < 12 * 0.94 * 0.97


def test_without_a_store_simulation_and_convolution_agree() -> None:
    """Plant alone, no planned work: the simulated load is one of the steps of capacity, the convolution's or the next."""
    units = Units(20, 1.0, 0.05, 30.0)
    gas = FuelPlant(units, np.ones(HOURS), np.random.default_rng(2))
    found = firm_load(np.zeros(HOURS), [gas], [], [], years=60)
    assert found.load_w == pytest.approx(counted_on_w([units]), abs=1.01)
    assert found.fuel_alone_w == counted_on_w([units])


def test_records_become_sources() -> None:
    place = Place(MILD, 35.1, seed=7)
    gas = source_of(CAT.get("generation", "gas-turbine-mobile"), 192e6, "gas", place)
    assert gas.least_w == pytest.approx(0.4 * 16e6) and gas.available_w.max() == pytest.approx(192e6)
    assert gas.carbon_kg_per_j * 3.6e9 == pytest.approx(50.1 / 0.32 * 3.6, rel=1e-6), "564 kg/MWh"
    reactor = source_of(CAT.get("generation", "nuclear-smr"), 320e6, "reactor", place)
    assert reactor.must_run and reactor.carbon_kg_per_j == 0 and reactor.least_w == pytest.approx(0.4 * 320e6)
    sun = source_of(CAT.get("generation", "solar-pv"), 60e6, "sun", place)
    assert sun.weather and sun.available_w.mean() == pytest.approx(0.25 * 60e6, rel=0.01)
    again = source_of(CAT.get("generation", "solar-pv"), 60e6, "sun", place)
    assert np.array_equal(sun.available_w, again.available_w), "the same seed, the same hours"
    assert units_of(CAT.get("generation", "gas-turbine-mobile"), 192e6).count == 12
    store = battery_of(CAT.get("generation", "battery-lithium"), 100e6, 4.0, "packs")
    assert store.round_trip == pytest.approx(0.85)
    with pytest.raises(InputError, match="keeps no energy"):
        battery_of(CAT.get("generation", "solar-pv"), 1e6, 4.0, "sun")
    with pytest.raises(InputError, match="no latitude"):
        source_of(CAT.get("generation", "solar-pv"), 1e6, "sun", Place(MILD))


def test_a_grid_that_calls_gives_less_in_just_those_hours() -> None:
    called = np.zeros(HOURS, dtype=bool)
    called[100:150] = True
    grid = grid_source(100.0, 0.1, called=called, called_share=0.25)
    assert set(grid.available_w[100:150]) == {75.0} and grid.available_w.sum() == pytest.approx(100 * HOURS - 25 * 50)
    failing = grid_source(100.0, outage_hours=40.0, seed=3)
    assert 5 < (failing.available_w == 0).sum() < 120
