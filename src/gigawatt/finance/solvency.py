"""Who runs out of cash, when, and how much is missing.

A company defaults in the first period in which its cash would be below zero. The ledger goes on as if someone made up
the difference, so the *peak* shortfall is what it would have had to raise to stay afloat throughout. Closing entries
(residual values, loans settled at the horizon's end) are no payments that can be missed and are left out.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from gigawatt.core.table import Table
from gigawatt.finance.ledger import Ledger
from gigawatt.finance.schedule import Array

# Rounding of sums of float64 dollars in the trillions stays below a cent.
CENT = 0.01


@dataclass(frozen=True, slots=True)
class Default:
    """First period without cash, how much was missing then, and the most that was ever missing."""

    company: str
    period: int
    date: datetime.date
    shortfall_usd: float
    peak_shortfall_usd: float
    peak_date: datetime.date


def defaults(ledger: Ledger) -> tuple[Default, ...]:
    """Defaults among the companies with an opening cash, earliest first; the first draw where there are several."""
    found = []
    kept = ledger.without_closing()
    for company in ledger.opening_cash_usd:
        cash = kept.cash_usd(company)
        cash = cash.reshape(-1, cash.shape[-1])[0]
        below = np.nonzero(cash < -CENT)[0]
        if len(below):
            first, worst = int(below[0]), int(np.argmin(cash))
            ends = ledger.schedule.ends
            found.append(Default(company, first, ends[first], -float(cash[first]), -float(cash[worst]), ends[worst]))
    return tuple(sorted(found, key=lambda one: (one.period, one.company)))


def default_share(ledger: Ledger, company: str) -> Array:
    """Share of draws in which the company has run out by the end of each period, [periods]."""
    cash = ledger.without_closing().cash_usd(company)
    below = np.logical_or.accumulate(cash < -CENT, axis=-1)
    return np.asarray(below.reshape(-1, cash.shape[-1]).mean(axis=0))


def defaults_table(ledger: Ledger) -> Table:
    """`defaults` as a table."""
    rows = [
        {
            "company": one.company,
            "period": one.period,
            "date": one.date.isoformat(),
            "shortfall_usd": one.shortfall_usd,
            "peak_shortfall_usd": one.peak_shortfall_usd,
            "peak_date": one.peak_date.isoformat(),
        }
        for one in defaults(ledger)
    ]
    names = ["company", "period", "date", "shortfall_usd", "peak_shortfall_usd", "peak_date"]
    units = {"shortfall_usd": "USD", "peak_shortfall_usd": "USD"}
    return Table.from_rows("defaults", rows, names, units, "Companies that run out of cash")
