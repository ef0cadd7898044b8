"""SQL over the tables of run and sweep folders: in place, read only, one thread, so that the same query gives the same rows.

A folder's tables are views of its Parquet files; the scenarios of a sweep (`parts/*.parquet`) are the view `runs`. Of several
folders the tables of one name are one view, row under row: columns go by name, those that a folder lacks are null there, and a
first column `run` says whose row it is. Once the views stand, the database can reach no file but theirs, and no setting can
be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.core.table import Table
from gigawatt.study.query_folders import RUN, Kept, open_folders
from gigawatt.study.query_units import units_of
from gigawatt.study.sql import quoted, text

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
MOST_LISTED = 30


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of some folders under one name each.

    Attributes:
        folders: in the order asked.
        names: of all tables.
    """

    folders: tuple[Kept, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({name for one in self.folders for name in one.files}))

    @property
    def several(self) -> bool:
        return len(self.folders) > 1

    def unit(self, table: str, column: str) -> str:
        """The unit of a column; '' where folders differ in it."""
        found = {unit for one in self.folders if (unit := one.units.get(table, {}).get(column)) is not None}
        return found.pop() if len(found) == 1 else ""

    def listed(self) -> Table:
        """Every column of every table with its type and unit."""
        rows = []
        with _opened(self, self.names) as connection:
            for name in self.names:
                for column, kind in _columns(connection, name):
                    rows.append(
                        {"table": name, "column": column, "unit": self.unit(name, column), "type": kind.lower()}
                    )
        return Table.from_rows("tables", rows, ("table", "column", "unit", "type"))


def tables_in(asked: Sequence[Path | str]) -> Tables:
    """The tables of run and sweep folders; a pattern (`runs/*`) means every such folder that it finds.

    Raises:
        InputError: one is no such folder, or a pattern finds none.
    """
    return Tables(open_folders(asked))


def query(asked: Sequence[Path | str], sql: str) -> Table:
    """The rows of one SELECT over the tables of folders; units where a column is one of theirs, or a sum or mean of one.

    Raises:
        InputError: the SQL is wrong (with the nearest table or column), or tries to change or to reach something.
    """
    return query_tables(tables_in(asked), sql)


def query_run(folder: Path, sql: str) -> Table:
    """The same over one run folder."""
    return query([folder], sql)


def query_tables(tables: Tables, sql: str) -> Table:
    """The rows of one SELECT over tables that are open already; see `query`."""
    import duckdb

    said = {word.lower() for word in re.findall(r"\w+", sql)}
    with _opened(tables, [name for name in tables.names if name.lower() in said]) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                message = "a query is one SELECT; results are read only"
                raise InputError(Problem("not_a_select", message, Where("SQL")))
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        except duckdb.Error as error:
            raise InputError(_problem(error, tables, said)) from None
        known = {
            name: [column for column, _ in _columns(connection, name)] for name in tables.names if name.lower() in said
        }
        units = units_of(connection, sql, names, known, tables.unit)
    unique = [name if names.index(name) == at else f"{name}_{at}" for at, name in enumerate(names)]
    columns = {name: [_plain(row[at]) for row in rows] for at, name in enumerate(unique)}
    return Table("query", columns, {name: unit for name, unit in zip(unique, units, strict=True) if unit})


class _opened:
    """A connection with the views of some tables, locked."""

    def __init__(self, tables: Tables, names: Sequence[str]) -> None:
        self.tables, self.names = tables, names

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        connection = duckdb.connect(":memory:", config={"threads": 1})
        try:
            paths = []
            for name in self.names:
                connection.execute(f"create view {quoted(name)} as {_select(self.tables, name)}")
                paths += [str(file) for one in self.tables.folders for file in one.files.get(name, ())]
            connection.execute(f"set memory_limit='{MEMORY}'")
            connection.execute("set temp_directory=''")
            # After the views stand, nothing may be read or written besides their files.
            connection.execute(f"set allowed_paths=[{', '.join(map(text, paths))}]")
            connection.execute("set enable_external_access=false")
            connection.execute("set lock_configuration=true")
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        return connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def _select(tables: Tables, name: str) -> str:
    """One view's SELECT: a part a folder, joined by the names of columns."""
    having = [one for one in tables.folders if name in one.files]
    dead = _empty_where_others_differ(having, name) if tables.several else {}
    parts = []
    for one in having:
        run = f"{text(one.name)} as {RUN}, " if tables.several else ""
        kept = dead.get(one.name, ())
        replaced = f" replace ({', '.join(f'null as {quoted(column)}' for column in kept)})" if kept else ""
        files = ", ".join(text(str(file)) for file in one.files[name])
        parts.append(f"select {run}*{replaced} from read_parquet([{files}])")
    return " union all by name ".join(parts)


def _empty_where_others_differ(having: Sequence[Kept], name: str) -> dict[str, list[str]]:
    """By folder the columns that hold nothing there and are of another type elsewhere: their type says nothing."""
    import polars as pl

    schemas = {one.name: pl.read_parquet_schema(one.files[name][0]) for one in having}
    kinds: dict[str, set[str]] = {}
    for schema in schemas.values():
        for column, kind in schema.items():
            kinds.setdefault(column, set()).add(str(kind))
    mixed = [column for column, found in kinds.items() if len(found) > 1 and "String" in found]
    out: dict[str, list[str]] = {}
    for one in having:
        for column in mixed:
            if str(schemas[one.name].get(column)) == "String":
                held = pl.scan_parquet(list(one.files[name])).select(pl.col(column).count()).collect().item()
                if held == 0:
                    out.setdefault(one.name, []).append(column)
    return out


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[tuple[str, str]]:
    for row in connection.execute(f"describe select * from {quoted(name)}").fetchall():
        yield str(row[0]), str(row[1])


def _problem(error: Exception, tables: Tables, said: set[str]) -> Problem:
    """What DuckDB says in its first sentence, with the nearest name that exists."""
    message = str(error).strip().splitlines()[0]
    hints: list[str] = []
    table = re.search(r"Table with name (\S+) does not exist", message)
    column = re.search(r'column "([^"]+)" not found', message) or re.search(r'Column "([^"]+)" does not exist', message)
    if table:
        message = f"there is no table '{table[1]}'"
        near = nearest(table[1], tables.names)
        hints += [f"did you mean '{near}'?"] if near else []
    elif column:
        with _opened(tables, [name for name in tables.names if name.lower() in said]) as connection:
            named = [name for name in tables.names if name.lower() in said]
            columns = list(dict.fromkeys(c for name in named for c, _ in _columns(connection, name)))
        message = f"there is no column '{column[1]}'"
        near = nearest(column[1], columns)
        hints += [f"did you mean '{near}'?"] if near else []
        hints.append("columns: " + _few(columns))
    elif "file system operations are disabled" in message:
        message = "a query reads the tables of its folders and nothing else"
        hints.append("name further folders with --run")
    if not column:
        hints.append(f"tables: {_few(tables.names)}")
    return Problem("bad_sql", message, Where("SQL"), tuple(hints))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_LISTED]) + (", ..." if len(names) > MOST_LISTED else "")


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
