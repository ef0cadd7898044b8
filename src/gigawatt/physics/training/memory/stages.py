"""What lies on the pipeline ranks that may be the fullest: the first, the second and the last.

The first rank holds the most micro-batches and the embedding, the last the head and its logits; the second matters where
the first has fewer layers, or few of its layers have experts. Arrays have the ranks that matter as their first axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import DUAL_PIPE, DUAL_PIPE_V, GPIPE, ZERO_BUBBLE_V, Mapping
from gigawatt.physics.training.schedule.pipeline import stored_micro_batches
from gigawatt.physics.training.shape import Shape

FIRST, SECOND, LAST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Stages:
    """Layers of each kind (`counts`), whether embedding and head are there, and micro-batches of activations in flight (in
    units of all the layers of a rank), on each of the `ranks` of FIRST, SECOND, LAST that may be the fullest."""

    ranks: tuple[int, ...]
    counts: tuple[Any, ...]
    embedding: Any
    head: Any
    in_flight: Any


def stages_of(shape: Shape, mapping: Mapping) -> Stages:
    """Layers and ends of the ranks, and what is in flight. Depends on pp, vpp, schedule and micro-batches only.

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
    all_layers = layers + np.asarray(shape.mtp_layers, dtype=float)
    ordered = (np.asarray(shape.in_order) > 0) & ~both

    ranks: tuple[int, ...] = (FIRST, SECOND, LAST)
    if one.all():
        ranks = (FIRST,)
    elif not ends.any() and (len(shape.kinds) == 1 or not ordered.any()):
        ranks = (FIRST, LAST)  # the second has the layers of the first, and less in flight
    of = _picker(ranks, shape, mapping)
    start = np.where(one, 0.0, of(0.0, outer, np.maximum(layers - outer, 0.0)))
    stop = np.where(one, all_layers, of(outer, np.minimum(outer + full, all_layers), all_layers))
    held = stop - start
    counts, below = [], np.zeros(())
    for kind in shape.kinds:
        above = below + kind.count
        inside = np.maximum(np.minimum(stop, above) - np.maximum(start, below), 0.0)
        counts.append(np.where(ordered, inside, held * (kind.count / np.maximum(all_layers, 1.0))))
        below = above
    embedding = np.where(one, 1.0, of(1.0, 0.0, 0.0))
    head = np.where(one, 1.0, np.where(both, embedding, of(0.0, 0.0, 1.0)))
    places = (0.0, np.minimum(pp - 1.0, 1.0), pp - 1.0)
    m, vpp = mapping.micro_batches, mapping.vpp
    flying = of(*(stored_micro_batches(m, pp, vpp, mapping.schedule, place) for place in places))
    return Stages(ranks, tuple(counts), embedding, head, flying)


def logits_in_flight(mapping: Mapping) -> Any:
    """Micro-batches whose logits are there at once: gpipe runs all forwards first."""
    if np.ndim(mapping.schedule) == 0 and mapping.schedule != GPIPE:
        return 1.0
    return np.where(np.asarray(mapping.schedule) == GPIPE, mapping.micro_batches, 1.0)


def _picker(ranks: tuple[int, ...], shape: Shape, mapping: Mapping) -> Callable[[Any, Any, Any], NDArray[np.float64]]:
    """A function that lays values of the ranks along a new first axis, all others after it."""
    axes = max(np.ndim(x) for x in (*(getattr(mapping, f.name) for f in fields(Mapping)), shape.layers))
    rank = np.array(ranks).reshape((len(ranks),) + (1,) * axes)
    return lambda first, second, last: np.where(rank == FIRST, first, np.where(rank == SECOND, second, last))
