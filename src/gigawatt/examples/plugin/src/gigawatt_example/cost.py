"""A cost model: a price of the carbon in what a site draws, beyond a free share.

USD/MWh = price x carbon of a MWh drawn (grid mix and own stacks) x (1 - free)
"""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.core.terms import Term
from gigawatt.economics.cost import Charged, CostModel, Rates


@dataclass(frozen=True, slots=True)
class CarbonPrice:
    """USD a kilogram, and the share of the carbon that is free."""

    usd_per_kg: float
    free: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.free <= 1.0:
            raise ValueError("'free' is a share between 0 and 1")


def rates(terms: CarbonPrice, seen: Charged) -> Rates:
    """A rate by the MWh: the fleet is chosen with it."""
    return Rates(usd_per_mwh=terms.usd_per_kg * seen.carbon_kg_per_mwh * (1.0 - terms.free))


MODEL = CostModel(
    CarbonPrice,
    {
        "price": Term("usd_per_kg", "carbon_price", meaning="of a tonne of carbon dioxide"),
        "free": Term("free", "share", meaning="share of the carbon that costs nothing"),
    },
    rates,
    payee="state",
    says="A price on the carbon of what is drawn, by the mean of the year",
)
