"""SQL over the tables of a run folder, read only, in place."""

from __future__ import annotations

from pathlib import Path

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.core.table import Table


def query_run(folder: Path, sql: str) -> Table:
    """Run one SELECT over the folder's Parquet tables, each a view of its file's name.

    Raises:
        InputError: the SQL is wrong, or tries to change something.
    """
    import duckdb

    files = sorted(folder.glob("*.parquet"))
    connection = duckdb.connect(":memory:")
    for file in files:
        path = str(file).replace("'", "''")
        connection.execute(f"create view \"{file.stem}\" as select * from read_parquet('{path}')")
    # After the views stand, nothing may be read or written besides them.
    connection.execute(f"set allowed_directories=['{str(folder.resolve()).replace(chr(39), chr(39) * 2)}', '{folder}']")
    connection.execute("set enable_external_access=false")
    connection.execute("set lock_configuration=true")
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise InputError(Problem("not_a_select", "a query is one SELECT; run folders are read only", Where("SQL")))
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        tables = ", ".join(file.stem for file in files)
        raise InputError(Problem("bad_sql", first, Where("SQL"), (f"tables: {tables}",))) from None
    finally:
        connection.close()
    unique = [name if names.index(name) == at else f"{name}_{at}" for at, name in enumerate(names)]
    return Table("query", {name: [row[at] for row in rows] for at, name in enumerate(unique)})
