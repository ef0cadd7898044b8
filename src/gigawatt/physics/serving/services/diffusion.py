"""Images and videos: seconds of a batch through the denoising steps of a diffusion model.

    batch = steps hypot(slow kernels(passes n) / G^a, calls launch) + n pixels t_decode

`kernels` are the chip floor's seconds of one pass of the model's own pieces in bf16: products, attention without a mask,
passes over activations. Passes are 2 with guidance; G chips share a sample. Step count, size and guidance are those of the
model's configuration where a row does not state them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.physics.chip import kernel_seconds
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.serving.engine.kernel_sums import ChipKey, meeting, scan_seconds, stream_seconds
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.workload import Architecture
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.pieces import Attention, Convolution, Elementwise, Linear, Piece, Scan, Vector
from gigawatt.physics.workload.recurrence import chunk_flops


@dataclass(frozen=True, slots=True)
class DiffusionShape:
    """The pieces of one pass, its latent and text tokens a sample, passes a step, steps, and output pixels of all frames."""

    pieces: tuple[Piece, ...]
    tokens: float
    context: float
    passes: float
    steps: float
    pixels: float


def diffusion_shape(
    arch: Architecture,
    config: Mapping[str, Any],
    *,
    steps: float | None = None,
    width: float | None = None,
    height: float | None = None,
    frames: float | None = None,
) -> DiffusionShape:
    """The work of one sample; `width`, `height`, `frames` of the output in pixels where a row states them."""
    get = config.get
    compression = float(get("spatial_compression_ratio", 32 if get("attention") == "linear" else 8))
    usual_w = float(get("sample_width", get("sample_size", 128)))
    usual_h = float(get("sample_height", get("sample_size", 128)))
    usual_count, between = float(get("sample_frames", 1)), float(get("temporal_compression_ratio", 4))
    latent_w = width / compression if width else usual_w
    latent_h = height / compression if height else usual_h
    count = frames or usual_count
    larger = latent_w * latent_h * ((count - 1.0) / between + 1.0)
    larger /= usual_w * usual_h * ((usual_count - 1.0) / between + 1.0)
    return DiffusionShape(
        pieces=pieces(arch),
        tokens=arch.sample_tokens * larger,
        context=float(arch.context_tokens),
        passes=2.0 if arch.guidance else 1.0,
        steps=float(steps or arch.steps),
        pixels=latent_w * latent_h * compression**2 * count,
    )


@dataclass(frozen=True, slots=True)
class DiffusionRates:
    """`slowdown` over the floor's kernels; `launch_s` a kernel call and pass; `decode_s` a megapixel of output;

    `split` the exponent of chips that share a sample; `split_launch_s` what each layer's exchange adds.
    """

    slowdown: float
    launch_s: float
    decode_s: float
    split: float
    split_launch_s: float


def batch_seconds(shape: DiffusionShape, chip: Chip, chips: Floats, batch: Floats, rates: DiffusionRates) -> Floats:
    """Seconds of one batch over `chips` chips."""
    sequences = float(shape.passes * batch)
    found = denoising_seconds(shape.pieces, ChipKey.of(chip), shape.tokens, shape.context, sequences)
    return sample_seconds(shape, np.asarray(found[0]), found[1], found[2], chips, batch, rates)[0]


def sample_seconds(
    shape: DiffusionShape,
    kernel_s: Floats,
    calls: float,
    layers: float,
    chips: Floats,
    batch: Floats,
    rates: DiffusionRates,
) -> tuple[Floats, Floats]:
    """(seconds of batches over `chips` chips, of which the image decoder's); columns broadcast."""
    launches = calls * rates.launch_s + layers * rates.split_launch_s * (chips > 1)
    step = np.hypot(rates.slowdown * kernel_s / chips**rates.split, launches)
    decoding = batch * shape.pixels / 1e6 * rates.decode_s
    return np.asarray(shape.steps * step + decoding), np.asarray(decoding + 0.0 * step)


@lru_cache(maxsize=4096)
def denoising_seconds(
    shape: tuple[Piece, ...], key: ChipKey, tokens: float, context: float, sequences: float
) -> tuple[float, float, float]:
    """(kernel seconds, kernel calls, attention layers) of one pass of `sequences` samples on one chip, bf16."""
    seconds, calls, layers = _pass(shape, key.chip, tokens, context, np.array([sequences]), "bf16")
    return float(seconds[0]), calls, layers


def denoising_columns(
    shape: DiffusionShape, chip: Chip, sequences: Floats, precision: str = "bf16"
) -> tuple[Floats, float, float]:
    """(kernel seconds by number of sequences, kernel calls, attention layers) of one pass on one chip.

    In fp8 the products alone are narrow; attention and passes stay in 16 bits.
    """
    return _pass(shape.pieces, chip, shape.tokens, shape.context, sequences, precision)


def _pass(
    parts: tuple[Piece, ...], chip: Chip, tokens: float, context: float, sequences: Floats, precision: str
) -> tuple[Floats, float, float]:
    """The same of pieces. Attention is of every query on every key: a rectangle is taken as the square of as many pairs."""
    able = meeting(chip, precision)
    products = [p for p in parts if isinstance(p, Linear) and p.rows(tokens, context) > 0]
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
    for p in parts:
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
