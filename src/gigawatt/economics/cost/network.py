"""A network priced from its parts list: counts from physics, unit prices from here.

Fabric design counts switches, optics and NICs and knows no dollar; a price list is a mapping part -> USD each. A part
without a price is an error and never zero, since a fabric that looks free would win every comparison.
"""

from __future__ import annotations

from collections.abc import Mapping

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.core.table import Table


def price_parts(counts: Mapping[str, float], price_usd: Mapping[str, float]) -> Table:
    """Bill of materials: one row a part with count, unit price and cost.

    Raises:
        InputError: a part has no price (all such parts at once).

    >>> sum(price_parts({"switch": 2, "optic": 128}, {"switch": 200000.0, "optic": 1250.0}).columns["usd"])
    560000.0
    """
    missing = [unknown_name("price of part", part, price_usd) for part in counts if part not in price_usd]
    if missing:
        raise InputError(missing)
    rows = [
        {"part": part, "count": count, "each_usd": price_usd[part], "usd": count * price_usd[part]}
        for part, count in counts.items()
    ]
    return Table.from_rows(
        "network_bill", rows, ("part", "count", "each_usd", "usd"), {"each_usd": "USD", "usd": "USD"}
    )


def network_usd(counts: Mapping[str, float], price_usd: Mapping[str, float]) -> float:
    """What the whole parts list costs, USD."""
    return float(sum(price_parts(counts, price_usd).columns["usd"]))
