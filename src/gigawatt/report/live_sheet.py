"""Sheets of live formulas: written once as templates, placed in cells, and worked out for viewers that do not calculate.

A template is a spreadsheet formula with references in our own words:

    {row}    the row's cell in the same column        {row<}   in the column before (0 before the first)
    {row+2}  two columns on (empty past the last)     {row:}   the whole row
    [name]   a named cell

`Evaluator` reads the same templates, so that every formula is stored with its value. It knows the functions of `FUNCTIONS`
alone. A spreadsheet does not need it: it calculates on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.project import rate_of_return

REFERENCE = re.compile(r"\{(\w+)(:|<|\+\d+)?\}|\[(\w+)\]")
# Labels, units and totals stand before the first period.
FIRST_COLUMN = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A named cell: an input with its source, or a formula."""

    name: str
    label: str
    unit: str
    content: float | int | str
    source: str = ""
    solved: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a value a period: one template for all columns, or values that are inputs.

    Columns before `since` and from `until` on stay empty (which counts as 0): what only one phase has.
    """

    key: str
    label: str
    unit: str
    content: str | Sequence[float]
    total: bool = False
    solved: bool = False
    since: int = 0
    until: int | None = None

    def filled(self, periods: int) -> range:
        """The columns that hold something."""
        return range(self.since, periods if self.until is None else self.until)


@dataclass(frozen=True, slots=True)
class Heading:
    """A line of text; `note` in small print."""

    text: str
    note: bool = False


Entry = Cell | Row | Heading


@dataclass(slots=True)
class Sheets:
    """Entries by sheet, in the order they are added, and where each stands."""

    periods: int
    dates: Sequence[date]
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    rows: dict[str, tuple[str, int, Row]] = field(default_factory=dict)
    cells: dict[str, tuple[str, int, Cell]] = field(default_factory=dict)

    def add(self, sheet: str, *entries: Entry) -> None:
        """Append entries to a sheet; a key or a name stands once in the whole book."""
        have = self.entries.setdefault(sheet, [])
        for entry in entries:
            at = len(have) + 3
            if isinstance(entry, Row):
                assert entry.key not in self.rows, entry.key
                self.rows[entry.key] = (sheet, at, entry)
            elif isinstance(entry, Cell):
                assert entry.name not in self.cells, entry.name
                self.cells[entry.name] = (sheet, at, entry)
            have.append(entry)

    def formula(self, template: str, sheet: str, k: int) -> str:
        """The template as a formula of the cell of period k on a sheet."""

        def place(match: re.Match[str]) -> str:
            key, how, name = match.groups()
            if name:
                assert name in self.cells, f"no cell {name}: {template}"
                return str(name)
            where, row, _ = self.rows[key]
            prefix = "" if where == sheet else f"{where}!"
            if how == ":":
                first, last = column_name(FIRST_COLUMN), column_name(FIRST_COLUMN + self.periods - 1)
                return f"{prefix}${first}${row + 1}:${last}${row + 1}"
            at = k + (0 if how is None else -1 if how == "<" else int(how))
            return "0" if at < 0 else f"{prefix}{column_name(FIRST_COLUMN + at)}{row + 1}"

        return "=" + REFERENCE.sub(place, template)


def column_name(index: int) -> str:
    """Letters of a column, from 0.

    >>> column_name(0), column_name(26), column_name(701)
    ('A', 'AA', 'ZZ')
    """
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def _numbers(*values: Any) -> NDArray[np.float64]:
    """All arguments as one flat list without what is empty."""
    flat = np.concatenate([np.atleast_1d(np.asarray(value, dtype=np.float64)).ravel() for value in values])
    return np.asarray(flat[~np.isnan(flat)])


def _irr(flows: Any, guess: float = 0.1) -> float:
    return float(rate_of_return(np.asarray(flows, dtype=np.float64), 1))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "SUM": lambda *v: float(_numbers(*v).sum()),
    "MIN": lambda *v: float(min(_numbers(*v), default=0.0)),
    "MAX": lambda *v: float(max(_numbers(*v), default=0.0)),
    "IF": lambda test, yes, no=0.0: yes if test else no,
    "AND": lambda *v: all(bool(np.all(one)) for one in v),
    "OR": lambda *v: any(bool(np.any(one)) for one in v),
    "ABS": np.abs,
    "INT": np.floor,
    "ROUND": lambda value, digits: np.floor(value * 10**digits + 0.5) / 10**digits,
    "SUMPRODUCT": lambda *v: float(np.nansum(np.prod(np.broadcast_arrays(*v), axis=0))),
    "IFERROR": lambda value, other: value if np.isfinite(value) else other,
    "COUNT": lambda *v: float(len(_numbers(*v))),
    "IRR": _irr,
}


class _Missing(Exception):
    """A cell that is not worked out yet."""

    def __init__(self, key: str, k: int) -> None:
        self.key, self.k = key, k


class Evaluator:
    """Values of all cells of some sheets; NaN stands for an empty cell or an error."""

    def __init__(self, sheets: Sheets) -> None:
        self.sheets = sheets
        self.columns = {key: np.full(sheets.periods, np.nan) for key in sheets.rows}
        self.known = {key: np.zeros(sheets.periods, dtype=bool) for key in sheets.rows}
        self.named: dict[str, float] = {}
        self._code: dict[str, Any] = {}
        for key, (_, _, row) in sheets.rows.items():
            if not isinstance(row.content, str):
                self.columns[key][:] = row.content
                self.known[key][:] = True
            else:
                empty = np.ones(sheets.periods, dtype=bool)
                empty[list(row.filled(sheets.periods))] = False
                self.columns[key][empty], self.known[key][empty] = 0.0, True
        for name, (_, _, cell) in sheets.cells.items():
            if not isinstance(cell.content, str):
                self.named[name] = float(cell.content)
        with np.errstate(all="ignore"):
            for name in sheets.cells:
                self._settle(name, -1)
            for key in sheets.rows:
                for k in range(sheets.periods):
                    self._settle(key, k)

    def _settle(self, key: str, k: int) -> None:
        """Work out one cell and all that it needs; a stack instead of recursion, since chains run over all periods."""
        stack = [(key, k)]
        while stack:
            name, at = stack[-1]
            if name in self.named if at < 0 else self.known[name][at]:
                stack.pop()
                continue
            try:
                value = self._value(name, at)
            except _Missing as missing:
                assert (missing.key, missing.k) not in stack, f"a circle through {missing.key}"
                stack.append((missing.key, missing.k))
                continue
            if at < 0:
                self.named[name] = value
            else:
                self.columns[name][at], self.known[name][at] = value, True
            stack.pop()

    def _value(self, name: str, k: int) -> float:
        template = (self.sheets.cells[name][2] if k < 0 else self.sheets.rows[name][2]).content
        assert isinstance(template, str)
        code = self._code.get(template)
        if code is None:
            code = self._code[template] = compile(_python(template), f"<{name}>", "eval")
        scope: dict[str, Any] = {"c": lambda key, off: self._cell(key, k + off), "r": self._row, "n": self._named}
        try:
            return float(eval(code, {"__builtins__": {}}, scope | FUNCTIONS))
        except ZeroDivisionError:
            return float("nan")

    def _cell(self, key: str, k: int) -> np.float64:
        if k < 0 or k >= self.sheets.periods:
            return np.float64(0.0)
        if not self.known[key][k]:
            raise _Missing(key, k)
        return np.float64(self.columns[key][k])

    def _row(self, key: str) -> NDArray[np.float64]:
        open_ = np.flatnonzero(~self.known[key])
        if len(open_):
            raise _Missing(key, int(open_[0]))
        return self.columns[key]

    def _named(self, name: str) -> np.float64:
        if name not in self.named:
            raise _Missing(name, -1)
        return np.float64(self.named[name])


def _python(template: str) -> str:
    """The template as a Python expression."""

    def place(match: re.Match[str]) -> str:
        key, how, name = match.groups()
        if name:
            return f"n('{name}')"
        return f"r('{key}')" if how == ":" else f"c('{key}', {0 if how is None else -1 if how == '<' else int(how)})"

    out = REFERENCE.sub(place, template).replace('""', "float_nan").replace("^", "**").replace("<>", "!=")
    out = re.sub(r"(?<![<>=!])=(?!=)", "==", out)
    return out.replace("float_nan", "(1e999 - 1e999)")
