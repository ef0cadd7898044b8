"""Engines by name: what `--engine` may be, of this package or of a plug-in."""

from __future__ import annotations

from collections.abc import Callable

from gigawatt.core import plugins
from gigawatt.core.errors import InputError, Problem, Where, unknown_name
from gigawatt.study.executors.plugged import plugged
from gigawatt.study.executors.pool import Pool
from gigawatt.study.executors.protocol import Executor
from gigawatt.study.executors.ray import Ray
from gigawatt.study.executors.serial import Serial

DEFAULT = "pool"
Engine = Callable[[int | None, str | None], Executor]  # (workers, address); None: as the engine sees fit

ENGINES: dict[str, Engine] = {
    "serial": lambda workers, address: Serial(),
    "pool": lambda workers, address: Pool(workers),
    "ray": Ray,
}


def executor_of(name: str = DEFAULT, workers: int | None = None, address: str | None = None) -> Executor:
    """The engine of that name with so many workers, on the cluster at an address where it takes one.

    Raises:
        InputError: no such engine (with the nearest), no such number of workers, or an address that means nothing to it.
    """
    if workers is not None and workers < 1:
        raise InputError(Problem("no_workers", f"{workers} workers do no work", Where("--workers"), ("at least 1",)))
    brought = plugins.names(plugins.EXECUTORS)
    if name not in ENGINES and name not in brought:
        raise InputError(unknown_name("engine", name, [*ENGINES, *brought], Where("--engine")))
    if name not in ENGINES:
        return plugged(name, workers, address)
    if address and name != "ray":
        message = f"the engine '{name}' works on this machine and takes no address"
        raise InputError(Problem("no_address", message, Where("--address"), ("'--engine ray' does",)))
    return ENGINES[name](workers, address)
