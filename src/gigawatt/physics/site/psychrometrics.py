"""Moist air: saturation pressure, wet bulb from dew point and back, humidity ratio, enthalpy. Kelvin and pascal.

    saturation   e_s(t) = 6.112 hPa exp(17.62 t / (243.12 C + t))            t in deg C, over water
    wet bulb     e_s(t_d) = e_s(t_w) - A p (t - t_w),  A = 6.53e-4 (1 + 0.000944 t_w) / K   (aspirated psychrometer)

Both from WMO-No. 8 (Guide to Instruments and Methods of Observation, 2018, volume I, annex 4.B); the saturation formula is
within 0.6 % of the tables from -45 to 60 C. Below freezing water, not ice, is meant, which moves the wet bulb by less than
0.3 K there: no cooling plant is sized in that range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]

ZERO_C_K = 273.15
SEA_LEVEL_PA = 101_325.0
LATENT_J_PER_KG = 2.45e6  # of water at about 20 C (FAO-56, annex 3); 2.50 MJ/kg at 0 C, 2.43 at 30 C
AIR_J_PER_KG_K = 1006.0
_NEWTON_STEPS = 8


@dataclass(frozen=True, slots=True)
class Air:
    """Outdoor air: dry and wet bulb in kelvin, columns that broadcast; pressure of the place in pascal.

    Raises:
        InputError: a wet bulb above its dry bulb, or no number.
    """

    dry_bulb_k: Array
    wet_bulb_k: Array
    pressure_pa: float = SEA_LEVEL_PA

    @classmethod
    def of(cls, dry_bulb_k: ArrayLike, wet_bulb_k: ArrayLike, pressure_pa: float = SEA_LEVEL_PA) -> Air:
        """From numbers or lists."""
        return cls(np.asarray(dry_bulb_k, dtype=np.float64), np.asarray(wet_bulb_k, dtype=np.float64), pressure_pa)

    def __post_init__(self) -> None:
        if not np.all(self.wet_bulb_k <= self.dry_bulb_k + 1e-9):
            raise InputError(Problem("out_of_range", "a wet bulb must be a number that is not above its dry bulb"))


def pressure_pa(elevation_m: float) -> float:
    """Mean pressure at a height: 101325 (1 - 2.25577e-5 z)^5.2559 (ASHRAE Handbook Fundamentals, chapter 1).

    >>> round(pressure_pa(1655.0))
    83000
    """
    return float(SEA_LEVEL_PA * (1.0 - 2.25577e-5 * elevation_m) ** 5.2559)


def saturation_pa(temperature_k: ArrayLike) -> Array:
    """Vapour pressure of saturated air, over water."""
    t = np.asarray(temperature_k, dtype=np.float64) - ZERO_C_K
    return np.asarray(611.2 * np.exp(17.62 * t / (243.12 + t)), dtype=np.float64)


def dew_point_k(vapour_pa: ArrayLike) -> Array:
    """Temperature at which air of this vapour pressure is saturated; the inverse of `saturation_pa`."""
    x = np.log(np.asarray(vapour_pa, dtype=np.float64) / 611.2)
    return np.asarray(243.12 * x / (17.62 - x) + ZERO_C_K, dtype=np.float64)


def _constant_per_k(wet_c: Array) -> Array:
    return np.asarray(6.53e-4 * (1.0 + 9.44e-4 * wet_c), dtype=np.float64)


def vapour_pa(air: Air) -> Array:
    """Vapour pressure of air from its dry and wet bulb; not below a trace where the two contradict each other."""
    wet_c = air.wet_bulb_k - ZERO_C_K
    found = saturation_pa(air.wet_bulb_k) - _constant_per_k(wet_c) * air.pressure_pa * (air.dry_bulb_k - air.wet_bulb_k)
    return np.maximum(found, 1.0)


def wet_bulb_k(dry_bulb_k: ArrayLike, dew_k: ArrayLike, pressure: float = SEA_LEVEL_PA) -> Array:
    """Wet bulb of air whose dew point is `dew_k` (taken no higher than the dry bulb), by Newton's method.

    >>> round(float(wet_bulb_k(303.15, 293.15)) - 273.15, 1)   # 30 C with a dew point of 20 C
    22.9
    """
    dry = np.asarray(dry_bulb_k, dtype=np.float64)
    vapour = saturation_pa(np.minimum(np.asarray(dew_k, dtype=np.float64), dry))
    wet = dry - 0.35 * (dry - dew_point_k(vapour))
    for _ in range(_NEWTON_STEPS):
        wet_c = wet - ZERO_C_K
        saturated = saturation_pa(wet)
        constant = _constant_per_k(wet_c) * pressure
        miss = saturated - constant * (dry - wet) - vapour
        slope = saturated * 17.62 * 243.12 / (243.12 + wet_c) ** 2 + constant
        wet = wet - miss / slope
    return np.minimum(wet, dry)


def humidity_ratio(vapour: ArrayLike, pressure: float = SEA_LEVEL_PA) -> Array:
    """Kilograms of water for each kilogram of dry air: 0.62198 e / (p - e)."""
    e = np.asarray(vapour, dtype=np.float64)
    return np.asarray(0.62198 * e / (pressure - e), dtype=np.float64)


def enthalpy_j_per_kg(temperature_k: ArrayLike, ratio: ArrayLike) -> Array:
    """Of moist air for each kilogram of dry air: 1.006 t + w (2501 + 1.86 t) kJ (ASHRAE Handbook Fundamentals)."""
    t = np.asarray(temperature_k, dtype=np.float64) - ZERO_C_K
    return np.asarray(1006.0 * t + np.asarray(ratio) * (2.501e6 + 1860.0 * t), dtype=np.float64)
