"""How far measured points stray from their own deployment's level, and what one anchor gains: `calibration/serving-anchor`.

    python tools/fit/fit_anchor.py TRUTH/serving_points.csv > src/gigawatt/catalog/data/calibration/serving-anchor.yaml

A deployment is a system, engine, release, model, precision and layout with three aggregated points or more. `within` is the
robust sigma (1.4826 x the median distance) of log(measured / predicted) around the deployment's median. The gain is that of
other points of the deployment after each of up to three of its points was the anchor (seeded).
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving import Load, deploy, steady_state
from gigawatt.physics.serving.engine.calibration import sigmas
from gigawatt.physics.serving.engine.terms import scaled
from gigawatt.physics.serving.steady.one_point import anchor
from gigawatt.validation.serving_points import load_of, points

LEAST_POINTS, ANCHORS = 3, 3
CELL = (
    "system",
    "backend",
    "backend_version",
    "model_path",
    "precision",
    "tp_size",
    "attention_dp_size",
    "moe_tp_size",
)
ANSWERS = ("silicon_ttft_ms", "silicon_tpot_ms")


def one(load: Load, row: int) -> Load:
    """A row of a load."""
    columns = {f.name: getattr(load, f.name) for f in fields(load)}
    return Load(**{name: column[[row]] if np.ndim(column) else column for name, column in columns.items()})


def spread(residuals: list[NDArray[np.float64]]) -> float:
    """Robust sigma of residuals around the median of each deployment."""
    return float(1.4826 * np.median(np.abs(np.concatenate([r - np.median(r) for r in residuals]))))


def errors(logs: list[NDArray[np.float64]]) -> str:
    """Median and p90 of the errors whose log(measured / predicted) these are, as YAML."""
    found = np.abs(np.expm1(-np.concatenate(logs)))
    return f"{{median: {np.median(found):.4f}, p90: {np.percentile(found, 90):.4f}, rows: {len(found)}}}"


def main(path: str) -> None:
    """Print the record."""
    cells: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with Path(path).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["mode"] == "agg" and all(row[answer] for answer in ANSWERS):
                cells[tuple(row[name] for name in CELL)].append(row)
    rng = np.random.default_rng(0)
    level: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    left: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    half = {name: sigmas()[f"agg.{name}_ms"] for name in ("tpot", "ttft")}
    for rows in cells.values():
        if len(rows) < LEAST_POINTS:
            continue
        found = points([row | dict.fromkeys(ANSWERS, "") for row in rows])
        d, load = deploy([point.spec for point in found]), load_of(found)
        ttft, tpot = (np.array([float(row[answer]) for row in rows]) * 1e-3 for answer in ANSWERS)
        before = steady_state(d, load)
        fits = np.flatnonzero(before.fits)
        if len(fits) < LEAST_POINTS:
            continue
        level["tpot"].append(np.log(tpot / before.tpot_s)[fits])
        level["ttft"].append(np.log(ttft / before.ttft_s)[fits])
        for at in rng.choice(fits, min(ANCHORS, len(fits)), replace=False).tolist():
            others = fits[fits != at]
            known = anchor(
                d,
                at,
                one(load, at),
                tpot_s=float(tpot[at]),
                ttft_s=float(ttft[at]),
                tpot_half_width=half["tpot"],
                ttft_half_width=half["ttft"],
            )
            after = steady_state(scaled(d, known.factors), load)
            left["tpot_before"].append(np.log(tpot / before.tpot_s)[others])
            left["ttft_before"].append(np.log(ttft / before.ttft_s)[others])
            left["tpot_after"].append(np.log(tpot / after.tpot_s)[others])
            left["ttft_after"].append(np.log(ttft / (after.ttft_s * known.ttft))[others])
    count = sum(len(r) for r in level["tpot"])
    print(
        f"""id: serving-anchor
name: "How far points of one deployment stray from its own level"
kind: serving
source: "serving points measured on H100, H200, B200, B300, GB200, GB300 with TensorRT-LLM, vLLM, SGLang (Apache-2.0)"
source_url: https://github.com/ai-dynamo/aiconfigurator
as_of: "2026-04"
fitted_to: "aggregated points of {len(level["tpot"])} deployments; errors are of a deployment's other points, on
  rows that the serving calibration was mostly fitted to: with a model it has not seen there is more to gain"
rows: {count}
error:
  tpot_without: {errors(left["tpot_before"])}
  tpot_with_one_anchor: {errors(left["tpot_after"])}
  ttft_without: {errors(left["ttft_before"])}
  ttft_with_one_anchor: {errors(left["ttft_after"])}

# Sigma of the logarithm around the deployment's own level.
parameters:
  within_tpot: {{value: {spread(level["tpot"]):.4f}}}
  within_ttft: {{value: {spread(level["ttft"]):.4f}, note: "mostly the release of requests by the benchmark"}}"""
    )


if __name__ == "__main__":
    main(sys.argv[1])
