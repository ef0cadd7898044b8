"""The inputs of a supply chain as a file names them, from the catalog or in full, as columns of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from gigawatt.catalog import Catalog
from gigawatt.catalog.market import PERIODS, LevelPath, SupplyInput, day_number
from gigawatt.catalog.quantity import Count, Share, Time
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem
from gigawatt.economics.market.draws import ranged, scaled
from gigawatt.study.door import Day, Id, Strict
from gigawatt.study.market.section import AsOf, Context
from gigawatt.study.market.sourced import Sourced

Array = NDArray[np.float64]
QUARTER_DAYS = 365 / 4
QUARTER_S = 8760 * 3600 / 4
_WHOLE = Datum(1.0, "", 1.0, 1.0, "assumed", source="all of it", note="the vendor's own")


class ChainInput(Strict):
    """An input by the id of a catalog record of kind `supply`, or in full: `stock` of it a `per` at the start, growing by
    `growth` a year, of which `share` is the vendor's; `need` for a GW sold; `lead_time` of an order.

    What is given here lies over the record. `orders` are expansions placed by hand: day -> amount a `per`.
    """

    id: Id
    unit: str = ""
    per: Literal["week", "month", "quarter", "year"] | None = None
    stock: Count | None = None
    growth: Share | None = None
    need: Count | None = None
    share: Share | None = None
    lead_time: Time | None = None
    orders: dict[Day, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)


def _named(value: Any) -> Any:
    """A bare id stands for the record of that id."""
    return {"id": value} if isinstance(value, str) else value


ChainInputs = Annotated[list[Annotated[ChainInput, BeforeValidator(_named)]], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Chain:
    """Columns: `base` and `orders` [draws, inputs, quarters] of the vendor's own part, in the input's unit a quarter;
    `need` per GW and `lead_quarters` [draws, inputs]. Draw 0 is the values as stated."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    base: Array
    orders: Array
    need: Array
    lead_quarters: Array
    sources: tuple[str, ...]
    held_from: tuple[date | None, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """An input with everything in place; `factor` turns a `per` into a quarter."""

    unit: str
    factor: float
    need: Datum
    share: Datum
    lead_time: Datum
    path: LevelPath | None
    stock: Datum | None
    source: str


def chain(
    inputs: Sequence[ChainInput],
    start: date,
    quarters: int,
    drawn: Sourced,
    as_of: AsOf,
    context: Context,
    world: bool = False,
) -> Chain:
    """The columns of a list of inputs; with `world` all makers' capacity counts, not the vendor's part.

    Raises:
        InputError: an id that is no record and not given in full, or nothing known of it by the date: all of them at once.
    """
    problems: list[Problem] = []
    given: list[_Given] = []
    for n, one in enumerate(inputs):
        try:
            given.append(_complete(one, as_of, context.catalog))
        except InputError as error:
            place = context.where(("inputs", n))
            problems += [Problem(p.code, p.message, place, p.hints) for p in error.problems]
    names = [one.id for one in inputs]
    problems += [
        Problem("duplicate_id", f"inputs has two '{name}'", context.where(("inputs", n)))
        for n, name in enumerate(names)
        if name in names[:n]
    ]
    if problems:
        raise InputError(problems)
    middle = np.asarray(day_number(start) + QUARTER_DAYS * (np.arange(quarters) + 0.5), dtype=np.float64)
    base, orders, need, lead = [], [], [], []
    for one, full in zip(inputs, given, strict=True):
        share = np.ones(1) if world else drawn.column(f"{one.id}.share", full.share, most=1.0)
        level = _level(one, full, middle, drawn)
        base.append(level * share[:, None])
        orders.append(np.broadcast_to(_orders(one, full, start, quarters), level.shape))
        need.append(drawn.column(f"{one.id}.need", full.need, least=1e-12))
        lead.append(drawn.column(f"{one.id}.lead_time", full.lead_time) / QUARTER_S)
    return Chain(
        tuple(names),
        tuple(full.unit for full in given),
        np.stack(base, axis=1),
        np.stack(orders, axis=1),
        np.stack(need, axis=1),
        np.stack(lead, axis=1),
        tuple(full.source for full in given),
        tuple(_held(full.path, middle[-1]) for full in given),
    )


def _complete(one: ChainInput, as_of: AsOf, catalog: Catalog) -> _Given:
    """What the file gives over what the catalog knows."""
    in_full = one.stock is not None and one.need is not None and one.lead_time is not None
    record: SupplyInput | None = None
    if not in_full or one.id in catalog.ids("supply"):
        try:
            record = catalog.get("supply", one.id)
        except InputError as error:
            hint = "or give it in full: {id, unit, stock, per, need, lead_time}"
            raise InputError(Problem(p.code, p.message, p.where, (*p.hints, hint)) for p in error.problems) from None
    path = record.known(as_of) if record is not None and one.stock is None else None
    if one.stock is None and path is None:
        assert record is not None
        first = min(level.capacity.as_of for level in record.levels)
        message = f"nothing was known of '{one.id}' by {as_of}: its first level was published in {first}"
        raise InputError(
            Problem("known_later", message, None, ("give its stock and need as then known, or leave it out",))
        )
    per = one.per or (record.per if record else "quarter")
    need, lead = one.need or (record.need if record else None), one.lead_time or (record.lead_time if record else None)
    assert need is not None and lead is not None
    source = record.source if record and one.stock is None else (one.stock.source if one.stock else "")
    share = one.share or (record.share if record else _WHOLE)
    return _Given(
        one.unit or (record.unit if record else ""), PERIODS[per], need, share, lead, path, one.stock, source or "given"
    )


def _level(one: ChainInput, full: _Given, days: Array, drawn: Sourced) -> Array:
    """[draws, quarters] capacity of all makers a quarter; every level of an input moves with the same draw."""
    name = f"{one.id}.stock"
    if full.stock is not None:
        stock = drawn.column(name, full.stock) * full.factor
        growth = np.zeros(1) if one.growth is None else drawn.column(f"{one.id}.growth", one.growth, least=-0.99)
        years = (days - days[0]) / 365
        return np.asarray(stock[:, None] * (1 + growth[:, None]) ** years)
    assert full.path is not None
    value, low, high = full.path.at(days)
    # The first quarter stands for the path in the table of inputs; the whole path moves with its draw.
    said = {"note": "a quarter, all makers", "path": f"supply/{one.id}.levels"}
    drawn.column(name, Datum(value[0], full.unit, low[0], high[0], "quoted", full.source, **said))
    made = scaled if np.all(low > 0) else ranged
    return made(value, low, high, drawn.uniform(name)[:, None])


def _orders(one: ChainInput, full: _Given, start: date, quarters: int) -> Array:
    """[quarters] what is ordered by hand; a day before the start counts in the first quarter, one after the end not."""
    out = np.zeros(quarters)
    for day, amount in one.orders.items():
        at = max(0, int((day - start).days // QUARTER_DAYS))
        if at < quarters:
            out[at] += amount * full.factor
    return out


def _held(path: LevelPath | None, last: float) -> date | None:
    """From when a level is held for want of a later one, where that is before the end."""
    if path is None or path.days[-1] >= last:
        return None
    return date.fromordinal(date(2000, 1, 1).toordinal() + int(path.days[-1]))
