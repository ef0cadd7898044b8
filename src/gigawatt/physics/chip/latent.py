"""Seconds of multi-head latent attention (MLA): prefill over expanded heads, decode over the 576 cached values.

Prefill expands the latent: every query head has its own keys of 192 and values of 128, so the prefill form holds with
d = 160, their mean, and as many KV heads as query heads. Decode absorbs the expansion: one KV head of 512 + 64 values,
read once for keys and values both, is the decode form with d = 288; the products run over 576 and 512, d = 544. A kernel
that cannot multiply fp8 values has the whole cache converted first, at `cast` bytes of traffic a value.

Constants: calibrations `chip-mla-prefill` and `chip-mla-decode`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.decode import QUERY_TILE, split_seconds
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.prefill import KEY_BLOCK, US, Array, columns, from_memory, prefill_seconds

EXPANDED_DIM = 160.0
LATENT_VALUES = 576.0
PRODUCT_DIM = 544.0


def mla_prefill_seconds(
    chip: Chip,
    batch: ArrayLike,
    length: ArrayLike,
    heads: ArrayLike,
    peak_flops: float,
    fit: Constants,
    *,
    value_bytes: float = 2.0,
    kv_bytes: float = 2.0,
    context: ArrayLike = 0.0,
    resident: bool = False,
) -> Array:
    """Seconds of causal MLA prefill of `batch` sequences of `length` new tokens; arguments as of `prefill_seconds`."""
    return prefill_seconds(
        chip,
        batch,
        length,
        heads,
        heads,
        EXPANDED_DIM,
        peak_flops,
        fit,
        value_bytes=value_bytes,
        kv_bytes=kv_bytes,
        context=context,
        resident=resident,
    )


def mla_decode_seconds(
    chip: Chip,
    batch: ArrayLike,
    length: ArrayLike,
    heads: ArrayLike,
    peak_flops: float,
    fit: Constants,
    *,
    kv_bytes: float = 2.0,
    resident: bool = False,
) -> Array:
    """Seconds of one MLA decode step in one layer: the form of `decode`, with one latent KV head of 576 values.

    Args:
        chip: the chip.
        batch: sequences on this chip.
        length: tokens held by each.
        heads: query heads on this chip.
        peak_flops: dense peak of the products' precision.
        fit: constants of `chip-mla-decode`.
        kv_bytes: of a cached value.
        resident: a small cache is found in L2, as in the benchmark that the constants were fitted to.
    """
    b, n, h = columns(batch, length, heads)
    bandwidth, p = chip.memory_bytes_per_s, fit["pn"]
    kv = b * n * LATENT_VALUES * kv_bytes
    streamed = kv * from_memory(kv, fit, resident)
    mem = (streamed + 2.0 * fit["qb"] * b * h * 2.0 * PRODUCT_DIM) / (bandwidth * fit["em"])
    blocks = np.ceil(n / KEY_BLOCK)
    rows = np.ceil(h / fit["group"])
    # The tile of queries is computed whole, however few heads of it are real.
    tile = np.minimum(fit["group"], np.ceil(h / QUERY_TILE) * QUERY_TILE) if fit["padded"] <= 0.0 else fit["group"]
    comp = 4.0 * b * rows * tile * blocks * KEY_BLOCK * PRODUCT_DIM / (peak_flops * fit["ec"])
    fix, lat = split_seconds(chip, b * rows, n, n, LATENT_VALUES * kv_bytes, fit["pro"] * US, fit)
    cast = fit["cast"] * b * n * LATENT_VALUES / bandwidth
    seconds: Array = fit["t0"] * US + (mem**p + comp**p + fix**p + lat**p) ** (1.0 / p) + cast
    return seconds
