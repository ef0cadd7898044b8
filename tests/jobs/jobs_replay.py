"""A replay of rollouts and training, answer by answer: the oracle of the closed forms.

Replicas decode in continuous batching: all of a replica's answers gain one token in a step, whose seconds depend on how many
they are. Answers wait for a place in a queue; answers with waits for tools leave the decoding set for a while and keep their
place.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

import numpy as np

Step = Callable[[float], float]


class Replica:
    """Decodes in a virtual clock of tokens: every answer that decodes ends when the clock has moved by its length."""

    def __init__(self, places: int, step: Step) -> None:
        self.places, self.step = places, step
        self.clock, self.now = 0.0, 0.0
        self.ends: list[tuple[float, int]] = []  # (clock at the end, answer)
        self.away: list[tuple[float, int, float]] = []  # (back at this time, answer, tokens left)

    @property
    def held(self) -> int:
        return len(self.ends) + len(self.away)

    def add(self, answer: int, tokens: float, wait_s: float) -> None:
        """An answer that decodes half, waits, and decodes the rest."""
        if wait_s > 0:
            heapq.heappush(self.ends, (self.clock + tokens / 2, -answer - 1))
            self.pending[answer] = (wait_s, tokens / 2)
        else:
            heapq.heappush(self.ends, (self.clock + tokens, answer))

    pending: dict[int, tuple[float, float]] = {}

    def next_s(self) -> float:
        """When something happens here next."""
        times = [self.away[0][0]] if self.away else []
        if self.ends:
            times.append(self.now + (self.ends[0][0] - self.clock) * self.step(len(self.ends)))
        return min(times, default=np.inf)

    def to(self, now: float) -> list[int]:
        """Go on to a time that is no later than `next_s`; the answers that are whole then."""
        if self.ends:
            self.clock += (now - self.now) / self.step(len(self.ends))
        self.now = now
        done = []
        while self.ends and self.ends[0][0] <= self.clock + 1e-9:
            _, answer = heapq.heappop(self.ends)
            if answer >= 0:
                done.append(answer)
            else:
                wait_s, left = self.pending.pop(-answer - 1)
                heapq.heappush(self.away, (now + wait_s, -answer - 1, left))
        while self.away and self.away[0][0] <= now + 1e-12:
            _, answer, left = heapq.heappop(self.away)
            heapq.heappush(self.ends, (self.clock + left, answer))
        return done


def batch_seconds(tokens: np.ndarray, replicas: int, places: int, step: Step, waits: np.ndarray | None = None) -> float:
    """Seconds until the last of a batch has ended; each replica works off its own share."""
    waits = np.zeros(len(tokens)) if waits is None else waits
    last = 0.0
    for r in range(replicas):
        machine = Replica(places, step)
        machine.pending = {}
        queue = deque(range(r, len(tokens), replicas))
        while queue or machine.held:
            while queue and machine.held < places:
                answer = queue.popleft()
                machine.add(answer, float(tokens[answer]), float(waits[answer]))
            machine.to(machine.next_s())
        last = max(last, machine.now)
    return last


def loop_seconds(
    draw: Callable[[int], np.ndarray],
    *,
    samples: int,
    replicas: int,
    places: int,
    step: Step,
    update_s: float,
    sync_s: float,
    staleness: float,
    steps: int = 40,
    warm: int = 10,
) -> float:
    """Mean seconds of a step of an asynchronous loop: answers are begun while fewer than (1 + staleness) batches are under way.

    The trainer takes any batch of whole answers, the first that ended first; the engines take new weights without stopping.
    Synchronous at staleness 0: no answer is begun before the weights of the last update are there.
    """
    machines = [Replica(places, step) for _ in range(replicas)]
    for machine in machines:
        machine.pending = {}
    limit = round((1 + staleness) * samples)
    begun, whole, trained = 0, 0, 0
    now, busy_until, ends = 0.0, np.inf, []
    lengths = draw(limit + samples * (steps + 2))
    while len(ends) < steps:
        while begun - trained < limit:
            free = max(machines, key=lambda m: m.places - m.held)
            if free.held >= free.places:
                break
            free.add(begun, float(lengths[begun]), 0.0)
            begun += 1
        if busy_until == np.inf and whole >= samples:
            whole -= samples
            busy_until = now + update_s + sync_s
        nexts = [m.next_s() for m in machines]
        now = min(min(nexts), busy_until)
        for machine, at in zip(machines, nexts, strict=True):
            if at <= now + 1e-12:
                whole += len(machine.to(now))
            else:
                machine.to(now)
        if busy_until <= now:
            trained += samples
            busy_until = np.inf
            ends.append(now)
    return float((ends[-1] - ends[warm]) / (steps - 1 - warm))
