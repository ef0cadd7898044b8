"""A small result table of columns: each with a name, a unit and one sentence on what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

SHOWN = 40  # rows of a table that a notebook shows


@dataclass(frozen=True, slots=True)
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
        return list(self.rows())

    def header(self, name: str) -> str:
        """The column's heading with its unit: 'power [MW]'."""
        unit = self.units.get(name, "")
        words = name.replace("_", " ")
        return f"{words} [{unit}]" if unit else words

    def polars(self) -> pl.DataFrame:
        import polars as pl

        columns = {
            key: values if hasattr(values, "dtype") else [plain(v) for v in values]
            for key, values in self.columns.items()
        }
        return pl.DataFrame(columns, strict=False)

    def _repr_html_(self) -> str:
        """What a notebook shows: numbers as they are, at most 40 rows."""
        from gigawatt.core.markup import framed, table_html

        headers = [(name.replace("_", " "), self.units.get(name, "")) for name in self.columns]
        numeric = [all(_is_number(plain(v)) for v in values) for values in self.columns.values()]
        rows = [[_said(value) for value in row.values()] for row in islice(self.rows(), SHOWN)]
        return framed(table_html(headers, numeric, rows, self.title, self.note, max(0, len(self) - SHOWN)))

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
