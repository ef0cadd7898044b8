"""Shares of what another earns: a revenue share, and royalties for software.

    revenue_share   share x the payer's sales to the outside,                     until the cap is reached
    royalty         share x the user's sales, or price x MW in use x years in t,  until the cap is reached

Software sold without hardware is a royalty: it costs its owner no goods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Claim, Columns, Deal, Kind, Term, capped, nothing_firm
from gigawatt.finance.schedule import Flow


@dataclass(frozen=True, slots=True)
class RevenueShare:
    """`share` of the payer's sales, at most `cap_usd` in all."""

    share: float
    cap_usd: float = math.inf
    term_years: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("'share' is a share between 0 and 1")
        if self.cap_usd < 0:
            raise ValueError("'cap' can not be negative")


def postings(terms: RevenueShare, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the share."""
    alive = deal.life_years(columns.schedule, terms.term_years) / 0.25
    return [deal.flow("royalty", capped(terms.share * columns.sales_of(deal.pays) * alive, terms.cap_usd))]


def claims(terms: RevenueShare, deal: Deal, columns: Columns) -> list[Claim]:
    """The cap, where there is one."""
    if not math.isfinite(terms.cap_usd):
        return []
    return [Claim("revenue share", deal.gets, deal.pays, terms.cap_usd, f"{100 * terms.share:g} % of what it sells")]


KIND = Kind(
    "revenue_share",
    RevenueShare,
    {
        "share": Term("share", "share", meaning="share of the payer's sales to the outside"),
        "cap": Term("cap_usd", "money", meaning="the most that is ever paid"),
        "term": Term("term_years", "years", meaning="how long it runs"),
    },
    postings,
    firm=nothing_firm,
    claims=claims,
    meaning="A company pays another a share of what it sells.",
)


@dataclass(frozen=True, slots=True)
class Royalty:
    """Software: `share` of the user's sales, or `price` for each MW in use and year."""

    share: float | None = None
    price_usd_per_mw_year: float | None = None
    mw: float | None = None
    cap_usd: float = math.inf
    term_years: float | None = None

    def __post_init__(self) -> None:
        if (self.share is None) == (self.price_usd_per_mw_year is None):
            raise ValueError("a royalty needs either a 'share' of sales or a 'price' by the MW-year")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError("'share' is a share between 0 and 1")


def royalty_postings(terms: Royalty, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the royalty."""
    years = deal.life_years(columns.schedule, terms.term_years)
    if terms.share is not None:
        wanted = terms.share * columns.sales_of(deal.pays) * years / 0.25
    else:
        _, used = columns.capacity_mw(deal, terms.mw)
        wanted = float(terms.price_usd_per_mw_year or 0.0) * used * years
    return [deal.flow("royalty", capped(wanted, terms.cap_usd))]


ROYALTY = Kind(
    "royalty",
    Royalty,
    {
        "share": Term("share", "share", meaning="share of the user's sales"),
        "price": Term("price_usd_per_mw_year", "rent", 1e6 * SECONDS_PER_YEAR, meaning="for each MW in use and year"),
        "mw": Term("mw", "power", 1e-6, meaning="power on which the software runs (default: what the site uses)"),
        "cap": Term("cap_usd", "money", meaning="the most that is ever paid"),
        "term": Term("term_years", "years", meaning="how long it runs"),
    },
    royalty_postings,
    firm=nothing_firm,
    meaning="A user of software pays its owner.",
)
