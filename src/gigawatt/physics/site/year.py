"""A site through the hours of a year: every stage of the chain, water, PUE and WUE by month and year.

    PUE = sum of meter watts / sum of IT watts      WUE = litres taken in / kWh of IT      (ISO/IEC 30134-2 and -9: energies
                                                                                            of a year, not means of ratios)

A site is sized for the hour that `exceeded` of the year's hours go beyond in cooling watts for each IT watt at full load,
0.4 % unless told otherwise: 35 hours, the share of ASHRAE's annual cooling design conditions (Handbook Fundamentals, chapter
14). In those hours it lacks a little power; `SiteYear.peak_w` says how much the hottest takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.site.chain import Balance, PowerChain, balance, it_watts
from gigawatt.physics.site.climate import HOURS, Weather, monthly_mean

Array = NDArray[np.float64]
EXCEEDED = 0.004
STAGES = (
    "it_w", "distribution_loss_w", "ups_loss_w", "fan_w", "pump_w", "compressor_w", "house_w", "transformer_loss_w",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SiteYear:
    """Watts by hour and stage, [8760] each; `meter_w` is the sum of the stages of `STAGES`, in that order.

    `water_kg_per_s` is taken in; `over_k` by how much a circuit without chiller supplies warmer than it should.
    """

    meter_w: Array
    it_w: Array
    distribution_loss_w: Array
    ups_loss_w: Array
    fan_w: Array
    pump_w: Array
    compressor_w: Array
    house_w: Array
    transformer_loss_w: Array
    water_kg_per_s: Array
    over_k: Array
    provisioned_w: float

    @property
    def cooling_w(self) -> Array:
        """Fans, pumps and compressors."""
        return self.fan_w + self.pump_w + self.compressor_w

    @property
    def mean(self) -> Balance:
        """Mean watts by stage: what a figure that counts an annual PUE stands for."""
        kept = ("transformer_loss_w", "house_w", "cooling_w", "ups_loss_w", "distribution_loss_w", "it_w")
        columns = [np.asarray(getattr(self, name).mean()) for name in kept]
        return Balance(np.sum(columns, axis=0), *columns)

    @property
    def pue(self) -> float:
        """Of the year."""
        return float(self.meter_w.sum() / self.it_w.sum())

    @property
    def wue(self) -> float:
        """Litres for each kWh of IT, over the year."""
        return float(self.water_kg_per_s.sum() / self.it_w.sum() * 3.6e6)

    @property
    def pue_by_month(self) -> Array:
        """[12]."""
        return monthly_mean(self.meter_w) / monthly_mean(self.it_w)

    @property
    def wue_by_month(self) -> Array:
        """[12] litres for each kWh of IT."""
        return monthly_mean(self.water_kg_per_s) / monthly_mean(self.it_w) * 3.6e6

    @property
    def peak_w(self) -> float:
        """Of the hottest hour."""
        return float(self.meter_w.max())


def design_hour(chain: PowerChain, weather: Weather, exceeded: float = EXCEEDED) -> int:
    """The hour whose cooling watts at full load are exceeded by a share `exceeded` of the hours.

    Raises:
        InputError: a share beyond 0 to 1.
    """
    if not 0 <= exceeded < 1:
        raise InputError(
            Problem("out_of_range", f"share of hours beyond the design hour is {exceeded:g}; it must lie in [0, 1)")
        )
    order = np.argsort(-chain.cooling_share(weather.air, 1.0), kind="stable")
    return int(order[int(exceeded * HOURS)])


def sized(chain: PowerChain, weather: Weather, exceeded: float = EXCEEDED) -> PowerChain:
    """The chain about the design hour of a place; see `design_hour`."""
    return chain.at(weather.at(design_hour(chain, weather, exceeded)))


def site_year(chain: PowerChain, weather: Weather, it_w: ArrayLike, provisioned_w: float | None = None) -> SiteYear:
    """Every stage, hour by hour.

    Args:
        chain: the facility; its design hour says what a watt provisioned carries.
        weather: of the place.
        it_w: watts at the rack input, one number or [8760].
        provisioned_w: meter watts that the site was built for; None: for the most of `it_w` in the design hour.

    Raises:
        InputError: not one number nor 8760, no IT watts at all, or negative ones.
    """
    drawn = np.asarray(it_w, dtype=np.float64)
    if drawn.ndim and drawn.shape != (HOURS,):
        raise InputError(Problem("wrong_length", f"IT watts of a year: one number or {HOURS}, not {drawn.shape}"))
    it = np.array(np.broadcast_to(drawn, (HOURS,)))
    if not np.all(it >= 0) or not it.max() > 0:
        raise InputError(Problem("out_of_range", "IT watts must be numbers that are not negative, and not all zero"))
    full = chain.at(load=1.0)
    if provisioned_w is None:
        provisioned_w = float(balance(it.max(), full).meter_w)
    load = it / float(it_watts(provisioned_w, full))
    flow = balance(it, chain, air=weather.air, load=load, provisioned_w=provisioned_w)
    cooled = chain.cooled(weather.air, load)
    stages = {
        "it_w": it,
        "distribution_loss_w": flow.distribution_loss_w,
        "ups_loss_w": flow.ups_loss_w,
        "fan_w": cooled.fan * it,
        "pump_w": cooled.pump * it,
        "compressor_w": cooled.compressor * it,
        "house_w": flow.house_w,
        "transformer_loss_w": flow.transformer_loss_w,
    }
    # The meter is defined as the sum, so that no rounding stands between a part and the whole.
    meter = np.sum([stages[name] for name in STAGES], axis=0)
    return SiteYear(meter, **stages, water_kg_per_s=cooled.water_kg_per_s * it, over_k=cooled.over_k,
                    provisioned_w=float(provisioned_w))  # fmt: skip
