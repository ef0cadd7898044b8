"""The lines whose minimum is the time of a collective: ring, tree, in-switch reduction, direct exchange.

Every line is `latency + transfer (+ pipeline fill)`. With n ranks, D of them in each scale-up domain, N = n/D domains,
B scale-up and b NIC bytes/s per rank, S bytes, k = 2 for all-reduce and 1 for all-gather and reduce-scatter:

    fill(t)     = min(2 sqrt(lambda t), cap)
    ring        = base + hops + network steps + k (n-1)/n S / min(B e, D b eta)  + fill
    tree        = base + 2 (D-1) hops + 2 log2 N steps + max(2 S/(0.92 B e), (1 if N = 2 else 2) S/(D b eta))  + fill
    NVLS        = latency + S/(B nvls) + fill
    NVLS tree   = latency + ((S/(B nvls nvt^log2 N))^8 + (network part)^8)^(1/8) + fill
    direct      = base + (t_in^6 + t_out^6)^(1/6) + min(peer (n-1), that)

Structure and latencies: NCCL src/graph/tuning.cc; the all-to-all rule N/(N-1): NCCL's authors (nccl-tests issues 130,
212, 267); the fill term and the NVLS ratios are ours. All arrays have one entry per row; seconds and bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric.constants import Constants, Latencies

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
LL, SIMPLE = 0, 1
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Columns:
    """One row per collective call; arrays of equal length.

    `scaleup` and `nic` in bytes/s per rank, `pair` what two ranks reach between domains; `net` the share of NIC rate,
    `lat` seconds of a network step beyond NCCL's, `extra` of a domain over several nodes; `nvls` algorithm bandwidth
    over scale-up rate, 0 where there is none; `simple` the share that protocol Simple reaches; `pcie` and `proxy` mark
    kinds of network; `torus_side` is 0 off a torus; `cross` slows all-to-all through oversubscribed tiers.
    """

    nbytes: Array
    ranks: Array
    per_domain: Array
    scaleup: Array
    nic: Array
    pair: Array
    net: Array
    lat: Array
    extra: Array
    nvls: Array
    simple: Array
    pcie: Bools
    proxy: Bools
    torus_side: Array
    cross: Array

    @property
    def domains(self) -> Array:
        """N: scale-up domains in use."""
        return self.ranks / self.per_domain


@dataclass(frozen=True, slots=True)
class Line:
    """Time of one algorithm in every row, infinite where it does not apply; `latency` and which transfer binds."""

    name: str
    seconds: Array
    latency: Array
    network_binds: Bools


def _fill(transfer: Array, rate: Array | float, cap: Array | float) -> Array:
    filled: Array = np.minimum(2.0 * np.sqrt(rate * transfer), cap)
    return filled


def _log2(x: Array) -> Array:
    logs: Array = np.log2(np.maximum(x, 1.0))
    return logs


def _hop(lat: Latencies, protocol: int, c: Columns) -> Array:
    hop: Array = np.where(c.pcie, lat.pcie[protocol], lat.hop[protocol])
    return hop


def _rails(c: Columns) -> Array:
    """NICs that a domain drives at once: one for each rank, a single path over PCIe."""
    rails: Array = np.where(c.pcie, 1.0, c.per_domain)
    return rails


def _with_proxy(c: Columns, latency: Array, transfer: Array, total: Array, steps: Array) -> Array:
    """Proxy transports overlap their long start with the transfer: a floor, not an addend."""
    start = c.lat * steps
    joined: Array = np.where(c.proxy, (start**2.2 + transfer**2.2) ** (1 / 2.2) + latency, total)
    return joined


def ring(c: Columns, k: float, protocol: int, fit: Constants) -> Line:
    """Ring of one protocol: every rank passes k (n-1)/n of the bytes; rings use all NICs of a domain."""
    n, domains = c.ranks, c.domains
    steps = k * (domains - 1)
    hops = k * (n - 1) - steps
    lat = fit.ring
    large = np.where(n > 16, fit["hop_large"], 1.0)
    latency = fit["m_base"] * lat.base[protocol] + c.extra + hops * fit["m_hop"] * _hop(lat, protocol, c) * large
    latency = latency + steps * (fit["m_net"] * lat.net[protocol] + np.where(c.proxy, 0.0, c.lat))
    share = np.full_like(n, fit["e_ll"]) if protocol == LL else c.simple
    inside = c.scaleup * share
    on_nic = np.where(c.pcie, 1.0, fit["n_ll"]) if protocol == LL else 1.0
    network = _rails(c) * c.nic * c.net * on_nic
    bandwidth = np.where(domains > 1, np.minimum(np.where(c.per_domain > 1, inside, np.inf), network), inside)
    transfer = k * (n - 1) / n * c.nbytes / bandwidth
    total = latency + transfer
    if protocol == SIMPLE:
        rate = np.where(domains > 1, fit["fill_net"], fit["fill_simple"])
        total = total + _fill(transfer, rate, fit["fill_cap"] * np.where(domains > 1, 2.0, 1.0))
    name = "ring, LL" if protocol == LL else "ring, simple"
    binds = (domains > 1) & (network <= np.where(c.per_domain > 1, inside, np.inf))
    return Line(name, _with_proxy(c, latency, transfer, total, steps), latency, binds)


def tree(c: Columns, protocol: int, fit: Constants) -> Line:
    """Double binary tree between domains, chain inside: all-reduce over more than one domain."""
    domains, lat = c.domains, fit.tree
    steps = 2.0 * _log2(domains)
    latency = fit["m_base"] * lat.base[protocol] + c.extra
    latency = latency + 2.0 * (c.per_domain - 1) * fit["m_hop"] * _hop(lat, protocol, c)
    latency = latency + steps * (fit["m_net"] * lat.net[protocol] + np.where(c.proxy, 0.0, c.lat))
    share = np.full_like(c.ranks, fit["e_ll"]) if protocol == LL else c.simple
    on_nic = np.where(c.pcie, 1.0, fit["n_ll"]) if protocol == LL else 1.0
    inside = np.where(c.per_domain > 1, 2.0 * c.nbytes / (fit["tree_share"] * c.scaleup * share), 0.0)
    factor = np.where(domains <= 2, 1.0, 2.0)
    network = factor * c.nbytes / (_rails(c) * c.nic * c.net * on_nic)
    transfer = np.maximum(inside, network)
    total = latency + transfer
    if protocol == SIMPLE:
        total = total + _fill(transfer, fit["fill_net"], 2.0 * fit["fill_cap"])
    total = _with_proxy(c, latency, transfer, total, steps)
    name = "tree, LL" if protocol == LL else "tree, simple"
    # NCCL builds trees over hosts; pairs on one PCIe root are no hosts.
    return Line(name, np.where((domains > 1) & ~c.pcie, total, np.inf), latency, network >= inside)


def in_switch(c: Columns, fit: Constants) -> Line:
    """Reduction in the scale-up switch (NVLS), with a tree over the domains where there are several: all-reduce."""
    domains, log_n = c.domains, _log2(c.domains)
    growth = np.maximum(1.0, c.per_domain / 8.0) ** fit["fill_domain_exponent"]
    several = domains > 1
    rate = np.where(c.nvls > 0, c.scaleup * c.nvls, 1.0)
    inside = c.nbytes / (rate * fit["nvls_tree"] ** log_n)
    factor = np.where(domains <= 2, 1.0, 2.0 * (domains - 1) / np.maximum(domains, 1.0))
    network = np.where(several, factor * c.nbytes / (c.per_domain * c.nic * c.net), 0.0)
    peak = np.maximum(np.maximum(inside, network), _TINY)
    # The 8-norm, scaled by its largest part so that no power overflows.
    transfer = peak * ((inside / peak) ** 8 + (network / peak) ** 8) ** 0.125
    latency = fit["l_nvls"] + c.extra + np.where(several, 2.0 * log_n * (fit["l_nvls_tree"] / 2.0 + c.lat), 0.0)
    fill_rate = np.where(several, fit["fill_net"], fit["fill_nvls"]) * growth
    cap = fit["fill_cap"] * growth * np.where(several, 2.0 * np.maximum(1.0, log_n), 1.0)
    total = latency + transfer + _fill(transfer, fill_rate, cap)
    applies = (c.nvls > 0) & (c.per_domain > 2) & ~c.proxy
    return Line("NVLS", np.where(applies, total, np.inf), latency, network > inside)


def direct(c: Columns, fit: Constants) -> Line:
    """All-to-all: every rank to every other, through its own port: N/(N-1) x NIC beyond the domain."""
    n, domains = c.ranks, c.domains
    several = domains > 1
    share_in = np.where(several, (c.per_domain - 1) / n, (n - 1) / n)
    # A torus of side s is bound by its bisection: S s/(8 link), 0.75 s of the switched time with three dimensions.
    torus = np.maximum(1.0, 0.75 * c.torus_side)
    inside = share_in * c.nbytes / (c.scaleup * fit["a2a_scaleup"]) * torus
    outside = (domains - 1) / domains * c.nbytes / (c.pair * fit["a2a_net"]) * c.cross
    outside = np.where(c.proxy, outside * fit["a2a_net"] / c.net, outside)
    peak = np.maximum(np.maximum(inside, outside), _TINY)
    transfer = peak * ((inside / peak) ** 6 + (outside / peak) ** 6) ** (1 / 6)
    latency = fit["a2a_base"] + c.extra + np.where(several & ~c.proxy, c.lat, 0.0)
    total = latency + transfer + np.minimum(fit["a2a_peer"] * (n - 1), transfer)
    return Line("direct", _with_proxy(c, latency, transfer, total, np.ones_like(n)), latency, outside > inside)


def point_to_point(c: Columns, fit: Constants, cross_rail: bool = False) -> Line:
    """One message from a rank to another: o + S/bandwidth (send-receive, RDMA write)."""
    several = c.domains > 1
    rail = fit["cross_rail"] if cross_rail else 1.0
    network = c.nbytes / (c.nic * c.net * rail)
    inside = c.nbytes / (c.scaleup * c.simple)
    latency = fit["message"] + np.where(several, fit["m_net"] * fit.ring.net[LL], fit["m_base"] * fit.ring.base[LL])
    total = latency + np.where(several, network, inside)
    return Line("send-receive", total, latency, several)


def pipeline(c: Columns, fit: Constants) -> Line:
    """Broadcast or reduce: the bytes flow once around the ring, (n-1) hops deep."""
    line = ring(c, 1.0, SIMPLE, fit)
    n = c.ranks
    # The ring line carries (n-1)/n of the bytes; a broadcast carries them all.
    transfer = line.seconds - line.latency
    return Line("ring, simple", line.latency + transfer * n / np.maximum(n - 1, 1), line.latency, line.network_binds)
