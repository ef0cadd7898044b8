"""Milestone tranche: an amount for each step of power that is built, up to a maximum.

    paid_t = min(amount * steps_t, maximum) - paid before,   steps_t = floor(gw_built_t / per)

Nothing is paid before the first step stands whole. With `pro_rata` the steps are not rounded down. Power that is
taken down again takes no money back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Flow

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

    def __post_init__(self) -> None:
        if self.per_w <= 0:
            raise ValueError("'per' must be above zero")
        if self.amount_usd < 0 or self.maximum_usd < 0:
            raise ValueError("'amount' and 'maximum' can not be negative")


def postings(terms: MilestoneTranche, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the tranches, in the period in which their step is whole."""
    built = np.maximum.accumulate(np.maximum(columns.schedule.gw_built, 0.0), axis=-1) * 1e9 / terms.per_w
    steps = built if terms.pro_rata else np.floor(built * (1 + WHOLE))
    total = np.minimum(terms.amount_usd * steps, terms.maximum_usd)
    return [deal.flow(terms.account, np.diff(total, axis=-1, prepend=0.0))]


KIND = Kind(
    "milestone_tranche",
    MilestoneTranche,
    {
        "amount": Term("amount_usd", "money"),
        "per": Term("per_w", "power"),
        "maximum": Term("maximum_usd", "money"),
        "account": Term("account", "text", choices=("equity", "grant")),
        "pro_rata": Term("pro_rata", "flag"),
    },
    postings,
)
