"""List prices of tokens by model as they were known, what is received of them, and a year ahead at constant quality."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gigawatt.catalog.money import PriceSet, TokenRow
from gigawatt.catalog.quantity import Share, inherit
from gigawatt.core.dates import last_day
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, unknown_name
from gigawatt.core.table import Table
from gigawatt.economics.market.tokens import observed_decline, price_ahead
from gigawatt.study.door import Id, Strict
from gigawatt.study.market.rents import _prices
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, band, later

Array = NDArray[np.float64]
MTOK = 1e6


class Family(Strict):
    """Models of one vendor that succeed each other: the decline of the list price between the first and the last."""

    id: Id
    models: Annotated[tuple[str, ...], Field(min_length=2)]


class TokensSection(Strict):
    """`models` are rows of the price set (none: all that are list prices); `decline` at constant quality and `realised`
    share are the price set's unless given."""

    prices: Id = "market-2026"
    models: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    decline: Share | None = None
    realised: Share | None = None
    years: Annotated[float, Field(ge=0, le=10)] = 1.0


def run(section: TokensSection, seed: int, samples: int, as_of: AsOf, context: Context) -> SectionResult:
    """Answer the section.

    Raises:
        InputError: a model that is no row of the price set.
    """
    given = inherit(section, "tokens")
    record = _prices(given.prices, context.catalog, context)
    rows = _rows(given, record, as_of, context)
    drawn = Sourced("tokens", seed, samples, as_of)
    realised = _column(given.realised, record.realised_share, "realised", drawn, as_of)
    decline = _column(given.decline, record.decline_per_year, "decline", drawn, as_of)
    table = _table(rows, realised, decline, given.years)
    tables, metrics, words = [table, drawn.table()], [], []
    notes = ["Two flagships of a vendor differ in quality: their decline is not the decline at constant quality."]
    if decline is None:
        notes.append("The decline at constant quality was not known by then: nothing is said ahead.")
    elif len(rows):
        made = band(decline)
        words.append(
            f"{len(rows)} list prices known; at constant quality a price falls by {100 * decline[0]:.0f} % a year"
            + (f" [{100 * made[0]:.0f} to {100 * made[2]:.0f} %]." if made else ".")
        )
        metrics.append(
            metric("token_decline", decline[0], "share", "decline a year at constant quality", given.prices, made)
        )
    seen, told = _families(given, record, as_of, context)
    if seen is not None:
        tables.append(seen)
        words += told
    return SectionResult(tables, metrics, words, notes=notes, data=drawn.data)


def _column(given: Datum | None, catalog: Datum | None, name: str, drawn: Sourced, as_of: AsOf) -> Array | None:
    """Draws of what the file gives, else of the catalog's value where it was known by then."""
    if given is None and (catalog is None or (as_of is not None and later(catalog.as_of, as_of))):
        return None
    datum = given if given is not None else catalog
    assert datum is not None
    return drawn.column(name, datum, most=0.999)


def _rows(given: TokensSection, record: PriceSet, as_of: AsOf, context: Context) -> list[TokenRow]:
    rows = {row.name: row for row in record.tokens}
    unknown = [(n, name) for n, name in enumerate(given.models) if name not in rows]
    if unknown:
        where = context.where
        raise InputError(unknown_name(f"price in {record.id}", name, rows, where(("models", n))) for n, name in unknown)
    chosen = [rows[name] for name in given.models] or [row for row in record.tokens if row.kind in ("", "quoted")]
    known = [row for row in chosen if _known(row, as_of)]
    return sorted(known, key=lambda row: last_day(row.as_of))


def _known(row: TokenRow, as_of: AsOf) -> bool:
    return as_of is None or last_day(row.as_of) <= as_of


def _table(rows: list[TokenRow], realised: Array | None, decline: Array | None, years: float) -> Table:
    out: list[dict[str, Any]] = []
    for row in rows:
        price = row.output.value * MTOK
        line: dict[str, Any] = {
            "model": row.name, "seller": row.seller, "as_of": row.as_of, "input": row.input.value * MTOK, "output": price,
        }  # fmt: skip
        for name, column in (
            ("realised", None if realised is None else price * realised),
            ("ahead", None if decline is None else price_ahead(price, decline, years)),
        ):
            made = None if column is None else band(column)
            line |= {name: None if column is None else column[0], f"{name}_low": made[0] if made else None,
                     f"{name}_high": made[2] if made else None}  # fmt: skip
        out.append(line | {"kind": row.kind, "source": row.source})
    columns = ["model", "seller", "as_of", "input", "output", "realised", "realised_low", "realised_high", "ahead",
               "ahead_low", "ahead_high", "kind", "source"]  # fmt: skip
    units = dict.fromkeys(columns[3:11], "USD/Mtok")
    note = f"Realised: output price times the share received. Ahead: the list price {years:g} years on, at constant quality."
    return Table.from_rows("tokens", out, columns, units, "Prices of tokens", note)


def _families(given: TokensSection, record: PriceSet, as_of: AsOf, context: Context) -> tuple[Table | None, list[str]]:
    rows = {row.name: row for row in record.tokens}
    out, words = [], []
    for n, family in enumerate(given.families):
        for k, name in enumerate(family.models):
            if name not in rows:
                place = context.where(("families", n, "models", k))
                raise InputError(unknown_name(f"price in {record.id}", name, rows, place))
        known = [rows[name] for name in family.models if _known(rows[name], as_of)]
        if len(known) < 2:
            continue
        first, last = known[0], known[-1]
        years = _years(last_day(first.as_of), last_day(last.as_of))
        if years <= 0:
            continue
        fall = float(observed_decline(first.output.value, last.output.value, years))
        out.append(
            {"family": family.id, "first": first.name, "last": last.name, "years": years,
             "first_output": first.output.value * MTOK, "last_output": last.output.value * MTOK, "decline_share": fall}
        )  # fmt: skip
        words.append(
            f"List price of {family.id.replace('-', ' ')}: {first.output.value * MTOK:g} to {last.output.value * MTOK:g} USD "
            f"per million tokens in {years:.2g} years, {100 * fall:.0f} % a year, while quality rose."
        )
    if not out:
        return None, words
    units = {"first_output": "USD/Mtok", "last_output": "USD/Mtok", "decline_share": "share", "years": "yr"}
    return Table.from_rows("token_families", out, list(out[0]), units, "From flagship to flagship"), words


def _years(first: date, last: date) -> float:
    return (last - first).days / 365.25


SECTION = Section(TokensSection, run, context=True)
