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
            WorkerLost: one chunk has taken three workers with it, or three in a row died before they could begin.
            Exception: whatever `make` or a worker raised.
        """
        ...


class WorkerLost(Exception):
    """A chunk whose workers die each time (None: they die before they begin): says which, and of what."""

    def __init__(self, chunk: int | None, why: str) -> None:
        self.chunk, self.why = chunk, why
        super().__init__(chunk, why)

    def __str__(self) -> str:
        what = "three workers died before they could begin" if self.chunk is None else None
        return f"{what or f'chunk {self.chunk} has lost three workers'}: {self.why}"
