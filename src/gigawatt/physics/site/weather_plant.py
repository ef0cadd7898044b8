"""Sun and wind: a year of hourly output for a plant of one watt, from geometry, weather as a process, and one fitted number.

Sun, for modules that follow it about a north-south axis (Duffie and Beckman, Solar Engineering of Thermal Processes, ch. 1):

    delta = 23.45 deg sin(360 deg (284 + day) / 365)             declination
    sin(alpha) = sin(phi) sin(delta) + cos(phi) cos(delta) cos(omega)      height above the horizon, omega = 15 deg (hour - 12)
    cos(theta) = sqrt(sin^2(alpha) + cos^2(delta) sin^2(omega))            between beam and module
    I = 1.1 x 1353 W/m2 x 0.7^(AM^0.678) cos(theta),   AM = 1 / sin(alpha)  clear sky (Meinel and Meinel, 1976; a tenth diffuse)
    P = min(1, ILR I/1000 k (1 - beta (T_cell - 25 C))) for a watt of AC rating

k is the share that clouds let through, a function of a Gaussian process of days and hours (sum of two autoregressive ones).

Wind, as a Gaussian autoregressive process turned into Weibull speeds of shape 2 (Brown, Katz and Murphy, J. Climate
Appl. Meteor. 23, 1984) with a season, through the power curve of one machine, cubic between cut-in and rated speed.

What is fitted: one number a plant, the middle of k or the scale of the speeds, so that the year's mean is the given capacity
factor (bisection; the error is under 1e-6). What is assumed and not fitted: correlation times, season, spread. So the mean is
right by construction, and single hours are only like weather: no hour is a forecast, and other plants' hours are unrelated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
HOURS = 8760
SOLAR_CONSTANT = 1353.0
INVERTER_LOADING = 1.3  # watts of modules for a watt of inverter: usual for tracking plants in the United States
PER_KELVIN = 0.004  # of module output, crystalline silicon
CELL_RISE_K = 25.0  # of the cell above air in full sun
LOSSES = 0.86  # wiring, dirt, mismatch: 14 %, the default of public calculators (NREL PVWatts)
DAY_SHARE = 0.6  # of the variance of cloudiness that lasts days
CLOUD_DAYS_H, CLOUD_HOURS_H = 36.0, 3.0  # correlation times, assumed
CLOUD_SPREAD = 1.2  # standard deviations of the latent process against the middle of k, assumed
CLOUD_LEAST = 0.08  # of clear sky under the thickest clouds
WIND_HOURS_H = 20.0  # correlation time of wind speed, assumed (10 to 30 in the literature)
WIND_SEASON = 0.10  # of the speed, highest in the first of March, assumed
CUT_IN, RATED, CUT_OUT = 3.0, 11.5, 25.0  # m/s, machines of 4 to 6 MW
WEIBULL_SHAPE = 2.0


def solar_share(latitude_deg: float, capacity_factor: float, dry_bulb_k: Array, rng: np.random.Generator) -> Array:
    """[8760] watts for a watt of AC rating, the mean being `capacity_factor`.

    Raises:
        InputError: no sky at that latitude gives so much.
    """
    clear = _clear_share(latitude_deg, dry_bulb_k)
    latent = np.sqrt(DAY_SHARE) * _process(rng, CLOUD_DAYS_H) + np.sqrt(1 - DAY_SHARE) * _process(rng, CLOUD_HOURS_H)

    def share(middle: float) -> Array:
        through = CLOUD_LEAST + (1 - CLOUD_LEAST) * _normal(middle + CLOUD_SPREAD * latent)
        return np.minimum(clear * through, 1.0)

    most = float(np.minimum(clear, 1.0).mean())
    if capacity_factor > most:
        raise InputError(
            Problem(
                "out_of_range",
                f"solar at {latitude_deg:g} degrees gives at most {most:.1%} of its rating under a clear sky all year, "
                f"not {capacity_factor:.1%}",
            )
        )
    return _fitted(share, capacity_factor, -12.0, 12.0)


def wind_share(capacity_factor: float, rng: np.random.Generator) -> Array:
    """[8760] watts for a watt of rating, the mean being `capacity_factor`.

    Raises:
        InputError: no wind gives so much.
    """
    rank = np.clip(_normal(_process(rng, WIND_HOURS_H)), 1e-9, 1 - 1e-9)
    season = 1 + WIND_SEASON * np.cos(2 * np.pi * (np.arange(HOURS) / 24 - 59) / 365)
    unit = (-np.log1p(-rank)) ** (1 / WEIBULL_SHAPE) * season

    def share(scale: float) -> Array:
        return _power_curve(scale * unit)

    scales = np.linspace(4.0, 16.0, 49)
    best = max(scales, key=lambda s: float(share(s).mean()))
    most = float(share(best).mean())
    if capacity_factor > most:
        raise InputError(
            Problem("out_of_range", f"wind gives at most {most:.0%} of its rating here, not {capacity_factor:.0%}")
        )
    return _fitted(share, capacity_factor, 0.0, float(best))


def _clear_share(latitude_deg: float, dry_bulb_k: Array) -> Array:
    """Under a clear sky, not yet cut at the inverter's rating."""
    hour = np.arange(HOURS)
    day, clock = hour // 24 + 1, hour % 24 + 0.5
    phi = np.radians(latitude_deg)
    delta = np.radians(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    omega = np.radians(15.0 * (clock - 12.0))
    height = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(omega)
    up = np.maximum(height, 1e-3)
    beam = SOLAR_CONSTANT * 0.7 ** (up**-0.678)
    towards = np.sqrt(np.minimum(up**2 + (np.cos(delta) * np.sin(omega)) ** 2, 1.0))
    light = np.where(height > 0, 1.1 * beam * towards, 0.0) / 1000.0
    cell = np.asarray(dry_bulb_k) + CELL_RISE_K * light
    return np.asarray(INVERTER_LOADING * LOSSES * light * (1 - PER_KELVIN * np.maximum(cell - 298.15, -25.0)))


def _power_curve(speed: Array) -> Array:
    rise = (speed**3 - CUT_IN**3) / (RATED**3 - CUT_IN**3)
    return np.asarray(np.where(speed > CUT_OUT, 0.0, np.clip(rise, 0.0, 1.0)))


def _process(rng: np.random.Generator, hours: float) -> Array:
    """A stationary Gaussian process of unit variance with correlation exp(-lag / hours), one value an hour."""
    keep = float(np.exp(-1.0 / hours))
    noise = rng.standard_normal(HOURS)
    noise[1:] *= np.sqrt(1 - keep**2)
    return _filtered(noise, keep)


def _filtered(noise: Array, keep: float) -> Array:
    """x_t = keep x_(t-1) + noise_t for all t at once, by doubling: sums over 1, 2, 4, ... steps."""
    out, step, weight = noise.copy(), 1, keep
    while step < len(out) and weight > 1e-18:
        out[step:] = out[step:] + weight * out[:-step]
        step, weight = 2 * step, weight * weight
    return out


def _normal(z: Array) -> Array:
    """The normal distribution function, by the error function's formula 7.1.26 of Abramowitz and Stegun (1.5e-7)."""
    x = np.abs(z) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    upper = 0.5 * poly * np.exp(-x * x)
    return np.asarray(np.where(z > 0, 1 - upper, upper))


def _fitted(share: Callable[[float], Array], mean: float, low: float, high: float) -> Array:
    """The column whose mean is as asked for; the mean rises with the parameter."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(share(middle).mean()) < mean else (low, middle)
    return share(high)
