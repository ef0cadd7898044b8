"""Requests as columns: when they arrive, how long they are, what their prompts share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import Problems

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST = 1 << 31  # the kernel keeps lengths and ids in 32 bits


@dataclass(frozen=True, slots=True)
class Requests:
    """A row a request, sorted by arrival.

    priority: 0 is the most urgent; equal numbers are one class. session: -1 for none; equal numbers belong together.
    hashes[hash_from[r] : hash_from[r + 1]]: ids of the blocks of `block_tokens` tokens that prompt r begins with. An id
    stands for its block and all before it: equal ids, equal prefix. Only whole blocks of a prompt are reused.
    after: the row above it whose end it waits for (-1 for none); it comes `think_s` later, and not before its arrival_s: the
    next turn of a conversation, a step of an agent after a tool's answer.
    """

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    priority: Ints
    session: Ints
    hash_from: Ints
    hashes: Ints
    after: Ints
    think_s: Floats
    block_tokens: int = 512

    @classmethod
    def of(
        cls,
        arrival_s: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
        *,
        priority: ArrayLike | None = None,
        session: ArrayLike | None = None,
        hash_from: ArrayLike | None = None,
        hashes: ArrayLike | None = None,
        after: ArrayLike | None = None,
        think_s: ArrayLike = 0.0,
        block_tokens: int = 512,
    ) -> Requests:
        """Columns from anything array-like; lengths broadcast to the arrivals.

        Raises:
            InputError: no request, arrivals unsorted or not finite, lengths below one token or not whole, hashes that do
                not fit; every problem with the first row that has it.
        """
        arrive = np.ascontiguousarray(np.atleast_1d(arrival_s), dtype=np.float64)
        n, problems = len(arrive), Problems()
        if n == 0:
            problems.add("empty", "there is no request")
            problems.raise_if_any()
        _first(problems, ~np.isfinite(arrive), arrive, "arrival_s {} is not a time")
        late = np.append(False, np.diff(arrive) < 0)
        _first(problems, late, arrive, "arrival_s {} is before that of the request above it; sort by arrival")

        def whole(given: ArrayLike | None, missing: int, name: str, least: int) -> Ints:
            values = np.broadcast_to(np.asarray(missing if given is None else given, dtype=np.float64), (n,))
            wrong = ~(np.isfinite(values) & (values >= least) & (values == np.floor(values)) & (values < MOST))
            _first(problems, wrong, values, name + f" {{}} must be a whole number from {least} to {MOST - 1}")
            return np.where(wrong, least, values).astype(np.int64)

        columns = (
            whole(input_tokens, 1, "input_tokens", 1),
            whole(output_tokens, 1, "output_tokens", 1),
            whole(priority, 0, "priority", 0),
            whole(session, -1, "session", -1),
        )
        follows = whole(after, -1, "after", -1)
        _first(problems, follows >= np.arange(n), follows, "after {} is not a row above (rows count from 0 there)")
        think = np.broadcast_to(np.asarray(think_s, dtype=np.float64), (n,)).copy()
        _first(problems, ~(np.isfinite(think) & (think >= 0)), think, "think_s {} must not be negative")
        ids = np.asarray([] if hashes is None else hashes, dtype=np.int64)
        start = np.zeros(n + 1, dtype=np.int64) if hash_from is None else np.asarray(hash_from, dtype=np.int64)
        if len(start) != n + 1 or start[0] != 0 or start[-1] != len(ids) or bool(np.any(np.diff(start) < 0)):
            problems.add("shape", f"hash_from must rise from 0 to {len(ids)} in {n + 1} entries")
        if block_tokens < 1:
            problems.add("out_of_range", f"block_tokens is {block_tokens}; it must be at least 1")
        problems.raise_if_any()
        return cls(arrive, *columns, start, ids, follows, think, int(block_tokens))

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """Seconds from the first arrival to the last."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def per_s(self) -> float:
        """Arrivals per second; infinite where all come at once."""
        return (len(self) - 1) / self.span_s if self.span_s > 0 else float("inf")

    def reusable_share(self) -> float:
        """Share of hashed blocks that an endless cache would have seen before."""
        return 1.0 - len(np.unique(self.hashes)) / len(self.hashes) if len(self.hashes) else 0.0


def _first(problems: Problems, wrong: NDArray[np.bool_], values: NDArray[np.generic], message: str) -> None:
    if bool(wrong.any()):
        row = int(np.argmax(wrong))
        many = int(wrong.sum())
        others = f" ({many} rows like it)" if many > 1 else ""
        problems.add("value", f"row {row + 1}: " + message.format(values[row]) + others)
