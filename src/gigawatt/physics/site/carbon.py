"""Carbon by the hour: what a dispatch emits, and how much of the load carbon-free plant covers hour by hour.

Annual matching sets all carbon-free energy of a year against the load of the year; hourly (24/7) matching counts in
each hour no more than the load takes. Carbon is what leaves the stack of own plant and the grid's mean for what it
delivers; a battery gives what it was charged from, with its losses: its emissions are those of the hours in which it
was charged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.site.dispatch import Dispatch
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR, Source

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Carbon:
    """Of a dispatch.

    Attributes:
        emitted_kg: [H] at the stacks and in the grid's plant.
        kg_per_j: over all that the load was given.
        annual_match: carbon-free joules of the year over joules of the load, at most 1.
        hourly_match: the same, with no hour counting for more than its load (24/7).
    """

    emitted_kg: Array
    kg_per_j: float
    annual_match: float
    hourly_match: float


def carbon_of(found: Dispatch, sources: Sequence[Source], *, clean_below_kg_per_j: float = 1e-12) -> Carbon:
    """Emissions of a dispatch.

    Args:
        found: the dispatch of these very sources.
        sources: with their carbon.
        clean_below_kg_per_j: a source that emits less counts as carbon-free.

    Raises:
        ValueError: the sources are not the dispatch's.
    """
    if tuple(source.name for source in sources) != found.names:
        raise ValueError("the sources are not those of the dispatch")
    rate = np.array([source.carbon_kg_per_j for source in sources])
    emitted = (rate @ found.source_w) * SECONDS_PER_HOUR
    served = float(found.served_w.sum()) * SECONDS_PER_HOUR
    clean = np.array([source.carbon_kg_per_j < clean_below_kg_per_j for source in sources], dtype=bool)
    given = found.source_w[clean].sum(axis=0) + found.curtailed_w
    # What a battery gives is as clean as what it was charged with, in the mean of the year.
    charge = found.charge_w.sum(axis=0)
    made = np.maximum(found.source_w.sum(axis=0), 1e-300)
    charged = float((charge * found.source_w[clean].sum(axis=0) / made).sum())
    share = charged / float(charge.sum()) if charge.any() else 0.0
    direct = found.source_w[clean].sum(axis=0) * (1 - charge / np.maximum(made, charge))
    hourly = np.minimum(direct + share * found.discharge_w.sum(axis=0), found.served_w)
    load = float(found.load_w.sum())
    return Carbon(
        np.asarray(emitted),
        float(emitted.sum()) / served if served else 0.0,
        min(float(given.sum()) / load, 1.0) if load else 0.0,
        float(hourly.sum()) / load if load else 0.0,
    )
