"""What a rack costs to buy, by part: each part with its boundary, its payee and its life.

Four parts, so that any published total can be set beside the same boundary:

| part    | boundary                                               | payee        |
|---------|--------------------------------------------------------|--------------|
| compute | servers and scale-up network, as the vendor sells them | chip vendor  |
| network | share of the scale-out fabric: switches, optics, NICs  | net supplier |
| storage | share of the storage beside it                         | storage      |
| spares  | held on site, bought once                              | chip vendor  |

The shell (building, power, cooling, per MW of site power) is paid per MW and not per rack: `shell_usd`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.economics.cost.annuity import capital_charge


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the capital of a rack (or of a site): `usd` at purchase, who is paid, what is inside."""

    name: str
    usd: float
    life_years: float
    payee: str
    boundary: str

    def charge_usd_per_yr(self, rate: float, residual_share: float = 0.0) -> float:
        """Level payment per year over the life of the part."""
        return float(capital_charge(self.usd, rate, self.life_years, residual_share))


@dataclass(frozen=True, slots=True)
class RackCapex:
    """The parts of one rack position, without the shell."""

    platform: str
    parts: tuple[Part, ...]

    @property
    def usd(self) -> float:
        """All parts, at list price."""
        return sum(part.usd for part in self.parts)

    def part_usd(self, name: str) -> float:
        """USD of one part; 0 where the rack has none of that name."""
        return sum(part.usd for part in self.parts if part.name == name)

    def charge_usd_per_yr(self, rate: float, residual_share: float = 0.0) -> float:
        """Sum of the parts' level payments per year."""
        return sum(part.charge_usd_per_yr(rate, residual_share) for part in self.parts)

    def table(self) -> Table:
        """Part, USD, life, payee, boundary: one row a part."""
        rows = [
            {"platform": self.platform, "part": p.name, "usd": p.usd, "life_years": p.life_years}
            | {"payee": p.payee, "boundary": p.boundary}
            for p in self.parts
        ]
        columns = ("platform", "part", "usd", "life_years", "payee", "boundary")
        return Table.from_rows("rack_capex", rows, columns, {"usd": "USD", "life_years": "yr"})


def rack_capex(
    platform: str,
    list_price_usd: float,
    *,
    network_share: float = 0.0,
    storage_share: float = 0.0,
    network_usd: float | None = None,
    storage_usd: float | None = None,
    spares_share: float = 0.0,
    life_years: float = 5.0,
    network_life_years: float | None = None,
    vendor: str = "chip-vendor",
    network_vendor: str = "network-vendor",
    storage_vendor: str = "storage-vendor",
) -> RackCapex:
    """Split the list price of a rack position into parts; a part priced from its own bill replaces its share.

    Args:
        platform: name of the platform.
        list_price_usd: all IT of a rack position: servers, scale-up, its share of scale-out network and storage.
        network_share, storage_share: parts of that price.
        network_usd, storage_usd: the same parts priced on their own, which replace the shares.
        spares_share: of the compute part, bought once.
        life_years, network_life_years: lives for the capital charge.
        vendor, network_vendor, storage_vendor: who is paid.

    Raises:
        InputError: a price is negative or the shares exceed the whole.
    """
    shares = network_share + storage_share
    if not (list_price_usd >= 0 and 0 <= shares <= 1 and network_share >= 0 and storage_share >= 0):
        message = f"rack '{platform}': a list price must not be negative, network and storage take 0 to 1 of it"
        raise InputError(Problem("out_of_range", message))
    compute = list_price_usd * (1 - shares)
    network = list_price_usd * network_share if network_usd is None else network_usd
    storage = list_price_usd * storage_share if storage_usd is None else storage_usd
    net_life = life_years if network_life_years is None else network_life_years
    parts = (
        Part("compute", compute, life_years, vendor, "servers and scale-up network, buyer's price"),
        Part("network", network, net_life, network_vendor, "share of scale-out switches, optics and NICs"),
        Part("storage", storage, life_years, storage_vendor, "share of storage"),
        Part("spares", compute * spares_share, life_years, vendor, "spare parts held on site"),
    )
    return RackCapex(platform, tuple(part for part in parts if part.usd > 0))


def shell_usd(meter_mw: float, price_usd_per_mw: float, *, life_years: float, payee: str = "builder") -> Part:
    """The shell of `meter_mw`: building, power and cooling, per MW of site power.

    A shell price that is quoted per MW of IT power must be divided by the design's meter-to-IT ratio first.
    """
    return Part("shell", meter_mw * price_usd_per_mw, life_years, payee, "building, power, cooling, no IT")


def capex_table(racks: Sequence[tuple[RackCapex, float]], shell: Part | None = None) -> Table:
    """Capital of a fleet by part: `racks` are (rack, count); one row a platform and part, the shell last."""
    rows = [
        {"platform": rack.platform, "part": part.name, "usd": part.usd * count, "payee": part.payee}
        | {"boundary": part.boundary}
        for rack, count in racks
        for part in rack.parts
        if count > 0
    ]
    if shell is not None and shell.usd > 0:
        rows.append(
            {"platform": "", "part": shell.name, "usd": shell.usd, "payee": shell.payee, "boundary": shell.boundary}
        )
    return Table.from_rows("capex", rows, ("platform", "part", "usd", "payee", "boundary"), {"usd": "USD"})
