"""The whole job of a point: wall time, chip-hours and MWh of a budget of tokens, with failures and what guards against them.

    work  = tokens / tokens per second          wall = work / share of the time that counts
    MWh   = sum over the parts of the wall time of GPUs x watts at the meter

While work is done (or done again) chips draw what the step draws; while the job waits, they draw what waiting draws. Bands of
speed and of the effective time are joined as independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.physics.jobs.run import HOUR_S, waiting_w
from gigawatt.physics.reliability import Effective, Fleet, effective_training, state_bytes
from gigawatt.physics.workload import parameters
from gigawatt.study.hosts import Host
from gigawatt.study.serve.subject import Subject
from gigawatt.study.train.detail import Chosen
from gigawatt.study.train.points import Points, standing_w
from gigawatt.study.train.question import Question

DAY_S, J_PER_MWH = 86_400.0, 3.6e9
WORKING = ("productive", "lost", "silent")  # parts of the time in which chips run steps
WORDS = {
    "checkpoint": "saving",
    "lost": "work done again",
    "planned": "maintenance",
    "silent": "silent corruption",
    "spares": "waiting for nodes",
    "stall": "replicas stalled",
    "replicas_away": "replicas away",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A budget on one point; `effective` is None where nothing interrupts it."""

    steps: int
    work_s: float
    wall_s: float
    low_s: float
    high_s: float
    chip_hours: float
    mwh: float
    mwh_low: float
    mwh_high: float
    effective: Effective | None


def effective_of(question: Question, subject: Subject, host: Host) -> Effective | None:
    """Shares of the time of a job of that size, None where the question wants none of them."""
    if not question.failures.cluster:
        return None
    name = question.failures.cluster
    fleet = Fleet(
        cluster="" if name == "default" else name, generation=host.chip.generation, factor=question.failures.factor
    )
    return effective_training(float(question.chips), float(state_bytes(float(parameters(subject.arch)))), fleet=fleet)


def job_of(question: Question, points: Points, row: int, host: Host, effective: Effective | None) -> Job:
    """The budget of the question on one point."""
    work_s = question.tokens / float(points.tokens_per_s[row])
    kept = 1.0 if effective is None else float(effective.productive)
    parts = {"productive": 1.0} if effective is None else {n: float(v) for n, v in effective.parts().items()}
    wall_s = work_s / kept
    idle_w = question.chips * float(standing_w(host, np.array([waiting_w(host.chip)]))[0])
    running_w = float(points.job_w[row])
    energy_j = sum(wall_s * share * (running_w if name in WORKING else idle_w) for name, share in parts.items())
    half = float(points.rate_half[row])
    up = down = 0.0
    if effective is not None:
        up = math.log(kept / max(float(effective.low), 1e-6))
        down = math.log(max(float(effective.high), kept) / kept)
    slow, fast = math.hypot(half, up), math.hypot(half, down)
    ends = host.it_or_chip_w(np.array([points.watts_low[row], points.watts_high[row]]))
    drawn = 0.5 * math.log(float(ends[1]) / float(ends[0]))
    return Job(
        steps=math.ceil(question.tokens / question.step_tokens),
        work_s=work_s,
        wall_s=wall_s,
        low_s=wall_s * math.exp(-fast),
        high_s=wall_s * math.exp(slow),
        chip_hours=question.chips * wall_s / HOUR_S,
        mwh=energy_j / J_PER_MWH,
        mwh_low=energy_j / J_PER_MWH * math.exp(-math.hypot(fast, drawn)),
        mwh_high=energy_j / J_PER_MWH * math.exp(math.hypot(slow, drawn)),
        effective=effective,
    )


def job_table(chosen: Chosen, question: Question, subject: Subject) -> tuple[Table, list[Job]]:
    """One row a quantity, a column a platform's best; and the jobs. Without a budget only what failures leave of the time."""
    rows: list[dict[str, Any]] = []
    jobs: list[Job] = []
    for one, points, row in chosen:
        effective = effective_of(question, subject, one.host)
        name = one.host.label
        if question.tokens:
            job = job_of(question, points, row, one.host, effective)
            jobs.append(job)
            rows += _budget(name, job, question)
        if effective is not None:
            rows += _time(name, effective, float(points.found.step_s[row]))
    units: dict[str, str] = {}
    columns = ("platform", "what", "value", "unit", "low", "high")
    note = (
        "Interruptions at the published rate of the cluster, memory copies and spares as usual at this size; "
        "--failures states another rate. MWh at the meter where a platform is known."
    )
    return Table.from_rows("job", rows, columns, units, "The whole job", note), jobs


def _budget(name: str, job: Job, question: Question) -> list[dict[str, Any]]:
    scale = question.chips / HOUR_S
    return [
        _row(name, "tokens", question.tokens, "token"),
        _row(name, "steps", float(job.steps), ""),
        _row(name, "wall time", job.wall_s / DAY_S, "day", job.low_s / DAY_S, job.high_s / DAY_S),
        _row(name, "GPU-hours", job.chip_hours, "h", scale * job.low_s, scale * job.high_s),
        _row(name, "energy", job.mwh, "MWh", job.mwh_low, job.mwh_high),
    ]


def _time(name: str, effective: Effective, step_s: float) -> list[dict[str, Any]]:
    """What of the time counts, and where the rest goes."""
    kept = [
        _row(
            name, "time that counts", float(effective.productive), "share", float(effective.low), float(effective.high)
        )
    ]
    shares = [(part, float(share)) for part, share in effective.parts().items() if part != "productive"]
    told = [_row(name, WORDS.get(part, part), share, "share") for part, share in shares if share > 5e-5]
    return [
        *kept,
        *sorted(told, key=lambda row: -row["value"]),
        _row(name, "between failures", float(effective.mttf_s) / HOUR_S, "h"),
        _row(name, "a checkpoint every", float(effective.interval_s) / 60.0, "min"),
        _row(name, "which is steps", float(save_every(effective, step_s)), ""),
        _row(name, "spare GPUs", float(effective.spare_chips), ""),
    ]


def save_every(effective: Effective, step_s: float) -> int:
    """Steps between checkpoints."""
    return max(round(float(effective.interval_s) / step_s), 1)


def _row(
    name: str, what: str, value: float, unit: str, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    return {"platform": name, "what": what, "value": value, "unit": unit, "low": low, "high": high}


def job_words(jobs: Sequence[Job], question: Question) -> str:
    """The best platform's job as a sentence."""
    if not jobs:
        return ""
    job = jobs[0]
    days = f"{job.wall_s / DAY_S:,.3g} days [{job.low_s / DAY_S:,.3g} to {job.high_s / DAY_S:,.3g}]"
    kept = "" if job.effective is None else f", of which {100 * float(job.effective.productive):.1f} % counts"
    hours = f"{job.chip_hours / 1e6:,.3g} M GPU-hours" if job.chip_hours >= 1e6 else f"{job.chip_hours:,.0f} GPU-hours"
    return f"{question.tokens / 1e12:,.4g} T tokens take {days}{kept}: {hours}, {job.mwh:,.4g} MWh."
