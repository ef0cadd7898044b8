"""Fit the clock-and-voltage constants of calibration `chip-clocks` to its own sweeps, and score every sweep.

    PYTHONPATH=src python tools/fit/fit_clocks.py

Fits knee, voltage floor and uncore share to the speed that sweeps of role `fit` show at each draw, each sweep with the
core-bound share that the record gives it, and draws of at least `DEEP` of the highest; prints them and, for every sweep, the
mean |predicted/measured - 1| of its speed from its draw alone, with the constants that the record holds, beside cap^0.5 and
unchanged speed. The record is edited by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gigawatt.physics.chip import Chip, calibration
from gigawatt.physics.chip.clocks import capped_seconds

Array = NDArray[np.float64]
GRID = np.linspace(0.15, 1.05, 4000)
DEEP = 0.6  # draws below this share of the highest: speeds collapse by other means (memory states); scored, not fitted


def card(of: dict[str, Any]) -> Chip:
    """A card with only its limit and idle draw."""
    return Chip(of["name"], "nvidia", "", "cuda", {}, 1.0, 1.0, 0.0, 1, 0.0, float(of["limit_w"]), float(of["idle_w"]))


def predicted_speed(sweep: dict[str, Any]) -> tuple[Array, Array]:
    """Speeds over that of the highest draw, predicted from the draws alone and measured, without the reference point."""
    points = np.array(sweep["points"], dtype=np.float64)
    draw, speed = points[:, 0], points[:, 1]
    top = int(np.argmax(draw))
    seconds = capped_seconds(card(sweep["card"]), 1.0, draw[top], draw, sweep["bound"]).seconds
    others = np.arange(len(draw)) != top
    return (1.0 / seconds)[others], (speed / speed[top])[others]


def scores(sweep: dict[str, Any]) -> dict[str, float]:
    """Mean error of the model and of both null models on one sweep."""
    model, measured = predicted_speed(sweep)
    draw = np.array(sweep["points"], dtype=np.float64)[:, 0]
    root = np.sqrt(np.delete(draw, int(np.argmax(draw))) / draw.max())
    return {
        "points": float(len(measured)),
        "model": float(np.mean(np.abs(model / measured - 1.0))),
        "root": float(np.mean(np.abs(root / measured - 1.0))),
        "unchanged": float(np.mean(np.abs(1.0 / measured - 1.0))),
    }


def fit(sweeps: list[dict[str, Any]]) -> tuple[Array, float]:
    """Knee, voltage floor and uncore share of compute-bound work, and the rms of ln(speed); every sweep counts alike."""
    uncore_memory = calibration.parameters("chip-clocks")["uncore_memory"]

    def residual(p: Array) -> Array:
        knee, low, uncore = p
        phi = GRID * (low + (1.0 - low) * np.clip((GRID - knee) / (1.0 - knee), 0.0, None)) ** 2
        out = []
        for sweep in sweeps:
            points = np.array(sweep["points"], dtype=np.float64)
            points = points[points[:, 0] >= DEEP * points[:, 0].max()]
            idle, top = float(sweep["card"]["idle_w"]), points[np.argmax(points[:, 0])]
            bound = float(sweep["bound"])
            fixed = uncore_memory + (uncore - uncore_memory) * bound
            r = np.interp(points[:, 0], idle + (top[0] - idle) * (fixed + (1.0 - fixed) * phi), GRID)
            out.append(np.log(1.0 / (1.0 - bound + bound / r) / (points[:, 1] / top[1])) / np.sqrt(len(points)))
        return np.concatenate(out)

    start, low, high = [0.8, 0.8, 0.2], [0.4, 0.5, 0.1], [0.95, 0.99, 0.4]
    found = least_squares(residual, start, bounds=(low, high))
    return np.asarray(found.x), float(np.sqrt(np.sum(found.fun**2) / len(sweeps)))


def main() -> None:
    """Print the fit and every sweep's scores."""
    sweeps = calibration.record("chip-clocks").tables["sweeps"]
    values, rms = fit([sweep for sweep in sweeps if sweep["role"] == "fit"])
    print("knee, voltage floor, uncore share:", np.round(values, 3), f"rms {rms:.4f}")
    for sweep in sweeps:
        print(sweep["name"], sweep["role"], {key: round(value, 3) for key, value in scores(sweep).items()})


if __name__ == "__main__":
    main()
