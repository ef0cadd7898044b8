"""Records of money: cost sets, companies, price sets. USD is nominal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gigawatt.catalog.quantity import (
    ChipPrice,
    Count,
    Money,
    PowerPrice,
    Rent,
    Share,
    Strict,
    TokenPrice,
)
from gigawatt.catalog.record import Record


class CostSet(Record):
    """What running a site costs beside power, and the rates and lives that turn prices into a charge per year.

    `maintenance_share` is per year of IT capital, `facility_maintenance_share` per year of shell capital; `staff` per
    year and watt at the meter; `spares_share` of IT capital, bought once.
    """

    discount_rate: Share
    inflation: Share | None = None
    it_life_years: Count
    shell_life_years: Count
    network_life_years: Count
    maintenance_share: Share
    facility_maintenance_share: Share
    spares_share: Share
    staff: Rent
    insurance_share: Share
    property_tax_share: Share
    storage_per_chip: Money
    shell_price: PowerPrice
    residual_share: Share
    load_factor: Share
    switch_price: Money | None = None
    optic_price: Money | None = None
    optic_400g_price: Money | None = None
    nic_price: Money | None = None


class Company(Record):
    """A party: what it does, what its capital costs, how it writes off servers."""

    role: Literal["vendor", "operator", "lab", "lender", "utility", "other"]
    listed: bool = False
    discount_rate: Share
    gross_margin: Share | None = None
    server_life_years: Count | None = None
    capex_last_year: Money | None = None
    cash_from_operations: Money | None = None


class TokenRow(Strict):
    """A price of tokens: list, by input and output; `cached` for input that is in a cache."""

    name: str
    seller: str = ""
    market: str = ""
    input: TokenPrice
    output: TokenPrice
    cached: TokenPrice | None = None
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


class ChipRow(Strict):
    """A rent of an accelerator by the hour."""

    name: str
    seller: str = ""
    term: str = ""
    price: ChipPrice
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


class PowerRow(Strict):
    """A contract's price for a megawatt-year."""

    name: str
    price: Rent
    includes: str = ""
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


class PriceSet(Record):
    """Prices of one market: tokens, accelerator hours, megawatt-years; `realised_share` is what is received of list."""

    realised_share: Share
    tokens: tuple[TokenRow, ...] = ()
    chip_hours: tuple[ChipRow, ...] = ()
    power_years: tuple[PowerRow, ...] = ()
    decline_per_year: Share | None = None
    resale_share_by_age: dict[str, Share] = Field(default_factory=dict)
