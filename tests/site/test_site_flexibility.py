"""Demand response, whether plant follows the load, carbon by the hour: hand-made cases and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.physics.site.carbon import carbon_of
from gigawatt.physics.site.dispatch import dispatch
from gigawatt.physics.site.flexibility import (
    Plant,
    called_hours,
    connectable_w,
    follows_ramp,
    follows_swing,
    given_up_share,
)
from gigawatt.physics.site.storage import Battery
from gigawatt.physics.site.supplied import Source

HOUR = 3600.0
GAS = Plant("gas", 100e6, 0.12 / 60, 0.10, 0.4)
ENGINES = Plant("engines", 100e6, 1.0 / 60, 0.25, 0.3)


def test_a_site_that_gives_up_a_quarter_connects_a_third_more() -> None:
    assert connectable_w(750e6, 0.25) == pytest.approx(1e9)
    # The field test's three hours: twelve such events are 36 h, a tenth of a per cent of the year's energy.
    assert given_up_share(0.25, 36.0) == pytest.approx(0.001027, rel=1e-3)
    price = np.random.default_rng(0).uniform(20, 80, 8760)
    called = called_hours(price, 88.0)
    assert called.sum() == 88 and price[called].min() >= price[~called].max()


def test_engines_follow_what_a_frame_machine_can_not() -> None:
    """80 MW of 100 lost or won within ten seconds: a quarter at once and 1.67 MW a second, or a tenth and 0.2 MW a second."""
    slow, fast = follows_ramp([GAS], "restart", 80e6, 40.0), follows_ramp([ENGINES], "restart", 80e6, 40.0)
    assert not slow.follows and fast.follows
    # The load is 62 MW ahead after 40 s (80 - 10 - 8), and is caught at 0.2 MW/s in 310 s more.
    assert slow.storage_w == pytest.approx(62e6)
    assert slow.storage_j == pytest.approx(0.5 * 62e6 * 40 + 0.5 * 62e6 * 310)
    assert "MWh of storage" in slow.words


@given(st.floats(1e5, 1e8), st.floats(0.5, 300.0))
def test_more_plant_needs_no_more_storage(watts: float, seconds: float) -> None:
    one, two = follows_ramp([GAS], "restart", watts, seconds), follows_ramp([GAS, GAS], "restart", watts, seconds)
    assert two.storage_w <= one.storage_w + 1e-6 and two.storage_j <= one.storage_j * (1 + 1e-12) + 1e-6


def test_swings_of_a_step_are_for_fast_storage() -> None:
    """60 MW of swing within two seconds about 70: a frame machine moves by 0.2 MW in one of them, the store does the rest.

    Within twenty seconds it has time to take its step of 10 MW too; engines then follow 20 MW by themselves.
    """
    found = follows_swing([GAS], 70e6, 60e6, 2.0)
    assert not found.follows
    assert found.storage_w == pytest.approx((60e6 - 0.2e6) / 2)
    assert found.storage_j == pytest.approx(found.storage_w * 1.0)
    assert follows_swing([GAS], 70e6, 60e6, 20.0).storage_w == pytest.approx((60e6 - 10e6 - 2e6) / 2)
    assert not follows_swing([ENGINES], 70e6, 20e6, 2.0).follows and follows_swing([ENGINES], 70e6, 20e6, 20.0).follows
    low = follows_swing([ENGINES], 32e6, 20e6, 20.0)
    assert not low.follows and "leaves what the plant can run at" in low.words


def _year(seed: int) -> tuple[np.ndarray, list[Source]]:
    rng = np.random.default_rng(seed)
    hours = 72
    sun = np.clip(np.sin((np.arange(hours) % 24 - 6) / 12 * np.pi), 0, None) * rng.uniform(0.5, 3.0)
    return np.ones(hours), [
        Source.of("gas", 1.2, hours, carbon_kg_per_j=1.5e-7),
        Source("sun", sun, weather=True),
    ]


@given(st.integers(0, 10**6))
def test_hourly_matching_never_beats_annual(seed: int) -> None:
    load, sources = _year(seed)
    store = [Battery("store", 0.5, 2.0 * HOUR, 0.95, 0.95)]
    found = dispatch(load, sources, store, {"gas": 1.0, "sun": 0.0})
    carbon = carbon_of(found, sources)
    assert 0 <= carbon.hourly_match <= carbon.annual_match + 1e-9 <= 1 + 1e-9
    assert carbon.emitted_kg.sum() == pytest.approx(found.of("gas").sum() * HOUR * 1.5e-7)
    without = carbon_of(dispatch(load, sources, (), {"gas": 1.0, "sun": 0.0}), sources)
    assert carbon.hourly_match >= without.hourly_match - 1e-9, "a battery carries the sun into the night"


def test_carbon_of_carbon_free_sources_is_zero() -> None:
    hours = 24
    sources = [
        Source.of("reactor", 1.0, hours, must_run=True, least_w=0.5),
        Source.of("wind", 0.5, hours, weather=True),
    ]
    carbon = carbon_of(dispatch(np.ones(hours), sources, weights={"reactor": 1.0, "wind": 0.0}), sources)
    assert carbon.kg_per_j == 0 and carbon.hourly_match == pytest.approx(1.0)
    with pytest.raises(ValueError, match="not those"):
        carbon_of(dispatch(np.ones(hours), sources, weights={"reactor": 1.0, "wind": 0.0}), sources[::-1])
