"""Seconds of one step of reinforcement learning from the seconds of its parts, by how far rollouts may run ahead.

    G  rollout to its last answer     D(p)  to a share p of the answers     g  the same answers as a stream (no barrier)
    l  mean time of one answer        U  log-probabilities and update       S  weights to the engines
    P  what engines lose at new weights                                     O  what else a synchronous step waits for

    synchronous                   T = G + U + S + O                   (and switching, on the same chips)
    one step off                  T = max(G, U) + S                   the next batch is sampled while this one is trained on
    asynchronous, staleness n     T = max(g + P, U + S, ahead)
        ahead                     = D(1 / (1 + n)) + U + S + O        the first that end of (1 + n) batches are trained on
                              or  = (l + U + S) / (n + 1/2), if less, from n = 1/2 on
        ahead, strict             = (G + U + S + O) / (1 + n)         no answer is older than n steps: the longest is waited for

Answers are begun while fewer than 1 + n batches of them are under way (begun and not trained on), so that (1 + n) batches =
rate x time in the system (Little); answers wait half a step on average until their batch is whole. At n = 0 it is the
synchronous step; far beyond 1 the slower of both sides rules. A replay of every answer agrees within 17 %, best at n = 0 and
n >= 2 (tests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.jobs.rollout import Batch

Mode = Literal["synchronous", "one-step-off", "asynchronous"]
MODES: tuple[Mode, ...] = ("synchronous", "one-step-off", "asynchronous")


@dataclass(frozen=True, slots=True)
class Parts:
    """Seconds of a step's parts; names as in the module's formulas."""

    batch: Batch
    stream_s: float
    answer_s: float
    update_s: float
    sync_s: float = 0.0
    pause_s: float = 0.0
    other_s: float = 0.0

    @property
    def synchronous_s(self) -> float:
        return self.batch.seconds + self.update_s + self.sync_s + self.other_s


def step_seconds(parts: Parts, mode: Mode, staleness: float = 1.0, strict: bool = False) -> float:
    """Seconds of a step.

    Args:
        parts: seconds of what it is made of.
        mode: how far rollouts run ahead.
        staleness: n; a fraction is that share of a batch. Only of the asynchronous mode.
        strict: no answer is trained on more than n steps after the weights that it was begun with.

    Raises:
        InputError: an unknown mode, negative staleness.
    """
    if mode not in MODES:
        raise InputError(unknown_name("mode of post-training", mode, MODES))
    if not staleness >= 0:
        raise InputError(Problem("out_of_range", f"staleness is {staleness:g}; it can not be negative"))
    whole, trained = parts.synchronous_s, parts.update_s + parts.sync_s
    if mode == "synchronous":
        return whole
    if mode == "one-step-off":
        return max(parts.batch.seconds, parts.update_s) + parts.sync_s
    if strict:
        ahead = whole / (1.0 + staleness)
    else:
        ahead = parts.batch.until_s(1.0 / (1.0 + staleness)) + trained + parts.other_s
        if staleness >= 0.5:
            ahead = min(ahead, (parts.answer_s + trained) / (staleness + 0.5))
    return min(max(parts.stream_s + parts.pause_s, trained, ahead), whole)


def what_binds(parts: Parts, mode: Mode, step_s: float) -> str:
    """What a step waits for most, in words."""
    if mode == "synchronous":
        tail = parts.batch.seconds * parts.batch.tail_share
        shares = {
            "the longest answers": tail,
            "rollouts": parts.batch.seconds - tail,
            "updates": parts.update_s,
            "weights and the rest": parts.sync_s + parts.other_s,
        }
        return max(shares, key=lambda name: shares[name])
    if mode == "one-step-off":
        return "updates" if parts.update_s >= parts.batch.seconds else "rollouts to the longest answer"
    if step_s <= (parts.update_s + parts.sync_s) * 1.001:
        return "updates"
    return "rollouts" if step_s <= (parts.stream_s + parts.pause_s) * 1.001 else "staleness"
