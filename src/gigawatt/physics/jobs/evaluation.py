"""Evaluation as a whole job: benchmarks of so many questions, each answered so many times, scored by rule or by a model.

s = sum over benchmarks of the seconds to the last answer on all chips        `rollout.batch`, without a latency limit
scores on processors run beside the answers and are waited for where they take longer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.rollout import Sampling, batch
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.jobs.weights import constants
from gigawatt.physics.workload.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Questions with their answers; `group` of the sampling is how often each is answered. `score_s` of a processor an answer,
    `places` at once."""

    name: str
    asked: Sampling
    score_s: float = 0.0
    places: float = 1024.0


def evaluation(
    arch: Architecture,
    chip: Chip,
    *,
    benchmarks: Sequence[Benchmark],
    chips: int,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "evaluation",
) -> JobRun:
    """Benchmarks one after the other on all `chips` chips; tokens are those read and written.

    Raises:
        InputError: no benchmark, numbers out of range. Infeasible: the model fits no replica on these chips.
    """
    if not benchmarks:
        raise InputError(Problem("nothing_to_do", "an evaluation needs at least one benchmark"))
    idle_w, drain = waiting_w(chip), constants()["drain"]
    rows, notes = [], []
    for one in benchmarks:
        made = batch(
            arch,
            chip,
            one.asked,
            chips,
            fabric=fabric,
            precisions=precisions,
            engines=engines,
            maturity=maturity,
            mode=mode,
        )
        half = float(np.hypot(np.log(made.high), drain))
        band = {"low": float(np.exp(-half)), "high": float(np.exp(half))}
        bound = "the longest answers" if made.tail_share > 0.5 else "tokens"
        rows.append(Phase(one.name, "serve", chips, made.seconds, made.chip_w, one.asked.tokens, bound, 0,
                          made.peak_chip_w, **band))  # fmt: skip
        scored_s = one.asked.samples * one.score_s / one.places
        late_s = max(min(one.score_s, scored_s), scored_s - made.seconds)
        rows.append(Phase(f"{one.name}, scores", "cpu", chips, late_s, idle_w, bound="processors"))
        notes.append(
            f"{one.name}: {one.asked.samples:,.0f} answers of {one.asked.answers.mean:,.0f} tokens on {made.replicas:,.0f} "
            f"replica{'' if made.replicas == 1 else 's'} of {made.mapping} {made.precision} {made.engine}; the last tenth "
            f"takes {100 * made.tail_share:.0f} % of the time"
        )
    return job_run(name, rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes)
