"""Seconds of one step of reinforcement learning from the seconds of its parts, by how far rollouts may run ahead.

    G  rollout to its last answer     D(p)  to a share p of the answers     g  the same answers as a stream (no barrier)
    l  mean time of one answer        U  passes and updates, M of them      S  weights to the engines
    P  what engines lose at new weights                                     O  what else a synchronous step waits for

    ahead(n)                      = max over k = 1 .. M of D(k / (M (1 + n))) + U (M - k + 1) / M,  and S + O
    synchronous                   T = ahead(0)                        on the same chips G + U + S + O, and switching
    one step off                  T = max(G, U) + S                   the next batch is sampled while this one is trained on
    asynchronous, staleness n     T = max(g + P, U + S, ahead(n))     or in place of ahead, if less, from n = 1/2 on
                                      (l + U / M + S) / (n + 1/2)
        strict                    T = max(g + P, U + S, ahead(0) / (1 + n))     no answer is older: the longest is waited for

On chips of its own the trainer takes each of its M updates' share of the answers as they end, and sends weights after the last.
Answers are begun while fewer than 1 + n batches of them are under way (begun and not trained on), so that (1 + n) batches =
rate x time in the system (Little); answers wait half a step on average until all are there. With M = 1 and n = 0 it is
G + U + S + O; far beyond n = 1 the slower of both sides rules. A replay of every answer agrees within 17 % (tests).
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
    """Seconds of a step's parts; names as in the module's formulas. `updates` are M, 1 where both sides take turns."""

    batch: Batch
    stream_s: float
    answer_s: float
    update_s: float
    sync_s: float = 0.0
    pause_s: float = 0.0
    other_s: float = 0.0
    updates: int = 1

    def ahead_s(self, staleness: float) -> float:
        """Of a trainer that takes the first answers that end of (1 + staleness) batches, an update's share at a time."""
        m = self.updates
        last = max(
            self.batch.until_s(k / (m * (1.0 + staleness))) + self.update_s * (m - k + 1) / m for k in range(1, m + 1)
        )
        return last + self.sync_s + self.other_s


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
    whole, trained = parts.ahead_s(0.0), parts.update_s + parts.sync_s
    if mode == "synchronous":
        return whole
    if mode == "one-step-off":
        return min(max(parts.batch.seconds, parts.update_s) + parts.sync_s, whole)
    if strict:
        ahead = whole / (1.0 + staleness)
    else:
        ahead = parts.ahead_s(staleness)
        if staleness >= 0.5:
            ahead = min(ahead, (parts.answer_s + parts.update_s / parts.updates + parts.sync_s) / (staleness + 0.5))
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
