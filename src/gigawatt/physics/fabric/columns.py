"""Calls and wires as the columns that every line of the closed form reads, constants of each row's class applied.

All arrays have one entry a call; seconds, bytes, bytes/s. A line is one algorithm under one protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.design import SCALEUPS
from gigawatt.physics.fabric.wires import NET_CLASSES, REDUCTIONS, Array, Bools, Codes, Wires

# NCCL's protocols: flags beside the data (LL), beside every 128 bytes (LL128), or whole chunks behind a fence (simple).
LL, LL128, SIMPLE = 0, 1, 2
PROTOCOLS = ("LL", "LL128", "simple")
MESH, TORUS, PCIE = (SCALEUPS.index(name) for name in ("mesh", "torus", "pcie"))
_PCIE_NET, _PROXY_NET = NET_CLASSES.index("pcie"), NET_CLASSES.index("tcpx")


@dataclass(frozen=True, slots=True)
class Columns:
    """One row per collective call.

    `per_domain` ranks of the group in each scale-up domain, `domains` their number; `scaleup` and `nic` bytes/s per rank,
    `pair` what two ranks reach between domains; `net` share of NIC rate, `exchange` what routing leaves of it to
    all-to-all, `step` seconds of a network step beyond NCCL's, `extra` of a domain over several hosts; `reduction`
    algorithm bandwidth of in-switch reduction over scale-up rate, 0 where there is none, `generation` its index in
    `REDUCTIONS`, -1 for none; `simple` share of scale-up rate under protocol simple; `cross` slows exchanges through an
    oversubscribed tier; `side` and `dims` of a torus, side 0 off one.
    """

    nbytes: Array
    ranks: Array
    per_domain: Array
    domains: Array
    scaleup: Array
    nic: Array
    pair: Array
    net: Array
    exchange: Array
    step: Array
    extra: Array
    reduction: Array
    generation: Codes
    simple: Array
    cross: Array
    side: Array
    dims: Array
    pcie: Bools
    proxy: Bools
    ordered: Bools
    sharp: Bools

    @property
    def several(self) -> Bools:
        """Whether the group spans more than one scale-up domain."""
        return self.domains > 1

    @property
    def rails(self) -> Array:
        """NICs that a domain drives at once: one for each rank, a single path over PCIe."""
        rails: Array = np.where(self.pcie, 1.0, self.per_domain)
        return rails


@dataclass(frozen=True, slots=True)
class Line:
    """Time of one algorithm in every row, infinite where it does not apply; its latency, and whether the network binds."""

    name: str
    seconds: Array
    latency: Array
    network_binds: Bools


def columns(nbytes: Array, ranks: Array, per_domain: Array, wires: Wires, fit: Constants) -> Columns:
    """The columns of calls of equal length: bytes, ranks, ranks in a domain, and their networks."""
    inside = np.minimum(ranks, np.minimum(wires.domain, per_domain))
    mesh, torus = wires.scaleup == MESH, wires.scaleup == TORUS
    # In a full mesh a group of n reaches n - 1 of the domain's links.
    links = np.where(
        mesh & (wires.domain > 1), np.minimum(1.0, (inside - 1.0) / np.maximum(wires.domain - 1.0, 1.0)), 1.0
    )
    links = np.where(inside > 1, links, 1.0)
    shares = np.array([*(fit[f"nvls_{name}"] for name in REDUCTIONS), 0.0])
    return Columns(
        nbytes=nbytes,
        ranks=ranks,
        per_domain=inside,
        domains=ranks / inside,
        scaleup=wires.scaleup_bytes_per_s * links,
        nic=wires.nic_bytes_per_s,
        pair=wires.pair_bytes_per_s,
        net=np.array([fit[f"net_{name}"] for name in NET_CLASSES])[wires.net] * wires.ring_share,
        exchange=wires.exchange_share,
        step=np.array([fit[f"lat_{name}"] for name in NET_CLASSES])[wires.net],
        extra=np.where(inside > wires.node, fit["lat_mnnvl"], 0.0),
        reduction=shares[wires.reduction],
        generation=wires.reduction,
        simple=fit["e_simple"] * np.where(mesh, fit["xgmi"], 1.0),
        cross=crossing(ranks, wires),
        # A torus is entered by its side: 64 chips are 4 x 4 x 4.
        side=np.where(torus, np.round(inside ** (1.0 / wires.torus_dims), 6), 0.0),
        dims=wires.torus_dims,
        pcie=(wires.scaleup == PCIE) | (wires.net == _PCIE_NET),
        proxy=wires.net == _PROXY_NET,
        ordered=wires.ordered,
        sharp=wires.sharp,
    )


def crossing(ranks: Array, wires: Wires) -> Array:
    """Times as long that an exchange takes whose bytes leave pods through an oversubscribed tier, at least 1."""
    leaving = np.maximum(0.0, 1.0 - wires.pod / ranks)
    slowed: Array = np.maximum(1.0, leaving * wires.oversubscription)
    return slowed


def fill(transfer: Array, steps: Array | float, bandwidth: Array, chunk_s: float, chunk_bytes: float) -> Array:
    """Seconds until a pipeline of `steps` steps is full: min(2 sqrt(steps chunk_s t), steps chunk_bytes/bandwidth, t/2).

    m chunks over s steps take (m + s - 1)(chunk_s + t/m), least at m = sqrt(s t/chunk_s): beyond latency and transfer
    2 sqrt(s chunk_s t). Buffers bound a chunk at `chunk_bytes`; and with two chunks at least, half the transfer overlaps.
    """
    best = np.minimum(2.0 * np.sqrt(steps * chunk_s * transfer), 0.5 * transfer)
    filled: Array = np.minimum(best, steps * chunk_bytes / bandwidth)
    return filled


def log2(x: Array) -> Array:
    """log2, and 0 below one."""
    logs: Array = np.log2(np.maximum(x, 1.0))
    return logs


def side_by_side(a: Array, b: Array) -> Array:
    """Two transfers at once, (a^16 + b^16)^(1/16): the longer one, a little above it where they are alike."""
    peak = np.maximum(np.maximum(a, b), 1e-30)
    power = np.minimum(a, b) / peak
    for _ in range(4):
        power = power * power
    joined: Array = 1.0 + power
    for _ in range(4):
        joined = np.sqrt(joined)
    return peak * joined


def with_proxy(c: Columns, latency: Array, transfer: Array, total: Array, steps: Array | float) -> Array:
    """Proxy transports overlap their long start with the transfer: a floor joined by a 2.2-norm, not an addend."""
    if not np.any(c.proxy):
        return total
    start = c.step * steps
    joined: Array = np.where(c.proxy, (start**2.2 + transfer**2.2) ** (1 / 2.2) + latency, total)
    return joined
