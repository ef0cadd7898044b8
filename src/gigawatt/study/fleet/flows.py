"""A build-out's money by quarter: what it earns, pays, buys and sells, and its present value, which is the programme's own.

    NPV = sum_t d_t (share x sales + rent - staff - energy - upkeep)_t / 4
        - sum_t o_t (racks at what counts + shell + own plant)_t + sum_t o_t resale_t + d_T (what is left of all) at the end

d_t discounts to a quarter's end, o_t to its start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.buildout import BuildInputs, BuildPlan
from gigawatt.factory.inputs import SECONDS_PER_YEAR
from gigawatt.study.fleet.site import SitePath

Array = NDArray[np.float64]
QUARTER_YR = 0.25
DUST_MW = 1e-9


@dataclass(frozen=True, slots=True)
class Flows:
    """[T] columns of USD in a quarter; `counted_usd` is of racks as the objective counts them, `racks_usd` at list price.

    `sales_usd` is of tokens, `rent_usd` what an operator is paid for its MW, `staff_usd` grows with them; `own_usd` is capital
    of the site's own plant, whose upkeep is in `upkeep_usd`. `worth_end_usd` is what all of it is worth at the end, then.
    """

    sales_usd: Array
    rent_usd: Array
    staff_usd: Array
    energy_usd: Array
    upkeep_usd: Array
    racks_usd: Array
    counted_usd: Array
    shell_usd: Array
    own_usd: Array
    resale_usd: Array
    worth_end_usd: float
    npv_usd: float

    @property
    def revenue_usd(self) -> Array:
        """Sales and rent."""
        return self.sales_usd + self.rent_usd

    @property
    def running_usd(self) -> Array:
        """Energy, upkeep and staff."""
        return self.energy_usd + self.upkeep_usd + self.staff_usd

    @property
    def operating_usd(self) -> Array:
        """Revenue less running costs."""
        return self.revenue_usd - self.running_usd

    @property
    def capital_usd(self) -> Array:
        """Paid for racks at list price, for shell and for own plant."""
        return self.racks_usd + self.shell_usd + self.own_usd

    @property
    def funding_usd(self) -> Array:
        """What has been put in by the start of each quarter and not come back: capital less resale and what was earned."""
        earned = np.concatenate([[0.0], np.cumsum(self.operating_usd)[:-1]])
        return np.asarray(np.cumsum(self.capital_usd - self.resale_usd) - earned)


def flows_of(
    build: BuildInputs, plan: BuildPlan, rent_usd_per_mw_yr: float = 0.0, site: SitePath | None = None
) -> Flows:
    """The columns of a plan; of what a MW in use brings beside tokens, `rent_usd_per_mw_yr` is rent; own plant of `site` is
    paid whatever is built, and no part of the programme's value."""
    usd_per_mtok_s = SECONDS_PER_YEAR * QUARTER_YR / 1e6
    sales = (plan.sold * build.price_usd_per_mtok).sum(axis=0) * usd_per_mtok_s * build.revenue_share
    rent = rent_usd_per_mw_yr * (build.points.mw @ plan.use) * QUARTER_YR
    staff = rent - build.other_usd_per_yr @ plan.use * QUARTER_YR
    energy = (build.energy_usd_per_yr * plan.use).sum(axis=0) * QUARTER_YR
    shell_upkeep = build.shell_upkeep_usd_per_mw_yr * plan.site_mw
    upkeep = (build.upkeep_usd_per_yr @ plan.racks + shell_upkeep) * QUARTER_YR
    own = np.zeros(len(upkeep))
    if site is not None:
        own = site.own_capital_usd
        upkeep = upkeep + site.own_upkeep_usd
    added = np.diff(plan.site_mw, prepend=build.opening_mw)
    added = np.where(np.abs(added) < DUST_MW, 0.0, added)
    shell = added * build.shell_usd_per_mw
    racks, counted = ((plan.bought * price).sum(axis=0) for price in (build.list_usd, build.cost_usd))
    resale = (plan.retired * build.resale_usd).sum(axis=0)
    # What is on its way at the end is owned too.
    owned = build.opening_racks + plan.bought.sum(axis=1) - plan.retired.sum(axis=1) + build.arriving.sum(axis=1)
    worth = float(owned @ build.terminal_usd + added @ build.shell_terminal_usd_per_mw)
    worth += site.own_end_usd if site is not None else 0.0
    npv = float(
        build.discount @ (sales + rent - staff - energy - upkeep)
        - build.opening_discount @ (counted + shell + own - resale)
        + build.discount[-1] * worth
    )
    return Flows(sales, rent, staff, energy, upkeep, racks, counted, shell, own, resale, worth, npv)
