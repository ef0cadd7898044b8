"""One number (or word) of a result by where it stands: a headline metric, or a cell of a table.

A page or a test that names its numbers this way can not drift from the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.core.table import plain
from gigawatt.study.result import RunResult

PICKS = ("one", "first", "last", "sum", "count")
# Columns whose unit may stand in the row's own column `unit`.
_ROW_UNIT = ("value", "low", "high", "used", "available")
# Columns whose unit may stand in the row's own column `price_unit`.
_ROW_PRICE = ("shadow_price_up", "shadow_price_down", "lasting_up")
FIELDS = ("metric", "table", "column", "where", "pick", "band", "minus", "over")


@dataclass(frozen=True, slots=True)
class Reading:
    """`metric` names a headline; else `column` of the rows of `table` in which every column of `where` has that value.

    `pick` says what of several rows is meant: 'one' (there is just one), 'first', 'last', 'sum', or 'count' of the rows.
    `band` names the columns of the ends of the band, where they are not those of the column with _low and _high. `minus` is
    taken off, and what is left is divided by `over`, where they are given.
    """

    metric: str = ""
    table: str = ""
    column: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    pick: str = "one"
    band: tuple[str, str] | None = None
    minus: Reading | None = None
    over: Reading | None = None

    @classmethod
    def of(cls, given: str | Mapping[str, Any]) -> Reading:
        """From data: a metric's name, or a mapping of the fields.

        Raises:
            InputError: a field or a pick that does not exist.
        """
        if isinstance(given, str):
            return cls(metric=given)
        for name in given:
            if name not in FIELDS:
                raise InputError(unknown_name("field of a reading:", name, FIELDS, None))
        pick = str(given.get("pick", "one"))
        if pick not in PICKS:
            raise InputError(unknown_name("pick", pick, PICKS, None))
        more = {name: cls.of(given[name]) for name in ("minus", "over") if name in given}
        band = tuple(given["band"]) if "band" in given else None
        return cls(**{**given, "pick": pick, "band": band, **more})


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: value and unit, and the ends of its band where it has one (None: nothing there)."""

    value: Any
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def number(self) -> float:
        """The value as a number, NaN where it is none."""
        return float(self.value) if isinstance(self.value, (int, float)) else float("nan")


def read_of(result: RunResult, reading: Reading) -> Read:
    """The number or word that a reading names.

    Raises:
        InputError: no such metric, table or column; or several rows where one is meant.
    """
    made = _metric(result, reading.metric) if reading.metric else _cell(result, reading)
    for other, sign in ((reading.minus, "-"), (reading.over, "/")):
        if other is None:
            continue
        by = read_of(result, other)
        if sign == "-":
            made = Read(made.number - by.number, made.unit)
        else:
            made = Read(made.number / by.number if by.number else None, "share" if by.unit == made.unit else "")
    return made


def _metric(result: RunResult, name: str) -> Read:
    rows = {row["name"]: row for row in result.metrics.rows()}
    if name not in rows:
        raise InputError(unknown_name("metric", name, list(rows), None))
    row = rows[name]
    return Read(row["value"], row.get("unit") or "", row.get("low"), row.get("high"))


def _price_unit(text: str) -> str:
    """Unit of a limit's worth as numbers are written with it.

    >>> _price_unit("USD per MW"), _price_unit("USD per million tokens"), _price_unit("USD/MW/yr")
    ('USD/MW', 'USD/Mtok', 'USD/MW/yr')
    """
    return text.replace(" per million tokens", "/Mtok").replace(" per ", "/")


def _cell(result: RunResult, reading: Reading) -> Read:
    if reading.table not in result.tables:
        raise InputError(unknown_name("table", reading.table, list(result.tables), None))
    table = result.tables[reading.table]
    for name in (*reading.where, *([reading.column] if reading.pick != "count" else [])):
        if name not in table.columns:
            raise InputError(unknown_name(f"column of {reading.table}:", name, list(table.columns), None))
    rows = [row for row in table.rows() if all(row[name] == plain(value) for name, value in reading.where.items())]
    if reading.pick == "count":
        return Read(len(rows))
    column = reading.column
    unit = table.units.get(column, "")
    if not unit and column in _ROW_UNIT and rows:
        unit = str(rows[0].get("unit") or "")
    if not unit and column in _ROW_PRICE and rows:
        unit = _price_unit(str(rows[0].get("price_unit") or ""))
    if reading.pick == "sum":
        return Read(sum(float(row[column]) for row in rows if row[column] is not None), unit)
    if not rows:
        return Read(None, unit)
    if reading.pick == "one" and len(rows) > 1:
        where = ", ".join(f"{name} {value}" for name, value in reading.where.items()) or "no condition"
        message = f"{len(rows)} rows of '{reading.table}' fit ({where}); one is meant"
        raise InputError(Problem("several_rows", message, None, ("or pick: first, last, sum, count",)))
    row = rows[-1 if reading.pick == "last" else 0]
    low, high = reading.band or (f"{column}_low", f"{column}_high")
    return Read(row[column], unit, row.get(low), row.get(high))
