"""Fit k and phi of the bandwidth that training over sites needs to the published table, and say what they reach.

    python tools/fit/fit_across.py --truth FOLDER      # holds facts/scale_across.csv

Grid search of both constants, mean of |predicted/published - 1| on the grid of the paper; the cell that is a lower bound
counts by how far the answer stays below it. Prints what `scale-across.yaml` holds: constants, errors in sample, errors of a
model whose cells were left out, and the band from those.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.fabric.across import diloco

Array = NDArray[np.float64]
PARAMETERS = {"Chinchilla 10B": 10e9, "Llama3 405B": 405e9, "DeepSeek-V3 671B": 671e9}
CELL = re.compile(r"(Data-Parallel|DiLoCo H=(\d+)): bandwidth for (\d+)% compute utilisation")
K, PHI = np.arange(0.5, 1.2, 0.01), np.arange(0.0, 1.0, 0.01)
HALF_STEP = 1.1


def cells(folder: Path) -> tuple[list[str], Array]:
    """Models, and columns parameters, step_s, sync_every, utilisation, bytes/s, 1 where the value is a bound."""
    names, rows = [], []
    with (folder / "facts" / "scale_across.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            found = CELL.fullmatch(row["property"])
            if found:
                model, step = row["item"].split(", step ")
                names.append(model)
                value = float(row["value"].rstrip("+")) * 1e9 / 8
                step_s = float(step.removesuffix(" s"))
                every, bound = float(found[2] or 1), float(row["value"].endswith("+"))
                rows.append((PARAMETERS[model], step_s, every, float(found[3]) / 100, value, bound))
    return names, np.array(rows)


def predict(table: Array, k: float, phi: float) -> Array:
    """Bytes/s, unrounded."""
    parameters, step_s, every, share = table[:, :4].T
    return diloco.required_bytes_per_s(parameters, step_s, share, diloco.blocking(every, fit={"k": k, "phi": phi}))


def errors(table: Array, predicted: Array) -> Array:
    """|predicted/published - 1|; below a bound the same, above it nothing."""
    ratio = predicted / table[:, 4]
    return np.where(table[:, 5] > 0, np.maximum(0.0, 1 - ratio), np.abs(ratio - 1))


def fit(table: Array) -> tuple[float, float]:
    """k and phi of least error on the grid."""
    found = [
        (float(errors(table, diloco.on_published_grid(predict(table, k, phi))).mean()), k, phi)
        for k in K
        for phi in PHI
    ]
    _, k, phi = min(found)
    return float(k), float(phi)


def main() -> None:
    """Fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", default=os.environ.get("GIGAWATT_TRUTH"), type=Path)
    names, table = cells(parser.parse_args().truth)
    k, phi = fit(table)
    for name, guess in (("fitted", (k, phi)), ("physical", (0.8, 2 / 3)), ("textbook", (1.0, 0.0))):
        found = predict(table, *guess)
        grid = diloco.on_published_grid(found)
        steps = np.abs(np.log(grid / table[:, 4])) / np.log(1e4) * 49
        print(f"{name}: k {guess[0]:.2f}, phi {guess[1]:.3f}: on the grid {errors(table, grid).mean():.3f}, ", end="")
        print(
            f"unrounded {errors(table, found).mean():.3f}, centred {errors(table, HALF_STEP * found).mean():.3f}, ",
            end="",
        )
        print(f"exact {(steps < 0.1).sum()}, within a step {(steps < 1.1).sum()} of {len(steps)}")
    left_out = np.empty(len(table))
    for model in PARAMETERS:
        out = np.array([name == model for name in names])
        left_out[out] = predict(table[out], *fit(table[~out]))
    grid, centred = diloco.on_published_grid(left_out), HALF_STEP * left_out
    print(f"model left out: grid {errors(table, grid).mean():.3f}, centred {errors(table, centred).mean():.3f}")
    low, high = np.quantile((table[:, 4] / left_out)[table[:, 5] == 0], [0.1, 0.9])
    print(f"band of published over unrounded, model left out: {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
