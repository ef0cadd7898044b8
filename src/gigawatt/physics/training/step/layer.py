"""One micro-batch through every layer of the model on one rank: seconds by what they are spent on.

Kernel seconds come from the measured chip floor (`kernels`); a training run takes longer by what the stack makes of it:

    products     d (forward + input gradient + weight gradient); d: the stack against kernel benchmarks
    experts      d g the same; g: grouped products over single ones
    attention    d (1 + b) forward where fused; b: backward over forward
    passes       e (1 + 2) norms, activations, residuals, e (1 + 1) gathers; casts and scans with factors of their own
    host         layer = (gpu^4 + host^4)^(1/4): launches of an eager stack are a floor; a mixture layer waits besides
                 while the host launches experts, unless the whole step is one graph

Under LoRA weights are frozen: no weight gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.columns import Machine, Mapping
from gigawatt.physics.training.shape import REPLICATED, LayerKind, Shape
from gigawatt.physics.training.step.collectives import LayerMessages
from gigawatt.physics.training.step.kernels import KernelTimes, LayerKernels

HEADROOM_REFERENCE_W_PER_TFLOPS = 0.48
BACKWARD_HOST = 1.7
SCAN_BACKWARD = 2.5  # traffic of a scan's backward pass over its forward's


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Seconds of one micro-batch through all layers on one rank (pipeline stages together), both passes.

    `forward_s` and `backward_s` hold exposed messages too; `attention_forward_s` is what selective recompute repeats.
    `forward_flops` are executed FLOPs without recompute; `math_s` is what products and attention take, `traffic_s` what
    memory-bound passes do, `product_bytes` what products move.
    """

    forward_s: Any
    backward_s: Any
    head_s: Any
    attention_forward_s: Any
    forward_flops: Any
    attention_forward_flops: Any
    math_s: Any
    traffic_s: Any
    product_bytes: Any
    tensor_s: Any
    context_s: Any
    expert_s: Any
    host_s: Any

    def take(self, rows: NDArray[np.intp]) -> MicroBatch:
        """The rows named."""
        return MicroBatch(*(np.asarray(getattr(self, f.name))[rows] for f in fields(self)))


def micro_batch_costs(
    shape: Shape,
    machine: Machine,
    mapping: Mapping,
    kernels: KernelTimes,
    messages: Sequence[LayerMessages],
    c: Coefficients,
) -> MicroBatch:
    """All layers, one micro-batch. Of the mapping only tp, cp, ep, micro_batch, seq, sequence_parallel, lora matter."""
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    total: dict[str, Any] = {f.name: 0.0 for f in fields(MicroBatch)}
    for kind, times, sent in zip(shape.kinds, kernels.layers, messages, strict=True):
        if not np.any(kind.count):
            continue
        for name, value in _layer_costs(kind, machine, mapping, times, sent, c, tokens).items():
            total[name] = total[name] + kind.count * value
    weights = 1.0 - np.asarray(mapping.lora)
    head_math = kernels.head_forward_s + kernels.head_input_s + weights * kernels.head_weight_s
    head_math = head_math * _derate(machine, c) * c.sustained
    total["head_s"] = head_math + kernels.logit_s
    head_flops = 2.0 * tokens * shape.vocab / mapping.tp * (1.0 + shape.mtp_layers) * shape.hidden
    total["forward_flops"] = total["forward_flops"] + head_flops
    total["math_s"] = total["math_s"] + head_math
    total["traffic_s"] = total["traffic_s"] + kernels.logit_s
    rows = np.broadcast_shapes(*(np.shape(value) for value in total.values()), np.shape(tokens))
    return MicroBatch(**{name: np.broadcast_to(np.asarray(value, dtype=float), rows) for name, value in total.items()})


def _derate(machine: Machine, c: Coefficients) -> Any:
    """Seconds of a kernel in the stack over its benchmark's."""
    headroom = (machine.headroom_w_per_tflops / HEADROOM_REFERENCE_W_PER_TFLOPS) ** c.headroom_exponent
    return c.derate * c.slowdown / headroom


def _layer_costs(
    kind: LayerKind,
    machine: Machine,
    mapping: Mapping,
    k: LayerKernels,
    sent: LayerMessages,
    c: Coefficients,
    tokens: Any,
) -> dict[str, Any]:
    weights = 1.0 - np.asarray(mapping.lora)
    derate = _derate(machine, c)
    fused = np.asarray(c.flash) > 0
    full = derate * c.sustained
    attention = full * np.where(fused, c.attention, 1.0) * k.attention_s
    attention_back = np.where(fused, c.attention_backward * attention, full * k.attention_backward_s)

    experts = derate * c.experts * (1.0 + np.asarray(kind.unfused) * (c.unfused_experts - 1.0))
    gather = c.elementwise * c.permute * k.gather_s
    scan = c.scan * k.scan_s

    math_f = full * k.forward_s + experts * k.expert_forward_s + attention
    math_b = full * (k.input_s + weights * k.weight_s) + attention_back
    math_b = math_b + experts * (k.expert_input_s + weights * k.expert_weight_s)
    passes = c.elementwise * k.pass_s
    traffic_f = passes + gather + scan + c.quantise * k.cast_s + c.quantise_experts * k.expert_cast_s
    traffic_b = 2.0 * passes + gather + SCAN_BACKWARD * scan
    traffic_b = traffic_b + c.quantise * k.cast_backward_s + c.quantise_experts * k.expert_cast_backward_s

    tensor = c.exposed_tp * kind.all_reduces * sent.tensor_s
    expert = c.exposed_ep * sent.expert_s
    context = c.exposed_cp * sent.context_s

    gpu_forward = math_f + traffic_f + tensor + expert + context
    gpu_backward = math_b + traffic_b + tensor + expert + 2.0 * context
    # Counts of tokens an expert reach the host before it launches the layer's grouped products: the chip waits.
    waits = np.where(np.asarray(kind.experts) > 0, c.expert_host_s, 0.0)
    forward = (gpu_forward**4 + c.host_s**4) ** 0.25 + waits
    backward = (gpu_backward**4 + (BACKWARD_HOST * c.host_s) ** 4) ** 0.25 + waits
    flops, core = _forward_flops(kind, mapping, tokens)
    return {
        "forward_s": forward,
        "backward_s": backward,
        "attention_forward_s": attention + scan,
        "forward_flops": flops + core,
        "attention_forward_flops": core,
        "math_s": math_f + math_b,
        "traffic_s": traffic_f + traffic_b,
        "product_bytes": k.product_bytes,
        "tensor_s": 2.0 * tensor,
        "context_s": 3.0 * context,
        "expert_s": 2.0 * expert,
        "host_s": (forward - gpu_forward) + (backward - gpu_backward),
    }


def _forward_flops(kind: LayerKind, mapping: Mapping, tokens: Any) -> tuple[Any, Any]:
    """FLOPs that one rank executes forward: products, and the attention core (half the square, a window, a scan)."""
    tp = mapping.tp
    shared = np.where(np.asarray(mapping.sequence_parallel) > 0, tp, 1.0)
    flops = 2.0 * tokens * kind.top_k / tp * kind.expert_kn
    for matrix in kind.matrices:
        flops = flops + 2.0 * tokens * matrix.k * matrix.n / np.where(matrix.cut == REPLICATED, shared, tp)
    window = np.asarray(kind.window, dtype=float)
    keys = np.where(window > 0, np.minimum(2.0 * window, mapping.seq), mapping.seq)
    return flops, (0.5 * kind.attention_flops * keys + kind.scan_flops) * tokens / tp
