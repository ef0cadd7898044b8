"""How chunks of work reach workers: one small protocol, so that a laptop, a pool and a cluster give the same bytes.

A worker is made once where it runs (`Maker`: it reads catalog and scenario) and then asked for chunks by number. What a chunk
holds depends on its number alone, never on who works it out or when; so order, workers and engine can not be seen in a result.
Executors neither read nor write results: the driver takes the bytes and keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Worker = Callable[[int], bytes]


class Maker(Protocol):
    """Makes a worker in the process where it will work. Pickled: plain data and functions of modules only."""

    def __call__(self) -> Worker: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A finished chunk: its number, the bytes of its part, seconds of work, and who did it (for the progress line)."""

    chunk: int
    part: bytes
    seconds: float
    worker: str = ""


class Executor(Protocol):
    """Works chunks out, in any order; `name` is what `--engine` calls it."""

    name: str

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        """Every chunk once, as it is done; closing the iterator stops the workers.

        A worker that is lost (killed, out of memory, its machine gone) is replaced and its chunk done again.

        Raises:
            WorkerLost: one chunk has taken three workers with it.
        """
        ...


class WorkerLost(Exception):
    """A chunk whose workers die each time: says which."""

    def __init__(self, chunk: int, why: str) -> None:
        super().__init__(f"chunk {chunk} has lost three workers: {why}")
        self.chunk = chunk
