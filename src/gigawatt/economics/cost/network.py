"""A network priced from its parts list: counts from physics, unit prices from the catalog.

Fabric design counts switches, optics and NICs and knows no dollar; a price list is a mapping part -> sourced price. A part
that no source prices is never free: it is named, and the total is then a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gigawatt.catalog import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.core.table import Table


@dataclass(frozen=True, slots=True)
class BillLine:
    """A part of the bill: `count` pieces at `each`, which is None where no source prices it."""

    part: str
    count: float
    each: Datum | None

    @property
    def usd(self) -> float:
        """Cost of all pieces; 0 for a part without a price, which `Bill.unpriced` tells."""
        return 0.0 if self.each is None else self.count * self.each.value

    @property
    def range_usd(self) -> tuple[float, float]:
        """80 % range of the cost."""
        low, high = (0.0, 0.0) if self.each is None else self.each.range
        return self.count * low, self.count * high


@dataclass(frozen=True, slots=True)
class Bill:
    """A priced parts list. The range takes all parts low or all high: one vendor's prices move together."""

    lines: tuple[BillLine, ...]

    @property
    def usd(self) -> float:
        """What the priced parts cost together: a lower bound where `unpriced` names a part."""
        return sum(line.usd for line in self.lines)

    @property
    def range_usd(self) -> tuple[float, float]:
        """80 % range of `usd`."""
        ranges = [line.range_usd for line in self.lines]
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Parts that no source prices."""
        return tuple(line.part for line in self.lines if line.each is None and line.count > 0)

    @property
    def is_lower_bound(self) -> bool:
        """True where a part has no price."""
        return bool(self.unpriced)

    def table(self) -> Table:
        """One row a part with count, unit price, cost and source; the note names what has no price."""
        rows = [
            {
                "part": line.part,
                "count": line.count,
                "each_usd": None if line.each is None else line.each.value,
                "usd": None if line.each is None else line.usd,
                "kind": "" if line.each is None else line.each.kind,
                "source": "no source prices it" if line.each is None else line.each.source,
            }
            for line in self.lines
        ]
        note = f"A lower bound: no price of {', '.join(self.unpriced)}." if self.is_lower_bound else ""
        columns = ("part", "count", "each_usd", "usd", "kind", "source")
        return Table.from_rows("network_bill", rows, columns, {"each_usd": "USD", "usd": "USD"}, "Parts list", note)


def catalog_prices(parts: Iterable[str], catalog: Catalog | None = None) -> dict[str, Datum | None]:
    """The price of each network part of the catalog, None where its record has none.

    Raises:
        InputError: a name that is no network part, each with the nearest that is.
    """
    cat = catalog or Catalog.load()
    wanted, known = list(parts), cat.ids("netpart")
    unknown = [unknown_name("network part", part, known) for part in wanted if part not in known]
    if unknown:
        raise InputError(unknown)
    return {part: cat.get("netpart", part).price for part in wanted}


def price_parts(counts: Mapping[str, float], prices: Mapping[str, Datum | None]) -> Bill:
    """Put prices to a parts list.

    Args:
        counts: pieces of each part.
        prices: USD of a piece by part; None says that no source gives one.

    Raises:
        InputError: a part that the price list does not know, or a count below zero: all of them.

    >>> price_parts({"switch": 2, "fibre": 8}, {"switch": Datum(200000.0, "USD"), "fibre": None}).unpriced
    ('fibre',)
    """
    found = [unknown_name("price of part", part, prices) for part in counts if part not in prices]
    found += [
        Problem("out_of_range", f"{pieces:g} pieces of '{part}': a count is not negative")
        for part, pieces in counts.items()
        if not pieces >= 0
    ]
    if found:
        raise InputError(found)
    return Bill(tuple(BillLine(part, float(pieces), prices[part]) for part, pieces in counts.items()))
