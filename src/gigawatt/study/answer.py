"""All that a run worked out, in one place, for the rooms that turn it into tables and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.economics.cost import capital_charge
from gigawatt.factory import Plan
from gigawatt.finance import npv_usd
from gigawatt.physics.site import SiteYear, site_year
from gigawatt.study.bands import Bands
from gigawatt.study.price import Priced
from gigawatt.study.resolve import Resolved
from gigawatt.study.settle import Settled
from gigawatt.study.site.year import weather_at
from gigawatt.study.timeline import Timeline

Array = NDArray[np.float64]
SECONDS_PER_YEAR = 8760 * 3600.0


@dataclass(frozen=True, slots=True)
class Further:
    """What a scenario asks for besides its plan: tables, and the sentences of the answer."""

    tables: list[Table]
    sentences: list[str]


@dataclass(frozen=True)
class Answer:
    """Plan, money and bands of one scenario."""

    resolved: Resolved
    line: Timeline
    priced: Priced
    plan: Plan
    settled: Settled
    bands: Bands
    others: dict[str, Plan]

    @property
    def rate(self) -> float:
        return self.resolved.scenario.discount_rate

    @cached_property
    def listed(self) -> tuple[str, ...]:
        """The companies of the scenario that money passes through, in their order."""
        seen = set(self.settled.ledger.companies)
        return tuple(c.id for c in self.resolved.scenario.companies if c.id in seen)

    def flows(self, company: str) -> Array:
        """Net cash by period, closing values included."""
        return np.asarray(self.settled.ledger.net_usd([company])[0])

    def npv(self, company: str) -> float:
        """At the company's own discount rate where it has one, else the scenario's."""
        own = next((c.discount_rate for c in self.resolved.scenario.companies if c.id == company), None)
        rate = self.rate if own is None else own
        return float(npv_usd(self.flows(company), rate, self.settled.schedule.time_years))

    def project_flows(self, *, closing: bool) -> Array:
        """Net cash of the operator by period with its loans left out: the project's own."""
        who = self.resolved.scenario.company("operator")
        ledger = self.settled.ledger if closing else self.settled.ledger.without_closing()
        flows = np.asarray(ledger.net_usd([who])[0]) - ledger.total_usd(payee=who, account="loan_draw")
        for account in ("loan_repayment", "loan_interest", "loan_fee"):
            flows = flows + ledger.total_usd(payer=who, account=account)
        return flows

    @cached_property
    def annual_energy_usd(self) -> float:
        """Energy of a year, mean over the horizon's phases."""
        return float(self.plan.mean_use @ self.priced.energy_usd_per_yr)

    @cached_property
    def drawn_mw(self) -> float:
        """Mean draw at the meter over a year, over the horizon's phases: what the energy bill is for."""
        plant, points = self.priced.plant, self.priced.inputs.points
        mean = float(self.plan.mean_use @ (points.mw * self.priced.mean_load))
        return mean * plant.energy_share * plant.served_share

    @cached_property
    def site_year(self) -> SiteYear | None:
        """The building through a year at the mean rack-input watts of the plan; None where no rack runs."""
        plan, priced = self.plan, self.priced
        it_w = float(plan.mean_use @ (priced.it_w * priced.mean_load))
        if not it_w > 0:
            return None
        return site_year(priced.chain, weather_at(self.resolved), it_w, plan.site_mw * 1e6)

    @property
    def capex_usd(self) -> float:
        """Racks at list price, the shell, and plant of the site's own."""
        return self.plan.capital_usd + self.priced.plant.capital_usd

    @cached_property
    def site_mw(self) -> float:
        return self.plan.site_mw

    @cached_property
    def mean_mw(self) -> float:
        """MW in use, mean over the horizon's phases: what rates per MW-year are taken over."""
        return float(self.plan.mean_use @ self.priced.inputs.points.mw)

    @cached_property
    def row_value(self) -> dict[tuple[int, int], float]:
        """Annual value of each (platform, workload) of the plan: what it earns less its share of racks and shell.

        Sales are taken at the mean price of the workload; a platform's charges are shared by rack-time in use, the
        shell's and own plant's by MW. The rows sum to the plan's value.
        """
        plan, inputs = self.plan, self.priced.inputs
        points, mine = inputs.points, inputs.chosen
        use = plan.mean_use
        made = np.zeros(len(inputs.workloads))
        np.add.at(made, points.workload, use * points.tokens_out_per_s)
        mean_price = np.divide(plan.revenue_by_workload, made, out=np.zeros_like(made), where=made > 0)
        earned = mean_price[points.workload] * points.tokens_out_per_s * mine.revenue_share
        each = use * (earned + mine.other_usd_per_yr - mine.energy_usd_per_yr)
        racks = np.zeros(len(inputs.platforms.names))
        np.add.at(racks, points.platform, use)
        share = np.divide(use, racks[points.platform], out=np.zeros_like(use), where=racks[points.platform] > 0)
        each = each - share * (plan.racks * mine.platform_usd_per_yr)[points.platform]
        mw = use * points.mw
        shell = plan.site_mw * mine.shell_usd_per_mw_yr + mine.fixed_usd_per_yr
        each = each - (mw / mw.sum() * shell if mw.sum() > 0 else 0.0)
        out: dict[tuple[int, int], float] = {}
        for j in np.flatnonzero(use > 0):
            key = (int(points.platform[j]), int(points.workload[j]))
            out[key] = out.get(key, 0.0) + float(each[j])
        return out

    @cached_property
    def annual_cost_usd(self) -> float:
        """What a year of the site costs its owner at list price: capital as rent, energy, upkeep, staff."""
        plan, priced = self.plan, self.priced
        capital = sum(
            rack.charge_usd_per_yr(self.rate) * count for rack, count in zip(priced.rack_parts, plan.racks, strict=True)
        )
        shell = plan.site_mw * priced.shell_usd_per_mw
        capital += float(capital_charge(shell, self.rate, priced.shell_life_years))
        own = self.priced.plant.supply.standing.own
        capital += sum(float(capital_charge(one.capital_usd, self.rate, one.life_years)) for one in own)
        return float(capital) + self.annual_running_usd

    @cached_property
    def annual_running_usd(self) -> float:
        """Energy, upkeep, staff and charges of a year."""
        plan, priced = self.plan, self.priced
        it = sum(rack.usd * count for rack, count in zip(priced.rack_parts, plan.racks, strict=True))
        shell = plan.site_mw * priced.shell_usd_per_mw
        upkeep = float(priced.running.upkeep_usd_per_yr(it)) + float(priced.running.shell_upkeep_usd_per_yr(shell))
        upkeep += sum(one.upkeep_usd_per_yr for one in priced.plant.supply.standing.own)
        charges = float((priced.charges_usd_per_yr @ plan.mean_use).sum())
        return self.annual_energy_usd + upkeep + priced.running.staff_usd_per_mw_yr * self.mean_mw + charges
