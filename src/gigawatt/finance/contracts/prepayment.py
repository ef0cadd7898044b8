"""Prepayment: a sum paid at the start and credited evenly against what is owed later.

    at the start: amount,   in each of the n quarters of the term after it: - amount / n

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
    first = deal.first_period(columns.schedule)
    out[max(first + 1, 0) : max(first + 1 + quarters, 0)] = -terms.amount_usd / quarters
    if 0 <= first < len(out):
        out[first] = terms.amount_usd
    return [deal.flow("prepayment", out)]


KIND = Kind(
    "prepayment",
    Prepayment,
    {
        "amount": Term("amount_usd", "money", meaning="what is paid ahead"),
        "term": Term("term_years", "years", meaning="over how long it is credited"),
    },
    postings,
    meaning="A customer pays ahead and is credited evenly.",
)
