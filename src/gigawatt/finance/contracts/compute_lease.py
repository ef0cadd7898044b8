"""Compute lease: the lessor owns the machines and lets them for a term; the lessee may guarantee what they are worth after.

    rent a quarter   L = (V - R (1 + i)^-n) i / (1 - (1 + i)^-n),   i = rate / 4, n quarters, R = residual share x V
    at the end       lessee pays max(0, guaranteed - market) x V     where a residual value is guaranteed

Rents are paid in arrears and booked as an operating lease: revenue of the lessor, expense of the lessee. The machines
themselves are bought by another contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from gigawatt.finance.contracts.base import SECONDS_PER_YEAR, Claim, Columns, Deal, Kind, Term, quarters_of
from gigawatt.finance.schedule import Array, Flow, add_years


@dataclass(frozen=True, slots=True)
class ComputeLease:
    """`rent_usd_per_year`, or the level rent that pays off `value_usd` at `rate` down to the residual share."""

    term_years: float
    value_usd: float = 0.0
    rate: float = 0.0
    rent_usd_per_year: float | None = None
    residual_share: float = 0.0
    guaranteed_share: float = 0.0
    market_value: str = ""
    cancel_notice_years: float | None = None

    def __post_init__(self) -> None:
        if self.term_years <= 0:
            raise ValueError("'term' must be above zero")
        if self.rent_usd_per_year is None and self.value_usd <= 0:
            raise ValueError("a lease needs a 'rent', or the 'value' that its rents pay off")
        for name, value in (("residual", self.residual_share), ("guaranteed", self.guaranteed_share)):
            if not 0 <= value <= 1:
                raise ValueError(f"'{name}' is a share between 0 and 1")
        if self.guaranteed_share and not self.market_value:
            raise ValueError("a residual guarantee needs 'market_value', the path of what the machines are worth")


def level_rent_usd(terms: ComputeLease) -> float:
    """Rent of a year.

    >>> round(level_rent_usd(ComputeLease(5.0, 100.0, 0.0, residual_share=0.2)), 9)
    16.0
    """
    if terms.rent_usd_per_year is not None:
        return terms.rent_usd_per_year
    n, i = quarters_of(terms.term_years), terms.rate / 4
    if i < 1e-300:
        return terms.value_usd * (1 - terms.residual_share) / n * 4
    left = float(np.exp(-n * np.log1p(i)))
    paid = -float(np.expm1(-n * np.log1p(i)))  # 1 - left, with its digits where the rate is small
    return terms.value_usd * (1 - terms.residual_share * left) * i / paid * 4


def postings(terms: ComputeLease, deal: Deal, columns: Columns) -> list[Flow]:
    """The rents; and at the end what the guarantee of the residual value costs."""
    schedule = columns.schedule
    flows = [deal.flow("rent", level_rent_usd(terms) * deal.life_years(schedule, terms.term_years))]
    if terms.guaranteed_share:
        flows.append(deal.flow("guarantee", residual_call_usd(terms, deal, columns)))
    return flows


def residual_call_usd(terms: ComputeLease, deal: Deal, columns: Columns) -> Array:
    """What the lessee owes on its residual guarantee, in the period in which the term ends, [..., periods]."""
    schedule = columns.schedule
    worth = columns.path(terms.market_value, deal)
    out = np.zeros(np.shape(worth))
    after = add_years(deal.starts or schedule.start, terms.term_years)
    last = schedule.at(date.fromordinal(after.toordinal() - 1))
    if 0 <= last < schedule.periods:
        out[..., last] = terms.value_usd * np.maximum(terms.guaranteed_share - worth[..., last], 0.0)
    return out


def claims(terms: ComputeLease, deal: Deal, columns: Columns) -> list[Claim]:
    """The residual guarantee at its most, and what a right to cancel leaves open."""
    made = []
    if terms.guaranteed_share:
        most = terms.value_usd * terms.guaranteed_share
        made.append(Claim("residual value guarantee", deal.gets, deal.pays, most, "machines worth nothing at the end"))
    if terms.cancel_notice_years is not None:
        owed = level_rent_usd(terms) * float(deal.life_years(columns.schedule, terms.term_years).sum())
        days = f"notice of {terms.cancel_notice_years * 365:.0f} days"
        made.append(Claim("may be cancelled", deal.pays, deal.gets, owed, days))
    return made


KIND = Kind(
    "compute_lease",
    ComputeLease,
    {
        "value": Term("value_usd", "money", meaning="what the machines cost the lessor"),
        "term": Term("term_years", "years", meaning="how long it runs"),
        "rate": Term("rate", "share", meaning="rate that the rents earn on the value"),
        "rent": Term("rent_usd_per_year", "money_rate", SECONDS_PER_YEAR, meaning="rent of a year, instead of a rate"),
        "residual": Term("residual_share", "share", meaning="share of the value that the rents leave unpaid"),
        "guaranteed": Term(
            "guaranteed_share", "share", meaning="share of the value that the lessee guarantees at the end"
        ),
        "market_value": Term(
            "market_value", "text", meaning="path of what the machines are worth, as a share of value"
        ),
        "cancel_notice": Term("cancel_notice_years", "years", meaning="the lessee may cancel with this notice"),
    },
    postings,
    claims=claims,
    meaning="A lessee rents machines that the lessor owns.",
)
