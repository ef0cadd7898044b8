"""What a scenario says of its build-out over years; the one-period plan of `run` needs none of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gigawatt.core import units
from gigawatt.study.door import Day, Id, Money, Share, Strict


def _per_year(value: Any) -> Any:
    """A change a year: `40 %/yr`, `-30 %/yr` or a bare share."""
    if isinstance(value, str):
        text = value.strip()
        for ending in ("/yr", "/year", " a year", " per year"):
            text = text.removesuffix(ending)
        return units.parse(text, "share")
    return value


Change = Annotated[float, BeforeValidator(_per_year), Field(gt=-1, le=20)]


class CapitalStep(Strict):
    """Money that comes in at the start of the quarter that holds this day."""

    from_: Day = Field(alias="from")
    amount: Money


class Trend(Strict):
    """How a workload changes over the years: its demand, the price of its tokens."""

    demand: Change = 0.0
    price: Change = 0.0


class SupplyStep(Strict):
    """From this day on, so many racks a quarter may be had."""

    from_: Day = Field(alias="from")
    per_quarter: Annotated[float, Field(ge=0)]


class Opening(Strict):
    """Racks that stand on the first day with their shell, paid for; all of one age."""

    racks: Annotated[float, Field(ge=0)]
    age_years: Annotated[float, Field(ge=0, le=30)] = 0.0


class OfferPath(Strict):
    """How an offer changes: racks that may be had a quarter, its price, quarters from order to first use; those that stand."""

    supply: list[SupplyStep] = []
    price: Change = 0.0
    lead_quarters: Annotated[int, Field(ge=0, le=12)] = 0
    opening: Opening = Opening(racks=0.0)


class BuildOut(Strict):
    """Purchases by the quarter over the horizon.

    `capital`: when money comes in (none: all of the scenario's capital at the start). `reinvest`: the share of what operation
    earns that may be spent on more. `policy`: decide with all quarters known, with a window that rolls, or from quarter to
    quarter. `terminal`: what racks are worth at the horizon's end. `sale_cost`: what selling a used rack takes of its worth.
    `block`: racks are bought in blocks of so many (0: any part).
    `software`: held as released, or as the catalog's curves have it over the years. `trends` by workload, `offers` by offer.
    """

    policy: Literal["perfect", "rolling", "myopic"] = "perfect"
    window_quarters: Annotated[int, Field(ge=1, le=160)] = 4
    capital: list[CapitalStep] = []
    reinvest: Share = 0.0
    terminal: Literal["resale", "none"] = "resale"
    sale_cost: Share = 0.10
    block: Annotated[int, Field(ge=0, le=10_000)] = 0
    software: Literal["release", "curve"] = "curve"
    energy_price: Change = 0.0
    trends: dict[Id, Trend] = {}
    offers: dict[Id, OfferPath] = {}
