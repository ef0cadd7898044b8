"""All chunks in this process, one after the other: for debugging, and the order that others are held against."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from gigawatt.study.executors.protocol import Done, Maker


class Serial:
    """No workers but this process."""

    name = "serial"

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        worker = make()
        for chunk in chunks:
            began = time.perf_counter()
            part = worker(chunk)
            yield Done(chunk, part, time.perf_counter() - began, "this process")
