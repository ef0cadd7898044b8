"""The program of one worker process: it makes its worker once, then answers chunks until its driver is gone.

Started as a file by `pool`, never as a copy of the driver: no lock or thread of the driver comes with it, and a script without
a main guard is not run again. Needs nothing but the standard library until the driver has told it where modules lie.
Messages are pickles, one after the other: in come sys.path, the `Maker`, chunk numbers; out go (kind, ...) tuples. The end
of its input means that the driver has closed it or is gone, however it went; then the process ends at once, in mid-work if
need be.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

OUT_OF_MEMORY = 112  # exit code


def main() -> None:
    """Serve the driver at the other ends of standard input and output."""
    inbox, outbox = _channels()
    with contextlib.suppress(OSError):  # Linux: where memory runs out, a worker goes before its driver
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    sys.path[:] = pickle.load(inbox)
    chunks: queue.SimpleQueue[int] = queue.SimpleQueue()

    def tell(*message: Any) -> None:
        pickle.dump(message, outbox, protocol=pickle.HIGHEST_PROTOCOL)
        outbox.flush()

    def listen() -> None:
        try:
            while True:
                chunks.put(pickle.load(inbox))
        except BaseException:
            os._exit(0)

    try:
        make = _maker(inbox)
        threading.Thread(target=listen, daemon=True).start()
        worker = make()
        tell("ready")
        while True:
            chunk = chunks.get()
            began = time.perf_counter()
            part = worker(chunk)
            tell("part", part, time.perf_counter() - began)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:  # nobody listens any more
        os._exit(0)
    except BaseException as error:
        from gigawatt.study.executors.remote import packed

        with contextlib.suppress(OSError):
            tell("raised", *packed(error))
        os._exit(1)


def _maker(inbox: IO[bytes]) -> Any:
    """What makes the worker, from the modules that the driver has too."""
    try:
        return pickle.load(inbox)
    except AttributeError as error:
        if "__main__" not in str(error):
            raise
        message = "what makes a worker has to be in a module that can be imported, not in the script that is run"
        raise TypeError(message) from error


def _channels() -> tuple[IO[bytes], IO[bytes]]:
    """The driver's pipes, for us alone: what anything else prints goes to standard error."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inbox, outbox


if __name__ == "__main__":
    main()
