"""The kernel as Python runs it, and the same functions compiled by numba (extra `fast`).

Each function is compiled with the compiled ones in place of those it calls. The compiled kernel is cached beside its
source, as numba does, under a stamp of all the kernel's sources.
"""

from __future__ import annotations

import importlib.util
import types
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from gigawatt.physics.serving.events import control, heap, instance, kernel, prefix, routing, rows, step
from gigawatt.physics.serving.events.rows import World

# Callees first.
MODULES = (heap, prefix, instance, step, routing, control, kernel)
# Nothing is allocated in the kernel, so nothing needs to be counted; divisors are checked before the run.
OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy"}


def has_numba() -> bool:
    """Is the extra `fast` installed?"""
    return importlib.util.find_spec("numba") is not None


def plain(w: World) -> None:
    """The kernel in Python, on a world of lists."""
    kernel.run(w)


@lru_cache(maxsize=1)
def compiled() -> Callable[[World], int]:
    """The kernel compiled, for a world of arrays."""
    import numba

    done: dict[str, Any] = {}
    for module in MODULES:
        mine: dict[str, types.FunctionType] = {
            name: found
            for name, found in vars(module).items()
            if isinstance(found, types.FunctionType) and found.__module__ == module.__name__ and name != "stamped"
        }
        scope: dict[str, Any] = {**vars(module), **done}
        for name, function in mine.items():
            scope[name] = numba.njit(
                types.FunctionType(function.__code__, scope, name), no_cpython_wrapper=True, **OPTIONS
            )
            done[name] = scope[name]
    entry = kernel.stamped(_stamp())
    bound = types.FunctionType(entry.__code__, {**vars(kernel), **done}, "run_stamped", None, entry.__closure__)
    return cast(Callable[[World], int], numba.njit(cache=True, **OPTIONS)(bound))


def _stamp() -> int:
    """A checksum of the kernel's sources."""
    stamp = 0
    for path in (*(str(module.__file__) for module in (*MODULES, rows)), __file__):
        stamp = zlib.crc32(Path(path).read_bytes(), stamp)
    return stamp
