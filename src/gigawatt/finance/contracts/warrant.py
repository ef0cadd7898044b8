"""Warrant to a customer: shares that vest as he buys and as the issuer's share rises.

Tranche k vests in the first period in which both hold: the site has grown to its power, and the share price has reached
its price. It is worth shares_k x max(price_t - strike, 0) on that day. No money moves; the issuer books it as
consideration to a customer, which lowers revenue, and the customer as shares held (ASC 606-10-32-25).

Simplified: the standard measures at the grant and books as goods are sold; here the value is that of the day of vesting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core import units
from gigawatt.finance.contracts.base import Claim, Columns, Deal, Kind, Term
from gigawatt.finance.schedule import Array, Flow


@dataclass(frozen=True, slots=True)
class Tranche:
    """Vests with `power_w` standing on the site and a share price of `price_usd`; `weight` of the shares."""

    power_w: float = 0.0
    price_usd: float = 0.0
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Warrant:
    """`shares` in tranches, each evenly unless it says its `share`; `price` is the path of the share's price."""

    shares: float
    price: str
    strike_usd: float = 0.0
    tranches: tuple[Tranche, ...] = (Tranche(),)

    def __post_init__(self) -> None:
        if self.shares < 0 or self.strike_usd < 0:
            raise ValueError("'shares' and 'strike' can not be negative")
        if not self.tranches:
            raise ValueError("'tranches' is an empty list")
        if sum(self.weights) > 1 + 1e-9:
            raise ValueError("the tranches' shares sum to more than the whole")

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(1 / len(self.tranches) if t.weight is None else t.weight for t in self.tranches)


def vested_usd(terms: Warrant, deal: Deal, columns: Columns) -> Array:
    """Value that vests in each period, [..., periods]."""
    price = columns.path(terms.price, deal)
    alive = deal.life_years(columns.schedule) > 0
    built_w = columns.built_w(deal)
    best = np.maximum.accumulate(price, axis=-1)
    out = np.zeros(np.broadcast_shapes(np.shape(price), np.shape(built_w)))
    for tranche, weight in zip(terms.tranches, terms.weights, strict=True):
        reached = (built_w >= tranche.power_w * (1 - 1e-9)) & (best >= tranche.price_usd) & alive
        first = reached & (np.cumsum(reached, axis=-1) == 1)
        out += np.where(first, weight * terms.shares * np.maximum(price - terms.strike_usd, 0.0), 0.0)
    return out


def postings(terms: Warrant, deal: Deal, columns: Columns) -> list[Flow]:
    """One entry without cash: what vests."""
    return [deal.flow("warrant", vested_usd(terms, deal, columns))]


def gross_usd(terms: Warrant) -> float:
    """Every share at the highest price that a tranche asks for.

    >>> gross_usd(Warrant(160e6, "amd", 0.01, (Tranche(1e9, 0.0), Tranche(6e9, 600.0))))
    96000000000.0
    """
    return terms.shares * max(t.price_usd for t in terms.tranches)


def claims(terms: Warrant, deal: Deal, columns: Columns) -> list[Claim]:
    """All of it at the highest price of a tranche (today's where none asks for one)."""
    most = gross_usd(terms) or terms.shares * float(np.mean(columns.path(terms.price, deal)[..., 0]))
    return [
        Claim("warrant", deal.gets, deal.pays, most, f"{len(terms.tranches)} tranches by power bought and share price")
    ]


def read_tranches(value: Any) -> tuple[Tranche, ...]:
    """Tranches from a list of mappings such as {power: 1 GW, price: 200 USD, share: 0.1}.

    Raises:
        ValueError: not a list of such mappings.
    """
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"expected a list such as [{{power: 1 GW, price: 200 USD}}], not {value!r}")
    made = []
    for item in value:
        if isinstance(item, Tranche):
            made.append(item)
            continue
        unknown = set(item) - {"power", "price", "share"} if isinstance(item, Mapping) else {str(item)}
        if unknown:
            raise ValueError(f"a tranche has 'power', 'price' and 'share', not {', '.join(sorted(unknown))}")
        share = item.get("share")
        made.append(
            Tranche(
                units.parse(item["power"], "power") if "power" in item else 0.0,
                units.parse(item["price"], "money") if "price" in item else 0.0,
                None if share is None else units.parse(share, "share"),
            )
        )
    return tuple(made)


KIND = Kind(
    "warrant",
    Warrant,
    {
        "shares": Term("shares", "count", meaning="number of shares, over all tranches"),
        "price": Term("price", "text", meaning="path of the issuer's share price"),
        "strike": Term("strike_usd", "money", meaning="what a share costs the holder"),
        "tranches": Term("tranches", "data", reader=read_tranches, meaning="list of {power, price, share} to reach"),
    },
    postings,
    claims=claims,
    meaning="An issuer gives a customer shares that vest with what he buys and with the share price.",
)
