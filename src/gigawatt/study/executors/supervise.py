"""Who works on what, and what is done when a worker is lost: the same for processes and for the machines of a cluster.

An engine brings a `Crew` that hires workers and tells what becomes of them. Here chunks are handed out, one to a worker at a
time, so that at most one part a worker waits for the driver; a chunk whose worker is lost goes behind all others, so that what
can be finished is finished before one bad chunk ends the whole.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gigawatt.study.executors.protocol import Done, WorkerLost

TRIES = 3  # workers that one chunk may take with it

Seat = TypeVar("Seat", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker is made and waits for its first chunk."""


@dataclass(frozen=True, slots=True)
class Part:
    """A worker has finished its chunk."""

    part: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone."""

    why: str


News = Ready | Part | Lost


class Crew(Protocol[Seat]):
    """The workers of one engine; a seat stands for one of them."""

    def hire(self) -> Seat:
        """Start one more worker; its first news is `Ready` or `Lost`."""
        ...

    def give(self, seat: Seat, chunk: int) -> None:
        """Hand a chunk to a worker that has none; never raises when the worker is gone (`Lost` will say so)."""
        ...

    def dismiss(self, seat: Seat) -> None:
        """Nothing is left for this one: it may go, and its further news is of no matter."""
        ...

    def news(self) -> tuple[Seat, News]:
        """Wait for the next news of any of them; raises what a worker raised."""
        ...

    def called(self, seat: Seat) -> str:
        """A name for the progress line."""
        ...

    def disband(self) -> None:
        """Stop all at once, whatever they are doing."""
        ...


def supervise(crew: Crew[Seat], workers: int, chunks: Sequence[int]) -> Iterator[Done]:
    """Every chunk once, as it is done, by at most `workers` at a time.

    Raises:
        WorkerLost: a chunk has taken `TRIES` workers with it, or as many in a row died before they could begin.
        Exception: what a worker raised.
    """
    fresh, again, losses = iter(chunks), deque[int](), Counter[int]()
    left, unborn = len(chunks), 0
    at: dict[Seat, int | None] = {}  # what each is at
    try:
        for _ in range(min(workers, left)):
            at[crew.hire()] = None
        while left:
            seat, news = crew.news()
            if seat not in at:
                continue
            chunk = at[seat]
            if isinstance(news, Lost):
                del at[seat]
                if chunk is None:
                    unborn += 1
                else:
                    losses[chunk] += 1
                    again.append(chunk)
                if unborn == TRIES or (chunk is not None and losses[chunk] == TRIES):
                    raise WorkerLost(chunk, news.why)
                if len(at) < min(workers, left):
                    at[crew.hire()] = None
                continue
            unborn = 0
            done = None
            if isinstance(news, Part) and chunk is not None:
                done = Done(chunk, news.part, news.seconds, crew.called(seat))
                left -= 1
            following = next(fresh, None)
            if following is None and again:
                following = again.popleft()
            if following is None:
                del at[seat]
                crew.dismiss(seat)
            else:
                at[seat] = following
                crew.give(seat, following)
            if done:
                yield done
    finally:
        crew.disband()
