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
}
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
    default, and bands are wider then. `sharp`: the scale-out switches reduce. `ordered`: writes arrive in order, which
    NCCL's LL protocols need (EFA of the first generation does not: aws-ofi-nccl runs it on Simple alone).
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
    adaptive: bool = True
    power_w_per_chip: float = 0.0
    price_usd_per_chip: float = 0.0
    nic_stated: bool = True
    sharp: bool = False
    ordered: bool = True
    torus_dims: int = 3

    def __post_init__(self) -> None:
        problems = [
            Problem("out_of_range", f"fabric '{self.name}': {field} must be {rule}")
            for field, ok, rule in (
                ("domain", self.domain >= 1, "at least 1"),
                ("scaleup_bytes_per_s", self.domain == 1 or self.scaleup_bytes_per_s > 0, "above 0"),
                ("nic_bytes_per_s", self.nic_bytes_per_s > 0, "above 0"),
                ("oversubscription", self.oversubscription >= 1, "at least 1"),
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
        down = int(self.radix * self.planes * self.oversubscription / (1 + self.oversubscription))
        return max(self.domain, down if self.tiers <= 2 else down * self.radix // 2)

    def with_domain(self, domain: int) -> Fabric:
        """The same with another scale-up domain (a rack whose multi-node NVLink is off has 4)."""
        return replace(self, domain=domain, node=min(self.node, domain))


def fabric_from_record(record: Any, chip: Chip, *, node: int = 8, domain: int | None = None) -> Fabric:
    """The `Fabric` of a catalog record under a chip.

    The NIC rate is the record's (what is bought), and the chip's own where it is slower.

    Args:
        record: a catalog record of kind fabric.
        chip: the chip; its `scaleup_domain` is the domain unless `domain` says otherwise.
        node: chips of one host.
        domain: chips of a scale-up domain as wired.
    """
    stated = float(record.nic_bandwidth.value)
    nic = min(stated, chip.nic_bytes_per_s) if chip.nic_bytes_per_s > 0 else stated
    wired = chip.scaleup_domain if domain is None else domain
    port = float(record.port_bandwidth.value) if record.port_bandwidth is not None else nic
    return Fabric(
        name=record.id,
        technology=str(record.technology),
        scaleup=SCALEUP_OF_STACK.get(chip.stack, "switched"),
        generation=chip.generation,
        scaleup_bytes_per_s=chip.scaleup_bytes_per_s,
        domain=max(1, wired),
        node=min(node, max(1, wired)),
        nic_bytes_per_s=nic,
        port_bytes_per_s=min(port, nic),
        ports_per_pair=max(1, round(nic / min(port, nic))),
        tiers=int(record.tiers),
        oversubscription=float(record.oversubscription.value),
        planes=int(record.planes),
        rails=int(record.rails),
        radix=int(record.radix) or 64,
        switch_port_bytes_per_s=port,
        adaptive=bool(record.adaptive),
        power_w_per_chip=float(record.power_per_chip.value),
        price_usd_per_chip=float(record.price_per_chip.value),
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
