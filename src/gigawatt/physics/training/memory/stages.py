"""What lies on the pipeline ranks that may be the fullest: the first, the second and the last.

The first rank holds the most micro-batches and the embedding, the last the head and its logits; the second matters where
the first has fewer layers, or few of its layers have experts. All arrays have these three as their first axis; with one
stage they are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gigawatt.physics.training.columns import DUAL_PIPE, DUAL_PIPE_V, GPIPE, ZERO_BUBBLE_V, Mapping
from gigawatt.physics.training.schedule.pipeline import stored_micro_batches
from gigawatt.physics.training.shape import Shape

RANKS = ("first", "second", "last")


@dataclass(frozen=True, slots=True)
class Stages:
    """Layers of each kind (`counts`), and whether embedding and head are there, on the first, second and last rank."""

    counts: tuple[Any, ...]
    embedding: Any
    head: Any


def stages_of(shape: Shape, mapping: Mapping) -> Stages:
    """Layers and ends of the ranks. Depends on pp, vpp and schedule only.

    A rank holds ceil(layers / pp); where embedding and head count as a layer each so that the depth divides (126 layers
    over 16 stages), the first and last rank hold one layer fewer. Schedules in the shape of a V, and dualpipe, have both
    ends on the first rank.
    """
    pp, layers = np.asarray(mapping.pp, dtype=float), np.asarray(shape.layers, dtype=float)
    one = pp <= 1
    ends = (np.mod(layers, pp) != 0) & (np.mod(layers + 2.0, pp) == 0) & ~one
    full = np.where(ends, (layers + 2.0) / pp, np.ceil(layers / pp))
    outer = np.where(ends, full - 1.0, full)
    schedule = np.asarray(mapping.schedule)
    both = (schedule == ZERO_BUBBLE_V) | (schedule == DUAL_PIPE) | (schedule == DUAL_PIPE_V)
    mtp = np.asarray(shape.mtp_layers, dtype=float)
    of = _picker(shape, mapping)
    start = of(0.0, outer, np.maximum(layers - outer, 0.0))
    stop = of(outer, np.minimum(outer + full, layers + mtp), layers + mtp)
    stop = np.where(one, layers + mtp, stop)
    start = np.where(one, 0.0, start)
    held = stop - start
    counts, below = [], np.zeros(())
    for kind in shape.kinds:
        above = below + kind.count
        inside = np.maximum(np.minimum(stop, above) - np.maximum(start, below), 0.0)
        share = held * kind.count / np.maximum(layers + mtp, 1.0)
        counts.append(np.where((np.asarray(shape.in_order) > 0) & ~both, inside, share))
        below = above
    embedding = np.where(one, 1.0, of(1.0, 0.0, 0.0))
    head = np.where(one, 1.0, np.where(both, embedding, of(0.0, 0.0, 1.0)))
    return Stages(tuple(counts), embedding, head)


def in_flight(mapping: Mapping) -> Any:
    """Micro-batches of activations on each rank, in units of all its layers."""
    m, pp, vpp, schedule = mapping.micro_batches, mapping.pp, mapping.vpp, mapping.schedule
    ranks = (0.0, np.minimum(np.asarray(pp) - 1.0, 1.0), np.asarray(pp) - 1.0)
    return _picker(None, mapping)(*(stored_micro_batches(m, pp, vpp, schedule, rank) for rank in ranks))


def logits_in_flight(mapping: Mapping) -> Any:
    """Micro-batches whose logits are there at once: gpipe runs all forwards first."""
    return np.where(np.asarray(mapping.schedule) == GPIPE, mapping.micro_batches, 1.0)


def _picker(shape: Shape | None, mapping: Mapping) -> Callable[[Any, Any, Any], Any]:
    """A function that lays values of the three ranks along a new first axis, rows after it."""
    columns = [getattr(mapping, f.name) for f in fields(Mapping)]
    rows = max(np.ndim(x) for x in (*columns, 0.0 if shape is None else shape.layers))
    rank = np.arange(3).reshape((3,) + (1,) * rows)
    return lambda first, second, last: np.where(rank == 0, first, np.where(rank == 1, second, last))
