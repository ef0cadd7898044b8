"""Tokens to their experts and back, on columns of networks: by dispatch kernels or by a plain all-to-all.

normal        a token once to every domain (rank, inside one) that holds one of its experts, see `moe`
low_latency   every routed copy, from the chip's own kernel: decoding
every_copy    the same through the collective library: an all-to-all
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.fabric import constants
from gigawatt.physics.fabric.collective import collective_seconds
from gigawatt.physics.fabric.columns import MESH
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.wires import NET_CLASSES, Array, Wires

WAYS = ("normal", "low_latency", "every_copy")


def exchange_seconds(
    tokens: ArrayLike,
    topk: ArrayLike,
    hidden: ArrayLike,
    bytes_per_value: ArrayLike,
    ranks: ArrayLike,
    network: Wires,
    *,
    per_domain: ArrayLike,
    way: str = "normal",
    fit: Constants | None = None,
) -> Array:
    """Seconds of one dispatch, or of one combine, of `tokens` a rank to `topk` experts each.

    Args:
        tokens: tokens of one rank.
        topk: experts of a token.
        hidden: values of a token.
        bytes_per_value: of what is sent.
        ranks: of the expert-parallel group; 1 takes no time.
        network: columns, one row an exchange or one for all.
        per_domain: ranks of the group in one scale-up domain.
        way: one of `WAYS`.
        fit: constants, the packaged ones where None.

    Raises:
        InputError: unknown way.
    """
    if way not in WAYS:
        raise InputError(unknown_name("way to exchange tokens", way, WAYS))
    fit = constants.packaged() if fit is None else fit
    given = (tokens, topk, hidden, bytes_per_value, ranks, per_domain)
    token, k, width, each, n, inside = (np.atleast_1d(np.asarray(x, np.float64)) for x in np.broadcast_arrays(*given))
    if way == "every_copy":
        sent = token * k * width * each
        return collective_seconds("all_to_all", sent, n, network, per_domain=inside, fit=fit).seconds
    wires = network.spread(len(n))
    domains = n / np.minimum(n, inside)
    several = domains > 1
    places = np.where(several, domains, n)
    copies = k if way == "low_latency" else places * (1.0 - (1.0 - 1.0 / places) ** k)
    payload = token * width * each * copies
    share_net = fit["moe_net"] if way == "normal" else fit["ll_net"]
    share_in = _scaleup_share(wires, fit) if way == "normal" else fit["ll_scaleup"]
    across = payload * (domains - 1.0) / domains / (wires.nic_bytes_per_s * share_net)
    transfer = np.where(several, across, payload / (wires.scaleup_bytes_per_s * share_in))
    if way == "normal":
        step = np.array([fit[f"lat_{name}"] * (name != "tcpx") for name in NET_CLASSES])[wires.net]
        # What the tables give is the rate of a large batch, its start included.
        seconds = np.maximum(transfer, fit["ll_base"] + np.where(several, step, 0.0))
    else:
        efa = wires.net == NET_CLASSES.index("efa")
        posted = np.where(efa & several, fit["ll_efa_token"] * token * k * (domains - 1.0) / domains, 0.0)
        seconds = fit["ll_base"] + transfer + posted
    return np.where(n > 1, seconds, 0.0)


def _scaleup_share(wires: Wires, fit: Constants) -> Array:
    """Share of scale-up rate that normal kernels reach.

    Blackwell takes Hopper's: its own table is of a library that engines do not run by default, and far below its links.
    """
    share: Array = np.where(wires.scaleup == MESH, fit["moe_scaleup_cdna"], fit["moe_scaleup_hopper"])
    return share
