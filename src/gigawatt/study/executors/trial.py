"""Work that shows what an executor does and costs nothing: parts by the number of their chunk, a first chunk that fails."""

from __future__ import annotations

import hashlib

from gigawatt.study.executors.protocol import Worker


def digests() -> Worker:
    """A worker whose parts depend on the chunk's number alone."""
    return digest


def digest(chunk: int) -> bytes:
    """The part of a chunk."""
    return hashlib.sha256(str(chunk).encode()).digest() * (1 + chunk)


def failing() -> Worker:
    """A worker that can not do its first chunk."""
    return fail


def fail(chunk: int) -> bytes:
    """Raises ValueError."""
    raise ValueError(f"chunk {chunk} fails")
