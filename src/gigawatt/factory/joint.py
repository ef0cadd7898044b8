"""Layers of a site chosen all at once, or one after another: what the difference is worth.

A design is a choice of each layer, here a chip, a fabric and a site; value[i, j, k] is what the best plan on it is worth, NaN
where the choices do not go together. Three ways to choose:

    joint          argmax over all of value
    by measure     each layer by its own measure (the fastest chip, the cheapest fabric, the cheapest energy), in their order,
                   among what goes with the layers chosen before
    by value       each layer by value, the layers not yet chosen held at a starting design; in any order of the layers

    worth of joint design = value(joint) - value(the other)   >= 0

It is nothing where value is a sum of one term a layer and all choices go together (then by value finds the same), and where
one design is best whatever binds. Building nothing is worth nothing, so that no design counts below zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Choice = tuple[int, ...]


def joint(value: Array) -> Choice | None:
    """The best design, the first of equals; None where none is possible."""
    if not np.isfinite(value).any():
        return None
    at = int(np.argmax(np.where(np.isfinite(value), value, -np.inf)))
    return tuple(int(i) for i in np.unravel_index(at, value.shape))


def by_measure(value: Array, measures: Sequence[Array]) -> Choice | None:
    """Layer after layer by its own measure (larger is better), among designs that are possible with what is chosen.

    Args:
        value: [layer 1, layer 2, ...] of each design.
        measures: one array a layer, with an axis for each layer up to its own: [n1], [n1, n2] or [1, n2], [1, 1, n3], ...
    """
    possible = np.isfinite(value)
    chosen: list[int] = []
    for measure in measures:
        left = possible[tuple(chosen)]
        allowed = left.reshape(left.shape[0], -1).any(axis=1)
        if not allowed.any():
            return None
        row = measure
        for axis, index in enumerate(chosen):
            row = row[index if measure.shape[axis] > 1 else 0]
        chosen.append(int(np.argmax(np.where(allowed, row, -np.inf))))
    return tuple(chosen)


def by_value(value: Array, order: Sequence[int], start: Choice) -> Choice | None:
    """Layer after layer in `order` by value, those not yet chosen held at `start`; None where a layer has no choice left."""
    chosen = list(start)
    for layer in order:
        row = value[tuple(slice(None) if axis == layer else index for axis, index in enumerate(chosen))]
        if not np.isfinite(row).any():
            return None
        chosen[layer] = int(np.argmax(np.where(np.isfinite(row), row, -np.inf)))
    return tuple(chosen)


def worth(value: Array, choice: Choice | None) -> float:
    """Of a design: building nothing where it is none, or worth less than nothing."""
    return 0.0 if choice is None else max(float(value[choice]), 0.0)
