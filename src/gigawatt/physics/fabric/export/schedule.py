"""A step as tasks: messages and stretches of compute, each waiting for earlier ones that its rank can see.

A task belongs to a rank: a message to its sender, compute to whom computes. It may wait for compute of that rank, for a message
that arrives there, or for a message that the rank sent (until it is out). Anything else would need a message of its own.

`Program` builds schedules phase by phase. What a phase returns says, for each rank, what the next one waits for.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# For each rank the tasks that the next one of that rank waits for.
Front = list[Ints]
NONE: Ints = np.empty(0, dtype=np.int64)
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """One row a task, in an order in which all may run; `waits` and `on` are pairs, task `waits[i]` waits for `on[i]`.

    `source` equals `target` for compute, which takes `compute_s`; a message moves `nbytes`. Tasks of one `step` wait only for
    those of earlier steps. `phase` indexes `phases`.

    Raises:
        InputError: ranks that do not exist, a message of nothing, a wait for a later task or for what the rank can not see.
    """

    ranks: int
    source: Ints
    target: Ints
    nbytes: Ints
    compute_s: Floats
    step: Ints
    phase: Ints
    phases: tuple[str, ...]
    waits: Ints
    on: Ints

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise InputError(problems)

    @property
    def count(self) -> int:
        """Number of tasks."""
        return len(self.source)

    @property
    def is_message(self) -> NDArray[np.bool_]:
        """True for messages, False for compute."""
        return np.asarray(self.source != self.target, dtype=np.bool_)

    def waits_for(self) -> list[Ints]:
        """For each task the tasks it waits for."""
        order = np.argsort(self.waits, kind="stable")
        return np.split(self.on[order], np.searchsorted(self.waits[order], np.arange(1, self.count)))


def _problems(s: Schedule) -> list[Problem]:
    def named(code: str, text: str, bad: NDArray[np.bool_]) -> list[Problem]:
        found = np.flatnonzero(bad)
        if not len(found):
            return []
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        return [Problem(code, f"{text}: {', '.join(map(str, found[:MOST_NAMED]))}{more}")]

    ends = np.stack([s.source, s.target])
    out = np.any((ends < 0) | (ends >= s.ranks), axis=0)
    message = s.is_message
    bad = named("no_such_rank", f"tasks of ranks outside 0 to {s.ranks - 1}", out)
    bad += named("empty_message", "messages of no bytes", message & (s.nbytes < 1))
    bad += named("negative_time", "compute of less than no time", ~message & ~(s.compute_s >= 0))
    late = (s.on < 0) | (s.on >= s.waits) | (s.waits >= s.count)
    bad += named("wait_for_later", "waits (by number) for a task that does not come earlier", late)
    if bad:
        return bad
    seen = (s.source[s.on] == s.source[s.waits]) | (s.target[s.on] == s.source[s.waits])
    bad += named("wait_unseen", "waits (by number) for a task that the rank neither ran, sent nor received", ~seen)
    bad += named("wait_in_step", "waits (by number) inside one step", s.step[s.on] >= s.step[s.waits])
    return bad


def split_bytes(nbytes: int, parts: int) -> Ints:
    """Whole bytes of each part, which add up to `nbytes`.

    >>> split_bytes(10, 4).tolist()
    [2, 3, 2, 3]

    Raises:
        InputError: fewer bytes than parts.
    """
    if nbytes < parts:
        raise InputError(Problem("empty_message", f"{nbytes} bytes can not be split into {parts} messages"))
    # Whole numbers of Python: nbytes x parts may leave 64 bits.
    edges = [nbytes * i // parts for i in range(parts + 1)]
    return np.asarray([b - a for a, b in itertools.pairwise(edges)], dtype=np.int64)


def join(*fronts: Front) -> Front:
    """Wait for all of these."""
    return [np.unique(np.concatenate(parts)) for parts in zip(*fronts, strict=True)]


class Program:
    """Builds a schedule; every phase takes what it waits for (`after`) and gives what the next may wait for.

    >>> program = Program(4)
    >>> done = program.all_reduce(program.compute(0.010), [[0, 1, 2, 3]], 4000)
    >>> program.schedule().count        # 4 stretches of compute and 4 x 6 messages
    28
    """

    def __init__(self, ranks: int) -> None:
        if ranks < 1:
            raise InputError(Problem("no_such_rank", "a schedule needs at least one rank"))
        self.ranks = ranks
        self._columns: list[tuple[Ints, Ints, Ints, Floats, Ints, Ints]] = []
        self._waits: list[Ints] = []
        self._on: list[Ints] = []
        self._phases: list[str] = []
        self._count = 0
        self._step = 0

    @property
    def start(self) -> Front:
        """Wait for nothing."""
        return [NONE] * self.ranks

    def _phase(self, name: str) -> int:
        if name not in self._phases:
            self._phases.append(name)
        return self._phases.index(name)

    def _add(
        self, phase: int, source: Ints, target: Ints, nbytes: ArrayLike, compute_s: ArrayLike, on: Sequence[Ints]
    ) -> Ints:
        """One step: tasks that wait only for earlier ones."""
        n = len(source)
        ids = np.arange(self._count, self._count + n, dtype=np.int64)
        size, seconds = (
            np.broadcast_to(np.asarray(nbytes, np.int64), n),
            np.broadcast_to(np.asarray(compute_s, float), n),
        )
        same = np.full(n, self._step, dtype=np.int64)
        self._columns.append((source, target, size, seconds, same, np.full(n, phase, dtype=np.int64)))
        self._waits.append(np.repeat(ids, [len(x) for x in on]))
        self._on.append(np.concatenate([NONE, *on]))
        self._count += n
        self._step += 1
        return ids

    def compute(self, compute_s: ArrayLike, after: Front | None = None, name: str = "compute") -> Front:
        """Every rank computes for `compute_s` (one number, or one a rank)."""
        after = self.start if after is None else after
        ranks = np.arange(self.ranks, dtype=np.int64)
        ids = self._add(self._phase(name), ranks, ranks, 0, compute_s, after)
        return [ids[r : r + 1] for r in range(self.ranks)]

    def _ring(self, after: Front, groups: Ints, sizes: Ints, steps: int, shift: int, name: str) -> Front:
        """Rings side by side: in step t, position p passes piece p + shift - t on. `groups` and `sizes` are (rings, n)."""
        phase, n = self._phase(name), groups.shape[1]
        if n == 1 or not steps:
            return after
        source, target = groups.ravel(), np.roll(groups, -1, axis=1).ravel()
        place = np.arange(n)
        on: list[Ints] = [after[r] for r in source]
        for t in range(steps):
            size = sizes[:, (place + shift - t) % n].ravel()
            ids = self._add(phase, source, target, size, 0.0, on)
            came = np.roll(ids.reshape(groups.shape), 1, axis=1).ravel()
            on = list(np.stack([came, ids], axis=1))
        out = list(after)
        for rank, ends in zip(source, on, strict=True):
            out[rank] = ends
        return out

    def _groups(self, groups: Sequence[Sequence[int]]) -> Ints:
        if len({len(group) for group in groups}) != 1:
            raise InputError(Problem("uneven_groups", "groups of one phase must have the same number of ranks"))
        table = np.asarray(groups, dtype=np.int64)
        if len(np.unique(table)) != table.size or table.min() < 0 or table.max() >= self.ranks:
            raise InputError(Problem("no_such_rank", f"groups must share no rank and lie in 0 to {self.ranks - 1}"))
        return table

    def reduce_scatter(self, after: Front, groups: Sequence[Sequence[int]], nbytes: int) -> Front:
        """Ring reduce-scatter of `nbytes` in each group; position p ends with piece p + 1."""
        table = self._groups(groups)
        sizes = np.tile(split_bytes(nbytes, table.shape[1]), (len(table), 1))
        return self._ring(after, table, sizes, table.shape[1] - 1, 0, "reduce_scatter")

    def all_gather(self, after: Front, groups: Sequence[Sequence[int]], nbytes: int) -> Front:
        """Ring all-gather of `nbytes` in all in each group; position p starts with piece p + 1."""
        table = self._groups(groups)
        sizes = np.tile(split_bytes(nbytes, table.shape[1]), (len(table), 1))
        return self._ring(after, table, sizes, table.shape[1] - 1, 1, "all_gather")

    def all_reduce(self, after: Front, groups: Sequence[Sequence[int]], nbytes: int | Sequence[int]) -> Front:
        """Ring all-reduce of `nbytes` (one number, or one a group) in each group, 2 (n-1) steps."""
        table = self._groups(groups)
        each = [nbytes] * len(table) if isinstance(nbytes, int) else list(nbytes)
        sizes = np.stack([split_bytes(int(size), table.shape[1]) for size in each])
        return self._ring(after, table, sizes, 2 * (table.shape[1] - 1), 0, "all_reduce")

    def exchange(self, after: Front, nbytes: ArrayLike, name: str = "all_to_all") -> Front:
        """Every rank sends `nbytes[source, target]` to every other, all at once; (ranks, ranks), 0 sends nothing."""
        table = np.array(nbytes, dtype=np.int64)
        if table.shape != (self.ranks, self.ranks):
            raise InputError(Problem("wrong_shape", f"bytes must be a table of {self.ranks} x {self.ranks}"))
        np.fill_diagonal(table, 0)
        source, target = (x.astype(np.int64) for x in np.nonzero(table))
        # Nearest neighbour first, so that no receiver is everybody's first.
        order = np.lexsort((source, (target - source) % self.ranks))
        source, target = source[order], target[order]
        ids = self._add(self._phase(name), source, target, table[source, target], 0.0, [after[r] for r in source])
        out = []
        for r, before in enumerate(after):
            mine, sends = ids[(source == r) | (target == r)], bool(np.any(source == r))
            # Who sends nothing has nobody to pass its own waiting on.
            out.append(mine if sends else np.concatenate([before, mine]))
        return out

    def schedule(self) -> Schedule:
        """All phases so far."""
        if not self._columns:
            raise InputError(Problem("empty_schedule", "nothing was added to the program"))
        source, target, size, seconds, step, phase = (
            np.concatenate(parts) for parts in zip(*self._columns, strict=True)
        )
        return Schedule(
            ranks=self.ranks,
            source=source.astype(np.int64),
            target=target.astype(np.int64),
            nbytes=size.astype(np.int64),
            compute_s=seconds.astype(np.float64),
            step=step.astype(np.int64),
            phase=phase.astype(np.int64),
            phases=tuple(self._phases),
            waits=np.concatenate(self._waits),
            on=np.concatenate(self._on),
        )
