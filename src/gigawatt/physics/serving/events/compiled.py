"""The kernel as Python runs it, and the same functions compiled by numba (extra `fast`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache

from gigawatt.physics.serving.events import control, heap, instance, kernel, ledger, prefix, routing, step
from gigawatt.physics.serving.events.rows import World

# Callees first.
MODULES = (heap, prefix, ledger, instance, step, routing, control, kernel)


def has_numba() -> bool:
    """Is the extra `fast` installed?"""
    return importlib.util.find_spec("numba") is not None


def plain(w: World) -> None:
    """The kernel in Python, on a world of lists."""
    kernel.run(w)


def is_loaded() -> bool:
    """Has this process compiled or loaded the kernel already?"""
    return compiled.cache_info().currsize > 0


@lru_cache(maxsize=1)
def compiled() -> Callable[[World], None]:
    """The kernel compiled, for a world of arrays."""
    from gigawatt.physics.serving.events.compiled_numba import compile_kernel

    return compile_kernel(MODULES, kernel.stamped)
