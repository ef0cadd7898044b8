"""Watts and price of a scale-out network for a chip, as a tree: as its record states them, else from its parts list.

a chip's share = sum over parts of count x watts (or price) of one / endpoints
"""

from __future__ import annotations

from typing import Literal

from gigawatt.catalog import Catalog
from gigawatt.catalog.records import Fabric
from gigawatt.core.datum import Datum
from gigawatt.study.explain import Node, defined, fact, node, of_datum, worked
from gigawatt.study.network import Network

What = Literal["power", "price"]


def network_node(network: Network, record: Fabric, what: What, name: str, catalog: Catalog) -> Node:
    """The network of a chip; `name` says whose."""
    datum: Datum = getattr(network, what)
    made, bill = network.parts, network.bill
    if getattr(record, f"{what}_per_chip") is not None or made is None or bill is None:
        return of_datum(name, datum)
    rows = []
    if what == "power":
        for part in made.bought:
            if part.watts is not None and part.count:
                count = _count(record, f"{part.role}: {part.id}", part.count, made.endpoints)
                rows.append(worked("product", part.id, "W", [count, _watts(part.id, part.watts, catalog)]))
    else:
        for line in bill.lines:
            if line.each is not None and line.count:
                count = _count(record, line.part, line.count, made.endpoints)
                rows.append(
                    worked("product", line.part, "USD", [count, of_datum(f"price of a {line.part}", line.each)])
                )
    ends = node("formula", "endpoints of that network", float(made.endpoints), "endpoints",
                "the fabric's reference, or as the offer asks", [fabric_leaf(record)])  # fmt: skip
    total = worked(
        "sum",
        f"{what} of all parts",
        datum.unit,
        rows or [defined("no parts are bought", 0.0, datum.unit, "parts list")],
    )
    return worked(
        "ratio", name, datum.unit, [total, ends], datum.value, source=datum.note or "parts list of the fabric"
    )


def fabric_leaf(record: Fabric) -> Node:
    """The fabric's record."""
    return fact("fabric", record, "name", record.name or record.id)


def _count(record: Fabric, name: str, count: float, endpoints: int) -> Node:
    label = f"{name}, in a network of {endpoints:,} endpoints"
    return node("formula", label, float(count), "pieces", "parts list of the fabric", [fabric_leaf(record)])


def _watts(part: str, watts: float, catalog: Catalog) -> Node:
    """Watts of a piece: as its record states them, twice where it states those of one end."""
    record = catalog.get("netpart", part)
    for datum in (record.power_typical, record.power_max):
        if datum is not None and datum.value > 0 and round(watts / datum.value, 9) in (1.0, 2.0):
            leaf = of_datum(f"watts of a {part}", datum)
            if watts == datum.value:
                return leaf
            ends = defined("ends of a cable", 2.0, "", "watts are of one end")
            return worked("product", f"watts of a {part}, both ends", "W", [leaf, ends], watts)
    return fact(f"watts of a {part}", record, "power_typical", watts, "W")
