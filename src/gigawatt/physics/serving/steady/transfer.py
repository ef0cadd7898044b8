"""Moving a request's cache from the chips that prefilled it to those that decode it.

    seconds  = max(what a chip sends, what a chip receives) / bytes per second + latency        after the prompt's pass
    hidden   : sent layer by layer behind the prompt's pass, only the last layer, or what the link cannot keep up with, shows

A chip sends its share of the one cache and receives what it is to hold: a part of the heads, or the whole latent. The rate is
the slower of both sides': the NIC's, or the scale-up link's where both pools share a domain. It comes on top of the constant
fitted to served points (router, hand-over), whose own bytes took milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.physics.fabric import Fabric
from gigawatt.physics.fabric.across.serving import cache_move_s
from gigawatt.physics.serving.engine.caching import cache_bytes_per_chip
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import cached_values

NIC_SHARE = (
    0.9  # of the NIC's rate that large transfers between hosts reach (assumed; ring transfers: see the fabric's table)
)


@dataclass(frozen=True, slots=True)
class CachePath:
    """The way between the pools: bytes/s of a chip one way, its latency, and whether layers go out as they are made."""

    bytes_per_s: float
    latency_s: float = 50e-6
    by_layer: bool = True


def cache_path(prefill: Fabric, decode: Fabric, *, same_domain: bool = False, by_layer: bool = True) -> CachePath:
    """The path between chips on two networks: scale-up links within a domain, else the slower NIC."""
    links, nics = (
        (prefill.scaleup_bytes_per_s, decode.scaleup_bytes_per_s),
        (prefill.nic_bytes_per_s, decode.nic_bytes_per_s),
    )
    return CachePath(min(links) if same_domain else NIC_SHARE * min(nics), by_layer=by_layer)


def moved_bytes_per_chip(prefill: Deployment, decode: Deployment, tokens: Floats) -> Floats:
    """The most that one chip sends or receives of a request's cache, as wide as it is decoded with."""
    sent = cached_values(decode, tokens) * decode.kv_bytes / prefill.attention_tp / prefill.stages
    return np.maximum(sent, cache_bytes_per_chip(decode, tokens))


def transfer_seconds(
    prefill: Deployment, decode: Deployment, tokens: Floats, path: CachePath, prefill_s: Floats
) -> Floats:
    """Seconds from the end of a prompt's pass of `prefill_s` until its cache is where it is decoded."""
    return cache_move_s(
        moved_bytes_per_chip(prefill, decode, tokens),
        path.bytes_per_s,
        path.latency_s,
        layers=decode.model.layers if path.by_layer else 1.0,
        hidden_s=prefill_s if path.by_layer else 0.0,
    )


def transfer_load(prefill: Deployment, decode: Deployment, tokens: Floats, path: CachePath, rate: Floats) -> Floats:
    """Share of the links' time that `rate` requests per second and worker take."""
    ranks = np.minimum(prefill.dp, decode.dp)
    return rate * moved_bytes_per_chip(prefill, decode, tokens) / path.bytes_per_s / ranks
