"""Tables of results as the report shows them: numbers scaled to be read, units in the header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gigawatt.core.table import Table as Columns

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, repr=False)
class Table(Columns):
    """Named columns of equal length, each with its unit; shown with numbers scaled to be read and units in the header.

    `table[column]`, `rows()` and `polars()` give the numbers as they are, in the unit that `units` says.

    Attributes:
        name: by which a result finds it.
        columns: values by column.
        units: unit by column; '' for text, counts and plain ratios.
        title: what it is.
        note: what a reader must know.
    """

    _chosen: tuple[str, ...] | None = None  # columns to show, in order; all when None
    _labels: Mapping[str, str] = field(default_factory=dict)

    def polars(self) -> pl.DataFrame:
        """A polars frame with the numbers as they are.

        >>> import gigawatt as gw
        >>> gw.run("one-rack").table("plan").polars()["racks"].to_list()
        [1.0]
        """
        from gigawatt.report.files import frame_of

        return frame_of(Columns(self.name, self.columns, self.units))

    def _as_text(self) -> tuple[list[tuple[str, str]], list[bool], list[list[str]]]:
        from gigawatt.report.grid import grid

        shown = grid(self, self._chosen, self._labels, bands=True)
        return list(zip(shown.labels, shown.units, strict=True)), shown.numeric, shown.rows


def shown_as(table: Columns, chosen: tuple[str, ...] | None = None, labels: Mapping[str, str] | None = None) -> Table:
    """A table with the unit of every column, as its part of the report shows it."""
    from gigawatt.report.grid import unit_in

    units = {name: unit_in(table, name) for name in table.columns}
    return Table(table.name, table.columns, units, table.title, table.note, chosen, labels or {})


def table_of(
    name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "", note: str = ""
) -> Table:
    """A table of rows that the face itself makes."""
    return shown_as(Columns.from_rows(name, rows, columns, {}, title, note))
