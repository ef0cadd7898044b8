"""The deals file: companies, contracts, sites, market paths, money that no contract governs, and shocks.

Contracts stay plain mappings here: their kinds read them (`finance.contracts`), those of installed packages too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from gigawatt.core import units
from gigawatt.core.dates import first_day, last_day
from gigawatt.finance.accounts import CHART
from gigawatt.study.claim import Claim
from gigawatt.study.door import Day, Id, Money, MoneyRate, Rate, Rent, Share, Strict, Years, kebab
from gigawatt.study.scenario import Horizon


def _known(value: Any) -> Any:
    return last_day(value) if value is not None else value


def _level(value: Any) -> Any:
    """A level of a path: a plain number, or text with a unit (USD, a share, a rent)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    for dimension in ("money", "share", "rent", "token_price", "chip_price"):
        try:
            return units.parse(value, dimension)
        except units.UnitError:
            continue
    raise ValueError(f"'{value}' is no level: write a plain number, '36.68 USD' or '4.3 %'")


def _rate(value: Any) -> Any:
    """A rate a year: '20 %/yr' or 0.2; may be negative."""
    if isinstance(value, str) and "/" in value:
        return units.parse(value, "rate") * 8760 * 3600
    return units.parse(value, "share")


def _dated(value: Any) -> Any:
    return {first_day(key): item for key, item in value.items()} if isinstance(value, Mapping) else value


Known = Annotated[date, BeforeValidator(_known)]
First = Annotated[date, BeforeValidator(lambda value: first_day(value) if value is not None else value)]
Last = Annotated[date, BeforeValidator(lambda value: last_day(value) if value is not None else value)]
Level = Annotated[float, BeforeValidator(_level)]
YearlyRate = Annotated[float, BeforeValidator(_rate)]
Gigawatts = Annotated[float, BeforeValidator(lambda value: units.parse(value, "power") / 1e9), Field(ge=0)]
Grade = Literal["A", "B", "C", "D"]


class Plan(Strict):
    """GW that stand from each day on, as was known on a day."""

    known_on: Known | None = None
    built: Annotated[dict[date, Gigawatts], BeforeValidator(_dated)]
    source: str = ""


class Site(Strict):
    """What milestones count and rents meter: GW at its boundary that stand from each day on, and the share in use.

    A contract may count the other boundary's watts where the site gives its `pue`, meter watts over IT watts.
    """

    id: Id
    boundary: Literal["facility", "it"] = "facility"
    pue: Annotated[float, Field(ge=1, le=3)] | None = None
    built: list[Plan]
    used: Share = 1.0
    delay: Annotated[int, Field(ge=0, le=80)] = 0
    delay_sd: Annotated[float, Field(ge=0, le=20)] = 0.0
    source: str = ""
    note: str = ""

    @field_validator("built", mode="before")
    @classmethod
    def _one_plan(cls, value: Any) -> Any:
        """One plan may be written as its mapping of days alone."""
        return [{"built": value}] if isinstance(value, Mapping) else value


class MarketPath(Strict):
    """A level over time. `by_date` holds what was seen, a fact each; from the last of them on it grows and varies."""

    id: Id
    kind: Literal["price", "rate", "share", "other"] = "price"
    start: Level = 1.0
    growth: YearlyRate = 0.0
    by_date: Annotated[dict[date, Level], BeforeValidator(_dated)] = {}
    volatility: YearlyRate = 0.0
    reversion: Annotated[float, Field(ge=0, le=50)] = 0.0
    source: str = ""
    note: str = ""


class Opening(Strict):
    """Balances of a company on a day, known since `known_on` (the day itself where that is not said)."""

    on: Last
    known_on: Known | None = None
    cash: Money | None = None
    fixed_assets: Money = 0.0
    debt: Money = 0.0
    loans_made: Money = 0.0
    stakes: Money = 0.0
    source: str = ""
    grade: Grade | None = None
    note: str = ""

    @property
    def known(self) -> date:
        return self.known_on or self.on


class Party(Strict):
    """A company with books. What is not said here comes from the catalog's company of that id, where there is one."""

    id: Id
    role: Literal["vendor", "operator", "lab", "lender", "utility", "spv", "other"] | None = None
    opening: list[Opening] = []
    deep_pockets: bool = False
    gross_margin: Share | None = None
    tax_rate: Rate = 0.0
    plant_life: Years | None = None
    discount_rate: Rate | None = None
    note: str = ""

    @field_validator("opening", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, Mapping) else value


class OtherMoney(Strict):
    """Money that no contract governs: sales to customers, staff, energy. A rate a year, or a price by the MW in use.

    `replaces` names the entry whose place this one takes once it is known: a later view of the same money.
    """

    id: Id
    pays: Id
    gets: Id
    account: str = "revenue"
    amount: MoneyRate | None = None
    growth: YearlyRate = 0.0
    by_year: dict[int, MoneyRate] = {}
    price: Rent | None = None
    site: str = ""
    times: str = ""
    starts: First | None = None
    ends: Last | None = None
    known_on: Known | None = None
    replaces: str = ""
    grade: Grade | None = None
    source: str = ""
    note: str = ""

    @field_validator("account")
    @classmethod
    def _account(cls, value: str) -> str:
        from gigawatt.core.errors import nearest

        head = value.partition(":")[0]
        if head not in CHART or not CHART[head].cash:
            near = nearest(head, [name for name, one in CHART.items() if one.cash])
            raise ValueError(f"there is no account '{value}'" + (f" (did you mean '{near}'?)" if near else ""))
        return value

    @model_validator(mode="after")
    def _one_way(self) -> OtherMoney:
        given = [self.amount is not None, bool(self.by_year), self.price is not None]
        if sum(given) != 1:
            raise ValueError(f"'{self.id}' needs one of 'amount', 'by_year' and 'price'")
        if self.pays == self.gets:
            raise ValueError(f"'{self.id}' pays itself: 'pays' and 'gets' are both '{self.pays}'")
        if self.starts and self.ends and self.ends < self.starts:
            raise ValueError(f"'{self.id}' starts on {self.starts} after it ends on {self.ends}")
        return self


class Shock(Strict):
    """What is changed at once, beside the shocks that are always tried.

    times: path -> factor on it; used: site -> share in use; rate: added to every path of kind 'rate'; delay: site ->
    quarters; flows: id of other money -> factor; without: ids of contracts that are taken out.
    """

    id: Id
    times: dict[str, Annotated[float, Field(ge=0)]] = {}
    used: dict[str, Share] = {}
    rate: Annotated[float, Field(ge=-1, le=1)] = 0.0
    delay: dict[str, Annotated[int, Field(ge=0, le=80)]] = {}
    flows: dict[str, Annotated[float, Field(ge=0)]] = {}
    without: list[str] = []
    note: str = ""


class DealsScenario(Strict):
    """A whole question about money: who is there, what is signed, what the world does."""

    schema_: Literal[1] = Field(1, alias="schema")
    question: Literal["deals"] = "deals"
    name: str = Field("unnamed", max_length=120)
    title: str = Field("", max_length=200)
    description: str = ""
    claim: Claim | None = None
    as_of: Day | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20260101
    samples: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    horizon: Horizon = Horizon(start=date(2025, 10, 1), years=8)
    discount_rate: Rate = 0.10
    sites: list[Site] = []
    paths: list[MarketPath] = []
    outside: list[Id] = []
    companies: Annotated[list[Party], Field(min_length=1)]
    flows: list[OtherMoney] = []
    contracts: list[dict[str, Any]] = []
    stress: list[Shock] = []
    default_costs: Share = 0.0

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        return kebab(value)

    @field_validator("companies", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """A company may be written as its id alone."""
        return [{"id": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value
