"""Ring algorithms: every rank passes shares of the bytes on; all NICs of a domain work at once.

With n ranks in N domains of D, k = 2 for all-reduce and 1 for all-gather and reduce-scatter, S bytes, B scale-up and b
NIC bytes/s per rank, e and eta their shares:

    latency  = base + (k (n-1) - k (N-1)) hop + k (N-1) (net + step)
    transfer = k (n-1)/n S / (B e)                      one domain
             = k (n-1)/n S / min(B e, D b eta)          several
    time     = latency + transfer,  + fill(transfer) under simple

Structure and latencies: NCCL src/graph/tuning.cc; the fill is ours.
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.fabric.columns import LL, PROTOCOLS, SIMPLE, Columns, Line, fill, log2, with_proxy
from gigawatt.physics.fabric.constants import Constants, Latencies
from gigawatt.physics.fabric.wires import Array

# Hops of a ring that count in full; further ones overlap (30 is an all-reduce over 16 ranks).
FULL_HOPS = 30.0


def hop_s(lat: Latencies, protocol: int, c: Columns) -> Array:
    """Seconds of a hop inside a domain."""
    hop: Array = np.where(c.pcie, lat.pcie[protocol], lat.hop[protocol])
    return hop


def shares(protocol: int, c: Columns, fit: Constants) -> tuple[Array | float, Array | float]:
    """Shares of scale-up rate and of NIC rate that a protocol reaches."""
    if protocol == SIMPLE:
        return c.simple, 1.0
    if protocol == LL:
        return fit["e_ll"], np.where(c.pcie, 1.0, fit["n_ll"])
    return fit["e_ll128"], fit["n_ll128"]


def ring(c: Columns, k: float, protocol: int, fit: Constants) -> Line:
    """Ring of one protocol; k = 2 for all-reduce, 1 for half of it."""
    lat, n = fit.ring, c.ranks
    steps = k * (c.domains - 1)
    # A torus runs rings along each of its dimensions.
    around = np.where(c.side > 0, c.dims * (c.side - 1) * c.domains, n - 1)
    hops = k * around - steps
    hops = np.minimum(hops, FULL_HOPS) + fit["hop_large"] * np.maximum(hops - FULL_HOPS, 0.0)
    latency = fit["m_base"] * lat.base[protocol] + c.extra + hops * fit["m_hop"] * hop_s(lat, protocol, c)
    latency = latency + steps * (fit["m_net"] * lat.net[protocol] + np.where(c.proxy, 0.0, c.step))
    on_links, on_nic = shares(protocol, c, fit)
    inside = np.where(c.per_domain > 1, c.scaleup * on_links, np.inf)
    network = np.where(c.several, c.rails * c.nic * c.net * on_nic, np.inf)
    bandwidth = np.minimum(inside, network)
    transfer = k * (n - 1) / n * c.nbytes / bandwidth
    total = latency + transfer
    if protocol != LL:
        passed = k * (n - 1)
        total = total + fill(transfer, passed, bandwidth, fit["chunk_s"], fit["chunk_bytes"])
    total = with_proxy(c, latency, transfer, total, steps)
    if protocol != SIMPLE:
        total = np.where(c.ordered | ~c.several, total, np.inf)
    return Line(f"ring, {PROTOCOLS[protocol]}", total, latency, network <= inside)


def doubling(c: Columns, fit: Constants) -> Line:
    """Recursive doubling between domains with one rank each (NCCL's PAT): log2 N steps for all-gather, reduce-scatter."""
    lat = fit.ring
    latency = fit["m_base"] * lat.base[SIMPLE] + log2(c.domains) * (fit["m_net"] * lat.net[SIMPLE] + c.step)
    bandwidth = c.nic * c.net * fit["pat_share"]
    transfer, passed = (c.ranks - 1) / c.ranks * c.nbytes / bandwidth, log2(c.domains)
    total = latency + transfer + fill(transfer, passed, bandwidth, fit["chunk_s"], fit["chunk_bytes"])
    applies = c.several & (c.per_domain <= 1) & ~c.proxy & ~c.pcie
    return Line("doubling, simple", np.where(applies, total, np.inf), latency, c.several)


def pipeline(c: Columns, fit: Constants) -> Line:
    """Broadcast or reduce: the bytes flow once around the ring, (n-1) hops deep; all of them, not (n-1)/n."""
    line = ring(c, 1.0, SIMPLE, fit)
    transfer = (line.seconds - line.latency) * c.ranks / np.maximum(c.ranks - 1, 1)
    return Line("ring, simple", line.latency + transfer, line.latency, line.network_binds)
