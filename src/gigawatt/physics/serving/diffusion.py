"""Images and videos: seconds of a batch through the denoising steps of a diffusion transformer, and of speech.

    batch = steps [ passes n (dense / (e_d peak) + scores / (e_a peak)) / G^a + layers launches ] + n pixels t_decode
    dense = 2 P T,  scores = 4 L T^2 h        (P weights, T latent tokens, L layers, h width; passes 2 with guidance)

The step count, size and guidance are those of the model's configuration where a row does not state them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.serving.model import Floats


@dataclass(frozen=True, slots=True)
class DiffusionShape:
    """FLOPs of one pass for one sample (`dense_flops`, `score_flops`), its passes a step, steps, layers, output pixels."""

    dense_flops: float
    score_flops: float
    passes: float
    steps: float
    layers: float
    pixels: float


def diffusion_shape(
    config: Mapping[str, Any],
    parameters: float,
    *,
    steps: float | None = None,
    width: float | None = None,
    height: float | None = None,
    frames: float | None = None,
) -> DiffusionShape:
    """The work of one sample; `width`, `height`, `frames` of the output in pixels where a row states them.

    Raises:
        KeyError: the configuration names no width of its layers.
    """
    get = config.get
    compression = float(get("spatial_compression_ratio", 32 if get("attention") == "linear" else 8))
    latent_w = width / compression if width else float(get("sample_width", get("sample_size", 128)))
    latent_h = height / compression if height else float(get("sample_height", get("sample_size", 128)))
    count = frames or float(get("sample_frames", 1))
    latent_t = (count - 1.0) / float(get("temporal_compression_ratio", 4)) + 1.0
    patch = float(get("patch_size", 1))
    tokens = (latent_w / patch) * (latent_h / patch) * (latent_t / float(get("patch_size_t", 1)))
    if get("image_tokens"):
        tokens = float(config["image_tokens"])
    pixels = latent_w * latent_h * compression**2 * count
    done, passes = float(steps or get("steps", 30)), 2.0 if get("guidance") else 1.0
    if get("forward_flops"):  # a U-Net: counted, since its layers differ in resolution
        return DiffusionShape(float(config["forward_flops"]), 0.0, passes, done, 70.0, pixels)
    layers = float(get("num_hidden_layers", 0) or get("num_layers", 0)) + float(get("num_single_layers", 0))
    hidden = float(config["hidden_size"])
    text = 0.0 if get("cross_attention_dim") or get("attention") == "linear" else float(get("text_tokens", 0))
    weights = parameters / float(get("experts", 1))
    linear = get("attention") == "linear"
    spread = tokens + text
    keys = hidden / max(float(get("num_attention_heads", 1)), 1.0) if linear else spread
    return DiffusionShape(2.0 * weights * spread, 4.0 * layers * spread * keys * hidden, passes, done, layers, pixels)


@dataclass(frozen=True, slots=True)
class DiffusionRates:
    """`dense_share`, `score_share` of the bf16 peak; `launch_s` a layer and pass; `decode_s` a megapixel of output;

    `split` the exponent of chips that share a sample; `split_launch_s` what each layer's exchange adds.
    """

    dense_share: float
    score_share: float
    launch_s: float
    decode_s: float
    split: float
    split_launch_s: float


def batch_seconds(shape: DiffusionShape, chip: Chip, chips: Floats, batch: Floats, rates: DiffusionRates) -> Floats:
    """Seconds of one batch over `chips` chips."""
    peak = float(chip.peak_flops.get("bf16") or max(chip.peak_flops.values()))
    work = shape.dense_flops / (rates.dense_share * peak) + shape.score_flops / (rates.score_share * peak)
    launches = shape.layers * (rates.launch_s + rates.split_launch_s * (chips > 1))
    step = np.hypot(shape.passes * batch * work / chips**rates.split, launches)
    total: Floats = shape.steps * step + batch * shape.pixels / 1e6 * rates.decode_s
    return total
