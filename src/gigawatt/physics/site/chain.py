"""The power chain: watts at the meter that stand behind watts at the rack input.

    meter -> transformer (grid, medium voltage) -> UPS -> distribution (low voltage, busway) -> IT rack input
                     +-> cooling, house load (beside the UPS, behind the transformer)

With stage efficiencies e_t, e_u, e_d, cooling watts c for each IT watt and house load h for each watt provisioned at
the meter,

    behind the transformer  B = IT / (e_u e_d) + c IT + h M_prov
    meter                   M = B / e_t

and a site sized for just this load (M_prov = M) takes M = IT (1 / (e_u e_d) + c) / (e_t - h). Every column of a
`Balance` is watts lost or used at one place; together they sum to the meter exactly.

Cooling follows the outdoor wet bulb along a line down to a floor of pumps and fans that always run:

    c(T) = max(floor, c_design + slope (T - T_design))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PowerChain:
    """A facility design as plain numbers; shares are watts per watt, temperatures in kelvin.

    Attributes:
        transformer_efficiency, ups_efficiency, distribution_efficiency: output over input at normal load.
        cooling_share_at_design: cooling watts for each IT watt at `design_wet_bulb_k`.
        cooling_slope_per_k: how that share rises with each kelvin of wet bulb.
        cooling_share_floor: the least it falls to.
        house_share: lights, offices, security: watts for each watt provisioned at the meter, whatever the load.

    Raises:
        InputError: an efficiency is outside (0, 1], a share is negative, or house load eats the transformer's output.
    """

    transformer_efficiency: float
    ups_efficiency: float
    distribution_efficiency: float
    cooling_share_at_design: float
    design_wet_bulb_k: float = 297.15
    cooling_slope_per_k: float = 0.0
    cooling_share_floor: float = 0.0
    house_share: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        found = [
            Problem("out_of_range", f"power chain '{self.name}': {field} is {value:g}; it must be over 0 and at most 1")
            for field in ("transformer_efficiency", "ups_efficiency", "distribution_efficiency")
            if not 0 < (value := getattr(self, field)) <= 1
        ]
        found += [
            Problem("out_of_range", f"power chain '{self.name}': {field} is {value:g}; it must not be negative")
            for field in ("cooling_share_at_design", "cooling_slope_per_k", "cooling_share_floor", "house_share")
            if not (value := getattr(self, field)) >= 0
        ]
        if not found and self.house_share >= self.transformer_efficiency:
            found.append(Problem("out_of_range", f"power chain '{self.name}': house load leaves no watt for IT"))
        if found:
            raise InputError(found)

    def cooling_share(self, wet_bulb_k: ArrayLike | None = None) -> Array:
        """Cooling watts for each IT watt at a wet-bulb temperature (kelvin); None is the design day.

        >>> PowerChain(0.98, 0.97, 0.98, 0.08, 297.15, 0.0025, 0.035).cooling_share([297.15, 293.15, 263.15]).round(9)
        array([0.08 , 0.07 , 0.035])
        """
        if wet_bulb_k is None:
            return np.asarray(self.cooling_share_at_design, dtype=np.float64)
        warmer = np.asarray(wet_bulb_k, dtype=np.float64) - self.design_wet_bulb_k
        line = self.cooling_share_at_design + self.cooling_slope_per_k * warmer
        return np.asarray(np.maximum(self.cooling_share_floor, line), dtype=np.float64)

    def mean_cooling_share(self, wet_bulb_k: Sequence[float]) -> float:
        """Mean over equal spans of time, such as twelve monthly means of the wet bulb."""
        return float(np.mean(self.cooling_share(wet_bulb_k)))

    def __call__(
        self, it_w: ArrayLike, *, wet_bulb_k: ArrayLike | None = None, provisioned_w: ArrayLike | None = None
    ) -> Balance:
        """Watts by stage for `it_w` watts at the rack input (any shape); see `balance`."""
        return balance(it_w, self, wet_bulb_k=wet_bulb_k, provisioned_w=provisioned_w)


@dataclass(frozen=True, slots=True)
class Balance:
    """Watts by stage, columns of equal shape; `meter_w` is the sum of all the others."""

    meter_w: Array
    transformer_loss_w: Array
    house_w: Array
    cooling_w: Array
    ups_loss_w: Array
    distribution_loss_w: Array
    it_w: Array

    @property
    def pue(self) -> Array:
        """Meter watts over IT watts (of this moment; an annual PUE is a ratio of energies)."""
        return self.meter_w / self.it_w


def balance(
    it_w: ArrayLike,
    chain: PowerChain,
    *,
    wet_bulb_k: ArrayLike | None = None,
    provisioned_w: ArrayLike | None = None,
) -> Balance:
    """All stages of the chain for `it_w` watts at the rack input.

    Args:
        it_w: watts at the rack input, any shape.
        chain: the facility.
        wet_bulb_k: outdoor wet bulb in kelvin, broadcast against `it_w`; None is the design day.
        provisioned_w: meter watts that the house load was sized for; None sizes the site for this very load.

    Raises:
        InputError: negative or missing watts.
    """
    it = np.asarray(it_w, dtype=np.float64)
    if not np.all(it >= 0):
        raise InputError(Problem("out_of_range", "IT power must be a number of watts that is not negative"))
    cooling = chain.cooling_share(wet_bulb_k) * it
    ups_out = it / chain.distribution_efficiency
    ups_in = ups_out / chain.ups_efficiency
    carried = ups_in + cooling
    if provisioned_w is None:
        sized = carried / (chain.transformer_efficiency - chain.house_share)
    else:
        sized = np.asarray(provisioned_w, dtype=np.float64)
    house = chain.house_share * sized
    behind = carried + house
    transformer_loss = behind / chain.transformer_efficiency - behind
    losses = (transformer_loss, house, cooling, ups_in - ups_out, ups_out - it, it)
    columns = [np.array(column) for column in np.broadcast_arrays(*losses)]
    # The meter is defined as the sum, so that no rounding stands between a part and the whole.
    return Balance(np.sum(columns, axis=0), *columns)


def meter_watts(
    it_w: ArrayLike,
    chain: PowerChain,
    *,
    wet_bulb_k: ArrayLike | None = None,
    provisioned_w: ArrayLike | None = None,
) -> Array:
    """Watts at the meter behind `it_w` watts at the rack input; the sum of all columns of `balance`.

    >>> float(meter_watts(1.0, PowerChain(1.0, 1.0, 1.0, 0.25)))
    1.25
    """
    return balance(it_w, chain, wet_bulb_k=wet_bulb_k, provisioned_w=provisioned_w).meter_w


def it_watts(meter_w: ArrayLike, chain: PowerChain, *, wet_bulb_k: ArrayLike | None = None) -> Array:
    """The rack-input watts that `meter_w` watts at the meter can carry, the site being sized for just that."""
    per_it = 1 / (chain.ups_efficiency * chain.distribution_efficiency) + chain.cooling_share(wet_bulb_k)
    return np.asarray(meter_w, dtype=np.float64) * (chain.transformer_efficiency - chain.house_share) / per_it


def chain_from_record(facility: Any) -> PowerChain:
    """A `PowerChain` from a catalog record of kind `facility`."""
    cooling = facility.cooling
    return PowerChain(
        transformer_efficiency=facility.transformer_efficiency.value,
        ups_efficiency=facility.ups_efficiency.value,
        distribution_efficiency=facility.distribution_efficiency.value,
        cooling_share_at_design=cooling.share_at_design.value,
        design_wet_bulb_k=cooling.design_wet_bulb.value,
        cooling_slope_per_k=cooling.slope_per_k.value,
        cooling_share_floor=cooling.share_floor.value,
        house_share=facility.house_load.value,
        name=facility.id,
    )
