"""FLOPs and bytes of the kernel families, from the columns that each is asked with: what any model of a chip starts from.

Bytes are those that a kernel can not do without: every operand once, 2 bytes an output; w and a the bytes of a weight and of an
activation, v of a cached value. P pairs of a query and a key of one head:

    gemm, batched   b = 1 or products: 2 b m n k             b (w n k + a m k + 2 m n)
    prefill         4 b h d P, P = L (c + (L + 1)/2)         4 b L h d + 2 b (c + L) hkv d v; P within the window, not before 0
    mla-prefill     2 (192 + 128) b h P                      the same with keys of 192 and values of 128, hkv = h
    encoder         4 b h d L^2                              8 b L h d
    decode          4 b h d L                                2 b hkv d L v + 4 b h d; L within the window
    mla-decode      2 (576 + 512) b h L                      576 b L v + 2 (576 + 512) b h
    moe             2 slots H I (g + 1)                      active (g + 1) H I w + slots (H + 2 I + 2 H) in a and 2 bytes
    stream          0                                        rows width (read + written)
    convolution     8 b L C (width 4)                        4 b L C; a step: 16 b C
    delta           6 b L hv dk dv                           4 b L (hk dk + hv dv); a step: 8 b hv dk dv

`slots` are the (token, expert) pairs of this chip, T k E_l/E; `active` its experts that get any, E_l (1 - (1 - k/E)^T).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip.gemm import widths
from gigawatt.physics.chip.latent import LATENT_VALUES
from gigawatt.physics.chip.prefill import NO_WINDOW
from gigawatt.physics.chip.scans import UPDATE_BYTES

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
Counted = tuple[Array, Array]
MLA_KEY, MLA_VALUE, MLA_RANK = 192.0, 128.0, 512.0


def work_of(family: str, precision: str, columns: Columns) -> Counted:
    """(FLOPs, bytes) of each row of a family; `precision` as of `kernel_seconds`, columns of one length."""
    return _COUNTS[family](columns, precision)


def _cache(precision: str) -> float:
    """Bytes of a cached value under 'Q/KV' or one word for both."""
    return 1.0 if precision.split("/")[-1].startswith(("fp8", "int8", "mxfp8")) else 2.0


def _product(c: Columns, precision: str) -> Counted:
    weight, activation = widths(precision)
    m, n, k = c["m"], c["n"], c["k"]
    times = c.get("batch", np.ones_like(m))
    return 2.0 * times * m * n * k, times * (weight * n * k + activation * m * k + 2.0 * m * n)


def _pairs(length: Array, past: Array, window: Array) -> Array:
    """Pairs of a query and a key that one head sees in causal attention, sum over queries of min(past + i, window)."""
    free = np.clip(window - past, 0.0, length)  # queries that the window does not cut yet
    return free * past + free * (free + 1.0) / 2.0 + (length - free) * np.minimum(window, past + length)


def _prefill(c: Columns, precision: str) -> Counted:
    b, n, h, d = c["batch"], c["length"], c["heads"], c["head_dim"]
    past = c.get("context", np.zeros_like(n))
    window = c.get("window", np.full_like(n, NO_WINDOW))
    held = np.minimum(past + n, window + n)
    moved = 4.0 * b * n * h * d + 2.0 * b * held * c["kv_heads"] * d * _cache(precision)
    return 4.0 * b * h * d * _pairs(n, past, window), moved


def _latent_prefill(c: Columns, precision: str) -> Counted:
    b, n, h = c["batch"], c["length"], c["heads"]
    past = c.get("context", np.zeros_like(n))
    pairs = _pairs(n, past, np.full_like(n, NO_WINDOW))
    both = MLA_KEY + MLA_VALUE
    return 2.0 * both * b * h * pairs, 2.0 * both * b * n * h + both * b * (past + n) * h * _cache(precision)


def _encoder(c: Columns, precision: str) -> Counted:
    b, n, h, d = c["batch"], c["length"], c["heads"], c["head_dim"]
    return 4.0 * b * h * d * n**2, 8.0 * b * n * h * d


def _decode(c: Columns, precision: str) -> Counted:
    b, h, d = c["batch"], c["heads"], c["head_dim"]
    seen = np.minimum(c["length"], c.get("window", np.full_like(b, NO_WINDOW)))
    moved = 2.0 * b * c["kv_heads"] * d * seen * _cache(precision) + 4.0 * b * h * d
    return 4.0 * b * h * d * seen, moved


def _latent_decode(c: Columns, precision: str) -> Counted:
    b, n, h = c["batch"], c["length"], c["heads"]
    both = LATENT_VALUES + MLA_RANK
    return 2.0 * both * b * h * n, LATENT_VALUES * b * n * _cache(precision) + 2.0 * both * b * h


def _experts(c: Columns, precision: str) -> Counted:
    weight, activation = widths(precision)
    tokens, hidden, width, top = c["tokens"], c["hidden"], c["width"], c["topk"]
    held, gate = c.get("local_experts", c["experts"]), c.get("gate", np.full_like(tokens, 2.0))
    slots = tokens * top * held / c["experts"]
    active = held * -np.expm1(tokens * np.log1p(-np.minimum(top / c["experts"], 1.0 - 1e-12)))
    weights = active * (gate + 1.0) * hidden * width * weight
    passed = slots * (activation * (hidden + width) + 2.0 * (gate * width + hidden))
    return 2.0 * slots * hidden * width * (gate + 1.0), weights + passed


def _stream(c: Columns, precision: str) -> Counted:
    moved = c["rows"] * c["width"] * (c["read"] + c["written"])
    return np.zeros_like(moved), moved


def _convolution(c: Columns, precision: str) -> Counted:
    each = c["batch"] * c["length"] * c["channels"]
    return 8.0 * each, 4.0 * each


def _convolution_step(c: Columns, precision: str) -> Counted:
    each = c["batch"] * c["channels"]
    return 8.0 * each, UPDATE_BYTES * each


def _sizes(c: Columns) -> tuple[Array, Array]:
    wide = np.full_like(c["batch"], 128.0)
    return c.get("key_dim", wide), c.get("value_dim", wide)


def _delta(c: Columns, precision: str) -> Counted:
    (dk, dv), tokens = _sizes(c), c["batch"] * c["length"]
    return 6.0 * tokens * c["value_heads"] * dk * dv, 4.0 * tokens * (c["key_heads"] * dk + c["value_heads"] * dv)


def _delta_step(c: Columns, precision: str) -> Counted:
    dk, dv = _sizes(c)
    state = c["batch"] * c["value_heads"] * dk * dv
    return 6.0 * state, 8.0 * state


_COUNTS: dict[str, Callable[[Columns, str], Counted]] = {
    "gemm": _product,
    "batched": _product,
    "prefill": _prefill,
    "mla-prefill": _latent_prefill,
    "encoder": _encoder,
    "decode": _decode,
    "mla-decode": _latent_decode,
    "moe": _experts,
    "stream": _stream,
    "convolution": _convolution,
    "convolution-step": _convolution_step,
    "delta": _delta,
    "delta-step": _delta_step,
}
