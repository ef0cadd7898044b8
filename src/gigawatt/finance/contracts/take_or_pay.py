"""Take-or-pay: rent by the MW-year, owed for at least a floor of what was committed.

    pay_t = price * max(use_t, floor * committed_t) * length of the period,   0 < t - begin <= term

`begin` is the first period in which MW are committed. Use above the commitment is paid at the same price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Array, Flow, Schedule


@dataclass(frozen=True, slots=True)
class TakeOrPay:
    """Price in USD per MW at the meter and year, term in years, floor as a share; `mw` overrides the committed MW."""

    price_usd_per_mw_year: float
    term_years: float = 5.0
    floor_share: float = 0.8
    mw: float | None = None

    def __post_init__(self) -> None:
        if self.term_years <= 0:
            raise ValueError("'term' must be above zero")
        if not 0 <= self.floor_share <= 1:
            raise ValueError("'floor' is a share between 0 and 1")


def metered_mw(terms: TakeOrPay, schedule: Schedule) -> Array:
    """MW that are charged in each period: the greater of use and floor, within the term."""
    committed = schedule.mw_committed if terms.mw is None else np.minimum(schedule.mw_committed, terms.mw)
    used = schedule.mw_active if terms.mw is None else np.minimum(schedule.mw_active, terms.mw)
    begun = np.cumsum(schedule.mw_committed > 0, axis=-1) > 0
    elapsed_years = np.cumsum(np.where(begun, schedule.year_share, 0.0), axis=-1)
    charged = np.maximum(used, terms.floor_share * committed)
    return np.where(begun & (elapsed_years <= terms.term_years + 1e-9), charged, 0.0)


def postings(terms: TakeOrPay, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the rent."""
    schedule = columns.schedule
    rent_usd = terms.price_usd_per_mw_year * metered_mw(terms, schedule) * schedule.year_share
    return [deal.flow("rent", rent_usd)]


KIND = Kind(
    "take_or_pay",
    TakeOrPay,
    {
        "price": Term("price_usd_per_mw_year", "rent", factor=1e6 * SECONDS_PER_YEAR),
        "term": Term("term_years", "years"),
        "floor": Term("floor_share", "share"),
        "mw": Term("mw", "power", factor=1e-6),
    },
    postings,
)
