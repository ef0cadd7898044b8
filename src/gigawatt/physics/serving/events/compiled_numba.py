"""The kernel compiled by numba; needs the extra `fast`.

Every function is compiled with the compiled ones in place of those it calls. The world goes from function to function as
one pointer to a table of (address, length) of its arrays: to pass nine arrays to each call would take longer than most
of the calls. The compiled kernel takes the address of that table; it is cached beside its source, as numba does, under a
stamp of all the kernel's sources.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

import numba
import numpy as np
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import make_array, populate_array

from gigawatt.physics.serving.events import rows
from gigawatt.physics.serving.events.rows import World

# Nothing is allocated in the kernel, so nothing needs to be counted; divisors are checked before the run.
OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy"}


class WorldType(types.Type):
    """What the compiled kernel knows a `World` as: a pointer to the addresses and lengths of its arrays."""

    def __init__(self) -> None:
        kinds = {f: numba.from_dtype(rows.records(row)) for f, row in rows.RECORDS.items()}
        kinds.update(ints=types.int64, floats=types.float64)
        self.arrays = {f: types.Array(kinds[f], 1, "C") for f in World._fields}
        super().__init__(name=f"World({self.arrays})")


WORLD = WorldType()


@register_model(WorldType)
class WorldModel(models.OpaqueModel):  # type: ignore[misc]
    """One pointer."""


@infer_getattr
class WorldAttributes(AttributeTemplate):  # type: ignore[misc]
    """`w.reqs` is an array of requests."""

    key = WorldType

    def generic_resolve(self, world: WorldType, name: str) -> Any:
        return world.arrays.get(name)


@lower_getattr_generic(WorldType)  # type: ignore[untyped-decorator]
def _array_of(context: Any, builder: Any, world: WorldType, pointer: Any, name: str) -> Any:
    """Make the array up from its address and length; neither changes during a run."""
    kind = world.arrays[name]
    table = builder.bitcast(pointer, cgutils.intp_t.as_pointer())
    at = 2 * World._fields.index(name)
    address, length = (builder.load(cgutils.gep_inbounds(builder, table, at + k)) for k in (0, 1))
    for value in (address, length):
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
    array = make_array(kind)(context, builder)
    itemsize = context.get_constant(types.intp, kind.dtype.bitwidth // 8 if kind.dtype in PLAIN else kind.dtype.size)
    populate_array(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=[length],
        strides=[itemsize],
        itemsize=itemsize,
        meminfo=None,
    )
    return array._getvalue()


PLAIN = (types.int64, types.float64)


@intrinsic  # type: ignore[untyped-decorator]
def world_at(_context: Any, address: Any) -> Any:
    """The world whose table stands at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(WORLD))

    return WORLD(types.intp), generate


def compile_kernel(modules: Sequence[ModuleType], stamped: Callable[..., Any]) -> Callable[[World], None]:
    """`run` of the last of the modules, which are given callees first."""
    done: dict[str, Any] = {}
    for module in modules:
        scope: dict[str, Any] = {**vars(module), **done}
        for name, found in vars(module).items():
            if isinstance(found, FunctionType) and found.__module__ == module.__name__ and found is not stamped:
                here = FunctionType(found.__code__, scope, name)
                done[name] = scope[name] = numba.njit(here, no_cpython_wrapper=True, **OPTIONS)
    entry = stamped(_stamp(modules))
    scope = {**entry.__globals__, **done, "world_at": world_at}
    run = numba.njit(
        FunctionType(entry.__code__, scope, entry.__name__, None, entry.__closure__), cache=True, **OPTIONS
    )

    def on_arrays(w: World) -> None:
        arrays = cast(Sequence[np.ndarray[Any, Any]], w)
        table = np.array([(array.ctypes.data, len(array)) for array in arrays], dtype=np.int64)
        if run.signatures:
            run(table.ctypes.data)
        else:
            with _no_vectors():
                run(table.ctypes.data)

    return on_arrays


@contextmanager
def _no_vectors() -> Iterator[None]:
    """Compile without a search for vector instructions: there are none to be had, and it takes as long as all the rest."""
    kept = numba.config.LOOP_VECTORIZE, numba.config.SLP_VECTORIZE
    numba.config.LOOP_VECTORIZE = numba.config.SLP_VECTORIZE = 0
    try:
        yield
    finally:
        numba.config.LOOP_VECTORIZE, numba.config.SLP_VECTORIZE = kept


def _stamp(modules: Sequence[ModuleType]) -> int:
    """A checksum of the kernel's sources."""
    stamp = 0
    for path in (*(str(module.__file__) for module in (*modules, rows)), __file__):
        stamp = zlib.crc32(Path(path).read_bytes(), stamp)
    return stamp
