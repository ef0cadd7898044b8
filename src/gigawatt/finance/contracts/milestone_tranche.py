"""Milestone tranche: an amount for each step of site power that stands whole.

    paid up to t = min(maximum, amount x floor(built_t / per))        (without the floor where 'pro_rata')

What once stood counts for good: a site that shrinks later gives nothing back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import Claim, Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Array, Flow

# A gigawatt built of racks of 0.1 MW is whole to this relative tolerance.
WHOLE = 1e-6


@dataclass(frozen=True, slots=True)
class MilestoneTranche:
    """`amount_usd` for each `per_w` at the meter; paid for shares ('equity') or given ('grant')."""

    amount_usd: float
    per_w: float
    maximum_usd: float = math.inf
    account: str = "equity"
    pro_rata: bool = False
    index: str = ""

    def __post_init__(self) -> None:
        if self.per_w <= 0:
            raise ValueError("'per' must be above zero")
        if self.amount_usd < 0 or self.maximum_usd < 0:
            raise ValueError("'amount' and 'maximum' can not be negative")


def reached_usd(terms: MilestoneTranche, deal: Deal, columns: Columns) -> Array:
    """What all steps that stand by each period's end are worth, [..., periods]."""
    built = columns.built_w(deal) / terms.per_w
    steps = built if terms.pro_rata else np.floor(built * (1 + WHOLE))
    return np.minimum(terms.amount_usd * steps, terms.maximum_usd)


def postings(terms: MilestoneTranche, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the tranches, in the period in which their step is whole, within the contract's life."""
    paid = np.diff(reached_usd(terms, deal, columns), axis=-1, prepend=0.0)
    if deal.starts or deal.ends:
        schedule = columns.schedule
        inside = [
            (deal.starts is None or end >= deal.starts) and (deal.ends is None or begin <= deal.ends)
            for begin, end in zip(schedule.begins, schedule.ends, strict=True)
        ]
        paid = paid * np.array(inside)
    return [deal.flow(terms.account, paid)]


def claims(terms: MilestoneTranche, deal: Deal, columns: Columns) -> list[Claim]:
    """What is still to come, up to the maximum."""
    if not math.isfinite(terms.maximum_usd):
        return []
    left = terms.maximum_usd - float(np.mean(reached_usd(terms, deal, columns)[..., 0]))
    return [Claim("tranches", deal.gets, deal.pays, left, f"each {terms.per_w / 1e9:g} GW built")]


KIND = Kind(
    "milestone_tranche",
    MilestoneTranche,
    {
        "amount": Term("amount_usd", "money", meaning="what is paid for each step"),
        "per": Term("per_w", "power", meaning="the step: power that must stand on the site"),
        "maximum": Term("maximum_usd", "money", meaning="the most that is ever paid"),
        "account": Term("account", "text", choices=("equity", "grant"), meaning="shares are bought, or money is given"),
        "pro_rata": Term("pro_rata", "flag", meaning="pay for parts of a step too"),
        "index": Term("index", "text", meaning="path of the share price, to mark what was bought"),
    },
    postings,
    claims=claims,
    meaning="An investor pays an amount for each step of power that is built.",
)
