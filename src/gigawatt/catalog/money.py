"""Records of money: cost sets, companies, price sets. USD is nominal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from gigawatt.catalog.deals import DayText, Grade
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


class Balance(Strict):
    """What a company had and owed at the end of a day, as reported: what nobody published stays away.

    `cash` includes marketable securities, `debt` is principal owed without leases, `equity_book` stakes in companies
    that are not listed, `guarantees` what it may have to pay for others, `obligations_left` what customers have
    contracted and not yet received (remaining performance obligations, backlog). `known_on` is the day of the report.
    """

    on: DayText
    known_on: DayText
    cash: Money | None = None
    debt: Money | None = None
    equity_book: Money | None = None
    inventory: Money | None = None
    plant: Money | None = None
    guarantees: Money | None = None
    obligations_left: Money | None = None
    grade: Grade
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        return self.on

    @model_validator(mode="before")
    @classmethod
    def _own_date(cls, data: Any) -> Any:
        """Its values are those of its day, not of the record."""
        return {"as_of": str(data.get("on", "")), **data} if isinstance(data, Mapping) else data


class Reported(Strict):
    """An amount that a company reported or was reported to have for a span of time: revenue, loss, spending.

    `name` says what and of when, such as 'revenue-2026-q2'; `what` is the line, `span` the time it covers.
    """

    name: str
    what: str
    span: str
    value: Money
    known_on: DayText
    grade: Grade
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _own_date(cls, data: Any) -> Any:
        return {"as_of": str(data.get("known_on", "")), **data} if isinstance(data, Mapping) else data


class Company(Record):
    """A party: what it does, what its capital costs, how it writes off servers, what it reported.

    `balances` and `reported` are in the order of time; each says when it became known, so that a run as of a day uses
    only what was known.
    """

    role: Literal["vendor", "operator", "lab", "lender", "utility", "spv", "other"]
    listed: bool = False
    discount_rate: Share
    gross_margin: Share | None = None
    server_life_years: Count | None = None
    capex_last_year: Money | None = None
    cash_from_operations: Money | None = None
    balances: tuple[Balance, ...] = ()
    reported: tuple[Reported, ...] = ()


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
