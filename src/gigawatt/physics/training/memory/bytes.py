"""Bytes of one accelerator's memory that a training mapping needs, by kind, on the fullest rank of the pipeline.

    weights      2 bytes a parameter on the rank, and a recipe's low-precision copies; sharded over data-parallel ranks
                 under FSDP, with two layers and the tables gathered
    gradients    4 bytes a parameter; sharded from ZeRO 2 on
    optimizer    12 bytes a parameter (master weight and two moments); sharded from ZeRO 1 on
    activations  bytes kept for the backward pass x micro-batches in flight; recomputed layers keep their input alone
    head         logits of a micro-batch, the input of the final norm and of the head, and the head's spare gradient
    workspace    spare weight gradients (a fused accumulation returns an empty tensor of each weight's shape), gradients
                 of one layer's activations, tensors of a layer that runs again, and `MemoryConstants`
    reserve      what the allocator holds beyond, and driver and libraries

The first five and the workspace are what a framework reports as its peak of allocated memory (`allocated_bytes`); a chip
needs `total_bytes`. Bytes of weights and optimizer are those of Megatron-LM (18 a parameter, 6 + 12 / ranks with its
distributed optimizer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.memory.constants import MemoryConstants, load_constants
from gigawatt.physics.training.memory.kept import (
    WIDE_BYTES,
    gradient_bytes_per_token,
    kept_bytes_per_token,
    layer_input_bytes,
)
from gigawatt.physics.training.memory.parameters import RankParameters, held_parameters, rank_parameters
from gigawatt.physics.training.memory.stages import Stages, logits_in_flight, stages_of
from gigawatt.physics.training.precision import Precision, Stored, precision_recipe
from gigawatt.physics.training.schedule.pipeline import weight_copies
from gigawatt.physics.training.shape import Shape

__all__ = ["Memory", "RankParameters", "kept_bytes_per_token", "memory_of", "rank_parameters", "total_bytes_of"]

ADAPTER_SHARE = 0.01  # of the weights, under LoRA (assumed)
FSDP_GRADIENT_BYTES = 2.0  # with the 2 of the shard of weights and 12: FSDP's 16 (32-bit weight, gradient, two moments)
LOGIT_BYTES = 6.0  # 16-bit logits and a 32-bit copy that becomes the gradient
FUSED_LOGIT_BYTES = 2.0  # a fused loss overwrites the logits with their gradient
WORKING_LAYERS = 2.0  # gathered or fetched at once: the one that runs and the next
KINDS = ("weights", "gradients", "optimizer", "activations", "head", "workspace", "reserve")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes by kind on the fullest rank, one row a mapping."""

    weights_bytes: Any
    gradients_bytes: Any
    optimizer_bytes: Any
    activations_bytes: Any
    head_bytes: Any
    workspace_bytes: Any
    reserve_bytes: Any

    @property
    def allocated_bytes(self) -> Any:
        """The peak that a framework reports."""
        return self.total_bytes - self.reserve_bytes

    @property
    def total_bytes(self) -> Any:
        """All of it."""
        total: Any = 0.0
        for kind in KINDS:
            total = total + getattr(self, f"{kind}_bytes")
        return total


@dataclass(frozen=True, slots=True)
class Static:
    """Bytes that do not depend on tokens, on the ranks that may be the fullest (first axis)."""

    weights: Any
    gradients: Any
    optimizer: Any
    spare: Any
    head_spare: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of one micro-batch: of a layer of each kind (`layers`), of one fully recomputed (`input`), what a layer's
    backward pass adds (`working`, each kind), and of the head."""

    layers: tuple[Any, ...]
    input: Any
    working: tuple[Any, ...]
    head: Any
    row: Any


def memory_of(
    shape: Shape,
    mapping: Mapping,
    flash: Any = 1.0,
    *,
    recipe: Stored | Precision | str = "bf16",
    fused_loss: Any = None,
    constants: MemoryConstants | None = None,
) -> Memory:
    """The bytes of each kind, on the rank with the largest sum.

    Args:
        shape: the model, or a column of models.
        mapping: columns; see `Mapping`.
        flash: 1 for stacks with a fused attention core, which also accumulate gradients in their products.
        recipe: what the precision stores, or the name of its recipe.
        fused_loss: 1 where the loss overwrites the logits; as `flash` where None.
        constants: the packaged ones where None.

    """
    stored = stored_of_recipe(recipe)
    known = constants or load_constants()
    whole = np.broadcast_arrays(*_parts(shape, mapping, flash, stored, fused_loss, known))
    rank = np.argmax(_sum(whole), axis=0)[None]
    picked = [np.take_along_axis(part, rank, axis=0)[0] for part in whole]
    weights, gradients, optimizer, spare, activations, head, scratch = picked
    reserve = _reserve(_sum(picked), known)
    return Memory(weights, gradients, optimizer, activations, head, spare + scratch, reserve)


def total_bytes_of(
    shape: Shape,
    mapping: Mapping,
    flash: Any = 1.0,
    *,
    recipe: Stored | Precision | str = "bf16",
    fused_loss: Any = None,
    constants: MemoryConstants | None = None,
) -> Any:
    """`memory_of(...).total_bytes` alone, for millions of candidates: what depends on few columns is summed before it meets
    the others, so that columns which broadcast over a grid cost next to nothing but for the last few operations.
    """
    stored = stored_of_recipe(recipe)
    known = constants or load_constants()
    largest = np.max(_sum(_parts(shape, mapping, flash, stored, fused_loss, known)), axis=0)
    return largest + _reserve(largest, known)


def stored_of_recipe(recipe: Stored | Precision | str) -> Stored:
    """What a recipe, or the recipe of a name, stores."""
    found = precision_recipe(recipe) if isinstance(recipe, str) else recipe
    return found.stored if isinstance(found, Precision) else found


def _parts(
    shape: Shape, mapping: Mapping, flash: Any, recipe: Stored, fused_loss: Any, constants: MemoryConstants
) -> tuple[Any, ...]:
    """Weights, gradients, optimizer, spare gradients, activations, head and scratch of the ranks that may be the fullest
    (first axis)."""
    stages = stages_of(shape, mapping)
    static = static_bytes(shape, mapping, stages, flash, recipe)
    kept = kept_bytes(shape, mapping, flash, recipe, fused_loss)
    return combine(mapping, stages, static, kept, constants)


def _sum(parts: Sequence[Any]) -> Any:
    """The sum, smallest arrays first."""
    total: Any = 0.0
    for part in sorted(parts, key=np.size):
        total = total + part
    return total


def _reserve(allocated: Any, constants: MemoryConstants) -> Any:
    return constants.reserved_share * allocated + constants.context_bytes


def static_bytes(shape: Shape, mapping: Mapping, stages: Stages, flash: Any, recipe: Stored) -> Static:
    """Weights, gradients, optimizer and spare gradients of each rank. Depends on tp, pp, schedule, ep, etp, dp, cp, sites,
    sharding, shard_ranks, lora and the offloaded shares."""
    held = held_parameters(shape, mapping, stages)
    sharding = np.asarray(mapping.sharding)
    copies = weight_copies(mapping.schedule)
    lora = np.asarray(mapping.lora)
    trained = 1.0 - lora * (1.0 - ADAPTER_SHARE)
    # the two copies of a stage shard their optimizer over both of their replicas
    sharded = (held.dense + held.ends) / held.dense_cut + held.expert / held.expert_cut
    whole = copies * (held.dense + held.expert + held.ends)
    full = sharding >= 3

    weights = recipe.weight * copies * (held.dense + held.expert) + WIDE_BYTES * copies * held.ends
    casts = recipe.cast * copies * (held.dense + held.expert)
    working = WORKING_LAYERS * (recipe.weight + recipe.cast) * held.largest
    gathered = WIDE_BYTES * (sharded + held.ends) + working
    off = np.asarray(mapping.offload_weights)
    weights = np.where(full, gathered, weights + casts)
    if off.any():
        weights = np.where(off > 0, (1.0 - off) * weights + off * np.minimum(working, weights), weights)

    gradients = np.where(sharding >= 2, sharded, whole) * recipe.gradient
    gradients = np.where(full, FSDP_GRADIENT_BYTES * sharded, gradients) * trained
    state = recipe.state * np.where(sharding >= 1, sharded, whole) * trained
    state = state * (1.0 - np.asarray(mapping.offload_optimizer))
    fused = (np.asarray(flash) > 0) & (lora <= 0)
    # gradients of one layer before they are scattered, where they are sharded; else the spare ones
    spare = np.where(sharding >= 2, WIDE_BYTES * held.largest, WIDE_BYTES * held.matrices) * fused
    ends = np.where(fused, WIDE_BYTES * shape.vocab * shape.hidden / mapping.tp, 0.0)
    return Static(weights, gradients, state, spare, ends)


def kept_bytes(shape: Shape, mapping: Mapping, flash: Any, recipe: Stored, fused_loss: Any = None) -> Kept:
    """Activations and logits of one micro-batch. Depends on tp, cp, context, etp, imbalance, seq, micro_batch,
    sequence_parallel, modules, lora, and on whether anything is recomputed."""
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    layers, working = [], []
    some = bool(np.any(mapping.modules))
    for kind in shape.kinds:
        kept = tokens * kept_bytes_per_token(kind, shape, mapping, flash, recipe)
        whole = kept if not some else tokens * kept_bytes_per_token(kind, shape, mapping, flash, recipe, modules=0.0)
        gradient = tokens * gradient_bytes_per_token(kind, mapping)
        layers.append(kept)
        working.append(np.where(np.asarray(mapping.recompute) > 0, whole, whole - kept) + gradient)
    loss = np.asarray(flash if fused_loss is None else fused_loss)
    logits = np.where(loss > 0, FUSED_LOGIT_BYTES, LOGIT_BYTES) * shape.vocab / mapping.tp * (1.0 + shape.mtp_layers)
    row = layer_input_bytes(shape, mapping)
    return Kept(tuple(layers), tokens * row, tuple(working), tokens * (logits + 2.0 * row), tokens * shape.hidden)


def combine(
    mapping: Mapping, stages: Stages, static: Static, kept: Kept, constants: MemoryConstants
) -> tuple[Any, ...]:
    """Weights, gradients, optimizer, spare gradients, activations, head and scratch of each rank."""
    recompute, off = np.asarray(mapping.recompute), np.asarray(mapping.offload_activations)
    activations, working, widest = np.zeros(()), np.zeros(()), np.zeros(())
    for count, layer, extra in zip(stages.counts, kept.layers, kept.working, strict=True):
        activations = activations + count * (layer + recompute * (kept.input - layer))
        present = count > 0
        working = np.maximum(working, present * extra)
        widest = np.maximum(widest, present * layer)
    activations = activations * stages.in_flight
    if off.any():
        fetched = np.minimum(WORKING_LAYERS * widest, activations)
        activations = np.where(off > 0, (1.0 - off) * activations + off * fetched, activations)
    head = stages.head * (kept.head * logits_in_flight(mapping) + static.head_spare)
    # the head's tensors are gone when a layer runs backward
    rest = constants.workspace_bytes + constants.workspace_rows * WIDE_BYTES * kept.row
    scratch = np.maximum(working - head, 0.0) + rest
    return static.weights, static.gradients, static.optimizer, static.spare, activations, head, scratch
