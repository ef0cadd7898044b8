"""The ledgers that back-tests are read from: the same contracts, accounts and periods as any scenario's.

A rental is run by quarters and read by years: the flows of four quarters fall at a year's end, as the published
arithmetic has them. A statement of one period (a day, a quarter, a year) is a ledger of one period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.finance import Flow, Ledger, Schedule, annuity_usd, build_ledger, irr, read_contracts
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.finance.schedule import Array

START = date(2027, 1, 1)  # any day: nothing here depends on the calendar
OWNER, TENANT, SELLER, LENDER, SERVICES = "owner", "tenant", "seller", "lender", "services"


def quarters_in(term_years: float) -> int:
    """Quarters of a term.

    Raises:
        InputError: it is no whole number of quarters, or none at all.
    """
    quarters = round(term_years * 4)
    if quarters < 1 or abs(term_years * 4 - quarters) > 1e-6:
        message = f"a term of {term_years:g} years is no whole number of quarters"
        raise InputError(
            Problem("bad_term", message, None, ("rents are paid by calendar quarters: 5 yr, 5.25 yr, ...",))
        )
    return quarters


def rental(
    contract_usd: float,
    term_years: float,
    power_w: float,
    site_margin: float,
    capex_usd: float,
    *,
    contracts: Sequence[Mapping[str, Any]] = (),
    loan: tuple[float, float] | None = None,
) -> Ledger:
    """A plant bought on the first day and rented out by take-or-pay for its whole term.

    The part of the rent that is not margin is paid for running it. `contracts` come beside the rent. `loan` is (USD, rate a
    year): a level annuity by years over the term, drawn on the first day.
    """
    quarters = quarters_in(term_years)
    schedule = Schedule.quarterly(START, quarters, mw_active=power_w / 1e6)
    price = contract_usd / term_years / power_w / SECONDS_PER_YEAR  # USD per W and s
    rent = {
        "id": "rent",
        "kind": "take_or_pay",
        "pays": TENANT,
        "gets": OWNER,
        "price": price,
        "term": term_years,
        "floor": 1.0,
    }
    first = np.zeros(schedule.periods)
    first[0] = 1.0
    deals = read_contracts([rent, *contracts])
    paid = build_ledger([], read_contracts([rent]), schedule, close=False).total_usd(payer=TENANT)
    flows = [
        Flow(OWNER, SELLER, "capex:accelerator", capex_usd * first),
        Flow(OWNER, SERVICES, "opex:site", (1 - site_margin) * paid),
    ]
    if loan is not None:
        principal, interest = _annuity(loan[0], loan[1], schedule)
        flows += [
            Flow(LENDER, OWNER, "loan_draw", loan[0] * first),
            Flow(OWNER, LENDER, "loan_repayment", principal),
            Flow(OWNER, LENDER, "loan_interest", interest),
        ]
    return build_ledger(flows, deals, schedule, close=False)


def _annuity(debt_usd: float, rate: float, schedule: Schedule) -> tuple[Array, Array]:
    """(principal, interest) of a level payment at each year's end; a last part of a year counts as one."""
    ends = year_ends(schedule)
    level = annuity_usd(debt_usd, rate, len(ends))
    principal, interest = np.zeros(schedule.periods), np.zeros(schedule.periods)
    owed = debt_usd
    for at in ends:
        interest[at] = rate * owed
        principal[at] = level - interest[at]
        owed -= principal[at]
    return principal, interest


def year_ends(schedule: Schedule) -> list[int]:
    """The period that ends each year of a schedule with an opening."""
    last = schedule.periods - 1
    return [*range(4, last, 4), last]


def by_years(amount_usd: Array, schedule: Schedule) -> Array:
    """[opening, year 1, year 2, ...]: the sum of each year's quarters, at its end."""
    ends = year_ends(schedule)
    starts = [1, *(end + 1 for end in ends[:-1])]
    return np.array([amount_usd[0], *(amount_usd[a : b + 1].sum() for a, b in zip(starts, ends, strict=True))])


def return_percent(ledger: Ledger, company: str = OWNER) -> float:
    """Internal rate of return of a company's flows by years, in per cent; NaN where no rate makes the value zero."""
    rate = irr(by_years(ledger.net_usd([company])[0], ledger.schedule), periods_per_year=1)
    return float("nan") if rate is None else 100 * rate


def one_period(flows: Sequence[Flow], year_share: float, power_w: float = 0.0) -> Ledger:
    """A ledger of one period of `year_share` years, with `power_w` at the meter in use."""
    mw = np.array([power_w / 1e6])
    schedule = replace(
        Schedule.quarterly(START, 1, opening=False),
        ends=(START + timedelta(days=max(0, round(365 * year_share) - 1)),),
        year_share=np.array([year_share]),
        mw_active=mw,
        mw_committed=mw,
        gw_built=mw / 1e3,
    )
    return build_ledger(list(flows), [], schedule, close=False)


def amount(usd: float) -> Array:
    """A flow of one period."""
    return np.array([usd])
