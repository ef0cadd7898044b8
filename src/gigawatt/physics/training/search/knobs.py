"""Choices that multiply a layout: five axes of settings that go together, and which of them a layout allows.

    layer     sequence parallelism, context messages, fusion, overlap within a layer: what a layer's time depends on
    again     recompute (whole layers, modules) and activations in host memory
    sharding  ZeRO stage and the ranks of a sharding group
    host      optimizer state and weights in host memory
    schedule  pipeline schedule, overlap of messages between stages and between data-parallel ranks, passes in pairs

A setting that makes no difference in a layout (context messages of one rank, a schedule of one stage) is tried once, at
the value that stands for all; it is no candidate and no rejection.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import DUAL_PIPE, DUAL_PIPE_V, ULYSSES
from gigawatt.physics.training.schedule.valid import RULES, broken_rules
from gigawatt.physics.training.search.space import Space
from gigawatt.physics.training.shape import Shape

Column = NDArray[np.float64]
Mask = NDArray[np.bool_]
KNOBS: dict[str, tuple[str, ...]] = {
    "layer": ("sequence_parallel", "context", "fused", "overlap_tp", "overlap_cp", "overlap_ep"),
    "again": ("recompute", "modules", "offload_activations"),
    "sharding": ("sharding", "shard_ranks"),
    "host": ("offload_optimizer", "offload_weights"),
    "schedule": ("schedule", "overlap_pp", "overlap_dp", "paired"),
}
FULL_SHARDING = 3.0
# Rules of schedules (`schedule.valid`), in words for a count of candidates.
RULED = {
    "one chunk": "the schedule runs one chunk a stage",
    "two chunks": "the schedule runs two chunks a stage",
    "groups": "interleaved chunks need micro-batches in groups of the stages",
    "even stages": "the schedule pairs an even number of stages",
    "even batch": "the schedule pairs an even number of micro-batches",
    "twice": "the schedule needs twice as many micro-batches as stages",
    "fill": "the schedule needs enough micro-batches to fill its V",
}


@dataclass(frozen=True, slots=True)
class Knobs:
    """The settings along each axis of `KNOBS`, as columns."""

    axes: tuple[dict[str, Column], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(int(next(iter(axis.values())).size) for axis in self.axes)

    @property
    def count(self) -> int:
        """Settings of all knobs together."""
        return int(np.prod(self.sizes))

    def columns(self, chosen: tuple[NDArray[np.intp], ...]) -> dict[str, Column]:
        """Columns of the settings chosen, each along its own leading axis; layouts go along the last."""
        columns: dict[str, Column] = {}
        for number, (axis, rows) in enumerate(zip(self.axes, chosen, strict=True)):
            beside = (-1, *(1 for _ in range(len(self.axes) - number)))
            columns |= {name: values[rows].reshape(beside) for name, values in axis.items()}
        return columns


def knobs_of(space: Space) -> Knobs:
    """The knobs of a space. Layers that are run again as a whole run no module again and keep next to nothing."""
    axes = []
    for names in KNOBS.values():
        product = itertools.product(*(dict.fromkeys(getattr(space, name)) for name in names))
        columns: dict[str, Column] = dict(
            zip(names, np.array(list(product), np.float64).reshape(-1, len(names)).T, strict=True)
        )
        if "recompute" in columns:
            once = np.ones(columns["recompute"].size, dtype=bool)
            for name in ("modules", "offload_activations"):
                once &= columns[name] == np.min(columns[name])
            kept = once | (columns["recompute"] < 1.0)
            columns = {name: column[kept] for name, column in columns.items()}
        axes.append(columns)
    return Knobs(tuple(axes))


def allowed(
    shape: Shape, global_batch: float, knobs: Knobs, layout: dict[str, Column]
) -> tuple[list[Mask], list[tuple[str, int, str]]]:
    """For each axis the settings (rows) that each layout (columns) allows; and (reason, count, fix) of what it forbids."""
    layer, _, sharding, _, schedule = ({name: column[:, None] for name, column in axis.items()} for axis in knobs.axes)
    heads = float(shape.max_heads)
    tp, pp, vpp, cp, ep = (layout[name] for name in ("tp", "pp", "vpp", "cp", "ep"))
    ranks = layout["dp"] * cp
    micro_batches = global_batch / (layout["dp"] * layout["micro_batch"])

    same = [np.ones((size, tp.size), dtype=bool) for size in knobs.sizes]
    for name, alone, canonical in (
        ("sequence_parallel", tp == 1, np.max),
        ("overlap_tp", tp == 1, np.max),
        ("context", cp == 1, np.min),
        ("overlap_cp", cp == 1, np.max),
        ("overlap_ep", ep == 1, np.max),
    ):
        same[0] &= ~alone | (layer[name] == canonical(layer[name]))
    same[2] &= (ranks > 1) | (sharding["sharding"] == np.min(sharding["sharding"]))
    same[4] &= (pp > 1) | (schedule["schedule"] == schedule["schedule"][0])
    same[4] &= (pp > 1) | (schedule["overlap_pp"] == np.max(schedule["overlap_pp"]))
    same[4] &= (ranks > 1) | (schedule["overlap_dp"] == np.max(schedule["overlap_dp"]))

    group = sharding["shard_ranks"]
    kind, paired = schedule["schedule"], schedule["paired"]
    same[4] &= (ep > 1) | (paired == np.min(paired))
    two_way = (kind == DUAL_PIPE) | (kind == DUAL_PIPE_V)
    rules = [
        (0, (layer["context"] == ULYSSES) & (cp > 1) & (np.mod(heads, tp * cp) != 0),
         "context ranks by heads do not divide them", "use fewer context ranks, or ring messages"),
        (2, (sharding["sharding"] >= FULL_SHARDING) & (pp > 1),
         "full sharding with a pipeline", "use one stage, or optimizer sharding"),
        (2, (group > 0) & ((np.mod(ranks, np.maximum(group, 1.0)) != 0) | (sharding["sharding"] < 1)),
         "sharding groups do not divide the data-parallel ranks", "use a divisor of them, or 0 for all of them"),
        (4, (paired > 0) & (pp > 1) & (vpp == 1) & ~two_way,
         "passes in pairs need chunks where there are stages", "use two chunks, or dualpipe"),
    ]  # fmt: skip
    broken = broken_rules(kind, micro_batches, pp, vpp)
    rules += [(4, (pp > 1) & np.asarray(broken[rule]), words, RULES[rule][1]) for rule, words in RULED.items()]
    masks = list(same)
    told = []
    for axis, bad, reason, fix in rules:
        lost = masks[axis] & bad
        others = np.prod([mask.sum(axis=0) for i, mask in enumerate(masks) if i != axis], axis=0)
        told.append((reason, int((lost.sum(axis=0) * others).sum()), fix))
        masks[axis] = masks[axis] & ~bad
    return masks, told
