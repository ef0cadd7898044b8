"""A training step: stages in a pipeline, data-parallel messages, optimizer, stragglers; and where the time goes.

stage   = (layers + head) / pp, or layers / pp + head on the last stage when the layers divide evenly
          + 8 bytes a parameter of gradient accumulation, + pipeline messages
step    = (m * longest stage + (pp - 1) / vpp * mean stage + exposed data-parallel + optimizer) * stragglers
exposed = x C + max(0, (1 - x) C - time to hide in);  FSDP pays for each micro-batch, DDP once a step
optimizer 34 bytes a parameter on the rank;  stragglers 1 + s log2(chips / 8)
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.columns import CORE_ATTENTION, Machine, Mapping
from gigawatt.physics.training.memory.bytes import rank_parameters
from gigawatt.physics.training.schedule.pipeline import pipeline_s
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.collectives import Messages, StageMessages
from gigawatt.physics.training.step.kernels import STREAM_SHARE, KernelTimes
from gigawatt.physics.training.step.layer import MicroBatch, micro_batch_costs

Column = NDArray[np.float64]
ACCUMULATE_BYTES = 8.0  # read and write of a 4-byte gradient
OPTIMIZER_BYTES = 34.0  # read and write of master weight, two moments, gradient, 16-bit weight
CLASSES = ("compute", "memory", "tensor", "context", "expert", "host", "bubble", "pipeline", "data", "optimizer")
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
    optimizer_s: Column
    straggler_s: Column
    model_flops: Column
    executed_flops: Column
    compute_util: Column
    memory_util: Column
    busy: Column

    @property
    def exposed_comm_share(self) -> Column:
        """Share of the step spent on messages that compute does not hide."""
        parts = self.tensor_s + self.context_s + self.expert_s + self.pipeline_s + self.data_s
        return np.asarray(parts / self.step_s)

    def take(self, rows: NDArray[np.intp]) -> Steps:
        """The rows named."""
        return Steps(*(getattr(self, f.name)[rows] for f in fields(self)))

    def bound(self) -> list[str]:
        """The largest part of each row, in words."""
        parts = np.stack([getattr(self, f"{name}_s") for name in CLASSES])
        return [BOUND_TEXT[CLASSES[i]] for i in np.argmax(parts, axis=0)]


def step_times(
    shape: Shape, machine: Machine, mapping: Mapping, kernels: KernelTimes, messages: Messages, c: Coefficients
) -> Steps:
    """Steps of a column of mappings; every argument may be scalar or a column."""
    micro = micro_batch_costs(shape, machine, mapping, kernels, messages.layers, c)
    return assemble(shape, machine, mapping, c, micro, messages.stage)


def assemble(
    shape: Shape, machine: Machine, mapping: Mapping, c: Coefficients, micro: MicroBatch, sent: StageMessages
) -> Steps:
    """The step from the costs of one micro-batch (which depend on fewer columns and may be shared) and its messages."""
    m, pp, vpp = mapping.micro_batches, mapping.pp, mapping.vpp
    recompute, selective = mapping.recompute, mapping.recomputes(CORE_ATTENTION)
    stream = STREAM_SHARE * machine.hbm_bytes_per_s
    rank = rank_parameters(shape, mapping)
    trains = 1.0 - np.asarray(mapping.lora)

    again_s = recompute * micro.forward_s + (1.0 - recompute) * selective * micro.attention_forward_s
    layers_s = micro.forward_s + micro.backward_s + again_s
    share = np.maximum(1.0 / pp, 1.0 / np.maximum(shape.layers, 1.0))
    even = np.mod(shape.layers, pp * vpp) == 0
    accumulate_s = trains * ACCUMULATE_BYTES * rank.total / stream
    mean_stage = layers_s * share + micro.head_s / pp + accumulate_s
    longest = layers_s * share + micro.head_s / np.where(even, 1.0, pp) + accumulate_s

    send_s = 2.0 * vpp * c.exposed_pp * sent.send_s  # forward and back, every chunk
    # FSDP gathers and scatters for every micro-batch, DDP once a step.
    passes = np.where(np.asarray(mapping.sharding) >= 3, m, 1.0)
    data_s = passes * (c.exposed_dp * sent.data_s + np.maximum((1.0 - c.exposed_dp) * sent.data_s - longest, 0.0))

    zero = np.asarray(mapping.sharding) >= 1
    owned = np.where(zero, rank.dense / rank.dense_ranks + rank.expert / rank.expert_ranks, rank.total)
    optimizer_s = trains * OPTIMIZER_BYTES * owned / stream

    body = pipeline_s(m, pp, vpp, longest, mean_stage) + m * send_s
    plain = body + data_s + optimizer_s
    slow = 1.0 + c.straggler * np.log2(np.maximum(mapping.chips / 8.0, 1.0))
    step = plain * slow

    # where the time of one rank goes; recompute repeats the forward third of each part
    parts = m * share
    repeat = 1.0 + recompute * micro.forward_s / np.maximum(micro.forward_s + micro.backward_s, 1e-30)
    only_attention = (1.0 - recompute) * selective * micro.attention_forward_s
    host = np.maximum(micro.host_s, 0.0)
    comm = micro.tensor_s + micro.context_s + micro.expert_s
    kernels = np.maximum(micro.forward_s + micro.backward_s - comm - host, 0.0) * repeat + only_attention
    math_share = micro.math_s / np.maximum(micro.math_s + micro.traffic_s, 1e-30)
    head_and_grad = m * (micro.head_s / pp + accumulate_s)
    compute_s = parts * kernels * math_share + m * micro.head_s / pp * math_share
    memory_s = parts * kernels + head_and_grad - compute_s
    used = parts * (kernels + (comm + host) * repeat) + head_and_grad
    bubble_s = np.maximum(plain - used - m * send_s - data_s - optimizer_s, 0.0)

    token_count = mapping.global_batch * mapping.seq
    forward_model = shape.forward_flops_per_token(mapping.seq)
    model_flops = (3.0 - mapping.lora) * forward_model * token_count
    forward_run = micro.forward_flops
    run = (3.0 - mapping.lora) * forward_run + recompute * forward_run
    run = run + (1.0 - recompute) * selective * micro.attention_forward_flops
    executed = run * m * share * mapping.chips
    product_bytes = parts * micro.product_bytes * repeat
    traffic_bytes = (memory_s + optimizer_s) * stream + product_bytes
    columns = {
        "step_s": step,
        "compute_s": compute_s,
        "memory_s": memory_s,
        "tensor_s": parts * micro.tensor_s * repeat,
        "context_s": parts * micro.context_s * repeat,
        "expert_s": parts * micro.expert_s * repeat,
        "host_s": parts * host * repeat,
        "bubble_s": bubble_s,
        "pipeline_s": m * send_s,
        "data_s": data_s,
        "optimizer_s": optimizer_s,
        "straggler_s": step - plain,
        "model_flops": model_flops,
        "executed_flops": executed,
        "compute_util": np.minimum(executed / (mapping.chips * machine.peak_flops * step), 1.0),
        "memory_util": np.minimum(traffic_bytes / (machine.hbm_bytes_per_s * step), 1.0),
        "busy": np.clip(1.0 - (bubble_s + parts * host * repeat) / step, 0.0, 1.0),
    }
    rows = np.shape(step)
    return Steps(**{name: np.broadcast_to(np.asarray(v, dtype=float), rows) for name, v in columns.items()})
