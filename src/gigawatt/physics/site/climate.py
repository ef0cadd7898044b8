"""Hourly weather of a place from its twelve monthly means, or from hours that a user brings.

    dry bulb    T(h) = season + range x day(h mod 24) + s_T z_T
    dew point   D(h) = season + s_D z_D, never above T
    wet bulb    from T, D and the pressure of the place (`psychrometrics`)

z_T and z_D are stationary AR(1) series of unit variance, closed into a ring so that December runs into January, correlated
with each other, and skewed (z - a (z^2 - 1), a = -skew/6): cold snaps go further than heat. Their memory, the spreads s_T
and s_D and the range of a day follow from the monthly means by relations fitted to hourly years (calibration `weather`, which
states their errors). Dew points bend towards a ceiling that warm seas set (26 C, or 2 K over the place's wettest month); they
have no course over the day: at stations they move by less than 1 K while the dry bulb moves by 10.

The season is a curve of straight lines between the middles of the months whose mean over each month is what is still
missing: after the day and the noise are added, the twelve means of the dry and of the wet bulb are met to a millionth of a
kelvin. So the year is a typical one: no month is warmer than usual, but hours and days are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.catalog import Catalog
from gigawatt.catalog.places import Climate, Site
from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.site.psychrometrics import (
    SEA_LEVEL_PA,
    ZERO_C_K,
    Air,
    dew_point_k,
    pressure_pa,
    vapour_pa,
    wet_bulb_k,
)

Array = NDArray[np.float64]
HOURS = 8760
MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
MONTH_OF_HOUR = np.repeat(np.arange(12), MONTH_DAYS * 24)
RECORD = "weather"
_MEANS_TOLERANCE_K = 1e-6
_ROUNDS = 60
_NUDGE_K = 0.01
_OVER_WETTEST_K = 2.0


@dataclass(frozen=True, slots=True)
class Weather:
    """A year of hours in local time, January first; kelvin and pascal.

    Attributes:
        dry_bulb_k, wet_bulb_k: [8760].
        pressure_pa: mean pressure of the place.
        name: the place.
        made: "synthetic" or "measured".
    """

    dry_bulb_k: Array
    wet_bulb_k: Array
    pressure_pa: float = SEA_LEVEL_PA
    name: str = ""
    made: str = "synthetic"

    def __post_init__(self) -> None:
        if np.shape(self.dry_bulb_k) != (HOURS,) or np.shape(self.wet_bulb_k) != (HOURS,):
            raise InputError(Problem("wrong_length", f"weather '{self.name}' must have {HOURS} hours of each column"))

    @property
    def air(self) -> Air:
        """The same hours as air."""
        return Air(self.dry_bulb_k, self.wet_bulb_k, self.pressure_pa)

    def at(self, hour: int) -> Air:
        """The air of one hour."""
        return Air.of(self.dry_bulb_k[hour], self.wet_bulb_k[hour], self.pressure_pa)


@dataclass(frozen=True, slots=True)
class Spread:
    """How hours scatter about their month: the constants of calibration `weather`."""

    range_most: float
    range_apart: float
    dry_spread_warm: float
    dry_spread_slope: float
    dew_spread_base: float
    dew_spread_slope: float
    correlation_damp: float
    correlation_slope: float
    memory_hour: float
    skew: float
    dew_ceiling: float
    dew_softness: float
    day: tuple[float, ...]


@lru_cache(maxsize=1)
def spread() -> Spread:
    """The constants as fitted."""
    record = Catalog.load().get("calibration", RECORD)
    values = {name: float(one.value) for name, one in record.parameters.items()}
    return Spread(**values, day=tuple(float(x) for x in record.tables["day"]))


@lru_cache(maxsize=1)
def _season() -> tuple[Array, Array]:
    """(hats [8760, 12] of straight lines between the middles of the months, inverse of their means by month)."""
    edges = np.concatenate([[0], np.cumsum(MONTH_DAYS * 24)]).astype(float)
    middle = (edges[:-1] + edges[1:]) / 2
    hour = np.arange(HOURS) + 0.5
    around = np.concatenate([[middle[-1] - HOURS], middle, [middle[0] + HOURS]])
    hats = np.zeros((HOURS, 12))
    for month in range(12):
        height = np.zeros(14)
        height[month + 1] = 1.0
        height[0], height[13] = height[12], height[1]
        hats[:, month] = np.interp(hour, around, height)
    inverse: Array = np.asarray(np.linalg.inv(monthly_mean(hats.T).T), dtype=np.float64)
    return hats, inverse


def monthly_mean(column: ArrayLike) -> Array:
    """Means by month of hourly columns [..., 8760] -> [..., 12]."""
    values = np.asarray(column, dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(MONTH_DAYS * 24)[:-1]])
    return np.asarray(np.add.reduceat(values, starts, axis=-1) / (MONTH_DAYS * 24), dtype=np.float64)


def season_k(monthly: ArrayLike) -> Array:
    """The curve of the season: straight lines whose mean over each month is given.

    >>> means = np.array([1.0, 3, 8, 13, 18, 23, 26, 25, 21, 15, 9, 3])
    >>> bool(np.allclose(monthly_mean(season_k(means)), means))
    True
    """
    hats, inverse = _season()
    return np.asarray(hats @ (inverse @ np.asarray(monthly, dtype=np.float64)), dtype=np.float64)


def ring(rng: np.random.Generator, memory: float) -> Array:
    """A stationary AR(1) series of unit variance whose last hour is followed by its first (made in the frequency domain)."""
    turn = np.exp(-2j * np.pi * np.arange(HOURS // 2 + 1) / HOURS)
    made = np.fft.irfft(np.fft.rfft(rng.standard_normal(HOURS)) / (1.0 - memory * turn), HOURS)
    return np.asarray(made * np.sqrt(1.0 - memory**2), dtype=np.float64)


def _skewed(z: Array, skew: float) -> Array:
    """Of a standard normal column one with mean 0, variance near 1 and about this skewness (good to a skewness of 0.5)."""
    a = -skew / 6.0
    return np.asarray((z - a * (z**2 - 1.0)) / np.sqrt(1.0 + 2.0 * a * a), dtype=np.float64)


def _under(ceiling: float, value: Array, softness: float) -> Array:
    """The value where it is far below the ceiling, never above it, bent between over a few times `softness`."""
    return np.asarray(ceiling - softness * np.logaddexp(0.0, (ceiling - value) / softness), dtype=np.float64)


def weather_of(
    place: Site | Climate | tuple[Sequence[float], Sequence[float]],
    seed: int = 0,
    *,
    pressure: float | None = None,
    name: str = "",
    constants: Spread | None = None,
) -> Weather:
    """Hours of a place: its own where its record holds them, else made from its monthly means.

    Args:
        place: a catalog record of kind `site`, its climate, or twelve monthly means (dry bulb, wet bulb) in kelvin.
        seed: of the noise; the same seed gives the same hours everywhere.
        pressure: pascal; None takes the place's elevation where known, else sea level.
        constants: other than those of calibration `weather`.

    Raises:
        InputError: not twelve means or not 8,760 hours, a wet bulb above its dry bulb, or so near it that no hours can have it.
    """
    label = name
    if isinstance(place, Site):
        label, place = name or place.id, place.climate
    if isinstance(place, Climate):
        if pressure is None and place.elevation is not None:
            pressure = pressure_pa(place.elevation.value)
        if place.hourly_dry_bulb is not None or place.hourly_wet_bulb is not None:
            return _measured(place, SEA_LEVEL_PA if pressure is None else pressure, label)
        place = place.dry_bulb.values, place.wet_bulb.values
    at = SEA_LEVEL_PA if pressure is None else pressure
    dry, wet = (np.asarray(column, dtype=np.float64) for column in place)
    if dry.shape != (12,) or wet.shape != (12,):
        raise InputError(Problem("wrong_length", f"climate '{label}': twelve monthly means of dry and of wet bulb"))
    return _made(Air(dry, wet, at), seed, label, constants or spread())


def _measured(climate: Climate, pressure: float, name: str) -> Weather:
    """The hours of a record as they stand."""
    if climate.hourly_dry_bulb is None or climate.hourly_wet_bulb is None:
        raise InputError(
            Problem("missing_fact", f"climate '{name}': hours of both, hourly_dry_bulb and hourly_wet_bulb")
        )
    dry, wet = (np.array(column.values) for column in (climate.hourly_dry_bulb, climate.hourly_wet_bulb))
    weather = Weather(dry, wet, pressure, name, "measured")
    if not np.all(wet <= dry):
        hour = int(np.argmax(wet > dry))
        raise InputError(Problem("out_of_range", f"climate '{name}': hour {hour}: the wet bulb is above the dry bulb"))
    return weather


def _made(means: Air, seed: int, name: str, fit: Spread) -> Weather:
    """Dry bulb first, then the dew point whose wet bulb has the means asked for."""
    hats, inverse = _season()
    rng = np.random.default_rng(seed)
    memory = fit.memory_hour
    own, other = ring(rng, memory), ring(rng, memory)
    dew = dew_point_k(vapour_pa(means))
    apart = means.dry_bulb_k - dew
    day = np.tile(np.asarray(fit.day), HOURS // 24)
    range_k = hats @ (fit.range_most * np.tanh(apart / fit.range_apart))
    dry_spread = fit.dry_spread_warm + fit.dry_spread_slope * (means.dry_bulb_k.max() - means.dry_bulb_k)
    dew_spread = fit.dew_spread_base + fit.dew_spread_slope * dry_spread
    shared = hats @ np.clip(fit.correlation_damp + fit.correlation_slope * apart, -0.95, 0.95)
    dry_bulb = range_k * day + (hats @ dry_spread) * _skewed(own, fit.skew)
    dry_bulb += hats @ (inverse @ (means.dry_bulb_k - monthly_mean(dry_bulb)))
    moist = (hats @ dew_spread) * _skewed(shared * own + np.sqrt(1.0 - shared**2) * other, fit.skew)
    ceiling_k = max(fit.dew_ceiling + ZERO_C_K, float(dew.max()) + _OVER_WETTEST_K)

    def wet(knots: Array) -> Array:
        return wet_bulb_k(dry_bulb, _under(ceiling_k, hats @ knots + moist, fit.dew_softness), means.pressure_pa)

    knots = inverse @ (dew - monthly_mean(moist))
    for _ in range(_ROUNDS):
        wet_bulb = wet(knots)
        found = monthly_mean(wet_bulb)
        miss = means.wet_bulb_k - found
        if np.abs(miss).max() < _MEANS_TOLERANCE_K:
            return Weather(dry_bulb, wet_bulb, means.pressure_pa, name)
        # How much a month's wet bulb follows its dew points: a third to a half, less where many hours are saturated.
        follows = (monthly_mean(wet(knots + _NUDGE_K)) - found) / _NUDGE_K
        knots = knots + inverse @ (miss / np.maximum(follows, 0.01))
    month = int(np.abs(miss).argmax()) + 1
    text = f"climate '{name}': no hours of such spread have the mean wet bulb of month {month}; is it too near the dry bulb?"
    raise InputError(Problem("out_of_range", text))
