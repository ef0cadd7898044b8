"""Prepayment: a sum paid in the first period and credited evenly against what is owed later.

    t = 0: amount,   each of the n quarters of the term after it: - amount / n

The credit is a negative flow from customer to supplier, so the full rent stays visible beside it. No interest is
implied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import Columns, Deal, Kind, Term, quarters_of
from gigawatt.finance.schedule import Flow


@dataclass(frozen=True, slots=True)
class Prepayment:
    """`amount_usd` ahead, credited over `term_years`."""

    amount_usd: float
    term_years: float = 5.0

    def __post_init__(self) -> None:
        if self.amount_usd < 0 or self.term_years <= 0:
            raise ValueError("'amount' can not be negative and 'term' must be above zero")


def postings(terms: Prepayment, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the advance, then its credits as far as the horizon reaches."""
    out = np.zeros(columns.schedule.periods)
    quarters = quarters_of(terms.term_years)
    out[1 : 1 + quarters] = -terms.amount_usd / quarters
    out[0] = terms.amount_usd
    return [deal.flow("prepayment", out)]


KIND = Kind(
    "prepayment", Prepayment, {"amount": Term("amount_usd", "money"), "term": Term("term_years", "years")}, postings
)
