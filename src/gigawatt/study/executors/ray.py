"""Workers on a Ray cluster (https://docs.ray.io): one that runs already, by its address, else one on this machine.

A worker is an actor that is made once and answers chunks; what it sends back are the bytes of a part, so driver and workers
need no folder in common. They need the same engine: each worker says which it has before it begins. A worker's actor never
restarts by itself: `supervise` hires another. Only what was started here is shut down.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.study.executors.protocol import Done, Maker
from gigawatt.study.executors.remote import ONE_THREAD, processors, reraise
from gigawatt.study.executors.supervise import Lost, News, Part, Ready, supervise
from gigawatt.study.executors.versions import content, differences, place, versions

PATIENCE_S = 5.0  # for a cluster's head to answer at all; Ray itself tries for minutes
OBJECTS_BYTES = 256 * 2**20  # of a local cluster's store: parts are small and fetched at once


class Ray:
    """Actors on the cluster at `address` ('auto', 'host:6379'), else `RAY_ADDRESS`, else on this machine.

    `workers`: as many actors, one processor each; else as many as the cluster has processors.
    """

    name = "ray"

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.workers, self.address = workers, address

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        """See `Executor`.

        Raises:
            InputError: Ray is not installed, no cluster answers, or it runs another version of anything that matters.
        """
        ray = _installed()
        with _connected(ray, self.address, self.workers) as here:
            workers = self.workers or int(ray.cluster_resources().get("CPU", 0))
            if not workers:
                raise _refused("no_processors", "the Ray cluster has no processor to work on", self.address)
            yield from supervise(_Actors(ray, make, sys.path if here else ()), workers, chunks)


def _installed() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # no word on devices that are not used
    try:
        import ray
    except ImportError:
        message = "the engine 'ray' needs Ray, which is not installed here"
        raise _refused("no_ray", message, None, "pip install 'gigawatt[ray]'", "or '--engine pool'") from None
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str | None, workers: int | None) -> Iterator[bool]:
    """A connection to a cluster: the one that this process has already, else a new one for the length of the block.

    True: the cluster was started here, so that its workers find modules where this process does.
    """
    if ray.is_initialized():
        yield False
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        quiet |= {"num_cpus": workers or processors(), "include_dashboard": False, "object_store_memory": OBJECTS_BYTES}
    else:
        _reach(address)
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ImportError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        if "ersion mismatch" in said:
            raise _refused("other_version", f"the Ray cluster at '{address}' is another one: {said}", address) from None
        hint = "start one with 'ray start --head' and give its address, or give none for one on this machine"
        raise _refused("no_cluster", f"no Ray cluster at '{address}': {said}", address, hint) from None
    try:
        with _silence():
            yield address == "local"
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Ray tells of dead workers on standard output, whatever its log level; what a command prints there may be JSON."""
    from ray._private import worker

    said = getattr(worker, "print_to_stdstream", None)
    if said is None:  # another version of Ray
        yield
        return
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = said


def _reach(address: str) -> None:
    """Refuse at once an address where nothing listens."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit():
        return  # 'auto', or a form that Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S).close()
    except OSError as error:
        message = f"no Ray cluster answers at '{address}': {error.strerror or error}"
        hints = ("'ray status' on the cluster's head shows its address", "without an address a cluster starts here")
        raise _refused("no_cluster", message, address, *hints) from None


def _refused(code: str, message: str, address: str | None, *hints: str) -> InputError:
    return InputError(Problem(code, message, Where("--address") if address else Where("--engine"), hints))


@dataclass(eq=False, slots=True)
class _Actor:
    """One actor and what it was asked last."""

    number: int
    handle: Any
    asked: Any  # a reference to its next answer


class _Actors:
    """The crew of a cluster."""

    def __init__(self, ray: Any, make: Maker, paths: Sequence[str]) -> None:
        self._ray, self._paths = ray, tuple(paths)
        self._make: bytes = ray.cloudpickle.dumps(make)
        self._wanted = (versions(), place(), content())
        self._class = _actor_class(ray)
        self._at: dict[Any, _Actor] = {}  # by what was asked last
        self._hired = 0

    def hire(self) -> _Actor:
        self._hired += 1
        handle = self._class.remote()
        asked = handle.begin.remote(self._make, self._wanted, ONE_THREAD, self._paths)
        seat = _Actor(self._hired, handle, asked)
        self._at[seat.asked] = seat
        return seat

    def give(self, seat: _Actor, chunk: int) -> None:
        seat.asked = seat.handle.work.remote(chunk)
        self._at[seat.asked] = seat

    def dismiss(self, seat: _Actor) -> None:
        self._at.pop(seat.asked, None)
        self._kill(seat)

    def news(self) -> tuple[_Actor, News]:
        ray = self._ray
        found: list[Any] = []
        while not found:
            found, _ = ray.wait(list(self._at), num_returns=1, timeout=1.0)
        seat = self._at.pop(found[0])
        try:
            kind, *rest = ray.get(found[0])
        except ray.exceptions.RayTaskError:
            raise  # no answer of ours: the actor itself is broken
        except ray.exceptions.RayError as error:
            self._kill(seat)
            return seat, Lost(next(iter(str(error).splitlines()), type(error).__name__))
        if kind == "raised":
            reraise(*rest)
        if kind == "other":
            node, there = rest
            raise _other(node, there)
        return seat, Ready() if kind == "ready" else Part(*rest)

    def called(self, seat: _Actor) -> str:
        return f"actor {seat.number}"

    def disband(self) -> None:
        for seat in self._at.values():
            self._kill(seat)
        self._at.clear()

    def _kill(self, seat: _Actor) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):  # gone already
            self._ray.kill(seat.handle, no_restart=True)


def _other(node: str, there: Mapping[str, str] | str) -> InputError:
    """A worker that does not have this engine."""
    if isinstance(there, str):
        what = f"gigawatt can not be imported there ({there})"
    else:
        what = "; ".join(differences(versions(), there))
    hints = ("install the same versions on every machine of the cluster; 'pip freeze' here lists them",)
    return InputError(Problem("other_version", f"the Ray worker on {node}: {what}", Where("--engine"), hints))


def _actor_class(ray: Any) -> Any:
    """The actor's class: made in here so that it is sent whole, and can answer where gigawatt is missing."""

    class Actor:
        def begin(
            self, make: bytes, wanted: tuple[dict[str, str], str, str], threads: dict[str, str], paths: Sequence[str]
        ) -> tuple[Any, ...]:
            import os
            import pickle
            import platform
            import sys

            os.environ.update(threads)
            sys.path += [path for path in paths if path not in sys.path]
            try:
                from gigawatt.study.executors.remote import packed
                from gigawatt.study.executors.versions import place, versions
            except ImportError as error:
                return "other", platform.node(), str(error)
            there, its_place, its_content = wanted
            here = versions(its_content if place() == its_place else "")
            if here != there:
                return "other", platform.node(), here
            self.packed = packed
            try:
                self.worker = pickle.loads(make)()
            except Exception as error:
                return ("raised", *packed(error))
            return ("ready",)

        def work(self, chunk: int) -> tuple[Any, ...]:
            import os
            import time

            began = time.perf_counter()
            try:
                part = self.worker(chunk)
            except MemoryError:
                os._exit(1)  # lost, and replaced
            except Exception as error:
                return ("raised", *self.packed(error))
            return "part", part, time.perf_counter() - began

    return ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Actor)
