"""Tokens to their experts and back, on columns of networks and groups: by dispatch kernels or by a plain all-to-all.

    normal        a token once to every domain (rank, inside one) that holds one of its experts, see `moe`
    low_latency   every routed copy, from the chip's own kernel: decoding
    every_copy    the same through the collective library: an all-to-all

A group may hold fewer ranks of a domain than the domain has: `per_domain` says how many.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.fabric.collective import Answer, collective_seconds
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.moe import STYLES, moe_payload, moe_seconds
from gigawatt.physics.fabric.wires import Array, Networks, Wires, wires_of

EVERY_COPY = "every_copy"
WAYS = (*STYLES, EVERY_COPY)


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
    given = (tokens, topk, hidden, bytes_per_value, ranks, per_domain)
    token, k, width, each, n, inside = (np.atleast_1d(np.asarray(x, np.float64)) for x in np.broadcast_arrays(*given))
    if way == EVERY_COPY:
        sent = token * k * width * each
        return collective_seconds("all_to_all", sent, n, network, per_domain=inside, fit=fit).seconds
    return kernel_exchange(token, k, width, each, n, network, per_domain=inside, style=way, fit=fit)[1].seconds


def kernel_exchange(
    tokens: Array,
    topk: Array | float,
    hidden: ArrayLike,
    bytes_per_value: ArrayLike,
    ranks: Array,
    network: Networks,
    *,
    per_domain: Array,
    style: str = "normal",
    fit: Constants | None = None,
) -> tuple[Array, Answer]:
    """Bytes that a rank sends by dispatch kernels, and the answer for them; arguments as of `exchange_seconds`.

    A domain here is what the group has of one. Blackwell's kernels are taken to fill their links as Hopper's do: its one
    table is of a library that engines do not run by default, far below the links.

    Raises:
        InputError: unknown style.
    """
    count = len(ranks)
    inside = np.minimum(ranks, per_domain)
    wires = replace(wires_of(network).spread(count), domain=inside, reduction=np.full(count, -1))
    payload = moe_payload(tokens, topk, hidden, bytes_per_value, ranks, wires, style)
    return payload, moe_seconds(payload, ranks, wires, style=style, routed_tokens=tokens * topk, fit=fit)
