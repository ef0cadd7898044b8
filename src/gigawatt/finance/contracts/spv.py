"""SPV: a company that owns one project pays its owner what its debts leave.

    C_t     cash by the end of t if nothing were distributed
    free_t  = min over s >= t of C_s, less the reserve: `reserve_years` of debt service ahead
    paid up to t = running maximum of free over the periods in which DSCR >= lock-up (or nothing is due)

So nothing is paid that a later period will need, and what a lock-up keeps back is paid when the test is met again. The
order above it (running costs, tax, senior debt) is that of the other contracts; a distribution is no debt and is cut to
the cash at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Array, Flow


@dataclass(frozen=True, slots=True)
class Spv:
    """`share` of the distributions; cover ratio below which nothing is paid; years of debt service kept; the cover ratio
    that the lenders ask for at the least: below it the covenant is broken, which is told and changes no payment."""

    share: float = 1.0
    lockup_dscr: float = 1.15
    reserve_years: float = 0.5
    covenant_dscr: float = 1.05

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("'share' is a share between 0 and 1")
        if self.lockup_dscr < 0 or self.reserve_years < 0:
            raise ValueError("'lockup' and 'reserve' can not be negative")


def distributions_usd(terms: Spv, company: str, columns: Columns) -> Array:
    """All that the company pays its owners in each period, [..., periods]."""
    cfads, due = columns.cfads_of(company), columns.service_of(company)
    cash = columns.cash_usd.get(company, 0.0) + np.cumsum(columns.net_of(company), axis=-1)
    needed = np.minimum.accumulate(cash[..., ::-1], axis=-1)[..., ::-1]
    ahead = np.zeros(np.shape(due))
    year = 4
    total = np.cumsum(due, axis=-1)
    periods = total.shape[-1]
    ahead[..., : periods - 1] = total[..., np.minimum(np.arange(1, periods) + year - 1, periods - 1)] - total[..., :-1]
    open_ = (due <= 0) & (cfads > 0) | (due > 0) & (cfads >= terms.lockup_dscr * due)
    free = np.where(open_, np.maximum(needed - terms.reserve_years * ahead, 0.0), 0.0)
    return np.diff(np.maximum.accumulate(free, axis=-1), axis=-1, prepend=0.0)


def postings(terms: Spv, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: this owner's share."""
    return [deal.flow("dividend", terms.share * distributions_usd(terms, deal.pays, columns))]


KIND = Kind(
    "spv",
    Spv,
    {
        "share": Term("share", "share", meaning="this owner's share of what is distributed"),
        "lockup": Term("lockup_dscr", "count", meaning="cover ratio below which nothing is distributed"),
        "reserve": Term("reserve_years", "years", meaning="years of debt service kept in cash"),
        "covenant": Term("covenant_dscr", "count", meaning="cover ratio that lenders ask for at the least"),
    },
    postings,
    stage="owner",
    meaning="A project company pays its owner what its debts leave.",
)
