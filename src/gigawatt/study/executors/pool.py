"""A pool of processes on this machine, the engine unless another is asked for.

Each worker is a fresh interpreter (`pool_worker`) at the other end of two pipes, so that the pool is the same on Linux, macOS
and Windows and forks no process that has threads. `concurrent.futures` has a pool too, but there one dead worker breaks all.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gigawatt.study.executors.pool_worker import OUT_OF_MEMORY
from gigawatt.study.executors.protocol import Done, Maker
from gigawatt.study.executors.remote import ONE_THREAD, processors, reraise
from gigawatt.study.executors.supervise import Lost, News, Part, Ready, supervise

PROGRAM = Path(__file__).with_name("pool_worker.py")
# A terminal's Ctrl-C goes to the driver alone, which stops its workers.
APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if sys.platform == "win32"
    else {"process_group": 0}
)


class Pool:
    """Processes on this machine: `workers` of them, else one a processor."""

    name = "pool"

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or processors()

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        return supervise(_Processes(make), self.workers, chunks)


@dataclass(eq=False, slots=True)
class _Process:
    """One worker process and the thread that hears it."""

    number: int
    process: subprocess.Popen[bytes]
    ear: threading.Thread | None = field(default=None)

    @property
    def inbox(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin


class _Processes:
    """The crew of a pool."""

    def __init__(self, make: Maker) -> None:
        # sys.path first: the Maker's modules are found by it
        self._first = pickle.dumps(sys.path) + pickle.dumps(make)
        self._heard: queue.SimpleQueue[tuple[_Process, tuple[Any, ...] | None]] = queue.SimpleQueue()
        self._all: list[_Process] = []
        self._hired = 0

    def hire(self) -> _Process:
        self._hired += 1
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
            **APART,
        )
        seat = _Process(self._hired, process)
        self._all.append(seat)
        seat.ear = threading.Thread(target=self._hear, args=(seat,), daemon=True)
        seat.ear.start()
        self._send(seat, self._first)
        return seat

    def give(self, seat: _Process, chunk: int) -> None:
        self._send(seat, pickle.dumps(chunk))

    def dismiss(self, seat: _Process) -> None:
        with contextlib.suppress(OSError):
            seat.inbox.close()

    def news(self) -> tuple[_Process, News]:
        while True:
            try:
                seat, message = self._heard.get(timeout=1.0)  # Windows hears Ctrl-C between waits only
            except queue.Empty:
                continue
            if message is None:
                self._bury(seat)
                return seat, Lost(_how(seat.process.returncode))
            kind, *rest = message
            if kind == "raised":
                reraise(*rest)
            return seat, Ready() if kind == "ready" else Part(*rest)

    def called(self, seat: _Process) -> str:
        return f"worker {seat.number}"

    def disband(self) -> None:
        for seat in self._all:
            seat.process.kill()
        for seat in list(self._all):
            self._bury(seat)

    def _hear(self, seat: _Process) -> None:
        """Everything that a worker tells; None when it is gone, whole message or not."""
        assert seat.process.stdout is not None
        try:
            while True:
                self._heard.put((seat, pickle.load(seat.process.stdout)))
        except Exception:
            self._heard.put((seat, None))

    def _send(self, seat: _Process, message: bytes) -> None:
        with contextlib.suppress(OSError):  # gone: its ear will say so
            seat.inbox.write(message)
            seat.inbox.flush()

    def _bury(self, seat: _Process) -> None:
        """Leave nothing of a worker: process, thread, pipes."""
        seat.process.kill()  # one that closed its pipe but lingers
        seat.process.wait()
        with contextlib.suppress(OSError):
            seat.inbox.close()
        if seat.ear:
            seat.ear.join()
        if seat.process.stdout:
            seat.process.stdout.close()
        self._all.remove(seat)


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code == OUT_OF_MEMORY:
        return "out of memory"
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"its process was killed by {name}" + (" (as when memory runs out)" if name == "SIGKILL" else "")
