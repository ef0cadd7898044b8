"""Stages on chips of different speed: layers are dealt out so that the longest stage is as short as it can be.

Stage i runs a layer in t_i seconds and gets n_i of L layers, at least one: min over n of max n_i t_i. Dealing each layer to the
stage that would end first is optimal (list scheduling of equal jobs on uniform machines; Hochbaum and Shmoys 1988 call it so
trivially). Against an even split on chips with t seconds a layer a step then has

    longest = max(n_i t_i) / (L/p t),   mean = sum(n_i t_i) / (L t)

which `assemble` takes as factors on its stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Split:
    """Layers of each stage, and the longest and mean stage over an even one of the reference chip."""

    layers: tuple[int, ...]
    longest: float
    mean: float


def split_layers(layer_s: Sequence[float], layers: int, reference_s: float | None = None) -> Split:
    """Deal `layers` out over stages that take `layer_s` seconds for one.

    Args:
        layer_s: seconds of a layer, both passes, on the chips of each stage.
        layers: of the model.
        reference_s: seconds of a layer on the chip that a step is assembled for; that of the first stage where None.

    Raises:
        InputError: no stage, more stages than layers, or a layer that takes no time.

    >>> split_layers([1.0, 1.0, 2.0, 2.0], 12).layers
    (4, 4, 2, 2)
    """
    times = np.asarray(layer_s, dtype=np.float64)
    if not times.size or times.size > layers or not np.all(times > 0):
        text = f"{layers} layers cannot be dealt out over {times.size} stages: each needs a layer, and a time for it"
        raise InputError(Problem("bad_stages", text))
    count = np.ones(times.size, dtype=np.intp)
    for _ in range(layers - times.size):
        count[np.argmin((count + 1) * times)] += 1
    reference = float(times[0]) if reference_s is None else reference_s
    took = count * times
    longest = float(took.max()) * times.size / (layers * reference)
    return Split(tuple(int(n) for n in count), longest, float(took.sum()) / (layers * reference))
