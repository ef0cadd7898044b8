"""Equity: an amount paid for shares, at once or on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from gigawatt.finance.contracts.base import Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Flow


@dataclass(frozen=True, slots=True)
class Equity:
    """`amount_usd` in the period that holds `on` (the first period where no day is given)."""

    amount_usd: float
    on: date | None = None

    def __post_init__(self) -> None:
        if self.amount_usd < 0:
            raise ValueError("'amount' can not be negative")


def postings(terms: Equity, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow; none where the day lies outside the horizon."""
    schedule = columns.schedule
    out = np.zeros(schedule.periods)
    if terms.on is None:
        out[0] = terms.amount_usd
    elif schedule.start <= terms.on <= schedule.ends[-1]:
        out[next(k for k, end in enumerate(schedule.ends) if terms.on <= end)] = terms.amount_usd
    return [deal.flow("equity", out)]


KIND = Kind("equity", Equity, {"amount": Term("amount_usd", "money"), "on": Term("on", "date")}, postings)
