"""Fits the two constants of speech recognition to MLPerf's Whisper rows; writes them into `calibration/serving-services`.

    python tools/fit/fit_services.py --truth FOLDER [--write]      # FOLDER holds truth/infer_truth.csv

    1 / rate = slow / rate of kernels, launches and host + serial / tokens of a window

Rows count tokens: as samples of 30 s they would be ten times any chip's peak. Every chip weighs the same, whatever its number
of rows; errors are of chips left out. Half-widths of bands come from those errors.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gigawatt.physics.serving.services.speech import speech_constants, speech_rate
from gigawatt.validation.serving_models import architecture_of, chip_of
from gigawatt.validation.tables import read_rows

Floats = NDArray[np.float64]
OUT = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/serving-services.yaml"


def rows_of(truth: Path) -> tuple[list[str], Floats, Floats]:
    """(chip of each row, tokens/s of one chip, seconds a token of kernels, launches and host)."""
    arch = architecture_of("whisper-large-v3").arch
    chips, rates, floors = [], [], []
    for row in read_rows(truth):
        if row.get("model") != "whisper":
            continue
        chip, _ = chip_of(row["gpu"])
        engine = "trtllm" if row["engine"].startswith("TensorRT") else "vllm"
        bare = {"speech_slowdown": 1.0, "speech_serial_ms": 0.0}
        chips.append(chip.name)
        rates.append(float(row["value"]) / float(row["n_gpus"]))
        floors.append(1.0 / speech_rate(arch, chip, engine=engine, constants=bare))
    return chips, np.array(rates), np.array(floors)


def fit(chips: list[str], rates: Floats, floors: Floats, tokens: float) -> tuple[Floats, Floats]:
    """(slow-down and serial seconds, sigma of their logarithms), chips of equal weight, weak priors around 1.3 and 3 ms."""
    weight = np.sqrt([1.0 / chips.count(name) for name in chips])
    start, width = np.log([1.3, 3e-3]), np.array([0.5, 1.0])

    def residuals(x: Floats) -> Floats:
        slow, serial = np.exp(x)
        error = weight * np.log(rates * (slow * floors + serial / tokens)) / 0.2
        return np.concatenate([error, (x - start) / width])

    found = least_squares(residuals, start, loss="soft_l1")
    return np.exp(found.x), np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)))


def main() -> None:
    """Fit, report, and write when asked."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--truth", type=Path, required=True)
    ask.add_argument("--write", action="store_true")
    given = ask.parse_args()
    chips, rates, floors = rows_of(given.truth / "truth" / "infer_truth.csv")
    tokens = speech_constants()["window_tokens"]

    def ratio(x: Floats, who: NDArray[np.bool_]) -> Floats:
        return 1.0 / ((x[0] * floors[who] + x[1] / tokens) * rates[who])

    every = np.ones(len(chips), bool)
    best, sigma = fit(chips, rates, floors, tokens)
    left = np.empty(len(chips))
    for name in sorted(set(chips)):
        own = np.array([chip == name for chip in chips])
        others = [chip for chip in chips if chip != name]
        left[own] = ratio(fit(others, rates[~own], floors[~own], tokens)[0], own)
        print(f"{name:16s} rows {own.sum()}  bare {1 / floors[own][0]:7.0f}  measured {np.median(rates[own]):6.0f}  "
              f"left out {np.median(left[own]):.2f}")  # fmt: skip
    inside, outside = np.abs(ratio(best, every) - 1.0), np.abs(left - 1.0)
    half = float(np.quantile(np.abs(np.log(left)), 0.8))
    print("slow-down, serial s", best, "sigma", sigma, "in", np.median(inside), "out", np.median(outside), "half", half)
    if given.write:
        text = OUT.read_text()
        text = re.sub(
            r"speech_slowdown: \{value: [^,]+, sigma: [^,]+",
            f"speech_slowdown: {{value: {best[0]:.4g}, sigma: {sigma[0]:.2f}",
            text,
        )
        text = re.sub(
            r"speech_serial_ms: \{value: [^,]+, sigma: [^,]+",
            f"speech_serial_ms: {{value: {best[1] * 1e3:.4g}, sigma: {sigma[1]:.2f}",
            text,
        )
        error = (
            f"error: {{speech_median: {np.median(inside):.3f}, speech_chip_left_out_median: {np.median(outside):.3f}, "
        )
        error += f"speech_chip_left_out_p90: {np.quantile(outside, 0.9):.3f}}}"
        text = re.sub(r"error: \{.*\}", error, text)
        text = re.sub(r"\nrows: \d+", f"\nrows: {len(chips)}", text)
        OUT.write_text(re.sub(r"  speech: [\d.]+", f"  speech: {half:.3f}", text))


if __name__ == "__main__":
    main()
