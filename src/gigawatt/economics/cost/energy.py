"""What a watt-hour costs: levelised cost of plant, prices by the hour, the blended price at the meter.

Levelised cost of a source that gives `h` full-load hours a year (USD per MWh):

    (capex x 4 CRF_q(r, life) + fixed upkeep) / h + fuel / efficiency + variable upkeep

Prices by the hour are synthetic, the mean being the site's own:

    price(t) = mean [ (1 - f) + f spot(t) ],    mean of spot = 1
    spot(t)  ~ (1 + a_d day(t) + a_s season(t)) exp(s z_t - s^2/2) + spikes

f is the share of the delivered price that floats (the rest is hedged, or pays for the network); day has its peak in the
early evening and a second one in the morning; z is an autoregressive process; spikes fall into the highest hours, a
share q of all, with multiples of the mean that follow a Pareto law, capped. All are assumed, with ranges, in
calibration `energy-price-shape`, which says what they were held against. A series made so has the right mean and a
plausible spread; it knows no day that was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.cost.annuity import capital_charge

Array = NDArray[np.float64]
HOURS = 8760
J_PER_MWH = 3.6e9


@dataclass(frozen=True, slots=True)
class PriceShape:
    """How a price moves about its mean; see the module. Shares, but `memory` of an hour and the Pareto exponent."""

    floating: float
    day: float
    season: float
    spread: float
    memory: float
    spike_share: float
    spike_exponent: float
    spike_most: float


def price_series(mean_usd_per_mwh: float, shape: PriceShape, seed: int) -> Array:
    """[8760] USD per MWh in local hours from the first of January; its mean is exactly the one given, none is negative.

    Raises:
        ValueError: a negative mean.
    """
    if mean_usd_per_mwh < 0:
        raise ValueError("a mean price must not be negative")
    rng = np.random.default_rng([seed, 0x9E37])
    hour, day = np.arange(HOURS) % 24 + 0.5, np.arange(HOURS) / 24
    evening, morning = np.exp(-(((hour - 19) / 2.5) ** 2)), 0.5 * np.exp(-(((hour - 8) / 2.0) ** 2))
    course = evening + morning
    course = (course - course.mean()) / course.max()
    season = np.cos(4 * np.pi * (day - 20) / 365)  # summers and winters are dearer than spring and autumn
    body = np.maximum(1 + shape.day * course + shape.season * season, 0.05)
    z = _process(rng, shape.memory)
    spot = body * np.exp(shape.spread * z - shape.spread**2 / 2)
    count = round(shape.spike_share * HOURS)
    if count:
        top = np.argsort(-spot, kind="stable")[:count]
        spot[top] += np.minimum((1 - rng.random(count)) ** (-1 / shape.spike_exponent), shape.spike_most)
    return np.asarray(mean_usd_per_mwh * ((1 - shape.floating) + shape.floating * spot / spot.mean()))


def _process(rng: np.random.Generator, memory: float) -> Array:
    """A stationary AR(1) ring of unit variance, made in the frequency domain."""
    turn = np.exp(-2j * np.pi * np.arange(HOURS // 2 + 1) / HOURS)
    made = np.fft.irfft(np.fft.rfft(rng.standard_normal(HOURS)) / (1.0 - memory * turn), HOURS)
    return np.asarray(made * np.sqrt(1.0 - memory**2))


@dataclass(frozen=True, slots=True)
class Levelised:
    """Parts of the levelised cost of a source, USD per MWh."""

    capital_usd_per_mwh: float
    fixed_usd_per_mwh: float
    running_usd_per_mwh: float

    @property
    def usd_per_mwh(self) -> float:
        """All of it."""
        return self.capital_usd_per_mwh + self.fixed_usd_per_mwh + self.running_usd_per_mwh


def levelised(
    capex_usd_per_mw: float,
    fixed_usd_per_mw_yr: float,
    running_usd_per_mwh: float,
    full_load_hours: float,
    rate: float,
    life_years: float,
) -> Levelised:
    """Levelised cost of energy of a plant.

    Raises:
        ValueError: no hours.

    >>> round(levelised(1.484e6, 23_600.0, 0.0, 0.27 * 8760, 0.10, 30.0).usd_per_mwh, 1)
    74.2
    """
    if full_load_hours <= 0:
        raise ValueError("a plant that gives nothing has no cost per MWh")
    capital = float(capital_charge(capex_usd_per_mw, rate, life_years))
    return Levelised(capital / full_load_hours, fixed_usd_per_mw_yr / full_load_hours, running_usd_per_mwh)


def blended_usd_per_mwh(watts: ArrayLike, usd_per_mwh: ArrayLike, served_w: ArrayLike) -> float:
    """What the load pays in the mean for what it was given: [S, H] watts at [S, H] prices over [H] watts served.

    >>> blended_usd_per_mwh([[1.0, 1.0], [1.0, 0.0]], [[60.0, 60.0], [0.0, 0.0]], [2.0, 1.0])
    40.0
    """
    served = float(np.sum(served_w))
    if served <= 0:
        return 0.0
    return float((np.asarray(watts) * np.asarray(usd_per_mwh)).sum()) / served
