"""A fabric as the numbers a collective needs: the scale-up domain of a chip and the network between domains.

Bandwidths are bytes/s per chip, one way. The domain is what is *wired and used*: with multi-node NVLink switched off, a
rack of 72 is 18 domains of 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Chip

# Technology of the scale-out network -> class of fitted constants.
NET_CLASS = {
    "infiniband": "infiniband",
    "roce": "roce",
    "ethernet": "roce",
    "slingshot": "roce",
    "ub": "roce",
    "ici": "infiniband",
    "neuronlink": "infiniband",
    "efa": "efa",
    "pcie": "pcie",
    "tcpx": "tcpx",
    "tcpxo": "roce",  # its tables lie on RoCE's constants, not on the floor of TCPX
}
TOPOLOGIES = ("fat_tree", "rail_fat_tree", "dragonfly_plus", "torus")
ROUTINGS = ("ecmp", "adaptive", "spray")
# Stack or generation of the chip -> kind of scale-up network. Anything else is taken as switched.
SCALEUP_OF_STACK = {"rocm": "mesh", "xla": "torus", "neuron": "torus"}
SCALEUPS = ("switched", "mesh", "torus", "pcie")
NVLS_GENERATION = {"hopper": "hopper", "blackwell": "blackwell", "blackwell-ultra": "blackwell", "rubin": "blackwell"}


@dataclass(frozen=True, slots=True)
class Fabric:
    """Scale-up domain and scale-out network of one kind of chip.

    `technology` is a key of `NET_CLASS`; `scaleup` is switched, mesh, torus or pcie; `generation` the chip's. `domain`
    is the number of chips in a scale-up domain, `node` those of one host. `port_bytes_per_s` is the rate of one NIC
    port: all-to-all between two chips reaches `ports_per_pair` of them. `nic_stated` is False where the NIC rate is a
    default, and bands are wider then.

    `topology` and `routing` are of `TOPOLOGIES` and `ROUTINGS`; a torus counts its dimensions in `tiers`. `queue_pairs`
    are flows between two NICs, `sharp` is reduction in the switches, used and not only wired. `ordered`: writes arrive in
    order, which NCCL's LL protocols need (EFA of the first generation does not: aws-ofi-nccl runs it on protocol simple
    alone). `torus_dims` are those of a scale-up torus. `ring_share` and `exchange_share` are what routing, placement and
    failures leave of the NIC's rate to a ring and to an exchange of all with all (`balance.balanced` works them out).
    `leaf_endpoints` and `pod_endpoints` are what a leaf and a pod carry where the design says so, else 0;
    `oversubscription` then applies above the pods. `collective_model` names the plug-in's model that times its collectives.
    """

    name: str
    technology: str
    scaleup: str
    generation: str
    scaleup_bytes_per_s: float
    domain: int
    node: int
    nic_bytes_per_s: float
    port_bytes_per_s: float
    ports_per_pair: int = 2
    tiers: int = 2
    oversubscription: float = 1.0
    planes: int = 1
    rails: int = 8
    radix: int = 64
    switch_port_bytes_per_s: float = 50e9
    nic_stated: bool = True
    topology: str = "fat_tree"
    routing: str = "adaptive"
    queue_pairs: int = 1
    sharp: bool = False
    ordered: bool = True
    torus_dims: int = 3
    ring_share: float = 1.0
    exchange_share: float = 1.0
    leaf_endpoints: int = 0
    pod_endpoints: int = 0
    collective_model: str = ""

    def __post_init__(self) -> None:
        problems = [
            Problem("out_of_range", f"fabric '{self.name}': {field} must be {rule}")
            for field, ok, rule in (
                ("domain", self.domain >= 1, "at least 1"),
                ("scaleup_bytes_per_s", self.domain == 1 or self.scaleup_bytes_per_s > 0, "above 0"),
                ("nic_bytes_per_s", self.nic_bytes_per_s > 0, "above 0"),
                ("oversubscription", self.oversubscription >= 1, "at least 1 (down to up; 7 is 1:7)"),
                ("tiers", 1 <= self.tiers <= 3, "1 to 3"),
                ("planes", self.planes >= 1, "at least 1"),
                ("rails", self.rails >= 1, "at least 1"),
                ("radix", self.radix >= 2, "at least 2 ports"),
                ("ring_share", 0 < self.ring_share <= 1, "above 0 and at most 1"),
                ("exchange_share", 0 < self.exchange_share <= 1, "above 0 and at most 1"),
                ("queue_pairs", self.queue_pairs >= 1, "at least 1"),
                ("topology", self.topology in TOPOLOGIES, "one of " + ", ".join(TOPOLOGIES)),
                ("routing", self.routing in ROUTINGS, "one of " + ", ".join(ROUTINGS)),
                ("technology", self.technology in NET_CLASS, "one of " + ", ".join(NET_CLASS)),
                ("scaleup", self.scaleup in SCALEUPS, "one of " + ", ".join(SCALEUPS)),
            )
            if not ok
        ]
        if problems:
            raise InputError(problems)

    @property
    def multi_node_domain(self) -> bool:
        """True where the scale-up domain spans hosts (NVL72, UB supernode)."""
        return self.domain > self.node

    @property
    def pod(self) -> int:
        """Chips that reach each other without passing the oversubscribed tier."""
        if self.oversubscription <= 1:
            return 1 << 30
        if self.pod_endpoints:
            return max(self.domain, self.pod_endpoints)
        down = int(self.radix * self.planes * self.oversubscription / (1 + self.oversubscription))
        return max(self.domain, down if self.tiers <= 2 else down * self.radix // 2)

    def with_domain(self, domain: int) -> Fabric:
        """The same with another scale-up domain (a rack whose multi-node NVLink is off has 4)."""
        return replace(self, domain=domain, node=min(self.node, domain))


def keeps_order(technology: str, generation: str) -> bool:
    """Whether writes arrive in order: not on EFA's first generation, which is that of Ampere machines."""
    return not (technology == "efa" and generation == "ampere")


def wiring_from_record(record: Any, nic_bytes_per_s: float = 0.0) -> Fabric:
    """The scale-out network of a catalog record alone, as if every chip were a domain of its own: what parts need.

    Args:
        record: a catalog record of kind fabric.
        nic_bytes_per_s: the chip's own NIC rate, one way, where it is slower than the record's; 0 where it is not known.

    Raises:
        InputError: the record names a model that no installed package brings.
    """
    if record.collective_model:
        from gigawatt.physics.fabric.models import (
            fabric_model,
        )  # it knows networks as columns, which are made of fabrics

        fabric_model(record.collective_model)  # told here, before anything is timed
    stated = float(record.nic_bandwidth.value)
    nic = min(stated, nic_bytes_per_s) if nic_bytes_per_s > 0 else stated
    port = float(record.port_bandwidth.value) if record.port_bandwidth is not None else nic
    return Fabric(
        name=record.id,
        technology=str(record.technology),
        scaleup="switched",
        generation="",
        scaleup_bytes_per_s=0.0,
        domain=1,
        node=1,
        nic_bytes_per_s=nic,
        port_bytes_per_s=min(port, nic),
        ports_per_pair=max(1, round(nic / min(port, nic))),
        tiers=int(record.tiers),
        oversubscription=float(record.oversubscription.value),
        planes=int(record.planes),
        rails=int(record.rails),
        radix=64 if record.radix is None else int(record.radix),
        switch_port_bytes_per_s=port,
        topology=str(record.topology),
        routing=str(record.routing),
        queue_pairs=int(record.queue_pairs),
        leaf_endpoints=int(record.leaf_endpoints),
        pod_endpoints=int(record.pod_endpoints),
        collective_model=str(record.collective_model),
    )


def fabric_from_record(
    record: Any,
    chip: Chip,
    *,
    node: int = 8,
    domain: int | None = None,
    scaleup: Any = None,
    sharp: bool = False,
) -> Fabric:
    """The `Fabric` of a catalog record under a chip.

    The NIC rate is the record's (what is bought), and the chip's own where it is slower.

    Args:
        record: a catalog record of kind fabric.
        chip: the chip; its `scaleup_domain` is the domain unless `domain` says otherwise.
        node: chips of one host.
        domain: chips of a scale-up domain as wired.
        scaleup: the catalog record of the scale-up network; its topology follows from the chip's stack where None.
        sharp: whether reduction in the scale-out switches is used, where the record has it. NCCL needs a plug-in and a
            setting for it, and the measured tables ran without.
    """
    wired = max(1, chip.scaleup_domain if domain is None else domain)
    topology = SCALEUP_OF_STACK.get(chip.stack, "switched") if scaleup is None else str(scaleup.topology)
    dimensions = {"torus2d": 2, "torus3d": 3}.get(topology, 3)
    return replace(
        wiring_from_record(record, chip.nic_bytes_per_s),
        scaleup="torus" if topology.startswith("torus") else topology,
        torus_dims=dimensions,
        sharp=sharp and bool(record.sharp),
        ordered=keeps_order(str(record.technology), chip.generation),
        generation=chip.generation,
        scaleup_bytes_per_s=chip.scaleup_bytes_per_s,
        domain=wired,
        node=min(node, wired),
    )


def default_fabric(chip: Chip, *, node: int = 8) -> Fabric:
    """What a chip is wired with where nothing is said: its scale-up domain, and InfiniBand at its NIC rate.

    Without a NIC rate 400 Gb/s is taken, and `nic_stated` is False.
    """
    nic = chip.nic_bytes_per_s or 50e9
    domain = max(1, chip.scaleup_domain)
    return Fabric(
        name=f"default of {chip.name}",
        technology="infiniband",
        scaleup=SCALEUP_OF_STACK.get(chip.stack, "switched"),
        generation=chip.generation,
        scaleup_bytes_per_s=chip.scaleup_bytes_per_s or nic,
        domain=domain,
        node=min(node, domain),
        nic_bytes_per_s=nic,
        port_bytes_per_s=nic,
        ports_per_pair=1,
        nic_stated=chip.nic_bytes_per_s > 0,
    )
