"""A year of a site: watts balance in every hour, hotter years cost more, dry designs take no water."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.site import (
    HOURS,
    Air,
    Circuit,
    SiteYear,
    Weather,
    balance,
    chain_from_record,
    cool,
    design_hour,
    it_watts,
    monthly_mean,
    site_year,
    sized,
    weather_of,
)
from gigawatt.physics.site.psychrometrics import dew_point_k, vapour_pa, wet_bulb_k
from gigawatt.physics.site.year import STAGES

CAT = Catalog.load()
IDS = CAT.ids("facility")
CHAINS = {name: chain_from_record(CAT.get("facility", name)) for name in IDS}
WEATHER = {name: weather_of(CAT.get("site", name), 0) for name in ("iowa", "abilene-texas", "singapore", "norway")}

names = st.sampled_from(IDS)
places = st.sampled_from(sorted(WEATHER))


def year_at(name: str, place: str, load: float = 0.8) -> SiteYear:
    chain = sized(CHAINS[name], WEATHER[place])
    return site_year(chain, WEATHER[place], load * float(it_watts(1e8, chain)), 1e8)


@settings(max_examples=30, deadline=None)
@given(names, places, st.floats(0.2, 1.0), st.integers(0, 99))
def test_watts_balance_in_every_hour(name: str, place: str, load: float, seed: int) -> None:
    chain = sized(CHAINS[name], WEATHER[place])
    full = float(it_watts(1e8, chain))
    it_w = full * load * np.random.default_rng(seed).uniform(0.5, 1.0, HOURS)
    year = site_year(chain, WEATHER[place], it_w, 1e8)
    assert np.array_equal(year.meter_w, np.sum([getattr(year, stage) for stage in STAGES], axis=0))
    assert all(np.all(getattr(year, stage) >= 0) for stage in STAGES)
    assert year.pue >= 1 and np.all(year.pue_by_month >= 1)
    # The chain of each hour, worked out on its own, takes the same.
    flow = balance(it_w, chain, air=WEATHER[place].air, load=it_w / full, provisioned_w=1e8)
    assert np.allclose(flow.meter_w, year.meter_w, rtol=1e-12)
    assert np.allclose(flow.cooling_w, year.cooling_w, rtol=1e-9)
    energy = (monthly_mean(year.it_w) * year.pue_by_month) / monthly_mean(year.meter_w)
    assert np.allclose(energy, 1.0)


@settings(max_examples=20, deadline=None)
@given(names, places, st.floats(0.2, 6.0))
def test_a_warmer_year_of_the_same_humidity_is_never_cheaper(name: str, place: str, warmer: float) -> None:
    weather = WEATHER[place]
    dry = weather.dry_bulb_k + warmer
    wet = wet_bulb_k(dry, dew_point_k(vapour_pa(weather.air)), weather.pressure_pa)
    hot = Weather(dry, wet, weather.pressure_pa)
    chain = sized(CHAINS[name], weather)
    cold_w, hot_w = (site_year(chain, one, 5e7, 1e8).cooling_w for one in (weather, hot))
    assert np.all(hot_w >= cold_w * (1 - 1e-12))


@pytest.mark.parametrize("name", IDS)
def test_dry_designs_take_no_water_and_others_do(name: str) -> None:
    year = year_at(name, "abilene-texas")
    assert (year.wue == 0) == CHAINS[name].cooling.is_dry
    assert np.all(year.water_kg_per_s >= 0)


def test_the_design_hour_is_exceeded_in_its_share_of_hours() -> None:
    for name in IDS:
        shares = CHAINS[name].cooling_share(WEATHER["iowa"].air, 1.0)
        found = shares[design_hour(CHAINS[name], WEATHER["iowa"])]
        assert np.sum(shares > found) <= 35 <= np.sum(shares >= found)


def test_full_load_in_the_design_hour_takes_what_was_provisioned() -> None:
    weather = WEATHER["abilene-texas"]
    chain = sized(CHAINS["liquid-cooled-2026"], weather)
    year = site_year(chain, weather, float(it_watts(1e8, chain)), 1e8)
    assert year.meter_w[design_hour(chain, weather)] == pytest.approx(1e8, rel=1e-12)
    assert year.peak_w >= 1e8
    assert np.sum(year.meter_w > 1e8 * (1 + 1e-9)) <= 35


def test_a_tower_evaporates_nearly_all_its_heat_in_the_heat() -> None:
    # At 35 C and a wet bulb of 24 C the air cools too: all of the heat and a little more leaves as vapour, 1 / 2.45 MJ/kg.
    tower = Circuit("tower", 305.15, 8.0, approach_k=4.0)
    water = float(cool(tower, Air.of(308.15, 297.15), cycles=1e9).water_kg_per_s)
    assert 0.85 / 2.45e6 < water < 1.25 / 2.45e6
    winter = float(cool(tower, Air.of(273.15, 271.15), cycles=1e9).water_kg_per_s)
    assert winter < 0.8 * water
    assert float(cool(tower, Air.of(308.15, 297.15), cycles=4.0).water_kg_per_s) == pytest.approx(
        water * 4 / 3, rel=1e-6
    )


def test_hand_worked_chiller() -> None:
    # Supply at 290 K, evaporating at 286 K, condensing 8 K over 308 K: lift 30 K; half of Carnot is COP 0.5 x 286 / 30 = 4.77.
    chiller = Circuit("dry", 290.0, 8.0, carnot=0.5, condenser_k=8.0, evaporator_k=4.0)
    made = cool(chiller, Air.of(308.0, 295.0))
    assert float(made.compressor) == pytest.approx(30 / (0.5 * 286), rel=1e-9)
    # Half of the rise can be had from air 4 K under the supply plus rise: the chiller does the other half.
    half = cool(chiller, Air.of(294.0, 285.0))
    assert float(half.compressor) == pytest.approx(0.5 * 16 / (0.5 * 286), rel=1e-9)
    assert float(cool(chiller, Air.of(289.0, 285.0)).compressor) == 0.0


def test_fans_follow_the_cube_of_flow() -> None:
    circuit = Circuit("dry", 310.0, 10.0, approach_k=10.0, fan_in=0.04, turndown=0.2)
    full, half = (float(cool(circuit, Air.of(280.0, 278.0), load).fan) for load in (1.0, 0.5))
    assert half == pytest.approx(full / 4)  # an eighth of the watts for half of the heat
    warm = Circuit("dry", 310.0, 10.0, approach_k=10.0, fan_out=0.02, turndown=0.1)
    # 20 K under the supply's return at design; twice that lets the fans run at half speed.
    assert float(cool(warm, Air.of(280.0, 278.0)).fan) == pytest.approx(0.02 / 8)


def test_without_a_chiller_the_supply_warms_and_says_so() -> None:
    circuit = Circuit("dry", 318.15, 10.0, approach_k=9.0)
    assert float(cool(circuit, Air.of(309.15, 297.0)).over_k) == pytest.approx(0.0, abs=1e-9)
    assert float(cool(circuit, Air.of(313.15, 297.0)).over_k) == pytest.approx(4.0)


def test_a_year_that_is_none_is_refused() -> None:
    chain, weather = CHAINS["liquid-cooled-2026"], WEATHER["iowa"]
    with pytest.raises(InputError, match="8760"):
        site_year(chain, weather, np.ones(24))
    with pytest.raises(InputError, match="not all zero"):
        site_year(chain, weather, 0.0)
    with pytest.raises(InputError, match="share of hours"):
        design_hour(chain, weather, 1.5)
