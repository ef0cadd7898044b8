"""A kind of contract: a share of what a company sells above a base, no more than a cap in a year.

paid in a quarter = min(share x max(sales - base/4, 0), cap/4) x the part of the quarter in which the contract lives
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.terms import SECONDS_PER_YEAR, Term
from gigawatt.finance import Flow, Kind
from gigawatt.finance.contracts import Claim, Columns, Deal


@dataclass(frozen=True, slots=True)
class UpsideShare:
    """`share` of sales above `base_usd_per_year`, at most `cap_usd_per_year`."""

    share: float
    base_usd_per_year: float = 0.0
    cap_usd_per_year: float = math.inf

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ValueError("'share' is a share between 0 and 1")
        if self.cap_usd_per_year < 0.0:
            raise ValueError("'cap' can not be negative")


def postings(terms: UpsideShare, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the share."""
    quarters = deal.life_years(columns.schedule) / 0.25
    above = np.maximum(columns.sales_of(deal.pays) - terms.base_usd_per_year / 4.0, 0.0)
    return [deal.flow("royalty", np.minimum(terms.share * above, terms.cap_usd_per_year / 4.0) * quarters)]


def firm(terms: UpsideShare, deal: Deal, columns: Columns) -> NDArray[np.float64]:
    """Nothing is owed before it is earned."""
    return np.zeros(columns.schedule.periods)


def claims(terms: UpsideShare, deal: Deal, columns: Columns) -> list[Claim]:
    """The cap of a year, where there is one."""
    if not math.isfinite(terms.cap_usd_per_year):
        return []
    return [Claim("upside share", deal.gets, deal.pays, terms.cap_usd_per_year, "a year of sales far above the base")]


KIND = Kind(
    "example_upside_share",
    UpsideShare,
    {
        "share": Term("share", "share", meaning="share of sales above the base"),
        "base": Term(
            "base_usd_per_year", "money_rate", SECONDS_PER_YEAR, meaning="sales of a year that nothing is paid on"
        ),
        "cap": Term("cap_usd_per_year", "money_rate", SECONDS_PER_YEAR, meaning="the most that is paid in a year"),
    },
    postings,
    firm=firm,
    claims=claims,
    meaning="A company pays another a share of what it sells above a base, up to a cap a year.",
)
