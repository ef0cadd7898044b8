"""Dispatch and combine of mixture-of-experts tokens between ranks.

Normal kernels (prefill, training) send a token once to every domain that holds one of its experts:

    payload = tokens hidden bytes U,   U = M (1 - (1 - 1/M)^topk),   M = domains (ranks inside one domain)
    time    = payload (N-1)/N / (NIC eta);   inside a domain payload / (B eta)

Low-latency kernels (decode) send every routed copy: payload = tokens topk hidden bytes, plus a fixed start.
Fitted to the tables of DeepEP, UCCL-EP and pplx-kernels; see calibration `fabric-collectives`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.fabric import constants
from gigawatt.physics.fabric.collective import Answer
from gigawatt.physics.fabric.columns import MESH, crossing
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.models import with_models
from gigawatt.physics.fabric.wires import NET_CLASSES, REDUCTIONS, Array, Networks, Wires, wires_of

STYLES = ("normal", "low_latency")
_TEXTS = ("latency-bound, MoE", "scale-up-bound at tier 1, MoE", "NIC-bound at tier 2, MoE")
_EFA, _TCPX = NET_CLASSES.index("efa"), NET_CLASSES.index("tcpx")


def moe_payload(
    tokens: ArrayLike,
    topk: ArrayLike,
    hidden: ArrayLike,
    bytes_per_value: ArrayLike,
    ranks: ArrayLike,
    network: Networks,
    style: str = "normal",
) -> Array:
    """Bytes that one rank sends: once to each domain (normal) or once for each expert (low latency)."""
    tokens, topk, hidden, width, n = (
        np.asarray(x, dtype=np.float64) for x in (tokens, topk, hidden, bytes_per_value, ranks)
    )
    domain = wires_of(network).domain
    places = np.where(n > domain, n / np.minimum(n, domain), n)
    copies = topk if style == "low_latency" else places * (1.0 - (1.0 - 1.0 / places) ** topk)
    payload: Array = np.asarray(tokens * hidden * width * copies, dtype=np.float64)
    return payload


def _scaleup_share(wires: Wires, fit: Constants) -> Array:
    """Share of the scale-up rate that normal kernels reach; Hopper's where a generation was not measured."""
    by_generation = np.array([*(fit[f"moe_scaleup_{name}"] for name in REDUCTIONS), fit["moe_scaleup_hopper"]])
    share: Array = np.where(wires.scaleup == MESH, fit["moe_scaleup_cdna"], by_generation[wires.reduction])
    return share


def moe_seconds(
    payload: ArrayLike,
    ranks: ArrayLike,
    network: Networks,
    *,
    style: str = "normal",
    routed_tokens: ArrayLike = 0.0,
    transport: str = "",
    fit: Constants | None = None,
) -> Answer:
    """Seconds of one dispatch or one combine.

    Args:
        payload: bytes one rank sends, from `moe_payload`.
        ranks: size of the expert-parallel group.
        network: one fabric, one a row, or the columns of `wires_of`.
        style: normal or low_latency.
        routed_tokens: tokens x topk of a rank; EFA posts each from the host and pays for it (low latency).
        transport: 'ibrc' where a host thread serves every peer.
        fit: constants, the packaged ones where None.

    Raises:
        InputError: unknown style.
    """
    if style not in STYLES:
        raise InputError(unknown_name("style of MoE exchange", style, STYLES))
    fit = constants.packaged() if fit is None else fit
    size, n, routed = (
        np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in np.broadcast_arrays(payload, ranks, routed_tokens)
    )
    wires = wires_of(network).spread(len(n))
    domains = np.maximum(1.0, n / wires.domain)
    several = domains > 1
    outside = size * (domains - 1.0) / domains / (wires.nic_bytes_per_s * wires.exchange_share) * crossing(n, wires)
    if style == "normal":
        inside = size / (wires.scaleup_bytes_per_s * _scaleup_share(wires, fit))
        step = np.array([fit[f"lat_{name}"] for name in NET_CLASSES])[wires.net]
        latency = fit["ll_base"] + np.where(several & (wires.net != _TCPX), step, 0.0)
        # What the tables give is the rate of a large batch, its start included.
        seconds = np.maximum(np.where(several, outside / fit["moe_net"], inside), latency)
    else:
        inside = size / (wires.scaleup_bytes_per_s * fit["ll_scaleup"])
        latency = np.full_like(n, fit["ll_base"])
        if transport == "ibrc":
            latency = latency + np.where(several, fit["ibrc_peer"] * n, 0.0)
        posted = np.where(wires.net == _EFA, fit["ll_efa_token"] * routed * (domains - 1.0) / domains, 0.0)
        seconds = latency + np.where(several, outside / fit["ll_net"], inside) + posted
    seconds = np.where(n > 1, seconds, 0.0)
    limits = fit.bands["moe"]
    code = np.where(latency > 0.5 * seconds, 0, np.where(several, 2, 1)).astype(np.intp)
    made = Answer(seconds, seconds * float(limits["low"]), seconds * float(limits["high"]), code, _TEXTS)
    return with_models(made, "all_to_all", size, n, n, wires)
