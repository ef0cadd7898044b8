"""Tables of text with the place of every cell: CSV and JSONL, plain or gzipped, whole in memory.

Cells come as columns. What is wrong in them is told with file, line and column, at most `MOST` of each kind of mistake.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Problems, Where

MOST = 8  # problems shown of one kind
SEPARATORS = (",", ";", "\t")
# A time since 1970 is 1.7e9 s: larger ones are in smaller units.
SINCE_1970 = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"))


@dataclass(frozen=True, slots=True)
class Cells:
    """Columns of a file as polars read them (text from CSV, JSON's own types from JSONL) and each row's line."""

    file: str
    frame: pl.DataFrame
    line: NDArray[np.int64]
    raw: bytes
    header: tuple[str, ...]
    separator: str  # "" in JSONL

    def where(self, row: int, name: str) -> Where:
        """The place of a cell, counted in characters from 1."""
        line = int(self.line[row])
        text = self.raw.splitlines()[line - 1].decode("utf-8", "replace")
        if self.separator:
            return Where(self.file, line, _field_column(text, self.separator, self.header.index(name)))
        at = text.find(f'"{name}"')
        colon = text.find(":", at + len(name) + 2) if at >= 0 else -1
        rest = text[colon + 1 :]
        return Where(self.file, line, colon + 2 + len(rest) - len(rest.lstrip()) if colon >= 0 else 1)


def _field_column(text: str, separator: str, index: int) -> int:
    """Where field `index` of a line begins; separators within quotes are none."""
    quoted, fields = False, 0
    if index == 0:
        return 1
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            fields += 1
            if fields == index:
                return at + 2
    return len(text.rstrip("\r\n")) + 1


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a file, unzipped where it begins as gzip does, without a byte-order mark.

    Raises:
        InputError: it is missing, a folder, unreadable, a broken archive, no text, or empty.
    """
    file, name = Path(path), str(path)
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        near = sorted(p.name for p in file.parent.iterdir() if p.is_file())[:8] if file.parent.is_dir() else []
        hints = (f"in that folder: {', '.join(near)}",) if near else ()
        raise InputError(Problem("no_such_file", f"there is no file '{name}'", Where(name), hints)) from None
    except IsADirectoryError:
        raise InputError(Problem("not_a_file", f"'{name}' is a folder, not a file", Where(name))) from None
    except OSError as error:
        raise InputError(Problem("unreadable", f"'{name}' can not be read: {error.strerror}", Where(name))) from None
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            message = f"'{name}' is a broken gzip archive: {error}"
            raise InputError(Problem("broken_archive", message, Where(name))) from None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\x00" in raw[:4096]:
        raise InputError(Problem("binary", f"'{name}' is a binary file, not CSV or JSONL", Where(name)))
    if not raw.strip():
        raise InputError(Problem("empty", f"'{name}' is empty", Where(name), ("a trace has one request a line",)))
    return raw


def read_cells(path: Path | str) -> Cells:
    """Read a table of CSV (a header, then rows) or JSONL (an object a line), as its first letter says.

    Raises:
        InputError: see `read_bytes`; rows that are no rows, each with its place.
    """
    raw = read_bytes(path)
    return _json_lines(raw, str(path)) if raw.lstrip()[:1] in (b"{", b"[") else _csv(raw, str(path))


def _csv(raw: bytes, name: str) -> Cells:
    above = raw[: len(raw) - len(raw.lstrip(b"\r\n"))].count(b"\n")  # blank lines before the header
    body = raw.lstrip(b"\r\n")
    first = body.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
    separator = max(SEPARATORS, key=first.count)
    header = tuple(part.strip().strip('"') for part in first.split(separator))
    problems = Problems()
    for at, column in enumerate(header):
        if column in header[:at]:
            place = Where(name, above + 1, _field_column(first, separator, at))
            problems.add("duplicate_column", f"two columns are called '{column}'", place)
    problems.raise_if_any()
    _check_widths(raw, name, separator, len(header))
    try:
        frame = pl.read_csv(
            io.BytesIO(body),
            schema=dict.fromkeys(header, pl.String),
            separator=separator,
            truncate_ragged_lines=True,
            raise_if_empty=False,
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        message = f"'{name}' is not CSV: {str(error).splitlines()[0]}"
        raise InputError(Problem("not_csv", message, Where(name))) from None
    if frame.width == 0:
        frame = pl.DataFrame({column: pl.Series([], dtype=pl.String) for column in header})
    line = np.arange(len(frame), dtype=np.int64) + above + 2
    full = ~frame.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    frame, line = frame.filter(pl.Series(full)), line[full]
    return Cells(name, frame, line, raw, header, separator)


def _check_widths(raw: bytes, name: str, separator: str, width: int) -> None:
    """Every row has as many fields as the header; a quick count first, a search only where it does not come out."""
    mark = separator.encode()
    if b'"' not in raw and raw.count(mark) == (width - 1) * (raw.count(b"\n") + (not raw.endswith(b"\n"))):
        return
    wrong: list[tuple[int, int]] = []
    for number, line in enumerate(raw.splitlines()[1:], start=2):
        if not line.strip():
            continue
        parts = line.split(b'"')
        quotes = len(parts) - 1
        if quotes % 2:
            message = "a quote is opened and not closed on this line; requests are one a line"
            raise InputError(Problem("open_quote", message, Where(name, number, len(parts[0]) + 1)))
        fields = sum(part.count(mark) for part in parts[::2]) + 1
        if fields != width:
            wrong.append((number, fields))
    raise_capped(
        [
            Problem("wrong_width", f"{fields} fields where the header names {width}", Where(name, number, 1))
            for number, fields in wrong[:MOST]
        ],
        len(wrong),
    )


def _json_lines(raw: bytes, name: str) -> Cells:
    lines = raw.splitlines()
    line = np.array([number for number, text in enumerate(lines, start=1) if text.strip()], dtype=np.int64)
    try:
        frame = pl.read_ndjson(io.BytesIO(raw), infer_schema_length=None)
        if len(frame) != len(line):
            raise pl.exceptions.ComputeError("rows")
    except pl.exceptions.PolarsError:
        frame = _json_slowly(lines, line, name)
    return Cells(name, frame, line, raw, tuple(frame.columns), "")


def _json_slowly(lines: Sequence[bytes], line: NDArray[np.int64], name: str) -> pl.DataFrame:
    """The same by the standard library, which says where a line stops being JSON."""
    rows: list[dict[str, Any]] = []
    wrong: list[Problem] = []
    for number in line.tolist():
        try:
            row = json.loads(lines[number - 1])
            if not isinstance(row, dict):
                wrong.append(Problem("not_an_object", "a line of JSONL is one object: {...}", Where(name, number, 1)))
                continue
            rows.append(row)
        except json.JSONDecodeError as error:
            wrong.append(Problem("not_json", f"not JSON: {error.msg}", Where(name, number, error.colno)))
        except UnicodeDecodeError as error:
            wrong.append(Problem("not_utf8", "not UTF-8 text", Where(name, number, error.start + 1)))
    raise_capped(wrong[:MOST], len(wrong))
    names = list(dict.fromkeys(key for row in rows for key in row))
    return pl.DataFrame({key: pl.Series([row.get(key) for row in rows], dtype=pl.Object) for key in names})


def raise_capped(shown: Sequence[Problem], count: int) -> None:
    """Raise the problems shown, with how many more there are of their kind.

    Raises:
        InputError: there is one.
    """
    if shown:
        raise InputError(capped(shown, count))


def capped(shown: Sequence[Problem], count: int) -> list[Problem]:
    """The problems shown; the last says how many more there are of their kind."""
    out = list(shown)
    if out and count > len(out):
        last = out[-1]
        out[-1] = Problem(
            last.code, last.message, last.where, (*last.hints, f"and {count - len(out):,} more like this")
        )
    return out


def unit_of(cells: Cells, name: str) -> str:
    """The unit of a column of times: by the end of its name, or a date, or by the size of a time since 1970, else seconds."""
    ending = name.rsplit("_", 1)[-1].lower()
    if ending in ("s", "ms", "us", "ns"):
        return ending
    first = cells.frame[name][0] if len(cells.frame) else None
    if isinstance(first, str) and first.strip().count("-") >= 2 and ":" in first:
        return "date"
    size = abs(_number(first))
    return next((unit for least, unit in SINCE_1970 if size > least), "s")


def times_s(cells: Cells, name: str, unit: str, problems: Problems, zero_ns: int | None = None) -> NDArray[np.float64]:
    """A column of times as seconds: numbers in `unit` (s, ms, us, ns), or dates, from `zero_ns` or the first of them on."""
    column = cells.frame[name]
    if unit == "date":
        whole, bad = dates_ns(column)
        tell_bad(cells, name, bad, problems, "not a date and time such as 2023-11-16 18:17:03.98")
        zero = zero_ns if zero_ns is not None else int(whole[0]) if len(whole) else 0
        return np.asarray((whole - zero) * 1e-9)
    scale = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
    values, bad = numbers(column)
    tell_bad(cells, name, bad, problems, f"not a time in {unit}")
    return np.where(bad, 0.0, values) * scale


def dates_ns(column: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Dates and times as ns since 1970 (without a zone as they stand), and where there is none."""
    text = column.cast(pl.String, strict=False).str.strip_chars().str.replace("T", " ", literal=True)
    zone = text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$").fill_null(False)
    plain = text.str.replace(r"(?:Z|\+00:?00)$", "").str.strip_chars()
    at = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns", strict=False)
    if zone.any():
        shifted = text.str.replace(r"Z$", "+0000").str.to_datetime(
            "%Y-%m-%d %H:%M:%S%.f%z", time_unit="ns", strict=False
        )
        at = shifted.dt.replace_time_zone(None).zip_with(zone, at)
    return at.cast(pl.Int64).fill_null(0).to_numpy(), at.is_null().to_numpy()


def tokens(cells: Cells, name: str, problems: Problems) -> NDArray[np.int64]:
    """A column of counts of tokens; what is no whole number is told (zero and less are the caller's affair)."""
    values, bad = numbers(cells.frame[name])
    bad |= values != np.floor(values)
    bad |= np.abs(values) > 2**53
    tell_bad(cells, name, bad, problems, "not a whole number of tokens")
    return np.where(bad, 1.0, values).astype(np.int64)


def numbers(column: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as floats, and where it holds none."""
    if column.dtype == pl.Object:
        values = np.array([_number(value) for value in column.to_list()], dtype=np.float64)
    else:
        plain = column.str.strip_chars() if column.dtype == pl.String else column
        values = plain.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(np.float64)
    return values, ~np.isfinite(values)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return float(value)
    except ValueError:
        return float("nan")


def tell_bad(cells: Cells, name: str, bad: NDArray[np.bool_], problems: Problems, meaning: str) -> None:
    """Tell the cells of a column marked bad, as blank where they are, else with their value and what would be right."""
    rows = np.flatnonzero(bad)
    shown = []
    for row in rows[:MOST].tolist():
        value = cells.frame[name][row]
        blank = value is None or (isinstance(value, str) and not value.strip())
        code, message = ("blank", f"{name} is blank") if blank else ("bad_value", f"{name} {value!r} is {meaning}")
        shown.append(Problem(code, message, cells.where(row, name)))
    problems.extend(capped(shown, len(rows)))
