"""Seconds of the kernels of linear-attention layers: causal convolution, chunked delta rule, recurrent decode step.

**Causal convolution** of a prompt (Mamba-2, gated delta net): channels are independent; a channel's tile of `tile` tokens
costs set-up and work by the token, and `serial` kernels walk the tiles of a sequence in one CTA.

    tiles = ceil((L + halo)/tile) ;  one = pro + tok min(L, tile), times `odd` where L is no multiple of 8
    work  = b C tiles one/S ;  lat = lane min(L, tile) (tiles where serial, else 1) ;  mem = 4 b L C/(B em)
    time  = t0 + (work^p + lat^p + mem^p)^(1/p)

**Chunked delta rule** of a prompt (gated delta net): kernels in sequence. Some work on all chunks of 64 tokens at once; one
passes the state from chunk to chunk, in `parts` CTAs a sequence and value head.

    chunks = ceil(L/64) ;  x = b hv parts/S ;  waves = max(1, x + q (ceil(x) - x))
    state  = waves (pro + chunks step) ;  local = b hv chunks chunk/S ;  mem = passes 4 b L (hk dk + hv dv)/B
    time   = t0 + lat min(L, 64) + ((state + local)^p + mem^p)^(1/p)

**Decode** reads and writes the state of each value head, dk x dv values, and little else; `moved` bytes a value are 8 for
a state of 4-byte values, 6 where one way is in 2 bytes. The convolution's update is the same form, 16 bytes a channel:

    time = t0 + ((moved b hv dk dv/(B em))^p + (b hv pro/S)^p)^(1/p)

The tables hold no state scan of Mamba-2, only its convolution: a Mamba-2 prompt costs more than this module says of it.
Small operands come from L2 in the benchmark (`res`, `phi`), not in predictions, as in `prefill`.

Constants: calibration `chip-scan`, times in microseconds, `res` in MB; `tok` and `pro` of a convolution in nanoseconds a
channel. The forms are a few array operations: no reduced form is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip, multiprocessors
from gigawatt.physics.chip.prefill import US, Array, columns, from_memory

NS = 1e-9
CHUNK = 64.0
VALUE_BYTES = 2.0
# A channel's update reads and writes three cached values (width 4) and one new, in 2 bytes each, and its weights.
UPDATE_BYTES = 16.0


def convolution_seconds(
    chip: Chip, batch: ArrayLike, length: ArrayLike, channels: ArrayLike, fit: Constants, *, resident: bool = False
) -> Array:
    """Seconds of a causal convolution over prompts of `length` tokens.

    Args:
        chip: the chip.
        batch: sequences.
        length: tokens of each.
        channels: convolved on this chip (gated delta net: 2 hk dk + hv dv; Mamba-2: heads x dim + 2 groups x state).
        fit: constants of `chip-scan`, kernel `conv-context`.
        resident: operands of a small kernel are found in L2, as in the benchmark that the constants were fitted to.
    """
    b, n, c = columns(batch, length, channels)
    sms, p = multiprocessors(chip), fit["pn"]
    tiles = np.ceil((n + fit["halo"]) / fit["tile"])
    inside = np.minimum(n, fit["tile"])
    one = (fit["pro"] + fit["tok"] * inside) * np.where(n % 8.0 == 0.0, 1.0, fit["odd"]) * NS
    work = b * c * tiles * one / sms
    lat = fit["lane"] * US * inside * (tiles if fit["serial"] > 0.0 else 1.0)
    moved = 2.0 * VALUE_BYTES * b * n * c
    mem = moved * from_memory(moved, fit, resident) / (chip.memory_bytes_per_s * fit["em"])
    seconds: Array = fit["t0"] * US + (work**p + lat**p + mem**p) ** (1.0 / p)
    return seconds


def convolution_update_seconds(
    chip: Chip, batch: ArrayLike, channels: ArrayLike, fit: Constants, *, resident: bool = False
) -> Array:
    """Seconds of one decode step of the convolution; `fit` of kernel `conv-update`."""
    b, c = columns(batch, channels)
    p = fit["pn"]
    moved = UPDATE_BYTES * b * c
    mem = moved * from_memory(moved, fit, resident) / (chip.memory_bytes_per_s * fit["em"])
    work = b * c * fit["pro"] * NS / multiprocessors(chip)
    seconds: Array = fit["t0"] * US + (mem**p + work**p) ** (1.0 / p)
    return seconds


def delta_chunk_seconds(
    chip: Chip,
    batch: ArrayLike,
    length: ArrayLike,
    key_heads: ArrayLike,
    value_heads: ArrayLike,
    fit: Constants,
    *,
    key_dim: ArrayLike = 128.0,
    value_dim: ArrayLike = 128.0,
    resident: bool = False,
) -> Array:
    """Seconds of the chunked gated delta rule over prompts of `length` tokens.

    Args:
        chip: the chip.
        batch: sequences.
        length: tokens of each.
        key_heads: on this chip.
        value_heads: on this chip.
        fit: constants of `chip-scan`, kernel `delta-chunk`.
        key_dim: of a key head.
        value_dim: of a value head.
        resident: as of `convolution_seconds`.
    """
    b, n, hk, hv, dk, dv = columns(batch, length, key_heads, value_heads, key_dim, value_dim)
    sms, p = multiprocessors(chip), fit["pn"]
    chunks = np.ceil(n / CHUNK)
    # Constants hold for states of 128 x 128.
    size = dk * dv / 128.0**2
    x = b * hv * fit["parts"] / sms
    waves = np.maximum(1.0, x + fit["q"] * (np.ceil(x) - x))
    state = waves * (fit["pro"] + chunks * fit["step"] * size) * US
    local = b * hv * chunks * fit["chunk"] * size * US / sms
    moved = 2.0 * VALUE_BYTES * b * n * (hk * dk + hv * dv)
    mem = fit["passes"] * moved * from_memory(moved, fit, resident) / chip.memory_bytes_per_s
    joined = ((state + local) ** p + mem**p) ** (1.0 / p)
    seconds: Array = (fit["t0"] + fit["lat"] * np.minimum(n, CHUNK)) * US + joined
    return seconds


def delta_decode_seconds(
    chip: Chip,
    batch: ArrayLike,
    value_heads: ArrayLike,
    fit: Constants,
    *,
    key_dim: ArrayLike = 128.0,
    value_dim: ArrayLike = 128.0,
    resident: bool = False,
) -> Array:
    """Seconds of one recurrent step of the gated delta rule; `fit` of kernel `delta-decode`."""
    b, hv, dk, dv = columns(batch, value_heads, key_dim, value_dim)
    p = fit["pn"]
    moved = fit["moved"] * b * hv * dk * dv
    mem = moved * from_memory(moved, fit, resident) / (chip.memory_bytes_per_s * fit["em"])
    work = b * hv * fit["pro"] * US / multiprocessors(chip)
    seconds: Array = fit["t0"] * US + (mem**p + work**p) ** (1.0 / p)
    return seconds
