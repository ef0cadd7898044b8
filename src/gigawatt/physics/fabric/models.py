"""Fabric models of plug-ins: seconds of collectives on networks that the closed forms do not know.

A fabric's record names one, `collective_model: my-net`, and an installed package brings it under the entry-point group
`gigawatt.fabrics`. Every collective of a training step, of a serving replica and of `gigawatt net` on that fabric is then asked
of it, whatever algorithm a caller would pin; dispatch and combine of experts as an all-to-all of the bytes that a rank sends.
What the record says stays: NIC rate, topology for the parts list, watts, prices.

Columns go in, one column comes out; what is of another shape, not finite or not positive is refused with the plug-in's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core import plugins
from gigawatt.physics.fabric.wires import Array, Wires

if TYPE_CHECKING:
    from gigawatt.physics.fabric.collective import Answer


@dataclass(frozen=True, slots=True)
class Calls:
    """Collectives of one kind, columns of one length; `kind` and the meaning of `nbytes` are nccl-tests' (`collective.LINES`).

    `ranks` of the group, two at least; `per_domain` of them in each scale-up domain. `wires` are the networks as columns:
    bytes/s by rank one way, sizes of domains, oversubscription.
    """

    kind: str
    nbytes: Array
    ranks: Array
    per_domain: Array
    wires: Wires


@dataclass(frozen=True, slots=True)
class FabricModel:
    """A plug-in's model of collectives.

    seconds:  Calls -> seconds of each row, its latency included
    band:     80 % range of measured over modelled seconds, such as (0.7, 1.4)
    says:     one sentence on what the model is and how well it is known; stands among a result's assumptions
    """

    seconds: Callable[[Calls], ArrayLike]
    band: tuple[float, float]
    says: str

    def __post_init__(self) -> None:
        low, high = self.band
        if not 0.0 < low <= 1.0 <= high < np.inf:
            raise ValueError(f"band {self.band} of a fabric model: two factors around 1, such as (0.7, 1.4)")


def fabric_model(name: str) -> FabricModel:
    """The fabric model of that name, its use noted.

    Raises:
        InputError: no installed package brings it, or the one that does can not be used.
    """
    return plugins.named(plugins.FABRICS, name, FabricModel)


def with_models(answer: Answer, kind: str, nbytes: Array, ranks: Array, per_domain: Array, wires: Wires) -> Answer:
    """The answer with the rows of modelled fabrics as their models say; all columns of the answer's length.

    Raises:
        PluginError: a model failed, or answered something else than a positive number a row.
    """
    named = np.asarray(wires.model)
    if not np.any(named != ""):
        return answer
    for name in np.unique(named[named != ""]):
        rows = np.flatnonzero((named == name) & (ranks > 1))
        few = wires.take(rows)
        inside = np.minimum(ranks[rows], np.minimum(few.domain, per_domain[rows]))
        seconds = _asked(str(name), Calls(kind, nbytes[rows], ranks[rows], inside, few))
        low, high = fabric_model(str(name)).band
        columns = {"seconds": (1.0, answer.seconds), "low": (low, answer.low), "high": (high, answer.high)}
        made = {field: column.copy() for field, (_, column) in columns.items()}
        for field, (factor, _) in columns.items():
            made[field][rows] = factor * seconds
        code = answer.code.copy()
        code[rows] = len(answer.texts)
        answer = replace(answer, code=code, texts=(*answer.texts, f"fabric model {name}"), **made)
    return answer


def _asked(name: str, calls: Calls) -> Array:
    plugin = plugins.find(plugins.FABRICS, name)
    model = fabric_model(name)
    assert plugin is not None
    with plugins.guarded(plugin, f"its seconds of {calls.kind} failed"):
        found = np.asarray(model.seconds(calls), dtype=np.float64)
    if found.shape != calls.ranks.shape:
        wrong = f"its seconds of {calls.kind} have the shape {found.shape}, and {calls.ranks.shape} was asked for"
        raise plugins.PluginError(plugin, wrong)
    bad = ~np.isfinite(found) | (found < 0.0) | ((found <= 0.0) & (calls.nbytes > 0.0))
    if np.any(bad):
        row = int(np.argmax(bad))
        told = f"{calls.nbytes[row]:g} bytes among {calls.ranks[row]:g} ranks"
        raise plugins.PluginError(plugin, f"its seconds are {found[row]:g} for {calls.kind} of {told}")
    return found
