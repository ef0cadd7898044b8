"""What training waits for when optimizer states, activations or weights live in the host's memory.

A stage of a micro-batch computes F seconds forward and B backward. W bytes of weights come up for each pass, A bytes of
activations go down forward and come up backward, each layer's behind the layer before, over a link of `up` and `down` bytes/s
each way to a memory that gives this chip `stream` bytes/s:

    a micro-batch   max(max(W/up, A/down, (W + A)/stream) - F, 0) + max(max((W + A)/up, (W + A)/stream) - B, 0)
                    + s (2 W + 2 A)/hbm, where s of the chip's time waits for its own memory, which copies read and write
    a step          gradients down behind the last backward pass, whose own copies use the host's memory as well, Adam on
                    the host at 28 bytes a parameter over `stream`, new weights up while it works:
                    max(2 p/down, (W + A + 2 p)/stream) - B' + max(28 p/stream, 2 p/up), B' what a backward pass takes with
                    its own waiting, and no less than 0 of the first

[ZeRO-Offload, arXiv 2101.06840, sec. 4; ZeRO-Infinity, arXiv 2104.07857, sec. 5; coherent links: SuperOffload, 2509.21271.]
PCIe and NVLink-C2C differ by their rates alone; the catalog's `host` records hold both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.host import ADAM_BYTES_16, HostPath, host_path
from gigawatt.physics.training.columns import Machine, Mapping

MOVED_BYTES = 2.0  # of a weight, a gradient, an activation on the link


@dataclass(frozen=True, slots=True)
class Exposed:
    """Seconds beyond those of the chip's own work: of a micro-batch, waiting for copies (`micro_s`) and slowed by them
    (`slowed_s`); of a step's gradients on their way; of Adam."""

    micro_s: Any
    slowed_s: Any
    gradients_s: Any
    adam_s: Any


def offloads(mapping: Mapping) -> bool:
    """Whether any row keeps anything on its host."""
    shares = (mapping.offload_optimizer, mapping.offload_activations, mapping.offload_weights)
    return any(bool(np.any(np.asarray(share) > 0)) for share in shares)


def usual_host(chip: Chip) -> HostPath | None:
    """The way to the host in the platform of the catalog that carries the chip; None where none does."""
    return _host_of(chip.name)


@lru_cache(maxsize=64)
def _host_of(accelerator: str) -> HostPath | None:
    catalog = Catalog.load()
    for platform in catalog.platforms_of(accelerator):
        if getattr(platform, "host", None):
            return host_path(catalog.get("host", platform.host), float(platform.chips_per_host or 1.0))
    return None


def exposed_offload(
    machine: Machine,
    mapping: Mapping,
    *,
    forward_s: Any,
    backward_s: Any,
    held: Any,
    owned: Any,
    kept_bytes: Any,
    memory_share: Any,
    hbm_bytes_per_s: Any,
) -> Exposed:
    """What a stage waits for.

    Args:
        machine: with the way to its host.
        mapping: columns; the shares that are offloaded.
        forward_s, backward_s: of a stage and micro-batch, on the chip.
        held: weights of the stage that live on this rank.
        owned: weights whose optimizer states this rank keeps and trains.
        kept_bytes: activations that a micro-batch keeps for its backward pass.
        memory_share: of the time of kernels, what waits for the chip's memory.
        hbm_bytes_per_s: what kernels reach of that memory's bandwidth.

    Raises:
        InputError: something is offloaded and the machine's way to its host is not known.
    """
    up, down, stream = (
        np.asarray(x, dtype=float)
        for x in (machine.host_up_bytes_per_s, machine.host_down_bytes_per_s, machine.host_stream_bytes_per_s)
    )
    if np.any(up <= 0):
        hint = ("give `machine_of` a host, or take shares of 0",)
        raise InputError(
            Problem("missing", "offloading needs a way to the host's memory, and none is known", None, hint)
        )
    up, down = np.minimum(up, stream), np.minimum(down, stream)
    weights = MOVED_BYTES * held * np.asarray(mapping.offload_weights)
    kept = kept_bytes * np.asarray(mapping.offload_activations)
    both = (weights + kept) / stream
    ahead = np.maximum(np.maximum(weights / up, kept / down), both)
    back = np.maximum((weights + kept) / up, both)
    micro = np.maximum(ahead - forward_s, 0.0) + np.maximum(back - backward_s, 0.0)
    moved = owned * np.asarray(mapping.offload_optimizer)
    adam = np.maximum(ADAM_BYTES_16 * moved / stream, MOVED_BYTES * moved / up)
    slowed = memory_share * 2.0 * (weights + kept) / hbm_bytes_per_s
    leaving = MOVED_BYTES * moved
    out = np.maximum(leaving / down, np.where(leaving > 0, both + leaving / stream, 0.0))
    return Exposed(micro, slowed, np.maximum(out - np.maximum(backward_s, back), 0.0), adam)
