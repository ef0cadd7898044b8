"""Seconds of passes that only move data: norms, activations, residual sums, quantisation, embedding rows.

A pass over `rows` rows of `width` elements that reads r and writes s bytes an element; S multiprocessors, B bandwidth:

    bytes  = rows width (r + s)
    mem    = bytes/(em B) (near + (1 - near)/(1 + (l2/bytes)^4))
    lone   = width (r + s) ceil(rows/S) / (bsm B/S)         rows are spread over multiprocessors, one at a time each
    time   = (t0^q + (mem^4 + lone^4)^(q/4))^(1/q)

Constants (calibration `chip-stream`): t0 us, em share of bandwidth, near the time from cache over that from memory, l2 MB
that the cache serves, bsm bandwidth of one multiprocessor over its share of B, q how launch and stream overlap (1: not).
The measured loops repeat a pass on the same data, as a serving step does that just wrote them; `cold` sets near = 1.

Only the quantisation pass (bf16 to fp8 with a known scale: r = 2, s = 1) and the search for a scale (r = 2, s = 0) were
measured. `PASSES` says what the others move, by their definition; that they run at the same share of bandwidth is
assumed. Not modelled: fusion of neighbouring passes (give the fused pass its own bytes), host time between launches.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip, multiprocessors

Array = NDArray[np.float64]
Fit = Mapping[str, float] | Constants
US = 1e-6
# Bytes read and written an element, bf16 in and out unless the name says otherwise.
PASSES = {
    "quantise": (2.0, 1.0),  # bf16 to fp8, scale known
    "scale": (2.0, 0.0),  # largest absolute value
    "quantise_fp4": (2.0, 0.5625),  # bf16 to 4 bits, a scale byte for 16
    "norm": (2.0, 2.0),
    "residual_norm": (4.0, 4.0),  # adds the residual, writes the sum and the normed
    "activation": (4.0, 2.0),  # gate and up in, one out: an element is one of the output
    "add": (4.0, 2.0),
    "copy": (2.0, 2.0),
    "embedding": (2.0, 2.0),  # gathers a row of the table for each token
}


def pass_bytes(kind: str) -> tuple[float, float]:
    """Bytes read and written an element by a named pass.

    Raises:
        InputError: no such pass.
    """
    if kind not in PASSES:
        raise InputError(unknown_name("pass", kind, PASSES))
    return PASSES[kind]


def stream_seconds(
    chip: Chip,
    rows: ArrayLike,
    width: ArrayLike,
    read: ArrayLike,
    written: ArrayLike,
    fit: Fit,
    *,
    cold: bool = False,
) -> Array:
    """Seconds of a pass over [rows, width] elements.

    Args:
        chip: the chip.
        rows: rows, usually tokens.
        width: elements of a row.
        read: bytes read an element; see `pass_bytes`.
        written: bytes written an element.
        fit: constants of `chip-stream`.
        cold: the data are not in the cache, however few they are.
    """
    m, k, r, s = (
        np.asarray(x, np.float64) for x in np.broadcast_arrays(*map(np.atleast_1d, (rows, width, read, written)))
    )
    count = m * k * (r + s)
    near = 1.0 if cold else fit["near"]
    from_memory = near + (1.0 - near) / (1.0 + (fit["l2"] * 1e6 / np.maximum(count, 1.0)) ** 4)
    mem = from_memory * count / (fit["em"] * chip.memory_bytes_per_s)
    sms = multiprocessors(chip)
    lone = k * (r + s) * np.ceil(m / sms) * sms / (fit["bsm"] * chip.memory_bytes_per_s)
    stream = np.sqrt(np.hypot(mem * mem, lone * lone))
    q = fit["q"]
    seconds: Array = ((fit["t0"] * US) ** q + stream**q) ** (1.0 / q)
    return seconds


def stream_reduced_seconds(
    chip: Chip,
    rows: ArrayLike,
    width: ArrayLike,
    read: ArrayLike,
    written: ArrayLike,
    fit: Fit,
    *,
    cold: bool = True,
) -> Array:
    """The reduced form, for searches: t0 + bytes/(em B), from memory whatever `cold` says; arguments as of `stream_seconds`."""
    r, w, tall, wide = (np.asarray(x, dtype=np.float64) for x in (read, written, rows, width))
    moved: Array = np.atleast_1d((r + w) * tall * wide)
    moved *= 1.0 / (fit["em"] * chip.memory_bytes_per_s)
    moved += fit["t0"] * US
    return moved
