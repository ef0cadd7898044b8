"""Income, cash flow and balance sheet of the project company, from the same columns, each period.

    income       revenue - costs - depreciation - interest - refinancing fee - tax + gain on disposal
    operating    revenue less prepayment credited (and the prepayment itself) - costs - working capital - tax - interest,
                 costs left unpaid added back; investing: capital, upkeep, capitalised fees and interest, residual;
                 financing: draws, principal, equity, distributions
    balance      cash + reserve + receivables + fixed assets
                 = senior + subordinated + advances + payables + unpaid costs + paid-in + retained

Interest and fees until the first operating period are capitalised. The tax of the books is the tax paid: no deferred tax.
Distributions are taken from what is retained, which they can bring below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.project.operations import Operations
from gigawatt.finance.project.sizing import Sizing
from gigawatt.finance.project.terms import Terms
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.project.waterfall import Waterfall, residual_usd
from gigawatt.finance.schedule import Array

ASSETS = ("cash_usd", "reserve_usd", "receivable_usd", "fixed_assets_usd")
CLAIMS = (
    "senior_usd",
    "sub_usd",
    "advances_usd",
    "payable_usd",
    "costs_unpaid_usd",
    "paid_in_usd",
    "retained_usd",
)


@dataclass(frozen=True, slots=True)
class ProjectStatements:
    """Columns of all periods, [..., periods] in USD; costs and outflows are negative in income and cash flow."""

    revenue_usd: Array
    costs_usd: Array
    depreciation_usd: Array
    interest_usd: Array
    fee_usd: Array
    tax_usd: Array
    disposal_gain_usd: Array
    net_income_usd: Array
    operating_usd: Array
    investing_usd: Array
    financing_usd: Array
    net_cash_usd: Array
    cash_usd: Array
    reserve_usd: Array
    receivable_usd: Array
    fixed_assets_usd: Array
    senior_usd: Array
    sub_usd: Array
    advances_usd: Array
    payable_usd: Array
    costs_unpaid_usd: Array
    paid_in_usd: Array
    retained_usd: Array

    @property
    def gap_usd(self) -> Array:
        """Assets less claims at each period's end: zero but for rounding."""
        assets = sum((getattr(self, name) for name in ASSETS), np.zeros(1))
        return np.asarray(assets - sum((getattr(self, name) for name in CLAIMS), np.zeros(1)))

    @property
    def cash_gap_usd(self) -> Array:
        """Cash and reserve at each period's end less the sum of net cash until then."""
        return np.asarray(self.cash_usd + self.reserve_usd - np.cumsum(self.net_cash_usd, axis=-1))


def statements_of(
    terms: Terms, timing: Timing, operations: Operations, sizing: Sizing, made: Waterfall
) -> ProjectStatements:
    """The three statements."""
    built, n = sizing.construction, timing.periods
    last, opening = np.arange(n) == n - 1, np.arange(n) == 0
    sold = np.where(last, residual_usd(terms, sizing), 0.0)
    spent = np.cumsum(built.capital_usd + built.financing_usd + operations.upkeep_usd, axis=-1)
    book = spent - np.cumsum(sizing.book_wear_usd, axis=-1)
    written_off = np.where(last, book, 0.0)
    interest = made.senior_interest_usd + made.sub_interest_usd
    gain = sold - written_off
    tax = made.tax_usd + made.disposal_tax_usd
    income = operations.ebitda_usd - sizing.book_wear_usd - interest - made.refinancing_fee_usd - tax + gain
    unpaid = np.diff(made.costs_unpaid_usd, axis=-1, prepend=0.0)
    prepaid = np.where(opening, operations.prepaid_usd, 0.0)
    interest_paid = made.senior_interest_paid_usd + made.sub_interest_paid_usd
    operating = (
        operations.ebitda_usd
        + prepaid
        - operations.credit_usd
        - operations.working_capital_change_usd
        - tax
        - interest_paid
        - made.refinancing_fee_usd
        + unpaid
    )
    investing = sold - built.capital_usd - built.financing_usd - operations.upkeep_usd
    principal = made.senior_paid_usd + made.sub_paid_usd - interest_paid + made.sweep_usd
    drawn = sum(built.draws_usd, np.zeros(n))
    financing = drawn + built.equity_usd + made.new_loan_usd - made.repaid_usd - principal - made.distribution_usd
    return ProjectStatements(
        revenue_usd=operations.revenue_usd,
        costs_usd=-operations.cost_usd,
        depreciation_usd=-sizing.book_wear_usd,
        interest_usd=-interest,
        fee_usd=-made.refinancing_fee_usd,
        tax_usd=-tax,
        disposal_gain_usd=gain,
        net_income_usd=income,
        operating_usd=operating,
        investing_usd=investing,
        financing_usd=financing,
        net_cash_usd=operating + investing + financing,
        cash_usd=made.cash_usd,
        reserve_usd=made.reserve_usd,
        receivable_usd=operations.receivable_usd,
        fixed_assets_usd=book - written_off,
        senior_usd=made.senior_balance_usd,
        sub_usd=made.sub_balance_usd,
        advances_usd=operations.prepaid_usd - np.cumsum(operations.credit_usd, axis=-1),
        payable_usd=operations.payable_usd,
        costs_unpaid_usd=made.costs_unpaid_usd,
        paid_in_usd=np.cumsum(built.equity_usd, axis=-1),
        retained_usd=np.cumsum(income - made.distribution_usd, axis=-1),
    )
