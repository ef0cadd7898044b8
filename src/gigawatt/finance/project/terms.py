"""What a project is agreed to be: capital, revenue, costs, taxes, loans, reserves, covenants.

Numbers are floats, or arrays whose last axis is periods (of length one where the number does not change); axes before it
are draws. A column of capital or construction runs over the construction periods, one of operation over the operating
periods, a rate of interest over all periods. Rates are a year; a loan's is nominal and paid by the period.

A line's money in operation year y (0, 1, ...) and at t years from the close is

    price x (1 + growth)^y x (1 + inflation)^t

where `growth` steps on each anniversary of the first operating period (a lease's escalator) and `inflation` is that of the
line's group, zero where prices are nominal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.schedule import Array

Number = float | NDArray[np.float64]

STEPS = {"year": 1, "half-year": 2, "quarter": 4}
CURVES = ("straight", "s-curve", "shares")
REPAYMENTS = ("sculpted", "annuity", "equal", "bullet", "table")
DEPRECIATIONS = ("straight", "declining", "table")
HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods: an opening of zero length at the financial close, then construction, then operation."""

    start: date = date(2026, 1, 1)
    step: str = "quarter"
    construction: int = 4
    operation: int = 20
    mid_period: bool = False


@dataclass(frozen=True, slots=True)
class Inflation:
    """A year, by group; all zero where the inputs are nominal."""

    revenue: Number = 0.0
    opex: Number = 0.0
    capital: Number = 0.0
    maintenance: Number = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the capital cost: when it is paid, how it wears in the books and for tax, what is left at the end.

    `shares` are of the construction periods (or of the opening and them); without construction all is paid at the
    opening. `tax_table` gives shares of the cost by year. `residual_share` of the cost is received with the last period.
    """

    name: str
    cost_usd: Number
    curve: str = "straight"
    shares: tuple[float, ...] = ()
    life_years: float = 5.0
    tax_method: str = "straight"
    tax_life_years: float | None = None
    tax_factor: float = 2.0
    tax_table: tuple[float, ...] = ()
    residual_share: Number = 0.0


@dataclass(frozen=True, slots=True)
class Revenue:
    """Rent of MW: by contract for its term with a take-or-pay floor, then at a merchant price.

    `prepaid_share` of the contract's full value comes at the close and is credited evenly over the term.
    """

    name: str
    price_usd_per_mw_yr: Number
    mw: Number
    availability: Number = 1.0
    utilisation: Number = 1.0
    floor: Number = 0.0
    growth: Number = 0.0
    contract_periods: int | None = None
    merchant_price_usd_per_mw_yr: Number = 0.0
    merchant_utilisation: Number = 1.0
    merchant_growth: Number = 0.0
    prepaid_share: Number = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """A running cost: fixed, by contracted MW, by MWh used, as a share of revenue; they add up."""

    name: str
    usd_per_yr: Number = 0.0
    usd_per_mw_yr: Number = 0.0
    usd_per_mwh: Number = 0.0
    revenue_share: Number = 0.0
    growth: Number = 0.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Maintenance capital: paid from the cash of operation, worn over `life_years`, cut off at the end."""

    name: str
    usd_per_yr: Number = 0.0
    growth: Number = 0.0
    life_years: float = 5.0


@dataclass(frozen=True, slots=True)
class Tax:
    """Rate on profit after interest; losses are carried forward and offset up to `loss_limit` of a year's profit."""

    rate: Number = 0.0
    loss_limit: float = 1.0


@dataclass(frozen=True, slots=True)
class Loan:
    """A tranche. The debt is the least of what is given: cash over `cover`, `gearing` of total uses, `amount_usd`.

    `cover` is a DSCR for the senior loan; for the subordinated one it is of the cash that the senior loan leaves.
    `shares` are of the principal by period of the tenor, for the repayment 'table'.
    """

    rate: Number
    tenor: int
    repayment: str = "sculpted"
    cover: Number | None = None
    gearing: Number | None = None
    amount_usd: Number | None = None
    upfront_fee: Number = 0.0
    commitment_fee: Number = 0.0
    shares: Number | None = None


@dataclass(frozen=True, slots=True)
class Refinancing:
    """After operating period `after` a new loan repays the senior one, where it is large enough to.

    The loan's `upfront_fee` is paid from what it brings; what is left goes to the project's cash.
    """

    after: int
    loan: Loan


@dataclass(frozen=True, slots=True)
class Covenants:
    """Levels: below `lock_up` cover nothing is distributed; below `default` cover, or `utilisation`, it is a breach."""

    lock_up: Number = 0.0
    default: Number = 0.0
    utilisation: Number = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """A whole project.

    contingency:     share on top of every part's cost, spent
    equity_first:    equity pays until it is used up, then debt; else pro rata
    reserve_months:  months of senior debt service that are kept; funded with the last draw where `reserve_funded`
    sweep:           share of the cash after all debt service that prepays the senior loan, last instalments first
    receivable_days, payable_days:  of revenue and of running costs; settled in the last period
    """

    calendar: Calendar
    capital: tuple[Part, ...]
    revenue: tuple[Revenue, ...]
    costs: tuple[Cost, ...] = ()
    upkeep: tuple[Upkeep, ...] = ()
    contingency: Number = 0.0
    inflation: Inflation = Inflation()
    tax: Tax = Tax()
    senior: Loan | None = None
    subordinated: Loan | None = None
    refinancing: Refinancing | None = None
    equity_first: bool = False
    reserve_months: float = 0.0
    reserve_funded: bool = True
    sweep: Number = 0.0
    receivable_days: Number = 0.0
    payable_days: Number = 0.0
    covenants: Covenants = Covenants()
    discount_rate: Number = 0.10
    equity_discount_rate: Number = 0.12


def column(value: Number, periods: int) -> Array:
    """A number as a column [..., periods].

    >>> column(2.0, 3).tolist()
    [2.0, 2.0, 2.0]
    """
    made = np.asarray(value, dtype=np.float64)
    return np.broadcast_to(made, (*made.shape[:-1], periods))


def level(value: Number | None) -> Array:
    """A number that does not change over time, [..., 1]."""
    made = np.asarray(np.nan if value is None else value, dtype=np.float64)
    return made[..., None] if made.ndim == 0 else made


def over_all(operating: Array, periods: int) -> Array:
    """A column of the operating periods set behind zeros, [..., periods]."""
    out = np.zeros((*operating.shape[:-1], periods))
    out[..., periods - operating.shape[-1] :] = operating
    return out


def total(columns: Sequence[Array], periods: int) -> Array:
    """Sum of columns, [..., periods]; zeros where there are none."""
    out: Array = np.zeros(periods)
    for one in columns:
        out = out + one
    return out
