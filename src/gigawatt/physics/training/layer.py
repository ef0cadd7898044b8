"""One micro-batch through every layer of the model on one rank: seconds by what they are spent on.

With T = micro_batch * seq / cp tokens, P the datasheet peak at the precision, P16 at 16 bit, W memory bytes/s:

    GEMM         2 T KN / (P e) + c (w (T K + KN) + 2 T N) / W + launches    w: bytes of an element
    e            e0 * (power limit / 16-bit peak / 0.48 W per TFLOP/s) ^ gamma      Blackwell only
    attention    0.5 * flops per key * S T / (P16 e_a h), h = d/(d+d0) * (1+d0/128); window w: min(2w, S) for S
                 unfused: the full square, and 11 bytes (forward) or 16 (backward) for each score
    elementwise  c 2 T (moved elements) / (0.8 W), backward twice; quantise pass c 4 T (GEMM inputs) / (0.8 W)
    scans        FLOPs at the attention rate, and c 2 T (20 passes over the inner width) / (0.8 W)
    experts      grouped GEMMs over T k / tp tokens; permutation traffic c 12 T k h / tp
    head         16-bit GEMM and 14 bytes a logit
    host         layer = (gpu^4 + host^4)^(1/4): launches of an eager stack are a floor

The form is that of a roofline with additive traffic; constants come from the calibration.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.collectives import context_ring_s, expert_all_to_all_s, tensor_all_reduce_s
from gigawatt.physics.training.columns import Machine, Mapping
from gigawatt.physics.training.shape import LayerKind, Shape

HEADROOM_REFERENCE_W_PER_TFLOPS = 0.48
STREAM_SHARE = 0.8  # of the datasheet bandwidth that streaming kernels reach
BACKWARD_HOST = 1.7


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Seconds of one micro-batch through all layers on one rank (pipeline stages together), both passes.

    `forward_s` and `backward_s` hold exposed messages too; `attention_forward_s` is what selective recompute repeats.
    `flops` are executed FLOPs of forward plus backward without recompute, `gemm_s` and `attention_s` what the matrix
    units are busy, `traffic_s` what memory-bound kernels take.
    """

    forward_s: Any
    backward_s: Any
    head_s: Any
    attention_forward_s: Any
    forward_flops: Any
    attention_forward_flops: Any
    math_s: Any
    traffic_s: Any
    tensor_s: Any
    context_s: Any
    expert_s: Any
    host_s: Any

    def take(self, rows: NDArray[np.intp]) -> MicroBatch:
        """The rows named."""
        return MicroBatch(*(np.asarray(getattr(self, f.name))[rows] for f in fields(self)))


def micro_batch_costs(shape: Shape, machine: Machine, mapping: Mapping, c: Coefficients) -> MicroBatch:
    """All layers, one micro-batch. Of the mapping only tp, cp, ep, micro_batch, seq, sequence_parallel, lora matter."""
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    headroom = (machine.headroom_w_per_tflops / HEADROOM_REFERENCE_W_PER_TFLOPS) ** c.headroom_exponent
    total: dict[str, Any] = {f.name: 0.0 for f in fields(MicroBatch)}
    for kind in shape.kinds:
        if not np.any(kind.count):
            continue
        part = _layer_costs(shape, kind, machine, mapping, c, tokens, headroom)
        for name, value in part.items():
            total[name] = total[name] + kind.count * value
    head_math, head_traffic, head_flops = _head(shape, machine, mapping, c, tokens, headroom)
    total["head_s"] = head_math + head_traffic
    total["forward_flops"] = total["forward_flops"] + head_flops
    total["math_s"] = total["math_s"] + head_math
    total["traffic_s"] = total["traffic_s"] + head_traffic
    rows = np.broadcast_shapes(*(np.shape(value) for value in total.values()), np.shape(tokens))
    return MicroBatch(**{name: np.broadcast_to(np.asarray(value, dtype=float), rows) for name, value in total.items()})


def _layer_costs(
    shape: Shape, kind: LayerKind, machine: Machine, mapping: Mapping, c: Coefficients, tokens: Any, headroom: Any
) -> dict[str, Any]:
    tp = mapping.tp
    bandwidth = machine.hbm_bytes_per_s
    stream = STREAM_SHARE * bandwidth
    backward_gemms = 2.0 - mapping.lora

    # dense GEMMs; under LoRA the weights are frozen, so that only input gradients are computed
    kn = kind.kn_sharded / tp + kind.kn_replicated
    inputs = kind.inputs_full + kind.inputs_sharded / tp
    outputs = kind.outputs_full + kind.outputs_sharded / tp
    flops = 2.0 * tokens * kn
    reached = np.minimum(c.gemm_efficiency * headroom, 1.0)
    gemm_math = flops / (machine.peak_flops * reached) * c.slowdown_dense
    gemm_traffic = c.gemm_traffic * (c.element_bytes * (tokens * inputs + kn) + 2.0 * tokens * outputs) / bandwidth
    launches = c.launch_s * kind.kernels

    # routed experts: each rank computes T k / tp token-slots, in experts/ep groups
    has_experts = np.asarray(kind.experts, dtype=float) > 0
    slots = tokens * kind.top_k / tp
    local = kind.experts / np.minimum(mapping.ep, np.maximum(kind.experts, 1.0))
    expert_flops = 2.0 * slots * kind.expert_kn
    expert_rate = machine.peak_flops * reached * c.expert_efficiency
    expert_math = expert_flops / expert_rate * c.slowdown_moe
    expert_weights = np.minimum(local, slots) * kind.expert_kn
    expert_io = c.element_bytes * (slots * kind.expert_inputs + expert_weights) + 2.0 * slots * kind.expert_outputs
    unfused = 1.0 + np.asarray(kind.unfused) * (c.unfused_experts - 1.0)
    expert_math = expert_math * unfused
    expert_traffic = unfused * c.gemm_traffic * expert_io / bandwidth * c.slowdown_moe
    permute = unfused * c.permute * 12.0 * slots * kind.expert_hidden / stream * c.slowdown_moe
    moe_host = np.where(has_experts, c.moe_host_s, 0.0) * c.slowdown_moe

    core_math, core_traffic_f, core_traffic_b, core_flops = _attention(kind, machine, mapping, c, tokens)

    # norms, activations, residuals; the part outside tensor parallelism is cut too with sequence parallelism
    full = kind.moved_full / np.where(np.asarray(mapping.sequence_parallel) > 0, tp, 1.0)
    moved = full + (kind.moved_sharded + 0.0) / tp + kind.expert_moved * kind.top_k / tp
    elementwise = c.elementwise * 2.0 * tokens * moved / stream
    quantise = 4.0 * (c.quantise * tokens * inputs + c.quantise_experts * slots * kind.expert_inputs) / stream

    tensor = tensor_all_reduce_s(kind.all_reduces, 2.0 * tokens * shape.hidden, machine, mapping, c)
    expert = np.where(
        has_experts,
        expert_all_to_all_s(tokens / tp * kind.expert_hidden * 4.0, kind.top_k, machine, mapping, c) * c.slowdown_moe,
        0.0,
    )
    context = context_ring_s(2.0 * tokens * kind.kv_width / tp, machine, mapping, c)

    forward_traffic = gemm_traffic + expert_traffic + permute + core_traffic_f + elementwise + quantise
    forward_math = gemm_math + expert_math + core_math
    gpu_forward = forward_math + forward_traffic + launches + moe_host + tensor + expert + context
    backward_math = backward_gemms * (gemm_math + expert_math) + 2.5 * core_math
    backward_traffic = (
        backward_gemms * (gemm_traffic + expert_traffic) + permute + core_traffic_b + 2.0 * elementwise + quantise
    )
    gpu_backward = backward_math + backward_traffic + 2.0 * launches + moe_host + tensor + expert + 2.0 * context
    host = c.host_s + np.where(np.asarray(tp) > 1, c.host_tp_s, 0.0)
    forward = (gpu_forward**4 + host**4) ** 0.25
    backward = (gpu_backward**4 + (BACKWARD_HOST * host) ** 4) ** 0.25
    return {
        "forward_s": forward,
        "backward_s": backward,
        "attention_forward_s": core_math + core_traffic_f,
        "forward_flops": flops + expert_flops + core_flops,
        "attention_forward_flops": core_flops,
        "math_s": forward_math + backward_math,
        "traffic_s": forward_traffic + backward_traffic,
        "tensor_s": 2.0 * tensor,
        "context_s": 3.0 * context,
        "expert_s": 2.0 * expert,
        "host_s": (forward - gpu_forward) + (backward - gpu_backward) + 3.0 * launches + 2.0 * moe_host,
    }


def _attention(
    kind: LayerKind, machine: Machine, mapping: Mapping, c: Coefficients, tokens: Any
) -> tuple[Any, Any, Any, Any]:
    """(seconds of math, forward and backward score traffic, FLOPs) of the attention core and scans, forward."""
    seq = mapping.seq
    windowed = np.asarray(kind.window, dtype=float) > 0
    keys = np.where(windowed, np.minimum(2.0 * np.asarray(kind.window, dtype=float), seq), seq)
    fit = kind.head_dim / (kind.head_dim + c.head_dim_half) * (1.0 + c.head_dim_half / 128.0)
    square = np.where(c.flash > 0, 0.5, 1.0)
    core = square * kind.attention_flops / mapping.tp * keys * tokens
    scan = kind.scan_flops / mapping.tp * tokens
    math = (core / fit + scan) / (machine.peak16_flops * c.attention_efficiency) * c.slowdown_dense
    scores = np.where(c.flash > 0, 0.0, kind.heads / mapping.tp * keys * tokens)
    per_byte = 1.0 / (STREAM_SHARE * machine.hbm_bytes_per_s)
    scanned = c.scan * 2.0 * kind.scan_moved / mapping.tp * tokens * per_byte
    return math, 11.0 * scores * per_byte + scanned, 16.0 * scores * per_byte + 2.5 * scanned, core + scan


def _head(
    shape: Shape, machine: Machine, mapping: Mapping, c: Coefficients, tokens: Any, headroom: Any
) -> tuple[Any, Any, Any]:
    """(math, traffic, forward FLOPs) of the output head and its loss, forward and backward."""
    heads = 1.0 + shape.mtp_layers
    logits = tokens * shape.vocab / mapping.tp * heads
    flops = 2.0 * logits * shape.hidden
    rate = machine.peak16_flops * np.minimum(c.gemm16_efficiency * headroom, 1.0)
    math = (3.0 - mapping.lora) * flops / rate * c.slowdown_dense
    return math, 14.0 * logits / (STREAM_SHARE * machine.hbm_bytes_per_s), flops
