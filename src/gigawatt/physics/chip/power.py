"""Watts of a chip over the mean step of a workload, from how busy it is; `node` adds what stands beside it.

All shares of the data sheet's peak, over the mean step:

    u = memory um^0.76 + compute uc^0.87 + busy_weight busy
    W = cap x limit x (floor + (1 - floor)(1 - exp(-u))),  limit = tdp x the mode's share of it,  idle <= W <= limit

`floor` is a chip with its clocks up that waits, not one that is switched off. The three plateaus: waiting (u = 0),
memory-bound (um = 1, uc = 0, busy = 1), compute-bound (uc = 1). Constants: calibration `chip-power`; serving is met to
9.5 % (H100) and 17 % (B200) in the median on models that were left out. Time in which the chip only waits for messages draws
`kernel_power.comm_watts`, and the mean is over time. Single operators: `kernel_power`; caps and locks: `clocks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Box, Chip, PowerMode
from gigawatt.physics.chip.kernel_power import comm_watts
from gigawatt.physics.chip.models import modelled_watts
from gigawatt.physics.chip.node import BoxWatts, box_watts

Array = NDArray[np.float64]
FULL = PowerMode("full", 1.0, 1.0)

__all__ = ["FULL", "BoxWatts", "box_watts", "capped", "chip_watts", "mode_named", "power_constants"]


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
    comm_share: ArrayLike = 0.0,
) -> Array:
    """Mean watts of one chip in each operating point.

    Args:
        chip: the chip.
        compute_util: achieved flop/s over the dense peak of the precision in use, any shape, 0..1.
        memory_util: achieved bytes/s over the memory's peak.
        busy: share of the time in which kernels run (1 - host time / step time).
        mode: power mode; full power where None. The utilisations are those reached *in* the mode.
        comm_share: share of the time in which the chip only waits for messages (links half busy); the utilisations and `busy`
            are then those of the other time.

    Returns:
        Watts, broadcast over the arguments, between `chip.idle_w` and the mode's power limit.
    """
    uc = np.clip(np.asarray(compute_util, dtype=np.float64), 0.0, 1.0)
    um = np.clip(np.asarray(memory_util, dtype=np.float64), 0.0, 1.0)
    on = np.clip(np.asarray(busy, dtype=np.float64), 0.0, 1.0)
    share = _share(chip, uc, um, on)
    setting = FULL if mode is None else mode
    limit_w = chip.tdp_w * setting.power_share
    # A mode that leaves memory at full speed is a cap: clocks fall only where the draw exceeds it. A profile that slows memory
    # too lowers clocks and voltage at every load, so it scales the draw and not only the limit: vendors state their savings on
    # whole workloads, most of which stay below the limit.
    scale_w = chip.tdp_w if setting.memory_share >= 1.0 else limit_w
    watts: Array = np.clip(scale_w * share, min(chip.idle_w, limit_w), limit_w)
    waits = np.clip(np.asarray(comm_share, dtype=np.float64), 0.0, 1.0)
    if bool(np.any(waits > 0.0)):
        # Work that draws less than its own waiting is never lifted by it.
        waiting_w = np.minimum(comm_watts(chip, 0.5), watts)
        watts = watts + waits * (waiting_w - watts)
    return watts


def _share(chip: Chip, uc: Array, um: Array, on: Array) -> Array:
    """Watts over the power limit, before a mode: of the chip's device model where it has one."""
    modelled = modelled_watts(chip, uc, um, on) if chip.device_model else None
    if modelled is not None:
        return modelled / chip.tdp_w
    fit = power_constants(chip)
    shared = calibration.parameters("chip-power")
    drive = (
        fit["memory"] * um ** shared["memory_exponent"]
        + fit["compute"] * uc ** shared["compute_exponent"]
        + fit["busy"] * on
    )
    share: Array = shared["cap"] * (fit["floor"] + (1.0 - fit["floor"]) * -np.expm1(-drive))
    return share
