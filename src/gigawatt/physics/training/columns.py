"""Columns that the step-time model takes: the machine and the mapping of a job onto it, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.training.calibration import PEAK_KEY

NIC_WHERE_UNSTATED_BYTES_PER_S = 25e9  # assumed: 200 Gb/s a chip


@dataclass(frozen=True, slots=True)
class Machine:
    """Datasheet numbers of a row's accelerator and network; bandwidths one way, peaks dense.

    `headroom_w_per_tflops` is power limit over 16-bit peak: what a power-limited chip may spend on a FLOP.
    `nic_bytes_per_s` is per chip.
    """

    peak_flops: Any
    memory_bytes: Any
    hbm_bytes_per_s: Any
    scaleup_bytes_per_s: Any
    scaleup_domain: Any
    nic_bytes_per_s: Any
    headroom_w_per_tflops: Any

    def take(self, rows: NDArray[np.intp]) -> Machine:
        """The rows named, where fields are columns."""
        return Machine(*(_take(getattr(self, f.name), rows) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a job is laid over its chips; one row a candidate.

    `chips` = tp * pp * dp * cp. `ep` is the expert-parallel degree (inside dp * cp * tp). `vpp` is the number of model
    chunks a stage holds (1 = plain 1F1B). `recompute` is the share of layers whose forward pass is run again in the
    backward pass, `selective` (0 or 1) recomputes the attention core alone. `sequence_parallel`, `lora` are 0 or 1.
    `sharding` is 0 (replicated), 1 (optimizer sharded over data-parallel ranks) or 3 (weights and gradients too).
    `global_batch` and `micro_batch` are in sequences of `seq` tokens.
    """

    chips: Any
    tp: Any
    pp: Any
    vpp: Any
    dp: Any
    cp: Any
    ep: Any
    micro_batch: Any
    global_batch: Any
    seq: Any
    recompute: Any = 0.0
    selective: Any = 0.0
    sequence_parallel: Any = 1.0
    sharding: Any = 1.0
    lora: Any = 0.0

    def take(self, rows: NDArray[np.intp]) -> Mapping:
        """The rows named, where fields are columns."""
        return Mapping(*(_take(getattr(self, f.name), rows) for f in fields(self)))

    @property
    def micro_batches(self) -> Any:
        """Micro-batches a rank runs in a step, at least one."""
        return np.maximum(self.global_batch / (self.dp * self.micro_batch), 1.0)


def _take(value: Any, rows: NDArray[np.intp]) -> Any:
    return value[rows] if isinstance(value, np.ndarray) and value.ndim else value


def machine_of(chip: Chip, width: str, nic_bytes_per_s: float | None = None) -> Machine:
    """The machine of one chip at a precision width ('16', '8', 'mx8', '4').

    A chip without an 8- or 4-bit peak runs the matrices in 16 bit (its 16-bit peak is taken).

    Raises:
        InputError: the chip has neither a 16- nor an 8-bit peak.
    """
    eight = chip.peak_flops.get("fp8") or chip.peak_flops.get("int8") or 0.0
    peak16 = chip.peak_flops.get("bf16") or eight / 2.0  # assumed half of the 8-bit peak where none is published
    if not peak16:
        raise InputError(Problem("missing", f"{chip.name} has no peak at 16 or 8 bit: training cannot be timed"))
    peak = chip.peak_flops.get(PEAK_KEY[width]) or _eight_bit(chip, width) or peak16
    nic = nic_bytes_per_s or chip.nic_bytes_per_s or NIC_WHERE_UNSTATED_BYTES_PER_S
    return Machine(
        peak_flops=float(peak),
        memory_bytes=float(chip.memory_bytes),
        hbm_bytes_per_s=float(chip.memory_bytes_per_s),
        scaleup_bytes_per_s=float(chip.scaleup_bytes_per_s or nic),
        scaleup_domain=float(max(chip.scaleup_domain, 1)),
        nic_bytes_per_s=float(nic),
        headroom_w_per_tflops=float(chip.tdp_w / (peak16 / 1e12)),
    )


def _eight_bit(chip: Chip, width: str) -> float | None:
    """The 8-bit peak a chip has where the asked one is missing: FP8 under 4-bit, int8 on TPUs."""
    if width == "16":
        return None
    return chip.peak_flops.get("fp8") or chip.peak_flops.get("int8")


def stack_machines(machines: list[Machine]) -> Machine:
    """Machines as columns, one row each."""
    return Machine(*(np.array([getattr(m, f.name) for m in machines], dtype=float) for f in fields(Machine)))
