"""Robust least squares with priors over named constants, and the same with a label left out, sharing what can be shared.

Gauss-Newton on logarithms of the constants: residuals are logarithms too, beyond `ROBUST` they count linearly (Huber), and each
constant is drawn to its prior. Derivatives are differences, one pass over all rows a constant. A fit that leaves rows out
starts from the whole fit and from its derivatives, so that a fold costs a few passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from serving_priors import PRIORS
from serving_rows import Table

from gigawatt.validation.serving_points import Point

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ROBUST = 0.25  # residuals of the logarithm beyond this count linearly
TTFT_WEIGHT = 0.5  # of TPOT's: mostly the benchmark's protocol
NOISE = 0.10
STEP = 1e-3
LARGEST_MOVE = 0.5  # of a constant's logarithm in one step


@dataclass(frozen=True)
class Part:
    """A table that a fit sees, and how much its TTFT counts (that of pools only in the fit of pools)."""

    table: Table
    ttft_weight: float = TTFT_WEIGHT

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """TPOT's, then TTFT's."""
        found = np.concatenate(self.table.residuals(values))
        return np.nan_to_num(found, nan=3.0, posinf=3.0, neginf=-3.0)

    @property
    def weight(self) -> Floats:
        """Weight of each residual (of its square)."""
        t = self.table
        return np.concatenate([t.weight**2, (t.weight * np.where(t.slow, 0.1, 1.0) * self.ttft_weight) ** 2])


class Problem:
    """Residuals of all parts as one vector, their derivatives, and the solution for any choice of rows."""

    def __init__(self, parts: Sequence[Part], names: Sequence[str], start: Mapping[str, float]) -> None:
        self.parts, self.names, self.start = parts, list(names), dict(start)
        self.weight = np.concatenate([p.weight for p in parts]) / NOISE**2
        self.centre = np.log([PRIORS[n][0] for n in names])
        self.width = np.array([PRIORS[n][1] for n in names])

    def values(self, x: Floats) -> dict[str, float]:
        """All constants at a point."""
        return self.start | dict(zip(self.names, map(float, np.exp(x)), strict=True))

    def residuals(self, x: Floats) -> Floats:
        values = self.values(x)
        return np.concatenate([p.residuals(values) for p in self.parts])

    def slopes(self, x: Floats, at: Floats) -> Floats:
        """Derivatives of the residuals, whose values at `x` are `at`."""
        columns = []
        for i in range(len(x)):
            moved = x.copy()
            moved[i] += STEP
            columns.append((self.residuals(moved) - at) / STEP)
        return np.stack(columns, axis=1)

    def cost(self, r: Floats, x: Floats, use: Floats) -> float:
        size = np.abs(r)
        huber = np.where(size <= ROBUST, r**2, 2 * ROBUST * size - ROBUST**2)
        return float((use * self.weight * huber).sum() + (((x - self.centre) / self.width) ** 2).sum())

    def move(self, r: Floats, slopes: Floats, x: Floats, use: Floats) -> tuple[Floats, Floats]:
        """One step, and the normal matrix."""
        w = use * self.weight * np.minimum(1.0, ROBUST / np.maximum(np.abs(r), 1e-12))
        normal = slopes.T @ (slopes * w[:, None]) + np.diag(1.0 / self.width**2)
        gradient = slopes.T @ (w * r) + (x - self.centre) / self.width**2
        return np.clip(-np.linalg.solve(normal, gradient), -LARGEST_MOVE, LARGEST_MOVE), normal

    def solve(self, use: Floats, x: Floats | None = None, refresh: int = 10, slopes: Floats | None = None) -> Solution:
        """The constants for rows weighted by `use`; `refresh` times the derivatives are worked out anew at most."""
        x = np.log([self.start[n] for n in self.names]) if x is None else x
        r = self.residuals(x)
        best = self.cost(r, x, use)
        for turn in range(refresh):
            if slopes is None or turn:
                slopes = self.slopes(x, r)
            before = best
            for _ in range(6):
                step, _ = self.move(r, slopes, x, use)
                scale = 1.0
                while scale > 0.05:
                    trial = x + scale * step
                    there = self.residuals(trial)
                    cost = self.cost(there, trial, use)
                    if cost < best:
                        break
                    scale /= 2.0
                else:
                    break
                gained, x, r, best = best - cost, trial, there, cost
                if gained < 1e-4 * best:
                    break
            if turn and before - best < 1e-3 * best:
                break
        assert slopes is not None
        _, normal = self.move(r, slopes, x, use)
        return Solution(x, r, slopes, np.sqrt(np.clip(np.diag(np.linalg.pinv(normal)), 0, None)))


@dataclass(frozen=True)
class Solution:
    """A point, residuals and derivatives there, and the sigma of each constant's logarithm."""

    x: Floats
    residuals: Floats
    slopes: Floats
    sigma: Floats


def doubled(masks: Sequence[Mask]) -> Floats:
    """Rows used of each part, for TPOT and TTFT alike, as weights of the residual vector."""
    return np.concatenate([np.concatenate([m, m]) for m in masks]).astype(np.float64)


def fold(
    problem: Problem, whole: Solution, label: Callable[[Point], str]
) -> tuple[list[tuple[Floats, Floats]], dict[str, dict[str, float]]]:
    """Residuals (TPOT, TTFT) of each part predicted by constants fitted without their label; the constants by label."""
    labels = [np.array([label(p) for p in part.table.points]) for part in problem.parts]
    out = [(np.zeros(len(found)), np.zeros(len(found))) for found in labels]
    fitted = {}
    for name in sorted(set(np.concatenate(labels))):
        use = doubled([found != name for found in labels])
        there = problem.solve(use, whole.x, refresh=2, slopes=whole.slopes)
        fitted[name] = problem.values(there.x)
        start = 0
        for found, (tpot, ttft) in zip(labels, out, strict=True):
            size, left = len(found), found == name
            tpot[left] = there.residuals[start : start + size][left]
            ttft[left] = there.residuals[start + size : start + 2 * size][left]
            start += 2 * size
    return out, fitted


def robust(error: Floats) -> Floats:
    """Square root of a Huber loss, with sign."""
    size = np.abs(error)
    bent = np.sqrt(np.maximum(2 * ROBUST * size - ROBUST**2, 0.0))
    return np.asarray(np.sign(error) * np.where(size <= ROBUST, size, bent))


def summary(errors: Floats) -> dict[str, float]:
    """Median, 90th percentile and bias of relative errors from logarithms."""
    relative = np.exp(errors) - 1.0
    return {
        "median": round(float(np.median(np.abs(relative))), 4),
        "p90": round(float(np.quantile(np.abs(relative), 0.9)), 4),
        "bias": round(float(np.median(relative)), 4),
        "rows": len(errors),
    }


def half_width(errors: Floats, share: float = 0.8) -> float:
    """Half-width of the logarithm that holds `share` of the errors."""
    return float(np.quantile(np.abs(errors), share))
