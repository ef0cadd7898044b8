"""What a rack costs to run for a year beside its capital: energy, upkeep, staff.

energy  = MW at the meter x 8,760 h x load factor x USD/MWh
upkeep  = (maintenance + insurance + property tax) share x capital it looks after
staff   = USD per MW-year x MW at the meter
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True, slots=True)
class RunningCosts:
    """Rates of a site: shares per year of the capital they look after, `staff_usd_per_mw_yr` at the meter."""

    energy_usd_per_mwh: float
    load_factor: float = 1.0
    maintenance_share: float = 0.0
    insurance_share: float = 0.0
    property_tax_share: float = 0.0
    facility_maintenance_share: float = 0.0
    staff_usd_per_mw_yr: float = 0.0

    @property
    def energy_usd_per_mw_yr(self) -> float:
        """Energy for one MW at the meter through a year.

        >>> round(RunningCosts(60.0, load_factor=0.8).energy_usd_per_mw_yr)
        420480
        """
        return HOURS_PER_YEAR * self.load_factor * self.energy_usd_per_mwh

    def upkeep_usd_per_yr(self, it_capex_usd: ArrayLike) -> Array:
        """Maintenance, insurance and property tax of IT capital."""
        share = self.maintenance_share + self.insurance_share + self.property_tax_share
        return np.asarray(it_capex_usd, dtype=np.float64) * share

    def shell_upkeep_usd_per_yr(self, shell_capex_usd: ArrayLike) -> Array:
        """Maintenance, insurance and property tax of the shell."""
        share = self.facility_maintenance_share + self.insurance_share + self.property_tax_share
        return np.asarray(shell_capex_usd, dtype=np.float64) * share


@dataclass(frozen=True, slots=True)
class RackOpex:
    """USD per rack-year, columns of equal shape."""

    energy_usd_per_yr: Array
    upkeep_usd_per_yr: Array
    staff_usd_per_yr: Array

    @property
    def usd_per_yr(self) -> Array:
        """All of it."""
        return self.energy_usd_per_yr + self.upkeep_usd_per_yr + self.staff_usd_per_yr


def rack_opex(meter_w: ArrayLike, it_capex_usd: ArrayLike, costs: RunningCosts) -> RackOpex:
    """Running cost of racks that draw `meter_w` at the meter when busy and cost `it_capex_usd`; shapes broadcast.

    Raises:
        ValueError: negative watts or capital.
    """
    watts, capex = np.broadcast_arrays(
        np.asarray(meter_w, dtype=np.float64), np.asarray(it_capex_usd, dtype=np.float64)
    )
    if not (np.all(watts >= 0) and np.all(capex >= 0)):
        raise ValueError("running costs need watts and capital that are not negative")
    mw = watts / 1e6
    return RackOpex(mw * costs.energy_usd_per_mw_yr, costs.upkeep_usd_per_yr(capex), mw * costs.staff_usd_per_mw_yr)
