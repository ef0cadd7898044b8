"""Seconds of prefill attention: query-key pairs on the matrix units, exponentials beside them, passes over Q, K, V, O.

A CTA owns `tile` query rows of one head (or, `packed`, of the query heads that share a KV head) and walks the
keys it may see in blocks of 64. S multiprocessors, P peak, B bandwidth:

    pair = ((4 d w/(P/S ec))^3 + (cexp/X)^3)^(1/3), X = 16 exponentials a clock at 1.7 GHz, twice on Blackwell Ultra;
           w = 1 + wide max(d/128 - 1, 0): accumulators of wide heads spill on some chips
    comp = max(b H (tiles pro + tile sum(keys) pair)/S + q longest, longest),  longest = pro + tile max(keys) pair
    mem  = 2 b L d (cq h by + ck hkv kvb)/B,  cq >= 1, ck >= 1            passes: read Q, K, V, write O, append, rotate
    time = t0 + (comp^p + mem^p)^(1/p) + ptok 1e-10 b L

H is h, or hkv where heads are packed; the faster of the two tile heights `tile` and `least` counts. A benchmark loop
re-reads its operands, so below `res` bytes they come from L2 at `phi` of the cost of memory: that factor is fitted
(`resident=True`) and left out of predictions, for in serving another layer ran in between.

Constants: calibration `chip-prefill`, times in microseconds, `res` in MB.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip, multiprocessors

Array = NDArray[np.float64]
US = 1e-6
MB = 1e6
KEY_BLOCK = 64.0
# Exponentials a second of a multiprocessor: 16 a clock at 1.7 GHz, 32 from Blackwell Ultra on (NVIDIA's figure of 10.7 T/s
# for the chip; of Rubin assumed). `cexp` is how many of those slots one query-key pair takes.
EXP_PER_S = 16 * 1.7e9
EXP_RATE = {"blackwell-ultra": 2.0, "rubin": 2.0}
NO_WINDOW = 1e9


def columns(*values: ArrayLike) -> list[Array]:
    """The values as float columns of one common shape, at least one row."""
    return [np.asarray(x, np.float64) for x in np.broadcast_arrays(*(np.atleast_1d(v) for v in values))]


def from_memory(moved: Array, fit: Constants, resident: bool) -> Array | float:
    """Cost of a byte, 1 from memory: what a benchmark loop of `moved` bytes finds in L2 costs `phi` of it."""
    if not resident:
        return 1.0
    return fit["phi"] + (1.0 - fit["phi"]) / (1.0 + (fit["res"] * MB / np.maximum(moved, 1.0)) ** 6)


def heights(fit: Constants) -> Iterator[float]:
    """The tile heights a kernel chooses from."""
    yield fit["tile"]
    if fit["least"] != fit["tile"]:
        yield fit["least"]


def causal_keys(length: Array, past: Array, window: Array, span: Array | float) -> tuple[Array, Array, Array]:
    """(tiles, keys of all tiles, keys of the longest) of one head: tiles of `span` tokens, keys in whole blocks.

    Tile i sees past + (i + 1) span keys, no more than the window and the tile's own tokens.
    """
    tiles = np.ceil(length / span)
    seen = past + np.ceil(length / KEY_BLOCK) * KEY_BLOCK
    longest = np.minimum(seen, np.ceil((window + span) / KEY_BLOCK) * KEY_BLOCK)
    rounding = np.maximum((KEY_BLOCK - span) / 2.0, 0.0)
    # Tiles up to this one are still shorter than the longest.
    rising = np.clip((longest - past) / span, 0.0, tiles)
    keys = rising * (past + rounding) + span * rising * (rising + 1.0) / 2.0 + (tiles - rising) * longest
    return tiles, np.minimum(keys, tiles * longest), longest


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
    window: ArrayLike = NO_WINDOW,
    causal: bool = True,
    resident: bool = False,
) -> Array:
    """Seconds of prefill attention of `batch` sequences of `length` new tokens over `context` old ones.

    Args:
        chip: the chip.
        batch: sequences.
        length: new tokens of each.
        heads: query heads on this chip.
        kv_heads: KV heads on this chip.
        head_dim: of a head.
        peak_flops: dense peak of the queries' precision.
        fit: constants of `chip-prefill` (`chip-encoder` where not causal).
        value_bytes: of a query and output.
        kv_bytes: of a cached value.
        context: tokens cached before.
        window: sliding window in tokens.
        causal: False for an encoder, where every token sees all of its sequence.
        resident: operands of a small kernel are found in L2, as in the benchmark that the constants were fitted to.
    """
    b, n, h, hkv, d, past, win = columns(batch, length, heads, kv_heads, head_dim, context, window)
    sms, bandwidth, p = multiprocessors(chip), chip.memory_bytes_per_s, fit["pn"]
    spilled = 1.0 + fit["wide"] * np.maximum(d / 128.0 - 1.0, 0.0)
    flops_s = 4.0 * d * spilled / (peak_flops / sms * fit["ec"])
    exp_s = fit["cexp"] / (EXP_PER_S * EXP_RATE.get(chip.generation, 1.0))
    pair_s = (flops_s**3 + exp_s**3) ** (1.0 / 3.0)
    moved = 2.0 * b * n * d * (fit["cq"] * h * value_bytes + fit["ck"] * hkv * kv_bytes)
    moved = moved + 2.0 * b * past * hkv * d * kv_bytes
    operands = 2.0 * b * n * d * (h * value_bytes + hkv * kv_bytes)
    mem = moved * from_memory(operands, fit, resident) / bandwidth
    past = np.ceil(past / KEY_BLOCK) * KEY_BLOCK
    comp = np.full_like(b, np.inf)
    for rows in heights(fit):
        packed = fit["packed"] > 0.0
        span = rows * hkv / h if packed else np.full_like(b, rows)
        if causal:
            tiles, keys, longest = causal_keys(n, past, win, span)
        else:
            tiles, longest = np.ceil(n / span), np.ceil(n / KEY_BLOCK) * KEY_BLOCK
            keys = tiles * longest
        row = fit["pro"] * US + longest * rows * pair_s
        spread = b * (hkv if packed else h) * (tiles * fit["pro"] * US + rows * keys * pair_s) / sms
        comp = np.minimum(comp, np.maximum(spread + fit["q"] * row, row))
    seconds: Array = fit["t0"] * US + (comp**p + mem**p) ** (1.0 / p) + fit["ptok"] * 1e-10 * b * n
    return seconds
