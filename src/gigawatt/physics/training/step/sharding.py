"""Gradients and weights over the data-parallel ranks: which messages, how often, over which group.

Of R = dp cp / sites ranks of a site (tp dp cp / (sites ep etp) of experts), S share what is sharded (all of them, or the
`shard_ranks` of HSDP), R / S replicas of such a group stand beside each other:

    sharding      a step                                              a micro-batch
    0             all-reduce of gradients over R                       -
    1             reduce-scatter over S, all-reduce over R / S         -
                  of the S-th, all-gather of weights over S
    2             all-reduce over R / S, all-gather over S             reduce-scatter over S
    3             all-reduce over R / S                                reduce-scatter and two all-gathers over S

[Rajbhandari et al., arXiv 1910.02054, sec. 5 and 7: volumes of ZeRO 1 to 3; Zhao et al., arXiv 2304.11277, sec. 3.2:
FSDP and its hybrid; gradients of ZeRO 2 are reduced as they appear, so each micro-batch pays.] Replicated and
optimizer-sharded ranks work in buckets, sharded ones a layer at a time. Groups of S are the inner ranks, `tp` apart, so that a
group as large as a scale-up domain stays within it and only the S-th part crosses the network between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.physics.fabric.placement import Group, group
from gigawatt.physics.fabric.wires import Wires
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.memory.bytes import rank_parameters
from gigawatt.physics.training.precision import Precision
from gigawatt.physics.training.schedule.pipeline import weight_copies
from gigawatt.physics.training.shape import Shape

VALUE_BYTES = 2.0  # weights as they are gathered, gradients as they are reduced where these are sharded
GRADIENT_BYTES = 4.0  # gradients summed in fp32 where weights are whole on every rank
# Parameters of a gradient bucket: Megatron-Core's default, max(40 M, 1 M a data-parallel rank).
BUCKET, BUCKET_PER_RANK = 40e6, 1e6


@dataclass(frozen=True, slots=True)
class ShardRanks:
    """Ranks that share sharded weights, gradients and optimizer states, and replicas of such a group in a site."""

    dense: Any
    dense_replicas: Any
    expert: Any
    expert_replicas: Any


@dataclass(frozen=True, slots=True)
class DataMessage:
    """One kind of message: `each` bytes over `group`, so many a step and so many a micro-batch."""

    kind: str
    group: Group
    each: Any
    a_step: Any
    a_micro_batch: Any


def shard_ranks(mapping: Mapping) -> ShardRanks:
    """How data-parallel ranks divide into groups that share and replicas of these."""
    ranks = mapping.dp * mapping.cp / mapping.sites
    place = mapping.tp / (mapping.ep * mapping.etp)
    copies = np.maximum(ranks * place, 1.0)
    if np.ndim(mapping.shard_ranks) == 0 and mapping.shard_ranks == 0.0:
        return ShardRanks(ranks, 1.0, copies, 1.0)
    asked = np.asarray(mapping.shard_ranks, dtype=float)
    dense = np.where(asked > 0, np.minimum(asked, ranks), ranks)
    expert = np.clip(dense * place, 1.0, copies)
    return ShardRanks(dense, ranks / dense, expert, copies / expert)


def data_messages(
    shape: Shape, network: Wires, mapping: Mapping, recipe: Precision | None = None
) -> tuple[DataMessage, ...]:
    """Messages of gradients and weights of the fullest stage. Frozen weights are gathered where they are sharded;
    adapters' gradients are next to nothing.
    """
    rank, ranks = rank_parameters(shape, mapping), shard_ranks(mapping)
    gradient = GRADIENT_BYTES if recipe is None else recipe.summed_bytes
    weight = VALUE_BYTES if recipe is None else recipe.gathered_bytes
    trains = 1.0 - np.asarray(mapping.lora)
    stage = np.asarray(mapping.sharding)
    full, split, whole = stage >= 3, stage >= 2, stage < 1
    layers = np.maximum(shape.layers / mapping.pp, 1.0)
    inner = mapping.ep * mapping.etp
    copies = weight_copies(mapping.schedule)  # a rank exchanges the gradients of every stage it holds
    found: list[DataMessage] = []
    for held, sharing, replicas, stride in (
        (copies * rank.dense, ranks.dense, ranks.dense_replicas, mapping.tp),
        (copies * rank.expert, ranks.expert, ranks.expert_replicas, inner),
    ):
        shares = group(sharing, stride, domain=network.domain, node=network.node)
        beside = group(replicas, stride * sharing, domain=network.domain, node=network.node)
        buckets = np.maximum(held / np.maximum(BUCKET, BUCKET_PER_RANK * sharing), 1.0)
        count = np.where(full, layers, buckets)
        reduced = np.where(split, VALUE_BYTES, gradient) * trains * held / count
        gathered = np.where(full, weight, np.where(whole, gradient, weight) * trains) * held / count
        # Sharded weights are gathered for the forward pass and again for the backward pass.
        often = np.where(full, 2.0 * count, 0.0)
        found += [
            DataMessage("reduce_scatter", shares, reduced, np.where(split, 0.0, count), np.where(split, count, 0.0)),
            DataMessage("all_gather", shares, gathered, np.where(full, 0.0, count), often),
        ]
        if np.any(np.asarray(replicas) > 1):
            found.append(DataMessage("all_reduce", beside, reduced / sharing, count, 0.0))
    return tuple(found)
