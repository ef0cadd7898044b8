"""Time to a quality target, as MLPerf Training counts it: samples until it is met, by batch, at the best mapping's speed.

    samples(B) = samples at the reference batch x (B / reference)^growth        growth >= 0: larger batches learn less of a
    sample
    wall       = samples / (sequences a second) + evaluations x seconds of one

Constants of each benchmark are those of the calibration of training (`load_calibration().tables`), one triple whoever
submitted. The clock of the benchmark starts with the first sample: no start of the job, no failures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.points import fastest
from gigawatt.physics.jobs.run import JobRun, Phase, job_run
from gigawatt.physics.jobs.weights import constants
from gigawatt.physics.training import best_mapping, load_calibration
from gigawatt.physics.workload.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Target:
    """When a target is met: after `samples` at `reference_batch` sequences, more with the batch's `growth`th power."""

    name: str
    samples: float
    reference_batch: float
    growth: float

    def samples_at(self, global_batch: float) -> float:
        """Samples until the target is met with batches of so many sequences.

        >>> Target("t", 1000.0, 10.0, 0.5).samples_at(40.0)
        2000.0
        """
        return float(self.samples * (global_batch / self.reference_batch) ** self.growth)


def targets() -> dict[str, Target]:
    """The benchmarks whose targets are known, by name."""
    tables = load_calibration().tables
    return {
        name: Target(name, float(samples), float(tables["reference_batch"][name]), float(tables["batch_growth"][name]))
        for name, samples in tables["samples_to_target"].items()
    }


def time_to_target(
    arch: Architecture,
    chip: Chip,
    *,
    target: Target | str,
    seq: int,
    global_batch: int,
    chips: int,
    evaluate_every: float = math.inf,
    evaluation_samples: float = 0.0,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    stack: str = "",
    lora: bool = False,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
) -> JobRun:
    """The run until the target is met; `tokens` are those of its samples.

    Args:
        target: of a benchmark, or its name.
        seq, global_batch: tokens of a sample, samples of a step.
        evaluate_every, evaluation_samples: after how many samples how many are read in a forward pass; never by default.

    Raises:
        InputError: an unknown benchmark, an evaluation after less than one sample. Infeasible: it fits no mapping.
    """
    if isinstance(target, str):
        known = targets()
        if target not in known:
            raise InputError(unknown_name("benchmark with a target", target, known))
        target = known[target]
    if not (evaluate_every > 0 and evaluation_samples >= 0):
        raise InputError(
            Problem("out_of_range", "evaluations come after more than no samples, and read no less than none")
        )
    points = best_mapping(
        arch, chip, fabric=fabric, chips=chips, seq=seq, global_batch=global_batch, precisions=tuple(precisions),
        maturity=maturity, modes=(mode,), stack=stack, lora=lora,
    )  # fmt: skip
    found = fastest(points, target.name)
    samples = target.samples_at(global_batch)
    rate = found.tokens_per_s_per_chip * chips
    times = math.floor(samples / evaluate_every)
    read_s = times * evaluation_samples * seq / rate * constants()["forward_over_update"]
    band = {"low": 1 / found.high, "high": 1 / found.low}
    rows = [
        Phase("steps", "train", chips, samples * seq / rate, found.chip_w, samples * seq, found.bound, 0, **band),
        Phase("evaluations", "train", chips, read_s, found.chip_w, 0.0, "forward passes", 0, **band),
    ]
    notes = (
        f"{samples:,.0f} samples in {samples / global_batch:,.0f} steps of {found.step_s:.3g} s; {found.mapping} "
        f"{found.precision}",
        f"target of {target.name}: {target.samples:,.0f} samples at a batch of {target.reference_batch:,.0f}, growing as its "
        f"{target.growth:g}th power",
    )
    return job_run(
        f"{target.name} to its target", rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes
    )
