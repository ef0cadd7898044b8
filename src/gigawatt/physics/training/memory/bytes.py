"""Bytes of one accelerator's memory that a training mapping needs, by kind.

    weights      2 bytes a parameter on the rank (and a working copy of two layers with full sharding)
    gradients    4 bytes a parameter (2 with full sharding)
    optimizer    12 bytes a parameter (master weight and two moments), over the data-parallel ranks where sharded
    activations  bytes kept for the backward pass x micro-batches in flight; recomputed layers keep their input alone
    head         logits and their gradient, 6 bytes each

Kept for a token and layer without recompute, in 16 bit: 2 (5 h / (tp with sequence parallelism) + GEMM inputs and
outputs / tp), which for a GPT layer is the 34 h of Korthikanti et al. (arXiv 2205.05198, eq. 2) within 6 %; scores of
an unfused attention core add 5 a S bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.physics.training.columns import CORE_ATTENTION, Mapping
from gigawatt.physics.training.schedule.pipeline import stored_micro_batches
from gigawatt.physics.training.shape import LayerKind, Shape

WORKSPACE_BYTES = 4e9  # assumed: CUDA context, communication buffers, fragmentation


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes by kind, one row a mapping."""

    weights_bytes: Any
    gradients_bytes: Any
    optimizer_bytes: Any
    activations_bytes: Any
    head_bytes: Any

    @property
    def total_bytes(self) -> Any:
        """All of it, with the workspace."""
        parts = self.weights_bytes + self.gradients_bytes + self.optimizer_bytes
        return parts + self.activations_bytes + self.head_bytes + WORKSPACE_BYTES


@dataclass(frozen=True, slots=True)
class RankParameters:
    """Parameters on one rank before data-parallel sharding, and the ranks that hold the same ones."""

    dense: Any
    expert: Any
    dense_ranks: Any
    expert_ranks: Any

    @property
    def total(self) -> Any:
        return self.dense + self.expert


def rank_parameters(shape: Shape, mapping: Mapping) -> RankParameters:
    """Weights of the fullest stage: a pp-th of the layers and, on the first or last stage, one embedding.

    Experts are cut by expert parallelism alone (no tensor parallelism inside an expert).
    """
    share = np.maximum(1.0 / mapping.pp, 1.0 / np.maximum(shape.layers, 1.0))
    one_end = shape.embedding_parameters / np.where(np.asarray(mapping.pp) > 1, 2.0 - shape.tied, 1.0)
    dense = (shape.dense_parameters * share + one_end) / mapping.tp
    expert = shape.expert_parameters * share / mapping.ep
    ranks = mapping.dp * mapping.cp
    expert_ranks = np.maximum(ranks * mapping.tp / mapping.ep, 1.0)
    return RankParameters(dense, expert, ranks, expert_ranks)


def memory_of(shape: Shape, mapping: Mapping, flash: Any = 1.0) -> Memory:
    """The bytes of each kind."""
    rank = rank_parameters(shape, mapping)
    full = np.asarray(mapping.sharding) >= 3
    zero1 = np.asarray(mapping.sharding) >= 1
    trains = 1.0 - np.asarray(mapping.lora) * 0.99  # adapters are about 1 % of the weights
    held = np.where(full, rank.dense / rank.dense_ranks + rank.expert / rank.expert_ranks, rank.total)
    working = np.where(full, 2.0 * rank.total / np.maximum(shape.layers / mapping.pp, 1.0), 0.0)
    sharded = np.where(zero1, rank.dense / rank.dense_ranks + rank.expert / rank.expert_ranks, rank.total)
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    kept = sum(kind.count * kept_bytes_per_token(kind, shape, mapping, flash) for kind in shape.kinds)
    share = np.maximum(1.0 / mapping.pp, 1.0 / np.maximum(shape.layers, 1.0))
    chunk_input = 2.0 * shape.hidden / np.where(np.asarray(mapping.sequence_parallel) > 0, mapping.tp, 1.0)
    one_layer = kept / np.maximum(shape.layers, 1.0)
    recomputed = shape.layers * chunk_input
    per_token = (1.0 - mapping.recompute) * kept + mapping.recompute * recomputed
    in_flight = stored_micro_batches(mapping.micro_batches, mapping.pp, mapping.vpp)
    activations = tokens * (per_token * share * in_flight + mapping.recompute * one_layer)
    head = 6.0 * tokens * shape.vocab / mapping.tp * np.where(np.asarray(mapping.pp) > 1, 0.5, 1.0)
    return Memory(
        weights_bytes=2.0 * (held + working),
        gradients_bytes=np.where(full, 2.0 * held, 4.0 * rank.total) * trains,
        optimizer_bytes=12.0 * sharded * trains,
        activations_bytes=activations,
        head_bytes=head,
    )


def kept_bytes_per_token(kind: LayerKind, shape: Shape, mapping: Mapping, flash: Any) -> Any:
    """Bytes a layer keeps for a token until its backward pass, without full recompute."""
    full = kind.kept_full / np.where(np.asarray(mapping.sequence_parallel) > 0, mapping.tp, 1.0)
    slots = kind.top_k / mapping.tp
    expert = slots * (
        kind.expert_hidden + kind.expert_width
    )  # outputs of the grouped GEMMs are recomputed or combined at once
    scores = np.where(
        (np.asarray(flash) > 0) | (mapping.recomputes(CORE_ATTENTION) > 0),
        0.0,
        5.0 * kind.heads * mapping.seq / mapping.tp,
    )
    return 2.0 * (full + kind.kept_sharded / mapping.tp + expert) + scores
