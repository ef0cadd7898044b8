"""Tables as a notebook wants them: units in the header, rows, a polars frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gigawatt.core.table import Table as Columns
from gigawatt.core.table import plain

if TYPE_CHECKING:
    import polars as pl

    from gigawatt.report.grid import Grid

SHOWN = 24  # rows that are shown; all are in `rows()` and `polars()`
WIDEST = 40  # characters of a cell of text, in a terminal


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Named columns of equal length, each with its unit; shown with units in the header and numbers scaled to be read.

    `rows()`, `polars()` and `table[column]` give the numbers as they are, in the unit that `units` says.
    """

    _of: Columns
    _shown: tuple[str, ...] | None = None  # columns to show, in order; all when None
    _labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """By which a result finds it."""
        return self._of.name

    @property
    def title(self) -> str:
        """What it is."""
        return self._of.title

    @property
    def note(self) -> str:
        """What a reader must know."""
        return self._of.note

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._of.columns)

    @property
    def units(self) -> dict[str, str]:
        """Unit of every column; '' for text, counts and plain ratios.

        >>> import gigawatt as gw
        >>> gw.run("one-rack").table("plan").units["mw"]
        'MW'
        """
        from gigawatt.report.grid import unit_in

        return {name: unit_in(self._of, name) for name in self._of.columns}

    def rows(self) -> Iterator[dict[str, Any]]:
        """One mapping a row, with plain Python values.

        >>> import gigawatt as gw
        >>> [row["platform"] for row in gw.run("one-rack").table("plan").rows()]
        ['rack']
        """
        return self._of.rows()

    def polars(self) -> pl.DataFrame:
        """A polars frame with the numbers as they are; `units` says in what.

        >>> import gigawatt as gw
        >>> gw.run("one-rack").table("plan").polars()["racks"].to_list()
        [1.0]
        """
        from gigawatt.report.files import frame_of

        return frame_of(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __getitem__(self, column: str) -> list[Any]:
        if column not in self._of.columns:
            from gigawatt.api.errors import no_such

            raise no_such("column", column, self._of.columns)
        return [plain(value) for value in self._of.columns[column]]

    def _ipython_key_completions_(self) -> list[str]:
        return self.columns

    def _grid(self) -> Grid:
        """As text: scaled, units in the header, chosen columns."""
        from gigawatt.report.grid import grid

        return grid(self._of, self._shown, self._labels, bands=True)

    def __repr__(self) -> str:
        return f"<Table {self.name!r}: {len(self)} rows, columns {', '.join(self.columns)}>"

    def __str__(self) -> str:
        shown = self._grid()
        head = shown.headers()
        rows = [
            [cell if len(cell) <= WIDEST else cell[: WIDEST - 3] + "..." for cell in row] for row in shown.rows[:SHOWN]
        ]
        wide = [max(len(text) for text in column) for column in zip(head, *rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(n) if right else cell.ljust(n)
                for cell, n, right in zip(row, wide, shown.numeric, strict=True)
            ).rstrip()
            for row in (head, *rows)
        ]
        rest = [f"... and {len(self) - SHOWN:,} more rows"] if len(self) > SHOWN else []
        return "\n".join([*([self.title] if self.title else []), *lines, *rest])

    def _repr_html_(self) -> str:
        from gigawatt.core.markup import framed

        return framed(self._html())

    def _html(self, most: int = SHOWN, title: bool = True) -> str:
        """The table alone, without the style around it."""
        from gigawatt.core.markup import table_html

        shown = self._grid()
        headers = list(zip(shown.labels, shown.units, strict=True))
        words = self.title if title else ""
        more = max(0, len(shown.rows) - most)
        return table_html(headers, shown.numeric, shown.rows[:most], words, self.note, more)


def table_of(
    name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "", note: str = ""
) -> Table:
    """A table of rows that the face itself makes."""
    return Table(Columns.from_rows(name, rows, columns, {}, title, note))
