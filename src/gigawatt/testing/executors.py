"""Laws of an executor: every chunk once, the same bytes as one process makes, errors told, nothing left behind when closed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from gigawatt.study.executors import Done, Executor, Serial
from gigawatt.study.executors.trial import digests, failing

CHUNKS = tuple(range(7))


def executor_problems(make: Callable[[int | None, str | None], Executor]) -> list[str]:
    """What the executors that `make(workers, address)` gives do not keep; an empty list for nothing.

    Held: with one and with two workers every chunk comes once with the bytes of `Serial`; no chunks are no work; an error of a
    worker reaches the driver; one that is closed early ends.
    """
    found = []
    right = {done.chunk: done.part for done in Serial().run(digests, CHUNKS)}
    for workers in (1, 2):
        try:
            executor = make(workers, None)
            done = list(executor.run(digests, CHUNKS))
            if not all(isinstance(one, Done) for one in done):
                found.append(f"{workers} workers: something else than Done")
            elif sorted(one.chunk for one in done) != sorted(CHUNKS):
                found.append(f"{workers} workers: chunks {sorted(one.chunk for one in done)} of {sorted(CHUNKS)}")
            elif {one.chunk: one.part for one in done} != right:
                found.append(f"{workers} workers: other bytes than one process makes")
            if list(make(workers, None).run(digests, ())):
                found.append(f"{workers} workers: something done where nothing was asked")
        except Exception as error:  # whatever the author's code does
            found.append(f"{workers} workers: {type(error).__name__}: {' '.join(str(error).split())}")
    try:
        with closing(make(1, None).run(digests, CHUNKS)) as running:  # type: ignore[type-var]
            next(running)
    except Exception as error:  # whatever the author's code does
        found.append(f"closed early: {type(error).__name__}: {' '.join(str(error).split())}")
    try:
        list(make(1, None).run(failing, CHUNKS))
        found.append("an error of a worker does not reach the driver")
    except Exception as error:
        if "chunk 0 fails" not in str(error):
            found.append(f"an error of a worker reaches the driver as {type(error).__name__}: {error}")
    return found
