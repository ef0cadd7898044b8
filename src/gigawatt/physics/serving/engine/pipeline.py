"""Pipeline parallelism: the layers of a replica cut into stages, each on `gpus` chips of its own.

    a stage          ceil(L / p) of the L layers: the largest binds
    decoding         p micro-batches go round, one in each stage; fewer than p sequences leave stages empty, and so do fewer
                     micro-batches:  TPOT = host + p (stage(B / m) + hand-over),   m = min(p, B)
    prefill          a prompt holds one stage at a time: p prompts are on their way at once, and a prompt in c chunks takes
                     (c + p - 1) stages of a chunk
    hand-over        one message of the micro-batch's activations from each chip to its neighbour in the next stage

More micro-batches than stages read the weights more often and gain nothing; they are not modelled. Stages are taken to lie in
domains of their own where the replica does not fit one (`Deployment.hand_over` says at which rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric import Fabric, collective_seconds
from gigawatt.physics.serving.engine.kernel_sums import ROWS
from gigawatt.physics.serving.engine.kernel_times import NOTHING_S, along
from gigawatt.physics.serving.engine.model import Floats

ACTIVATION_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a hand-over between stages depends on: the cut of the activations over `tensor` chips of a rank."""

    fabric: Fabric
    chips: int
    tensor: int
    hidden: float


@dataclass(frozen=True, slots=True)
class HandOverTimes:
    """Tables of log2 seconds of a message of so many rows of activations, one a distinct `HandOver`, and each row's."""

    message: Floats
    row: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp]) -> HandOverTimes:
        """The rows named; tables are shared."""
        return replace(self, row=self.row[rows])

    def seconds(self, tokens: Floats) -> Floats:
        """One message of `tokens` rows of activations to the next stage."""
        return along(self.message, self.row, tokens)


def hand_over_times(asked: Sequence[HandOver | None]) -> HandOverTimes | None:
    """Tables for a sequence of rows; None where no row has a second stage. Rows of one stage hand over in no time.

    Each chip of a rank sends its share of the activations to its neighbour: inside the domain where the whole replica fits
    one, else through its own NIC.
    """
    if all(item is None for item in asked):
        return None
    found: dict[HandOver | None, int] = {}
    row = np.array([found.setdefault(item, len(found)) for item in asked], dtype=np.intp)
    tables = np.full((len(found), len(ROWS)), np.log2(NOTHING_S))
    for item, index in found.items():
        if item is None:
            continue
        nbytes = ACTIVATION_BYTES * ROWS * item.hidden / item.tensor
        near = 2.0 if item.chips <= item.fabric.domain else 1.0
        tables[index] = np.log2(collective_seconds("send_recv", nbytes, 2.0, item.fabric, per_domain=near).seconds)
    return HandOverTimes(tables, row)


def largest_share(layers: Floats, stages: Floats) -> Floats:
    """Share of the layers in the largest stage; 1 without a pipeline."""
    return np.ceil(layers / stages) / layers


def micro_batches(batch: Floats, stages: Floats, asked: Floats) -> Floats:
    """Micro-batches that go round: as many as asked for, at most one a stage, and none without a sequence."""
    return np.clip(batch, 1.0, np.minimum(stages, asked))
