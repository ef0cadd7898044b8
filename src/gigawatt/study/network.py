"""What a scale-out network draws and costs for each chip: parts counted by physics, prices put to them by economics.

Both follow from the parts list of the fabric's record at its `reference_endpoints`, or at the endpoints asked for. A record
that states them itself, as clouds do whose designs are not published, is taken at its word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gigawatt.catalog import Catalog
from gigawatt.catalog.quantity import datums
from gigawatt.catalog.records import Accelerator, Fabric, Platform, Scaleup
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.economics.cost import Bill, catalog_prices, price_parts
from gigawatt.physics.chip import Box
from gigawatt.physics.fabric import Fabric as Wiring
from gigawatt.physics.fabric import (
    PartsList,
    balanced,
    capacity,
    fabric_from_record,
    kit_from_record,
    parts_list,
    wiring_from_record,
)

if TYPE_CHECKING:
    from gigawatt.study.answer import Answer

BOUNDARY = "switches, optics and cables of the scale-out network, without NICs"


@dataclass(frozen=True)
class Network:
    """Watts and USD of the scale-out network for each chip, and the parts they come from.

    `parts` and `bill` are None where the record states watts and price itself.
    """

    power: Datum
    price: Datum
    parts: PartsList | None = None
    bill: Bill | None = None

    def datums(self, catalog: Catalog) -> list[Datum]:
        """The facts behind: the two values, and watts and prices of the parts bought."""
        bought = self.parts.tally() if self.parts is not None else {}
        return [self.power, self.price, *(d for part in bought for d in datums(catalog.get("netpart", part)))]


def network_of(
    record: Fabric, platform: Platform, accelerator: Accelerator, catalog: Catalog, endpoints: int | None = None
) -> Network:
    """The network of a platform's chips under a fabric record.

    Args:
        record: the fabric.
        platform: what is bought; its scale-up network is listed and counted nowhere.
        accelerator: of the platform; its NIC may be slower than the fabric's.
        catalog: where the parts and their prices are.
        endpoints: chips that one network joins; the record's reference where None.

    Raises:
        InputError: the record names parts that do not exist.
        Infeasible: the tiers do not reach so many endpoints.
    """
    if record.power_per_chip is not None and record.price_per_chip is not None:
        return Network(record.power_per_chip, record.price_per_chip)
    reach = endpoints or record.reference_endpoints
    own = accelerator.nic_bandwidth
    fabric = wiring_from_record(record, 0.0 if own is None else own.value)
    made, bill = priced_parts(fabric, reach, record, platform, catalog)
    listed = ", ".join(f"{pieces:,} {part}" for part, pieces in made.tally().items())
    source = f"parts list of {reach:,} endpoints: {listed}"
    watts = source + _bound("power", made.unrated)
    price = source + _bound("price", bill.unpriced)
    return Network(
        record.power_per_chip
        or _per_chip(made.power_w, made.power_range_w, "W", reach, watts, record, "power_per_chip"),
        record.price_per_chip or _per_chip(bill.usd, bill.range_usd, "USD", reach, price, record, "price_per_chip"),
        made,
        bill,
    )


def fabric_of(record: Fabric, platform: Platform, box: Box, catalog: Catalog, endpoints: int | None = None) -> Wiring:
    """The network that messages of a platform's chips meet: its scale-up domain, its NICs, what hashing leaves of them.

    Args:
        record: the scale-out fabric.
        platform: names its scale-up network.
        box: the platform's chips; their domain is as wired.
        catalog: where the scale-up network's record is.
        endpoints: chips that one network joins; the record's reference where None.
    """
    fabric = fabric_from_record(record, box.chip, node=box.chips_per_node, scaleup=scaleup_of(platform, catalog))
    return balanced_within(fabric, endpoints or record.reference_endpoints or box.chips)


def balanced_within(fabric: Wiring, endpoints: int) -> Wiring:
    """The fabric with what its routing leaves of the NICs, on a network of so many endpoints or of all that it reaches.

    A design that nobody published has watts as of its reference, and perhaps fewer tiers than reach so far.
    """
    return balanced(fabric, min(endpoints, capacity(fabric)))


def scaleup_of(platform: Platform | None, catalog: Catalog) -> Scaleup | None:
    """The record of a platform's scale-up network; None where it names none, and for an accelerator alone."""
    return catalog.get("scaleup", platform.scaleup) if platform is not None and platform.scaleup else None


def priced_parts(
    fabric: Wiring, endpoints: int, record: Fabric, platform: Platform | None, catalog: Catalog
) -> tuple[PartsList, Bill]:
    """The parts of a network of so many endpoints, with those that stand in the platform, and what is paid for the rest.

    Raises:
        InputError: the record names parts that do not exist or do not fit.
        Infeasible: the tiers do not reach so many endpoints.
    """
    scaleup = scaleup_of(platform, catalog)
    made = parts_list(fabric, endpoints, kit_from_record(record, catalog), scaleup=scaleup, catalog=catalog)
    return made, price_parts(made.tally(), catalog_prices(made.tally(), catalog))


def _bound(what: str, parts: tuple[str, ...]) -> str:
    return f"; no {what} of {', '.join(parts)}: a lower bound" if parts else ""


def _per_chip(
    total: float, spread: tuple[float, float], unit: str, chips: int, source: str, record: Fabric, field: str
) -> Datum:
    low, high = (bound / chips for bound in spread)
    return Datum(
        total / chips,
        unit,
        min(low, total / chips),
        max(high, total / chips),
        "estimated",
        source,
        record.as_of,
        BOUNDARY,
        path=f"fabric/{record.id}.{field}",
    )


def network_table(answer: Answer) -> Table:
    """The parts list of each platform bought, at the scale of its fabric: counts, watts, prices, what the platform holds."""
    rows: list[dict[str, Any]] = []
    for offered, racks in zip(answer.resolved.offers, answer.plan.racks, strict=True):
        made, bill = offered.network.parts, offered.network.bill
        if racks <= 0 or made is None or bill is None:
            continue
        price = {line.part: line.each for line in bill.lines}
        for part in made.parts:
            each = price.get(part.id)
            bought = not part.in_platform
            rows.append(
                {
                    "platform": offered.offer.id,
                    "fabric": offered.fabric.id,
                    "endpoints": made.endpoints,
                    "role": part.role,
                    "part": part.id,
                    "count": part.count,
                    "each_w": part.watts,
                    "each_usd": each.value if each is not None and bought else None,
                    "usd": part.count * each.value if each is not None and bought else None,
                    "counted": "here" if bought else "in the platform",
                }
            )
    columns = ("platform", "fabric", "endpoints", "role", "part", "count", "each_w", "each_usd", "usd", "counted")
    units = {"each_w": "W", "each_usd": "USD", "usd": "USD"}
    note = (
        "One network of so many endpoints; a larger site has several. An empty price is one that no source states. What "
        "stands in the platform is in its watts and price already."
    )
    return Table.from_rows("network_parts", rows, columns, units, "Parts of the network", note)
