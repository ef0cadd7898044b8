"""`kernel_seconds`: one door to the kernel families, for measured chips and for those that nobody measured.

A chip without own measurements uses the constants of its generation, else of the kin that the calibration names, at its
own peak, bandwidth and multiprocessors; the band widens at each step, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.attention import decode_seconds, prefill_seconds
from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.experts import moe_layer_seconds
from gigawatt.physics.chip.gemm import gemm_seconds

Array = NDArray[np.float64]
FAMILIES = {"gemm": "chip-gemm", "prefill": "chip-prefill", "decode": "chip-decode", "moe": "chip-moe"}
NEEDS = {
    "gemm": ("m", "n", "k"),
    "prefill": ("batch", "length", "heads", "kv_heads", "head_dim"),
    "decode": ("batch", "length", "heads", "kv_heads", "head_dim"),
    "moe": ("tokens", "hidden", "width", "experts", "topk"),
}
MODELS: dict[str, Callable[..., Array]] = {
    "gemm": gemm_seconds,
    "prefill": prefill_seconds,
    "decode": decode_seconds,
    "moe": moe_layer_seconds,
}
# Precision asked for -> the nearest that is fitted, where it is not.
NEAR_PRECISION = {"int8": "fp8", "fp6": "fp8", "mxfp8": "fp8", "tf32": "bf16", "fp16": "bf16"}
NEAR_PRECISION |= {"nvfp4": "fp4", "mxfp4": "fp4"}
# Peak that a precision runs at.
PEAK_OF = {"fp8_block": "fp8", "fp16": "bf16", "mxfp8": "fp8", "nvfp4": "fp4", "mxfp4": "fp4"}
# A lower precision runs at the rate of the one above it on a chip that has no units for it: only its weights shrink.
SLOWER = {"fp4": "fp8", "fp6": "fp8", "fp8": "bf16", "int8": "bf16"}


@dataclass(frozen=True, slots=True)
class Kernels:
    """Seconds of each row with an 80 % range, and a note on whose constants served (empty where the chip's own)."""

    seconds: Array
    low: Array
    high: Array
    note: str


def peak_of(chip: Chip, precision: str) -> float:
    """Dense peak of a precision; that of the next wider one where the chip has no units for it.

    Raises:
        InputError: neither is known.
    """
    name = PEAK_OF.get(precision, precision)
    while name not in chip.peak_flops and name in SLOWER:
        name = SLOWER[name]
    if name not in chip.peak_flops:
        raise InputError(unknown_name(f"precision of {chip.name}", precision, chip.peak_flops))
    return chip.peak_flops[name]


def calibration_for(chip: Chip, family: str, precision: str, engine: str = "best") -> Constants:
    """Constants of a kernel family for a chip: the engine's where it was fitted, else the best of all engines.

    Args:
        chip: the chip.
        family: gemm, prefill, decode or moe.
        precision: bf16, fp8, fp8_block, fp4; of attention 'Q/KV' such as 'bf16/fp8', or one word for both.
        engine: trtllm, vllm, sglang, or best.

    Raises:
        InputError: unknown family.
    """
    name = calibration.of_family(family, FAMILIES)
    wanted = NEAR_PRECISION.get(precision, precision)
    if family in ("prefill", "decode") and "/" not in wanted:
        wanted = f"{wanted}/{wanted}" if wanted != "fp8" or family == "prefill" else "bf16/fp8"
    return _lookup(name, chip.name, chip.generation, wanted, engine)


@lru_cache(maxsize=512)
def _lookup(name: str, chip_name: str, generation: str, precision: str, engine: str) -> Constants:
    tables = calibration.record(name).tables
    stub = Chip(chip_name, "", generation, "", {}, 0, 0, 0, 1, 0, 0)
    fitted: Mapping[str, Any] = {
        chip: row for chip, row in tables["rows"].items() if any(fit["precision"] == precision for fit in row["fits"])
    }
    if not fitted:
        # A precision that was fitted nowhere in this family: the widest form of it.
        fallback = "bf16/bf16" if "/" in precision else "bf16"
        return _lookup(name, chip_name, generation, fallback, engine)
    kin = {key: value for key, value in tables["kin"].items() if value in fitted}
    chosen, nearness = calibration.kin_of(stub, fitted, {"default": _default(fitted)} | kin)
    fits = [fit for fit in fitted[chosen]["fits"] if fit["precision"] == precision]
    ranked = sorted(fits, key=lambda fit: (fit["engine"] != engine, fit["engine"] != "best", fit["engine"] != "vllm"))
    row = ranked[0]
    values = {key: float(value) for key, value in row.items() if isinstance(value, (int, float))}
    stretch = {"measured": 1.0}
    stretch |= {key: calibration.parameters(name)[f"stretch_{key}"] for key in ("generation", "kin")}
    low, high = calibration.widened(values.pop("low"), values.pop("high"), stretch[nearness])
    return Constants(chosen, nearness, values, low, high, name)


def _default(fitted: Mapping[str, Any]) -> str:
    return next((name for name in ("h100-sxm", "b200-sxm") if name in fitted), next(iter(fitted)))


def kernel_seconds(
    chip: Chip, family: str, precision: str = "bf16", *, engine: str = "best", **columns: ArrayLike
) -> Kernels:
    """Seconds of kernels, one row each.

    Args:
        chip: the chip.
        family: gemm (m, n, k), prefill and decode (batch, length, heads, kv_heads, head_dim), moe (tokens, hidden,
            width, experts, topk).
        precision: see `calibration_for`.
        engine: whose kernels.
        columns: the family's columns, and its options (`full`, `window`, `context`, `local_experts`, ...).

    Raises:
        InputError: unknown family or precision, or a missing column.
    """
    calibration.of_family(family, FAMILIES)
    missing = [name for name in NEEDS[family] if name not in columns]
    if missing:
        raise InputError(Problem("missing_column", f"{family} kernels need {', '.join(missing)} too"))
    fit = calibration_for(chip, family, precision, engine)
    first = precision.split("/")[0]
    peak = peak_of(chip, "bf16" if family == "decode" else first)
    options: dict[str, Any] = {name: value for name, value in columns.items() if name not in NEEDS[family]}
    shape: list[Any] = [columns[name] for name in NEEDS[family]]
    if family in ("prefill", "decode"):
        kv = precision.split("/")[-1]
        options.setdefault("kv_bytes", 1.0 if kv.startswith(("fp8", "int8", "mxfp8")) else 2.0)
        seconds = MODELS[family](chip, *shape, peak, fit, **options)
    else:
        seconds = MODELS[family](chip, *shape, precision, peak, fit, **options)
    return Kernels(seconds, seconds * fit.low, seconds * fit.high, fit.note)
