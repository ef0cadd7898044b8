"""Who stands in: a guarantee of what another owes, and a backstop that buys what nobody rents.

guarantee           called when the covered contract is not paid in full: min(share x unpaid, cap left). It sees the
                    shortfall, so the settlement calls it after clearing and then clears again; it posts nothing itself.
capacity_backstop   price x max(0, min(built, mw) - used) x years in t, up to the cap
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Claim, Columns, Deal, Kind, Term, capped, nothing_firm
from gigawatt.finance.schedule import Array, Flow


@dataclass(frozen=True, slots=True)
class Guarantee:
    """`share` of what is not paid under the contract `covers`, up to `cap_usd` over its life."""

    covers: str
    share: float = 1.0
    cap_usd: float = math.inf

    def __post_init__(self) -> None:
        if self.cap_usd < 0:
            raise ValueError("'cap' can not be negative")
        if not 0 <= self.share <= 1:
            raise ValueError("'share' is a share between 0 and 1")


def postings(terms: Guarantee, deal: Deal, columns: Columns) -> list[Flow]:
    """Nothing by itself: see `settlement`."""
    return []


def claims(terms: Guarantee, deal: Deal, columns: Columns) -> list[Claim]:
    """The cap, undiscounted."""
    return [Claim("guarantee", deal.gets, deal.pays, terms.cap_usd, f"'{terms.covers}' is not paid")]


KIND = Kind(
    "guarantee",
    Guarantee,
    {
        "covers": Term("covers", "text", meaning="id of the contract whose payments are guaranteed"),
        "share": Term("share", "share", meaning="share of what is unpaid that the guarantor pays"),
        "cap": Term("cap_usd", "money", meaning="the most that is ever paid"),
    },
    postings,
    claims=claims,
    meaning="A guarantor pays what another leaves unpaid.",
)


@dataclass(frozen=True, slots=True)
class CapacityBackstop:
    """Rent for the part of `mw` that stands and is not in use, up to `cap_usd`."""

    price_usd_per_mw_year: float
    mw: float | None = None
    cap_usd: float = math.inf
    term_years: float | None = None

    def __post_init__(self) -> None:
        if self.price_usd_per_mw_year < 0 or self.cap_usd < 0:
            raise ValueError("'price' and 'cap' can not be negative")


def called_usd(terms: CapacityBackstop, deal: Deal, columns: Columns) -> Array:
    """What the backer pays in each period, [..., periods]."""
    built, used = columns.capacity_mw(deal, terms.mw)
    idle = np.maximum(built - used, 0.0)
    wanted = terms.price_usd_per_mw_year * idle * deal.life_years(columns.schedule, terms.term_years)
    return capped(wanted, terms.cap_usd)


def backstop_postings(terms: CapacityBackstop, deal: Deal, columns: Columns) -> list[Flow]:
    """One flow: the rent of idle capacity."""
    return [deal.flow("rent", called_usd(terms, deal, columns))]


def backstop_claims(terms: CapacityBackstop, deal: Deal, columns: Columns) -> list[Claim]:
    """The cap."""
    return [Claim("capacity backstop", deal.gets, deal.pays, terms.cap_usd, "capacity stands idle")]


BACKSTOP = Kind(
    "capacity_backstop",
    CapacityBackstop,
    {
        "price": Term("price_usd_per_mw_year", "rent", 1e6 * SECONDS_PER_YEAR, meaning="rent of an idle MW for a year"),
        "mw": Term("mw", "power", 1e-6, meaning="power that is backed"),
        "cap": Term("cap_usd", "money", meaning="the most that is ever paid"),
        "term": Term("term_years", "years", meaning="how long it stands"),
    },
    backstop_postings,
    firm=nothing_firm,
    claims=backstop_claims,
    meaning="A backer rents what of a site nobody else uses.",
)
