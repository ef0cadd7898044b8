"""One accelerator and its rack: how long a kernel takes, how many watts it draws."""

from gigawatt.physics.chip.adapt import box_from_record, chip_from_record
from gigawatt.physics.chip.device import Box, Chip, PowerMode
from gigawatt.physics.chip.host import HostPath, host_path
from gigawatt.physics.chip.kernel_power import operator_watts
from gigawatt.physics.chip.kernels import Kernels, calibration_for, kernel_seconds, peak_of
from gigawatt.physics.chip.operators import Numerics, OperatorCosts, run_operators
from gigawatt.physics.chip.power import (
    BoxWatts,
    box_watts,
    capped,
    chip_watts,
    mode_named,
    power_constants,
)
from gigawatt.physics.chip.software import Support, families_of, support

__all__ = [
    "Box",
    "BoxWatts",
    "Chip",
    "HostPath",
    "Kernels",
    "Numerics",
    "OperatorCosts",
    "PowerMode",
    "Support",
    "box_from_record",
    "box_watts",
    "calibration_for",
    "capped",
    "chip_from_record",
    "chip_watts",
    "families_of",
    "host_path",
    "kernel_seconds",
    "mode_named",
    "operator_watts",
    "peak_of",
    "power_constants",
    "run_operators",
    "support",
]
