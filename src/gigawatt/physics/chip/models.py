"""Device models of plug-ins: seconds of kernels and watts of a chip, in place of the measured floor and its constants.

An accelerator's record names one, `device_model: my-sim`, and an installed package brings it under the entry-point group
`gigawatt.devices`. It is asked through the doors that every search goes through:

    seconds   `kernels.kernel_seconds`: rows of one kernel family at one precision, with their FLOPs and bytes
    watts     `power.chip_watts`, `kernel_power.mean_watts`, `serving.power.phase_watts`: shares of peak and of the time

so joules are watts times seconds, and serving, training and single operators hold together. Columns go in, one column comes
out; what is of another shape, not finite or not positive is refused with the name of the plug-in and the row.

What stays of the built-in models is what is no chip's: hosts, launches of engines, messages, power modes. A mode scales or caps
the watts as it does for any chip, and no chip draws less than its idle watts or more than its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core import plugins
from gigawatt.physics.chip.counts import work_of
from gigawatt.physics.chip.device import Chip

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KernelRows:
    """Kernels of one family and precision on one chip: columns of one length.

    `columns` are the family's own (`kernels.FAMILIES[family].needs` and its options: `window`, `context`, ...), `flags` its
    switches (`fused_quantise`, `cold`). `flops` and `bytes_moved` follow from them (`counts`); `peak_flops` is the dense peak
    of the precision, flop/s.
    """

    chip: Chip
    family: str
    precision: str
    columns: Mapping[str, Array]
    flags: Mapping[str, bool]
    flops: Array
    bytes_moved: Array
    peak_flops: float


@dataclass(frozen=True, slots=True)
class Activity:
    """How busy one chip is, columns of one length, each 0 to 1: achieved flop/s and bytes/s over the data sheet's peaks, and
    the share of the time in which kernels run."""

    chip: Chip
    compute_util: Array
    memory_util: Array
    busy: Array


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A plug-in's model of one or more chips.

    seconds:  KernelRows -> seconds of each row, launch included
    watts:    Activity -> mean watts of the chip in each row, at full power; None: the built-in model of the chip's kin
    band:     80 % range of measured over modelled seconds, such as (0.8, 1.25)
    says:     one sentence on what the model is and how well it is known; stands among a result's assumptions
    """

    seconds: Callable[[KernelRows], ArrayLike]
    watts: Callable[[Activity], ArrayLike] | None
    band: tuple[float, float]
    says: str

    def __post_init__(self) -> None:
        low, high = self.band
        if not 0.0 < low <= 1.0 <= high < np.inf:
            raise ValueError(f"band {self.band} of a device model: two factors around 1, such as (0.8, 1.25)")


def device_model(name: str) -> DeviceModel:
    """The device model of that name, its use noted.

    Raises:
        InputError: no installed package brings it, or the one that does can not be used.
    """
    return plugins.named(plugins.DEVICES, name, DeviceModel)


def modelled_seconds(chip: Chip, family: str, precision: str, peak_flops: float, asked: Mapping[str, Any]) -> Array:
    """Seconds of kernels by the chip's device model, in the shape that the columns broadcast to.

    Raises:
        PluginError: the model failed, or answered something else than a positive number a row.
    """
    model = device_model(chip.device_model)
    flags = {name: value for name, value in asked.items() if isinstance(value, bool)}
    given = {
        name: np.asarray(value, np.float64) for name, value in asked.items() if name not in flags and value is not None
    }
    shape = np.broadcast_shapes((1,), *(column.shape for column in given.values()))
    columns = {name: np.ravel(np.broadcast_to(column, shape)) for name, column in given.items()}
    flops, moved = work_of(family, precision, columns)
    rows = KernelRows(chip, family, precision, columns, flags, flops, moved, peak_flops)
    found = _asked(chip, "seconds", f"{family}, {precision}", model.seconds, rows, len(flops))
    wrong = ~np.isfinite(found) | (found < 0.0) | ((found <= 0.0) & (flops + moved > 0.0))
    if np.any(wrong):
        row = int(np.argmax(wrong))
        sizes = ", ".join(f"{name} {float(column[row]):g}" for name, column in columns.items())
        _refuse(chip, f"its seconds are {found[row]:g} for a kernel {family}, {precision} with {sizes}")
    return found.reshape(shape)


def modelled_watts(chip: Chip, compute_util: ArrayLike, memory_util: ArrayLike, busy: ArrayLike = 1.0) -> Array | None:
    """Mean watts at full power by the chip's device model, before any mode; None where it has no model of watts.

    Raises:
        PluginError: the model failed, or answered something else than a number a row that is not negative.
    """
    model = device_model(chip.device_model)
    if model.watts is None:
        return None
    given = np.broadcast_arrays(
        *(np.clip(np.asarray(x, np.float64), 0.0, 1.0) for x in (compute_util, memory_util, busy))
    )
    flat = [np.ravel(column) for column in given]
    found = _asked(chip, "watts", "a chip's load", model.watts, Activity(chip, *flat), flat[0].size)
    wrong = ~np.isfinite(found) | (found < 0.0)
    if np.any(wrong):
        row = int(np.argmax(wrong))
        at = f"{flat[0][row]:g} of the flop/s, {flat[1][row]:g} of the bytes/s, busy {flat[2][row]:g}"
        _refuse(chip, f"its watts are {found[row]:g} at {at}")
    return found.reshape(given[0].shape)


def _asked(chip: Chip, what: str, of: str, function: Callable[[Any], ArrayLike], argument: Any, rows: int) -> Array:
    plugin = plugins.find(plugins.DEVICES, chip.device_model)
    assert plugin is not None
    with plugins.guarded(plugin, f"its {what} of {of} on {chip.name} failed"):
        found = np.asarray(function(argument), dtype=np.float64)
    if found.shape != (rows,):
        _refuse(chip, f"its {what} of {of} have the shape {found.shape}, and ({rows},) was asked for")
    return found


def _refuse(chip: Chip, wrong: str) -> None:
    plugin = plugins.find(plugins.DEVICES, chip.device_model)
    assert plugin is not None
    raise plugins.PluginError(plugin, f"{wrong} (accelerator '{chip.name}')")
