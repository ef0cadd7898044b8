"""Answers sampled from a model: how long a batch takes to its last answer, and what a stream of them makes a second.

    to the last    s = prompts + fill + integral over x of step(b(x), prompt + x)
        b(x)       = C ((1 - w) S(x) + w S_e(x)) of a replica's C places decode x tokens after the queue ran dry; never below
        the
                     one that is the longest of all
        w          = min((q - C) / C, 1), q answers a replica: of more than fit, those under way have ages (S_e, see `lengths`)
        fill       = mean (q / C - (1 - w) - w E[L^2] / (2 mean^2)) step(C): the work before that, none where all fit
    stream         answers/s of a replica in steady state with C at once; more wait where answers stop for tools

One prompt is read once for its group (prefix cache). Answers that wait for an environment W seconds in all keep their place and
decode for the share u = decode / (decode + W) of their time; in steps of the start their length is then L + W / step, matched
by mean and variance, and the share 1 - u of it passes at that pace. Step times are the serving model's, with the context as
it grows; every layout, precision and engine is tried, and the quickest kept. Checked against a replay in tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible, InputError, Problem
from gigawatt.physics.chip import Chip, PowerMode, chip_watts
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.jobs.lengths import Lengths
from gigawatt.physics.serving.engine.deployment import Deployment, take
from gigawatt.physics.serving.engine.layouts import layouts
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import served_model
from gigawatt.physics.serving.engine.step import decode_step
from gigawatt.physics.serving.power import phases_of
from gigawatt.physics.serving.search.combos import Side, engines_of, side
from gigawatt.physics.serving.search.frontier import throughput_half_width
from gigawatt.physics.serving.steady.aggregated import Load, steady_state
from gigawatt.physics.workload.architecture import Architecture

Floats = NDArray[np.float64]
POINTS = 65  # of the integral over the tail
MOST_AT_ONCE = 1024  # answers that an engine decodes at once on a replica (engines' own limits are 256 to 2,048)
LADDER = np.unique(np.round(2.0 ** np.arange(0.0, 10.01, 0.25)))


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is sampled: `prompts` of `prompt_tokens`, each answered `group` times; `wait_s` an answer waits for tools in all.

    `wait_sigma` is of the logarithm of that wait.
    """

    prompts: float
    group: float
    prompt_tokens: float
    answers: Lengths
    wait_s: float = 0.0
    wait_sigma: float = 0.5

    @property
    def samples(self) -> float:
        return self.prompts * self.group

    @property
    def tokens(self) -> float:
        """Read (once a group) and written."""
        return self.prompts * self.prompt_tokens + self.samples * self.answers.mean

    def check(self) -> None:
        """Refuse what can not be sampled.

        Raises:
            InputError: counts or tokens that are not above zero, negative waits; all at once.
        """
        problems = [
            Problem("out_of_range", f"{name.replace('_', ' ')} is {value:g}; it must be above zero")
            for name, value in (
                ("prompts", self.prompts),
                ("group", self.group),
                ("prompt_tokens", self.prompt_tokens),
            )
            if not value > 0
        ]
        if not (self.wait_s >= 0 and self.wait_sigma >= 0):
            problems.append(
                Problem("out_of_range", f"waiting for tools takes {self.wait_s:g} s; it can not be negative")
            )
        if problems:
            raise InputError(problems)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of answers to its last one.

    `ended` are shares of the answers, rising, and `ended_s` when so many have ended. `chip_w` is the mean over all the time.
    """

    mapping: str
    precision: str
    engine: str
    replicas: float
    at_once: float
    seconds: float
    ended: Floats
    ended_s: Floats
    chip_w: float
    peak_chip_w: float
    low: float
    high: float

    def until_s(self, share: float) -> float:
        """Seconds until a share of the answers has ended; all of them where 1."""
        return self.seconds if share >= 1.0 else float(np.interp(share, self.ended, self.ended_s))

    @property
    def tail_share(self) -> float:
        """Of the time, what passes after nine in ten answers have ended."""
        return 1.0 - self.until_s(0.9) / self.seconds


@dataclass(frozen=True, slots=True)
class Stream:
    """Answers without a barrier: `samples_per_s` on all chips, `in_flight` answers under way, `latency_s` of one.

    `lost_s` is what the engines lose of their time at an update of the weights, beside the update itself.
    """

    mapping: str
    precision: str
    engine: str
    replicas: float
    samples_per_s: float
    in_flight: float
    latency_s: float
    lost_s: float
    chip_w: float
    low: float
    high: float


def fluid(
    samples: float, at_once: float, answers: Lengths, total: float, points: int = POINTS
) -> tuple[Floats, Floats, float]:
    """Steps after the queue ran dry (x), answers that still decode on a replica there (b), and steps at full load before it.

    Args:
        samples: answers a replica gets.
        at_once: places of a replica.
        answers: lengths, in steps.
        total: answers over all replicas: the longest of them ends the batch.
    """
    places = min(at_once, samples)
    aged = min(max(samples / places - 1.0, 0.0), 1.0)
    before = samples / places - (1.0 - aged) - aged * answers.second_moment / (2.0 * answers.mean**2)
    replicas = total / samples
    last = (1.0 - aged) * answers.longest(total) + aged * answers.longest(places * replicas, left=True)
    x = np.concatenate([[0.0], np.geomspace(max(last * 1e-3, 1e-6), last, points - 1)])
    inside = np.minimum(x, answers.cut * (1.0 - 1e-12))
    alive = (1.0 - aged) * answers.survival(inside) + aged * answers.residual(inside)
    return x, np.maximum(places * alive, min(1.0, places)), answers.mean * max(before, 0.0)


def in_steps(answers: Lengths, wait_s: float, wait_sigma: float, step_s: float, total: float) -> Lengths:
    """Lengths in decode steps where an answer also waits: the sum of both, as one log-normal of its mean and variance."""
    if wait_s == 0.0:
        return answers
    mean = answers.mean + wait_s / step_s
    of_answers = answers.second_moment - answers.mean**2
    of_waits = (wait_s / step_s) ** 2 * np.expm1(wait_sigma**2)
    sigma = float(np.sqrt(np.log1p((of_answers + of_waits) / mean**2)))
    longest_wait = wait_s / step_s * np.exp(wait_sigma * np.sqrt(2.0 * np.log(max(total, 2.0))) - wait_sigma**2 / 2.0)
    return Lengths(mean, sigma, max(answers.cut + longest_wait, mean * 1.01))


def batch(
    arch: Architecture,
    chip: Chip,
    asked: Sampling,
    chips: float,
    *,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    most_at_once: float = MOST_AT_ONCE,
) -> Batch:
    """The quickest way to the last of a batch of answers on `chips` chips.

    Raises:
        InputError: what can not be sampled. Infeasible: no replica fits the chips.
    """
    asked.check()
    found, rows = _laid(arch, chip, asked, chips, fabric, precisions, engines, maturity, mode)
    d = take(found.base, rows)
    replicas = np.floor(chips / d.chips)
    answers, prompt = asked.answers, asked.prompt_tokens
    each = asked.samples / replicas
    resident = np.full(len(rows), min(answers.weighted_mean, answers.cut))
    room = np.minimum(np.maximum(np.floor(max_requests(d, np.full(len(rows), prompt), resident)), 1.0), most_at_once)
    places = np.minimum(room, each)
    state = steady_state(d, Load.of(prompt, answers.mean, np.maximum(places, 1.0), output_cv=answers.cv))
    step0 = state.step_s / d.yields
    share = answers.mean * step0 / (answers.mean * step0 + asked.wait_s)  # of a place's time in which it decodes
    grids = [
        fluid(
            each[i],
            room[i],
            in_steps(answers, asked.wait_s, asked.wait_sigma, float(step0[i]), asked.samples),
            asked.samples,
        )
        for i in range(len(rows))
    ]
    x, alive, before = (np.array(part) for part in zip(*grids, strict=True))
    step, watts = _tail(found, rows, prompt + np.minimum(x, answers.cut), alive, share, step0)
    widths = np.diff(x, axis=1)
    tail = (0.5 * (step[:, 1:] + step[:, :-1]) * widths).sum(axis=1)
    prompts_s = asked.prompts / replicas * state.each_s
    fill = before * step0
    seconds = prompts_s + fill + tail
    energy = (0.5 * (step[:, 1:] * watts[:, 1:] + step[:, :-1] * watts[:, :-1]) * widths).sum(axis=1)
    energy = energy + watts[:, 0] * (prompts_s + fill)
    k = int(np.argmin(seconds))
    passed = np.append(0.0, np.cumsum(0.5 * (step[k, 1:] + step[k, :-1]) * widths[k]))
    ended = np.append(0.0, 1.0 - np.append(alive[k, :-1], 0.0) / each[k])
    ended_s = prompts_s[k] + np.append(0.0, fill[k] + passed)
    combo = found.combos[rows[k]]
    half = float(throughput_half_width(chip, np.array([False]), d.kernels.half_width[k : k + 1])[0])
    # Chips beyond whole replicas wait.
    used = float(replicas[k] * d.chips[k] / chips)
    idle_w = float(chip_watts(chip, 0.0, 0.0, 0.0, mode))
    return Batch(
        combo.layout.name,
        combo.precision,
        combo.engine,
        float(replicas[k]),
        float(places[k]),
        float(seconds[k]),
        np.maximum.accumulate(ended),
        ended_s,
        used * float(energy[k] / seconds[k]) + (1.0 - used) * idle_w,
        used * float(watts[k].max()) + (1.0 - used) * idle_w,
        float(np.exp(-half)),
        float(np.exp(half)),
    )


def _tail(
    found: Side, rows: NDArray[np.intp], context: Floats, alive: Floats, share: Floats, step0: Floats
) -> tuple[Floats, Floats]:
    """Seconds of a step and watts of a chip along the tail: configurations (`rows`) x points.

    Args:
        context: tokens before an answer's next one, at each point.
        alive: answers of a replica that have not ended.
        share: of a place's time in which it decodes; the rest waits, in steps of the start (`step0` seconds).
    """
    points = alive.shape[1]
    wide = take(found.base, np.repeat(rows, points))
    decoding = np.maximum(alive * share[:, None], np.minimum(1.0, alive))
    parts = decode_step(wide, decoding.ravel(), context.ravel())
    pace = parts.total.reshape(alive.shape) / take(found.base, rows).yields[:, None]
    step = share[:, None] * pace + (1.0 - share[:, None]) * step0[:, None]
    peak = np.maximum(wide.chip.dense_flops, wide.chip.bf16_flops)
    phases = phases_of(parts, 0.0, peak, wide.chip.memory_bytes_per_s)
    return step, found.watts(phases, np.repeat(rows, points)).reshape(alive.shape)


def stream(
    arch: Architecture,
    chip: Chip,
    asked: Sampling,
    chips: float,
    *,
    ahead: float = np.inf,
    partial: bool = True,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    most_at_once: float = MOST_AT_ONCE,
) -> Stream:
    """The quickest steady stream of answers on `chips` chips.

    Args:
        ahead: batches of `asked.samples` that may be under way beside the first.
        partial: at new weights, once a batch, replicas read their unfinished answers again; else they end them first, with ever
            fewer at once. Configurations are compared with that loss, so that many answers at once count as what they cost.

    Raises:
        InputError: what can not be sampled. Infeasible: no replica fits the chips.
    """
    asked.check()
    answers, prompt = asked.answers, asked.prompt_tokens
    found, laid = _laid(arch, chip, asked, chips, fabric, precisions, engines, maturity, mode)
    rows = np.repeat(laid, len(LADDER))
    d = take(found.base, rows)
    load = Load.of(
        prompt, answers.mean, np.tile(LADDER, len(laid)), cached_share=1.0 - 1.0 / asked.group, output_cv=answers.cv
    )
    state = steady_state(d, load)
    replicas = np.floor(chips / d.chips)
    latency = load.concurrency / state.requests_per_s
    held = state.requests_per_s * (
        latency + asked.wait_s
    )  # by a replica: answers that decode, and those that wait for tools
    fits = (held <= np.maximum(state.max_requests, 1.0)) & (held <= most_at_once)
    fits |= (load.concurrency == 1) & (not fits.any())
    flow = np.minimum(state.requests_per_s * replicas, (1.0 + ahead) * asked.samples / (latency + asked.wait_s))
    busy = flow / (state.requests_per_s * replicas)
    mine = held * busy
    lost = _update_loss(d, asked, mine, partial, most_at_once)
    k = int(np.argmin(np.where(fits, asked.samples / flow + lost, np.inf)))
    used = float(busy[k] * replicas[k] * d.chips[k] / chips)  # the share of chips and time that is not spent waiting
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    stall = (state.tpot_s - state.step_s / d.yields) * d.yields
    phases = replace(
        phases_of(state.parts, stall, peak, d.chip.memory_bytes_per_s),
        compute_util=state.flops_per_s / peak,
        memory_util=state.bytes_per_s / d.chip.memory_bytes_per_s,
    )
    one = np.array([k])
    watts = float(found.watts(phases.take(one), rows[one])[0])
    half = float(throughput_half_width(chip, np.array([False]), d.kernels.half_width[one])[0])
    combo = found.combos[rows[k]]
    return Stream(
        combo.layout.name,
        combo.precision,
        combo.engine,
        float(replicas[k]),
        float(flow[k]),
        float(mine[k] * replicas[k]),
        float(latency[k] + asked.wait_s),
        float(lost[k]),
        used * watts + (1.0 - used) * float(chip_watts(chip, 0.0, 0.0, 0.0, mode)),
        float(np.exp(-half)),
        float(np.exp(half)),
    )


def _update_loss(d: Deployment, asked: Sampling, mine: Floats, partial: bool, most_at_once: float) -> Floats:
    """Seconds that a replica with `mine` answers under way loses at an update of the weights, beside the update itself."""
    answers, prompt = asked.answers, asked.prompt_tokens
    # An answer under way holds half of the length that a random token belongs to, on average.
    half_way = 0.5 * answers.weighted_mean
    if partial:
        return np.asarray(mine * steady_state(d, Load.of(prompt + half_way, 1.0, np.maximum(mine, 1.0))).each_s)
    # With steps that grow straight with the answers in them, ending them takes what is left of the longest beyond the mean
    # at the pace of a lone answer longer than the same work does among others.
    alone = decode_step(d, np.ones(mine.size), np.full(mine.size, prompt + answers.weighted_mean)).total / d.yields
    longest = np.interp(np.log(np.maximum(mine, 1.0)), *_longest_left(answers, most_at_once))
    return np.asarray(np.maximum(longest - half_way, 0.0) * alone + asked.wait_s)


def _longest_left(answers: Lengths, most: float) -> tuple[Floats, Floats]:
    """The logarithm of a number of answers under way, and the tokens that the longest of them has left."""
    counts = np.unique(np.round(np.geomspace(1.0, max(most, 2.0), 12)))
    return np.log(counts), np.array([answers.longest(float(n), left=True) for n in counts])


def _laid(
    arch: Architecture,
    chip: Chip,
    asked: Sampling,
    chips: float,
    fabric: Fabric | None,
    precisions: Sequence[str],
    engines: Sequence[str],
    maturity: float,
    mode: PowerMode,
) -> tuple[Side, NDArray[np.intp]]:
    """Every configuration, and the rows of those whose replica fits the chips and its weights."""
    wired = default_fabric(chip) if fabric is None else fabric
    plans = [p for p in layouts(served_model(arch), wired.domain) if p.chips <= chips]
    load = Load.of(asked.prompt_tokens, asked.answers.mean, 1.0)
    stacks = tuple(engines) or engines_of(chip)
    found = side(
        arch, chip, wired, plans, load, precisions=tuple(precisions), engines=stacks, modes=(mode,), maturity=maturity
    )
    if found is None or not found.fits.any():
        raise Infeasible(*_no_room(arch, chip, chips))
    return found, np.flatnonzero(found.fits)


def _no_room(arch: Architecture, chip: Chip, chips: float) -> tuple[str, list[str]]:
    needs = float(served_model(arch).weights) * 2.0 / (0.8 * chip.memory_bytes)
    fix = f"at least {int(np.ceil(needs))} chips of {chip.memory_bytes / 1e9:.0f} GB hold its 16-bit weights, or fp8 weights"
    return f"'{arch.name}' does not fit {chips:g} chips of {chip.name} for rollouts: {fix}", [fix]
