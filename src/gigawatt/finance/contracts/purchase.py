"""Purchases: of goods delivered over a term or as a site is built, and of capacity at the price of the day.

purchase        amount x years of its life in t / term,   or amount for each `per` that the site grows by in t
                a prepaid share is paid at the start and credited with each delivery
spot_purchase   mw x price x path_t x years in t          no commitment: nothing of it is backlog
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Columns, Deal, Kind, Term, nothing_firm
from gigawatt.finance.schedule import Array, Flow


@dataclass(frozen=True, slots=True)
class Purchase:
    """`amount_usd` over `term_years`, or for each `per_w` built; `account` is 'capex' (plant) or 'opex'."""

    amount_usd: float
    term_years: float = 1.0
    per_w: float | None = None
    maximum_usd: float = math.inf
    prepaid_share: float = 0.0
    account: str = "capex"
    part: str = ""
    index: str = ""

    def __post_init__(self) -> None:
        if self.amount_usd < 0 or self.maximum_usd < 0 or self.term_years <= 0:
            raise ValueError("'amount' and 'maximum' can not be negative and 'term' must be above zero")
        if self.per_w is not None and self.per_w <= 0:
            raise ValueError("'per' must be above zero")
        if not 0 <= self.prepaid_share <= 1:
            raise ValueError("'prepaid' is a share between 0 and 1")
        if self.per_w is not None and self.prepaid_share and not math.isfinite(self.maximum_usd):
            raise ValueError("what is prepaid of a purchase by the GW needs its 'maximum'")


def delivered_usd(terms: Purchase, deal: Deal, columns: Columns) -> Array:
    """What is delivered in each period, [..., periods]."""
    if terms.per_w is None:
        return terms.amount_usd / terms.term_years * deal.life_years(columns.schedule, terms.term_years)
    total = np.minimum(terms.amount_usd * columns.built_w(deal) / terms.per_w, terms.maximum_usd)
    inside = deal.life_years(columns.schedule) > 0
    return np.where(inside, np.diff(total, axis=-1, prepend=0.0), 0.0)


def postings(terms: Purchase, deal: Deal, columns: Columns) -> list[Flow]:
    """The deliveries, and the advance with its credits."""
    goods = delivered_usd(terms, deal, columns)
    if terms.index:
        goods = goods * columns.path(terms.index, deal)
    account = f"{terms.account}:{terms.part}" if terms.part else terms.account
    flows = [deal.flow(account, goods)]
    if terms.prepaid_share:
        whole = terms.amount_usd if terms.per_w is None else terms.maximum_usd
        credit = -terms.prepaid_share * delivered_usd(terms, deal, columns)
        first = deal.first_period(columns.schedule)
        if 0 <= first < columns.schedule.periods:
            credit[..., first] += terms.prepaid_share * whole
        flows.append(deal.flow("prepayment", credit))
    return flows


KIND = Kind(
    "purchase",
    Purchase,
    {
        "amount": Term("amount_usd", "money", meaning="the whole price, or the price of each `per`"),
        "term": Term("term_years", "years", meaning="over how long it is delivered, evenly"),
        "per": Term("per_w", "power", meaning="deliver as the site grows: the amount buys this much power"),
        "maximum": Term("maximum_usd", "money", meaning="the most that is ever bought, with `per`"),
        "prepaid": Term("prepaid_share", "share", meaning="share of the whole that is paid at the start"),
        "account": Term("account", "text", choices=("capex", "opex"), meaning="plant, or a running cost"),
        "part": Term("part", "text", meaning="what is bought, in a word"),
        "index": Term("index", "text", meaning="path that multiplies the price"),
    },
    postings,
    meaning="A buyer takes delivery over time and pays for what is delivered.",
)


@dataclass(frozen=True, slots=True)
class SpotPurchase:
    """`mw` at `price_usd_per_mw_year` times the level of `index`, for as long as the contract lives."""

    mw: float
    price_usd_per_mw_year: float
    index: str = ""
    term_years: float | None = None

    def __post_init__(self) -> None:
        if self.mw < 0 or self.price_usd_per_mw_year < 0:
            raise ValueError("'mw' and 'price' can not be negative")


def spot_postings(terms: SpotPurchase, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the rent of the day."""
    level = columns.path(terms.index, deal) if terms.index else 1.0
    years = deal.life_years(columns.schedule, terms.term_years)
    _, used = columns.capacity_mw(deal, terms.mw)
    return [deal.flow("rent", np.asarray(terms.price_usd_per_mw_year * level * used * years))]


SPOT = Kind(
    "spot_purchase",
    SpotPurchase,
    {
        "mw": Term("mw", "power", 1e-6, meaning="power rented"),
        "price": Term("price_usd_per_mw_year", "rent", 1e6 * SECONDS_PER_YEAR, meaning="rent of a MW for a year"),
        "index": Term("index", "text", meaning="path that multiplies the price"),
        "term": Term("term_years", "years", meaning="how long it goes on (default: to the horizon)"),
    },
    spot_postings,
    firm=nothing_firm,
    meaning="A buyer rents capacity at the price of the day.",
)
