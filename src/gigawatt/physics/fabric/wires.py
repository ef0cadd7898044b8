"""What a collective sees of its network: one row a call, in bytes/s and counts, with the class whose constants apply.

A `Fabric` is the design of one network; `Wires` are columns of many, so that a million (size, group, fabric) points are
one NumPy pass and a fit may change constants without building anything again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.design import NET_CLASS, NVLS_GENERATION, SCALEUPS, Fabric

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.intp]

# Class of fitted constants of a scale-out network; `Wires.net` indexes it.
NET_CLASSES: tuple[str, ...] = ("infiniband", "roce", "efa", "tcpx", "pcie")
# Generations with in-switch reduction; `Wires.reduction` indexes it, -1 where there is none.
REDUCTIONS: tuple[str, ...] = ("hopper", "blackwell")


@dataclass(frozen=True, slots=True)
class Wires:
    """Columns of networks, each of one length or a scalar.

    `scaleup_bytes_per_s`, `nic_bytes_per_s` per rank, one way; `pair_bytes_per_s` what two ranks of different domains
    reach; `domain` ranks that a scale-up domain may hold, `node` ranks of a host; `net`, `scaleup`, `reduction` index
    `NET_CLASSES`, `design.SCALEUPS`, `REDUCTIONS`; `sharp` marks reduction in the scale-out switches, `ordered` networks that
    deliver writes in order, without which NCCL's LL protocols are off; `torus_dims` of a torus; `pod` ranks below the
    oversubscribed tier; `ring_share` and `exchange_share` what routing leaves of the NICs' rate; `model` names a plug-in's
    fabric model, '' for the closed forms.
    """

    scaleup_bytes_per_s: Any
    domain: Any
    node: Any
    nic_bytes_per_s: Any
    pair_bytes_per_s: Any
    net: Any
    scaleup: Any
    reduction: Any
    sharp: Any
    ordered: Any
    torus_dims: Any
    pod: Any
    oversubscription: Any
    ring_share: Any
    exchange_share: Any
    nic_stated: Any
    model: Any

    def take(self, rows: slice | NDArray[np.intp]) -> Wires:
        """The rows named, where fields are columns."""
        return Wires(*(_take(getattr(self, f.name), rows) for f in fields(self)))

    def spread(self, count: int) -> Wires:
        """Every field as a column of `count` rows.

        Raises:
            InputError: a field has another length.
        """
        return Wires(*(_spread(f.name, getattr(self, f.name), count) for f in fields(self)))


Networks = Fabric | Sequence[Fabric] | Wires


def _take(value: Any, rows: slice | NDArray[np.intp]) -> Any:
    return value[rows] if isinstance(value, np.ndarray) and value.ndim else value


def _spread(name: str, value: Any, count: int) -> NDArray[Any]:
    column = np.atleast_1d(np.asarray(value))
    if len(column) not in (1, count):
        message = f"{name}: {len(column)} networks for {count} collectives"
        raise InputError(Problem("bad_length", message, None, ("one for all, or one for each",)))
    return column if len(column) == count else np.broadcast_to(column, (count,))


def wires_of(fabrics: Networks) -> Wires:
    """The columns of fabrics: scalars for one, arrays for several; columns pass as they are."""
    if isinstance(fabrics, Wires):
        return fabrics
    if isinstance(fabrics, Fabric):
        return Wires(*(get(fabrics) for get in _FIELDS.values()))
    return Wires(*(np.array([get(fabric) for fabric in fabrics]) for get in _FIELDS.values()))


def _reduction(fabric: Fabric) -> int:
    if fabric.scaleup != "switched" or fabric.generation not in NVLS_GENERATION:
        return -1
    return REDUCTIONS.index(NVLS_GENERATION[fabric.generation])


_FIELDS: dict[str, Callable[[Fabric], Any]] = {
    # A domain of one has no scale-up network; any positive rate will do.
    "scaleup_bytes_per_s": lambda f: max(float(f.scaleup_bytes_per_s), 1.0),
    "domain": lambda f: float(f.domain),
    "node": lambda f: float(f.node),
    "nic_bytes_per_s": lambda f: float(f.nic_bytes_per_s),
    "pair_bytes_per_s": lambda f: min(float(f.nic_bytes_per_s), f.ports_per_pair * float(f.port_bytes_per_s)),
    "net": lambda f: NET_CLASSES.index(NET_CLASS[f.technology]),
    "scaleup": lambda f: SCALEUPS.index(f.scaleup),
    "reduction": _reduction,
    "sharp": lambda f: bool(f.sharp),
    "ordered": lambda f: bool(f.ordered),
    "torus_dims": lambda f: float(f.torus_dims),
    "pod": lambda f: float(f.pod),
    "oversubscription": lambda f: float(f.oversubscription),
    "ring_share": lambda f: float(f.ring_share),
    "exchange_share": lambda f: float(f.exchange_share),
    "nic_stated": lambda f: bool(f.nic_stated),
    "model": lambda f: f.collective_model,
}
