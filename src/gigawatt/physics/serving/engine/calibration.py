"""Fitted constants of serving, and the rates they give to each configuration.

The constants are catalog data (`calibration/serving-steady-state`): value, sigma of the logarithm, what they were fitted
to. Names that end in an engine (`.trtllm`) have one value for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.physics.serving.engine.model import Floats

CALIBRATION = "serving-steady-state"
ENGINES = ("trtllm", "vllm", "sglang")
WEIGHT_BYTES: Mapping[str, float] = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625}  # fp4: 4 bits + one scale byte in 16

# Generations that share Blackwell's kernels and firmware; the others count with Hopper.
BLACKWELL = ("blackwell", "blackwell-ultra", "rubin", "blackwell-workstation")


@dataclass(frozen=True, slots=True)
class Rates:
    """Constants resolved to one column each: what a configuration's engine, chip generation and date make of them."""

    host_s: Floats
    host_per_request_s: Floats
    launch_share: Floats
    unfused_s: Floats
    eager_kernel_s: Floats
    eager_unfused_s: Floats
    api_s: Floats
    poll_steps: Floats
    cold_s: Floats
    transfer_s: Floats
    decode_slowdown: Floats
    prefill_slowdown: Floats
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


@lru_cache(maxsize=4)
def calibration(name: str = CALIBRATION) -> Mapping[str, float]:
    """name -> value of a packaged calibration."""
    record = Catalog.load().get("calibration", name)
    return {key: float(fitted.value) for key, fitted in record.parameters.items()}


@lru_cache(maxsize=8)
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
    year: Floats,
    sparse: NDArray[np.bool_],
) -> Rates:
    """Resolve constants for columns of configurations.

    `engine` indexes ENGINES; `year` is the date of the engine's release as a decimal year (see `releases`): the launches that
    a decode step still shows shrink with it, more where experts are routed (`sparse`), whose kernels engines are still fusing.
    """
    decay = np.where(sparse, values["decay_per_year.moe"], values["decay_per_year.dense"])
    younger = np.exp(-decay * (year - 2026.0))
    return Rates(
        host_s=_by(values, "host_ms", ENGINES, engine) * 1e-3,
        host_per_request_s=_by(values, "host_per_request_us", ENGINES, engine) * 1e-6,
        launch_share=values["launch_share"] * younger * np.where(blackwell, values["launch_blackwell"], 1.0),
        unfused_s=np.where(engine == ENGINES.index("trtllm"), values["unfused_us"] * 1e-6, 0.0),
        eager_unfused_s=np.where(engine == ENGINES.index("trtllm"), values["eager_unfused_us"] * 1e-6, 0.0),
        eager_kernel_s=_by(values, "eager_kernel_us", ENGINES, engine) * 1e-6,
        api_s=_by(values, "api_ms", ENGINES, engine) * 1e-3,
        poll_steps=_by(values, "poll_steps", ENGINES, engine),
        transfer_s=_by(values, "transfer_s", ENGINES, engine),
        cold_s=_by(values, "cold_ms", ENGINES, engine) * 1e-3,
        decode_slowdown=_by(values, "decode_slowdown", ENGINES, engine),
        prefill_slowdown=_by(values, "prefill_slowdown", ENGINES, engine),
        values=values,
    )
