"""Prefixes found in the cache, and old caches kept in the host's memory.

    fresh tokens     n - c of a prompt of n, c of them found: less arithmetic, but all n are held, and the fresh ones meet all n
    fetch            latency + bytes of the c tokens on a chip / what the link to the host reaches
    it pays          where the fetch takes less than working the tokens out again
    residence        how long a prefix stays before what came after has pushed it out: room / tokens that arrive in a second
    hit              1 - exp(-residence / mean time between uses)                         uses at random (Che et al. 2002)

All chips of a rank fetch their part at once; where latent attention keeps the whole latent on each, each fetches it whole.
Engines fetch before they schedule the prompt, so the fetch adds to its first token and hides behind nothing (assumed). The
link is a host's of the catalog: measured copies over NVLink-C2C (375 GB/s) or PCIe 5 (55.6 GB/s).
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.pipeline import largest_share
from gigawatt.physics.serving.engine.step import cache_shards, cached_values, prefill_seconds


def cache_bytes_per_chip(d: Deployment, tokens: Floats) -> Floats:
    """Bytes that `tokens` of one sequence take on each chip of its rank."""
    shared = cached_values(d, tokens) * d.kv_bytes / cache_shards(d)
    return shared if d.hand_over is None else shared * largest_share(d.model.layers, d.stages)


def fetch_seconds(d: Deployment, tokens: Floats) -> Floats:
    """Seconds to bring the cache of `tokens` back from the hosts; 0 without tokens or without a host."""
    moved = cache_bytes_per_chip(d, tokens) / d.host.bytes_per_s
    return np.where(tokens > 0, d.host.latency_s + moved, 0.0)


def fetch_gain(d: Deployment, tokens: Floats, fresh: Floats | float = 1.0) -> Floats:
    """Seconds of a first token that fetching `tokens` saves against working them out again, before `fresh` more.

    Positive where it pays.
    """
    one = np.ones_like(d.gpus)
    again = prefill_seconds(d, tokens + fresh, one)
    return again - prefill_seconds(d, fresh + 0.0 * tokens, one, tokens) - fetch_seconds(d, tokens)


def cache_room_tokens(d: Deployment, held_requests: Floats, tokens: Floats) -> tuple[Floats, Floats]:
    """(on the chips, in the hosts) tokens of old sequences of length `tokens` that a replica keeps.

    On the chips beside `held_requests` of that length that are being answered.
    """
    each = np.maximum(cache_bytes_per_chip(d, tokens), 1.0)
    chips = d.dp * np.maximum(free_bytes_per_chip(d), 0.0) / each - held_requests
    return np.maximum(chips, 0.0) * tokens, d.dp * d.host.memory_bytes / each * tokens


def residence_s(room_tokens: Floats, arriving_tokens_per_s: Floats) -> Floats:
    """Seconds that a prefix stays where the least recently used goes first: the room over what arrives."""
    return room_tokens / np.maximum(arriving_tokens_per_s, 1e-30)


def hit_share(residence: Floats, mean_reuse_s: Floats) -> Floats:
    """Share of returns that still find their prefix, where the time until it is used again is exponential.

    >>> round(float(hit_share(np.asarray(60.0), np.asarray(60.0))), 3)
    0.632
    """
    return -np.expm1(-residence / np.maximum(mean_reuse_s, 1e-30))
