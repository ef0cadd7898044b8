"""Images and clips as a service: batches over chips that share a sample, under a latency limit.

    batch s = steps hypot(slow kernels(passes n) / G^a, calls launch) + n pixels t_decode        (`diffusion`)
    latency = batch s, or in an open stream that of dynamic batching (`batching`)
    memory  = denoiser + companions + activations; every chip of a split holds the whole model (sequence parallel)

Steps, size, frames and guidance are the model's own where not given. A distilled model is the same one in fewer steps without
guidance. A split that is slower than fewer chips is refused: the links cost more than the chips save.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip import calibration, chip_watts, peak_of
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.serving.engine.deployment import FULL, in_mode
from gigawatt.physics.serving.engine.kernel_sums import meeting
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.services.batching import closed, latency_name, saturated, streamed
from gigawatt.physics.serving.services.diffusion import (
    DiffusionRates,
    DiffusionShape,
    denoising_columns,
    diffusion_shape,
    sample_seconds,
)
from gigawatt.physics.serving.services.frontier import Candidates, ServiceFrontier, choose, positive
from gigawatt.physics.serving.services.work import idle_watts, precisions_of, room_bytes, widths
from gigawatt.physics.workload import Architecture, operators, parameters, serving_memory

BATCHES = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0])
STACKS = ("published", "tuned")


@dataclass(frozen=True, slots=True)
class Sample:
    """What is asked for: size in pixels, frames, denoising steps, frames a second of a clip, text companions.

    Zero or None: the model's own. `guidance` False runs each step once (distilled models). `companions` are the text encoders
    and the image decoder that lie in memory besides.
    """

    width: float = 0.0
    height: float = 0.0
    frames: float = 0.0
    steps: float = 0.0
    guidance: bool | None = None
    frames_per_s: float = 0.0
    companions: tuple[Architecture, ...] = ()


@lru_cache(maxsize=8)
def diffusion_rates(
    generation: str, stack: str = "published", video: bool = False
) -> tuple[DiffusionRates, float, str]:
    """Rates of a chip generation, the 80 % half-width of their rate, and what that comes from.

    `published`: the stack of the ML.ENERGY benchmark; `tuned`: that of MLPerf submissions (kernels fused, 8-bit, one
    factor over the other).

    Raises:
        InputError: no such stack.
    """
    if stack not in STACKS:
        raise InputError(unknown_name("diffusion stack", stack, STACKS))
    record = calibration.record("serving-stacks")
    table = record.tables["diffusion"]
    row = table.get(generation, table["default"])
    rates = DiffusionRates(**{name: float(row[name]) for name in DiffusionRates.__slots__})
    half, said = (
        float(record.groups[f"vllm-benchmark.{'videos' if video else 'images'}_s"]),
        "models left out of the fit of ML.ENERGY's rows",
    )
    if stack == "tuned":
        faster = float(record.tables["mlperf"]["diffusion"])
        rates = replace(rates, slowdown=rates.slowdown / faster, decode_s=rates.decode_s / faster)
        half, said = float(record.groups["mlperf-cuda.diffusion"]), "MLPerf rows of SDXL left out of the fit"
    if generation not in table:
        half, said = 1.5 * half, said + "; another generation's constants, half as wide again (assumed)"
    return rates, half, said


def sample_shape(arch: Architecture, config: Mapping[str, Any], sample: Sample) -> DiffusionShape:
    """The work of one sample as asked for.

    Raises:
        InputError: a size, a step count or a frame rate below zero.
    """
    asked = {name: getattr(sample, name) for name in ("width", "height", "frames", "steps", "frames_per_s")}
    positive(f"model '{arch.name}'", **{name: value for name, value in asked.items() if value})
    shape = diffusion_shape(
        arch,
        config,
        steps=sample.steps or None,
        width=sample.width or None,
        height=sample.height or None,
        frames=sample.frames or None,
    )
    if sample.guidance is not None:
        shape = replace(shape, passes=2.0 if sample.guidance else 1.0)
    return shape


def clip_seconds(config: Mapping[str, Any], family: str, sample: Sample) -> float:
    """Seconds of one clip: its frames over the frame rate; a model's usual rate is data of `serving-services`."""
    usual = calibration.table("serving-services", "frames_per_s")
    frames = sample.frames or float(config.get("sample_frames", 1))
    return frames / (sample.frames_per_s or float(usual.get(family, usual["default"])))


def images(
    arch: Architecture,
    config: Mapping[str, Any],
    chip: Chip,
    *,
    sample: Sample | None = None,
    latency_s: float = np.inf,
    open_stream: bool = False,
    precisions: Sequence[str] = ("bf16",),
    splits: Sequence[int] = (1, 2, 4, 8),
    batches: Floats = BATCHES,
    stack: str = "published",
    percentile: float = 0.99,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Images/s, or seconds of video a second, per chip: every batch, split and precision.

    `latency_s` limits the batch's own seconds, or with `open_stream` the `percentile` of requests that come at random and are
    batched as they come. `details`: `step_s`, `service_s`, `decode_share`, `load` (see
    `batching`). The rates were fitted in bf16; another
    precision changes the products alone.

    Raises:
        InputError: sizes that make no sense, an unknown stack.
    """
    asked = sample or Sample()
    shape = sample_shape(arch, config, asked)
    video = "sample_frames" in config
    rates, half, said = diffusion_rates(chip.generation, stack, video)
    each = clip_seconds(config, arch.family, asked) if video else 1.0
    able = precisions_of(chip, precisions)
    usable = [g for g in splits if g <= max(chip.scaleup_domain, 1)]
    parts = [
        _columns(arch, shape, chip, p, np.array(usable, dtype=float), batches, rates, asked, mode, stack) for p in able
    ]
    by_batch = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if open_stream:
        c = streamed(by_batch, batches, percentile, idle_watts(chip, mode))
    else:
        c = closed(by_batch, batches)
    groups, rungs = c["service_s"].shape
    # Along rising splits of one precision and batch: a split must beat every smaller one.
    by_split = c["service_s"].reshape(len(able), len(usable), rungs)
    fastest = np.minimum.accumulate(by_split, axis=1)
    pays = np.concatenate([np.ones_like(by_split[:, :1], bool), by_split[:, 1:] < fastest[:, :-1]], axis=1)
    flat = {name: column.ravel() for name, column in c.items()}
    candidates = Candidates(
        precision=np.repeat(np.array(able), groups // len(able) * rungs),
        chips=flat["chips"],
        batch=flat["batch"],
        latency_s=flat["latency_s"],
        units_per_s_per_chip=flat["rate"] * each / flat["chips"],
        chip_w=flat["chip_w"],
        memory_bytes=flat["memory_bytes"],
        room_bytes=np.full(groups * rungs, room_bytes(chip)),
        bound=np.where(flat["launch_share"] > 0.5, "launch floor", "compute"),
        low=np.full(groups * rungs, np.exp(-half)),
        high=np.full(groups * rungs, np.exp(half)),
        rungs=rungs,
        details={name: flat[name] for name in ("step_s", "service_s", "decode_share", "load")},
    )
    notes = [f"{shape.steps:g} steps, {shape.passes:g} passes each, {shape.tokens:,.0f} latent tokens"]
    alone = pays.reshape(len(able), len(usable), rungs)[0, :, 0]
    most = int(np.array(usable)[alone].max())
    notes.append(f"a lone sample gets shorter on up to {most} chip{'s' if most > 1 else ''}")
    if not asked.companions:
        notes.append("text encoders and image decoder are not in memory: name them as companions")
    return choose(
        "diffusion",
        "video-second" if video else "image",
        candidates,
        limit_s=latency_s,
        limit=latency_name(percentile, open_stream),
        refused=[
            (~pays.ravel(), "a split slower than fewer chips", "fewer chips to a sample"),
            saturated(flat["load"]),
        ],
        band=f"80 % half-width {half:.2f} of the logarithm: {said}",
        notes=tuple(notes),
    )


def _columns(
    arch: Architecture,
    shape: DiffusionShape,
    chip: Chip,
    precision: str,
    splits: Floats,
    batches: Floats,
    rates: DiffusionRates,
    sample: Sample,
    mode: PowerMode = FULL,
    stack: str = "published",
) -> dict[str, Floats]:
    """Every split and batch of one precision, splits slowest. A tuned stack computes in 8 bits where the chip can."""
    able = in_mode(chip, mode)
    busy, calls, layers = denoising_columns(shape, able, shape.passes * batches, precision)
    g = splits[:, None]
    seconds, decoding = sample_seconds(shape, busy, calls, layers, g, batches, rates)
    step = (seconds - decoding) / shape.steps
    table = operators(arch, "forward", tokens=shape.tokens, batch=shape.passes * batches, context_tokens=shape.context)
    per_chip = g * step
    narrow = "fp8" if stack == "tuned" and "fp8" in able.peak_flops else precision
    peak = peak_of(meeting(able, narrow), narrow)
    compute = table.total_flops / per_chip / peak
    moved = table.total_bytes / per_chip / able.memory_bytes_per_s
    launches = calls * rates.launch_s + layers * rates.split_launch_s * (g > 1)
    # What a split loses against g chips of their own is waiting for each other's messages.
    running, waits = rates.slowdown * busy / g**rates.split, 1.0 - g ** (rates.split - 1.0)
    held = serving_memory(arch, tokens=shape.tokens, batch=shape.passes * batches, widths=widths(precision))
    companions = sum(parameters(each) for each in sample.companions) * 2.0
    flat = {
        "chips": g + 0.0 * seconds,
        "batch": batches + 0.0 * seconds,
        "service_s": seconds,
        "step_s": step,
        "decode_share": decoding / seconds,
        "launch_share": (launches / step) ** 2 + 0.0 * seconds,
        "chip_w": chip_watts(chip, compute / (1.0 - waits), moved / (1.0 - waits), running / step, mode, waits),
        "memory_bytes": held.weights_bytes + companions + held.activations_bytes / g + 0.0 * seconds,
    }
    return {name: np.asarray(column) for name, column in flat.items()}
