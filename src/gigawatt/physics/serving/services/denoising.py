"""One pass of a diffusion model over columns of batches: `diffusion.denoising_seconds`, whole batches at once.

The seconds equal those of `denoising_seconds` in bf16 (a test holds them together). In fp8 the products alone are narrow;
attention and passes stay in 16 bits.
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.chip import kernel_seconds
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.serving.engine.kernel_sums import meeting, scan_seconds, stream_seconds
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.services.diffusion import DiffusionRates, DiffusionShape
from gigawatt.physics.workload.pieces import Attention, Convolution, Elementwise, Linear, Scan, Vector
from gigawatt.physics.workload.recurrence import chunk_flops


def denoising_columns(
    shape: DiffusionShape, chip: Chip, sequences: Floats, precision: str = "bf16"
) -> tuple[Floats, float, float]:
    """(kernel seconds by number of sequences, kernel calls, attention layers) of one pass on one chip."""
    able = meeting(chip, precision)
    tokens, context = shape.tokens, shape.context
    products = [p for p in shape.pieces if isinstance(p, Linear) and p.rows(tokens, context) > 0]
    per_sequence = np.array([float(p.rows(tokens, context)) for p in products])
    counts = np.array([float(p.count) for p in products])
    found = kernel_seconds(
        able,
        "gemm",
        precision,
        m=np.outer(per_sequence, sequences),
        n=np.array([[float(p.n)] for p in products]),
        k=np.array([[float(p.k)] for p in products]),
    )
    seconds = counts @ found.seconds.reshape(len(products), len(sequences))
    calls, layers = float(counts.sum()), 0.0
    for p in shape.pieces:
        if isinstance(p, Attention):
            pairs = float(p.queries(tokens, context)) * float(p.keys(tokens, context))
            attention = kernel_seconds(
                able,
                "encoder",
                "bf16/bf16",
                batch=sequences,
                length=np.sqrt(pairs),
                heads=float(p.heads),
                head_dim=float(p.qk_dim),
            )
            seconds = seconds + p.count * attention.seconds.ravel()
            layers += p.count
        elif isinstance(p, Elementwise):
            values = sequences * float(p.rows(tokens, context)) * (p.reads + p.writes)
            seconds = seconds + p.count * stream_seconds(able, 2.0 * values)
        elif isinstance(p, Convolution):
            seconds = seconds + p.count * stream_seconds(able, 4.0 * sequences * tokens * p.channels)
        elif isinstance(p, Scan):
            flops = sequences * float(chunk_flops(p, tokens))
            seconds = seconds + p.count * scan_seconds(able, p, sequences * tokens, sequences, flops, 1.0)
            layers += p.count
        if not isinstance(p, Linear | Vector):
            calls += p.count
    return np.asarray(seconds), calls, layers


def sample_seconds(
    shape: DiffusionShape,
    kernel_s: Floats,
    calls: float,
    layers: float,
    chips: Floats,
    batch: Floats,
    rates: DiffusionRates,
) -> tuple[Floats, Floats]:
    """(seconds of a batch, of which the image decoder's): `diffusion.batch_seconds` over columns that broadcast."""
    launches = calls * rates.launch_s + layers * rates.split_launch_s * (chips > 1)
    step = np.hypot(rates.slowdown * kernel_s / chips**rates.split, launches)
    decoding = batch * shape.pixels / 1e6 * rates.decode_s
    return np.asarray(shape.steps * step + decoding), np.asarray(decoding + 0.0 * step)
