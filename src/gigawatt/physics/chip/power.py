"""Watts of a chip and of the rack it stands in, from how busy they are.

Chip (all shares of the data sheet's peak, over the mean step):

    u = memory um^0.76 + compute uc^0.87 + busy_weight busy
    W = cap x limit x (floor + (1 - floor)(1 - exp(-u))),  limit = tdp x the mode's share of it,  idle <= W <= limit

`floor` is a chip with its clocks up that waits, not one that is switched off. The three plateaus: waiting (u = 0),
memory-bound (um = 1, uc = 0, busy = 1), compute-bound (uc = 1). Constants: calibration `chip-power`; serving is met to
9.5 % (H100) and 17 % (B200) in the median on models that were left out.

Rack input = (chips + host + scale-up switches + NICs + fans) / supply efficiency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Box, Chip, PowerMode

Array = NDArray[np.float64]
FULL = PowerMode("full", 1.0, 1.0)


def power_constants(chip: Chip) -> Constants:
    """The serving-power constants that serve `chip`: its own, or those of the nearest kin with a wider band."""
    tables = calibration.record("chip-power").tables
    rows = tables["serving"]
    name, nearness = calibration.kin_of(chip, rows, tables["kin"])
    row = rows[name]
    band = row if nearness == "measured" else tables["band_of_kin"]
    values = {key: float(row[key]) for key in ("floor", "busy", "memory", "compute")}
    return Constants(name, nearness, values, float(band["low"]), float(band["high"]), "chip-power")


def mode_named(box: Box, name: str) -> PowerMode:
    """A power mode of a box by name.

    Raises:
        InputError: the box has no mode of that name.
    """
    for mode in box.modes:
        if mode.name == name:
            return mode
    raise InputError(unknown_name("power mode", name, [mode.name for mode in box.modes]))


def capped(power_share: float, name: str = "capped") -> PowerMode:
    """A mode for a power cap that no vendor speaks of: compute-bound speed ~ cap^0.5, memory-bound speed as it was.

    Raises:
        InputError: the share is not within 0.3 and 1, beyond what the exponent was seen on.
    """
    if not 0.3 <= power_share <= 1.0:
        raise InputError(Problem("out_of_range", f"a power cap of {power_share:g} of the limit is outside 0.3 to 1"))
    exponent = calibration.parameters("chip-power")["cap_exponent"]
    return PowerMode(name, power_share, power_share**exponent, 1.0)


def chip_watts(
    chip: Chip,
    compute_util: ArrayLike,
    memory_util: ArrayLike,
    busy: ArrayLike = 1.0,
    mode: PowerMode | None = None,
) -> Array:
    """Mean watts of one chip in each operating point.

    Args:
        chip: the chip.
        compute_util: achieved flop/s over the dense peak of the precision in use, any shape, 0..1.
        memory_util: achieved bytes/s over the memory's peak.
        busy: share of the time in which kernels run (1 - host time / step time).
        mode: power mode; full power where None. The utilisations are those reached *in* the mode.

    Returns:
        Watts, broadcast over the arguments, between `chip.idle_w` and the mode's power limit.
    """
    fit = power_constants(chip)
    shared = calibration.parameters("chip-power")
    uc = np.clip(np.asarray(compute_util, dtype=np.float64), 0.0, 1.0)
    um = np.clip(np.asarray(memory_util, dtype=np.float64), 0.0, 1.0)
    on = np.clip(np.asarray(busy, dtype=np.float64), 0.0, 1.0)
    drive = (
        fit["memory"] * um ** shared["memory_exponent"]
        + fit["compute"] * uc ** shared["compute_exponent"]
        + fit["busy"] * on
    )
    share = fit["floor"] + (1.0 - fit["floor"]) * -np.expm1(-drive)
    # A power profile lowers clocks and voltage at every load, so it scales the draw and not only the limit: vendors
    # state their savings on whole workloads, most of which stay below the limit.
    limit_w = chip.tdp_w * (FULL if mode is None else mode).power_share
    watts: Array = np.clip(shared["cap"] * limit_w * share, min(chip.idle_w, limit_w), limit_w)
    return watts


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


def box_watts(box: Box, chip_w: ArrayLike, load: ArrayLike = 1.0) -> BoxWatts:
    """Input watts of a rack whose chips draw `chip_w` each.

    Hosts fall to `host_idle_share` when idle; fans follow the chips' heat with `fan_exponent`; switches and NICs draw
    the same always (links stay up).

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
