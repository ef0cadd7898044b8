"""Weights on one rank, and the ranks that hold the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.memory.stages import Stages
from gigawatt.physics.training.shape import REPLICATED, LayerKind, Shape


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
    """Weights that a stage exchanges: a pp-th of the layers and, on the first or last stage, one embedding.

    Experts are cut by expert parallelism and by tensor parallelism inside an expert. Of a schedule that holds two
    stages, one.
    """
    share = np.maximum(1.0 / mapping.pp, 1.0 / np.maximum(shape.layers, 1.0))
    one_end = shape.embedding_parameters / np.where(np.asarray(mapping.pp) > 1, 2.0 - shape.tied, 1.0)
    dense = (shape.dense_parameters * share + one_end) / mapping.tp
    expert = shape.expert_parameters * share / (mapping.ep * mapping.etp)
    ranks = mapping.dp * mapping.cp / mapping.sites  # sites hold replicas: shards lie within one
    expert_ranks = np.maximum(ranks * mapping.tp / (mapping.ep * mapping.etp), 1.0)
    return RankParameters(dense, expert, ranks, expert_ranks)


@dataclass(frozen=True, slots=True)
class Held:
    """Parameters on the ranks of a pipeline that may be the fullest (first axis), before data-parallel sharding.

    `dense` and `expert` are those of layers, `ends` those of embedding and head. `largest` is the largest layer's,
    `matrices` the largest layer's with one expert. `dense_cut` and `expert_cut` are the ranks that sharding spreads
    them over.
    """

    dense: Any
    expert: Any
    ends: Any
    largest: Any
    matrices: Any
    dense_cut: Any
    expert_cut: Any


def held_parameters(shape: Shape, mapping: Mapping, stages: Stages) -> Held:
    """Depends on tp, pp, vpp, schedule, ep, etp, dp, cp and shard_ranks."""
    dense, expert, largest, matrices = (np.zeros(()) for _ in range(4))
    each = mapping.ep * mapping.etp
    for kind, count in zip(shape.kinds, stages.counts, strict=True):
        one, experts = layer_parameters(kind, mapping.tp), kind.expert_parameters / each
        dense, expert = dense + count * one, expert + count * experts
        present = count > 0
        largest = np.maximum(largest, np.where(present, one + experts, 0.0))
        matrices = np.maximum(matrices, np.where(present, one + kind.expert_kn / mapping.etp, 0.0))
    table = shape.vocab * shape.hidden / mapping.tp
    shared = stages.embedding * stages.head * shape.tied
    ends = table * (stages.embedding + stages.head - shared)
    return Held(dense, expert, ends, largest, matrices, *_sharded_over(mapping))


def _sharded_over(mapping: Mapping) -> tuple[Any, Any]:
    """Ranks that shards of dense weights, and of experts, lie on: all replicas of a site, or a group of `shard_ranks`."""
    place = mapping.tp / (mapping.ep * mapping.etp)
    ranks = mapping.dp * mapping.cp / mapping.sites
    asked = np.asarray(mapping.shard_ranks, dtype=float)
    dense = np.where(asked > 0, np.minimum(asked, ranks), ranks)
    return dense, np.clip(dense * place, 1.0, np.maximum(ranks * place, 1.0))


def layer_parameters(kind: LayerKind, tp: Any) -> Any:
    """Weights of a layer on one tensor-parallel rank, experts left out; what is not cut is whole on each."""
    total: Any = 0.0
    for m in kind.matrices:
        total = total + m.k * m.n / np.where(np.asarray(m.cut) == REPLICATED, 1.0, tp)
    return total
