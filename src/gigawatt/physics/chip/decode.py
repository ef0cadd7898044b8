"""Seconds of decode attention: one query a sequence streams the KV cache, in CTAs that may split a long sequence.

A CTA serves `group` query heads of one KV head. While CTAs are fewer than multiprocessors, a sequence is split into
chunks of at least `chunk` keys, whose partial results a second kernel combines. g = h/hkv, L the keys within the window:

    ctas = b hkv ceil(g/group) ;  splits = min(S/ctas, L/chunk), at least 1
    kv   = 2 b hkv L d kvb ;  mem = (kv + 4 qb b h d + 2 b hkv d kvb)/(B em)
    comp = 4 b hkv 16 ceil(g/16) 64 ceil(L/64) d/(P ec)                       tiles of 16 queries x 64 keys
    fix  = pro max(ctas splits/S - 1, 0)                                      set-up of a CTA, beyond the first wave
    lat  = 2 d kvb ceil(L/splits)/(bsm B/S) + [splits > 1] (r0 + r1 splits)   one CTA's stream; combining
    time = t0 + (mem^p + comp^p + fix^p + lat^p)^(1/p)

What engines do that the shape does not tell is in flags: a kernel that cannot group the queries of a KV head runs one
CTA a query head, with `alone` times the set-up, in layers with a window (`lone_window`) or without shared heads
(`lone_mha`); `planned` engines choose the splits from the whole length though a window hides most of it; a window
touches `align` keys more than its own, by block edges.

Benchmark loops re-read a KV cache that fits L2, up to twice as fast as serving does: `res` and `phi` hold that in the
fit (`resident=True`) and are left out of predictions.

Constants: calibration `chip-decode`, times in microseconds, `res` in MB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip, multiprocessors
from gigawatt.physics.chip.prefill import KEY_BLOCK, NO_WINDOW, US, Array, columns, from_memory

QUERY_TILE = 16.0


def decode_seconds(
    chip: Chip,
    batch: ArrayLike,
    length: ArrayLike,
    heads: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    peak_flops: float,
    fit: Constants,
    *,
    kv_bytes: float = 2.0,
    window: ArrayLike = NO_WINDOW,
    resident: bool = False,
) -> Array:
    """Seconds of one decode step's attention in one layer.

    Args:
        chip: the chip.
        batch: sequences on this chip.
        length: tokens held by each.
        heads: query heads on this chip.
        kv_heads: KV heads on this chip.
        head_dim: of a head.
        peak_flops: dense peak of bf16.
        fit: constants of `chip-decode`.
        kv_bytes: of a cached value.
        window: sliding window in tokens.
        resident: a small cache is found in L2, as in the benchmark that the constants were fitted to.
    """
    b, n, h, hkv, d, win = columns(batch, length, heads, kv_heads, head_dim, window)
    bandwidth, p = chip.memory_bytes_per_s, fit["pn"]
    g = h / hkv
    seen = np.minimum(n, win + fit["align"])
    lone = ((win < NO_WINDOW / 10.0) & (fit["lone_window"] > 0.0)) | ((g == 1.0) & (fit["lone_mha"] > 0.0))
    kv = 2.0 * b * hkv * seen * d * kv_bytes
    streamed = kv * from_memory(kv, fit, resident)
    mem = (streamed + 4.0 * fit["qb"] * b * h * d + 2.0 * b * hkv * d * kv_bytes) / (bandwidth * fit["em"])
    tiles = b * np.where(lone, h, hkv * np.ceil(g / QUERY_TILE)) * np.ceil(seen / KEY_BLOCK)
    comp = 4.0 * tiles * QUERY_TILE * KEY_BLOCK * d / (peak_flops * fit["ec"])
    ctas = b * hkv * np.where(lone, g, np.ceil(g / fit["group"]))
    whole = n if fit["planned"] > 0.0 else seen
    setup = np.where(lone, fit["pro"] * fit["alone"], fit["pro"]) * US
    fix, lat = split_seconds(chip, ctas, whole, seen, 2.0 * d * kv_bytes, setup, fit)
    seconds: Array = fit["t0"] * US + (mem**p + comp**p + fix**p + lat**p) ** (1.0 / p)
    return seconds


def split_seconds(
    chip: Chip, ctas: Array, whole: Array, seen: Array, key_bytes: Array | float, setup: Array | float, fit: Constants
) -> tuple[Array, Array]:
    """(fix, lat) of CTAs that split a sequence: set-up beyond the first wave; one CTA's stream, and combining.

    Args:
        chip: the chip.
        ctas: before any split.
        whole: keys from which the number of splits is chosen.
        seen: keys that are read.
        key_bytes: of one key with its value, in the cache.
        setup: seconds of a CTA's set-up.
        fit: constants of a decode kernel.
    """
    sms = multiprocessors(chip)
    splits = np.maximum(1.0, np.minimum(np.floor(fit["occ"] * sms / ctas), np.ceil(whole / fit["chunk"])))
    fix: Array = setup * np.maximum(ctas * splits / sms - 1.0, 0.0)
    keys = np.ceil(seen / splits / KEY_BLOCK) * KEY_BLOCK
    stream = keys * key_bytes / (fit["bsm"] * chip.memory_bytes_per_s / sms)
    lat: Array = stream + np.where(splits > 1.0, (fit["r0"] + fit["r1"] * splits) * US, 0.0)
    return fix, lat
