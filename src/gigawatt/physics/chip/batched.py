"""Seconds of batched products: one small product for each head, as multi-head latent attention absorbs its projections.

C[b, m, n] = A[b, m, k] B[b, k, n] is the grouped product of `experts` with b experts of m rows each:

    time = t0 + (comp^1.5 + mem^1.5)^(2/3)

Constants (calibration `chip-bmm`): t0, ec, em, pro, bsm, lat as in `experts`; l2 MB, for fitting alone. The measured loops
read the same few megabytes of weights from cache; serving reads them from memory once a layer, and so does this form.
Not modelled: a quantisation of the input that is not part of the timed kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.experts import WIDTHS, from_memory_share, grouped_product
from gigawatt.physics.chip.routing import TILES_M, Loads

Array = NDArray[np.float64]
Fit = Mapping[str, float] | Constants
US = 1e-6


def batched_seconds(
    chip: Chip,
    batch: ArrayLike,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    precision: str,
    peak_flops: float,
    fit: Fit,
    *,
    resident: bool = False,
) -> Array:
    """Seconds of `batch` products [m, k] x [k, n], one row of columns each.

    Args:
        chip: the chip.
        batch: products, usually heads of this chip.
        m: rows of each, usually tokens.
        n: columns.
        k: depth.
        precision: of both operands, a key of `experts.WIDTHS`.
        peak_flops: dense peak of it.
        fit: constants of `chip-bmm`.
        resident: weights that fit the cache come from it; for fitting to benchmark loops alone.
    """
    b, rows, columns, depth = (
        np.asarray(x, np.float64) for x in np.broadcast_arrays(*map(np.atleast_1d, (batch, m, n, k)))
    )
    shape = b.shape
    b, rows, columns, depth = (np.ravel(x) for x in (b, rows, columns, depth))
    tiles = np.stack([b * np.ceil(rows / bm) for bm in TILES_M])
    loads = Loads(b, b * rows, rows, rows, tiles)
    share: Array = np.ones_like(b)
    if resident:
        share = from_memory_share(b * columns * depth * WIDTHS[precision][0], fit["l2"] * 1e6)
    seconds: Array = fit["t0"] * US + grouped_product(
        chip, {}, loads, columns, depth, precision, peak_flops, fit, share
    )
    return seconds.reshape(shape)
