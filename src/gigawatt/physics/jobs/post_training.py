"""Reinforcement learning as a whole job: rollouts, scores, log-probabilities, updates, new weights; where each runs and when.

    colocated       all chips sample, then all of them train; state goes to the hosts and back each step (synchronous only)
    disaggregated   some chips sample while the others train; the share of each is the one whose steps are quickest

Seconds of a step: `loop`; of rollouts: `rollout`; of updates and scores: `sides`; of new weights: `weights`; failures:
`failures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import Box, Chip, HostPath, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.jobs.failures import DEFAULT, Failures, interruptions
from gigawatt.physics.jobs.loop import MODES, Parts, what_binds
from gigawatt.physics.jobs.points import Found
from gigawatt.physics.jobs.rollout import Batch, Sampling, Stream
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.jobs.sides import PLACEMENTS, Ahead, Job, Learning, Scoring, Sides, sides, split, update_of
from gigawatt.physics.jobs.weights import ADAPTER_SHARE, constants
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture

ROLLOUT_ENGINES = ("vllm", "sglang")  # engines that take new weights in place


@dataclass(frozen=True, slots=True)
class PostTraining:
    """A run with what decides it: seconds of a step and its parts, chips on either side, what binds."""

    run: JobRun
    step_s: float
    parts: Parts
    rollout_chips: float
    train_chips: float
    rollout: Batch | Stream
    update: Found
    bound: str


def post_training(
    arch: Architecture,
    chip: Chip,
    *,
    asked: Sampling,
    steps: float,
    chips: int,
    ahead: Ahead | None = None,
    learning: Learning | None = None,
    scoring: Scoring | None = None,
    fabric: Fabric | None = None,
    train_precisions: Sequence[str] = ("bf16",),
    rollout_precisions: Sequence[str] = ("bf16",),
    engines: Sequence[str] = ROLLOUT_ENGINES,
    maturity: float = 1.0,
    serving_maturity: float = 1.0,
    mode: PowerMode = FULL,
    stack: str = "",
    host: HostPath | None = None,
    failures: Failures = DEFAULT,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "post-training",
) -> PostTraining:
    """`steps` steps of reinforcement learning on `chips` chips.

    Args:
        arch, chip, fabric, stack: as the training and serving models take them.
        asked: what each step samples.
        ahead, learning, scoring: how it is run; asynchronous with one step of staleness, one update, scores by rule, by
            default.
        train_precisions, rollout_precisions: to try; the quickest is kept.
        engines: serving stacks of the rollouts; those that take weights in place by default.
        maturity, serving_maturity: software speeds relative to the calibrations' releases.
        host: the way to the hosts' memory, for colocated state; PCIe 5 where None.
        failures, box, network_w_per_chip: as `pretraining`.

    Raises:
        InputError: numbers out of range, an unknown mode or placement, or one that can not be run ahead. Infeasible: the model
            fits neither or only one side; says which.
    """
    job = Job(
        arch, chip, asked, scoring or Scoring(), learning or Learning(), ahead or Ahead(),
        default_fabric(chip) if fabric is None else fabric, host, tuple(train_precisions), tuple(rollout_precisions),
        tuple(engines), maturity, serving_maturity, mode, stack,
    )  # fmt: skip
    _check(job, steps, chips)
    if job.ahead.placement == "colocated":
        made = sides(job, chips, chips, update_of(job, chips))
    else:
        made = split(job, chips, box.chips_per_node if box is not None else 8)
    rows, notes = _rows(job, made, steps)
    tracks = tuple({p.track: p for p in rows if p.runs != "idle"}.values())
    trained = float(parameters(arch)) * (ADAPTER_SHARE if job.learning.lora else job.learning.trained)
    lost, note, spare = interruptions(failures, trained, tracks, made.step_s * steps, waiting_w(chip))
    run = job_run(
        name,
        [*rows, *lost],
        chip,
        box=box,
        network_w_per_chip=network_w_per_chip,
        notes=[*notes, note],
        spare_chips=spare,
    )
    kept = made.batch if made.stream is None else made.stream
    bound = what_binds(made.parts, job.ahead.mode, made.step_s)
    return PostTraining(run, made.step_s, made.parts, made.rollout_chips, made.train_chips, kept, made.found, bound)


def _rows(job: Job, made: Sides, steps: float) -> tuple[list[Phase], list[str]]:
    """Phases of all steps without failures, and notes."""
    ahead, asked, found = job.ahead, job.asked, made.found
    drain = constants()["drain"]
    idle_w = waiting_w(job.chip)
    one = ahead.placement == "colocated"
    other = 0 if one else 1
    low, high = 1 / found.high, 1 / found.low
    kept: Batch | Stream = made.batch if made.stream is None else made.stream
    if isinstance(kept, Batch):
        half = float(np.hypot(np.log(kept.high), drain))
        busy_s, bound, peak_w = (
            kept.seconds,
            "the longest answers" if kept.tail_share > 0.5 else "rollouts",
            kept.peak_chip_w,
        )
    else:
        half, busy_s, bound, peak_w = (
            float(np.log(kept.high)),
            asked.samples / kept.samples_per_s,
            "rollouts",
            kept.chip_w,
        )
    factors = {"low": float(np.exp(-half)), "high": float(np.exp(half))}
    written = asked.tokens * steps
    rows = [
        Phase("rollouts", "serve", made.rollout_chips, busy_s * steps, kept.chip_w, written, bound, 0, peak_w, **factors),
        Phase("scores by a model", "serve", made.rollout_chips, made.score_s * steps, kept.chip_w, 0.0, "prompts", 0,
              **factors),
        Phase("log-probabilities", "train", made.train_chips, made.forward_s * steps, found.chip_w, 0.0, found.bound, other,
              low=low, high=high),
        Phase("updates", "train", made.train_chips, made.update_s * steps, found.chip_w, job.trained_tokens * steps,
              found.bound, other, low=low, high=high),
    ]  # fmt: skip
    for track, chips in ((0, made.rollout_chips),) if one else ((0, made.rollout_chips), (1, made.train_chips)):
        rest_s = made.step_s - sum(p.wall_s for p in rows if p.track == track) / steps
        name = (
            "weights, switching, scoring" if one else ("waiting for updates" if track == 0 else "waiting for rollouts")
        )
        rows.append(Phase(name, "idle", chips, max(rest_s, 0.0) * steps, idle_w, track=track, load=0.0))
    rollouts = f"{kept.mapping} {kept.precision} {kept.engine}, {kept.replicas:,.0f} replicas"
    notes = [
        f"{ahead.mode}, {ahead.placement}: {made.step_s:,.4g} s a step; {what_binds(made.parts, ahead.mode, made.step_s)} bind",
        f"rollouts on {made.rollout_chips:,.0f} chips: {rollouts}; {made.batch.seconds:.4g} s to the last answer of a batch"
        + (f", {busy_s:.4g} s for as many in a stream" if made.stream is not None else ""),
        f"updates on {made.train_chips:,.0f} chips: {found.mapping} {found.precision}, {made.update_s:.4g} s a step with "
        f"{made.forward_s:.4g} s of forward passes before; weights reach the engines in {made.parts.sync_s:.3g} s",
        f"answers of {asked.answers.mean:,.0f} tokens on average, at most {asked.answers.cut:,.0f}, "
        f"sigma {asked.answers.sigma:g}",
    ]
    return rows, notes


def _check(job: Job, steps: float, chips: int) -> None:
    ahead, learning = job.ahead, job.learning
    problems = []
    for label, value, least in (("steps", steps, 1), ("chips", chips, 2), ("updates", learning.updates, 1)):
        if not value >= least:
            problems.append(Problem("out_of_range", f"{label} is {value:g}; it must be at least {least}"))
    if ahead.mode not in MODES:
        problems.append(unknown_name("mode of post-training", ahead.mode, MODES))
    if ahead.placement not in PLACEMENTS:
        problems.append(unknown_name("placement", ahead.placement, PLACEMENTS))
    if ahead.placement == "colocated" and ahead.mode in ("one-step-off", "asynchronous"):
        hint = "placement disaggregated, or mode synchronous"
        message = f"{ahead.mode} rollouts run beside the updates, and on the same chips they take turns"
        problems.append(Problem("conflict", message, None, (hint,)))
    if not ahead.staleness >= 0:
        problems.append(Problem("out_of_range", f"staleness is {ahead.staleness:g}; it can not be negative"))
    if ahead.rollout_share is not None and not 0 < ahead.rollout_share < 1:
        message = f"the share of the chips for rollouts is {ahead.rollout_share:g}; it lies between 0 and 1"
        problems.append(Problem("out_of_range", message))
    if not (job.scoring.cpu_s >= 0 and job.scoring.places > 0):
        problems.append(Problem("out_of_range", "scoring takes seconds that are not negative, on at least one place"))
    if problems:
        raise InputError(problems)
    job.asked.check()
