"""Bytes of the host's memory that a mapping needs for what it keeps there, for one accelerator.

    optimizer     its states, and 16-bit gradients that arrive and weights that leave: 12 + 2 + 2 bytes a parameter
                  [ZeRO-Offload, arXiv 2101.06840, sec. 4]
    activations   those of all micro-batches in flight; recomputed layers' inputs alone
    weights       with their low-precision copies; a rank's shard where they are sharded

Buffers on the chip (`memory.bytes`) come on top of these, not out of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.memory.bytes import static_bytes, stored_of_recipe
from gigawatt.physics.training.memory.kept import kept_bytes_per_token, layer_input_bytes
from gigawatt.physics.training.memory.stages import stages_of
from gigawatt.physics.training.precision import Precision, Stored
from gigawatt.physics.training.shape import Shape

PASSING_BYTES = 4.0  # of a parameter whose states live there: a 16-bit gradient and a 16-bit weight
HOST_SHARE = 0.8  # of a chip's share of the host's memory, beside the system, data loaders and checkpoints (assumed)


def host_bytes_of(
    shape: Shape, mapping: Mapping, flash: Any = 1.0, *, recipe: Stored | Precision | str = "bf16"
) -> Any:
    """Bytes on the host of the rank that keeps most there; arguments as for `memory_of`."""
    stored = stored_of_recipe(recipe)
    stages = stages_of(shape, mapping)
    own = replace(mapping, offload_optimizer=0.0, offload_activations=0.0, offload_weights=0.0)
    static = static_bytes(shape, own, stages, flash, stored)
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    recompute = np.asarray(mapping.recompute)
    activations: Any = np.zeros(())
    for kind, count in zip(shape.kinds, stages.counts, strict=True):
        kept = kept_bytes_per_token(kind, shape, mapping, flash, stored)
        activations = activations + count * tokens * (kept + recompute * (layer_input_bytes(shape, mapping) - kept))
    there = (
        np.asarray(mapping.offload_optimizer) * static.optimizer * (1.0 + PASSING_BYTES / stored.state)
        + np.asarray(mapping.offload_activations) * activations * stages.in_flight
        + np.asarray(mapping.offload_weights) * static.weights
    )
    return np.max(there, axis=0)
