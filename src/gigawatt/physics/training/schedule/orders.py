"""The order in which each rank of a pipeline runs its units of work, for every schedule: what `replay` runs.

A unit is a pass of one micro-batch through one stage of a chain of stages. Passes: F forward, B backward for the input,
W backward for the weights, A both backward passes at once. A step of a rank is one unit, or two run together (the
overlapped forward and backward of DualPipe). Sources of the orders:

    gpipe       all forwards, then all backwards                            [Huang et al., arXiv 1811.06965]
    1f1b        p - 1 - rank forwards, one forward one backward, the rest   [Narayanan et al., SC'21, sec. 2.2.1]
    interleaved the same over v chunks of a rank, micro-batches in groups of p  [ibid., sec. 2.2.2]
    zb-h1       1f1b whose W runs `rank` micro-batches late, so that no rank holds more than p  [Qi et al., arXiv
                2401.10241, sec. 2.3]
    zb-v        two chunks a rank in the shape of a V                       [ibid., sec. 6; arXiv 2405.15362]
    dualpipe    two directions at once, eight phases                        [DeepSeek-V3 report, fig. 5 and public code]
    dualpipe-v  the same folded: one direction through a V of 2 p chunks    [public code of DualPipe]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gigawatt.core.errors import InputError
from gigawatt.physics.training.columns import (
    DUAL_PIPE,
    DUAL_PIPE_V,
    GPIPE,
    ONE_F_ONE_B,
    ZERO_BUBBLE_H1,
    ZERO_BUBBLE_V,
)
from gigawatt.physics.training.schedule.valid import check_schedule


@dataclass(frozen=True, slots=True)
class Unit:
    """A pass ("F", "B", "W", "A") of micro-batch `batch` through stage `stage` of chain `chain`."""

    work: str
    chain: int
    stage: int
    batch: int


Step = tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Steps of each rank, the length of a chain, and the rank that holds a stage of a chain."""

    steps: tuple[tuple[Step, ...], ...]
    chain_stages: int
    rank_of: Callable[[int, int], int]


def order_of(schedule: float, micro_batches: int, ranks: int, chunks: int = 1) -> Order:
    """The order of a schedule.

    Raises:
        InputError: the schedule is not defined for these numbers (see `schedule_problem`).
    """
    problems = check_schedule(schedule, micro_batches, ranks, chunks)
    if problems:
        raise InputError(problems)
    if schedule == GPIPE:
        return _single(_gpipe, micro_batches, ranks)
    if schedule == ONE_F_ONE_B and chunks == 1:
        return _single(_one_f_one_b, micro_batches, ranks)
    if schedule == ONE_F_ONE_B:
        return _interleaved(micro_batches, ranks, chunks)
    if schedule == ZERO_BUBBLE_H1:
        return _single(_zero_bubble_h1, micro_batches, ranks)
    if schedule == ZERO_BUBBLE_V:
        return _folded(_zero_bubble_v, micro_batches, ranks)
    if schedule == DUAL_PIPE_V:
        return _folded(_dual_pipe_v, micro_batches, ranks)
    assert schedule == DUAL_PIPE
    steps = tuple(tuple(_dual_pipe(rank, micro_batches, ranks)) for rank in range(ranks))
    return Order(steps, ranks, lambda chain, stage: stage if chain == 0 else ranks - 1 - stage)


def _single(rule: Callable[[int, int, int], Iterator[Step]], micro_batches: int, ranks: int) -> Order:
    """One chain whose stage s is on rank s."""
    steps = tuple(tuple(rule(rank, micro_batches, ranks)) for rank in range(ranks))
    return Order(steps, ranks, lambda _, stage: stage)


def _folded(rule: Callable[[int, int, int], Iterator[Step]], micro_batches: int, ranks: int) -> Order:
    """One chain of 2 p stages in the shape of a V: rank r holds stages r and 2 p - 1 - r."""
    steps = tuple(tuple(rule(rank, micro_batches, ranks)) for rank in range(ranks))
    return Order(steps, 2 * ranks, lambda _, stage: min(stage, 2 * ranks - 1 - stage))


def _gpipe(rank: int, m: int, p: int) -> Iterator[Step]:
    for j in range(m):
        yield (Unit("F", 0, rank, j),)
    for j in range(m):
        yield (Unit("A", 0, rank, j),)


def _one_f_one_b(rank: int, m: int, p: int) -> Iterator[Step]:
    warm = min(p - 1 - rank, m)
    for j in range(warm):
        yield (Unit("F", 0, rank, j),)
    for j in range(m - warm):
        yield (Unit("F", 0, rank, warm + j),)
        yield (Unit("A", 0, rank, j),)
    for j in range(m - warm, m):
        yield (Unit("A", 0, rank, j),)


def _interleaved(m: int, p: int, v: int) -> Order:
    units = m * v

    def unit(i: int, rank: int, work: str) -> Step:
        group, inside = divmod(i, p * v)
        chunk, lane = divmod(inside, p)
        chunk = chunk if work == "F" else v - 1 - chunk
        return (Unit(work, 0, chunk * p + rank, group * p + lane),)

    def steps(rank: int) -> Iterator[Step]:
        warm = min(2 * (p - rank - 1) + (v - 1) * p, units)
        for i in range(warm):
            yield unit(i, rank, "F")
        for i in range(units - warm):
            yield unit(warm + i, rank, "F")
            yield unit(i, rank, "A")
        for i in range(units - warm, units):
            yield unit(i, rank, "A")

    return Order(tuple(tuple(steps(rank)) for rank in range(p)), p * v, lambda _, stage: stage % p)


def _zero_bubble_h1(rank: int, m: int, p: int) -> Iterator[Step]:
    warm = min(p - 1 - rank, m)
    done = 0
    for j in range(warm):
        yield (Unit("F", 0, rank, j),)
    for j in range(m - warm):
        yield (Unit("F", 0, rank, warm + j),)
        yield (Unit("B", 0, rank, j),)
        if j >= rank:
            yield (Unit("W", 0, rank, done),)
            done += 1
    for j in range(m - warm, m):
        yield (Unit("B", 0, rank, j),)
        if done < j + 1:
            yield (Unit("W", 0, rank, done),)
            done += 1
    for j in range(done, m):
        yield (Unit("W", 0, rank, j),)


class _Counter:
    """Next micro-batch of each pass through each of a rank's two chunks."""

    def __init__(self, chunks: tuple[tuple[int, int], tuple[int, int]]) -> None:
        self.chunks = chunks  # (chain, stage) of chunk 0 and 1
        self.next = {(work, chunk): 0 for work in "FB" for chunk in (0, 1)}
        self.owed: list[Unit] = []  # weight gradients put off, oldest first

    def unit(self, work: str, chunk: int) -> Unit:
        """The next F, or backward: "A" both passes, "B" the input's with W put off."""
        key = ("F" if work == "F" else "B", chunk)
        batch = self.next[key]
        self.next[key] += 1
        chain, stage = self.chunks[chunk]
        if work == "B":
            self.owed.append(Unit("W", chain, stage, batch))
        return Unit(work, chain, stage, batch)

    def weights(self) -> Unit:
        """The oldest weight gradient put off."""
        return self.owed.pop(0)


def _zero_bubble_v(rank: int, m: int, p: int) -> Iterator[Step]:
    c = _Counter(((0, rank), (0, 2 * p - 1 - rank)))

    def both(chunk: int) -> Iterator[Step]:
        yield (c.unit("B", chunk),)
        yield (c.weights(),)

    for _ in range(2 * (p - rank) - 1):
        yield (c.unit("F", 0),)
    for _ in range(rank):
        yield (c.unit("F", 1),)
        yield (c.unit("F", 0),)
    for _ in range(p - rank):
        yield (c.unit("F", 1),)
        yield from both(1)
    while c.next["F", 1] < m:
        if c.next["F", 0] < m:
            yield (c.unit("F", 0),)
        yield from both(0)
        yield (c.unit("F", 1),)
        yield from both(1)
    for _ in range(rank):
        yield (c.unit("B", 0),)
        yield (c.unit("B", 1),)
    owed = [unit for unit in c.owed if unit.stage == rank]
    late = [unit for unit in c.owed if unit.stage != rank]
    for _ in range(p - rank):
        unit = c.unit("B", 0)
        yield (unit,)
        owed.append(Unit("W", 0, unit.stage, unit.batch))
        yield (owed.pop(0),)
    for unit in late + owed:
        yield (unit,)


def _dual_pipe(rank: int, m: int, p: int) -> Iterator[Step]:
    mirror = p - 1 - rank
    chunks = ((0, rank), (1, mirror)) if rank < p // 2 else ((1, mirror), (0, rank))
    middle = rank in (p // 2 - 1, p // 2)
    yield from _two_way(_Counter(chunks), min(rank, mirror), p // 2, m // 2, middle)


def _dual_pipe_v(rank: int, m: int, p: int) -> Iterator[Step]:
    yield from _two_way(_Counter(((0, rank), (0, 2 * p - 1 - rank))), rank, p, m, rank == p - 1)


def _two_way(c: _Counter, rank: int, half: int, m: int, middle: bool) -> Iterator[Step]:
    """The eight phases of DualPipe on a rank `rank` of `half` with m micro-batches in each of two directions."""
    after = half - rank - 1
    for _ in range(2 * after):
        yield (c.unit("F", 0),)
    for _ in range(rank + 1):
        yield (c.unit("F", 0),)
        yield (c.unit("F", 1),)
    for _ in range(after):
        yield (c.unit("B", 1),)
        yield (c.weights(),)
        yield (c.unit("F", 1),)
    for i in range(m - 2 * half + rank + 1):
        first, back = c.unit("F", 0), c.unit("A", 1)
        if i == 0 and middle:  # run apart, to shorten the bubble
            yield (first,)
            yield (back,)
        else:
            yield (first, back)
        yield (c.unit("F", 1), c.unit("A", 0))
    for _ in range(after):
        yield (c.unit("A", 1),)
        yield (c.unit("F", 1), c.unit("A", 0))
    split = False
    for i in range(rank + 1):
        if i == (rank + 1) // 2 and rank % 2 == 1:
            split = True
        yield (c.unit("B" if split else "A", 1),)
        if i == (rank + 1) // 2 and rank % 2 == 0:
            split = True
        yield (c.unit("B" if split else "A", 0),)
    for _ in range(after):
        yield (c.weights(),)
        yield (c.unit("B", 0),)
    while c.owed:
        yield (c.weights(),)
