"""Seconds of a replica's messages on its network, tabulated once for each layout and interpolated after.

    all_reduce[m]    one sum of m rows of activations over the chips of an attention rank
    low_latency[t]   t tokens of each chip to their experts and back, as decoding sends them
    normal[t]        the same as prompts send them: dispatch kernels for large batches

They are the network floor's (`gigawatt.physics.fabric`) and hold no constant of serving. A replica of several scale-up domains
pays for the network between them. Sizes are even in the logarithm, as those of kernels (`kernel_times`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric import Fabric, collective_seconds
from gigawatt.physics.fabric.experts import exchange_seconds
from gigawatt.physics.fabric.placement import group
from gigawatt.physics.fabric.wires import wires_of
from gigawatt.physics.serving.engine.kernel_sums import ROWS
from gigawatt.physics.serving.engine.kernel_times import NOTHING_S, Spot, along

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

ACTIVATION_BYTES = 2.0
# Bytes of a value on its way out and back: quantised with block scales where the experts' weights are, and 16-bit sums.
OUT_BYTES, NARROW_OUT_BYTES, BACK_BYTES = 2.0, 1.03, 2.0
# Engines leave in-switch reduction off: SGLang sets NCCL_NVLS_ENABLE=0 (pull request 631), vLLM NCCL_CUMEM_ENABLE=0.
ALGORITHMS = ("ring", "tree")


@dataclass(frozen=True, slots=True)
class Route:
    """What messages of a configuration depend on: `narrow` is 1 where activations go out in 8 bit."""

    fabric: Fabric
    gpus: int
    dp: int
    hidden: float
    top_k: float
    narrow: bool


@dataclass(frozen=True, slots=True)
class MessageTimes:
    """Tables of log2 seconds, (tables, sizes), one a distinct `Route`, and which of them serves each row.

    `places` (tables, 2): scale-up domains of an attention rank, and of the replica.
    """

    all_reduce: Floats
    low_latency: Floats
    normal: Floats
    places: Floats
    row: Index

    @property
    def tensor_domains(self) -> Floats:
        """Scale-up domains that an attention rank spans."""
        return np.asarray(self.places[self.row, 0])

    @property
    def domains(self) -> Floats:
        """Scale-up domains that the replica spans."""
        return np.asarray(self.places[self.row, 1])

    def take(self, rows: Index) -> MessageTimes:
        """The rows named; tables are shared."""
        return replace(self, row=self.row[rows])

    def all_reduce_s(self, tokens: Floats | Spot) -> Floats:
        """One all-reduce of `tokens` rows over an attention rank."""
        return along(self.all_reduce, self.row, tokens)

    def low_latency_s(self, tokens: Floats) -> Floats:
        """Dispatch and combine of `tokens` of each chip, decoding."""
        return along(self.low_latency, self.row, tokens)

    def normal_s(self, tokens: Floats) -> Floats:
        """Dispatch and combine of `tokens` of each chip, prompts."""
        return along(self.normal, self.row, tokens)

    def silent(self) -> MessageTimes:
        """The same with messages that take no time."""
        nothing = np.full_like(self.all_reduce, np.log2(NOTHING_S))
        return replace(self, all_reduce=nothing, low_latency=nothing, normal=nothing)


def message_times(routes: Sequence[Route]) -> MessageTimes:
    """Tables for a sequence of configurations, each distinct one worked out once."""
    found: dict[Route, int] = {}
    row = np.array([found.setdefault(route, len(found)) for route in routes], dtype=np.intp)
    made, sizes = list(found), len(ROWS)
    wires = wires_of([route.fabric for route in made]).take(np.repeat(np.arange(len(made)), sizes))

    def column(name: str) -> Floats:
        return np.repeat([float(getattr(route, name)) for route in made], sizes)

    gpus, tensor, hidden, top_k = column("gpus"), column("gpus") / column("dp"), column("hidden"), column("top_k")
    tokens = np.tile(ROWS, len(made))
    cut, spread = (group(ranks, 1.0, domain=wires.domain, node=wires.node) for ranks in (tensor, gpus))
    reduced = ACTIVATION_BYTES * tokens * hidden
    sums = collective_seconds(
        "all_reduce", reduced, tensor, wires, per_domain=cut.per_domain, algorithms=ALGORITHMS
    ).seconds
    # Without data-parallel attention every chip of the replica has all tokens: nothing is sent to experts.
    ranks = np.where((column("dp") > 1) & (top_k > 0), gpus, 1.0)
    inside = np.minimum(spread.per_domain, ranks)
    widths = (np.where(column("narrow") > 0, NARROW_OUT_BYTES, OUT_BYTES), BACK_BYTES)

    def exchange(way: str) -> Floats:
        sent = [
            exchange_seconds(tokens, np.maximum(top_k, 1.0), hidden, width, ranks, wires, per_domain=inside, way=way)
            for width in widths
        ]
        return _table(sent[0] + sent[1], len(made))

    places = np.stack([cut.domains[::sizes], spread.domains[::sizes]], axis=1)
    return MessageTimes(_table(sums, len(made)), exchange("low_latency"), exchange("normal"), places, row)


def _table(seconds: Floats, tables: int) -> Floats:
    return np.asarray(np.log2(np.maximum(seconds, NOTHING_S)).reshape(tables, len(ROWS)))
