"""One micro-batch through every layer of the model on one rank: seconds by what they are spent on.

Kernel seconds come from the measured chip floor (`kernels`); a training run takes longer by what the stack makes of it:

    products     d (forward + input gradient + weight gradient); d: the stack against kernel benchmarks
    experts      d g the same; g: grouped products over single ones
    attention    d (1 + b) forward where fused; b: backward over forward
    passes       e (1 + 2) norms, activations, residuals, e (1 + 1) gathers; casts and scans with factors of their own
    messages     x(o) seconds, x(o) = 1 - o (1 - x): x the share that the stack does not hide, o the mapping's overlap. Keys
                 and values that are gathered, and heads that are swapped (all-gather, Ulysses), are needed at once: x = 1
    paired       expert messages E of a forward and a backward pass hide behind kernels K of both:
                 s E + max((1 - s) E - K, 0), s = 20/132: the SMs that the exchange takes from kernels
                 (DeepSeek-V3, arXiv 2412.19437, sec. 3.2.1 and 3.2.2)
    host         layer = (gpu^4 + host^4)^(1/4): launches of an eager stack are a floor, higher by the sums of tensor
                 ranks, whose hosts wait for each other; the head's are as many as a layer's; a mixture layer waits besides
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
from gigawatt.physics.training.columns import (
    ACTIVATION,
    CORE_ATTENTION,
    EXPERTS,
    LATENT_UP,
    MLP,
    NORM,
    RING,
    ULYSSES,
    Machine,
    Mapping,
)
from gigawatt.physics.training.shape import REPLICATED, LayerKind, Shape
from gigawatt.physics.training.step.collectives import LayerMessages
from gigawatt.physics.training.step.kernels import KernelTimes, LayerKernels

BACKWARD_HOST = 1.7
EXCHANGE_SM_SHARE = 20.0 / 132.0
SCAN_BACKWARD = 2.5  # traffic of a scan's backward pass over its forward's


@dataclass(frozen=True, slots=True)
class Pieces:
    """What selective recompute may run again: forward seconds and FLOPs of each piece; `rows` are looked up when asked.

    Numbered as in `PIECES`; all layers, like `MicroBatch`.
    """

    seconds: tuple[Any, ...]
    flops: tuple[Any, ...]
    rows: NDArray[np.intp] | None = None

    def take(self, rows: NDArray[np.intp]) -> Pieces:
        """The rows named, not copied yet."""
        return Pieces(self.seconds, self.flops, rows if self.rows is None else self.rows[rows])

    def at(self, number: int) -> tuple[Any, Any]:
        """Seconds and FLOPs of one piece."""
        found = (np.asarray(self.seconds[number]), np.asarray(self.flops[number]))
        return found if self.rows is None else (found[0][self.rows], found[1][self.rows])


# Pieces and the modules (`columns`) that run them again: activations go with their feed-forward part too.
PIECES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("core", (CORE_ATTENTION,)),
    ("norm", (NORM,)),
    ("latent", (LATENT_UP,)),
    ("mlp", (MLP,)),
    ("activation", (ACTIVATION, MLP)),
    ("experts", (EXPERTS,)),
    ("expert_activation", (ACTIVATION, EXPERTS)),
)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Seconds of one micro-batch through all layers on one rank (pipeline stages together), both passes.

    `forward_s` and `backward_s` hold exposed messages too; `pieces` is what selective recompute may run again.
    `weight_s` is the part of the backward pass that makes weight gradients, which zero-bubble schedules put off.
    `forward_flops` are executed FLOPs without recompute; `kernels_s` are both passes without messages and launches,
    `math_share` is what products and attention take of kernels, `product_bytes` what products move. `unpaired_s` is what
    expert messages show more where a pass that is meant to run beside another runs alone.
    """

    forward_s: Any
    backward_s: Any
    weight_s: Any
    head_s: Any
    forward_flops: Any
    kernels_s: Any
    math_share: Any
    product_bytes: Any
    tensor_s: Any
    context_s: Any
    expert_s: Any
    host_s: Any
    unpaired_s: Any
    pieces: Pieces

    def take(self, rows: NDArray[np.intp]) -> MicroBatch:
        """The rows named."""
        columns = {name: np.asarray(getattr(self, name))[rows] for name in COLUMNS}
        return MicroBatch(**columns, pieces=self.pieces.take(rows))


COLUMNS = tuple(f.name for f in fields(MicroBatch) if f.name != "pieces")


def exposure(share: Any, overlap: Any) -> Any:
    """Share of a class of messages that is waited for, where a mapping has `overlap` of the stack's overlap: 1 - o (1 - x).

    >>> exposure(0.4, 1.0), float(exposure(0.4, 0.0))
    (0.4, 1.0)
    """
    return share if np.ndim(overlap) == 0 and overlap == 1.0 else 1.0 - np.asarray(overlap) * (1.0 - share)


def micro_batch_costs(
    shape: Shape,
    machine: Machine,
    mapping: Mapping,
    kernels: KernelTimes,
    messages: Sequence[LayerMessages],
    c: Coefficients,
) -> MicroBatch:
    """All layers, one micro-batch.

    Of the mapping matter tp, cp, ep, micro_batch, seq, sequence_parallel, lora, context, paired, fused, overlap_tp,
    overlap_cp and overlap_ep (etp and imbalance are in kernels and messages).
    """
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    total: dict[str, Any] = dict.fromkeys((*COLUMNS, "math_s", "traffic_s"), 0.0)
    again: list[tuple[Any, Any]] = [(0.0, 0.0) for _ in PIECES]
    for kind, times, sent in zip(shape.kinds, kernels.layers, messages, strict=True):
        if not np.any(kind.count):
            continue
        costs, pieces = _layer_costs(kind, machine, mapping, times, sent, c, tokens)
        for name, value in costs.items():
            total[name] = total[name] + kind.count * value
        again = [(a + kind.count * b, x + kind.count * y) for (a, x), (b, y) in zip(again, pieces, strict=True)]
    weights = 1.0 - np.asarray(mapping.lora)
    head_math = kernels.head_forward_s + kernels.head_input_s + weights * kernels.head_weight_s
    head_math = head_math * _derate(machine, c) * c.sustained
    loss_s = c.loss * kernels.logit_s
    # Embedding, last norm, logits and loss are as many launches as a layer.
    head_host_s = (1.0 + BACKWARD_HOST) * c.host_s
    total["head_s"] = ((head_math + loss_s) ** 4 + head_host_s**4) ** 0.25
    head_flops = 2.0 * tokens * shape.vocab / mapping.tp * (1.0 + shape.mtp_layers) * shape.hidden
    total["forward_flops"] = total["forward_flops"] + head_flops
    math_s = total.pop("math_s") + head_math
    total["math_share"] = math_s / np.maximum(math_s + total.pop("traffic_s") + loss_s, 1e-30)
    total["host_s"] = np.maximum(total["host_s"], 0.0)
    waits = total["tensor_s"] + total["context_s"] + total["expert_s"] + total["host_s"]
    total["kernels_s"] = np.maximum(total["forward_s"] + total["backward_s"] - waits, 0.0)
    rows = np.broadcast_shapes(*(np.shape(value) for value in total.values()), np.shape(tokens))
    wide = {name: np.broadcast_to(np.asarray(value, dtype=float), rows) for name, value in total.items()}
    seconds, flops = (tuple(np.broadcast_to(side, rows) for side in sides) for sides in zip(*again, strict=True))
    return MicroBatch(**wide, pieces=Pieces(seconds, flops))


def _derate(machine: Machine, c: Coefficients) -> Any:
    """Seconds of a kernel in the stack over its benchmark's."""
    headroom = (machine.headroom_w_per_tflops / c.headroom_w_per_tflops) ** c.headroom_exponent
    return c.derate * c.slowdown / headroom


def _layer_costs(
    kind: LayerKind,
    machine: Machine,
    mapping: Mapping,
    k: LayerKernels,
    sent: LayerMessages,
    c: Coefficients,
    tokens: Any,
) -> tuple[dict[str, Any], tuple[tuple[Any, Any], ...]]:
    """Columns of one layer, and its pieces (`PIECES`)."""
    weights = 1.0 - np.asarray(mapping.lora)
    derate = _derate(machine, c)
    fused = np.asarray(c.flash) > 0
    full = derate * c.sustained
    attention = full * np.where(fused, c.attention, 1.0) * k.attention_s
    attention_back = np.where(fused, c.attention_backward * attention, full * k.attention_backward_s)

    experts = derate * c.experts * (1.0 + np.asarray(kind.unfused) * (c.unfused_experts - 1.0))
    each = _elementwise(mapping, c)
    gather = each * c.permute * k.gather_s
    scan = c.scan * k.scan_s

    math_f = full * k.forward_s + experts * k.expert_forward_s + attention
    math_b = full * (k.input_s + weights * k.weight_s) + attention_back
    math_b = math_b + experts * (k.expert_input_s + weights * k.expert_weight_s)
    passes = each * k.pass_s
    adapters = np.asarray(mapping.lora) * c.adapters * k.adapter_s
    traffic_f = passes + adapters + gather + scan + c.quantise * k.cast_s + c.quantise_experts * k.expert_cast_s
    traffic_b = 2.0 * passes + adapters + gather + SCAN_BACKWARD * scan
    traffic_b = traffic_b + c.quantise * k.cast_backward_s + c.quantise_experts * k.expert_cast_backward_s

    tensor = exposure(c.exposed_tp, mapping.overlap_tp) * kind.all_reduces * sent.tensor_s
    alone = exposure(c.exposed_ep, mapping.overlap_ep) * sent.expert_s
    expert = _expert_exposed(mapping, alone, sent.expert_s, math_f + traffic_f + math_b + traffic_b)
    context, context_back = _context_exposed(mapping, c, sent.context_s)

    gpu_forward = math_f + traffic_f + tensor + expert + context
    gpu_backward = math_b + traffic_b + tensor + expert + context_back
    # Counts of tokens an expert reach the host before it launches the layer's grouped products: the chip waits.
    waits = np.where(np.asarray(kind.experts) > 0, c.expert_host_s, 0.0)
    host_s = c.host_s * (1.0 + k.launches + c.host_group * np.log2(mapping.tp))
    forward = (gpu_forward**4 + host_s**4) ** 0.25 + waits + c.gap_s
    backward = (gpu_backward**4 + (BACKWARD_HOST * host_s) ** 4) ** 0.25 + waits + BACKWARD_HOST * c.gap_s
    flops, core, latent, mlp, mixture = _forward_flops(kind, mapping, tokens)
    columns = {
        "forward_s": forward,
        "backward_s": backward,
        "weight_s": weights * (full * k.weight_s + experts * k.expert_weight_s),
        "forward_flops": flops + core,
        "math_s": math_f + math_b,
        "traffic_s": traffic_f + traffic_b,
        "product_bytes": k.product_bytes,
        "tensor_s": 2.0 * tensor,
        "context_s": context + context_back,
        "expert_s": 2.0 * expert,
        "unpaired_s": 2.0 * (alone - expert),
        "host_s": (forward - gpu_forward) + (backward - gpu_backward),
    }
    # What is run again sums over tensor ranks again; a mixture dispatches and combines again, beside no other pass.
    mlp_sum = exposure(c.exposed_tp, mapping.overlap_tp) * sent.tensor_s * (np.asarray(k.mlp_forward_s) > 0)
    mixture_s = full * k.shared_forward_s + experts * k.expert_forward_s + gather + c.quantise_experts * k.expert_cast_s
    mixture_s = mixture_s + alone
    return columns, (
        (attention + scan, core),
        (each * k.norm_s, 0.0),
        (full * k.latent_forward_s, latent),
        (full * k.mlp_forward_s + mlp_sum, mlp),
        (each * k.activation_s, 0.0),
        (mixture_s, mixture),
        (each * k.expert_activation_s, 0.0),
    )


def _elementwise(mapping: Mapping, c: Coefficients) -> Any:
    """Traffic of norms and activations over the compulsory, fused as the stack can or kernel by kernel."""
    if np.ndim(mapping.fused) == 0 and mapping.fused == 1.0:
        return c.elementwise
    apart = np.maximum(c.elementwise, c.elementwise_unfused)
    return np.where(np.asarray(mapping.fused) > 0, c.elementwise, apart)


def _expert_exposed(mapping: Mapping, alone: Any, sent_s: Any, kernels_s: Any) -> Any:
    """What shows of the expert messages of one pass, `alone` where it runs alone; `kernels_s` are those of both passes."""
    if np.ndim(mapping.paired) == 0 and mapping.paired == 0.0:
        return alone
    both = 2.0 * np.asarray(sent_s)
    beside = EXCHANGE_SM_SHARE * both + np.maximum((1.0 - EXCHANGE_SM_SHARE) * both - kernels_s, 0.0)
    beside = 0.5 * (np.asarray(mapping.overlap_ep) * beside + (1.0 - np.asarray(mapping.overlap_ep)) * both)
    return np.where(np.asarray(mapping.paired) > 0, np.minimum(beside, alone), alone)


def _context_exposed(mapping: Mapping, c: Coefficients, sent_s: Any) -> tuple[Any, Any]:
    """What shows of the context messages forward and backward: gradients travel too, but swapped heads as forward."""
    shown = exposure(c.exposed_cp, mapping.overlap_cp)
    if np.ndim(mapping.context) == 0 and mapping.context == RING:
        return shown * sent_s, 2.0 * (shown * sent_s)
    kind = np.asarray(mapping.context)
    forward = np.where(kind == RING, shown, 1.0) * sent_s
    return forward, np.where(kind == ULYSSES, 1.0, 2.0) * forward


def _forward_flops(kind: LayerKind, mapping: Mapping, tokens: Any) -> tuple[Any, Any, Any, Any, Any]:
    """FLOPs that one rank executes forward: all products, the attention core (half the square, a window, a scan), and of
    the products those of latent queries and keys, of the dense feed-forward part, of the mixture."""
    tp = mapping.tp
    shared = np.where(np.asarray(mapping.sequence_parallel) > 0, tp, 1.0)
    routed = 2.0 * tokens * kind.top_k / tp * kind.expert_kn
    flops, of = routed, {LATENT_UP: 0.0, MLP: 0.0, EXPERTS: routed}
    for matrix in kind.matrices:
        mine = 2.0 * tokens * matrix.k * matrix.n / np.where(matrix.cut == REPLICATED, shared, tp)
        flops = flops + mine
        for module in of:
            if np.any(np.asarray(matrix.module) == module):
                of[module] = of[module] + mine * (np.asarray(matrix.module) == module)
    window = np.asarray(kind.window, dtype=float)
    keys = np.where(window > 0, np.minimum(2.0 * window, mapping.seq), mapping.seq)
    core = (0.5 * kind.attention_flops * keys + kind.scan_flops) * tokens / tp
    return flops, core, of[LATENT_UP], of[MLP], of[EXPERTS]
