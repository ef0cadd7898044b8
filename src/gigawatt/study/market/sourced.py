"""Sourced inputs of a section as columns: the value as stated first, then its draws.

Row 0 of every column is the stated value and rows 1.. are draws from its range, so that one run of a pure function gives the
answer and its band. Draws of an input depend on the seed, the input's name and the index of the draw alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.core.table import Table
from gigawatt.economics.market.draws import ranged, uniforms

Array = NDArray[np.float64]
Band = tuple[float, float, float]


def assumed(value: float, low: float, high: float, note: str, unit: str = "") -> Datum:
    """A default that nobody measured, in the engine's unit."""
    return Datum(value, unit, low, high, "assumed", source="assumed", note=note)


class Sourced:
    """Collects the inputs of one section: a column for each, and the table of where they come from.

    `data` are the inputs by name. `where` finds the place in the file of a path below the section.
    """

    def __init__(
        self,
        section: str,
        seed: int,
        samples: int,
        as_of: date | None = None,
        where: Callable[[Sequence[str | int]], Where] | None = None,
    ) -> None:
        self._section, self._seed, self._samples, self._as_of, self._where = section, seed, samples, as_of, where
        self._rows: list[dict[str, object]] = []
        self.data: dict[str, Datum] = {}
        self._late: list[Problem] = []

    def uniform(self, name: str) -> Array:
        """[1 + samples] numbers in (0, 1); the first is a half."""
        stream = crc32(f"{self._section}.{name}".encode())
        drawn = uniforms(self._seed, stream, self._samples, 1)[:, 0]
        return np.concatenate([[0.5], np.clip(drawn, 1e-12, 1 - 1e-12)])

    def column(
        self, name: str, given: Datum, *, least: float = 0.0, most: float = np.inf, uniform: Array | None = None
    ) -> Array:
        """[1 + samples] values of an input, held between `least` and `most`.

        A range above zero is drawn in logarithms, so that a wide one stays above zero. A `uniform` of another input makes
        the two move together.
        """
        self.data[name] = given
        low, high = given.range
        low, high = max(low, min(least, given.value)), min(high, max(most, given.value))
        self._note(name, given, low, high)
        u = self.uniform(name) if uniform is None else uniform
        if low > 0:
            made = np.exp(ranged(np.log(given.value), np.log(low), np.log(high), u))
        else:
            made = ranged(given.value, low, high, u)
        made = np.clip(made, min(least, given.value), max(most, given.value))
        made[0] = given.value
        return np.asarray(made)

    def _note(self, name: str, given: Datum, low: float, high: float) -> None:
        self._rows.append(
            {"input": name, "value": given.value, "low": low, "high": high, "unit": given.unit}
            | {"kind": given.kind or "assumed", "source": given.source, "as_of": given.as_of, "note": given.note}
        )
        if self._as_of is not None and given.kind != "assumed" and later(given.as_of, self._as_of):
            message = f"{self._section}.{name} is dated {given.as_of}, later than {self._as_of}, up to which is asked"
            hint = "give the value that was known then, or ask for a later day"
            place = self._where(name.split(".")) if self._where is not None else None
            self._late.append(Problem("known_later", message, place, (hint,)))

    def table(self) -> Table:
        """The inputs and where they come from.

        Raises:
            InputError: inputs that were not known yet.
        """
        if self._late:
            raise InputError(self._late)
        columns = ("input", "value", "low", "high", "unit", "kind", "source", "as_of", "note")
        title = f"Inputs of {self._section}"
        return Table.from_rows(f"{self._section}_inputs", self._rows, columns, title=title)


def band(column: Array) -> Band | None:
    """P10, P50, P90 of the draws of a column that have a value; None where there are none."""
    drawn = column[1:]
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return None
    low, middle, high = np.percentile(drawn, [10, 50, 90])
    return float(low), float(middle), float(high)


def ends(column: Array, name: str) -> dict[str, float | None]:
    """The cells `name`, `name_low`, `name_high` of a table's row."""
    made = band(column)
    low, high = (None, None) if made is None else (made[0], made[2])
    first = float(column[0])
    return {name: first if np.isfinite(first) else None, f"{name}_low": low, f"{name}_high": high}


def ended(names: Sequence[str]) -> tuple[str, ...]:
    """The column names that `ends` makes, in order."""
    return tuple(f"{name}{suffix}" for name in names for suffix in ("", "_low", "_high"))


def later(dated: str, than: date) -> bool:
    """Whether a day, month or year lies wholly after a day; text that is no date does not."""
    found = re.match(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", dated)
    if not found:
        return False
    year, month, day = (int(part) if part else 1 for part in found.groups())
    return date(year, month, day) > than
