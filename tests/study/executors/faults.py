"""Drivers that are killed, in processes of their own, over a real sweep's store; what they write is held against a quiet run.

The question is a small one (`net`), for the store's columns; its workers do no physics and import next to nothing, so that
hundreds of starts cost little: rows follow from their number alone, slowly enough that a kill falls in the middle of one.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import gigawatt
from gigawatt.study.executors import Done, Executor, Maker, Worker, executor_of

if TYPE_CHECKING:
    from gigawatt.study.sweep import Sweep

INDEX, STATUS = "index", "status"

EXAMPLE = Path(gigawatt.__file__).parent / "examples" / "networks" / "domains.yaml"
CHUNKS, ROWS, CHUNK_S = 24, 4, 0.03
ZYGOTE = multiprocessing.get_context("forkserver")  # imports once, then drivers start in no time
ZYGOTE.set_forkserver_preload(["ray", "warm"])


@cache
def sweep() -> Sweep:
    from gigawatt.study.sweep import Sweep

    return Sweep.of(EXAMPLE, grid=[f"networks.boxes-of-8.nic=100..1000 Gb/s/{CHUNKS * ROWS}"], chunk=ROWS)


@dataclass(frozen=True)
class Cheap:
    """Rows by their number, in the columns of `empty`; a worker leaves its process id in `marks`."""

    empty: bytes
    marks: str

    def __call__(self) -> Worker:
        import polars as pl

        (Path(self.marks) / str(os.getpid())).touch()
        columns = pl.read_parquet(BytesIO(self.empty)).schema

        def part(chunk: int) -> bytes:
            time.sleep(CHUNK_S)
            rows = range(chunk * ROWS, (chunk + 1) * ROWS)
            made = {
                name: rows
                if name == INDEX
                else [math.sin(row + k) for row in rows]
                if kind.is_float()
                else ["ok" if name == STATUS else f"{name} {row}" for row in rows]
                for k, (name, kind) in enumerate(columns.items())
            }
            out = BytesIO()
            pl.DataFrame(made, schema=columns).write_parquet(out)
            return out.getvalue()

        return part


@dataclass(frozen=True)
class Cheaply:
    """An engine that is handed cheap workers."""

    engine: Executor
    marks: Path
    name: str = "cheap"

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        from gigawatt.study.sweep.schema import encode, frame_of

        empty = encode(frame_of(make.schema, make.design, range(0), [], []))
        return self.engine.run(Cheap(empty, str(self.marks)), chunks)


def work_into(folder: Path, marks: Path, engine: str, workers: int, address: str | None = None) -> None:
    """A driver's whole life."""
    from gigawatt.study.sweep import drive

    with drive(sweep(), folder, Cheaply(executor_of(engine, workers, address), marks)):
        pass


def parts_in(folder: Path) -> int:
    return len(list(folder.glob("parts/part-*.parquet")))


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a sweep by its bytes; nothing half-written is left."""
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    files.pop(".lock", None)
    assert not [name for name in files if ".tmp" in name]
    return files


def gone(pid: int) -> bool:
    """No such process; one that is dead but not waited for is gone too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass
class Trial:
    """One sweep that loses a worker, loses its driver, and is gone on with.

    `left`: parts that were missing when its driver was killed.
    """

    folder: Path
    engine: str
    workers: int
    seed: int
    address: str | None = None
    left: int = 0
    killed: int = 0

    def run(self) -> dict[str, bytes]:
        chance, out = random.Random(self.seed), self.folder / "out"
        first, second = sorted(chance.randrange(CHUNKS - 4) for _ in range(2))
        driver = self._driver()
        self._reach(driver, out, first, chance.uniform(0, CHUNK_S))
        until(lambda: self._kill_worker(chance) or not driver.is_alive())
        self._reach(driver, out, second, chance.uniform(0, CHUNK_S))
        driver.kill()
        driver.join()
        self.left = CHUNKS - parts_in(out)
        driver = self._driver()
        driver.join(120)
        assert driver.exitcode == 0
        assert until(lambda: all(gone(int(mark.name)) for mark in (self.folder / "marks").iterdir())), "orphans"
        return content(out)

    @property
    def hit(self) -> bool:
        """Both a worker and the driver were killed before all was done."""
        return self.killed > 0 and self.left > 0

    def _driver(self) -> multiprocessing.process.BaseProcess:
        marks = self.folder / "marks"
        marks.mkdir(parents=True, exist_ok=True)
        driver = ZYGOTE.Process(
            target=work_into, args=(self.folder / "out", marks, self.engine, self.workers, self.address)
        )
        driver.start()
        return driver

    def _reach(self, driver: multiprocessing.process.BaseProcess, out: Path, parts: int, more_s: float) -> None:
        """Wait until so many parts are there, and a little longer."""
        deadline = time.monotonic() + 60
        while parts_in(out) < parts and driver.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(more_s)

    def _kill_worker(self, chance: random.Random) -> bool:
        """One of those that are at work now, if any is."""
        known = sorted((self.folder / "marks").iterdir())
        chance.shuffle(known)
        for mark in known:
            if not gone(int(mark.name)):
                with suppress(ProcessLookupError):
                    os.kill(int(mark.name), signal.SIGKILL)
                    self.killed += 1
                    return True
        return False
