"""What the benchmarks share: best of several runs, and the machine's own speed, measured in the same run.

A time alone says as much about the machine as about us; so each bench prints a ratio to something that the same machine
did a moment ago: NumPy's streaming arithmetic, the bare solver, the bare interpreter.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")
ELEMENTS = 10_000


def best_of(job: Callable[[], T], repeats: int = 5) -> tuple[float, T]:
    """(shortest seconds, the last result): the shortest is the least disturbed."""
    shortest, result = float("inf"), job()
    for _ in range(repeats):
        began = time.perf_counter()
        result = job()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest, result


def numpy_element_s(elements: int = ELEMENTS) -> float:
    """Seconds of one float64 multiply-add in a NumPy column that stays in cache: the floor of columnar work."""
    a, b, out = np.full(elements, 1.5), np.full(elements, 0.5), np.empty(elements)

    def work() -> None:
        for _ in range(100):
            np.multiply(a, b, out=out)
            np.add(out, a, out=out)

    seconds, _ = best_of(work)
    return seconds / (100 * elements)


@dataclass(frozen=True, slots=True)
class Process:
    """Wall and CPU seconds and the peak memory of one process."""

    wall_s: float
    cpu_s: float
    rss_mb: float
    code: int


def process(command: Sequence[str], repeats: int = 1) -> Process:
    """Run a command with one thread; the fastest of `repeats`, after one run that warms the file cache."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    fastest: Process | None = None
    for at in range(repeats + 1):
        began = time.perf_counter()
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        made = Process(time.perf_counter() - began, used.ru_utime + used.ru_stime, _megabytes(used), child.returncode)
        if at and (fastest is None or made.wall_s < fastest.wall_s):
            fastest = made
    assert fastest is not None
    return fastest


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def line(what: str, value: str, beside: str = "") -> None:
    print(f"{what:<52} {value:>16}   {beside}".rstrip())
