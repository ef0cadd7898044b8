"""Workers that cost nothing, and some that misbehave: what the tests of engines send to other processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.study.executors import Worker


def part_of(chunk: int) -> bytes:
    """The bytes of a chunk: its number alone decides."""
    return bytes((chunk * k + 7) % 256 for k in range(200 + chunk % 13))


@dataclass(frozen=True)
class Plain:
    """Every chunk after `seconds`."""

    seconds: float = 0.0

    def __call__(self) -> Worker:
        def work(chunk: int) -> bytes:
            time.sleep(self.seconds)
            return part_of(chunk)

        return work


@dataclass(frozen=True)
class Deadly:
    """Chunk `bad` kills its worker, so often."""

    bad: int
    times: int
    marks: str
    how: int = signal.SIGKILL

    def __call__(self) -> Worker:
        def work(chunk: int) -> bytes:
            marks = Path(self.marks)
            if chunk == self.bad and len(list(marks.iterdir())) < self.times:
                (marks / str(os.getpid())).touch()
                os.kill(os.getpid(), self.how)
                time.sleep(60)
            return part_of(chunk)

        return work


@dataclass(frozen=True)
class Stillborn:
    """No worker of it ever begins."""

    def __call__(self) -> Worker:
        os._exit(9)


@dataclass(frozen=True)
class Wrong:
    """The question can not be read where the worker is, or (`at`) a chunk is our own fault."""

    at: int | None = None

    def __call__(self) -> Worker:
        if self.at is None:
            raise InputError(Problem("unknown_name", "there is no site 'x'", Where("a.yaml", 3, 4), ("known: y",)))

        def work(chunk: int) -> bytes:
            if chunk == self.at:
                raise ZeroDivisionError(f"in chunk {chunk}")
            return part_of(chunk)

        return work


@dataclass(frozen=True)
class Hungry:
    """Chunk 1 runs out of memory once."""

    marks: str

    def __call__(self) -> Worker:
        def work(chunk: int) -> bytes:
            mark = Path(self.marks) / "hungry"
            if chunk == 1 and not mark.exists():
                mark.touch()
                raise MemoryError
            return part_of(chunk)

        return work


@dataclass(frozen=True)
class Curious:
    """Says where it works: process, threads, and prints to standard output, which is not its pipe."""

    def __call__(self) -> Worker:
        def work(chunk: int) -> bytes:
            print("this must not reach the driver")
            os.write(1, b"nor this\n")
            names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
            threads = [os.environ.get(name, "?") for name in names]
            return repr((os.getpid(), threads, sys.stdin.read() if sys.stdin else "")).encode()

        return work


@dataclass(frozen=True)
class Sleeper:
    """The first chunk of a worker at once, each further one in a minute; a part is the worker's process."""

    def __call__(self) -> Worker:
        seen: list[int] = []

        def work(chunk: int) -> bytes:
            if seen:
                time.sleep(60)
            seen.append(chunk)
            return str(os.getpid()).encode()

        return work
