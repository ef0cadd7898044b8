"""The front of a search: mappings that no other beats on time, joules and memory at once, kept while blocks go by.

Memory is told apart in steps of 1/32 of what may be planned with: less is no headroom that anybody would choose for.
A block is first held against the best seen so far (a cell is beaten where the least-joule mapping with no more memory is
faster, or the fastest one takes fewer joules), which leaves few to compare in full.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.search.bulk import Evaluated, columns_of

Column = NDArray[np.float64]
STEPS = 32  # in which memory is told apart
ALIKE = 0.005  # a point that is worse in time and gains less than this in joules is thinned out
HEADROOM = STEPS // 8  # of memory, and so is one that frees less than this


def undominated(time: Column, joules: Column, memory: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows that no other row equals or beats in all three; of equal rows the first. Sorted by time.

    >>> undominated(np.array([2.0, 1.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.array([1, 1, 1])).tolist()
    [1, 0]
    """
    order = np.lexsort((memory, joules, time))
    left, need = joules[order], memory[order]
    keep = np.zeros(order.size, dtype=bool)
    for step in np.unique(need):
        least = np.minimum.accumulate(np.where(need <= step, left, np.inf))
        before = np.concatenate([[np.inf], least[:-1]])
        keep |= (need == step) & (left < before)
    return order[keep]


@dataclass(slots=True)
class Front:
    """What is worth keeping so far: seconds, joules, memory in steps, and the mappings (a column each)."""

    room_bytes: float
    time: Column = field(default_factory=lambda: np.zeros(0))
    joules: Column = field(default_factory=lambda: np.zeros(0))
    memory: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    mappings: Column | None = None
    # For each step of memory: seconds of the least-joule mapping that needs no more, joules of the fastest.
    _time_of_frugal: Column = field(default_factory=lambda: np.full(STEPS + 1, np.inf))
    _joules_of_fast: Column = field(default_factory=lambda: np.full(STEPS + 1, np.inf))

    def __len__(self) -> int:
        return int(self.time.size)

    def add(self, found: Evaluated, good: NDArray[np.bool_]) -> None:
        """The cells of a block that are `good` (a mask that broadcasts to it)."""
        shape = found.block.shape
        need = np.minimum((STEPS / self.room_bytes * found.memory_bytes).astype(np.intp), STEPS)
        ahead = good & (found.step_s <= self._time_of_frugal[need]) & (found.joules <= self._joules_of_fast[need])
        cells = np.flatnonzero(np.broadcast_to(ahead, shape))
        if not cells.size:
            return
        time, joules = (np.broadcast_to(x, shape).ravel()[cells] for x in (found.step_s, found.joules))
        memory = np.broadcast_to(need, shape)[np.unravel_index(cells, shape)]
        some = undominated(time, joules, memory)
        rows = columns_of(found.block.rows(cells[some]))
        time, joules = np.concatenate([self.time, time[some]]), np.concatenate([self.joules, joules[some]])
        memory = np.concatenate([self.memory, memory[some]])
        rows = rows if self.mappings is None else np.concatenate([self.mappings, rows], axis=1)
        best = undominated(time, joules, memory)
        self.time, self.joules, self.memory, self.mappings = time[best], joules[best], memory[best], rows[:, best]
        for step in range(STEPS + 1):
            within = self.memory <= step
            if np.any(within):
                frugal = np.argmin(np.where(within, self.joules, np.inf))
                self._time_of_frugal[step] = self.time[frugal]
                self._joules_of_fast[step] = self.joules[np.argmax(within)]

    def rows(self, chosen: NDArray[np.intp]) -> Mapping:
        """The mappings of some rows."""
        assert self.mappings is not None
        return Mapping(*(column[chosen] for column in self.mappings))

    def chosen(self, cost: Column, count: int) -> NDArray[np.intp]:
        """At most `count` rows by cost, the first the least; rows much like a cheaper one are thinned out."""
        taken: list[int] = []
        for row in np.argsort(cost, kind="stable"):
            alike = (
                self.joules[taken] <= (1.0 + ALIKE) * self.joules[row],
                self.time[taken] <= (1.0 + ALIKE) * self.time[row],
                self.memory[taken] <= self.memory[row] + HEADROOM,
            )
            if len(taken) < count and not np.any(alike[0] & alike[1] & alike[2]):
                taken.append(int(row))
        return np.array(taken, dtype=np.intp)
