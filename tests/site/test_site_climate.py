"""Weather: the monthly means come out, the wet bulb stays below, the moist-air formulas agree with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.site import HOURS, monthly_mean, weather_of
from gigawatt.physics.site.climate import MONTH_OF_HOUR, ring
from gigawatt.physics.site.psychrometrics import (
    Air,
    dew_point_k,
    enthalpy_j_per_kg,
    humidity_ratio,
    pressure_pa,
    saturation_pa,
    vapour_pa,
    wet_bulb_k,
)

CAT = Catalog.load()
SITES = {site.id: weather_of(site, 0) for site in CAT.all("site")}


@pytest.mark.parametrize("name", SITES)
def test_shipped_sites_keep_their_monthly_means_and_wet_below_dry(name: str) -> None:
    weather, climate = SITES[name], CAT.get("site", name).climate
    assert np.abs(monthly_mean(weather.dry_bulb_k) - climate.dry_bulb.values).max() < 1e-6
    assert np.abs(monthly_mean(weather.wet_bulb_k) - climate.wet_bulb.values).max() < 1e-6
    assert np.all(weather.wet_bulb_k <= weather.dry_bulb_k)


@settings(max_examples=40, deadline=None)
@given(st.floats(262, 302), st.floats(0, 16), st.floats(1.5, 12), st.integers(0, 2**31), st.floats(75_000, 102_000))
def test_any_climate_keeps_its_means(mean_k: float, half_k: float, depression_k: float, seed: int, pa: float) -> None:
    season = -np.cos(2 * np.pi * (np.arange(12) - 0.5) / 12)
    dry = mean_k + half_k * season
    driest = dry - wet_bulb_k(dry, np.full(12, 235.0), pa)
    wet = dry - np.minimum(depression_k, 0.7 * driest)
    weather = weather_of((dry, wet), seed, pressure=pa)
    assert np.abs(monthly_mean(weather.dry_bulb_k) - dry).max() < 1e-6
    assert np.abs(monthly_mean(weather.wet_bulb_k) - wet).max() < 1e-5
    assert np.all(weather.wet_bulb_k <= weather.dry_bulb_k)


def test_same_seed_same_bytes_other_seed_other_hours() -> None:
    iowa = CAT.get("site", "iowa")
    assert weather_of(iowa, 7).wet_bulb_k.tobytes() == weather_of(iowa, 7).wet_bulb_k.tobytes()
    assert not np.array_equal(weather_of(iowa, 7).wet_bulb_k, weather_of(iowa, 8).wet_bulb_k)


def test_noise_has_unit_variance_and_its_memory_and_is_a_ring() -> None:
    drawn = np.array([ring(np.random.default_rng(seed), 0.9) for seed in range(60)])
    assert drawn.std() == pytest.approx(1.0, abs=0.01)
    assert (drawn * np.roll(drawn, 1, axis=1)).mean() == pytest.approx(0.9, abs=0.01)
    # December's last hour is to January's first what any hour is to the next.
    assert np.corrcoef(drawn[:, -1], drawn[:, 0])[0, 1] > 0.7


def test_dry_air_swings_more_over_a_day() -> None:
    swing = {}
    for name in ("inner-mongolia", "norway"):
        july = SITES[name].dry_bulb_k[MONTH_OF_HOUR == 6].reshape(-1, 24).mean(axis=0)
        swing[name] = float(np.ptp(july))
    assert swing["inner-mongolia"] > 1.5 * swing["norway"]


@given(st.floats(258.15, 313.15), st.floats(0.06, 0.99))
def test_wet_bulb_agrees_with_stull_and_solves_its_own_equation(dry_k: float, humidity: float) -> None:
    dew = dew_point_k(humidity * saturation_pa(dry_k))
    wet = wet_bulb_k(dry_k, dew)
    back = vapour_pa(Air(np.asarray(dry_k), wet))
    assert float(back) == pytest.approx(humidity * float(saturation_pa(dry_k)), rel=1e-6)
    # Stull (2011), Journal of Applied Meteorology and Climatology 50, equation 1; off by -1 to 0.65 K itself, above 5 % and
    # between -20 and 50 C; it says nothing for cold and dry air at once.
    t, rh = dry_k - 273.15, 100 * humidity
    if rh < 5 + max(0.0, -2.27 * t + 27.7):
        return
    stull = (
        t * np.arctan(0.151977 * np.sqrt(rh + 8.313659)) + np.arctan(t + rh) - np.arctan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * np.arctan(0.023101 * rh) - 4.686035
    )  # fmt: skip
    assert float(wet) - 273.15 == pytest.approx(stull, abs=1.3)


def test_moist_air_agrees_with_the_handbook() -> None:
    # ASHRAE Handbook Fundamentals, moist air at sea level: saturated at 25 C w = 0.02017, h = 76.5 kJ/kg.
    ratio = humidity_ratio(saturation_pa(298.15))
    assert float(ratio) == pytest.approx(0.02017, rel=0.01)
    assert float(enthalpy_j_per_kg(298.15, ratio)) == pytest.approx(76.5e3, rel=0.01)
    assert pressure_pa(1500.0) == pytest.approx(84_556, rel=1e-4)


def test_what_is_no_climate_is_refused() -> None:
    with pytest.raises(InputError, match="twelve"):
        weather_of(([280.0] * 11, [279.0] * 11))
    with pytest.raises(InputError, match="wet bulb"):
        weather_of(([280.0] * 12, [281.0] * 12))


def test_hours_of_a_record_count_before_its_means(tmp_path: Path) -> None:
    hours = -5 + 20 * np.sin(np.arange(HOURS) / 500)
    listed = lambda column: "[" + ", ".join(f"{x:.2f}" for x in column) + "]"  # noqa: E731
    folder = tmp_path / "site"
    folder.mkdir()
    text = "extends: iowa\nclimate:\n"
    text += f"  hourly_dry_bulb: {{values: {listed(hours)}, unit: degC}}\n"
    good = text + f"  hourly_wet_bulb: {{values: {listed(hours - 2)}, unit: degC}}\n"
    (folder / "measured.yaml").write_text(good, encoding="utf-8")
    few = "extends: iowa\nclimate:\n  hourly_dry_bulb: {values: [7, 8, 9], unit: degC}\n"
    (folder / "half.yaml").write_text(few, encoding="utf-8")
    few += "  hourly_wet_bulb: {values: [5, 6, 7], unit: degC}\n"
    (folder / "short.yaml").write_text(few, encoding="utf-8")
    cat = Catalog.load([tmp_path])
    weather = weather_of(cat.get("site", "measured"))
    assert weather.made == "measured"
    assert np.allclose(weather.dry_bulb_k - 273.15, hours, atol=0.01)
    assert np.allclose(weather.dry_bulb_k - weather.wet_bulb_k, 2.0, atol=0.02)
    with pytest.raises(InputError, match="8760"):
        weather_of(cat.get("site", "short"))
    with pytest.raises(InputError, match="hours of both"):
        weather_of(cat.get("site", "half"))


def test_a_year_has_its_hours() -> None:
    assert all(weather.dry_bulb_k.shape == (HOURS,) for weather in SITES.values())


# Monthly means of dry bulb and dew point of TMY3 stations (EnergyPlus weather statistics, NREL), the pressure there, and
# ASHRAE's 0.4, 1 and 2 % wet bulb (Handbook 2009, in the same files), deg C. The noise was not fitted to these places.
STATIONS = {
    "washington-dulles": (
        (0.6, 1.6, 7.7, 12.5, 18.2, 22.5, 24.5, 23.0, 20.1, 11.9, 7.8, 1.0),
        (-6.3, -4.4, -0.9, 4.4, 12.0, 16.2, 19.2, 17.7, 15.4, 5.1, 2.6, -4.8),
        100_344.0,
        (25.4, 24.7, 24.1),
    ),
    "phoenix": (
        (13.0, 15.7, 17.3, 23.7, 27.3, 34.0, 35.6, 33.8, 30.4, 24.8, 18.0, 11.7),
        (-2.2, 4.1, 2.5, -1.6, 2.3, 5.9, 13.6, 13.5, 8.9, 6.4, 1.9, 0.5),
        97_342.0,
        (24.5, 24.0, 23.5),
    ),
}


@pytest.mark.parametrize("name", STATIONS)
def test_design_wet_bulbs_of_stations_left_out_of_the_fit(name: str) -> None:
    dry_c, dew_c, pa, published = STATIONS[name]
    dry, dew = np.array(dry_c) + 273.15, np.array(dew_c) + 273.15
    years = [weather_of((dry, wet_bulb_k(dry, dew, pa)), seed, pressure=pa) for seed in range(4)]
    found = np.mean([np.percentile(y.wet_bulb_k, (99.6, 99.0, 98.0)) for y in years], axis=0) - 273.15
    assert np.abs(found - published).max() < 1.0
