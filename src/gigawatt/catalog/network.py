"""Records of networks: the scale-up domain of a chip, host links and long links, scale-out designs, the parts to buy.

Bandwidths are bytes/s one way. A domain counts chips (packages). Watts and prices of a scale-out design follow from its
parts, wherever switch, radix and optic are stated: nobody types them in.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Count, DataRate, Length, Money, Power, Share, Time
from gigawatt.catalog.record import Record

ScaleupTechnology = Literal[
    "nvlink", "xgmi", "ualink", "ici", "neuronlink", "ub", "gaudi-roce", "ethernet", "c2c", "unknown"
]
ScaleupTopology = Literal["switched", "mesh", "ring", "torus2d", "torus3d"]
Topology = Literal["fat_tree", "rail_fat_tree", "dragonfly_plus", "torus"]
Routing = Literal["ecmp", "adaptive", "spray"]
DIMENSIONS = {"ring": 1, "torus2d": 2, "torus3d": 3}


class Scaleup(Record):
    """A scale-up domain: the chips that share one memory-like network, and what it is made of.

    `bandwidth` is of one chip over all its `links`, one way. `domain` counts chips. A torus has its full `shape`, one
    number a dimension, and `reconfigurable` says that optical switches cut other shapes from it. `reduces` is reduction
    inside the switch, which changes all-reduce alone. `switches` are chips of the part `switch` for each domain; their
    watts and price stand in the platform, and `power` tells them where a source does. `cables` counts separate cables
    of a domain, 0 where it is a board or where no source counts them.
    """

    technology: ScaleupTechnology
    topology: ScaleupTopology
    generation: str = ""
    status: str = ""
    domain: int = Field(ge=1)
    links: int = Field(0, ge=0)
    bandwidth: DataRate | None = None
    shape: tuple[int, ...] = ()
    reconfigurable: bool = False
    reduces: bool = False
    switch: str = ""
    switches: int = Field(0, ge=0)
    cables: int = Field(0, ge=0)
    power: Power | None = None
    latency: Time | None = None
    flags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _torus(self) -> Self:
        dimensions = DIMENSIONS.get(self.topology, 0)
        if len(self.shape) != dimensions:
            raise ValueError(f"a {self.topology} has {dimensions} dimensions, and 'shape' gives {len(self.shape)}")
        if self.shape and math.prod(self.shape) != self.domain:
            raise ValueError(f"the shape {self.shape} holds {math.prod(self.shape)} chips, and 'domain' {self.domain}")
        if self.switches and not self.switch:
            raise ValueError("'switches' counts pieces of the part that 'switch' names: name it")
        return self


class Link(Record):
    """A link that is no network: from a host to one accelerator, or fibre over a distance.

    `bandwidth` is one way, of all lanes. `latency` is of one copy or one remote load; `latency_per_km` the time light
    takes for a kilometre of fibre, one way, and `attenuation_db_per_km` what it loses on it.
    """

    link_kind: Literal["host", "fibre"]
    technology: str
    lanes: int = Field(0, ge=0)
    bandwidth: DataRate | None = None
    latency: Time | None = None
    coherent: bool = False
    latency_per_km: Time | None = None
    attenuation_db_per_km: Count | None = None
    flags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = ("bandwidth",) if self.link_kind == "host" else ("latency_per_km", "attenuation_db_per_km")
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a link of kind '{self.link_kind}' needs {', '.join(missing)}")
        return self


class Fabric(Record):
    """A scale-out network design: its topology, its switch, how it routes.

    `oversubscription` is down to up at the leaves (1 = non-blocking, 7 = 1:7), or above pods of `pod_endpoints` where
    that is given; `leaf_endpoints` is what a leaf carries where it is not as many as its ports allow. `planes` parallel
    copies each carry `nic_bandwidth / planes`. `queue_pairs` is how many flows two NICs share their traffic over, which
    decides what `ecmp` reaches and is nothing to `adaptive` and `spray`.

    `switch`, `optic`, `nic_optic`, `nic`, `host_cable` and `cable` are network parts. Watts and dollars of switches and
    optics for each chip are computed from them at `reference_endpoints`. `power_per_chip` and `price_per_chip` replace
    that where the design is not published, as in clouds; NICs stand in the platform either way.

    `efficiency` is the share of NIC line rate that large messages reach; `hop_latency` a network step's. `collective_model` is
    a plug-in's (group `gigawatt.fabrics`), which then times the collectives.
    """

    technology: Literal[
        "infiniband", "ethernet", "roce", "efa", "tcpx", "tcpxo", "ici", "neuronlink", "ub", "slingshot"
    ]
    vendor: str = ""
    topology: Topology = "fat_tree"
    tiers: int = Field(ge=1, le=3)
    oversubscription: Share
    planes: int = Field(1, ge=1)
    rails: int = Field(8, ge=1)
    nic_bandwidth: DataRate
    switch: str = ""
    radix: int | None = Field(None, ge=2)
    port_bandwidth: DataRate | None = None
    leaf_endpoints: int = Field(0, ge=0)
    pod_endpoints: int = Field(0, ge=0)
    optic: str = ""
    nic_optic: str = ""
    nic: str = ""
    host_cable: str = ""
    cable: str = ""
    routing: Routing = "ecmp"
    queue_pairs: int = Field(1, ge=1)
    sharp: bool = False
    efficiency: Share
    hop_latency: Time
    power_per_chip: Power | None = None
    price_per_chip: Money | None = None
    reference_endpoints: int = Field(ge=1)
    collective_model: str = ""
    flags: tuple[str, ...] = ()

    @property
    def stated(self) -> bool:
        """True where the design is known down to its parts, so that watts and price follow from them."""
        return bool(self.switch and self.radix and self.port_bandwidth and self.optic)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = []
        if self.oversubscription.value < 1:
            wrong.append(
                f"'oversubscription' is down to up, at least 1 and not {self.oversubscription.value:g}"
                f" (did you mean {1 / max(self.oversubscription.value, 1e-9):g}?)"
            )
        if not self.stated and (self.power_per_chip is None or self.price_per_chip is None):
            wrong.append(
                "give 'switch', 'radix', 'port_bandwidth' and 'optic', from which watts and price follow,"
                " or 'power_per_chip' and 'price_per_chip' themselves"
            )
        if self.pod_endpoints and (self.tiers < 3 or self.pod_endpoints < self.leaf_endpoints):
            wrong.append("'pod_endpoints' needs three tiers, and a pod holds one leaf at least")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class Netpart(Record):
    """A part of a network or a host: switch, NIC, DPU, optic, cable, CPU.

    A switch's watts are without optics, unless they are `co_packaged`. An optic or an active cable has the watts of one
    end. `reach` is the longest run.
    """

    part_kind: str
    port_bandwidth: DataRate | None = None
    ports: int | None = None
    ports_note: str = ""
    aggregate_bandwidth: DataRate | None = None
    power_typical: Power | None = None
    power_max: Power | None = None
    latency: Time | None = None
    reach: Length | None = None
    co_packaged: bool = False
    host_interface: str = ""
    price: Money | None = None
    flags: tuple[str, ...] = ()
