"""Trees between domains: NCCL's double binary tree, in-switch reduction (NVLS) and its tree, reduction in the fabric.

    tree       base + 2 (D-1) hop + 2 log2 N (net + step) + max(2 S/(0.92 B e), f S/(D b eta)) + fill
    NVLS       latency + S/(B nvls) + fill                                            one domain, a switch that adds
    NVLS tree  latency + |S/(B nvls nvt^log2 N), f S/(D b eta)|_16 + fill
    SHARP      the same with f = 1 at every N and one network step up and one down: the scale-out switches add

Over more than two domains NCCL allows a tree less of the scale-up rate B, by generation (`beyond_two`); and it says how much
less than its rate a tree reaches at medium sizes (`tree_shares`).

f = 1 for two domains and 2 for more: the middle of a tree takes in two children's halves on the way up and hands down
two, so that over both trees 2 S pass a domain's NICs each way (NCCL halves the rate from three nodes on).
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.fabric.columns import (
    LL,
    PROTOCOLS,
    SIMPLE,
    Columns,
    Line,
    fill,
    log2,
    side_by_side,
    with_proxy,
)
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.rings import hop_s, shares
from gigawatt.physics.fabric.wires import REDUCTIONS, Array


def _passes(c: Columns) -> Array:
    """Times that the bytes cross a domain's NICs each way."""
    times: Array = np.where(c.domains <= 2, 1.0, 2.0)
    return times


def tree(c: Columns, protocol: int, fit: Constants) -> Line:
    """Double binary tree between domains, chain inside: all-reduce over more than one domain."""
    lat = fit.tree
    steps = 2.0 * log2(c.domains)
    latency = fit["m_base"] * lat.base[protocol] + c.extra
    latency = latency + 2.0 * (c.per_domain - 1) * fit["m_hop"] * hop_s(lat, protocol, c)
    latency = latency + steps * (fit["m_net"] * lat.net[protocol] + np.where(c.proxy, 0.0, c.step))
    on_links, on_nic = shares(protocol, c, fit)
    beyond = np.array([fit.beyond_two[name][protocol] for name in (*REDUCTIONS, "other")])[c.generation]
    share = fit["tree_share"] * np.where(c.domains > 2, beyond, 1.0)
    # Past its last size the share is whole.
    sizes = (*fit.tree_shares[protocol], 1.0)
    by_size = np.interp(log2(c.nbytes / 64.0), np.arange(len(sizes)), sizes)
    inside = np.where(c.per_domain > 1, 2.0 * c.nbytes / (share * c.scaleup * on_links), 0.0)
    network = _passes(c) * c.nbytes / (c.rails * c.nic * c.net * on_nic)
    transfer = np.maximum(inside, network) / by_size
    total = latency + transfer
    if protocol != LL:
        passed = 2.0 * (c.per_domain - 1) + steps
        bandwidth = 2.0 * c.nbytes / np.maximum(transfer, 1e-30)
        total = total + fill(transfer, passed, bandwidth, fit["chunk_s"], fit["chunk_bytes"])
    total = with_proxy(c, latency, transfer, total, steps)
    # NCCL builds trees over hosts; pairs on one PCIe root are no hosts.
    applies = c.several & ~c.pcie
    if protocol != SIMPLE:
        applies = applies & c.ordered
    return Line(f"tree, {PROTOCOLS[protocol]}", np.where(applies, total, np.inf), latency, network >= inside)


def in_switch(c: Columns, fit: Constants) -> Line:
    """Reduction in the scale-up switch (NVLS), with a tree over the domains where there are several: all-reduce."""
    log_n = log2(c.domains)
    rate = np.where(c.reduction > 0, c.scaleup * c.reduction, 1.0)
    inside = c.nbytes / (rate * fit["nvls_tree"] ** log_n)
    network = np.where(c.several, _passes(c) * c.nbytes / (c.per_domain * c.nic * c.net), 0.0)
    transfer = side_by_side(inside, network)
    latency = fit["l_nvls"] + c.extra + np.where(c.several, 2.0 * log_n * (fit["l_nvls_tree"] / 2.0 + c.step), 0.0)
    passed = c.per_domain * (1.0 + log_n)
    total = latency + transfer + fill(transfer, passed, rate, fit["nvls_chunk_s"], fit["nvls_chunk_bytes"])
    applies = (c.reduction > 0) & (c.per_domain > 2) & ~c.proxy
    return Line("NVLS", np.where(applies, total, np.inf), latency, network > inside)


def in_network(c: Columns, fit: Constants) -> Line:
    """Reduction in the scale-out switches (SHARP): every byte goes up once and comes down once, however many domains."""
    nvls = c.reduction > 0
    rate = np.where(nvls, c.scaleup * c.reduction, c.scaleup * c.simple / 2.0)
    inside = np.where(c.per_domain > 1, c.nbytes / rate, 0.0)
    network = c.nbytes / (c.per_domain * c.nic * c.net)
    transfer = side_by_side(inside, network)
    latency = fit["l_nvls"] + c.extra + fit["l_sharp"] + 2.0 * c.step
    passed = 2.0 * c.per_domain
    total = latency + transfer + fill(transfer, passed, rate, fit["nvls_chunk_s"], fit["nvls_chunk_bytes"])
    return Line("SHARP", np.where(c.several & c.sharp, total, np.inf), latency, network > inside)
