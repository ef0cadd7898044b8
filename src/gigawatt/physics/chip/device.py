"""One accelerator, and the box it stands in, as plain SI numbers: all that physics needs of the catalog's records.

A chip is a GPU package (a B200 has two dies and is one). Bandwidths are one way. Peaks are dense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Fewer multiprocessors than this are no count of tensor-core units (a TPU core, a wafer).
FEWEST_SMS = 16
GENERIC_SMS = 128.0


@dataclass(frozen=True, slots=True)
class Chip:
    """Datasheet numbers of one accelerator.

    `generation` names the kin whose calibration serves (ampere, hopper, blackwell, blackwell-ultra, rubin, cdna3, cdna4,
    tpu, neuron, ascend, gaudi, ada); `stack` the software (cuda, rocm, xla, neuron, cann, ...); `peak_flops` maps
    bf16, fp8, fp4, int8, tf32, fp64 to dense flop/s. `anchors` maps 'gemm/bf16' and the like to the seconds of the one
    kernel that `kernels.anchor_for` names, where somebody measured it. `device_model` names the plug-in's model that gives
    its seconds and watts ('' for the calibrations).
    """

    name: str
    vendor: str
    generation: str
    stack: str
    peak_flops: Mapping[str, float]
    memory_bytes: float
    memory_bytes_per_s: float
    scaleup_bytes_per_s: float
    scaleup_domain: int
    nic_bytes_per_s: float
    tdp_w: float
    idle_w: float = 0.0
    sms: int = 0
    l2_bytes: float = 0.0
    anchors: Mapping[str, float] = field(default_factory=dict)
    device_model: str = ""


def multiprocessors(chip: Chip) -> float:
    """Multiprocessors; a generic number where the chip has no such units."""
    return float(chip.sms) if chip.sms >= FEWEST_SMS else GENERIC_SMS


@dataclass(frozen=True, slots=True)
class PowerMode:
    """A power profile of a chip: a share of its full power budget against a share of its full speed, by what binds."""

    name: str
    power_share: float
    compute_share: float
    memory_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rack (or node) of a platform: how many chips, and the watts that stand beside them.

    `host_w` (CPUs, memory, boards), `fabric_w` (scale-up switches), `nic_w`, `fan_w`, `storage_w` are per rack at full load;
    `supply_efficiency` is rack input to component.
    """

    name: str
    chip: Chip
    chips: int
    chips_per_node: int
    host_w: float
    fabric_w: float
    nic_w: float
    fan_w: float
    supply_efficiency: float
    modes: tuple[PowerMode, ...] = field(default_factory=lambda: (PowerMode("full", 1.0, 1.0),))
