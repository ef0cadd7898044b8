"""Exchanges without reduction: all-to-all, and one message from a rank to another.

    all-to-all   base + |t_in, t_out|_16 + min(peer (n-1), that)
                 t_in  = (D-1)/n S/(B a)          t_out = (N-1)/N S/(pair rate x eta)
    torus        t_in = s d/4 S/(B a)      side s, d dimensions: n S/4 bytes cross a bisection of 2 s^(d-1) links of B/(2 d)
    message      o + S/(b eta)

The rule beyond the domain, N/(N-1) of what a pair of ranks reaches, is that of NCCL's authors (nccl-tests issues 130,
267): a pair cannot spread over several NICs, so its rate is that of the ports it uses.
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.fabric.columns import LL, Columns, Line, side_by_side, with_proxy
from gigawatt.physics.fabric.constants import Constants


def direct(c: Columns, fit: Constants) -> Line:
    """All-to-all: every rank to every other, through its own port."""
    n = c.ranks
    share_in = (c.per_domain - 1) / n
    share_in = np.where(c.side > 0, np.maximum(share_in, c.side * c.dims / 4.0 * c.per_domain / n), share_in)
    inside = share_in * c.nbytes / (c.scaleup * fit["a2a_scaleup"])
    outside = (c.domains - 1) / c.domains * c.nbytes / (c.pair * fit["a2a_net"] * c.exchange) * c.cross
    outside = np.where(c.proxy, outside * fit["a2a_net"] / c.net, outside)
    transfer = side_by_side(inside, outside)
    latency = fit["a2a_base"] + c.extra + np.where(c.several & ~c.proxy, c.step, 0.0)
    total = latency + transfer + np.minimum(fit["a2a_peer"] * (n - 1), transfer)
    return Line("direct", with_proxy(c, latency, transfer, total, 1.0), latency, outside > inside)


def point_to_point(c: Columns, fit: Constants) -> Line:
    """One message from a rank to another: o + S/bandwidth (send-receive)."""
    network = c.nbytes / (c.nic * c.net)
    inside = c.nbytes / (c.scaleup * c.simple)
    start = np.where(c.several, fit["m_net"] * fit.ring.net[LL], fit["m_base"] * fit.ring.base[LL])
    latency = fit["message"] + start
    return Line("send-receive", latency + np.where(c.several, network, inside), latency, c.several)
