"""Laws of a fabric model: larger messages and slower NICs are never faster; nothing is faster than the links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric import Fabric, bus_factor
from gigawatt.physics.fabric.collective import LINES
from gigawatt.physics.fabric.models import Calls, FabricModel
from gigawatt.physics.fabric.wires import wires_of
from gigawatt.testing.rows import answered, never_above, repeatable

Array = NDArray[np.float64]
NBYTES = (1e3, 1e6, 1e9)
RANKS = (2.0, 8.0, 64.0, 1024.0)
IN_SWITCH = 2.0  # reduction in the switches halves what an all-reduce sends


def fabric_problems(model: FabricModel, fabric: Fabric) -> list[str]:
    """What a fabric model does not keep on a fabric; an empty list for nothing.

    Held: one positive, finite answer a row, the same each time and independent of its neighbours; ten times the bytes are never
    faster; twice the rate of NICs and of scale-up links is never slower; bus bandwidth stays within the faster of both links
    (twice that for an all-reduce, which switches may reduce).
    """
    return [said for kind in LINES for said in _kind(model, fabric, kind)]


def _calls(kind: str, fabric: Fabric, nbytes: Array, ranks: Array) -> Calls:
    wires = wires_of(fabric).spread(len(nbytes))
    return Calls(kind, nbytes, ranks, np.minimum(ranks, wires.domain), wires)


def _kind(model: FabricModel, fabric: Fabric, kind: str) -> Iterator[str]:
    sizes, counts = np.meshgrid(NBYTES, (2.0,) if kind == "send_recv" else RANKS, indexing="ij")
    nbytes, ranks = np.ravel(sizes).astype(np.float64), np.ravel(counts).astype(np.float64)
    asked = _calls(kind, fabric, nbytes, ranks)
    seconds, wrong = answered(model.seconds, asked, len(nbytes), kind)
    if seconds is None:
        yield wrong
        return
    some = slice(0, len(nbytes), 2)
    yield from repeatable(model.seconds, asked, _calls(kind, fabric, nbytes[some], ranks[some]), some, seconds, kind)
    links = max(fabric.nic_bytes_per_s, fabric.scaleup_bytes_per_s if fabric.domain > 1 else 0.0)
    fastest = nbytes * bus_factor(kind, ranks) / links / (IN_SWITCH if kind == "all_reduce" else 1.0)
    yield from never_above(fastest, seconds, f"{kind}: faster than the links carry")
    for law, calls, larger in (
        ("ten times the bytes are faster", _calls(kind, fabric, 10.0 * nbytes, ranks), True),
        ("twice the rate of the links is slower", _calls(kind, _faster(fabric), nbytes, ranks), False),
    ):
        other, wrong = answered(model.seconds, calls, len(nbytes), kind)
        if other is None:
            yield wrong
            continue
        low, high = (seconds, other) if larger else (other, seconds)
        yield from never_above(low, high, f"{kind}: {law}")


def _faster(fabric: Fabric) -> Fabric:
    return replace(
        fabric,
        nic_bytes_per_s=2.0 * fabric.nic_bytes_per_s,
        port_bytes_per_s=2.0 * fabric.port_bytes_per_s,
        scaleup_bytes_per_s=2.0 * fabric.scaleup_bytes_per_s,
    )
