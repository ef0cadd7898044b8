"""Seconds of a matrix product on a tensor-core chip: tiles, waves, split-K, a smooth maximum, the quantise pass.

For a tile (bm, bn), a split s of K, with S multiprocessors, peak P and bandwidth B:

    e    = ec / (1 + 64 feed (1/bm + 1/bn))
    tk   = max(2 bm bn/(P/S e), (a min(bm, m) + w min(bn, n))/(bsm B/S))                seconds a unit of K
    x    = ceil(m/bm) ceil(n/bn) s/S ;  waves = max(1, x + q (ceil(x) - x))
    comp = waves (pro + K/s tk), times 1 + thr ln(1 + comp/300 us) ;  mem = (w n K + a m K + 2 m n)/(B em)
    t    = (comp^p + mem^p)^(1/p) + [s > 1] (r0 + 8 r1 s m n/B)
    time = t0 + min over tiles and splits of t + qb m K/B                               last: activation quantise pass

a and w are bytes of an activation and a weight, 2 of an output. Constants: calibration `chip-gemm`; held-out median
error 4-6 % for bf16, 6-7 % for fp8 and fp4, on the chips they were fitted to. Without multiprocessor data (other
vendors) the form falls back to t0 + (comp^p + mem^p)^(1/p) at ec and em.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip

Array = NDArray[np.float64]
FULL_TILES = tuple((256, n) for n in (256, 192, 128, 64)) + tuple((128, n) for n in (256, 192, 128, 96, 64, 32))
FULL_TILES += tuple((64, n) for n in (256, 128, 64))
FULL_SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 32)
# A tenth of the cost for a median difference well under 1 %; see the tests.
FEW_TILES = ((256, 256), (256, 128), (128, 128), (128, 64), (64, 64))
FEW_SPLITS = (1, 2, 4, 8)
MIN_K_OF_SPLIT = 500.0
# Bytes of (weight, activation) by precision; scales of block formats included.
WIDTHS = {"bf16": (2.0, 2.0), "fp8": (1.0, 1.0), "fp8_block": (1.0, 1.03), "fp4": (0.5625, 0.5625), "int8": (1.0, 1.0)}
US = 1e-6
# Rows worked on at once: keeps the temporaries in cache.
CHUNK = 16_384


def widths(precision: str) -> tuple[float, float]:
    """Bytes of a weight and of an activation."""
    return WIDTHS.get(precision, (2.0, 2.0))


def gemm_seconds(
    chip: Chip,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    precision: str,
    peak_flops: float,
    fit: Constants,
    *,
    full: bool = False,
    fused_quantise: bool = False,
) -> Array:
    """Seconds of C[m, n] = A[m, k] B[k, n], one row per product.

    Args:
        chip: the chip; its own bandwidth and multiprocessors.
        m: rows (tokens).
        n: columns (output features).
        k: depth.
        precision: of both operands.
        peak_flops: dense peak of the precision.
        fit: constants of `chip-gemm`.
        full: all tiles and splits; else the few.
        fused_quantise: the activation comes quantised from the operation before.
    """
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (m, n, k)))
    flat = [np.maximum(np.ravel(x), 1.0) for x in rows]
    out = np.empty(flat[0].size)
    for start in range(0, out.size, CHUNK):
        part = slice(start, start + CHUNK)
        m_, n_, k_ = (x[part] for x in flat)
        out[part] = _chunk(chip, m_, n_, k_, precision, peak_flops, fit, full, fused_quantise)
    return out.reshape(rows[0].shape)


def _chunk(
    chip: Chip,
    m: Array,
    n: Array,
    k: Array,
    precision: str,
    peak: float,
    fit: Constants,
    full: bool,
    fused: bool,
) -> Array:
    weight, activation = widths(precision)
    bandwidth, p = chip.memory_bytes_per_s, fit["pn"]
    mem = (weight * n * k + activation * m * k + 2.0 * m * n) / (bandwidth * fit["em"])
    quantise = 0.0 if fused else fit["qb"] * m * k / bandwidth
    if chip.sms < 16:
        comp = 2.0 * m * n * k / (peak * min(fit["ec"], 1.0))
        plain: Array = fit["t0"] * US + (comp**p + mem**p) ** (1.0 / p) + quantise
        return plain
    mem_p = mem**p
    best = np.full_like(m, np.inf)
    for bm, bn in FULL_TILES if full else FEW_TILES:
        share = fit["ec"] / (1.0 + fit["feed"] * 64.0 * (1.0 / bm + 1.0 / bn))
        flops_s = 2.0 * bm * bn / (peak / chip.sms * share)
        feed_bytes = activation * np.minimum(bm, m) + weight * np.minimum(bn, n)
        unit = np.maximum(flops_s, feed_bytes / (fit["bsm"] * bandwidth / chip.sms))
        tiles = np.ceil(m / bm) * np.ceil(n / bn)
        for split in FULL_SPLITS if full else FEW_SPLITS:
            x = tiles * (split / chip.sms)
            waves = np.maximum(1.0, x + fit["q"] * (np.ceil(x) - x))
            comp = waves * (fit["pro"] * US + k / split * unit)
            comp = comp * (1.0 + fit["thr"] * np.log1p(comp / (300.0 * US)))
            time = (comp**p + mem_p) ** (1.0 / p)
            if split > 1:
                time = time + fit["r0"] * US + fit["r1"] * 8.0 * split * m * n / bandwidth
                time = np.where(k / split >= MIN_K_OF_SPLIT, time, np.inf)
            best = np.minimum(best, time)
    seconds: Array = fit["t0"] * US + best + quantise
    return seconds
