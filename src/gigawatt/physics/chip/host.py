"""The host beside an accelerator: what it takes to move weights, caches and optimizer states to its memory and back.

    copy        s = latency + bytes / min(link, memory / sharers)
    exposed     s = max(copy - overlap x compute, 0)            what of a copy the chip's own work does not hide
    Adam        s = parameters x traffic / (memory x share)     bound by host memory: a few operations for each byte

`link` is one way, what copies were measured to reach where the catalog knows it, else a share of the peak; `memory` is the
stream bandwidth of one socket, which the accelerators on it share. Traffic of a step of Adam on the host, in bytes a
parameter: reads master weight 4, both moments 8, gradient 2 or 4; writes master weight 4, both moments 8, the copy in 16 bits
2: 28 with gradients in 16 bits, 30 in 32. Sources of the form: ZeRO-Offload (arXiv 2101.06840), SuperOffload (2509.21271).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name

Array = NDArray[np.float64]
Direction = Literal["to_device", "to_host"]
DIRECTIONS: tuple[Direction, ...] = ("to_device", "to_host")

# Copies over links that nobody measured, over their peak: 55.6 of 63 GB/s on PCIe 5, 375 and 297 of 450 GB/s on C2C.
LINK_SHARE = 0.83
# STREAM over the peak of all channels where a CPU has no measurement of its own: 0.80 to 0.95; 486 of 512 GB/s on Grace.
STREAM_SHARE = 0.85
ADAM_BYTES_16 = 28.0  # a parameter, gradients in 16 bits
ADAM_BYTES_32 = 30.0  # gradients in 32 bits


@dataclass(frozen=True, slots=True)
class HostPath:
    """One accelerator's way to the memory of its host. Bandwidths are one way; `sharers` accelerators use a socket.

    `memory_bytes` is the accelerator's share of the socket's memory, `stream_bytes_per_s` the whole socket's bandwidth.
    """

    name: str
    technology: str
    to_device_bytes_per_s: float
    to_host_bytes_per_s: float
    latency_s: float
    memory_bytes: float
    stream_bytes_per_s: float
    sharers: float = 1.0
    coherent: bool = False

    def link_bytes_per_s(self, direction: Direction) -> float:
        """What a copy reaches on the link alone.

        Raises:
            InputError: no such direction.
        """
        if direction not in DIRECTIONS:
            raise InputError(unknown_name("direction of a copy", direction, DIRECTIONS))
        return self.to_device_bytes_per_s if direction == "to_device" else self.to_host_bytes_per_s


@dataclass(frozen=True, slots=True)
class Offload:
    """Seconds of a copy, and how much of it stays exposed. Shaped as the bytes and the compute it hides behind."""

    transfer_s: Array
    hidden_s: Array
    exposed_s: Array


def host_path(host: Any, chips_per_host: float = 1.0) -> HostPath:
    """The path of a host record for each of `chips_per_host` accelerators on its socket.

    Raises:
        InputError: fewer than one accelerator.
    """
    if chips_per_host < 1:
        message = f"host '{host.id}': {chips_per_host:g} accelerators to a socket"
        raise InputError(Problem("bad_host", message, None, ("at least 1, such as 2 on a GB300 board",)))
    link = host.link
    peak = float(link.bandwidth.value)
    measured = host.memory_bandwidth_measured
    stream = float(measured.value) if measured is not None else STREAM_SHARE * float(host.memory_bandwidth.value)
    return HostPath(
        name=host.id,
        technology=link.technology,
        to_device_bytes_per_s=_or_share(link.to_device, peak),
        to_host_bytes_per_s=_or_share(link.to_host, peak),
        latency_s=float(link.latency.value),
        memory_bytes=float(host.memory.value) / chips_per_host,
        stream_bytes_per_s=stream,
        sharers=float(chips_per_host),
        coherent=bool(link.coherent),
    )


def move_seconds(
    path: HostPath,
    nbytes: ArrayLike,
    direction: Direction = "to_device",
    copies: ArrayLike = 1.0,
    busy: ArrayLike = 1.0,
) -> Array:
    """Seconds to move `nbytes` between the host's memory and the chip, in `copies` that the host starts one by one.

    `busy` is the share of the socket's other accelerators that copy at the same time (1: all of them, 0: this one alone).
    No bytes take no time.
    """
    size = np.asarray(nbytes, dtype=np.float64)
    share = path.stream_bytes_per_s / (1.0 + (path.sharers - 1.0) * np.asarray(busy, dtype=np.float64))
    speed = np.minimum(path.link_bytes_per_s(direction), share)
    return np.asarray(np.where(size > 0, path.latency_s * np.asarray(copies, dtype=np.float64) + size / speed, 0.0))


def offload(
    path: HostPath,
    nbytes: ArrayLike,
    compute_s: ArrayLike,
    direction: Direction = "to_device",
    overlap: ArrayLike = 1.0,
    copies: ArrayLike = 1.0,
) -> Offload:
    """A copy beside work of the chip: weights fetched layer by layer, caches swapped, states written back.

    `overlap` is the share of `compute_s` under which a copy can run: 1 with prefetch on an engine of its own, 0 where the
    work waits for the data.
    """
    transfer = move_seconds(path, nbytes, direction, copies)
    under = np.clip(np.asarray(overlap, dtype=np.float64), 0.0, 1.0) * np.asarray(compute_s, dtype=np.float64)
    hidden = np.minimum(transfer, under)
    transfer, hidden = np.broadcast_arrays(transfer, hidden)
    return Offload(np.asarray(transfer), np.asarray(hidden), np.asarray(transfer - hidden))


def optimizer_seconds(
    path: HostPath, parameters: ArrayLike, bytes_per_parameter: float = ADAM_BYTES_16, share: ArrayLike = 1.0
) -> Array:
    """Seconds of a step of Adam on the host over `parameters` of this accelerator.

    All accelerators of the socket step at once. `share` is what a kernel reaches of the stream bandwidth: near 1 for a
    fused vectorised one, a third of that for a framework's own (SuperOffload's against PyTorch's, 3 times).
    """
    speed = path.stream_bytes_per_s / path.sharers * np.asarray(share, dtype=np.float64)
    return np.asarray(np.asarray(parameters, dtype=np.float64) * bytes_per_parameter / speed)


def offloaded_step(
    path: HostPath,
    parameters: ArrayLike,
    compute_s: ArrayLike,
    overlap: ArrayLike = 0.0,
    gradient_bytes: float = 2.0,
    weight_bytes: float = 2.0,
) -> Offload:
    """What offloading the optimizer adds to a training step of `compute_s`: gradients out, Adam on the host, weights back.

    `overlap` 0 is ZeRO-Offload, whose host waits for the norm of all gradients; near 1 is SuperOffload, which starts each
    bucket at once. Gradients leave and weights return in 16 bits by default.
    """
    count = np.asarray(parameters, dtype=np.float64)
    adam = ADAM_BYTES_16 if gradient_bytes <= 2 else ADAM_BYTES_32
    total = (
        move_seconds(path, count * gradient_bytes, "to_host")
        + optimizer_seconds(path, count, adam)
        + move_seconds(path, count * weight_bytes, "to_device")
    )
    under = np.clip(np.asarray(overlap, dtype=np.float64), 0.0, 1.0) * np.asarray(compute_s, dtype=np.float64)
    total, hidden = np.broadcast_arrays(total, np.minimum(total, under))
    return Offload(np.asarray(total), np.asarray(hidden), np.asarray(total - hidden))


def _or_share(measured: Any, peak: float) -> float:
    return float(measured.value) if measured is not None else LINK_SHARE * peak
