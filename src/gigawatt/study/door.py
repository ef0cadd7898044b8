"""The types of a scenario file: text with its unit at the door, SI floats inside; every model refuses unknown fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gigawatt.core import units

ID = re.compile(r"^[a-z0-9]+(?:[.\-][a-z0-9]+)*$")


def _quantity(dimension: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value is None or value == "auto":
            return value
        if isinstance(value, (dict, list)):
            raise ValueError(f"a number with its unit is meant, not {value}")
        return units.parse(value, dimension)

    return read


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
Power = Annotated[float, BeforeValidator(_quantity("power")), Field(gt=0)]
PowerOrNone = Annotated[float, BeforeValidator(_quantity("power")), Field(ge=0)]
Money = Annotated[float, BeforeValidator(_quantity("money")), Field(ge=0)]
Seconds = Annotated[float, BeforeValidator(_quantity("time")), Field(gt=0)]
TokenRate = Annotated[float, BeforeValidator(_quantity("token_rate")), Field(gt=0)]
TokenPrice = Annotated[float, BeforeValidator(_quantity("token_price")), Field(ge=0)]
EnergyPrice = Annotated[float, BeforeValidator(_quantity("energy_price")), Field(ge=0)]
Rent = Annotated[float, BeforeValidator(_quantity("rent")), Field(ge=0)]
Rate = Annotated[float, BeforeValidator(_quantity("share")), Field(ge=0, lt=1)]
Share = Annotated[float, BeforeValidator(_quantity("share")), Field(ge=0, le=1)]
Multiple = Annotated[float, BeforeValidator(_quantity("share")), Field(gt=0, le=100)]
Length = Annotated[float, BeforeValidator(_quantity("length")), Field(gt=0)]
DataRate = Annotated[float, BeforeValidator(_quantity("data_rate")), Field(gt=0)]
MoneyRate = Annotated[float, BeforeValidator(_quantity("money_rate")), Field(ge=0)]
Day = Annotated[date, BeforeValidator(_days)]


def _tokens(value: Any) -> Any:
    return units.parse(value, "token") if isinstance(value, str) and re.search(r"[A-Za-z]", value) else value


def _years(value: Any) -> Any:
    """Years as a bare number or a time such as '5 yr'."""
    if isinstance(value, str) and re.search(r"[A-Za-z]", value):
        return units.parse(value, "time") / (8760 * 3600)
    return value


Tokens = Annotated[float, BeforeValidator(_tokens), Field(gt=0)]
Years = Annotated[float, BeforeValidator(_years), Field(gt=0, le=60)]


class Strict(BaseModel):
    """Frozen, and no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
