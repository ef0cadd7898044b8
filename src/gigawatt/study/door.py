"""The types of a scenario file: text with its unit at the door, SI floats inside; every model refuses unknown fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gigawatt.core import units

ID = re.compile(r"^[a-z0-9]+(?:[.\-][a-z0-9]+)*$")


@runtime_checkable
class Measured(Protocol):
    """A reader of which one can ask what its field is measured in: `unit` of a number inside, and its bounds."""

    def __call__(self, value: Any) -> Any: ...

    @property
    def dimension(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def bounds(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Quantity:
    """Reads text with a unit of one dimension."""

    dimension: str

    @property
    def unit(self) -> str:
        return units.DIMENSIONS[self.dimension][0]

    @property
    def bounds(self) -> Mapping[str, float]:
        return {}

    def __call__(self, value: Any) -> Any:
        if value is None or value == "auto":
            return value
        if isinstance(value, (dict, list)):
            raise ValueError(f"a number with its unit is meant, not {value}")
        return units.parse(value, self.dimension)


def _days(value: Any) -> Any:
    """A date; a bare year or month means its first day."""
    if isinstance(value, int) and 1990 <= value <= 2200:
        return date(value, 1, 1)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}", value):
        return date.fromisoformat(value + "-01")
    return value


def kebab(value: str) -> str:
    """The value, if it is an id: lower-case letters, digits, hyphens, dots.

    Raises:
        ValueError: it is not.
    """
    if not ID.match(value):
        raise ValueError(f"'{value}' is not an id: lower-case letters, digits, '-' and '.' only, such as 'gb300-nvl72'")
    return value


def _named(value: str) -> str:
    if not ID.match(value):
        raise ValueError(f"'{value}' is not a name: lower-case letters, digits, '-' and '.' only")
    return value


Id = Annotated[str, BeforeValidator(str), Field(min_length=1, max_length=80)]
QuestionName = Annotated[str, Field(max_length=120), AfterValidator(_named)]
Power = Annotated[float, BeforeValidator(Quantity("power")), Field(gt=0)]
PowerOrNone = Annotated[float, BeforeValidator(Quantity("power")), Field(ge=0)]
Money = Annotated[float, BeforeValidator(Quantity("money")), Field(ge=0)]
Seconds = Annotated[float, BeforeValidator(Quantity("time")), Field(gt=0)]
TokenRate = Annotated[float, BeforeValidator(Quantity("token_rate")), Field(gt=0)]
TokenPrice = Annotated[float, BeforeValidator(Quantity("token_price")), Field(ge=0)]
EnergyPrice = Annotated[float, BeforeValidator(Quantity("energy_price")), Field(ge=0)]
Rent = Annotated[float, BeforeValidator(Quantity("rent")), Field(ge=0)]
Rate = Annotated[float, BeforeValidator(Quantity("share")), Field(ge=0, lt=1)]
Share = Annotated[float, BeforeValidator(Quantity("share")), Field(ge=0, le=1)]
Multiple = Annotated[float, BeforeValidator(Quantity("share")), Field(gt=0, le=100)]
Length = Annotated[float, BeforeValidator(Quantity("length")), Field(gt=0)]
DataRate = Annotated[float, BeforeValidator(Quantity("data_rate")), Field(gt=0)]
MoneyRate = Annotated[float, BeforeValidator(Quantity("money_rate")), Field(ge=0)]
Day = Annotated[date, BeforeValidator(_days)]


@dataclass(frozen=True, slots=True)
class NumberOrQuantity:
    """A bare number of `unit`, or text with a unit of the dimension: years as 5 or '5 yr'."""

    dimension: str
    unit: str
    size: float = 1.0  # of one `unit` in the engine's own

    @property
    def bounds(self) -> Mapping[str, float]:
        return {}

    def __call__(self, value: Any) -> Any:
        named = isinstance(value, str) and re.search(r"[A-Za-z]", value)
        return units.parse(value, self.dimension) / self.size if named else value


Tokens = Annotated[float, BeforeValidator(NumberOrQuantity("token", "token")), Field(gt=0)]
Years = Annotated[float, BeforeValidator(NumberOrQuantity("time", "yr", 8760 * 3600.0)), Field(gt=0, le=60)]


class Strict(BaseModel):
    """Frozen, and no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
