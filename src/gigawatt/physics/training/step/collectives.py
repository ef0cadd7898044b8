"""Messages of a training step: which collective, how many bytes, over which group; the network floor says how long.

    tensor      all-reduce of T h values, or reduce-scatter and all-gather of as many under sequence parallelism
    context     keys and values once round the ring: cp - 1 messages from neighbour to neighbour
    expert      dispatch and combine of T / tp tokens, by dispatch kernels or an all-to-all
    pipeline    activations of a micro-batch to the next stage
    data        reduce-scatter of gradients and all-gather of weights: a layer at a time where they are sharded, else in
                buckets

Groups stand as `fabric.placement` says. Nothing here is fitted to training: what compute hides of a message is a
coefficient of the stack, applied where the message is spent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric import collective_seconds
from gigawatt.physics.fabric.experts import WAYS, exchange_seconds
from gigawatt.physics.fabric.placement import Group, group, placement
from gigawatt.physics.fabric.wires import Wires
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.memory.bytes import rank_parameters
from gigawatt.physics.training.shape import Shape

Column = NDArray[np.float64]
Made = TypeVar("Made")
VALUE_BYTES = 2.0  # activations, and weights as they are gathered
GRADIENT_BYTES = 4.0  # summed in fp32 where weights are whole on every rank; 2 where they are sharded
# Parameters of a gradient bucket: Megatron-Core's default, max(40 M, 1 M a data-parallel rank).
BUCKET, BUCKET_PER_RANK = 40e6, 1e6


@dataclass(frozen=True, slots=True)
class LayerMessages:
    """Seconds in one layer's forward pass: one tensor-parallel sum, the context ring, experts there and back."""

    tensor_s: Any
    context_s: Any
    expert_s: Any

    def take(self, rows: NDArray[np.intp]) -> LayerMessages:
        """The rows named."""
        return LayerMessages(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class StageMessages:
    """Seconds of one send to the next stage, and of one pass of gradients and weights over the data-parallel ranks.

    A pass is once a step where weights are whole, once a micro-batch where they are sharded.
    """

    send_s: Any
    data_s: Any

    def take(self, rows: NDArray[np.intp]) -> StageMessages:
        """The rows named."""
        return StageMessages(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Messages:
    """All messages of a column of mappings: those of each kind of layer, and those of a stage."""

    layers: tuple[LayerMessages, ...]
    stage: StageMessages

    def take(self, rows: NDArray[np.intp]) -> Messages:
        """The rows named."""
        return Messages(tuple(layer.take(rows) for layer in self.layers), self.stage.take(rows))


def messages_of(
    shape: Shape, network: Wires, mapping: Mapping, all_to_all: Any = False, *, stages: Mapping | None = None
) -> Messages:
    """Messages of a column of mappings.

    Args:
        shape: the model, one or a row each.
        network: the network, one or a row each.
        mapping: the mappings; of them only tp, cp, ep, micro_batch, seq, sequence_parallel matter to layers.
        all_to_all: rows whose stack exchanges tokens through the collective library instead of dispatch kernels.
        stages: other rows for the messages of stages, on one network for all.
    """
    layers = _of_layers(shape, network, mapping, all_to_all)
    wide = _of_stages(shape, network, mapping if stages is None else stages)
    # One call a kind of collective: a search has few distinct messages of each class.
    asked = [*layers.asked, *wide.asked]
    for kind in dict.fromkeys(ask.kind for ask in asked):
        _answer(kind, network, [ask for ask in asked if ask.kind == kind])
    return Messages(layers.done(), wide.done())


@dataclass(frozen=True, slots=True)
class _Ask:
    """A message in every row whose group has more than one rank: the rows `at`, what they send, where seconds go."""

    kind: str
    at: NDArray[np.intp]
    ranks: Column
    inside: Column
    sent: tuple[Column, ...]
    seconds: Column


def _ask(kind: str, group: Group, rows: int, *sent: Any) -> _Ask:
    columns = (np.broadcast_to(np.asarray(x, np.float64), rows) for x in (group.ranks, group.per_domain, *sent))
    ranks, inside, *rest = columns
    at = np.flatnonzero(ranks > 1)
    return _Ask(kind, at, ranks[at], inside[at], tuple(column[at] for column in rest), np.zeros(rows))


def _answer(kind: str, network: Wires, asked: Sequence[_Ask]) -> None:
    """Fills in the seconds of messages of one kind."""
    at, ranks, inside = (np.concatenate([getattr(ask, name) for ask in asked]) for name in ("at", "ranks", "inside"))
    if not at.size:
        return
    sent = [np.concatenate(columns) for columns in zip(*(ask.sent for ask in asked), strict=True)]
    wires = network.take(at)
    if kind in WAYS:
        tokens, topk, hidden, width = sent
        found = exchange_seconds(tokens, topk, hidden, width, ranks, wires, per_domain=inside, way=kind)
    else:
        found = collective_seconds(kind, sent[0], ranks, wires, per_domain=inside).seconds
    ends = np.cumsum([ask.at.size for ask in asked])[:-1]
    for ask, part in zip(asked, np.split(found, ends), strict=True):
        ask.seconds[ask.at] = part


@dataclass(frozen=True, slots=True)
class _Pending(Generic[Made]):
    """Messages asked for, and what makes of their seconds the answer."""

    asked: Sequence[_Ask]
    done: Callable[[], Made]


def _of_layers(shape: Shape, network: Wires, mapping: Mapping, all_to_all: Any) -> _Pending[tuple[LayerMessages, ...]]:
    tensor, context, expert = (
        group(ranks, stride, domain=network.domain, node=network.node)
        for ranks, stride in ((mapping.tp, 1.0), (mapping.cp, mapping.tp), (mapping.ep, 1.0))
    )
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    rows = _rows(tokens, shape.hidden, tensor.per_domain, expert.per_domain, network.domain, all_to_all)
    pair = np.asarray(mapping.sequence_parallel) > 0
    values = VALUE_BYTES * tokens * shape.hidden
    sums = [
        _ask("all_reduce", _only(tensor, ~pair), rows, values),
        *(_ask(kind, _only(tensor, pair), rows, values) for kind in ("reduce_scatter", "all_gather")),
    ]
    rings, swaps = [], []
    for kind in shape.kinds:
        rings.append(_ask("send_recv", context, rows, VALUE_BYTES * tokens * kind.kv_width / mapping.tp))
        routed, plain = np.asarray(kind.experts) > 0, np.asarray(all_to_all) > 0
        sent = (tokens / mapping.tp, kind.top_k, kind.expert_hidden, VALUE_BYTES)
        ways = (("normal", routed & ~plain), ("every_copy", routed & plain))
        swaps.append([_ask(way, _only(expert, mine), rows, *sent) for way, mine in ways])

    def done() -> tuple[LayerMessages, ...]:
        whole = sum(ask.seconds for ask in sums)
        return tuple(
            LayerMessages(whole, (context.ranks - 1.0) * ring.seconds, 2.0 * sum(ask.seconds for ask in swap))
            for ring, swap in zip(rings, swaps, strict=True)
        )

    return _Pending([*sums, *rings, *(ask for swap in swaps for ask in swap)], done)


def _of_stages(shape: Shape, network: Wires, mapping: Mapping) -> _Pending[StageMessages]:
    at = placement(mapping.tp, mapping.cp, mapping.ep, mapping.dp, mapping.pp, domain=network.domain, node=network.node)
    rows = _rows(*(getattr(mapping, f.name) for f in fields(Mapping)), shape.hidden, network.domain)
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    cut = np.where(np.asarray(mapping.sequence_parallel) > 0, mapping.tp, 1.0)
    send = _ask("send_recv", at.pipeline, rows, VALUE_BYTES * tokens * shape.hidden / cut)
    rank = rank_parameters(shape, mapping)
    trains = 1.0 - np.asarray(mapping.lora)
    full, whole = np.asarray(mapping.sharding) >= 3, np.asarray(mapping.sharding) < 1
    layers = np.maximum(shape.layers / mapping.pp, 1.0)
    passes: list[tuple[Any, _Ask, _Ask]] = []
    for copies, held in ((at.data, rank.dense), (at.expert_data, rank.expert)):
        # Frozen weights are gathered where they are sharded; adapters' gradients are next to nothing.
        buckets = np.maximum(held / np.maximum(BUCKET, BUCKET_PER_RANK * copies.ranks), 1.0)
        count = np.where(full, layers, buckets)
        reduced = np.where(full, VALUE_BYTES, GRADIENT_BYTES) * trains * held / count
        gathered = np.where(full, VALUE_BYTES, np.where(whole, GRADIENT_BYTES, VALUE_BYTES) * trains) * held / count
        scatter = _ask("reduce_scatter", _only(copies, reduced > 0), rows, reduced)
        gather = _ask("all_gather", _only(copies, gathered > 0), rows, gathered)
        passes.append((count, scatter, gather))

    def done() -> StageMessages:
        # Sharded weights are gathered for the forward pass and again for the backward pass.
        again = 1.0 + full
        data = sum(count * (scatter.seconds + again * gather.seconds) for count, scatter, gather in passes)
        return StageMessages(send.seconds, data)

    return _Pending([send, *(ask for _, *both in passes for ask in both)], done)


def _rows(*columns: Any) -> int:
    return int(np.broadcast_shapes(*(np.shape(column) for column in columns), (1,))[0])


def _only(whole: Group, mine: Any) -> Group:
    """The group in the rows `mine`, a single rank elsewhere."""
    ranks = np.where(mine, whole.ranks, 1.0)
    return Group(ranks, whole.stride, whole.per_node, np.minimum(whole.per_domain, ranks))
