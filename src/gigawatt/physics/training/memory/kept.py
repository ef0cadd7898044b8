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
from gigawatt.physics.training.memory.recipes import Recipe
from gigawatt.physics.training.shape import STORAGES, KeptTensor, LayerKind, Shape
from gigawatt.physics.workload.activations import SCORE_BYTES

WIDE_BYTES, FLOAT_BYTES = 2.0, 4.0
MASK_BYTES = 2.0  # two dropout masks of a byte a value of the hidden width, in stacks without fused attention
FEED_FORWARD = int(MLP + EXPERTS)
WIDE, INPUT, COPY, FLOAT, SCORE = (float(i) for i in range(len(STORAGES)))


def kept_bytes_per_token(
    kind: LayerKind, shape: Shape, mapping: Mapping, flash: Any, recipe: Recipe | None = None, *, modules: Any = None
) -> Any:
    """Bytes a layer keeps for a token until its backward pass, without full recompute.

    Depends on tp, cp, context, etp, imbalance, seq, sequence_parallel, modules and lora: adapters sit on attention's
    matrices (Hu et al., arXiv 2106.09685), so that frozen feed-forward products keep no input. `flash` is 1 where the
    attention core is fused; `recipe` 16 bits where None; `modules` those of the mapping where None.
    """
    again = np.asarray(mapping.modules if modules is None else modules).astype(np.int64)
    outside = np.where(np.asarray(mapping.sequence_parallel) > 0, mapping.tp, 1.0)
    unfused = np.asarray(flash) <= 0
    widths = _widths(mapping, recipe, unfused)
    total: Any = np.where(unfused, MASK_BYTES * shape.hidden / outside, 0.0)
    frozen = np.asarray(mapping.lora) > 0
    for kept in kind.kept:
        by = np.asarray(kept.dropped_by).astype(np.int64)
        dropped = np.bitwise_and(again, by) > 0
        if frozen.any():
            dropped = dropped | (frozen & (np.asarray(kept.storage) == INPUT) & (np.bitwise_and(by, FEED_FORWARD) > 0))
        width = _pick(kept.storage, widths)
        total = total + np.where(dropped, 0.0, kept.values * width * _share(kept, mapping, outside))
    return total


def layer_input_bytes(shape: Shape, mapping: Mapping) -> Any:
    """Bytes a token of a fully recomputed layer: its input."""
    return WIDE_BYTES * shape.hidden / np.where(np.asarray(mapping.sequence_parallel) > 0, mapping.tp, 1.0)


def gradient_bytes_per_token(kind: LayerKind, mapping: Mapping) -> Any:
    """Bytes a token of the largest gradients that a layer's backward pass makes at once: of the activation's input."""
    total: Any = np.zeros(())
    for kept in kind.kept:
        of_activation = (np.asarray(kept.dropped_by) == MLP) | (np.asarray(kept.dropped_by) == EXPERTS)
        here = of_activation & (np.asarray(kept.storage) == WIDE)
        total = total + np.where(here, WIDE_BYTES * kept.values * _share(kept, mapping, 1.0), 0.0)
    return total


def _share(kept: KeptTensor, mapping: Mapping, outside: Any) -> Any:
    """Part of a tensor on one rank. Rows of experts are spread over the tensor ranks; where those cut experts (etp),
    each of the group holds the rows of all. The busiest rank has `imbalance` times the mean."""
    whole = np.where(np.asarray(kept.routed) > 0, mapping.tp / np.asarray(mapping.etp), outside)
    share = 1.0 / np.where(np.asarray(kept.sharded) > 0, mapping.tp, whole)
    return share * np.where(np.asarray(kept.routed) > 0, mapping.imbalance, 1.0)


def _widths(mapping: Mapping, recipe: Recipe | None, unfused: Any) -> tuple[Any, ...]:
    """Bytes a value of each of `STORAGES`. With Ulysses the core's output is another tensor than the next product's
    input, since tokens and heads are exchanged in between."""
    given = WIDE_BYTES if recipe is None else recipe.input
    second = 0.0 if recipe is None else recipe.copy
    exchanged = (np.asarray(mapping.context) == ULYSSES) & (np.asarray(mapping.cp) > 1)
    copy = second + np.where(exchanged & (second == 0.0), WIDE_BYTES, 0.0)
    return WIDE_BYTES, given, copy, FLOAT_BYTES, np.where(unfused, SCORE_BYTES * mapping.seq, 0.0)


def _pick(storage: Any, widths: tuple[Any, ...]) -> Any:
    if np.ndim(storage) == 0:
        return widths[int(storage)]
    return np.select([np.asarray(storage) == i for i in range(len(widths))], widths)
