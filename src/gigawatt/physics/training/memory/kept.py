"""Bytes that a layer keeps of its forward pass until its backward pass.

Kept for a token of a GPT layer in 16 bits, with a fused attention core: 32 h bytes (Korthikanti et al., arXiv 2205.05198,
eq. 2, without dropout's two masks of h bytes and without 5 a S bytes of scores, which stacks of their time keep). What
tensor parallelism cuts is divided by tp, the rest by tp where sequences are cut too (eq. 4). Tensors are those of
`physics.workload.activations`, so that a layer of any architecture is counted by the same rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.physics.training.columns import EXPERTS, MLP, ULYSSES, Mapping
from gigawatt.physics.training.precision import Stored
from gigawatt.physics.training.shape import STORAGES, KeptTensor, LayerKind, Shape
from gigawatt.physics.workload.activations import SCORE_BYTES

WIDE_BYTES, FLOAT_BYTES = 2.0, 4.0
MASK_BYTES = 2.0  # two dropout masks of a byte a value of the hidden width, in stacks without fused attention
FEED_FORWARD = int(MLP + EXPERTS)
WIDE, INPUT, COPY, FLOAT, SCORE = (float(i) for i in range(len(STORAGES)))


def kept_bytes_per_token(
    kind: LayerKind, shape: Shape, mapping: Mapping, flash: Any, recipe: Stored | None = None, *, modules: Any = None
) -> Any:
    """Bytes a layer keeps for a token until its backward pass, without full recompute.

    Depends on tp, cp, context, etp, imbalance, seq, sequence_parallel, modules and lora: adapters sit on attention's
    matrices (Hu et al., arXiv 2106.09685), so that frozen feed-forward products keep no input. `flash` is 1 where the
    attention core is fused; `recipe` 16 bits where None; `modules` those of the mapping where None.
    """
    again = np.asarray(mapping.modules if modules is None else modules).astype(np.int64)
    unfused = np.asarray(flash) <= 0
    widths = _widths(mapping, recipe, unfused)
    frozen = np.asarray(mapping.lora) > 0
    some, adapted = bool(again.any()), bool(frozen.any())
    parts = _Parts(mapping, outside_ranks(mapping))
    if unfused.any():
        parts.add(KeptTensor(1.0), np.where(unfused, MASK_BYTES * shape.hidden, 0.0))
    for kept in kind.kept:
        each = kept.values * _pick(kept.storage, widths)
        by = np.asarray(kept.dropped_by).astype(np.int64)
        if some:
            each = each * (np.bitwise_and(again, by) == 0)
        if adapted:
            each = each * ~(frozen & (np.asarray(kept.storage) == INPUT) & (np.bitwise_and(by, FEED_FORWARD) > 0))
        parts.add(kept, each)
    return parts.total()


class _Parts:
    """A sum of tensors, cut alike before they are cut: what is cut alike is added up first, on the few axes that modules
    and recipes have, and divided once."""

    def __init__(self, mapping: Mapping, outside: Any) -> None:
        self.mapping, self.outside = mapping, outside
        self.alike: dict[tuple[float, float], Any] = {}
        self.rest: Any = 0.0

    def add(self, kept: KeptTensor, each: Any) -> None:
        """Bytes a token of a tensor, whole."""
        if np.ndim(kept.sharded) or np.ndim(kept.routed):
            self.rest = self.rest + each * self._share(kept.sharded, kept.routed)
            return
        key = (float(kept.sharded), float(kept.routed))
        self.alike[key] = self.alike.get(key, 0.0) + each

    def total(self) -> Any:
        """Bytes a token on one rank."""
        total: Any = self.rest
        for key, each in self.alike.items():
            total = total + each * self._share(*key)
        return total

    def _share(self, sharded: Any, routed: Any) -> Any:
        """Part of a tensor on one rank. Rows of experts are spread over the tensor ranks; where those cut experts (etp),
        each of the group holds the rows of all. The busiest rank has `imbalance` times the mean."""
        m = self.mapping
        if np.ndim(routed) == 0 and np.ndim(sharded) == 0:
            if not routed:
                return 1.0 / (m.tp if sharded else self.outside)
            return m.imbalance / m.tp if sharded else m.imbalance * m.etp / m.tp
        whole = np.where(np.asarray(routed) > 0, m.tp / np.asarray(m.etp), self.outside)
        share = 1.0 / np.where(np.asarray(sharded) > 0, m.tp, whole)
        return share * np.where(np.asarray(routed) > 0, m.imbalance, 1.0)


def outside_ranks(mapping: Mapping) -> Any:
    """Ranks that share what tensor parallelism leaves whole: tp under sequence parallelism, else one."""
    sequence = mapping.sequence_parallel
    if np.ndim(sequence) == 0 and sequence == 1.0:
        return mapping.tp
    return np.where(np.asarray(sequence) > 0, mapping.tp, 1.0)


def layer_input_bytes(shape: Shape, mapping: Mapping) -> Any:
    """Bytes a token of a fully recomputed layer: its input."""
    return WIDE_BYTES * shape.hidden / outside_ranks(mapping)


def gradient_bytes_per_token(kind: LayerKind, mapping: Mapping) -> Any:
    """Bytes a token of the largest gradients that a layer's backward pass makes at once: of the activation's input."""
    parts = _Parts(mapping, 1.0)
    for kept in kind.kept:
        of_activation = (np.asarray(kept.dropped_by) == MLP) | (np.asarray(kept.dropped_by) == EXPERTS)
        here = of_activation & (np.asarray(kept.storage) == WIDE)
        if here.any():
            parts.add(kept, WIDE_BYTES * kept.values * here)
    return parts.total()


def _widths(mapping: Mapping, recipe: Stored | None, unfused: Any) -> tuple[Any, ...]:
    """Bytes a value of each of `STORAGES`. With Ulysses the core's output is another tensor than the next product's
    input, since tokens and heads are exchanged in between."""
    given = WIDE_BYTES if recipe is None else recipe.input
    second = 0.0 if recipe is None else recipe.copy
    copy, swapped = second, np.asarray(mapping.context) == ULYSSES
    if swapped.any():
        exchanged = swapped & (np.asarray(mapping.cp) > 1)
        copy = second + np.where(exchanged & (np.asarray(second) == 0.0), WIDE_BYTES, 0.0)
    scores = np.where(unfused, SCORE_BYTES * mapping.seq, 0.0) if unfused.any() else 0.0
    return WIDE_BYTES, given, copy, FLOAT_BYTES, scores


def _pick(storage: Any, widths: tuple[Any, ...]) -> Any:
    if np.ndim(storage) == 0:
        return widths[int(storage)]
    return np.select([np.asarray(storage) == i for i in range(len(widths))], widths)
