"""Seconds of attention kernels: prefill (query-key pairs, exponentials) and decode (streaming the KV cache).

Prefill, causal, blocks of bq x 128 (bq 128 or 64), S multiprocessors:

    cp   = ((4 d/(P/S ec))^3 + (cexp/(16 x 1.7 GHz))^3)^(1/3)                  seconds a pair on one multiprocessor
    comp = b h (nq pro + pairs cp)/S + q (pro + longest_row bq cp), times 1 + thr ln(1 + comp/300 us)
    mem  = b L d (2 h by + 2 hkv kvb + 2 mb (h + 2 hkv))/(B em)
    time = t0 + (comp^p + mem^p)^(1/p) + ptok 1e-10 b L

Decode, one query a sequence, g = h/hkv, L the length within the window. Benchmark loops re-read a KV cache that fits
L2; serving does not, so the KV comes from memory here:

    kv   = b hkv L 2 d kvb ;  mem = (kv + 4 qb b h d + 2 b hkv d kvb)/(B em)
    comp = 4 b hkv max(g, 16) 64 ceil(L/64) d/(P ec) ;  fix = pro max(CTAs/S - 1, 0)
    ser  = one CTA's stream over its splits
    time = t0 + (mem^p + comp^p + ser^p + fix^p)^(1/p) + lk log2(1 + L/64)

Constants: calibrations `chip-prefill` (held-out median 5-10 %) and `chip-decode` (4-8 %).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip

Array = NDArray[np.float64]
US = 1e-6
BLOCK = 128.0
# Exponentials: 16 a clock on a multiprocessor at 1.7 GHz.
EXP_PER_S = 16 * 1.7e9
# Query heads that one CTA of decode serves: two tiles on Hopper and Ampere, one after.
HEADS_PER_CTA = {"hopper": 64.0, "ampere": 64.0}
GENERIC_SMS = 128.0


def _columns(*values: ArrayLike) -> list[Array]:
    return [np.asarray(x, np.float64) for x in np.broadcast_arrays(*(np.atleast_1d(v) for v in values))]


def _sms(chip: Chip) -> float:
    """Multiprocessors; a generic number where the chip has no such units."""
    return float(chip.sms) if chip.sms >= 16 else GENERIC_SMS


def _pairs(length: Array, context: Array, window: Array, bq: float) -> tuple[Array, Array, Array]:
    """(pairs, query tiles, keys of the longest row), causal and rounded to blocks."""
    tiles = np.ceil(length / bq)
    past = np.ceil(context / BLOCK) * BLOCK
    # Row i of the tiles sees past + (i + 1) bq keys, rounded up to a block: half a block more in the mean.
    rounding = (BLOCK - bq) / 2.0
    longest = np.minimum(past + np.ceil(length / BLOCK) * BLOCK, np.ceil(window / BLOCK) * BLOCK + BLOCK)
    # Rows up to this tile are still shorter than the window.
    rising = np.clip((longest - past) / bq, 0.0, tiles)
    keys = rising * (past + rounding) + bq * rising * (rising + 1.0) / 2.0 + (tiles - rising) * longest
    return bq * np.minimum(keys, tiles * longest), tiles, longest


def prefill_seconds(
    chip: Chip,
    batch: ArrayLike,
    length: ArrayLike,
    heads: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    peak_flops: float,
    fit: Constants,
    *,
    value_bytes: float = 2.0,
    kv_bytes: float = 2.0,
    context: ArrayLike = 0.0,
    window: ArrayLike = 1e9,
) -> Array:
    """Seconds of causal prefill attention of `batch` sequences of `length` new tokens over `context` old ones.

    Args:
        chip: the chip.
        batch: sequences.
        length: new tokens of each.
        heads: query heads on this chip.
        kv_heads: KV heads on this chip.
        head_dim: of a head (MLA: 160, the mean of its 192 and 128).
        peak_flops: dense peak of the queries' precision.
        fit: constants of `chip-prefill`.
        value_bytes: of a query and output.
        kv_bytes: of a cached value.
        context: tokens cached before.
        window: sliding window in tokens.
    """
    b, n, h, hkv, d, past, win = _columns(batch, length, heads, kv_heads, head_dim, context, window)
    sms, bandwidth, p = _sms(chip), chip.memory_bytes_per_s, fit["pn"]
    flops_s = 4.0 * d / (peak_flops / sms * fit["ec"])
    pair_s = (flops_s**3 + (fit["cexp"] / EXP_PER_S) ** 3) ** (1.0 / 3.0)
    moved = b * n * d * (2.0 * h * value_bytes + 2.0 * hkv * kv_bytes + fit["mb"] * 2.0 * (h + 2.0 * hkv))
    mem = (moved + 2.0 * b * past * hkv * d * kv_bytes) / (bandwidth * fit["em"])
    best = np.full_like(b, np.inf)
    for bq in (128.0, 64.0):
        pairs, tiles, longest = _pairs(n, past, win, bq)
        row = fit["pro"] * US + longest * bq * pair_s
        spread = b * h * (tiles * fit["pro"] * US + pairs * pair_s) / sms
        comp = np.maximum(spread + fit["q"] * row, row)
        comp = comp * (1.0 + fit["thr"] * np.log1p(comp / (300.0 * US)))
        best = np.minimum(best, (comp**p + mem**p) ** (1.0 / p))
    seconds: Array = fit["t0"] * US + best + fit["ptok"] * 1e-4 * US * b * n
    return seconds


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
    window: ArrayLike = 1e9,
) -> Array:
    """Seconds of one decode step's attention in one layer.

    Args:
        chip: the chip.
        batch: sequences on this chip.
        length: tokens held by each.
        heads: query heads on this chip.
        kv_heads: KV heads on this chip (MLA: 1, with 576 values read once: `head_dim` 288).
        head_dim: of a head.
        peak_flops: dense peak of bf16.
        fit: constants of `chip-decode`.
        kv_bytes: of a cached value.
        window: sliding window in tokens.
    """
    b, n, h, hkv, d, win = _columns(batch, length, heads, kv_heads, head_dim, window)
    sms, bandwidth, p = _sms(chip), chip.memory_bytes_per_s, fit["pn"]
    seen = np.minimum(n, win)
    g = h / hkv
    kv = b * hkv * seen * 2.0 * d * kv_bytes
    mem = (kv + fit["qb"] * 4.0 * b * h * d + 2.0 * b * hkv * d * kv_bytes) / (bandwidth * fit["em"])
    comp = 4.0 * b * hkv * np.maximum(g, 16.0) * np.ceil(seen / 64.0) * 64.0 * d / (peak_flops * fit["ec"])
    cta = b * hkv * np.ceil(g / HEADS_PER_CTA.get(chip.generation, 32.0))
    fixed = fit["pro"] * US * np.maximum(cta / sms - 1.0, 0.0)
    splits = np.maximum(1.0, np.floor(sms / cta))
    stream = seen * 2.0 * d * kv_bytes / (fit["bsm"] * bandwidth / sms) / splits
    stream = stream + np.where(splits > 1.0, fit["r0"] * US, 0.0)
    joined = (mem**p + comp**p + stream**p + fixed**p) ** (1.0 / p)
    seconds: Array = fit["t0"] * US + joined + fit["lk"] * US * np.log2(1.0 + seen / 64.0)
    return seconds
