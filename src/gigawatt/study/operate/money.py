"""Who pays whom in each hour: one ledger with an hour a period, of the same accounts and contracts as a run's.

Capital is no payment of an hour and stands in none; loans and tranches fall due by the quarter and are left out. Rent under
take-or-pay is taken pro rata: a year's rent over 8,760 hours, metered on the period's mean of racks that are set up for work,
as a quarter's is on its mean.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.operation import Operation
from gigawatt.finance import Flow, Ledger, Schedule, build_ledger, read_contracts
from gigawatt.study.operate.conditions import DAY_H, GRID
from gigawatt.study.operate.fleet import Setting
from gigawatt.study.price import COUNTED, seller
from gigawatt.study.scenario import TakeOrPay
from gigawatt.study.settle import CUSTOMERS, FUEL, SERVICES, UTILITY

Array = NDArray[np.float64]
HOURS_PER_YEAR = 8760.0


def ledger_of(setting: Setting, done: Operation) -> Ledger:
    """Postings of the hours."""
    answer = setting.answer
    scenario = answer.resolved.scenario
    operator, taker = scenario.company("operator"), seller(scenario)
    hours = setting.inputs.hours
    flows = [
        Flow(CUSTOMERS, taker, f"revenue:{name}", done.revenue_usd[s])
        for s, name in enumerate(setting.inputs.segments.names)
    ]
    paid = done.gen_mw * setting.inputs.sources.usd_per_mwh
    own = np.array([name != GRID for name in setting.inputs.sources.names])
    flows.append(Flow(operator, UTILITY, "energy", paid[~own].sum(axis=0)))
    flows.append(Flow(operator, FUEL, "energy:own plant", paid[own].sum(axis=0)))
    running = np.full(hours, (answer.annual_running_usd - answer.annual_energy_usd) / HOURS_PER_YEAR)
    flows.append(Flow(operator, SERVICES, "opex:upkeep and staff", running))
    flows.append(Flow(UTILITY, operator, "revenue:curtailment", setting.paid_usd))
    rents = [
        {key: value for key, value in deal.model_dump(exclude={"covenant"}).items() if value is not None}
        for deal in scenario.contracts
        if isinstance(deal, TakeOrPay) and deal.status in COUNTED
    ]
    kept = [flow for flow in flows if np.any(flow.amount_usd)]
    return build_ledger(kept, read_contracts(rents), _schedule(setting, done), close=False)


def _schedule(setting: Setting, done: Operation) -> Schedule:
    hours, built = setting.inputs.hours, setting.answer.plan.site_mw
    points = setting.answer.priced.inputs.points
    mw = points.mw[list(setting.way_point)]
    lanes, ways = setting.inputs.lanes, setting.inputs.ways
    each = np.array([mw[ways.lane == g].max() for g in range(len(lanes))])
    used = float(min((each @ done.held).mean(), built))
    ends = tuple(_day(setting, hour) for hour in range(hours))
    share = np.full(hours, 1.0 / HOURS_PER_YEAR)
    flat = np.full(hours, built)
    return Schedule(setting.around.first, ends, share, np.full(hours, used), flat, flat / 1e3)


def _day(setting: Setting, hour: int) -> date:
    return setting.around.first + timedelta(days=hour // DAY_H)


def net_by_hour(ledger: Ledger, company: str) -> Array:
    """[H] cash in less cash out of a company; nothing where no money passes through it."""
    if company not in ledger.companies:
        return np.zeros(ledger.schedule.periods)
    return np.asarray(ledger.net_usd([company])[0])
