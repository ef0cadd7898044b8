"""Fit the constants of training memory, and print or write their errors.

`python tools/fit/fit_training_memory.py [--truth DIR] [--write]`. Two numbers of the allocated peak are fitted to every
second setting of the SimuMax table (least squares of the relative error), one of the allocator's reserve to every second
row of the BLOOM chronicles; the other halves are predicted. Weights, gradients, optimizer and activations are arithmetic.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from gigawatt.physics.training.memory.constants import MemoryConstants
from gigawatt.validation.training_memory import ALLOCATED, IN_USE, MemoryPoint, Row, memory_errors, memory_table

RECORD = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/training-memory.yaml"
CONTEXT_BYTES = 1.0e9  # assumed: driver context, cuBLAS and communication libraries


def halves(points: list[MemoryPoint]) -> tuple[list[int], list[int]]:
    """Indices of every second setting, and of the others."""
    order = {name: i for i, name in enumerate(dict.fromkeys(point.setting for point in points))}
    even = [i for i, point in enumerate(points) if order[point.setting] % 2 == 0]
    return even, [i for i in range(len(points)) if i not in set(even)]


def fit_workspace(rows: list[Row]) -> MemoryConstants:
    """Workspace bytes and rows, neither negative."""
    none = MemoryConstants(0.0, 0.0, 0.0, 0.0)
    base = memory_table(rows, none)
    unit = memory_table(rows, replace(none, workspace_rows=1.0))
    measured = np.array([point.measured_bytes for point in base])
    known = np.array([point.predicted_bytes for point in base])
    each = np.array([point.predicted_bytes for point in unit]) - known
    x = np.stack([1e9 / measured, each / measured], axis=1)
    target = 1.0 - known / measured
    both = np.linalg.lstsq(x, target, rcond=None)[0]
    if both.min() < 0:
        one = int(np.argmax(both))
        both = np.zeros(2)
        both[one] = max(float(x[:, one] @ target / (x[:, one] @ x[:, one])), 0.0)
    return MemoryConstants(float(both[0]) * 1e9, float(both[1]), 0.0, CONTEXT_BYTES)


def fit_reserve(points: list[MemoryPoint]) -> float:
    """Median of what is in use beyond allocated peak and context, over the peak."""
    allocated = np.array([point.predicted_bytes for point in points]) - CONTEXT_BYTES
    measured = np.array([point.measured_bytes for point in points])
    return max(float(np.median((measured - CONTEXT_BYTES) / allocated)) - 1.0, 0.0)


def main() -> None:
    """Fit one half, predict the other; write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", default=os.environ.get("GIGAWATT_TRUTH", "."))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with (Path(options.truth) / "truth" / "train_truth.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    by_id = {row["id"]: row for row in rows}
    start = memory_table(rows, MemoryConstants(0.0, 0.0, 0.0, 0.0))
    peaks = [point for point in start if point.kind == ALLOCATED]
    in_use = [point for point in start if point.kind == IN_USE]

    fitted, left_out = halves(peaks)
    constants = fit_workspace([by_id[peaks[i].id] for i in fitted])
    used, other = halves(in_use)
    free = memory_table([by_id[in_use[i].id] for i in used], constants)
    constants = replace(constants, reserved_share=fit_reserve(free))
    final = {point.id: point for point in memory_table(rows, constants)}
    errors = {}
    for name, points, half in (
        ("allocated_fitted", peaks, fitted),
        ("allocated_left_out", peaks, left_out),
        ("in_use_fitted", in_use, used),
        ("in_use_left_out", in_use, other),
    ):
        errors[name] = memory_errors([final[points[i].id] for i in half])
        print(name, errors[name])
    print(constants)
    if options.write:
        text = RECORD.read_text(encoding="utf-8")
        for name in ("workspace_bytes", "workspace_rows", "reserved_share", "context_bytes"):
            text = re.sub(rf'("{name}": {{value: )[-\d.e+]+', rf"\g<1>{getattr(constants, name):.4g}", text)
        lines = [
            f"  {name}: {{rows: {e.points}, mape_percent: {100 * e.mape:.2f}, median_percent: {100 * e.median:.2f}, "
            f"bias_percent: {100 * e.bias:.2f}, band80_percent: {100 * e.band80:.2f}}}"
            for name, e in errors.items()
        ]
        text = re.sub(r"(?m)^(error:.*\n)(?:  .*\n)+", r"\g<1>" + "\n".join(lines) + "\n", text)
        text = re.sub(r'(?m)^(  "allocated": )[\d.]+', rf"\g<1>{errors['allocated_left_out'].band80:.3f}", text)
        text = re.sub(r'(?m)^(  "in use": )[\d.]+', rf"\g<1>{errors['in_use_left_out'].band80:.3f}", text)
        RECORD.write_text(re.sub(r"(?m)^rows: \d+", f"rows: {len(fitted) + len(used)}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
