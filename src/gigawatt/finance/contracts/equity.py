"""Equity: an amount paid for shares on a day, and what the shares are worth later.

    paid at t0: amount          worth at t: amount x path_t / path_t0     (at cost where no path is given)

Where a supplier pays his own customer more than the shares are worth, the excess is consideration payable to a customer
and lowers the supplier's revenue (ASC 606-10-32-25): `fair_share` says what part of the price the shares are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from gigawatt.finance.contracts.base import Claim, Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Flow


@dataclass(frozen=True, slots=True)
class Equity:
    """`amount_usd`, or `shares` at `price_usd`, in the period that holds `on` (the contract's start, else the first)."""

    amount_usd: float | None = None
    on: date | None = None
    shares: float | None = None
    price_usd: float | None = None
    index: str = ""
    fair_share: float = 1.0
    conditional: str = ""

    def __post_init__(self) -> None:
        if self.amount_usd is None and (self.shares is None or self.price_usd is None):
            raise ValueError("equity needs an 'amount', or 'shares' and a 'price'")
        if self.paid_usd < 0:
            raise ValueError("'amount' can not be negative")
        if not 0 <= self.fair_share <= 1:
            raise ValueError("'fair_share' is a share between 0 and 1")

    @property
    def paid_usd(self) -> float:
        return self.amount_usd if self.amount_usd is not None else float(self.shares or 0) * float(self.price_usd or 0)


def postings(terms: Equity, deal: Deal, columns: Columns) -> list[Flow]:
    """The price; none where the day lies outside the horizon, or where a condition is still to be met."""
    schedule = columns.schedule
    out = np.zeros(schedule.periods)
    day = terms.on or deal.starts
    if not terms.conditional:
        if day is None:
            out[0] = terms.paid_usd
        elif schedule.start <= day <= schedule.ends[-1]:
            out[schedule.at(day)] = terms.paid_usd
    if terms.fair_share == 1:
        return [deal.flow("equity", out)]
    return [deal.flow("equity", out * terms.fair_share), deal.flow("grant", out * (1 - terms.fair_share))]


def claims(terms: Equity, deal: Deal, columns: Columns) -> list[Claim]:
    """A purchase of shares that waits for a condition."""
    if not terms.conditional:
        return []
    return [Claim("conditional purchase of shares", deal.gets, deal.pays, terms.paid_usd, terms.conditional)]


KIND = Kind(
    "equity",
    Equity,
    {
        "amount": Term("amount_usd", "money", meaning="what is paid for the shares"),
        "on": Term("on", "date", meaning="the day it is paid (default: the contract's start)"),
        "shares": Term("shares", "count", meaning="number of shares, with 'price' instead of 'amount'"),
        "price": Term("price_usd", "money", meaning="price of a share"),
        "index": Term("index", "text", meaning="path of the share price; marks the stake each quarter (none: at cost)"),
        "fair_share": Term("fair_share", "share", meaning="part of the price that the shares are worth (default all)"),
        "conditional": Term(
            "conditional", "text", meaning="what must happen first, in words; until then nothing is paid"
        ),
    },
    postings,
    claims=claims,
    meaning="One company buys shares of another.",
)
