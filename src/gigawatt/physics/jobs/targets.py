"""Time to a quality target: samples to converge by batch, evaluations on the way, start-up. Pure formulas on numbers.

    samples(B)    what a target takes at a global batch B: ln-ln between published points, the outer slopes beyond them
    steps         samples / B
    evaluations   one every `every` samples once `skipped` are passed, of `evaluated` samples each, forward alone
    time          steps * step + evaluations * evaluated / B * f * step + start-up

f is the forward share of a step: 1/3 where weights are trained, 1/2 where they are frozen (adapters: the backward pass
has input gradients alone). Published points are MLPerf's reference convergence points (`calibration/mlperf-targets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem

FORWARD_SHARE = {"trained": 1.0 / 3.0, "frozen": 1.0 / 2.0}


@dataclass(frozen=True, slots=True)
class Target:
    """A benchmark's quality target: `samples` to converge at each of `batches` (both rising), and its evaluations.

    `every` samples there is an evaluation of `evaluated` samples, but not before `skipped` samples. `start_s` is what a
    run's clock holds besides steps and evaluations.
    """

    name: str
    batches: tuple[float, ...]
    samples: tuple[float, ...]
    every: float
    evaluated: float
    skipped: float = 0.0
    frozen: bool = False
    start_s: float = 0.0


def target_of(name: str, record: Mapping[str, Any]) -> Target:
    """A target from its record: `samples` {batch: samples}, `every`, `evaluated`, `skipped`, `frozen`, `start_s`.

    Raises:
        InputError: no points, or numbers that are not above zero.
    """
    points = sorted((float(batch), float(count)) for batch, count in record["samples"].items())
    numbers = [x for point in points for x in point] + [float(record["every"]), float(record["evaluated"])]
    if not points or min(numbers) <= 0:
        raise InputError(Problem("bad_target", f"target '{name}' needs batches and samples above zero"))
    batches, samples = zip(*points, strict=True)
    return Target(
        name,
        batches,
        samples,
        float(record["every"]),
        float(record["evaluated"]),
        float(record.get("skipped", 0.0)),
        bool(record.get("frozen", False)),
        float(record.get("start_s", 0.0)),
    )


def samples_to_target(target: Target, batch: Any) -> Any:
    """Samples to converge at a global batch, or a column of them.

    >>> points = Target("x", (8.0, 32.0), (3200.0, 6400.0), 384.0, 173.0)
    >>> [round(float(samples_to_target(points, b))) for b in (4.0, 8.0, 16.0, 32.0, 64.0)]
    [2263, 3200, 4525, 6400, 9051]
    """
    x, y = np.log(target.batches), np.log(target.samples)
    at = np.log(np.asarray(batch, dtype=float))
    if x.size == 1:
        return np.exp(y[0] + 0.0 * at)
    low, high = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    low = max(low, 0.0)  # smaller batches never need more samples; points that say so scatter
    inside = np.interp(at, x, y)
    beyond = np.where(at < x[0], low * (at - x[0]), np.where(at > x[-1], high * (at - x[-1]), 0.0))
    return np.exp(inside + beyond)


def evaluations(target: Target, samples: Any) -> Any:
    """Evaluations that a run of so many samples makes, the last one among them.

    >>> float(evaluations(Target("x", (8.0,), (3200.0,), 384.0, 173.0, skipped=1152.0), 3200.0))
    5.333333333333333
    """
    return np.maximum((np.asarray(samples, dtype=float) - target.skipped) / target.every, 1.0)


def time_to_target_s(target: Target, step_s: Any, batch: Any) -> Any:
    """Seconds from the first step to the target, of one run or a column of them.

    Args:
        target: the benchmark.
        step_s: seconds of a training step.
        batch: global batch, in samples.
    """
    return target.start_s + steps_to_target(target, batch) * np.asarray(step_s, dtype=float)


def steps_to_target(target: Target, batch: Any) -> Any:
    """Steps to the target, evaluations counted as the steps they take as long as."""
    samples = samples_to_target(target, batch)
    share = FORWARD_SHARE["frozen" if target.frozen else "trained"]
    extra = evaluations(target, samples) * target.evaluated * share
    return (samples + extra) / np.asarray(batch, dtype=float)
