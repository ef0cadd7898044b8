"""MLPerf Inference: lengths, limits and rounds of its workloads, as the catalog has them (`calibration/mlperf-scenarios`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gigawatt.validation.serving_models import catalog


@dataclass(frozen=True, slots=True)
class Scenario:
    """Mean input and output tokens of a data set's sample, beams decoded for it, TTFT and TPOT limits at p99."""

    input_tokens: float
    output_tokens: float
    server: tuple[float, float]
    interactive: tuple[float, float]
    beams: float = 1.0


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Any]:
    found: Mapping[str, Any] = catalog().get("calibration", "mlperf-scenarios").tables
    return found


def scenario_of(model: str) -> Scenario:
    """The workload of a model's name; usual lengths and limits where MLPerf has none."""
    rows = _tables()["scenarios"]
    row = next((rows[name] for name in rows if model.lower().startswith(name)), rows["default"])
    limits = [(float(row[name][0]), float(row[name][1])) for name in ("server", "interactive")]
    return Scenario(float(row["input"]), float(row["output"]), limits[0], limits[1], float(row.get("beams", 1.0)))


def denoising_of(model: str) -> Mapping[str, float]:
    """Steps and size of a sample where the reference states them."""
    rows = _tables()["denoising"]
    row: Mapping[str, float] = next((rows[name] for name in rows if model.lower().startswith(name)), {})
    return {key: float(value) for key, value in row.items()}


def round_of(source: str) -> str:
    """The month in which a row's round was published; '' where it names none.

    >>> round_of("MLPerf Inference v5.1 mlcommons/..."), round_of("a blog")
    ('2025-09', '')
    """
    found = re.search(r"MLPerf Inference (v\d\.\d)", source)
    return str(_tables()["rounds"].get(found[1], "")) if found else ""
