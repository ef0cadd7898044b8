"""Input watts of a rack or node by part: chips, hosts, scale-up switches, NICs, fans and what conversion loses.

    input = (chips + hosts + switches + NICs + fans) / supply efficiency

Hosts fall to `host_idle_share` when idle; fans follow the chips' heat with `fan_exponent`; switches and NICs draw the same
always, as links stay up. The watts of the parts at full load are platform data, with their sources; the shares and exponents
are parameters of calibration `chip-power`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.device import Box

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BoxWatts:
    """Rack input watts by part; every field is an array of the same shape, and the parts sum to `total_w`.

    `host_w` includes the rack's share of storage.
    """

    chips_w: Array
    host_w: Array
    fabric_w: Array
    nic_w: Array
    fan_w: Array
    loss_w: Array

    @property
    def total_w(self) -> Array:
        """Watts at the rack's input (IT watts)."""
        total: Array = self.chips_w + self.host_w + self.fabric_w + self.nic_w + self.fan_w + self.loss_w
        return total

    @property
    def parts(self) -> Mapping[str, Array]:
        """Watts by part."""
        return {
            "chips": self.chips_w,
            "hosts": self.host_w,
            "scale-up switches": self.fabric_w,
            "nics": self.nic_w,
            "fans": self.fan_w,
            "conversion": self.loss_w,
        }

    @property
    def shares(self) -> Mapping[str, Array]:
        """Each part over the input; they sum to 1."""
        return {name: part / self.total_w for name, part in self.parts.items()}


def box_watts(box: Box, chip_w: ArrayLike, load: ArrayLike = 1.0) -> BoxWatts:
    """Input watts of a rack whose chips draw `chip_w` each.

    Args:
        box: the rack.
        chip_w: mean watts of one chip, any shape.
        load: share of the rack's work that is done, 0..1, for the hosts.
    """
    shared = calibration.parameters("chip-power")
    each, work = np.broadcast_arrays(np.asarray(chip_w, dtype=np.float64), np.asarray(load, dtype=np.float64))
    heat = np.clip(each / box.chip.tdp_w, 0.0, 1.0)
    idle = shared["host_idle_share"]
    chips_w = box.chips * each
    host_w = box.host_w * (idle + (1.0 - idle) * np.clip(work, 0.0, 1.0))
    fan_idle = shared["fan_idle_share"]
    fan_w = box.fan_w * (fan_idle + (1.0 - fan_idle) * heat ** shared["fan_exponent"])
    fabric_w = np.full_like(chips_w, box.fabric_w)
    nic_w = np.full_like(chips_w, box.nic_w)
    parts_w = chips_w + host_w + fan_w + fabric_w + nic_w
    return BoxWatts(chips_w, host_w, fabric_w, nic_w, fan_w, parts_w * (1.0 / box.supply_efficiency - 1.0))


def node_of(box: Box, fans: bool = True) -> Box:
    """One node of a rack as a box of its own, each part its share; `fans=False` where liquid takes all the heat."""
    share = box.chips_per_node / box.chips
    return replace(
        box,
        chips=box.chips_per_node,
        host_w=box.host_w * share,
        fabric_w=box.fabric_w * share,
        nic_w=box.nic_w * share,
        fan_w=box.fan_w * share * fans,
    )
