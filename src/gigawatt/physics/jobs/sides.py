"""Which chips sample and which train: a step of reinforcement learning on either side's chips, and the best share of them.

update   = samples x (prompt + answer) / tokens a second of the best mapping, at the length that a random token belongs to
forward  = update / 3 for each pass: old policy, reference, critic; a critic is trained too
scores   = on processors: samples x seconds / places, hidden behind rollouts as far as they last
           by a model: prompts of the length of an answer, on the rollout chips
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gigawatt.core.errors import Infeasible, InputError, Problem
from gigawatt.physics.chip import Chip, HostPath, PowerMode
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.loop import Mode, Parts, step_seconds
from gigawatt.physics.jobs.points import Found, fastest
from gigawatt.physics.jobs.rollout import Batch, Sampling, Stream, batch, stream
from gigawatt.physics.jobs.searches import best_mapping, frontier
from gigawatt.physics.jobs.weights import constants, switch_seconds, sync_seconds
from gigawatt.physics.training import evaluate
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture

Placement = Literal["colocated", "disaggregated"]
PLACEMENTS: tuple[Placement, ...] = ("colocated", "disaggregated")
COARSE = 8  # shares of the chips are tried in steps of an eighth, then half a step beside the best
LENGTH_STEP = 256  # tokens to which the length of an update's sequences is rounded up


@dataclass(frozen=True, slots=True)
class Scoring:
    """How answers are scored: by rule or in a sandbox on processors (`cpu_s` an answer, `places` at once), and by a model.

    The model reads prompt and answer and writes `judge_tokens`.
    """

    cpu_s: float = 0.0
    places: float = 1024.0
    model: Architecture | None = None
    judge_tokens: float = 1.0


@dataclass(frozen=True, slots=True)
class Learning:
    """What a step trains: `updates` optimizer steps of its samples; which passes come before; adapters alone with `lora`.

    Without `old_policy` the log-probabilities of the rollout engines are used as they are.
    """

    updates: int = 1
    old_policy: bool = True
    reference: bool = False
    critic: bool = False
    lora: bool = False

    @property
    def passes(self) -> int:
        """Forward passes over all samples before the update."""
        return int(self.old_policy) + int(self.reference) + int(self.critic)

    @property
    def trained(self) -> int:
        """Models that are updated."""
        return 2 if self.critic else 1


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far rollouts run ahead of updates, and where both are. `partial`: new weights interrupt answers, which go on with
    them; else they end first. `rollout_share` of the chips sample where it is given, else the best share does."""

    mode: Mode = "asynchronous"
    placement: Placement = "disaggregated"
    staleness: float = 1.0
    strict: bool = False
    partial: bool = True
    rollout_share: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The question, with what does not depend on the chips of either side."""

    arch: Architecture
    chip: Chip
    asked: Sampling
    scoring: Scoring
    learning: Learning
    ahead: Ahead
    fabric: Fabric
    host: HostPath | None
    train_precisions: tuple[str, ...]
    rollout_precisions: tuple[str, ...]
    engines: tuple[str, ...]
    maturity: float
    serving_maturity: float
    mode: PowerMode
    stack: str

    @property
    def trained_tokens(self) -> float:
        return self.asked.samples * (self.asked.prompt_tokens + self.asked.answers.mean)

    def sampler(self) -> dict[str, Any]:
        return {
            "fabric": self.fabric,
            "precisions": self.rollout_precisions,
            "engines": self.engines,
            "maturity": self.serving_maturity,
            "mode": self.mode,
        }


@dataclass(frozen=True, slots=True)
class Sides:
    """One way to share out the chips, and its step."""

    rollout_chips: float
    train_chips: float
    batch: Batch
    stream: Stream | None
    found: Found
    parts: Parts
    update_s: float
    forward_s: float
    score_s: float
    switch_s: float
    step_s: float


def update_of(job: Job, chips: float) -> Found:
    """The best mapping of the update on so many chips: micro-batches with room for the longest answer, filled with several.

    Mappings are looked for at the longest answer's length, whose activations they hold; the tokens of a micro-batch then belong
    to answers of the length of a random token's, whose attention is timed instead.
    """
    answers, prompt = job.asked.answers, job.asked.prompt_tokens
    seq = int(np.ceil((prompt + answers.cut) / LENGTH_STEP) * LENGTH_STEP)
    sequences = max(round(job.trained_tokens / seq / job.learning.updates), 1)
    points = best_mapping(
        job.arch, job.chip, fabric=job.fabric, chips=int(chips), seq=seq, global_batch=_even(sequences),
        precisions=job.train_precisions, maturity=job.maturity, modes=(job.mode,), stack=job.stack, lora=job.learning.lora,
    )  # fmt: skip
    subject = f"the update of '{job.arch.name}' on {chips:,.0f} chips of {job.chip.name}"
    if not len(points):
        return fastest(points, subject)
    shorter = min((prompt + answers.weighted_mean) / seq, 1.0)
    gains = np.ones(len(points))
    for precision in set(points.precision):
        rows = np.flatnonzero(points.precision == precision)
        whole = points.layout.take(rows)
        packed = replace(whole, seq=whole.seq * shorter, micro_batch=whole.micro_batch / shorter,
                         global_batch=whole.global_batch / shorter)  # fmt: skip
        times = [
            evaluate(job.arch, job.chip, mapping, str(precision), fabric=job.fabric, stack=job.stack).step_s
            for mapping in (whole, packed)
        ]
        gains[rows] = times[0] / times[1]
    return fastest(points, subject, gains)


def _even(sequences: int) -> int:
    """A batch that many groups of chips divide: the nearest number with as many twos as 6 % of rounding allow."""
    for power in range(sequences.bit_length() - 1, -1, -1):
        near = max(round(sequences / (1 << power)), 1) << power
        if abs(near - sequences) <= 0.06 * sequences:
            return near
    return sequences


def sides(job: Job, rollout_chips: float, train_chips: float, found: Found) -> Sides:
    """A step with so many chips on either side."""
    ahead, learning, asked = job.ahead, job.learning, job.asked
    fixed = constants()
    rate = found.tokens_per_s_per_chip * train_chips
    update_s = learning.trained * job.trained_tokens / rate
    forward_s = learning.passes * fixed["forward_over_update"] * job.trained_tokens / rate
    whole = batch(job.arch, job.chip, asked, rollout_chips, **job.sampler())
    score_s = _score_seconds(job, rollout_chips)
    cpu_s = asked.samples * job.scoring.cpu_s / job.scoring.places
    late_s = max(min(job.scoring.cpu_s, cpu_s), cpu_s - whole.seconds)
    colocated = ahead.placement == "colocated"
    weights = float(parameters(job.arch))
    sync_s = sync_seconds(weights, whole.precision, rollout_chips, job.fabric, lora=learning.lora)
    switch_s = (
        switch_seconds(weights * learning.trained, train_chips, job.host, lora=learning.lora) if colocated else 0.0
    )
    flow: Stream | None = None
    stream_s, answer_s, pause_s = whole.seconds, whole.seconds, sync_s
    if ahead.mode == "asynchronous":
        flow = stream(
            job.arch,
            job.chip,
            asked,
            rollout_chips,
            ahead=ahead.staleness,
            partial=ahead.partial,
            **job.sampler(),
        )
        stream_s, answer_s = asked.samples / flow.samples_per_s, flow.latency_s
        pause_s = sync_s + flow.lost_s
    parts = Parts(
        replace(whole, seconds=whole.seconds + score_s),
        max(stream_s + score_s, cpu_s),
        answer_s + job.scoring.cpu_s,
        update_s + forward_s,
        sync_s,
        pause_s,
        late_s + fixed["other_s"] + switch_s,
        1 if colocated else learning.updates,
    )
    step_s = step_seconds(parts, ahead.mode, ahead.staleness, ahead.strict)
    return Sides(rollout_chips, train_chips, whole, flow, found, parts, update_s, forward_s, score_s, switch_s, step_s)


def _score_seconds(job: Job, chips: float) -> float:
    """Seconds in which a model scores all samples on `chips` chips."""
    judge = job.scoring.model
    if judge is None:
        return 0.0
    asked = job.asked
    points = frontier(
        judge, job.chip, fabric=job.fabric, input_tokens=asked.prompt_tokens + asked.answers.mean,
        output_tokens=max(job.scoring.judge_tokens, 1.0), precisions=job.rollout_precisions, maturity=job.serving_maturity,
        modes=(job.mode,),
    )  # fmt: skip
    if points.best is None:
        fix = points.rejected[0].nearest_fix if points.rejected else ""
        raise InputError(Problem("no_room", f"the model that scores, '{judge.name}', fits no replica: {fix}"))
    answers_per_s = float(points.tokens_out_per_s_per_chip[points.best]) / max(job.scoring.judge_tokens, 1.0)
    return asked.samples / (answers_per_s * chips)


def split(job: Job, chips: int, node: int) -> Sides:
    """The share of the chips for rollouts whose steps are quickest, in whole nodes."""
    if chips < 2 * node:
        node = max(chips // 2, 1)
    share = job.ahead.rollout_share
    nodes = chips // node
    tried: dict[int, Sides] = {}

    def at(part: float) -> int:
        count = min(max(round(part * nodes), 1), nodes - 1)
        if count not in tried:
            rollout = count * node
            tried[count] = sides(job, rollout, chips - rollout, update_of(job, chips - rollout))
        return count

    def quickest() -> int:
        return min(tried, key=lambda count: (tried[count].step_s, count))

    if share is not None:
        return tried[at(share)]
    failed: Infeasible | None = None
    for k in range(1, COARSE):
        try:
            at(k / COARSE)
        except Infeasible as why:
            failed = why
    if not tried:
        assert failed is not None
        raise failed
    best = quickest() / nodes
    for nearby in (best - 0.5 / COARSE, best + 0.5 / COARSE):
        with suppress(Infeasible):
            at(nearby)
    return tried[quickest()]
