"""What the site earns and costs before tax and debt, by operating period.

    rent      price x MW x availability x max(utilisation, floor) / periods a year     while the contract runs
              merchant price x MW x availability x merchant utilisation / periods a year    after it
    prepaid   share x price x MW over the whole term, at the close; credited evenly against the rent's cash
    cost      (fixed + per MW x MW + per MWh x MWh used) / periods a year, growing, + share x rent
    working capital = rent x receivable days / 365 x periods a year - costs x payable days / 365 x periods a year,
                      zero at the end of the last period

Cash before tax = revenue - prepayment credited - costs - increase of working capital - upkeep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.project.terms import (
    HOURS_PER_YEAR,
    Number,
    Revenue,
    Terms,
    column,
    level,
    over_all,
    total,
)
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.schedule import Array

DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Operations:
    """Columns of all periods, [..., periods] in USD; lines in the order of the terms. `prepaid_usd` is [..., 1]."""

    revenue_lines_usd: tuple[Array, ...]
    cost_lines_usd: tuple[Array, ...]
    upkeep_lines_usd: tuple[Array, ...]
    mw: Array
    used_mw: Array
    revenue_usd: Array
    credit_usd: Array
    cost_usd: Array
    upkeep_usd: Array
    receivable_usd: Array
    payable_usd: Array
    prepaid_usd: Array

    @property
    def ebitda_usd(self) -> Array:
        return np.asarray(self.revenue_usd - self.cost_usd)

    @property
    def working_capital_change_usd(self) -> Array:
        owed = self.receivable_usd - self.payable_usd
        return np.asarray(np.diff(owed, axis=-1, prepend=np.zeros((*owed.shape[:-1], 1))))

    @property
    def cash_before_tax_usd(self) -> Array:
        spent = self.credit_usd + self.working_capital_change_usd + self.upkeep_usd
        return np.asarray(self.ebitda_usd - spent)

    @property
    def utilisation(self) -> Array:
        """MW in use over MW on offer; NaN where none are."""
        used, offered = np.broadcast_arrays(self.used_mw, self.mw)
        return np.asarray(np.divide(used, offered, out=np.full(used.shape, np.nan), where=offered > 0))


def operations_of(terms: Terms, timing: Timing) -> Operations:
    """All lines of operation."""
    n = timing.periods
    rents = [_rent(line, terms.inflation.revenue, timing) for line in terms.revenue]
    mw = total([column(line.mw, timing.operation) for line in terms.revenue], timing.operation)
    used = total([used_mw for _, used_mw, _ in rents], timing.operation)
    revenue = total([rent for rent, _, _ in rents], timing.operation)
    prepaid, credit = np.zeros(1), np.zeros(timing.operation)
    for line, (_, _, full) in zip(terms.revenue, rents, strict=True):
        ahead = level(line.prepaid_share) * full.sum(axis=-1, keepdims=True)
        term = _term(line, timing)
        prepaid = prepaid + ahead
        credit = credit + np.where(np.arange(timing.operation) < term, ahead / max(term, 1), 0.0)
    costs = [
        growth_of(line.growth, terms.inflation.opex, timing)
        * (
            column(line.usd_per_yr, timing.operation)
            + column(line.usd_per_mw_yr, timing.operation) * mw
            + column(line.usd_per_mwh, timing.operation) * used * HOURS_PER_YEAR
        )
        / timing.per_year
        + column(line.revenue_share, timing.operation) * revenue
        for line in terms.costs
    ]
    upkeep = [
        growth_of(line.growth, terms.inflation.maintenance, timing)
        * column(line.usd_per_yr, timing.operation)
        / timing.per_year
        for line in terms.upkeep
    ]
    cost = total(costs, timing.operation)
    open_ = np.where(np.arange(timing.operation) < timing.operation - 1, timing.per_year / DAYS_PER_YEAR, 0.0)
    return Operations(
        tuple(over_all(rent, n) for rent, _, _ in rents),
        tuple(over_all(one, n) for one in costs),
        tuple(over_all(one, n) for one in upkeep),
        over_all(mw, n),
        over_all(used, n),
        over_all(revenue, n),
        over_all(credit, n),
        over_all(cost, n),
        over_all(total(upkeep, timing.operation), n),
        over_all(revenue * open_ * level(terms.receivable_days), n),
        over_all(cost * open_ * level(terms.payable_days), n),
        prepaid,
    )


def growth_of(growth: Number, inflation: Number, timing: Timing) -> Array:
    """Factor on a line's money in each operating period."""
    years = timing.time_years[timing.first :]
    return np.asarray((1 + level(growth)) ** timing.year * (1 + level(inflation)) ** years)


def _term(line: Revenue, timing: Timing) -> int:
    return timing.operation if line.contract_periods is None else line.contract_periods


def _rent(line: Revenue, inflation: Number, timing: Timing) -> tuple[Array, Array, Array]:
    """(rent, MW used, rent of the contract in full use) by operating period."""
    n = timing.operation
    mw, availability = column(line.mw, n), column(line.availability, n)
    contract = np.arange(n) < _term(line, timing)
    price = column(line.price_usd_per_mw_yr, n) * growth_of(line.growth, inflation, timing)
    merchant = column(line.merchant_price_usd_per_mw_yr, n) * growth_of(line.merchant_growth, inflation, timing)
    use = column(line.utilisation, n)
    sold = column(line.merchant_utilisation, n) * (merchant > 0)
    paid = np.where(contract, price * np.maximum(use, column(line.floor, n)), merchant * sold)
    rent = paid * mw * availability / timing.per_year
    full = np.where(contract, price * mw / timing.per_year, 0.0)
    return rent, np.where(contract, use, sold) * mw * availability, full
