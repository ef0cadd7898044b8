"""Fitted constants of serving, and the rates they give to each configuration.

The constants are catalog data (`calibration/serving-steady-state`): value, sigma of the logarithm, what they were fitted
to. Names that end in an engine (`.trtllm`) or a precision (`.fp8`) have one value for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.physics.serving.model import Floats

CALIBRATION = "serving-steady-state"
ENGINES = ("trtllm", "vllm", "sglang")
PRECISIONS = ("bf16", "fp8", "fp4")
WEIGHT_BYTES: Mapping[str, float] = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625}  # fp4: 4 bits + one scale byte in 16

# How a chip's kernels relate to the Hopper ones that the floors were fitted on. Blackwell is fitted; the others are assumed
# kin: same floor as Hopper (Ampere and Ada: older, smaller launches; CDNA, TPU and the rest: no measured table).
BLACKWELL = ("blackwell", "blackwell-ultra", "rubin", "blackwell-workstation")


@dataclass(frozen=True, slots=True)
class Rates:
    """Constants resolved to one column each: what a configuration's engine, chip generation and precision make of them."""

    host_s: Floats
    host_per_request_s: Floats
    kernel_s: Floats
    eager_kernel_s: Floats
    api_s: Floats
    poll_steps: Floats
    wave: Floats
    compute_share: Floats
    expert_compute_share: Floats
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


@lru_cache(maxsize=4)
def calibration(name: str = CALIBRATION) -> Mapping[str, float]:
    """name -> value of a packaged calibration."""
    record = Catalog.load().get("calibration", name)
    return {key: float(fitted.value) for key, fitted in record.parameters.items()}


@lru_cache(maxsize=4)
def sigmas(name: str = CALIBRATION) -> Mapping[str, float]:
    """group -> 80 % half-width of the logarithm, from residuals left out of the fit."""
    record = Catalog.load().get("calibration", name)
    return {key: float(value) for key, value in record.groups.items()}


def _by(values: Mapping[str, float], name: str, options: Sequence[str], index: NDArray[np.intp]) -> Floats:
    column: Floats = np.array([values[f"{name}.{option}"] for option in options])[index]
    return column


def rates(
    values: Mapping[str, float],
    engine: NDArray[np.intp],
    blackwell: NDArray[np.bool_],
    precision: NDArray[np.intp],
    expert_precision: NDArray[np.intp],
    year: Floats,
) -> Rates:
    """Resolve constants for columns of configurations.

    `engine` indexes ENGINES, `precision` and `expert_precision` index PRECISIONS (of the arithmetic, not of storage);
    `year` is the date of the software as a decimal year: launch floors shrink with it, held at the range fitted.
    """
    age = np.clip(year, 2025.5, 2026.35) - 2026.0
    blackwell_floor = np.where(blackwell, values["kernel_blackwell"], 1.0)
    blackwell_compute = np.where(blackwell, values["compute_blackwell"], 1.0)
    return Rates(
        host_s=_by(values, "host_ms", ENGINES, engine) * 1e-3,
        host_per_request_s=_by(values, "host_per_request_us", ENGINES, engine) * 1e-6,
        kernel_s=_by(values, "kernel_us", ENGINES, engine)
        * 1e-6
        * blackwell_floor
        * np.exp(-values["floor_decay_per_year"] * age),
        eager_kernel_s=_by(values, "eager_kernel_us", ENGINES, engine) * 1e-6,
        api_s=_by(values, "api_ms", ENGINES, engine) * 1e-3,
        poll_steps=_by(values, "poll_steps", ENGINES, engine),
        wave=_by(values, "wave", ENGINES, engine),
        compute_share=_by(values, "compute_share", PRECISIONS, precision) * blackwell_compute,
        expert_compute_share=_by(values, "compute_share", PRECISIONS, expert_precision) * blackwell_compute,
        values=values,
    )
