"""Messages of a training step: which collective, how many bytes, over which group; the network floor says how long.

    tensor      all-reduce of T h values, or reduce-scatter and all-gather of as many under sequence parallelism
    context     ring: keys and values once round it, cp - 1 messages from neighbour to neighbour; all-gather of keys and
                values (Llama 3, arXiv 2407.21783, sec. 3.3.2); Ulysses: all-to-all of queries, keys and values before
                the core and of its output after (arXiv 2309.14509), keys and values copied where there are fewer heads
    expert      dispatch and combine of T / tp tokens, by dispatch kernels or an all-to-all, of the busiest rank; under
                expert tensor parallelism the tokens of etp ranks are gathered after and reduce-scattered before
    pipeline    activations of a micro-batch to the next stage
    data        `step.sharding`

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
from gigawatt.physics.fabric.placement import Group, group
from gigawatt.physics.fabric.wires import Wires
from gigawatt.physics.training.columns import ALL_GATHER, RING, ULYSSES, Mapping
from gigawatt.physics.training.precision import Precision
from gigawatt.physics.training.shape import LayerKind, Shape
from gigawatt.physics.training.step.sharding import DataMessage, data_messages

Column = NDArray[np.float64]
Made = TypeVar("Made")
VALUE_BYTES = 2.0  # activations


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
    """Seconds of one send to the next stage, and of gradients and weights over the data-parallel ranks.

    `data_s` of these go once a step, `micro_s` once a micro-batch: what is sharded and needed whole.
    """

    send_s: Any
    data_s: Any
    micro_s: Any = 0.0

    def take(self, rows: NDArray[np.intp]) -> StageMessages:
        """The rows named."""
        return StageMessages(*(np.asarray(getattr(self, f.name))[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Messages:
    """All messages of a column of mappings: those of each kind of layer, and those of a stage."""

    layers: tuple[LayerMessages, ...]
    stage: StageMessages

    def take(self, rows: NDArray[np.intp]) -> Messages:
        """The rows named."""
        return Messages(tuple(layer.take(rows) for layer in self.layers), self.stage.take(rows))


def messages_of(
    shape: Shape,
    network: Wires,
    mapping: Mapping,
    all_to_all: Any = False,
    *,
    stages: Mapping | None = None,
    recipe: Precision | None = None,
) -> Messages:
    """Messages of a column of mappings.

    Args:
        shape: the model, one or a row each.
        network: the network, one or a row each.
        mapping: the mappings; to layers matter tp, cp, ep, micro_batch, seq, sequence_parallel, context, etp, imbalance.
        all_to_all: rows whose stack exchanges tokens through the collective library instead of dispatch kernels.
        stages: other rows for the messages of stages, on one network for all.
        recipe: says in how many bytes weights are gathered and gradients summed; 2 and 4 where None.
    """
    layers = _of_layers(shape, network, mapping, all_to_all)
    wide = _of_stages(shape, network, mapping if stages is None else stages, recipe)
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
    tensor, context, expert, inner = (
        group(ranks, stride, domain=network.domain, node=network.node)
        for ranks, stride in (
            (mapping.tp, 1.0),
            (mapping.cp, mapping.tp),
            (mapping.ep, mapping.etp),
            (mapping.etp, 1.0),
        )
    )
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    columns = (tokens, shape.hidden, tensor.per_domain, expert.per_domain, inner.per_domain, network.domain)
    rows = _rows(*columns, all_to_all, mapping.context, mapping.imbalance)
    pair = np.asarray(mapping.sequence_parallel) > 0
    values = VALUE_BYTES * tokens * shape.hidden
    sums = [
        _ask("all_reduce", _only(tensor, ~pair), rows, values),
        *(_ask(kind, _only(tensor, pair), rows, values) for kind in ("reduce_scatter", "all_gather")),
    ]
    seen, swaps, cuts = [], [], []
    for kind in shape.kinds:
        seen.append(_contexts(kind, mapping, tokens, context, rows))
        routed, plain = np.asarray(kind.experts) > 0, np.asarray(all_to_all) > 0
        own = tokens / mapping.tp * mapping.imbalance
        sent = (own, kind.top_k, kind.expert_hidden, VALUE_BYTES)
        ways = (("normal", routed & ~plain), ("every_copy", routed & plain))
        swaps.append([_ask(way, _only(expert, mine), rows, *sent) for way, mine in ways])
        gathered = VALUE_BYTES * own * kind.top_k * kind.expert_hidden * mapping.etp
        both = ("all_gather", "reduce_scatter")
        cuts.append([_ask(way, _only(inner, routed & (np.asarray(mapping.etp) > 1)), rows, gathered) for way in both])

    def done() -> tuple[LayerMessages, ...]:
        whole = sum(ask.seconds for ask in sums)
        return tuple(
            LayerMessages(
                whole,
                sum(times * ask.seconds for times, ask in ways),
                2.0 * sum(ask.seconds for ask in swap) + sum(ask.seconds for ask in cut),
            )
            for ways, swap, cut in zip(seen, swaps, cuts, strict=True)
        )

    asked = [*sums, *(ask for ways in seen for _, ask in ways), *(ask for asks in (*swaps, *cuts) for ask in asks)]
    return _Pending(asked, done)


def _contexts(kind: LayerKind, mapping: Mapping, tokens: Any, context: Group, rows: int) -> list[tuple[Any, _Ask]]:
    """Messages by which context ranks see each other's keys, and how often each goes."""
    way = np.asarray(mapping.context)
    kept = VALUE_BYTES * tokens * kind.kv_width / mapping.tp
    found: list[tuple[Any, _Ask]] = [(context.ranks - 1.0, _ask("send_recv", _only(context, way == RING), rows, kept))]
    if np.any(way == ALL_GATHER):
        found.append((1.0, _ask("all_gather", _only(context, way == ALL_GATHER), rows, kept * mapping.cp)))
    if np.any(way == ULYSSES):
        heads = np.maximum(np.asarray(kind.heads, dtype=float), 1.0)
        pairs = kind.attention_flops / (2.0 * heads) / mapping.tp  # widths of a head's query and value together
        lent = np.maximum(mapping.cp * mapping.tp / np.maximum(np.asarray(kind.kv_heads, dtype=float), 1.0), 1.0)
        output = VALUE_BYTES * tokens * 0.5 * pairs * heads
        inputs = output + VALUE_BYTES * tokens * pairs * kind.kv_heads * lent
        swapped = _only(context, (way == ULYSSES) & (np.asarray(kind.heads) > 0))
        found += [(1.0, _ask("all_to_all", swapped, rows, sent)) for sent in (inputs, output)]
    return found


def _of_stages(shape: Shape, network: Wires, mapping: Mapping, recipe: Precision | None) -> _Pending[StageMessages]:
    stride = mapping.tp * mapping.cp * mapping.dp
    ahead = group(mapping.pp, stride, domain=network.domain, node=network.node)
    rows = _rows(*(getattr(mapping, f.name) for f in fields(Mapping)), shape.hidden, network.domain)
    tokens = mapping.micro_batch * mapping.seq / mapping.cp
    # Tensor ranks hold the same activations or a slice each: either way a rank sends its slice (Narayanan et al., SC'21,
    # sec. 4.1); putting slices together again is a message inside a host, which is left out.
    send = _ask("send_recv", ahead, rows, VALUE_BYTES * tokens * shape.hidden / mapping.tp)
    sent = data_messages(shape, network, mapping, recipe)
    asks = [_ask(one.kind, _only(one.group, one.each > 0), rows, one.each) for one in sent]

    def done() -> StageMessages:
        pairs = list(zip(sent, asks, strict=True))
        once, micro = (sum(count(one) * ask.seconds for one, ask in pairs) for count in (_once, _again))
        return StageMessages(send.seconds, np.asarray(once), np.asarray(micro))

    return _Pending([send, *asks], done)


def _once(one: DataMessage) -> Any:
    return one.a_step


def _again(one: DataMessage) -> Any:
    return one.a_micro_batch


def _rows(*columns: Any) -> int:
    return int(np.broadcast_shapes(*(np.shape(column) for column in columns), (1,))[0])


def _only(whole: Group, mine: Any) -> Group:
    """The group in the rows `mine`, a single rank elsewhere."""
    ranks = np.where(mine, whole.ranks, 1.0)
    return Group(ranks, whole.stride, whole.per_node, np.minimum(whole.per_domain, ranks))
