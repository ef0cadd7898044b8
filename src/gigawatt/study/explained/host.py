"""A platform as `serve` and `train` meet it: watts of a chip up to the meter, and the facts that its speed rests on.

rack input of a chip = (watts of the chip + watts beside the chips / chips) / efficiency of supplies + its network
meter                = rack input x meter watts per watt of IT, in the design hour of the facility
"""

from __future__ import annotations

from collections.abc import Sequence

from gigawatt.catalog import Catalog
from gigawatt.catalog.records import Accelerator, Fabric, Platform
from gigawatt.physics.site import chain_from_record
from gigawatt.study.explain import Node, choice, fact, fitted, node, of_datum, worked
from gigawatt.study.explained.once import Keeper, once
from gigawatt.study.explained.options import option
from gigawatt.study.explained.power import meter_node
from gigawatt.study.explained.wires import network_node
from gigawatt.study.hosts import Host, Task
from gigawatt.study.network import network_of

BESIDE = ("hosts", "scale-up network", "NICs", "fans", "storage")
SPEED = ("chip-gemm", "chip-stream", "fabric-collectives")


class HostTrees(Keeper):
    """The trees of one host.

    Args:
        host: where it runs.
        catalog: its records.
        task: serving or training.
        fabric, facility: the question's; '' takes the platform's fabric.
        maturity: speed of software that the question states; None takes the platform's.
        given: options of the question that were stated.
    """

    def __init__(
        self,
        host: Host,
        catalog: Catalog,
        task: Task,
        fabric: str,
        facility: str,
        maturity: float | None,
        given: Sequence[str],
    ) -> None:
        super().__init__()
        self.host, self.catalog, self.task, self.given = host, catalog, task, given
        known = host.place in catalog.ids("platform")
        self.platform: Platform | None = catalog.get("platform", host.place) if known else None
        name = self.platform.accelerator if self.platform is not None else host.place
        self.accelerator: Accelerator = catalog.get("accelerator", name)
        self.facility, self.maturity = facility, maturity
        wires = fabric or (str(self.platform.fabric) if self.platform is not None else "")
        self.fabric: Fabric | None = catalog.get("fabric", wires) if wires else None

    @once
    def speed_facts(self) -> list[Node]:
        """What the speed of a chip rests on: peaks, memory, links, software, calibrations of its kernels and messages."""
        chip = self.accelerator
        rows = [of_datum(f"peak, {name}, dense", peak) for name, peak in chip.peak_flops.items()]
        facts = (
            ("memory bandwidth", chip.memory_bandwidth),
            ("memory", chip.memory),
            ("scale-up bandwidth, one way", chip.scaleup_bandwidth),
            ("NIC bandwidth", chip.nic_bandwidth),
        )
        rows += [of_datum(f"{name} of {chip.name or chip.id}", datum) for name, datum in facts if datum is not None]
        rows += [self.software(), *self.wires()]
        return rows + [fitted(self.catalog.get("calibration", name)) for name in SPEED]

    def wires(self) -> list[Node]:
        """The scale-out network."""
        return (
            [fact("fabric", self.fabric, "name", self.fabric.name or self.fabric.id)] if self.fabric is not None else []
        )

    @once
    def software(self) -> Node:
        """Speed of the platform's software over that of the calibrations."""
        if self.maturity is not None:
            return option("maturity", "speed of software", self.maturity, "x", self.given)
        if self.platform is None:
            record = self.catalog.get("calibration", "software-maturity")
            return node("calibration", "calibration/software-maturity: speed of software, as calibrated", 1.0, "x",
                        record.source, path="calibration/software-maturity")  # fmt: skip
        level = of_datum(f"{self.task} software over the calibrations' own", getattr(self.platform.software, self.task))
        if level["value"] == self.host.speed:
            return level
        return node(
            "formula", "speed of software", self.host.speed, "x", "its level is in the constants of the fit", [level]
        )

    @once
    def power_facts(self, mode: str) -> list[Node]:
        """What the watts of a chip rest on."""
        chip = self.accelerator
        rows = [fitted(self.catalog.get("calibration", "chip-power"))]
        rows += [of_datum(f"rating of {chip.name or chip.id}", chip.tdp)] if chip.tdp is not None else []
        rows += (
            [of_datum(f"idle power of {chip.name or chip.id}", chip.idle_power)] if chip.idle_power is not None else []
        )
        modes = self.platform.modes if self.platform is not None else ()
        rows += [of_datum(f"mode {m.name}: share of full power", m.power_share) for m in modes if m.name == mode]
        return rows

    def meter(self, chip: Node) -> Node:
        """Watts at the meter of a chip that draws `chip`; the chip's own where no platform is known."""
        host, platform = self.host, self.platform
        if platform is None or host.beside_w is None or host.network_w is None or self.fabric is None:
            return chip
        count = fact("chips of a rack", platform, "chips_per_rack", platform.chips_per_rack, "chips")
        beside = [of_datum(f"{name} of a rack", part) for name, part in zip(BESIDE, platform.beside_power, strict=True)]
        rack = worked(
            "sum", "beside the chips of a rack", "W", [b for b in beside if b["value"]] or beside, host.beside_w
        )
        each = worked("ratio", "beside a chip", "W", [rack, count])
        inside = worked("sum", "a chip and what stands beside it", "W", [chip, each])
        supply = of_datum("efficiency of supplies", platform.supply_efficiency)
        supplied = worked("ratio", "through the supplies", "W", [inside, supply])
        wired = network_of(self.fabric, platform, self.accelerator, self.catalog)
        network = network_node(wired, self.fabric, "power", "scale-out network of a chip", self.catalog)
        if abs(wired.power.value - host.network_w) > 1e-9 * host.network_w:
            network = node(
                "formula", "scale-out network of a chip", host.network_w, "W", "of the fabric asked for", self.wires()
            )
        it = worked("sum", "a chip at the rack's input", "W", [supplied, network])
        return worked("product", "a chip at the meter", "W", [it, self.pue()])

    @once
    def pue(self) -> Node:
        """Meter watts over rack-input watts of the facility in its design hour."""
        facility = self.catalog.get("facility", self.facility)
        redundancy = [
            of_datum("UPS modules that carry the load", facility.ups_modules),
            fact("redundancy", facility, "redundancy", facility.redundancy),
        ]
        cooling = facility.cooling
        weather = [of_datum("dry bulb of the design hour", cooling.design_dry_bulb),
                   of_datum("wet bulb of the design hour", cooling.design_wet_bulb)]  # fmt: skip
        named = option("facility", "facility", self.facility, "", self.given)
        return meter_node(facility, chain_from_record(facility), [*redundancy, named], weather)

    def place(self) -> Node:
        """The platform that was asked for."""
        return option("on", "platform", self.host.label, "", self.given)


def runner_up(label: str, value: float | None, unit: str, source: str) -> list[Node]:
    """What came second among operating points; nothing where there was one."""
    return [choice(f"runner-up: {label}", value, unit, source)] if label else []
