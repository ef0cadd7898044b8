"""A small result table of columns: each with a name, a unit and one sentence on what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gigawatt.core.errors import UnknownName, unknown_name

if TYPE_CHECKING:
    import polars as pl

SHOWN = 24  # rows that a notebook or a terminal shows
NAMED = 6  # columns that a short form names


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Columns of equal length. `units[name]` is shown in every header ('' for text and counts).

    Raises:
        ValueError: columns differ in length.
    """

    name: str
    columns: Mapping[str, Sequence[Any]]
    units: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        lengths = {key: len(values) for key, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"table {self.name}: columns differ in length: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """One mapping a row, with plain Python values."""
        names = list(self.columns)
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, (plain(value) for value in values), strict=True))

    def as_json(self) -> list[dict[str, Any]]:
        """The rows as a list."""
        return list(self.rows())

    def header(self, name: str) -> str:
        """The column's heading with its unit: 'power [MW]'."""
        unit = self.units.get(name, "")
        words = name.replace("_", " ")
        return f"{words} [{unit}]" if unit else words

    def polars(self) -> pl.DataFrame:
        """A polars frame with the numbers as they are."""
        import polars as pl

        columns = {
            key: values if hasattr(values, "dtype") else [plain(v) for v in values]
            for key, values in self.columns.items()
        }
        return pl.DataFrame(columns, strict=False)

    def __getitem__(self, column: str) -> list[Any]:
        if column not in self.columns:
            raise UnknownName(unknown_name("column", column, self.columns))
        return [plain(value) for value in self.columns[column]]

    def __repr__(self) -> str:
        names = [*list(self.columns)[:NAMED], *(["..."] if len(self.columns) > NAMED else [])]
        return f"<Table {self.name!r}: {len(self)} rows, {len(self.columns)} columns: {', '.join(names)}>"

    def __str__(self) -> str:
        from gigawatt.core.markup import table_text

        headers, numeric, rows = self._as_text()
        return table_text(headers, numeric, rows[:SHOWN], self.title, len(rows) - SHOWN)

    def _repr_html_(self) -> str:
        from gigawatt.core.markup import framed

        return framed(self._html(SHOWN))

    def _html(self, most: int) -> str:
        """The table alone, without the style around it, at most so many rows."""
        from gigawatt.core.markup import table_html

        headers, numeric, rows = self._as_text()
        return table_html(headers, numeric, rows[:most], self.title, self.note, len(rows) - most)

    def _as_text(self) -> tuple[list[tuple[str, str]], list[bool], list[list[str]]]:
        """Headers (label, unit), which columns are numbers, and the cells: numbers as they are."""
        headers = [(name.replace("_", " "), self.units.get(name, "")) for name in self.columns]
        numeric = [all(_is_number(plain(v)) for v in values) for values in self.columns.values()]
        return headers, numeric, [[_said(value) for value in row.values()] for row in self.rows()]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.columns)

    @classmethod
    def from_rows(
        cls,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        units: Mapping[str, str] | None = None,
        title: str = "",
        note: str = "",
    ) -> Table:
        """A table of `rows` in the order of `columns`; a missing value is None."""
        return cls(name, {key: [row.get(key) for row in rows] for key in columns}, units or {}, title, note)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _said(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def plain(value: Any) -> Any:
    """A NumPy scalar as the Python value it stands for; NaN as None, since JSON has none."""
    item = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(item, float) and item != item:
        return None
    return item
