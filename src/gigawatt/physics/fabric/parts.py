"""What a fabric is made of: switches, optical modules, NICs and links for so many endpoints, with watts and dollars.

With k ports of a switch at the endpoint's rate, o down to up at the leaves, d = k o/(1+o) ports down and u = k - d up:

    1 tier    one switch, for at most k endpoints
    2 tiers   leaves = ceil(N/d), spines = ceil(leaves u/k), then up to the next divisor of u, so that every leaf has as
              many links to each spine; at most k d endpoints
    3 tiers   leaves = ceil(N/d), aggregation = ceil(leaves u/(k/2)), core = half of it; at most d k^2/2 endpoints
              (k^3/4 without oversubscription)

p planes are p copies whose ports run at 1/p of the NIC's rate, so that k grows p-fold. Reproduces NVIDIA's and Lambda's
published counts: 12, 100, 216 and 1,440 switches of 144 x 800G for 576, 4,608, 10,368 and 41,472 GPUs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Change, Infeasible, InputError, Problem
from gigawatt.physics.fabric.design import Fabric

CALIBRATION = "fabric-parts"
MODULE_GBPS = 800.0
# Above this capacity a switch is several chips in a box, with its own watts per Gb/s.
BIG_SWITCH_GBPS = 60_000.0


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the list: `count` pieces of `watts` and `price_usd` (80 % range `low_usd` to `high_usd`) each.

    `in_platform` marks what the rack's own watts and price already hold, and the totals leave out.
    """

    name: str
    kind: str
    count: int
    watts: float
    price_usd: float
    low_usd: float
    high_usd: float
    in_platform: bool = False


@dataclass(frozen=True, slots=True)
class PartsList:
    """The parts of a fabric for `endpoints` chips. Totals leave out what the platform already holds."""

    endpoints: int
    leaves: int
    spines: int
    cores: int
    planes: int
    links: int
    parts: tuple[Part, ...]

    @property
    def switches(self) -> int:
        """Switches of all tiers and planes."""
        return sum(part.count for part in self.parts if part.kind == "switch")

    @property
    def power_w(self) -> float:
        """Watts of switches and optics."""
        return sum(part.count * part.watts for part in self.parts if not part.in_platform)

    @property
    def price_usd(self) -> float:
        """Price of switches and optics."""
        return sum(part.count * part.price_usd for part in self.parts if not part.in_platform)

    @property
    def price_range_usd(self) -> tuple[float, float]:
        """80 % range of the price, all parts low or all high."""
        mine = [part for part in self.parts if not part.in_platform]
        return sum(part.count * part.low_usd for part in mine), sum(part.count * part.high_usd for part in mine)


@lru_cache(maxsize=1)
def _figures() -> tuple[Mapping[str, float], Mapping[str, Any]]:
    record = Catalog.load().get("calibration", CALIBRATION)
    return {name: float(fit.value) for name, fit in record.parameters.items()}, record.tables["price_range"]


def _next_divisor(count: int, of: int) -> int:
    """The smallest divisor of `of` that is at least `count`; multiples of `of` beyond it."""
    if count >= of:
        return of * math.ceil(count / of)
    return next(d for d in range(count, of + 1) if of % d == 0)


def _ports(fabric: Fabric) -> int:
    """Ports of a switch at the rate of one plane's endpoint."""
    endpoint = fabric.nic_bytes_per_s / fabric.planes
    return fabric.radix * max(1, round(fabric.switch_port_bytes_per_s / endpoint))


def capacity(fabric: Fabric) -> int:
    """Most endpoints that the fabric's tiers reach."""
    k = _ports(fabric)
    down = int(k * fabric.oversubscription / (1 + fabric.oversubscription))
    return k if fabric.tiers == 1 else down * k if fabric.tiers == 2 else down * k * k // 2


def tiers_of(fabric: Fabric, endpoints: int) -> tuple[int, int, int, int]:
    """(leaves, spines or aggregation, cores, links between switches) of one plane.

    Raises:
        Infeasible: the tiers do not reach so many endpoints; says what would.
    """
    k = _ports(fabric)
    if endpoints <= k and fabric.oversubscription <= 1:
        return 1, 0, 0, 0
    most = capacity(fabric)
    if endpoints > most:
        raise Infeasible(
            f"fabric '{fabric.name}': {fabric.tiers} tiers of {k} ports reach {most:,} endpoints, not {endpoints:,}",
            (f"tiers of fabric '{fabric.name}'",),
            (Change("tiers", fabric.tiers, fabric.tiers + 1, ""), Change("endpoints", endpoints, most, "")),
        )
    down = int(k * fabric.oversubscription / (1 + fabric.oversubscription))
    up = k - down
    leaves = math.ceil(endpoints / down)
    if fabric.tiers <= 2:
        return leaves, _next_divisor(math.ceil(leaves * up / k), up), 0, leaves * up
    middle = math.ceil(leaves * up / (k // 2))
    return leaves, middle, math.ceil(middle / 2), leaves * up + middle * (k // 2)


def parts_list(fabric: Fabric, endpoints: int, *, co_packaged: bool = False) -> PartsList:
    """The parts of `fabric` for `endpoints` chips.

    Args:
        fabric: the design.
        endpoints: chips (each with NICs of `nic_bytes_per_s` in all, over `planes` ports).
        co_packaged: switches with the optics inside: no modules at the switch, one at each NIC.

    Raises:
        InputError: fewer than one endpoint.
        Infeasible: more endpoints than the tiers reach.
    """
    if endpoints < 1:
        raise InputError(Problem("out_of_range", f"a fabric needs at least one endpoint, not {endpoints}"))
    leaves, spines, cores, links = tiers_of(fabric, endpoints)
    planes = fabric.planes
    figure, spread = _figures()
    port_gbps = fabric.nic_bytes_per_s / planes * 8e-9
    capacity_gbps = fabric.radix * fabric.switch_port_bytes_per_s * 8e-9
    big = "cpo_switch" if co_packaged else "big_switch" if capacity_gbps > BIG_SWITCH_GBPS else "switch"
    switch_w = figure[f"{big}_w_per_gbps"] * capacity_gbps
    switch_usd = figure["switch_usd_per_gbps"] * capacity_gbps
    host_links = endpoints * planes
    per_module = max(1, int(MODULE_GBPS // port_gbps))
    modules = 0 if co_packaged else math.ceil((2 * links * planes + host_links) / per_module)
    # At the NIC: one module for its whole rate, of the nearest class.
    nic_class = 400 if fabric.nic_bytes_per_s * 8e-9 <= 400 else 800
    nic_modules = endpoints * max(1, math.ceil(fabric.nic_bytes_per_s * 8e-9 / MODULE_GBPS))

    def part(name: str, kind: str, count: int, watts: float, usd: float, key: str, inside: bool = False) -> Part:
        low, high = spread.get(key, (1.0, 1.0))
        return Part(name, kind, count, watts, usd, usd * float(low), usd * float(high), inside)

    switch = f"{fabric.radix} x {fabric.switch_port_bytes_per_s * 8e-9:.0f}G switch"
    parts = [
        part(f"{switch}, leaf", "switch", leaves * planes, switch_w, switch_usd, "switch"),
        part(f"{switch}, spine", "switch", spines * planes, switch_w, switch_usd, "switch"),
        part(f"{switch}, core", "switch", cores * planes, switch_w, switch_usd, "switch"),
        part(
            "800G module at a switch", "optic", modules, figure["module_w_800"], figure["module_usd_800"], "module_800"
        ),
        part(
            f"{nic_class}G module at a NIC",
            "optic",
            nic_modules,
            figure[f"module_w_{nic_class}"],
            figure[f"module_usd_{nic_class}"],
            f"module_{nic_class}",
        ),
        part("NIC", "nic", endpoints, figure["nic_w"], 0.0, "", True),
        part("fibre, host to leaf", "cable", host_links, 0.0, 0.0, "", True),
        part("fibre, between switches", "cable", links * planes, 0.0, 0.0, "", True),
    ]
    kept = tuple(p for p in parts if p.count)
    return PartsList(endpoints, leaves * planes, spines * planes, cores * planes, planes, links * planes, kept)
