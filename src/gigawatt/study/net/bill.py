"""What the network of so many chips is made of: parts counted by physics, watts and prices of the catalog put to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.economics.cost import Bill
from gigawatt.physics.fabric import PartsList, capacity, count
from gigawatt.study.net.groups import Groups
from gigawatt.study.net.wiring import Wired
from gigawatt.study.network import priced_parts

PARTS = (
    "network",
    "chips",
    "role",
    "part",
    "count",
    "each_w",
    "watts",
    "each_usd",
    "usd",
    "usd_low",
    "usd_high",
    "counted",
)
TOTALS = (
    "network", "fabric", "chips", "reaches", "switches", "switch_links", "watts", "watts_per_chip", "usd", "usd_low",
    "usd_high", "usd_per_chip", "not_known",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """Tables `network_totals` and `parts`; `untold` names networks whose design no source gives."""

    totals: Table
    parts: Table
    untold: tuple[str, ...]


def chips_of(wired: Wired, ranks: float, per_domain: float) -> int:
    """Chips that the network joins where a group has `per_domain` of its ranks in each domain: all of those domains'."""
    domains = math.ceil(ranks / per_domain - 1e-9)
    return max(int(ranks), domains * wired.fabric.domain) if domains > 1 else int(ranks)


def check_reach(wired: Sequence[Wired], groups: Groups) -> None:
    """A group must fit what its network reaches.

    Raises:
        InputError: a leaf without the ports that it is asked for.
        Infeasible: more chips than the tiers reach; says what would.
    """
    for w, ranks, inside in zip(wired, groups.ranks, groups.per_domain, strict=True):
        designed = w.record is None or w.record.stated
        for n, q in zip(ranks, inside, strict=True):
            if designed and n > q:
                count(w.fabric, chips_of(w, n, q))


def list_parts(wired: Sequence[Wired], groups: Groups, catalog: Catalog) -> Listed:
    """The parts of every network at its largest number of chips.

    Raises:
        InputError: parts that do not exist or do not fit.
        Infeasible: more chips than the tiers reach.
    """
    rows: list[dict[str, Any]] = []
    totals: list[dict[str, Any]] = []
    untold = []
    for w, ranks, inside in zip(wired, groups.ranks, groups.per_domain, strict=True):
        if w.record is None or not w.record.stated:
            untold.append(w.label)
            continue
        chips = max(chips_of(w, n, q) for n, q in zip(ranks, inside, strict=True))
        made, bill = priced_parts(w.fabric, chips, w.record, w.platform, catalog)
        rows += _parts(w, made, bill)
        totals.append(_total(w, made, bill))
    words = "NICs and the scale-up network stand in the platform. An 80 % range takes all parts low or all high."
    units = {"watts": "W", "usd": "USD", "usd_low": "USD", "usd_high": "USD", "each_w": "W", "each_usd": "USD"}
    units |= {"watts_per_chip": "W", "usd_per_chip": "USD"}
    note = "An empty price or watts is one that no source states; the total is then a lower bound."
    return Listed(
        Table.from_rows("network_totals", totals, TOTALS, _of(units, TOTALS), "What the network takes", words),
        Table.from_rows("parts", rows, PARTS, _of(units, PARTS), "Parts", note),
        tuple(untold),
    )


def _of(units: dict[str, str], columns: Sequence[str]) -> dict[str, str]:
    return {name: unit for name, unit in units.items() if name in columns}


def _parts(w: Wired, made: PartsList, bill: Bill) -> list[dict[str, Any]]:
    price = {line.part: line.each for line in bill.lines}
    rows = []
    for part in made.parts:
        each = None if part.in_platform else price.get(part.id)
        low, high = (None, None) if each is None else each.range
        rows.append(
            {
                "network": w.label,
                "chips": made.endpoints,
                "role": part.role,
                "part": part.id,
                "count": part.count,
                "each_w": part.watts,
                "watts": None if part.watts is None else part.count * part.watts,
                "each_usd": None if each is None else each.value,
                "usd": None if each is None else part.count * each.value,
                "usd_low": None if low is None else part.count * low,
                "usd_high": None if high is None else part.count * high,
                "counted": "in the platform" if part.in_platform else "here",
            }
        )
    return rows


def _total(w: Wired, made: PartsList, bill: Bill) -> dict[str, Any]:
    low, high = bill.range_usd
    unknown = [f"price of {part}" for part in bill.unpriced] + [f"watts of {part}" for part in made.unrated]
    return {
        "network": w.label,
        "fabric": w.fabric.name,
        "chips": made.endpoints,
        "reaches": capacity(w.fabric),
        "switches": made.switches,
        "switch_links": made.links,
        "watts": made.power_w,
        "watts_per_chip": made.power_w / made.endpoints,
        "usd": bill.usd,
        "usd_low": low,
        "usd_high": high,
        "usd_per_chip": bill.usd / made.endpoints,
        "not_known": ", ".join(unknown),
    }
