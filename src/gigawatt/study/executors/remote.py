"""What driver and workers tell each other about themselves: errors that cross processes, threads, processors."""

from __future__ import annotations

import os
import pickle
import traceback
from pathlib import Path
from typing import NoReturn

# One thread a worker: as many workers as processors already use all of them, and sums keep one order.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "POLARS_MAX_THREADS",
    ),
    "1",
)


class InWorker(Exception):
    """Where an error came from: the worker's own traceback, shown as the cause of what the driver raises."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def packed(error: BaseException) -> tuple[bytes, str]:
    """An error and its traceback, ready to be sent; one that can not be pickled is sent as its text."""
    trace = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        data = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return data, trace


def reraise(data: bytes, trace: str) -> NoReturn:
    """Raise what a worker raised, with the worker's traceback as its cause."""
    raise pickle.loads(data) from InWorker(trace)


def processors() -> int:
    """Processors that this process may use: of its affinity, and of its container's share (cgroup v2)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        count = min(count, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file; 'max'
        pass
    return count
