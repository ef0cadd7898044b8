"""An executor: processes of `concurrent.futures`, a new pool for what a broken one left."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from gigawatt.study.executors import Done, Maker, Worker, WorkerLost

POOLS = 3  # lost before a chunk is given up


class Futures:
    """`workers` processes on this machine, else one a processor; there is no cluster to have an address."""

    name = "example-futures"

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if address is not None:
            raise ValueError("example-futures runs on this machine and takes no address")
        self.workers = workers or os.cpu_count() or 1

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        waiting, lost = list(chunks), 0
        while waiting:
            try:
                for done in self._pool(make, waiting):
                    waiting.remove(done.chunk)
                    yield done
            except BrokenProcessPool as error:
                lost += 1
                if lost == POOLS:
                    raise WorkerLost(waiting[0], str(error)) from None

    def _pool(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        context = multiprocessing.get_context("spawn")  # a fork would copy threads
        pool = ProcessPoolExecutor(min(self.workers, len(chunks)), context, _begin, (make,))
        try:
            for future in as_completed([pool.submit(_work, chunk) for chunk in chunks]):
                yield Done(*future.result())
        finally:
            pool.shutdown(cancel_futures=True)


_HERE: dict[str, Worker] = {}  # of this process


def _begin(make: Maker) -> None:
    """Once in each process; what `make` raises is told by the first chunk, since a process that fails here breaks its pool."""
    try:
        _HERE["worker"] = make()
    except Exception as error:
        _HERE["worker"] = partial(_failed, error)


def _failed(error: Exception, chunk: int) -> bytes:
    raise error


def _work(chunk: int) -> tuple[int, bytes, float, str]:
    began = time.perf_counter()
    part = _HERE["worker"](chunk)
    return chunk, part, time.perf_counter() - began, f"process {os.getpid()}"
