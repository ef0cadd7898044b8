"""Trees between domains: NCCL's double binary tree, in-switch reduction (NVLS) and its tree, reduction in the fabric.

    tree       base + 2 (D-1) hop + 2 log2 N (net + step) + max(2 S/(0.92 B e), f S/(D b eta)) + fill
    NVLS       latency + S/(B nvls) + fill                                            one domain, a switch that adds
    NVLS tree  latency + |S/(B nvls nvt^log2 N), f S/(D b eta)|_8 + fill
    SHARP      the same with f = 1 at every N and one network step up and one down: the scale-out switches add

f = 1 for two domains and 2 for more: the middle of a tree takes in two children's halves on the way up and hands down
two, so that over both trees 2 S pass a domain's NICs each way (NCCL halves the rate from three nodes on).
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.fabric.columns import (
    PROTOCOLS,
    SIMPLE,
    Columns,
    Line,
    fill,
    log2,
    norm8,
    with_proxy,
)
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.rings import hop_s, shares
from gigawatt.physics.fabric.wires import Array


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
    inside = np.where(c.per_domain > 1, 2.0 * c.nbytes / (fit["tree_share"] * c.scaleup * on_links), 0.0)
    network = _passes(c) * c.nbytes / (c.rails * c.nic * c.net * on_nic)
    transfer = np.maximum(inside, network)
    total = latency + transfer
    if protocol == SIMPLE:
        total = total + fill(transfer, fit["fill_net"], 2.0 * fit["fill_cap"])
    total = with_proxy(c, latency, transfer, total, steps)
    # NCCL builds trees over hosts; pairs on one PCIe root are no hosts.
    applies = c.several & ~c.pcie
    if protocol != SIMPLE:
        applies = applies & c.ordered
    return Line(f"tree, {PROTOCOLS[protocol]}", np.where(applies, total, np.inf), latency, network >= inside)


def in_switch(c: Columns, fit: Constants) -> Line:
    """Reduction in the scale-up switch (NVLS), with a tree over the domains where there are several: all-reduce."""
    log_n = log2(c.domains)
    growth = np.maximum(1.0, c.per_domain / 8.0) ** fit["fill_domain_exponent"]
    rate = np.where(c.reduction > 0, c.scaleup * c.reduction, 1.0)
    inside = c.nbytes / (rate * fit["nvls_tree"] ** log_n)
    network = np.where(c.several, _passes(c) * c.nbytes / (c.per_domain * c.nic * c.net), 0.0)
    transfer = norm8(inside, network)
    latency = fit["l_nvls"] + c.extra + np.where(c.several, 2.0 * log_n * (fit["l_nvls_tree"] / 2.0 + c.step), 0.0)
    rate_of_fill = np.where(c.several, fit["fill_net"], fit["fill_nvls"]) * growth
    cap = fit["fill_cap"] * growth * np.where(c.several, 2.0 * np.maximum(1.0, log_n), 1.0)
    total = latency + transfer + fill(transfer, rate_of_fill, cap)
    applies = (c.reduction > 0) & (c.per_domain > 2) & ~c.proxy
    return Line("NVLS", np.where(applies, total, np.inf), latency, network > inside)


def in_network(c: Columns, fit: Constants) -> Line:
    """Reduction in the scale-out switches (SHARP): every byte goes up once and comes down once, however many domains."""
    nvls = c.reduction > 0
    rate = np.where(nvls, c.scaleup * c.reduction, c.scaleup * c.simple / 2.0)
    inside = np.where(c.per_domain > 1, c.nbytes / rate, 0.0)
    network = c.nbytes / (c.per_domain * c.nic * c.net)
    transfer = norm8(inside, network)
    latency = fit["l_nvls"] + c.extra + fit["l_sharp"] + 2.0 * c.step
    total = latency + transfer + fill(transfer, fit["fill_net"], 2.0 * fit["fill_cap"])
    return Line("SHARP", np.where(c.several & c.sharp, total, np.inf), latency, network > inside)
