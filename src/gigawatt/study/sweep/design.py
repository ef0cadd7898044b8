"""Which scenarios a sweep asks: a product of axes, of which row i is worked out from i alone.

Rows are numbered like the digits of a clock: the last axis runs fastest. With sizes n_1 .. n_m, level j of row i is

    k_j = floor(i / (n_(j+1) ... n_m)) mod n_j

so that a design of a million rows is a few axes, and any worker finds any row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.core.errors import Problems, Where
from gigawatt.study.sweep.axes import Axis, Cases

MOST_ROWS = 100_000_000
MOST_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class Design:
    """The axes in order (the last runs fastest) and how many rows one part holds."""

    axes: tuple[Axis, ...]
    chunk: int

    @property
    def rows(self) -> int:
        return math.prod(len(axis) for axis in self.axes)

    @property
    def chunks(self) -> int:
        return -(-self.rows // self.chunk)

    @property
    def changed(self) -> list[tuple[Axis, str]]:
        """Every input that some row changes, with its axis, in order."""
        return [(axis, path) for axis in self.axes for path in axis.paths]

    @property
    def cases(self) -> Cases | None:
        return next((axis for axis in self.axes if isinstance(axis, Cases)), None)

    def levels(self, row: int) -> tuple[int, ...]:
        """The level of every axis in one row.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= row < self.rows:
            raise IndexError(row)
        out: list[int] = []
        for axis in reversed(self.axes):
            row, level = divmod(row, len(axis))
            out.append(level)
        return tuple(reversed(out))

    def changes(self, row: int) -> dict[str, Any]:
        """What one row changes: dotted path -> value as a file would write it."""
        made: dict[str, Any] = {}
        for axis, level in zip(self.axes, self.levels(row), strict=True):
            made |= axis.at(level)
        return made

    def case(self, row: int) -> str:
        """The name of the row's case, '' where the design has none."""
        for axis, level in zip(self.axes, self.levels(row), strict=True):
            if isinstance(axis, Cases):
                return axis.names[level]
        return ""

    def rows_of(self, chunk: int) -> range:
        """The rows of one part.

        Raises:
            IndexError: there is no such part.
        """
        if not 0 <= chunk < self.chunks:
            raise IndexError(chunk)
        return range(chunk * self.chunk, min((chunk + 1) * self.chunk, self.rows))

    def spread(self, count: int) -> Iterator[int]:
        """At most `count` different rows: the first, the last, the middle, the quarters, and so on."""
        shares = [0.0, 1.0, *(van_der_corput(k) for k in range(1, count - 1))]
        return iter(dict.fromkeys(round((self.rows - 1) * share) for share in shares[:count]))

    def as_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "chunk": self.chunk, "axes": [axis.as_json() for axis in self.axes]}


def van_der_corput(k: int) -> float:
    """The bits of k behind the point, in reverse: every prefix lies evenly in (0, 1).

    >>> [van_der_corput(k) for k in (1, 2, 3, 4)]
    [0.5, 0.25, 0.75, 0.125]
    """
    digits = f"{k:b}"
    return float(int(digits[::-1], 2) / (1 << len(digits)))


def chunk_of(rows: int) -> int:
    """Rows of a part where nothing else is asked: half the root of all, so that parts are few and a lost one is small.

    It depends on the number of rows alone: the same design has the same parts wherever it runs.

    >>> [chunk_of(n) for n in (1, 8, 100, 10_000, 1_000_000)]
    [1, 1, 5, 50, 500]
    """
    return max(1, min(round(math.sqrt(rows) / 2), 1000))


def design_of(axes: Sequence[Axis], chunk: int | None, problems: Problems) -> Design | None:
    """A design of these axes, or None with what is wrong with their product added to `problems`."""
    if not any(axis.paths for axis in axes):
        problems.add(
            "nothing_to_change", "a sweep changes nothing", None, "say what: --grid site.energy_price=30..90 USD/MWh/7"
        )
        return None
    _check_twice(axes, problems)
    rows = math.prod(len(axis) for axis in axes)
    if rows > MOST_ROWS:
        sizes = " x ".join(f"{len(axis):,}" for axis in axes)
        problems.add("too_many", f"{sizes} = {rows:,} scenarios; a sweep holds at most {MOST_ROWS:,}", axes[0].place())
    if chunk is not None and not 1 <= chunk <= MOST_CHUNK:
        problems.add("out_of_range", f"a part holds 1 to {MOST_CHUNK:,} rows, not {chunk:,}", Where("chunk"))
    return None if problems.found else Design(tuple(axes), chunk or chunk_of(rows))


def _check_twice(axes: Sequence[Axis], problems: Problems) -> None:
    """No input may be changed by two axes, nor a part of what another one changes."""
    seen: set[str] = set()
    for axis in axes:
        for path in axis.paths:
            for other in sorted(seen):
                if path == other or path.startswith(other + ".") or other.startswith(path + "."):
                    what = (
                        f"'{path}' is changed twice"
                        if path == other
                        else f"'{path}' and '{other}' change the same input"
                    )
                    problems.add("changed_twice", what, axis.place(path), "let one of them go, or zip them")
        seen.update(axis.paths)
    if sum(isinstance(axis, Cases) for axis in axes) > 1:
        problems.add("changed_twice", "a sweep has one list of cases", axes[-1].place())
