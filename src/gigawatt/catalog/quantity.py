"""Typed quantities of catalog records: text or a mapping at the door, a `Datum` in SI inside.

A value is written short, `tdp: 700 W`, or in full, with any of the fields of a `Datum`:

    tdp: {value: 700 W, low: 650 W, high: 700 W, kind: datasheet, source: H100 data sheet, as_of: 2022-03, note: peak}

What it does not say itself (kind, source, as_of) it inherits from the nearest mapping around it that does: first the
section it stands in, then the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from gigawatt.core import units
from gigawatt.core.datum import KINDS, Datum
from gigawatt.core.errors import nearest

_INHERITED = ("kind", "source", "as_of")
_NEVER_NEGATIVE = ("power", "bytes", "data_rate", "compute_rate", "time", "length", "share", "count")
_KEYS = tuple(field.name for field in fields(Datum))


@dataclass(frozen=True, slots=True)
class Dimension:
    """Marks the dimension of a quantity field, for the schema and for the audit."""

    name: str


def _read(dimension: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, Datum):
            return value
        if isinstance(value, Mapping):
            return _full(value, dimension)
        if not isinstance(value, (str, int, float)):
            raise ValueError(f"expected a quantity such as '{units.DIMENSIONS[dimension][1]}', not {value!r}")
        return Datum(_signed(units.parse(value, dimension), dimension), units.DIMENSIONS[dimension][0], kind="")

    return read


def _full(given: Mapping[str, Any], dimension: str) -> Datum:
    si = units.DIMENSIONS[dimension][0]
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        near = nearest(unknown[0], _KEYS)
        hint = f" (did you mean '{near}'?)" if near else ""
        raise ValueError(f"a value has no field '{unknown[0]}'{hint}; it has: {', '.join(_KEYS[:-1])}")
    if given.get("value") is None:
        raise ValueError("a value in full needs 'value', such as {value: 700 W, source: ...}")
    unit = given.get("unit")
    low, value, high = (_number(given.get(key), unit, dimension, si) for key in ("low", "value", "high"))
    assert value is not None
    _signed(value if low is None else low, dimension)
    if (low is not None and low > value) or (high is not None and high < value):
        raise ValueError(f"the range {low} to {high} {si} does not hold the value {value} {si}")
    kind = str(given.get("kind") or "")
    if kind and kind not in KINDS:
        near = nearest(kind, KINDS)
        raise ValueError(
            f"kind '{kind}' is none of {', '.join(KINDS)}" + (f" (did you mean '{near}'?)" if near else "")
        )
    texts = {key: str(given.get(key) or "") for key in ("source", "as_of", "boundary", "note", "path")}
    return Datum(value, si, low, high, kind, **texts)


def _signed(value: float, dimension: str) -> float:
    if value < 0 and dimension in _NEVER_NEGATIVE:
        raise ValueError(f"{value:g} is below zero, which no {dimension.replace('_', ' ')} here can be")
    return value


def _number(given: Any, unit: Any, dimension: str, si: str) -> float | None:
    """A number of a full mapping: its own text with a unit, or a bare number in the mapping's `unit`."""
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool) and unit is not None:
        # The SI case is what our own cache holds: no text, no parsing.
        return float(given) if unit == si else units.parse(f"{given!r} {unit}", dimension)
    return units.parse(given, dimension)


def _compact(datum: Datum) -> dict[str, Any]:
    """Only what is said: an empty text or a missing bound is left out."""
    out = {key: getattr(datum, key) for key in _KEYS}
    return {key: item for key, item in out.items() if item not in (None, "") or key == "unit"}


_SERIAL = PlainSerializer(_compact, return_type=dict[str, Any])

Power = Annotated[Datum, BeforeValidator(_read("power")), _SERIAL, Dimension("power")]
Energy = Annotated[Datum, BeforeValidator(_read("energy")), _SERIAL, Dimension("energy")]
Time = Annotated[Datum, BeforeValidator(_read("time")), _SERIAL, Dimension("time")]
Money = Annotated[Datum, BeforeValidator(_read("money")), _SERIAL, Dimension("money")]
Bytes = Annotated[Datum, BeforeValidator(_read("bytes")), _SERIAL, Dimension("bytes")]
DataRate = Annotated[Datum, BeforeValidator(_read("data_rate")), _SERIAL, Dimension("data_rate")]
ComputeRate = Annotated[Datum, BeforeValidator(_read("compute_rate")), _SERIAL, Dimension("compute_rate")]
EnergyPrice = Annotated[Datum, BeforeValidator(_read("energy_price")), _SERIAL, Dimension("energy_price")]
TokenPrice = Annotated[Datum, BeforeValidator(_read("token_price")), _SERIAL, Dimension("token_price")]
PowerPrice = Annotated[Datum, BeforeValidator(_read("power_price")), _SERIAL, Dimension("power_price")]
Rent = Annotated[Datum, BeforeValidator(_read("rent")), _SERIAL, Dimension("rent")]
ChipPrice = Annotated[Datum, BeforeValidator(_read("chip_price")), _SERIAL, Dimension("chip_price")]
Carbon = Annotated[Datum, BeforeValidator(_read("carbon")), _SERIAL, Dimension("carbon")]
Temperature = Annotated[Datum, BeforeValidator(_read("temperature")), _SERIAL, Dimension("temperature")]
Length = Annotated[Datum, BeforeValidator(_read("length")), _SERIAL, Dimension("length")]
Share = Annotated[Datum, BeforeValidator(_read("share")), _SERIAL, Dimension("share")]
Count = Annotated[Datum, BeforeValidator(_read("count")), _SERIAL, Dimension("count")]


class Strict(BaseModel):
    """Frozen, and no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Series(Strict):
    """A short sourced series, such as twelve monthly means: `{values: [3, 5, ...], unit: degC}`; SI inside."""

    values: tuple[float, ...]
    unit: str
    kind: str = ""
    source: str = ""
    as_of: str = ""
    note: str = ""


_LONG = 100


def _read_series(dimension: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, Mapping) or not isinstance(value.get("values"), (list, tuple)):
            return value
        si, unit = units.DIMENSIONS[dimension][0], value.get("unit", "")
        given = value["values"]
        if len(given) > _LONG and unit and all(type(item) in (int, float) for item in given):
            # Units are affine: two readings of the unit say what it does to all of a year's hours.
            zero, hundred = (_number(item, unit, dimension, si) or 0.0 for item in (0.0, 100.0))
            return {**value, "values": [zero + (hundred - zero) / 100.0 * item for item in given], "unit": si}
        numbers = [_number(item, unit, dimension, si) for item in given]
        return {**value, "values": numbers, "unit": si}

    return read


Temperatures = Annotated[Series, BeforeValidator(_read_series("temperature")), Dimension("temperature")]

M = TypeVar("M", bound=BaseModel)


def inherit(model: M, path: str, kind: str = "", source: str = "", as_of: str = "") -> M:
    """Give every datum below `model` its path, and what it does not say itself from the nearest mapping around it."""
    said = {"kind": kind, "source": source, "as_of": as_of}
    said |= {key: getattr(model, key) for key in _INHERITED if getattr(model, key, "")}
    changed = {
        name: _inherited(getattr(model, name), f"{path}.{name}", said)
        for name in type(model).model_fields
        if isinstance(getattr(model, name), (Datum, BaseModel, dict, list, tuple))
    }
    # `model_copy` keeps what was set apart from what was defaulted, which the dump for the cache relies on.
    return model.model_copy(update=changed)


def _inherited(item: Any, path: str, said: dict[str, str]) -> Any:
    if isinstance(item, Datum):
        return replace(
            item,
            kind=item.kind or said["kind"] or "assumed",
            source=item.source or said["source"],
            as_of=item.as_of or said["as_of"],
            path=item.path or path,
        )
    if isinstance(item, Series):
        return item.model_copy(update={key: getattr(item, key) or said[key] for key in _INHERITED})
    if isinstance(item, BaseModel):
        return inherit(item, path, **said)
    if isinstance(item, dict):
        return {key: _inherited(below, f"{path}.{key}", said) for key, below in item.items()}
    if isinstance(item, (list, tuple)):
        names = [getattr(below, "name", None) or number for number, below in enumerate(item)]
        return type(item)(_inherited(below, f"{path}.{name}", said) for name, below in zip(names, item, strict=True))
    return item


def datums(item: Any) -> Iterator[Datum]:
    """Every datum of a record, in the order of its fields."""
    if isinstance(item, Datum):
        yield item
    elif isinstance(item, BaseModel):
        for name in type(item).model_fields:
            yield from datums(getattr(item, name))
    elif isinstance(item, dict):
        for below in item.values():
            yield from datums(below)
    elif isinstance(item, (list, tuple)):
        for below in item:
            yield from datums(below)
