"""Seconds of a micro-batch's kernels on one rank, from the measured chip floor: nothing here is fitted to training.

With T = micro_batch * seq / cp tokens (T / tp for replicated matrices under sequence parallelism):

    dense        forward (T, k, n), input gradient (T, n, k), weight gradient (k, T, n) as m x depth x n products
    experts      the same with T top_k / tp token slots in experts / ep equal groups, one product after the other
    attention    causal prefill of whole sequences over cp; unfused: two batched products over the full square (the
                 backward pass four) and the passes of softmax and dropout over the scores
    passes       norms, activations, casts, gathers, scans, logits: bytes over the bandwidth that streams reach

Context ranks share the causal square evenly: each holds one chunk of the head of a sequence and the chunk as far from its
end (2 cp chunks, as Megatron-Core and arXiv 2407.21783 cut it); under Ulysses each has the whole square of heads / cp.
Expert tensor parallelism etp gathers the tokens of etp ranks and gives each a cut of every expert's width: rows x etp,
width / etp. The busiest expert rank, `imbalance` over the mean, is the one that is timed: all wait for it.

Only distinct settings are timed: dense matrices see tokens, tp and sequence parallelism alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.gemm import widths
from gigawatt.physics.chip.kernels import kernel_seconds
from gigawatt.physics.training.columns import EXPERTS, LATENT_UP, MLP, ULYSSES, Mapping
from gigawatt.physics.training.precision import Precision
from gigawatt.physics.training.shape import REPLICATED, LayerKind, Shape
from gigawatt.physics.training.step.products import Column, Part, Product, Rank, distinct, three_passes, time_products

Made = tuple[dict[str, Column], "list[Product]"]  # seconds by column, and the products to be timed
STREAM_SHARE = 0.8  # of the datasheet bandwidth that streaming kernels reach
CAST_BYTES = 4.0  # of an element cast to 8 or 4 bit: read in 16, written along rows and along columns
# Of a score, beside what its products move: scaled and masked softmax (read, write) and dropout (read, write, mask);
# backward the mask and gradient to the dropout's, that and the probabilities to the softmax's.
SCORE_BYTES = (9.0, 11.0)
# The same where Megatron's fused softmax does not apply (it wants at most 2,048 keys, and heads times sequences on a rank
# in fours) and PyTorch casts to 32 bit, scales, masks, takes the softmax and casts back, a pass each.
PLAIN_SCORE_BYTES = (42.0, 46.0)
FUSED_KEYS, FUSED_ROWS = 2048.0, 4.0
PLAIN_LAUNCHES = (
    4.0 / 18.0
)  # five kernels for one, where a layer has eighteen or so (products, norms, biases, dropouts, copies; Megatron of 2021)
LOGIT_BYTES = 14.0  # of a logit: cast to 32 bit, maximum and sum, gradient
# Columns of products that may be run again alone, and the module they belong to.
MODULE_COLUMNS = (("mlp_forward_s", MLP), ("shared_forward_s", EXPERTS), ("latent_forward_s", LATENT_UP))


@dataclass(frozen=True, slots=True)
class LayerKernels:
    """Seconds of one layer of a kind, one row a mapping.

    `forward_s`, `input_s`, `weight_s`: products with dense matrices, their input and weight gradients; `expert_*` the
    same of routed experts. `attention_backward_s` is of an unfused core alone (0 where fused: a multiple of forward).
    `launches` is the share of further kernels that the host launches where the softmax is not fused; `adapter_s` what low-rank
    adapters beside the dense matrices move in one pass: their input once, and the output that they add to twice.
    `pass_s` are norms, activations and residuals, `gather_s` tokens to experts and back, each once forward; `cast_s`
    and `cast_backward_s` casts of inputs and of gradients, `expert_cast_s` those of experts. `product_bytes` is what
    the products move, forward and backward.

    The last six are parts of those before that may be run again alone: forward products of the dense feed-forward part, of
    the mixture's shared experts and router, and of latent queries, keys and values; passes of norms and of the dense and
    the experts' activations.
    """

    forward_s: Column
    input_s: Column
    weight_s: Column
    expert_forward_s: Column
    expert_input_s: Column
    expert_weight_s: Column
    attention_s: Column
    attention_backward_s: Column
    launches: Column
    adapter_s: Column
    scan_s: Column
    pass_s: Column
    gather_s: Column
    cast_s: Column
    cast_backward_s: Column
    expert_cast_s: Column
    expert_cast_backward_s: Column
    product_bytes: Column
    mlp_forward_s: Column
    shared_forward_s: Column
    latent_forward_s: Column
    norm_s: Column
    activation_s: Column
    expert_activation_s: Column

    def take(self, rows: NDArray[np.intp]) -> LayerKernels:
        """The rows named."""
        return LayerKernels(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class KernelTimes:
    """`layers`, one entry a kind of layer, and the output head: its products as in a layer, the passes over logits."""

    layers: tuple[LayerKernels, ...]
    head_forward_s: Column
    head_input_s: Column
    head_weight_s: Column
    logit_s: Column

    def take(self, rows: NDArray[np.intp]) -> KernelTimes:
        """The rows named."""
        head = (self.head_forward_s, self.head_input_s, self.head_weight_s, self.logit_s)
        return KernelTimes(tuple(layer.take(rows) for layer in self.layers), *(column[rows] for column in head))


def stream_seconds(chip: Chip, nbytes: Any) -> Any:
    """Seconds of a kernel that only moves bytes."""
    return nbytes / (STREAM_SHARE * chip.memory_bytes_per_s)


def kernel_times(
    shape: Shape,
    chip: Chip,
    width: str,
    mapping: Mapping,
    *,
    flash: Any = 1.0,
    model: Any = 0.0,
    recipe: Precision | None = None,
) -> KernelTimes:
    """Kernel seconds of a column of mappings on one chip at one precision width.

    Args:
        shape: one model, or one row a mapping.
        chip: the accelerator.
        width: 16, 8, mx8 or 4.
        mapping: columns; tp, cp, ep, micro_batch, seq, sequence_parallel, context, etp and imbalance matter.
        flash: 1 where the attention core is fused.
        model: number of the model in each row, where they differ.
        recipe: how the width is used; casts of 4 bytes an element and no wide layers where None.
    """
    names = ("tp", "cp", "ep", "micro_batch", "seq", "sequence_parallel", "etp", "imbalance")
    columns = [np.asarray(getattr(mapping, name), dtype=float) for name in names]
    heads = np.where(np.asarray(mapping.context) == ULYSSES, mapping.cp, 1.0)
    *every, _ = np.broadcast_arrays(*columns, heads, flash, model, np.asarray(shape.hidden))
    cast = CAST_BYTES * (width != "16") if recipe is None else recipe.cast_bytes
    rank = Rank(chip, width, cast, *(np.ravel(x) for x in every))
    layers = [_layer(kind, rank) for kind in shape.kinds]
    head = _head(shape, rank)
    time_products(rank, [part for layer in layers for part in layer] + [head])
    kinds = tuple(_gathered(layer, rank.tp.size) for layer in layers)
    if recipe is not None and recipe.wide_layers > 0 and width != "16":
        wide = kernel_times(shape, chip, "16", mapping, flash=flash, model=model)
        kinds = tuple(_mixed(*pair, recipe.wide_layers) for pair in zip(kinds, wide.layers, strict=True))
    return KernelTimes(kinds, **{name: column[head.inverse] for name, column in head.columns.items()})


def _mixed(narrow: LayerKernels, wide: LayerKernels, share: float) -> LayerKernels:
    """The mean layer where a share of the layers stays in 16 bit."""
    pairs = ((getattr(narrow, f.name), getattr(wide, f.name)) for f in fields(LayerKernels))
    return LayerKernels(*(here + share * (there - here) for here, there in pairs))


def kernel_times_of(
    shape: Shape,
    devices: Sequence[tuple[Chip, str]],
    device: NDArray[np.intp],
    mapping: Mapping,
    flash: Any,
    model: Any,
) -> KernelTimes:
    """Kernel seconds where rows differ in chip and precision: row i runs on `devices[device[i]]`."""
    order = np.argsort(device, kind="stable")
    parts = []
    for number, (chip, width) in enumerate(devices):
        rows = order[np.searchsorted(device[order], number) : np.searchsorted(device[order], number, side="right")]
        made = shape.take(rows)
        parts.append(kernel_times(made, chip, width, mapping.take(rows), flash=flash[rows], model=model[rows]))
    back = np.argsort(order, kind="stable")
    layers = tuple(
        LayerKernels(
            *(np.concatenate([getattr(p.layers[i], f.name) for p in parts])[back] for f in fields(LayerKernels))
        )
        for i in range(len(shape.kinds))
    )
    head = (np.concatenate([getattr(p, f.name) for p in parts])[back] for f in fields(KernelTimes)[1:])
    return KernelTimes(layers, *head)


def _layer(kind: LayerKind, rank: Rank) -> list[Part]:
    """The groups of kernels of a layer, each at the distinct settings that it depends on."""
    parts = []
    for make, keys in (
        (_dense, (rank.model, rank.tokens, rank.tp, rank.parallel)),
        (_experts, (rank.model, rank.tokens, rank.tp, rank.ep, rank.etp, rank.load)),
        (_attention, (rank.model, rank.micro, rank.seq, rank.tp, rank.cp, rank.spread, rank.flash)),
    ):
        first, inverse = distinct(*keys)
        parts.append(Part(*make(kind.take(first), rank.take(first)), inverse))
    return parts


def _gathered(parts: Sequence[Part], rows: int) -> LayerKernels:
    """The parts of a layer, each at the rows that it serves; what none of them says is 0."""
    total = {f.name: np.zeros(rows) for f in fields(LayerKernels)}
    for part in parts:
        for name, column in part.columns.items():
            total[name] = total[name] + column[part.inverse]
    return LayerKernels(**total)


def _dense(kind: LayerKind, rank: Rank) -> Made:
    """Matrices outside of experts, and the passes over a token's width."""
    tokens, tp = rank.tokens, rank.tp
    shared = np.where(rank.parallel > 0, tp, 1.0)  # sequence parallelism cuts what tensor parallelism does not
    weight, activation = widths(rank.precision)
    inputs, outputs, moved, beside = (np.zeros_like(tokens) for _ in range(4))
    products = []
    for matrix in kind.matrices:
        k, n = matrix.cut_by(tp)
        m = np.where(matrix.cut == REPLICATED, tokens / shared, tokens)
        wide = np.broadcast_to(np.asarray(matrix.wide) > 0, m.shape)
        here = [(name, np.asarray(matrix.module) == module) for name, module in MODULE_COLUMNS]
        products += three_passes("", m, n, k, wide, parts=[(name, mine) for name, mine in here if np.any(mine)])
        inputs, outputs = inputs + ~wide * m * k, outputs + ~wide * m * n
        moved += 3.0 * (weight * k * n + activation * m * (k + n))
        beside += 2.0 * ~wide * m * (k + 2.0 * n)
    passes = 2.0 * tokens * (kind.moved_full / shared + kind.moved_sharded / tp)
    return {
        "cast_s": stream_seconds(rank.chip, rank.cast * inputs),
        "cast_backward_s": stream_seconds(rank.chip, rank.cast * outputs),
        "pass_s": stream_seconds(rank.chip, passes),
        "norm_s": stream_seconds(rank.chip, 2.0 * tokens * kind.moved_norm / shared),
        "activation_s": stream_seconds(rank.chip, 2.0 * tokens * kind.moved_activation / tp),
        "scan_s": stream_seconds(rank.chip, 2.0 * tokens * kind.scan_moved / tp),
        "product_bytes": moved,
        "adapter_s": stream_seconds(rank.chip, beside),
    }, products


def _experts(kind: LayerKind, rank: Rank) -> Made:
    """Grouped products of routed experts on the busiest rank: as many as experts, all of one load."""
    own = rank.tokens * kind.top_k / rank.tp * rank.load
    if not np.any(own > 0):
        return {}, []
    held = kind.experts / np.minimum(rank.ep, np.maximum(kind.experts, 1.0))
    slots = own * rank.etp
    groups = np.clip(held, 1.0, np.maximum(slots, 1.0))
    weight, activation = widths(rank.precision)
    inputs, outputs, moved = (np.zeros_like(slots) for _ in range(3))
    products = []
    width = kind.expert_width / rank.etp
    for k, n in ((kind.expert_hidden, kind.expert_gate * width), (width, kind.expert_hidden)):
        products += three_passes("expert_", slots / groups, n, k, times=groups)
        inputs, outputs = inputs + slots * k, outputs + slots * n
        moved = moved + 3.0 * (groups * weight * k * n + activation * slots * (k + n))
    activations = stream_seconds(rank.chip, 2.0 * own * kind.expert_moved)
    # Sorted by rank before they leave, by expert once the tokens of all `etp` ranks are there.
    sorted_rows = 0.5 * (own + slots)
    return {
        "gather_s": stream_seconds(rank.chip, 2.0 * sorted_rows * kind.gathered),
        "expert_cast_s": stream_seconds(rank.chip, rank.cast * inputs),
        "expert_cast_backward_s": stream_seconds(rank.chip, rank.cast * outputs),
        "pass_s": activations,
        "expert_activation_s": activations,
        "product_bytes": moved,
    }, products


def _attention(kind: LayerKind, rank: Rank) -> Made:
    """The attention core, fused or not; ranks of a context group share the causal square evenly, or the heads."""
    whole = kind.heads / rank.tp
    heads = whole / rank.spread
    there = whole > 0
    if not np.any(there):
        return {}, []
    window = np.where(np.asarray(kind.window) > 0, kind.window, 1e9)
    fused = kernel_seconds(
        rank.chip,
        "prefill",
        "bf16",
        batch=rank.micro,
        length=rank.seq,
        heads=np.maximum(heads, 1.0),
        kv_heads=np.maximum(kind.kv_heads / (rank.tp * rank.spread), 1.0),
        head_dim=kind.head_dim,
        window=window,
    ).seconds
    unfused = there & (rank.flash == 0)
    columns = {"attention_s": np.where(there & ~unfused, fused / (rank.cp / rank.spread), 0.0)}
    if not np.any(unfused):
        return columns, []
    tall, keys = np.where(unfused, rank.tokens * whole, 0.0), np.minimum(rank.seq, 2.0 * window)
    depth = np.broadcast_to(kind.head_dim, tall.shape)
    scores, values = (tall, keys, depth, True), (tall, depth, keys, True)
    names = ("attention_s", "attention_backward_s", "attention_backward_s")  # backward: each operand's gradient
    fits = (rank.seq <= FUSED_KEYS) & (np.mod(np.floor(whole * rank.micro + 0.5), FUSED_ROWS) == 0)
    each = (np.where(fits, one, other) for one, other in zip(SCORE_BYTES, PLAIN_SCORE_BYTES, strict=True))
    passes = (stream_seconds(rank.chip, nbytes * tall * keys) for nbytes in each)
    columns["attention_s"] = columns["attention_s"] + next(passes)
    columns["attention_backward_s"] = next(passes)
    columns["launches"] = np.where(unfused & ~fits, PLAIN_LAUNCHES, 0.0)
    return columns, [Product(name, *sides) for name in names for sides in (scores, values)]


def _head(shape: Shape, rank: Rank) -> Part:
    """The output head with its copies side by side, in 16 bit, and the passes over their logits."""
    first, inverse = distinct(rank.model, rank.tokens, rank.tp)
    model, some = shape.take(first), rank.take(first)
    n = (1.0 + model.mtp_layers) * model.vocab / some.tp
    columns = {"logit_s": stream_seconds(rank.chip, LOGIT_BYTES * some.tokens * n)}
    return Part(columns, three_passes("head_", some.tokens, n, model.hidden, True), inverse)
