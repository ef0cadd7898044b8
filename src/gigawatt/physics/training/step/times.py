"""A training step: stages in a pipeline, data-parallel messages, optimizer, stragglers; and where the time goes.

stage   = (layers + head) / pp, or layers / pp + head on the last stage when the layers divide evenly
          + 8 bytes a parameter of gradient accumulation, + pipeline messages
step    = (m * longest stage + idle of the schedule at the mean stage + exposed data-parallel + optimizer + offload + sites)
          * stragglers
exposed = x C + max(0, (1 - x) C - time to hide in);  FSDP pays for each micro-batch, DDP once a step;
          beyond what kernels hide, links of different kind (network, host) run side by side and the longest counts
optimizer 34 bytes a parameter on the rank;  stragglers 1 + s log2(chips / 8)

Layers run their forward pass again for the share `recompute`, of the others the pieces that `modules` names. What a column
of a mapping switches off costs no array operation: offloading, sites, modules, overlaps are skipped where all rows have none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.columns import ONE_F_ONE_B, Machine, Mapping
from gigawatt.physics.training.memory.kept import kept_bytes_per_token, layer_input_bytes
from gigawatt.physics.training.memory.parameters import RankParameters, rank_parameters
from gigawatt.physics.training.schedule.pipeline import pipeline_s
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.collectives import Messages, StageMessages
from gigawatt.physics.training.step.kernels import STREAM_SHARE, KernelTimes
from gigawatt.physics.training.step.layer import PIECES, MicroBatch, exposure, micro_batch_costs
from gigawatt.physics.training.step.offload import exposed_offload, offloads
from gigawatt.physics.training.step.sharding import shard_ranks
from gigawatt.physics.training.step.sites import Between, site_seconds
from gigawatt.physics.training.step.stages import Split

Column = NDArray[np.float64]
ACCUMULATE_BYTES = 8.0  # read and write of a 4-byte gradient
OPTIMIZER_BYTES = 34.0  # read and write of master weight, two moments, gradient, 16-bit weight
MESSAGES = ("tensor", "context", "expert", "pipeline", "data", "site")
CLASSES = ("compute", "memory", *MESSAGES, "host", "bubble", "offload", "optimizer")
BOUND_TEXT = {
    "compute": "matrix units",
    "memory": "memory bandwidth",
    "tensor": "tensor-parallel messages",
    "context": "context-parallel messages",
    "expert": "expert all-to-all",
    "host": "kernel launches",
    "bubble": "pipeline bubble",
    "pipeline": "pipeline messages",
    "data": "data-parallel messages",
    "site": "messages between sites",
    "offload": "host link",
    "optimizer": "optimizer",
}


@dataclass(frozen=True, slots=True)
class Steps:
    """Step time and its parts, one row a mapping. The parts, and what stragglers add, sum to `step_s`.

    `compute_util` is executed FLOPs over peak, `memory_util` bytes over bandwidth, `busy` the share of the step in
    which kernels (messages too) run: what a power model needs. `model_flops` counts causal attention at half and no
    recompute.
    """

    step_s: Column
    compute_s: Column
    memory_s: Column
    tensor_s: Column
    context_s: Column
    expert_s: Column
    host_s: Column
    bubble_s: Column
    pipeline_s: Column
    data_s: Column
    site_s: Column
    offload_s: Column
    optimizer_s: Column
    straggler_s: Column
    model_flops: Column
    executed_flops: Column
    compute_util: Column
    memory_util: Column
    busy: Column

    @property
    def exposed_comm_share(self) -> Column:
        """Share of the step in which the chip only waits for messages: what compute does not hide of them."""
        return np.asarray(sum(getattr(self, f"{name}_s") for name in MESSAGES) / self.step_s)

    def take(self, rows: NDArray[np.intp]) -> Steps:
        """The rows named."""
        return Steps(*(getattr(self, f.name)[rows] for f in fields(self)))

    def bound(self) -> list[str]:
        """The largest part of each row, in words."""
        parts = np.stack([getattr(self, f"{name}_s") for name in CLASSES])
        return [BOUND_TEXT[CLASSES[i]] for i in np.argmax(parts, axis=0)]


def step_times(
    shape: Shape,
    machine: Machine,
    mapping: Mapping,
    kernels: KernelTimes,
    messages: Messages,
    c: Coefficients,
    *,
    split: Split | None = None,
    between: Between | None = None,
) -> Steps:
    """Steps of a column of mappings; every argument may be scalar or a column. `split`, `between` as for `assemble`."""
    micro = micro_batch_costs(shape, machine, mapping, kernels, messages.layers, c)
    return assemble(shape, machine, mapping, c, micro, messages.stage, split=split, between=between, flash=c.flash)


def assemble(
    shape: Shape,
    machine: Machine,
    mapping: Mapping,
    c: Coefficients,
    micro: MicroBatch,
    sent: StageMessages,
    *,
    split: Split | None = None,
    between: Between | None = None,
    flash: Any = 1.0,
) -> Steps:
    """The step from the costs of one micro-batch (which depend on fewer columns and may be shared) and its messages.

    Args:
        shape, machine, mapping, c: as for `step_times`.
        micro: costs of a micro-batch, a row each.
        sent: messages of stages, a row each.
        split: layers of stages on chips of different speed; equal stages where None.
        between: the cables between sites; needed where a row has more than one.
        flash: 1 where the attention core is fused (what activations weigh that are offloaded).

    Raises:
        InputError: several sites without cables, offloading without a way to a host.
    """
    m, pp, vpp = mapping.micro_batches, mapping.pp, mapping.vpp
    recompute = mapping.recompute
    stream = STREAM_SHARE * machine.hbm_bytes_per_s
    rank = rank_parameters(shape, mapping)
    trains = 1.0 - np.asarray(mapping.lora)

    pieces_s, pieces_flops = _pieces(mapping, micro)
    passes_s = micro.forward_s + micro.backward_s
    again_s = recompute * micro.forward_s + (1.0 - recompute) * pieces_s
    share = _layer_share(shape, mapping)
    stage_s = (passes_s + again_s) * share
    head_s = micro.head_s / pp
    accumulate_s = trains * ACCUMULATE_BYTES * rank.total / stream
    depth = shape.layers / (pp * vpp)
    even = depth == np.rint(depth)
    stretch, mean = (1.0, 1.0) if split is None else (split.longest, split.mean)
    mean_stage = mean * stage_s + head_s + accumulate_s
    longest = stretch * stage_s + np.where(even, micro.head_s, head_s) + accumulate_s

    send_s = 2.0 * vpp * exposure(c.exposed_pp, mapping.overlap_pp) * sent.send_s  # forward and back, every chunk
    waits = _waits(shape, machine, mapping, c, micro, sent, rank, between, flash, longest, again_s, stream)
    data_s, offload_s, site_s, optimizer_s = waits.data_s, waits.offload_s, waits.site_s, waits.optimizer_s

    shares = _pass_shares(mapping, mean * share, micro, head_s, accumulate_s, mean_stage)
    body = pipeline_s(m, pp, vpp, longest, mean_stage, schedule=mapping.schedule, **shares)
    lone_s = np.zeros(()) if _all_zero(mapping.paired) else _lone_passes(mapping) * mean * share * micro.unpaired_s
    body = body + lone_s
    rest = m * send_s + data_s + optimizer_s + offload_s + site_s
    plain = body + rest
    slow = 1.0 + c.straggler * np.log2(np.maximum(mapping.chips / (8.0 * pp), 1.0))
    step = plain * slow

    # where the time of one rank goes; recompute repeats the forward third of each part
    parts = mean * m * share
    repeat = 1.0 + recompute * micro.forward_s / np.maximum(passes_s, 1e-30)
    often = parts * repeat
    heads_s = m * head_s
    kernels_s = often * micro.kernels_s + parts * (1.0 - recompute) * pieces_s
    compute_s = (kernels_s + heads_s) * micro.math_share
    busy_s = kernels_s + heads_s + m * accumulate_s
    inside = {name: often * getattr(micro, name) for name in ("host_s", "tensor_s", "context_s", "expert_s")}
    inside["expert_s"] = inside["expert_s"] + lone_s
    bubble_s = np.maximum(body - busy_s - sum(inside.values()), 0.0)
    memory_s = busy_s - compute_s

    per_token = 3.0 - mapping.lora
    model_flops = per_token * shape.forward_flops_per_token(mapping.seq) * (mapping.global_batch * mapping.seq)
    run = (per_token + recompute) * micro.forward_flops + (1.0 - recompute) * pieces_flops
    executed = run * m * share * mapping.chips
    traffic_bytes = (memory_s + optimizer_s) * stream + often * micro.product_bytes
    columns = {
        "step_s": step,
        "compute_s": compute_s,
        "memory_s": memory_s,
        **inside,
        "bubble_s": bubble_s,
        "pipeline_s": m * send_s,
        "data_s": data_s,
        "site_s": site_s,
        "offload_s": offload_s,
        "optimizer_s": optimizer_s,
        "straggler_s": step - plain,
        "model_flops": model_flops,
        "executed_flops": executed,
        "compute_util": np.minimum(executed / (mapping.chips * machine.peak_flops * step), 1.0),
        "memory_util": np.minimum(traffic_bytes / (machine.hbm_bytes_per_s * step), 1.0),
        "busy": np.clip(1.0 - (bubble_s + inside["host_s"] + offload_s) / step, 0.0, 1.0),
    }
    rows = np.shape(step)
    return Steps(**{name: np.broadcast_to(np.asarray(v, dtype=float), rows) for name, v in columns.items()})


@dataclass(frozen=True, slots=True)
class _Waits:
    """Seconds of a step in which kernels wait for what runs beside them, and of the optimizer on the chip."""

    data_s: Any
    offload_s: Any
    site_s: Any
    optimizer_s: Any


def _waits(
    shape: Shape,
    machine: Machine,
    mapping: Mapping,
    c: Coefficients,
    micro: MicroBatch,
    sent: StageMessages,
    rank: RankParameters,
    between: Between | None,
    flash: Any,
    longest_s: Any,
    again_s: Any,
    stream: Any,
) -> _Waits:
    """Data-parallel messages, copies to the host, exchange between sites and the optimizer; `longest_s` is the longest
    stage's micro-batch, `again_s` what a micro-batch of all layers runs again, `stream` bytes/s of the chip's memory."""
    m, recompute = mapping.micro_batches, mapping.recompute
    ranks = shard_ranks(mapping)
    share = _layer_share(shape, mapping)
    shard = rank.dense / ranks.dense + rank.expert / ranks.expert
    owned = (1.0 - np.asarray(mapping.lora)) * np.where(np.asarray(mapping.sharding) >= 1, shard, rank.total)
    optimizer_s = OPTIMIZER_BYTES * owned / stream

    # Messages and copies that run beside kernels use links of their own: beyond the kernels the longest counts, once.
    shown = exposure(c.exposed_dp, mapping.overlap_dp)
    beyond_s, offload_s, site_s = np.zeros(()), np.zeros(()), np.zeros(())
    data_s = np.zeros(())
    if np.any(sent.micro_s):
        beyond_s = np.maximum((1.0 - shown) * sent.micro_s - longest_s, 0.0)
        data_s = m * (shown * sent.micro_s + beyond_s)
    hide_s = longest_s + beyond_s
    later_s = (1.0 - shown) * sent.data_s
    if offloads(mapping):
        kept = sum(kind.count * kept_bytes_per_token(kind, shape, mapping, flash) for kind in shape.kinds)
        kept = kept * (1.0 - recompute) + recompute * shape.layers * layer_input_bytes(shape, mapping)
        host = exposed_offload(
            machine,
            mapping,
            forward_s=micro.forward_s * share,
            backward_s=(micro.backward_s + again_s) * share,
            held=np.where(np.asarray(mapping.sharding) >= 3, shard, rank.total),
            owned=owned,
            kept_bytes=kept * share * mapping.micro_batch * mapping.seq / mapping.cp,
            memory_share=1.0 - micro.math_share,
            hbm_bytes_per_s=stream,
        )
        waits_s = np.maximum(host.micro_s - beyond_s, 0.0)
        hide_s = hide_s + waits_s
        gradients_s = np.maximum(host.gradients_s - np.maximum(later_s - hide_s, 0.0), 0.0)
        offload_s = m * (waits_s + host.slowed_s) + gradients_s + host.adam_s
        optimizer_s = optimizer_s * (1.0 - np.asarray(mapping.offload_optimizer))
    data_s = data_s + shown * sent.data_s + np.maximum(later_s - hide_s, 0.0)
    if np.any(np.asarray(mapping.sites) > 1):
        # What the exchange within a site leaves of the last backward pass.
        window_s = np.asarray(mapping.overlap_dp) * (micro.backward_s + again_s) * share
        site_s = site_seconds(shape, mapping, between, np.maximum(window_s - later_s, 0.0))
    return _Waits(data_s, offload_s, site_s, optimizer_s)


def _layer_share(shape: Shape, mapping: Mapping) -> Any:
    """Share of all layers that a stage has; never less than one layer."""
    return np.maximum(1.0 / mapping.pp, 1.0 / np.maximum(shape.layers, 1.0))


def _pass_shares(
    mapping: Mapping, share: Any, micro: MicroBatch, head_s: Any, accumulate_s: Any, stage_s: Any
) -> dict[str, Any]:
    """Forward and weight-gradient shares of a stage, for schedules that tell them apart; recompute is of the backward
    pass, the head's passes are three alike, and gradients are summed with the weights'."""
    if np.ndim(mapping.schedule) == 0 and mapping.schedule == ONE_F_ONE_B:
        return {}
    third = head_s / 3.0
    whole = np.maximum(stage_s, 1e-30)
    weight_s = share * micro.weight_s + third + accumulate_s
    return {"forward_share": (share * micro.forward_s + third) / whole, "weight_share": weight_s / whole}


def _all_zero(column: Any) -> bool:
    return np.ndim(column) == 0 and column == 0.0


def _lone_passes(mapping: Mapping) -> Any:
    """Micro-batches of a rank whose passes find none to run beside: warm-up forward and as many backward at the end, mean
    over ranks (one without stages; p - 1/v more of the interleaved schedule, (p - 1)/2 of others)."""
    p, v = np.asarray(mapping.pp, dtype=float), np.asarray(mapping.vpp, dtype=float)
    return np.minimum(1.0 + np.where(v > 1, p - 1.0 / v, 0.5 * (p - 1.0)), mapping.micro_batches)


def _pieces(mapping: Mapping, micro: MicroBatch) -> tuple[Any, Any]:
    """Forward seconds and FLOPs of what layers that are not recomputed as a whole run again."""
    asked = np.asarray(mapping.modules, dtype=float)
    most = float(asked.max()) if asked.size else 0.0
    # Sums of one module or none need no look at each row.
    present = int(most) if most <= 1.0 else int(np.bitwise_or.reduce(asked.astype(np.int64), axis=None))
    seconds, flops = np.zeros(()), np.zeros(())
    for number, (_, modules) in enumerate(PIECES):
        bits = [module for module in modules if present & int(module)]
        if not bits:
            continue
        mine = asked if present == 1 else mapping.recomputes(bits[0])
        for other in bits[1:]:
            mine = np.maximum(mine, mapping.recomputes(other))
        piece_s, piece_flops = micro.pieces.at(number)
        seconds, flops = seconds + mine * piece_s, flops + mine * piece_flops
    return seconds, flops
