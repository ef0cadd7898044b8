"""Seconds of a matrix product on a tensor-core chip: tiles, waves, split-K, a smooth maximum, the quantise pass.

For a tile (bm, bn) of the menu and a split s of K, with S multiprocessors, peak P and memory bandwidth B:

    tk   = max(2 bm bn/(P/S ec), (a min(bm, m) + w min(bn, n))/(bsm B/S), kl)      seconds a unit of K
    comp = ceil(ceil(m/bm) ceil(n/bn) s/S) (pro + epi bm bn + K/s tk)              waves of tiles
    mem  = (w n K + a m K + 2 m n) hit/(B em)
    t    = (comp^p + mem^p)^(1/p) + [s > 1] (r0 + 8 r1 s m n/B)
    time = t0 + min over tiles and splits of t + m (qb K/B + qr)                   last: activation quantise pass

a and w are bytes of an activation and a weight, 2 of an output. What the constants mean: `t0` launch, `ec` share of the
peak inside a tile, `em` share of the bandwidth, `pn` how well both overlap, `pro` and `epi` a tile's prologue and its
epilogue for each output, `bsm` how many fair shares of the bandwidth one multiprocessor can draw, `kl` latency of the main
loop for each unit of K (a deep product of few tiles cannot go faster), `r0`, `r1` the reduction of split-K, `qb` bytes moved
to quantise an activation, `qr` seconds for each row of it.

Benchmarks repeat one product, whose operands then stay in L2 where they fit; a model's layers follow each other, and its
weights come from memory. So `hit` is fitted with, hit = phi + (1 - phi)/(1 + (l2c L2/bytes)^4), and predicted without.

Constants and their held-out errors: calibration `chip-gemm`. A chip without multiprocessor data (other vendors) takes
t0 + (comp^p + mem^p)^(1/p) at ec and em.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.device import FEWEST_SMS, Chip

Array = NDArray[np.float64]
# Menus of output tiles, rows x columns. Kernels of one library come in one of the two; which, is a fitted choice.
NARROW_TILES = ((16, 128), (32, 128), (64, 32), (64, 64), (64, 128), (128, 64), (128, 128), (128, 256), (256, 128))
WIDE_TILES = (*NARROW_TILES, (128, 96), (128, 192), (256, 64), (256, 192), (256, 256))
SPLITS = (1, 2, 3, 4, 6, 8, 16)
MIN_K_OF_SPLIT = 500.0
# Bytes of (weight, activation) by precision; scales of block formats included.
WIDTHS = {"bf16": (2.0, 2.0), "fp8": (1.0, 1.0), "fp8_block": (1.0, 1.03), "fp4": (0.5625, 0.5625), "int8": (1.0, 1.0)}
SAME_WIDTH = {"mxfp8": "fp8_block", "nvfp4": "fp4", "mxfp4": "fp4", "fp6": "fp8"}
US = 1e-6
# Rows worked on at once: keeps the temporaries in cache.
CHUNK = 8_192


def widths(precision: str) -> tuple[float, float]:
    """Bytes of a weight and of an activation."""
    return WIDTHS.get(SAME_WIDTH.get(precision, precision), (2.0, 2.0))


def smooth_max(first: Array, second: Array, p: float) -> Array:
    """(first^p + second^p)^(1/p) of positive columns, without overflow."""
    high = np.maximum(first, second)
    ratio = np.minimum(first, second) / high
    joined: Array = high * (1.0 + ratio**p) ** (1.0 / p)
    return joined


def gemm_seconds(
    chip: Chip,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    precision: str,
    peak_flops: float,
    fit: Mapping[str, float],
    *,
    fused_quantise: bool = False,
    resident: bool = False,
) -> Array:
    """Seconds of C[m, n] = A[m, k] B[k, n], one row per product.

    Args:
        chip: the chip; its own bandwidth and multiprocessors.
        m: rows (tokens).
        n: columns of the weights.
        k: depth.
        precision: bf16, fp8, fp8_block (scales a block), fp4 (NVFP4).
        peak_flops: dense peak of that precision.
        fit: constants of `chip-gemm`.
        fused_quantise: the pass that quantises activations is part of the kernel before (costs nothing here).
        resident: operands stay in L2 where they fit, as in a benchmark's loop.
    """
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (m, n, k)))
    flat = [np.maximum(np.ravel(x), 1.0) for x in rows]
    out = np.empty(flat[0].size)
    for start in range(0, out.size, CHUNK):
        part = slice(start, start + CHUNK)
        m_, n_, k_ = (x[part] for x in flat)
        time = _tiled(chip, m_, n_, k_, precision, peak_flops, fit, resident)
        if not fused_quantise:
            time += m_ * (fit["qb"] * k_ / chip.memory_bytes_per_s + fit["qr"] * 1e-3 * US)
        out[part] = time
    return out.reshape(rows[0].shape)


def gemm_reduced_seconds(
    chip: Chip,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    precision: str,
    peak_flops: float,
    fit: Mapping[str, float],
    *,
    fused_quantise: bool = False,
) -> Array:
    """The reduced form, for searches: one tile height, whole work spread evenly, no split of K.

        m'   = m rounded up to 64 rows (16 where m < 64)
        comp = max(2 m' n K/(P ec), kl K) + pro + epi m' n/S
        t    = high (1 + (2^(1/p) - 1) (low/high)^round(p)),  high and low of comp and mem       exact where they are equal
        time = t0 + t + quantise

    Arguments and errors as of `gemm_seconds`. What it adds to the error: `bench_operators` and the tests print it.
    """
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (m, n, k)))
    flat = [np.ravel(x) for x in rows]
    out = np.empty(flat[0].size)
    for start in range(0, out.size, CHUNK):
        part = slice(start, start + CHUNK)
        m_, n_, k_ = (x[part] for x in flat)
        out[part] = _reduced(chip, m_, n_, k_, precision, peak_flops, fit, fused_quantise)
    return out.reshape(rows[0].shape)


def _reduced(
    chip: Chip, m: Array, n: Array, k: Array, precision: str, peak: float, fit: Mapping[str, float], fused: bool
) -> Array:
    weight, activation = widths(precision)
    bandwidth, order = chip.memory_bytes_per_s, fit["pn"]
    grain = np.where(m < 64.0, 16.0, 64.0)
    outputs = np.ceil(m / grain) * grain * n
    mem = ((weight * n + activation * m) * k + 2.0 * m * n) * (1.0 / (bandwidth * fit["em"]))
    comp = np.maximum(outputs * (2.0 / (peak * min(fit["ec"], 1.0))), fit["kl"] * 1e-3 * US) * k
    if chip.sms >= FEWEST_SMS:
        comp += outputs * (fit["epi"] * 1e-4 * US / chip.sms)
    comp += fit["pro"] * US
    high = np.maximum(comp, mem)
    ratio = np.minimum(comp, mem) / high
    power = ratio if order < 1.5 else ratio * ratio if order < 2.5 else ratio * ratio * ratio
    power *= 2.0 ** (1.0 / order) - 1.0
    power += 1.0
    power *= high
    power += fit["t0"] * US
    if not fused:
        power += m * (fit["qb"] / bandwidth * k + fit["qr"] * 1e-3 * US)
    return power


def _tiled(
    chip: Chip, m: Array, n: Array, k: Array, precision: str, peak: float, fit: Mapping[str, float], resident: bool
) -> Array:
    """All but the quantise pass."""
    weight, activation = widths(precision)
    bandwidth, p = chip.memory_bytes_per_s, fit["pn"]
    moved = weight * n * k + activation * m * k + 2.0 * m * n
    mem = moved / (bandwidth * fit["em"])
    if resident and chip.l2_bytes > 0:
        mem *= fit["phi"] + (1.0 - fit["phi"]) / (1.0 + (fit["l2c"] * chip.l2_bytes / moved) ** 4)
    if chip.sms < FEWEST_SMS:
        return fit["t0"] * US + smooth_max(2.0 * m * n * k / (peak * min(fit["ec"], 1.0)), mem, p)
    fastest = _fastest_tiles(chip, m, n, k, weight, activation, peak, fit)
    best = smooth_max(fastest[0], mem, p)
    for split, comp in zip(SPLITS[1:], fastest[1:], strict=True):
        reduce = fit["r0"] * US + (fit["r1"] * 8.0 * split / bandwidth) * (m * n)
        time = np.where(k >= split * MIN_K_OF_SPLIT, smooth_max(comp, mem, p) + reduce, np.inf)
        np.minimum(best, time, out=best)
    return fit["t0"] * US + best


def _fastest_tiles(
    chip: Chip, m: Array, n: Array, k: Array, weight: float, activation: float, peak: float, fit: Mapping[str, float]
) -> list[Array]:
    """Seconds of arithmetic of the fastest tile, for each split: the smooth maximum with memory keeps their order."""
    tiles = WIDE_TILES if fit["wide"] else NARROW_TILES
    share = chip.memory_bytes_per_s / chip.sms * fit["bsm"]
    rate = peak / chip.sms * fit["ec"]
    latency = fit["kl"] * 1e-3 * US
    rows = {bm: (np.ceil(m / bm), np.minimum(bm, m) * (activation / share)) for bm in sorted({t[0] for t in tiles})}
    columns = {bn: (np.ceil(n / bn) / chip.sms, np.minimum(bn, n) * (weight / share)) for bn in {t[1] for t in tiles}}
    fastest: list[Array] = []
    for bm, bn in tiles:
        (down, feed_m), (across, feed_n) = rows[bm], columns[bn]
        main = np.maximum(feed_m + feed_n, max(2.0 * bm * bn / rate, latency)) * k
        fixed = fit["pro"] * US + fit["epi"] * 1e-4 * US * bm * bn
        waves = down * across
        for i, split in enumerate(SPLITS):
            comp = np.ceil(waves * split) * (main * (1.0 / split) + fixed)
            if i == len(fastest):
                fastest.append(comp)
            else:
                np.minimum(fastest[i], comp, out=fastest[i])
    return fastest
