"""Seconds of a micro-batch's kernels on one rank, from the measured chip floor: nothing here is fitted to training.

With T = micro_batch * seq / cp tokens (T / tp for replicated matrices under sequence parallelism):

    dense        forward (T, k, n), input gradient (T, n, k), weight gradient (k, T, n) as m x depth x n products
    experts      the same with T top_k / tp token slots in experts / ep equal groups, one product after the other
    attention    causal prefill of whole sequences over cp; unfused: two batched products over the full square (the
                 backward pass four) and the passes of softmax and dropout over the scores
    passes       norms, activations, casts, gathers, scans, logits: bytes over the bandwidth that streams reach

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
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.shape import REPLICATED, LayerKind, Shape

Column = NDArray[np.float64]
Made = tuple[dict[str, Column], "list[Product]"]  # seconds by column, and the products to be timed
STREAM_SHARE = 0.8  # of the datasheet bandwidth that streaming kernels reach
CAST_BYTES = 4.0  # of an element cast to 8 or 4 bit: read in 16, written along rows and along columns
# Of a score, beside what its products move: scaled and masked softmax (read, write) and dropout (read, write, mask);
# backward the mask and gradient to the dropout's, that and the probabilities to the softmax's.
SCORE_BYTES = (9.0, 11.0)
LOGIT_BYTES = 14.0  # of a logit: cast to 32 bit, maximum and sum, gradient
PRECISION = {"16": "bf16", "8": "fp8", "mx8": "fp8", "4": "fp4"}


@dataclass(frozen=True, slots=True)
class LayerKernels:
    """Seconds of one layer of a kind, one row a mapping.

    `forward_s`, `input_s`, `weight_s`: products with dense matrices, their input and weight gradients; `expert_*` the
    same of routed experts. `attention_backward_s` is of an unfused core alone (0 where fused: a multiple of forward).
    `pass_s` are norms, activations and residuals, `gather_s` tokens to experts and back, each once forward; `cast_s`
    and `cast_backward_s` casts of inputs and of gradients, `expert_cast_s` those of experts. `product_bytes` is what
    the products move, forward and backward.
    """

    forward_s: Column
    input_s: Column
    weight_s: Column
    expert_forward_s: Column
    expert_input_s: Column
    expert_weight_s: Column
    attention_s: Column
    attention_backward_s: Column
    scan_s: Column
    pass_s: Column
    gather_s: Column
    cast_s: Column
    cast_backward_s: Column
    expert_cast_s: Column
    expert_cast_backward_s: Column
    product_bytes: Column

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
    shape: Shape, chip: Chip, width: str, mapping: Mapping, *, flash: Any = 1.0, model: Any = 0.0
) -> KernelTimes:
    """Kernel seconds of a column of mappings on one chip at one precision width.

    Args:
        shape: one model, or one row a mapping.
        chip: the accelerator.
        width: 16, 8, mx8 or 4.
        mapping: columns; tp, cp, ep, micro_batch, seq and sequence_parallel matter.
        flash: 1 where the attention core is fused.
        model: number of the model in each row, where they differ.
    """
    names = ("tp", "cp", "ep", "micro_batch", "seq", "sequence_parallel")
    columns = [np.asarray(getattr(mapping, name), dtype=float) for name in names]
    tp, cp, ep, micro, seq, parallel, fused, which, _ = (
        np.ravel(x) for x in np.broadcast_arrays(*columns, flash, model, np.asarray(shape.hidden))
    )
    rank = _Rank(chip, width, tp, cp, ep, micro, seq, parallel, fused, which)
    layers = [_layer(kind, rank) for kind in shape.kinds]
    head = _head(shape, rank)
    _time(rank, [part for layer in layers for part in layer] + [head])
    kinds = tuple(_gathered(layer, rank.tp.size) for layer in layers)
    return KernelTimes(kinds, **{name: column[head.inverse] for name, column in head.columns.items()})


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


@dataclass(frozen=True, slots=True)
class _Rank:
    """The columns that kernels depend on, flat and equally long."""

    chip: Chip
    width: str
    tp: Column
    cp: Column
    ep: Column
    micro: Column
    seq: Column
    parallel: Column
    flash: Column
    model: Column

    @property
    def tokens(self) -> Column:
        return self.micro * self.seq / self.cp

    @property
    def precision(self) -> str:
        """The chip's own name of the width: int8 where it has no 8-bit floats."""
        name, known = PRECISION[self.width], self.chip.peak_flops
        return "int8" if name == "fp8" and "fp8" not in known and "int8" in known else name

    def take(self, rows: NDArray[np.intp]) -> _Rank:
        """The rows named."""
        columns = (getattr(self, f.name)[rows] for f in fields(self)[2:])
        return _Rank(self.chip, self.width, *columns)


def distinct(*columns: Column) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(first row of each distinct combination, which of them each row is).

    >>> [x.tolist() for x in distinct(np.array([3.0, 1.0, 3.0]), np.array([2.0, 2.0, 2.0]))]
    [[1, 0], [1, 0, 1]]
    """
    code = np.zeros(np.size(columns[0]), dtype=np.intp)
    for column in columns:
        values, index = np.unique(column, return_inverse=True)
        _, code = np.unique(code * values.size + index.ravel(), return_inverse=True)
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first, inverse.ravel()


@dataclass(frozen=True, slots=True)
class Product:
    """m x k by k x n products, one row each, whose seconds go to column `name`; in 16 bit where `wide`."""

    name: str
    m: Column
    n: Column
    k: Column
    wide: Any = False
    times: Any = 1.0


@dataclass(frozen=True, slots=True)
class _Part:
    """Kernels at their distinct settings: seconds known so far, products still to be timed, and whose row is whose."""

    columns: dict[str, Column]
    products: list[Product]
    inverse: NDArray[np.intp]


def _layer(kind: LayerKind, rank: _Rank) -> list[_Part]:
    """The groups of kernels of a layer, each at the distinct settings that it depends on."""
    parts = []
    for make, keys in (
        (_dense, (rank.model, rank.tokens, rank.tp, rank.parallel)),
        (_experts, (rank.model, rank.tokens, rank.tp, rank.ep)),
        (_attention, (rank.model, rank.micro, rank.seq, rank.tp, rank.cp, rank.flash)),
    ):
        first, inverse = distinct(*keys)
        parts.append(_Part(*make(kind.take(first), rank.take(first)), inverse))
    return parts


def _time(rank: _Rank, parts: Sequence[_Part]) -> None:
    """Times the products of all parts together, one call a precision, and adds them to their columns."""
    asked = [(part.columns, product) for part in parts for product in part.products]
    if not asked:
        return
    size = [product.m.size for _, product in asked]
    m, n, k, wide = (
        np.concatenate([np.broadcast_to(getattr(p, side), p.m.shape) for _, p in asked])
        for side in ("m", "n", "k", "wide")
    )
    seconds = np.zeros(m.size)
    there = (m > 0) & (n > 0) & (k > 0)
    for precision, rows in (("bf16", there & wide), (rank.precision, there & ~wide)):
        if np.any(rows):
            sides = {"m": m[rows], "n": n[rows], "k": k[rows]}
            seconds[rows] = kernel_seconds(rank.chip, "gemm", precision, **sides, fused_quantise=True).seconds
    for (columns, product), found in zip(asked, np.split(seconds, np.cumsum(size)[:-1]), strict=True):
        columns[product.name] = columns.get(product.name, 0.0) + product.times * found


def _gathered(parts: Sequence[_Part], rows: int) -> LayerKernels:
    """The parts of a layer, each at the rows that it serves; what none of them says is 0."""
    total = {f.name: np.zeros(rows) for f in fields(LayerKernels)}
    for part in parts:
        for name, column in part.columns.items():
            total[name] = total[name] + column[part.inverse]
    return LayerKernels(**total)


def _dense(kind: LayerKind, rank: _Rank) -> Made:
    """Matrices outside of experts, and the passes over a token's width."""
    tokens, tp = rank.tokens, rank.tp
    shared = np.where(rank.parallel > 0, tp, 1.0)  # sequence parallelism cuts what tensor parallelism does not
    weight, activation = widths(rank.precision)
    inputs, outputs, moved = (np.zeros_like(tokens) for _ in range(3))
    products = []
    for matrix in kind.matrices:
        k, n = matrix.cut_by(tp)
        m = np.where(matrix.cut == REPLICATED, tokens / shared, tokens)
        wide = np.broadcast_to(np.asarray(matrix.wide) > 0, m.shape)
        products += _passes("", m, n, k, wide)
        inputs, outputs = inputs + ~wide * m * k, outputs + ~wide * m * n
        moved += 3.0 * (weight * k * n + activation * m * (k + n))
    cast = CAST_BYTES * (rank.width != "16")
    passes = 2.0 * tokens * (kind.moved_full / shared + (kind.moved_sharded + kind.top_k * kind.expert_moved) / tp)
    return {
        "cast_s": stream_seconds(rank.chip, cast * inputs),
        "cast_backward_s": stream_seconds(rank.chip, cast * outputs),
        "pass_s": stream_seconds(rank.chip, passes),
        "scan_s": stream_seconds(rank.chip, 2.0 * tokens * kind.scan_moved / tp),
        "product_bytes": moved,
    }, products


def _passes(prefix: str, m: Column, n: Column, k: Column, wide: Any = False, times: Any = 1.0) -> list[Product]:
    """A matrix forward, for its input's gradient and for its own."""
    n, k = np.broadcast_to(n, m.shape), np.broadcast_to(k, m.shape)
    return [
        Product(f"{prefix}forward_s", m, n, k, wide, times),
        Product(f"{prefix}input_s", m, k, n, wide, times),
        Product(f"{prefix}weight_s", k, n, m, wide, times),
    ]


def _experts(kind: LayerKind, rank: _Rank) -> Made:
    """Grouped products of routed experts on one rank: as many as experts, each of the mean load."""
    slots = rank.tokens * kind.top_k / rank.tp
    if not np.any(slots > 0):
        return {}, []
    held = kind.experts / np.minimum(rank.ep, np.maximum(kind.experts, 1.0))
    groups = np.clip(held, 1.0, np.maximum(slots, 1.0))
    weight, activation = widths(rank.precision)
    inputs, outputs, moved = (np.zeros_like(slots) for _ in range(3))
    products = []
    for k, n in ((kind.expert_hidden, kind.expert_gate * kind.expert_width), (kind.expert_width, kind.expert_hidden)):
        products += _passes("expert_", slots / groups, n, k, times=groups)
        inputs, outputs = inputs + slots * k, outputs + slots * n
        moved = moved + 3.0 * (groups * weight * k * n + activation * slots * (k + n))
    cast = CAST_BYTES * (rank.width != "16")
    return {
        "gather_s": stream_seconds(rank.chip, 2.0 * slots * kind.gathered),
        "expert_cast_s": stream_seconds(rank.chip, cast * inputs),
        "expert_cast_backward_s": stream_seconds(rank.chip, cast * outputs),
        "product_bytes": moved,
    }, products


def _attention(kind: LayerKind, rank: _Rank) -> Made:
    """The attention core, fused or not; ranks of a context group share the causal square evenly."""
    heads = kind.heads / rank.tp
    there = heads > 0
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
        kv_heads=np.maximum(kind.kv_heads / rank.tp, 1.0),
        head_dim=kind.head_dim,
        window=window,
    ).seconds
    unfused = there & (rank.flash == 0)
    columns = {"attention_s": np.where(there & ~unfused, fused / rank.cp, 0.0)}
    if not np.any(unfused):
        return columns, []
    tall, keys = np.where(unfused, rank.tokens * heads, 0.0), np.minimum(rank.seq, 2.0 * window)
    depth = np.broadcast_to(kind.head_dim, tall.shape)
    scores, values = (tall, keys, depth, True), (tall, depth, keys, True)
    names = ("attention_s", "attention_backward_s", "attention_backward_s")  # backward: each operand's gradient
    passes = (stream_seconds(rank.chip, nbytes * tall * keys) for nbytes in SCORE_BYTES)
    columns["attention_s"] = columns["attention_s"] + next(passes)
    columns["attention_backward_s"] = next(passes)
    return columns, [Product(name, *sides) for name in names for sides in (scores, values)]


def _head(shape: Shape, rank: _Rank) -> _Part:
    """The output head with its copies side by side, in 16 bit, and the passes over their logits."""
    first, inverse = distinct(rank.model, rank.tokens, rank.tp)
    model, some = shape.take(first), rank.take(first)
    n = (1.0 + model.mtp_layers) * model.vocab / some.tp
    columns = {"logit_s": stream_seconds(rank.chip, LOGIT_BYTES * some.tokens * n)}
    return _Part(columns, _passes("head_", some.tokens, n, model.hidden, True), inverse)
