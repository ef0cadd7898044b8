"""Records of what is bought: accelerators, and platforms (a rack as sold).

Conventions of every number here: an accelerator is one package; peaks are dense; bandwidths are one way; memory is what
the vendor states unless a flag says otherwise; prices are USD of the date given.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Bytes, ComputeRate, Count, DataRate, Money, Power, Share, Strict, Time
from gigawatt.catalog.record import Record
from gigawatt.core.datum import Datum

Precision = Literal["fp64", "tf32", "bf16", "fp8", "fp6", "fp4", "int8"]


class Accelerator(Record):
    """One accelerator package.

    `generation` names the kin whose calibration serves and `stack` the software it runs. `scaleup_domain` is how many
    packages share the scale-up network at most; what a platform wires up may be less. `scaleup` is the record of that
    network, and its bandwidth and size agree with the ones here. A field that is missing was found
    in no source. `anchors` are seconds of single kernels measured on a chip that no table covers ('gemm/bf16': 55 us):
    which kernel each name asks for, `catalog show` tells. `device_model` is a plug-in's (group `gigawatt.devices`), whose
    seconds and watts replace those of the calibrations. `flags` name the traps of its data sheet: sparse figures, both
    directions, die or package, GiB.
    """

    vendor: str
    year: int | None = None
    status: str = ""
    generation: str
    stack: str
    form: str = ""
    peak_flops: dict[Precision, ComputeRate]
    memory: Bytes | None = None
    memory_type: str = ""
    memory_bandwidth: DataRate | None = None
    scaleup_bandwidth: DataRate | None = None
    scaleup_domain: int = Field(1, ge=1)
    scaleup_technology: str = ""
    scaleup: str = ""
    nic_bandwidth: DataRate | None = None
    tdp: Power | None = None
    tdp_term: str = ""
    idle_power: Power | None = None
    sms: int = Field(0, ge=0)
    l2: Bytes | None = None
    l2_note: str = ""
    node_nm: float | None = None
    price: Money | None = None
    anchors: dict[str, Time] = Field(default_factory=dict)
    device_model: str = ""
    flags: tuple[str, ...] = ()


class Mode(Strict):
    """A power profile: share of the full power of the accelerators against share of their full speed, by what binds."""

    name: str
    power_share: Share
    compute_share: Share
    memory_share: Share
    source: str = ""
    kind: str = ""
    as_of: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if min(self.power_share.value, self.compute_share.value, self.memory_share.value) <= 0:
            raise ValueError(f"mode '{self.name}' has a share of zero: a mode that is off is no mode")
        return self


class Maturity(Strict):
    """Speed of the platform's software relative to the stack that the calibrations were fitted on (1 = the same)."""

    serving: Share
    training: Share
    source: str = ""
    kind: str = ""
    as_of: str = ""


class Platform(Record):
    """What one buys: a rack (or pod) of an accelerator with its hosts, as one unit of the plan.

    Powers are per rack at full load, beside the accelerators' own, before the loss of the power supplies:
    rack input = (chips x chip power + host + scale-up + NIC + fan + storage) / `supply_efficiency`.
    `list_price` is all IT of a rack position: servers, scale-up, and its share of scale-out network and storage;
    `network_share` and `storage_share` are parts of it, so that a network priced from its own parts replaces the first.
    `rack_price` is the rack alone where it is quoted. `production_cost_share` is the vendor's own cost per dollar of
    list. `host` is the record of its CPU, empty where no source names it; `chips_per_host` accelerators share a socket.
    `scaleup` is the record of the network that `scaleup_domain` of its chips share, empty where nothing is known of it.
    """

    vendor: str
    accelerator: str
    unit: str = "rack"
    chips_per_rack: int = Field(ge=1)
    chips_per_node: int = Field(ge=1)
    scaleup_domain: int = Field(ge=1)
    scaleup: str = ""
    host: str = ""
    chips_per_host: float = Field(0, ge=0)
    host_power: Power
    scaleup_power: Power
    nic_power: Power
    fan_power: Power
    storage_power: Power
    supply_efficiency: Share
    list_price: Money | None = None
    network_share: Share | None = None
    storage_share: Share | None = None
    rack_price: Money | None = None
    production_cost: Money | None = None
    production_cost_share: Share | None = None
    modes: tuple[Mode, ...] = Field(min_length=1)
    software: Maturity
    allin_power_per_chip: Power | None = None
    rack_power_rated: Power | None = None
    node_power_rated: Power | None = None
    cooling: Literal["air", "liquid"]
    fabric: str
    life_years: Count
    flags: tuple[str, ...] = ()

    @property
    def beside_power(self) -> tuple[Datum, ...]:
        """Watts of a rack beside its accelerators, part by part: host, scale-up, NICs, fans, storage."""
        return (self.host_power, self.scaleup_power, self.nic_power, self.fan_power, self.storage_power)

    @property
    def beside_power_w(self) -> float:
        """Their sum."""
        return float(sum(part.value for part in self.beside_power))
