"""What a fabric is made of: switches, optical modules, NICs and cables for so many endpoints, with their watts.

`topology.count` says how many switches and links; a `Kit` says which parts they are. A part is an id of the catalog, so
that prices can be put to the list elsewhere: nothing here knows a dollar. What the rack as sold holds already (NICs, the
scale-up network) is listed, marked `in_platform`, and left out of the totals.

    modules at switches = (2 x links between switches + host links) / links a module carries, for links that are fibre
    modules at NICs     = NIC rate / module rate, for each endpoint

A switch with co-packaged optics takes no modules; copper and active optical cables bring their own ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.design import Fabric
from gigawatt.physics.fabric.topology import Counts, count

ROLES = ("switch", "optic", "nic_optic", "nic", "host_cable", "cable")
NEEDED = ("switch", "optic")
FIBRE = "fibre-mpo12"


@dataclass(frozen=True, slots=True)
class Piece:
    """A network part of the catalog without its price. `watts` is None where no source rates it.

    `bytes_per_s` is of one port, one way, and 0 for bare fibre; an optic's or cable's watts are of one end.
    """

    id: str
    label: str
    bytes_per_s: float = 0.0
    watts: float | None = None
    low_w: float = 0.0
    high_w: float = 0.0
    reach_m: float = math.inf
    co_packaged: bool = False


@dataclass(frozen=True, slots=True)
class Kit:
    """The parts that a fabric is built from: switch, module at the switch and at the NIC, NIC, cables."""

    switch: Piece
    optic: Piece
    nic_optic: Piece
    host_cable: Piece
    cable: Piece
    nic: Piece | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the list: `count` pieces of part `id`, `watts` each (80 % range `low_w` to `high_w`), in one role.

    `watts` is None where no source rates the part. `in_platform` marks what the rack's own watts and price already hold.
    """

    id: str
    role: str
    kind: str
    count: int
    watts: float | None
    low_w: float = 0.0
    high_w: float = 0.0
    in_platform: bool = False


@dataclass(frozen=True, slots=True)
class PartsList:
    """The parts of a fabric for `endpoints` chips, over all planes. Totals leave out what the platform already holds."""

    endpoints: int
    planes: int
    counts: Counts
    parts: tuple[Part, ...]

    @property
    def switches(self) -> int:
        """Switches of all tiers and planes."""
        return self.counts.switches * self.planes

    @property
    def links(self) -> int:
        """Links between switches, of all planes."""
        return self.counts.links * self.planes

    @property
    def bought(self) -> tuple[Part, ...]:
        """What is not in the platform."""
        return tuple(part for part in self.parts if not part.in_platform)

    @property
    def power_w(self) -> float:
        """Watts of switches, optics and active cables; a lower bound where `unrated` names a part."""
        return sum(part.count * part.watts for part in self.bought if part.watts is not None)

    @property
    def power_range_w(self) -> tuple[float, float]:
        """80 % range of the watts, all parts low or all high."""
        rated = [part for part in self.bought if part.watts is not None]
        return sum(part.count * part.low_w for part in rated), sum(part.count * part.high_w for part in rated)

    @property
    def unrated(self) -> tuple[str, ...]:
        """Parts whose watts no source states."""
        return tuple(dict.fromkeys(part.id for part in self.bought if part.watts is None))

    def tally(self) -> dict[str, int]:
        """Pieces to buy by part: what a price list is put to."""
        out: dict[str, int] = {}
        for part in self.bought:
            out[part.id] = out.get(part.id, 0) + part.count
        return out


def kit_from_record(record: Any, catalog: Catalog | None = None) -> Kit:
    """The parts that a catalog record of kind fabric names; fibre where it names no cable.

    Raises:
        InputError: a part that is no record, with the nearest that is; a role that needs one and has none: all problems.
    """
    cat = catalog or Catalog.load()
    known, found = cat.ids("netpart"), []
    names = {role: str(getattr(record, role)) for role in ROLES}
    names |= {role: names[role] or FIBRE for role in ("host_cable", "cable")}
    names["nic_optic"] = names["nic_optic"] or names["optic"]
    for role, name in names.items():
        if name and name not in known:
            found.append(unknown_name(f"network part (for '{role}' of fabric '{record.id}')", name, known))
        elif not name and role in NEEDED:
            found.append(Problem("missing", f"fabric '{record.id}' names no '{role}': its parts can not be counted"))
    if found:
        raise InputError(found)
    made = {role: piece(cat.get("netpart", name)) for role, name in names.items() if name}
    return Kit(**made)


def piece(record: Any) -> Piece:
    """A network part of the catalog as a `Piece`; typical watts, else the maximum."""
    power = record.power_typical if record.power_typical is not None else record.power_max
    low, high = power.range if power is not None else (0.0, 0.0)
    return Piece(
        id=record.id,
        label=record.name or record.id,
        bytes_per_s=float(record.port_bandwidth.value) if record.port_bandwidth is not None else 0.0,
        watts=None if power is None else float(power.value),
        low_w=low,
        high_w=high,
        reach_m=math.inf if record.reach is None else float(record.reach.value),
        co_packaged=bool(record.co_packaged),
    )


def parts_list(
    fabric: Fabric,
    endpoints: int,
    kit: Kit,
    *,
    scaleup: Any = None,
    host_m: float = 0.0,
    trunk_m: float = 0.0,
    catalog: Catalog | None = None,
) -> PartsList:
    """The parts of `fabric` for `endpoints` chips.

    Args:
        fabric: the design.
        endpoints: chips (each with NICs of `nic_bytes_per_s` in all, over `planes` ports).
        kit: what it is built from.
        scaleup: a catalog record of kind scaleup, whose own switches and cables are listed too, as in the platform.
        host_m, trunk_m: longest run from a host to its leaf and between switches, to check against the cables' reach.
        catalog: where the switch of `scaleup` is looked up.

    Raises:
        InputError: fewer than one endpoint, ports that a switch has not, a cable that does not reach: all problems.
        Infeasible: more endpoints than the tiers reach.
    """
    counts = count(fabric, endpoints)
    _check(fabric, kit, host_m, trunk_m)
    planes, port = fabric.planes, fabric.nic_bytes_per_s / fabric.planes
    leaf, spine, core = (planes * n for n in (counts.leaves, counts.spines, counts.cores))
    host, trunk = planes * counts.host_links, planes * counts.links
    fibre_ends = 2 * trunk * _bare(kit.cable) + host * _bare(kit.host_cable)
    modules = 0 if kit.switch.co_packaged else math.ceil(fibre_ends / max(1, int(kit.optic.bytes_per_s // port)))
    at_nics = endpoints * math.ceil(fabric.nic_bytes_per_s / kit.nic_optic.bytes_per_s) * _bare(kit.host_cable)
    beyond = "group to group" if fabric.topology == "dragonfly_plus" else "core"
    parts = [
        _part(kit.switch, "leaf switch", "switch", leaf),
        _part(kit.switch, "spine switch" if not core else "aggregation switch", "switch", spine),
        _part(kit.switch, "core switch", "switch", core),
        _part(kit.optic, "module at a switch", "optic", modules),
        _part(kit.nic_optic, "module at a NIC", "optic", at_nics if host else 0),
        _cable(kit.host_cable, "host to leaf", host, port),
        _cable(kit.cable, "leaf to spine", planes * counts.leaf_links, port),
        _cable(
            kit.cable,
            f"spine to {beyond}" if counts.leaf_links else "along the torus",
            planes * counts.core_links,
            port,
        ),
        *_nics(fabric, kit, endpoints),
        *(scaleup_parts(scaleup, endpoints, catalog) if scaleup is not None else ()),
    ]
    return PartsList(endpoints, planes, counts, tuple(part for part in parts if part.count))


def scaleup_parts(record: Any, chips: int, catalog: Catalog | None = None) -> tuple[Part, ...]:
    """Switches and links of the scale-up domains of `chips` chips, which stand in the platform's watts and price.

    A mesh or a torus has half as many links as its chips have ends; through switches every end is a link of its own.
    """
    domains = math.ceil(chips / record.domain)
    parts = []
    if record.switches:
        switch = piece((catalog or Catalog.load()).get("netpart", record.switch))
        parts.append(_part(switch, "scale-up switch", "scale-up switch", domains * record.switches, inside=True))
    ends = domains * record.domain * record.links
    links = ends if record.topology == "switched" else ends // 2
    wire = Piece(record.id, record.name or record.id)
    parts.append(_part(wire, "scale-up link", "scale-up link", links, inside=True))
    parts.append(_part(wire, "scale-up cable", "scale-up cable", domains * record.cables, inside=True))
    return tuple(part for part in parts if part.count)


def _bare(cable: Piece) -> bool:
    """Bare fibre takes modules at its ends; a cable with a rate of its own brings them."""
    return cable.bytes_per_s == 0


def _part(made: Piece, role: str, kind: str, pieces: int, *, inside: bool = False, ends: int = 1) -> Part:
    watts = None if made.watts is None else ends * made.watts
    return Part(made.id, role, kind, pieces, watts, ends * made.low_w, ends * made.high_w, inside)


def _cable(cable: Piece, role: str, links: int, port: float) -> Part:
    if _bare(cable):
        return _part(cable, f"fibre, {role}", "cable", links)
    return _part(cable, f"cable, {role}", "cable", math.ceil(links / max(1, int(cable.bytes_per_s // port))), ends=2)


def _nics(fabric: Fabric, kit: Kit, endpoints: int) -> tuple[Part, ...]:
    if kit.nic is None:
        return (Part("NIC", "NIC", "nic", endpoints, None, in_platform=True),)
    each = max(1, math.ceil(fabric.nic_bytes_per_s / kit.nic.bytes_per_s)) if kit.nic.bytes_per_s else 1
    return (_part(kit.nic, "NIC", "nic", endpoints * each, inside=True),)


def _check(fabric: Fabric, kit: Kit, host_m: float, trunk_m: float) -> None:
    """Every module has a rate, no port is faster than its module, and every cable reaches."""
    found = []
    for role in ("optic", "nic_optic"):
        made = getattr(kit, role)
        if made.bytes_per_s <= 0:
            found.append(
                Problem("missing", f"fabric '{fabric.name}': '{made.id}' for '{role}' states no rate of a port")
            )
    port = fabric.nic_bytes_per_s / fabric.planes
    if 0 < kit.optic.bytes_per_s < port:
        rates = f"a module of {kit.optic.bytes_per_s * 8e-9:.0f}G carries no link of {port * 8e-9:.0f}G"
        message = f"fabric '{fabric.name}': {rates}"
        found.append(Problem("out_of_range", message, None, ("name a faster 'optic', or more 'planes'",)))
    for what, cable, metres in (("host_cable", kit.host_cable, host_m), ("cable", kit.cable, trunk_m)):
        reach = min(cable.reach_m, kit.optic.reach_m) if _bare(cable) and not kit.switch.co_packaged else cable.reach_m
        if metres > reach:
            message = f"fabric '{fabric.name}': '{cable.id}' for '{what}' reaches {reach:g} m, not {metres:g} m"
            hint = (
                f"'{FIBRE}' with modules reaches {kit.optic.reach_m:g} m"
                if not _bare(cable)
                else "an optic of longer reach"
            )
            found.append(Problem("out_of_range", message, None, (hint,)))
    if found:
        raise InputError(found)
