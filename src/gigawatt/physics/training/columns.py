"""Columns that the step-time model takes: the machine and the mapping of a job onto it, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.host import HostPath
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.fabric.wires import Wires, wires_of
from gigawatt.physics.training.calibration import PEAK_KEY


@dataclass(frozen=True, slots=True)
class Machine:
    """Datasheet numbers of a row's accelerator, peaks dense, and the network it hangs on.

    `headroom_w_per_tflops` is power limit over 16-bit peak: what a power-limited chip may spend on a FLOP. `host_*` is a
    chip's way to the memory of its host (0: none is known), `host_stream_bytes_per_s` its share of that memory's bandwidth.
    """

    peak_flops: Any
    memory_bytes: Any
    hbm_bytes_per_s: Any
    headroom_w_per_tflops: Any
    network: Wires
    host_up_bytes_per_s: Any = 0.0
    host_down_bytes_per_s: Any = 0.0
    host_stream_bytes_per_s: Any = 0.0

    def take(self, rows: NDArray[np.intp]) -> Machine:
        """The rows named, where fields are columns."""
        columns = {name: _take(getattr(self, name), rows) for name in CHIP_COLUMNS}
        return Machine(**columns, network=self.network.take(rows))


CHIP_COLUMNS = tuple(f.name for f in fields(Machine) if f.name != "network")


# Modules whose forward pass a layer may run again in the backward pass; `Mapping.modules` is a sum of them.
CORE_ATTENTION, NORM, ACTIVATION, LATENT_UP, MLP, EXPERTS = 1.0, 2.0, 4.0, 8.0, 16.0, 32.0
# Pipeline schedules (`Mapping.schedule`). 1F1B with more than one chunk a stage is the interleaved schedule.
GPIPE, ONE_F_ONE_B, ZERO_BUBBLE_H1, ZERO_BUBBLE_V, DUAL_PIPE, DUAL_PIPE_V = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0
SCHEDULES = ("gpipe", "1f1b", "zb-h1", "zb-v", "dualpipe", "dualpipe-v")
# How context-parallel ranks see each other's keys (`Mapping.context`).
RING, ALL_GATHER, ULYSSES = 0.0, 1.0, 2.0
CONTEXTS = ("ring", "all-gather", "ulysses")


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a job is laid over its chips; one row a candidate.

    `chips` = tp * pp * dp * cp. `ep` is the expert-parallel degree (inside dp * cp * tp), `etp` the tensor-parallel
    degree inside an expert, `imbalance` the load of the busiest expert rank over the mean. `vpp` is the number of model
    chunks a stage holds, `schedule` one of `SCHEDULES`, `context` one of `CONTEXTS`.

    `recompute` is the share of layers whose forward pass is run again in the backward pass; `modules` (a sum of
    CORE_ATTENTION ... EXPERTS) what the other layers run again. `sequence_parallel`, `lora` are 0 or 1.

    `sharding` is the ZeRO stage: 0 (replicated), 1 (optimizer sharded over data-parallel ranks), 2 (gradients too),
    3 (weights too, FSDP); over groups of `shard_ranks` ranks with replicas of each group (HSDP), over all where 0.
    With `sites` above 1 groups lie within a site.
    `offload_optimizer`, `offload_activations`, `offload_weights` are the shares of each that live in host memory.

    `overlap_*` is 1 where the stack's overlap of a class of messages is on (the stack says how much it hides), 0 where
    every byte is waited for. `paired` is 1 where the forward pass of a micro-batch runs beside the backward pass of
    another, so that the exchange with experts of one hides behind kernels of the other (DualPipe; Megatron-Core's overlap
    of expert messages, which needs chunks where there are stages). `fused` is 1 where norms and activations are fused as
    the stack can, 0 where each is a kernel of its own.

    `sites` is the number of places that data-parallel ranks are spread over, `local_steps` how many steps lie between two
    exchanges of weights among them (1: every step's gradients are summed). `global_batch` and `micro_batch` are in
    sequences of `seq` tokens.
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
    modules: Any = 0.0
    sequence_parallel: Any = 1.0
    sharding: Any = 1.0
    lora: Any = 0.0
    schedule: Any = ONE_F_ONE_B
    context: Any = RING
    etp: Any = 1.0
    imbalance: Any = 1.0
    shard_ranks: Any = 0.0
    offload_optimizer: Any = 0.0
    offload_activations: Any = 0.0
    offload_weights: Any = 0.0
    overlap_tp: Any = 1.0
    overlap_cp: Any = 1.0
    overlap_ep: Any = 1.0
    overlap_pp: Any = 1.0
    overlap_dp: Any = 1.0
    fused: Any = 1.0
    sites: Any = 1.0
    paired: Any = 0.0
    local_steps: Any = 1.0

    def recomputes(self, module: float) -> Any:
        """1 where layers that are not recomputed as a whole run `module` again, else 0."""
        return np.mod(np.floor(np.asarray(self.modules) / module), 2.0)

    def take(self, rows: NDArray[np.intp]) -> Mapping:
        """The rows named, where fields are columns."""
        return Mapping(*(_take(getattr(self, f.name), rows) for f in fields(self)))

    @property
    def micro_batches(self) -> Any:
        """Micro-batches a rank runs in a step, at least one."""
        return np.maximum(self.global_batch / (self.dp * self.micro_batch), 1.0)


def _take(value: Any, rows: NDArray[np.intp]) -> Any:
    return value[rows] if isinstance(value, np.ndarray) and value.ndim else value


def machine_of(
    chip: Chip, width: str, fabric: Fabric | None = None, *, one_nic: bool = False, host: HostPath | None = None
) -> Machine:
    """The machine of one chip at a precision width ('16', '8', 'mx8', '4'), on a fabric.

    A chip without an 8- or 4-bit peak runs the matrices in 16 bit (its 16-bit peak is taken). Without a fabric the chip
    hangs on its default one. `one_nic` is software that drives a single NIC of each host. `host` is the way
    to the host's memory, which only offloading needs (`step.offload.usual_host`).

    Raises:
        InputError: the chip has neither a 16- nor an 8-bit peak.
    """
    eight = chip.peak_flops.get("fp8") or chip.peak_flops.get("int8") or 0.0
    peak16 = chip.peak_flops.get("bf16") or eight / 2.0  # assumed half of the 8-bit peak where none is published
    if not peak16:
        raise InputError(Problem("missing", f"{chip.name} has no peak at 16 or 8 bit: training cannot be timed"))
    peak = chip.peak_flops.get(PEAK_KEY[width]) or _eight_bit(chip, width) or peak16
    wired = default_fabric(chip) if fabric is None else fabric
    if one_nic:
        wired = replace(wired, nic_bytes_per_s=wired.nic_bytes_per_s / wired.node)
    return Machine(
        peak_flops=float(peak),
        memory_bytes=float(chip.memory_bytes),
        hbm_bytes_per_s=float(chip.memory_bytes_per_s),
        headroom_w_per_tflops=float(chip.tdp_w / (peak16 / 1e12)),
        network=wires_of(wired),
        host_up_bytes_per_s=host.to_device_bytes_per_s if host else 0.0,
        host_down_bytes_per_s=host.to_host_bytes_per_s if host else 0.0,
        host_stream_bytes_per_s=host.stream_bytes_per_s / host.sharers if host else 0.0,
    )


def _eight_bit(chip: Chip, width: str) -> float | None:
    """The 8-bit peak a chip has where the asked one is missing: FP8 under 4-bit, int8 on TPUs."""
    if width == "16":
        return None
    return chip.peak_flops.get("fp8") or chip.peak_flops.get("int8")


def stack_machines(machines: list[Machine]) -> Machine:
    """Machines as columns, one row each."""
    columns = {name: np.array([getattr(m, name) for m in machines], dtype=float) for name in CHIP_COLUMNS}
    network = Wires(*(np.array([getattr(m.network, f.name) for m in machines]) for f in fields(Wires)))
    return Machine(**columns, network=network)
