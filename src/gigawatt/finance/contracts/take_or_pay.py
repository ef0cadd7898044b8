"""Take-or-pay: rent by the MW-year, owed for at least a floor of what was committed.

    pay_t = price * max(use_t, floor * committed_t) * years of the contract's life in t

The term runs from the contract's `starts`, or from the first period in which MW are committed. Use above the commitment
is paid at the same price. A contract may state its whole `amount` instead of a price: amount / term a year, at the same
floor. With `prepaid`, that share of the whole is paid at the start and credited evenly.

Only the floor is firm; with a right to cancel, only what falls within the notice is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Claim, Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Array, Flow, add_years


@dataclass(frozen=True, slots=True)
class TakeOrPay:
    """Price in USD per MW at the meter and year, term in years, floor as a share; `mw` caps the site's MW."""

    price_usd_per_mw_year: float | None = None
    term_years: float = 5.0
    floor_share: float = 0.8
    mw: float | None = None
    amount_usd: float | None = None
    prepaid_share: float = 0.0
    cancel_notice_years: float | None = None
    cancelled_on: date | None = None
    index: str = ""

    def __post_init__(self) -> None:
        if self.price_usd_per_mw_year is None and self.amount_usd is None:
            raise ValueError("a take_or_pay needs a 'price', or an 'amount' over its term")
        if self.term_years <= 0:
            raise ValueError("'term' must be above zero")
        for name, value in (("floor", self.floor_share), ("prepaid", self.prepaid_share)):
            if not 0 <= value <= 1:
                raise ValueError(f"'{name}' is a share between 0 and 1")


def life_years(terms: TakeOrPay, deal: Deal, columns: Columns) -> Array:
    """Years of the contract in each period, [..., periods]."""
    schedule = columns.schedule
    if terms.cancelled_on is not None:
        last = add_years(terms.cancelled_on, terms.cancel_notice_years or 0.0)
        deal = Deal(deal.id, deal.pays, deal.gets, deal.starts, min(last, deal.ends or last), deal.site)
    if deal.starts is not None or deal.ends is not None:
        return deal.life_years(schedule, terms.term_years)
    site = columns.site_of(deal)
    if not np.any(site.mw_committed > 0):
        return deal.life_years(schedule, terms.term_years)
    begun = np.cumsum(site.mw_committed > 0, axis=-1) > 0
    elapsed_years = np.cumsum(np.where(begun, schedule.year_share, 0.0), axis=-1)
    return np.where(begun & (elapsed_years <= terms.term_years + 1e-9), schedule.year_share, 0.0)


def _rent(terms: TakeOrPay, deal: Deal, columns: Columns, *, firm: bool) -> Array:
    years = life_years(terms, deal, columns)
    if terms.price_usd_per_mw_year is None:
        per_year = float(terms.amount_usd or 0.0) / terms.term_years
        if not (deal.site or terms.mw is not None):
            return per_year * years  # an amount with no volume behind it is owed whole
        committed, used = columns.capacity_mw(deal, terms.mw)
        share = np.divide(used, committed, out=np.zeros(np.shape(committed)), where=committed > 0)
        owed = np.full_like(share, terms.floor_share) if firm else np.maximum(share, terms.floor_share)
        return per_year * np.where(committed > 0, owed, 0.0) * years
    committed, used = columns.capacity_mw(deal, terms.mw)
    charged = terms.floor_share * committed if firm else np.maximum(used, terms.floor_share * committed)
    level = columns.path(terms.index, deal) if terms.index else np.ones(1)
    if firm:
        level = np.minimum(level, 1.0)  # no more than the index leaves of it
    return np.asarray(terms.price_usd_per_mw_year * level * charged * years)


def postings(terms: TakeOrPay, deal: Deal, columns: Columns) -> list[Flow]:
    """The rent, and the advance with its credits."""
    flows = [deal.flow("rent", _rent(terms, deal, columns, firm=False))]
    if terms.prepaid_share:
        flows.append(deal.flow("prepayment", _advance(terms, deal, columns)))
    return flows


def whole_usd(terms: TakeOrPay, deal: Deal) -> float:
    """The contract over its whole term, at full use.

    Raises:
        InputError: neither an amount nor MW of its own say how large it is.
    """
    if terms.amount_usd is not None:
        return terms.amount_usd
    if terms.mw is None:
        message = f"contract '{deal.id}': what is prepaid of the whole needs an 'amount', or 'mw' beside the price"
        raise InputError(Problem("no_volume", message))
    return float(terms.price_usd_per_mw_year or 0.0) * terms.mw * terms.term_years


def _advance(terms: TakeOrPay, deal: Deal, columns: Columns) -> Array:
    ahead = terms.prepaid_share * whole_usd(terms, deal)
    years = life_years(terms, deal, columns)
    out = -ahead * years / terms.term_years
    first = deal.first_period(columns.schedule)
    if 0 <= first < columns.schedule.periods:
        out[..., first] += ahead
    return out


def firm(terms: TakeOrPay, deal: Deal, columns: Columns) -> Array:
    """What is owed whatever is used: the floor."""
    return _rent(terms, deal, columns, firm=True)


def claims(terms: TakeOrPay, deal: Deal, columns: Columns) -> list[Claim]:
    """The part that a right to cancel leaves open."""
    if terms.cancel_notice_years is None:
        return []
    owed = float(np.mean(_rent(terms, deal, columns, firm=False).sum(axis=-1)))
    return [
        Claim("may be cancelled", deal.pays, deal.gets, owed, f"notice of {terms.cancel_notice_years * 365:.0f} days")
    ]


KIND = Kind(
    "take_or_pay",
    TakeOrPay,
    {
        "price": Term("price_usd_per_mw_year", "rent", 1e6 * SECONDS_PER_YEAR, meaning="rent of a MW for a year"),
        "amount": Term("amount_usd", "money", meaning="the whole contract, instead of a price"),
        "term": Term("term_years", "years", meaning="how long it runs"),
        "floor": Term("floor_share", "share", meaning="share of the commitment that is owed even when unused"),
        "mw": Term(
            "mw", "power", 1e-6, meaning="power committed (at most what stands on the site, where one is named)"
        ),
        "prepaid": Term("prepaid_share", "share", meaning="share of the whole that is paid at the start"),
        "cancel_notice": Term("cancel_notice_years", "years", meaning="the tenant may cancel with this notice"),
        "cancelled_on": Term("cancelled_on", "date", meaning="the day notice was given"),
        "index": Term("index", "text", meaning="path that multiplies the price"),
    },
    postings,
    firm=firm,
    claims=claims,
    meaning="A tenant rents capacity and owes at least the floor.",
)
