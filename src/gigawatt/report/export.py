"""Tables of runs, sweeps, comparisons and queries as files that other programs read: xlsx, CSV, Parquet.

xlsx has a sheet a table with a row of units under the header, and a sheet of sources. CSV is RFC 4180 (commas, CRLF, quotes
doubled, UTF-8) with one header line; the unit stands in it: `capex_usd [USD]`. Parquet keeps the names of columns, and the
units in the file's metadata under the key `gigawatt`. The same tables give the same bytes.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Problems, Where, unknown_name
from gigawatt.core.table import Table, plain
from gigawatt.report.files import frame_of, read_run, swap
from gigawatt.report.grid import cell_text, row_units, unit_in
from gigawatt.report.workbook import MOST_ROWS, sources_of, write_book
from gigawatt.study.folders import read_manifest
from gigawatt.study.query import Tables, query_tables, tables_in
from gigawatt.study.query_folders import SCENARIOS

FORMAT = "gigawatt-export/1"
ABOUT = "about.json"
FORMATS = ("xlsx", "csv", "parquet")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Tables with what is to be said of them.

    Attributes:
        title, lines: over the summary.
        tables: in order.
        sources: what is named as a source, and what rests on it.
        about: where the tables come from: versions, scenario, hash, SQL.
    """

    title: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    sources: Mapping[str, Sequence[str]]
    about: Mapping[str, Any] = field(default_factory=dict)


def bundle_of_folder(folder: Path, only: Sequence[str] = ()) -> Bundle:
    """The tables of a run or sweep folder, or those of `only`; a sweep's scenarios are the table `runs`.

    Raises:
        InputError: it is no such folder, or has no such table.
    """
    tables = tables_in([folder])
    held: list[Table] = []
    title, about = folder.name, dict(tables.folders[0].about)
    lines: tuple[str, ...] = ()
    if read_manifest(folder) is not None:
        result = read_run(folder)
        held = [result.metrics, *result.tables.values()]
        title, lines = result.title or result.name, (result.headline,)
        about = dict(result.manifest)
    names = [table.name for table in held] + ([SCENARIOS] if SCENARIOS in tables.names else [])
    problems = Problems()
    for name in only:
        if name not in names:
            problems.extend([unknown_name("table", name, names, Where(f"--table {name}"))])
    problems.raise_if_any()
    wanted = [name for name in names if name in only] if only else names
    chosen = {table.name: table for table in held if table.name in wanted}
    if SCENARIOS in wanted and SCENARIOS in tables.names:
        chosen[SCENARIOS] = _scenarios(tables)
    kept = ("version", "question", "verb", "scenario_file", "scenario_hash", "seed", "as_of", "digest")
    facts = {name: about[name] for name in kept if about.get(name) is not None}
    return Bundle(title, lines, tuple(chosen.values()), sources_of(held), {"folder": folder.name, **facts})


def _scenarios(tables: Tables) -> Table:
    made = query_tables(tables, f"select * from {SCENARIOS}")
    return Table(SCENARIOS, made.columns, made.units, "Every scenario")


def bundle_of_query(table: Table, sql: str, tables: Tables) -> Bundle:
    """A query's rows; sources are those that its folders name, and the folders themselves."""
    sources: dict[str, list[str]] = {}
    runs = []
    for one in tables.folders:
        about = one.about
        told = [f"{key} {about[key]}" for key in ("version", "scenario_file", "scenario_hash") if about.get(key)]
        runs.append(f"{one.name}: {', '.join(told)}" if told else one.name)
        if read_manifest(one.folder) is not None:
            for source, users in sources_of(read_run(one.folder).tables.values()).items():
                sources.setdefault(source, []).extend(f"{one.name}, {user}" for user in users)
    lines = (" ".join(sql.split()), "Asked of:", *runs)
    return Bundle("Query", lines, (table,), sources, {"sql": sql, "runs": runs})


def format_of(to: Path, asked: str = "") -> str:
    """The format of a file or folder: as asked, else by its ending.

    Raises:
        InputError: neither says one.
    """
    found = (asked or to.suffix.removeprefix(".")).lower()
    if found in FORMATS:
        return found
    if asked:
        raise InputError(unknown_name("format", asked, FORMATS, Where(f"--as {asked}")))
    message = f"'{to}' does not say which format it is to have"
    hints = ("end it in .xlsx, .csv or .parquet", "or say --as csv, for a folder of one file a table")
    raise InputError(Problem("no_format", message, Where(str(to)), hints))


def export(bundle: Bundle, to: Path, asked: str = "", single: bool = False) -> list[Path]:
    """Write tables to `to`: one file (xlsx, or `single` and one table), else a folder of one file a table.

    Returns:
        What was written.

    Raises:
        InputError: no format, a sheet too long, or a place where something else stands.
    """
    kind = format_of(to, asked)
    if not bundle.tables:
        raise InputError(Problem("no_table", "there is no table to write", Where(str(to))))
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        if kind == "xlsx" or (single and len(bundle.tables) == 1):
            return [_file(bundle, to, kind)]
        return _folder(bundle, to, kind)
    except OSError as error:
        message = f"can not write '{to}': {error.strerror or error}"
        raise InputError(Problem("not_writable", message, Where(str(to)), ("choose another place",))) from None


def _file(bundle: Bundle, to: Path, kind: str) -> Path:
    """One file, written beside its place and renamed."""
    if to.is_dir():
        message = f"'{to}' is a folder; one file was asked for"
        raise InputError(Problem("not_a_file", message, Where(str(to)), ("choose another name",)))
    made = to.with_name(f".{to.name}.tmp")
    try:
        if kind == "xlsx":
            _book(bundle, made)
        else:
            WRITERS[kind](bundle.tables[0], made)
        made.replace(to)
    finally:
        made.unlink(missing_ok=True)
    return to


def _book(bundle: Bundle, path: Path) -> None:
    problems = Problems()
    for table in bundle.tables:
        if len(table) > MOST_ROWS:
            problems.add(
                "too_long", f"'{table.name}' has {len(table):,} rows; a sheet holds {MOST_ROWS:,}", None,
                "write .parquet or .csv, or ask for fewer rows: gigawatt query",
            )  # fmt: skip
    problems.raise_if_any()
    facts = {"From": [f"{key}: {value}" for key, value in bundle.about.items() if isinstance(value, (str, int, float))]}
    write_book(path, bundle.title, bundle.lines, facts, bundle.tables, bundle.sources)


def _folder(bundle: Bundle, to: Path, kind: str) -> list[Path]:
    """A file a table, the sources, and `about.json`, in a folder that replaces only one like it."""
    _refuse_foreign(to)
    made = Path(tempfile.mkdtemp(prefix=f".{to.name}.", suffix=".tmp", dir=to.parent))
    try:
        made.chmod(0o755)
        rows = [{"source": source, "rests_on_it": "; ".join(users)} for source, users in bundle.sources.items()]
        tables = list(bundle.tables)
        if rows and all(table.name != "sources" for table in tables):
            tables.append(Table.from_rows("sources", rows, ("source", "rests_on_it")))
        for table in tables:
            WRITERS[kind](table, made / f"{table.name}.{kind}")
        about = {
            "format": FORMAT,
            "title": bundle.title,
            "said": list(bundle.lines),
            **bundle.about,
            "tables": {table.name: _about(table) for table in tables},
        }
        text = json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n"
        (made / ABOUT).write_text(text, encoding="utf-8", newline="\n")
        swap(made, to)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return [to / f"{table.name}.{kind}" for table in tables]


def _refuse_foreign(to: Path) -> None:
    """Nothing but an export, or an empty folder, is replaced."""
    if not to.exists():
        return
    try:
        ours = json.loads((to / ABOUT).read_text(encoding="utf-8")).get("format") == FORMAT
    except (OSError, ValueError, AttributeError):
        ours = False
    if not to.is_dir() or not (ours or not any(to.iterdir())):
        message = f"'{to}' holds something else than exported tables; it was left as it is"
        raise InputError(Problem("not_an_export", message, Where(str(to)), ("choose another place",)))


def _about(table: Table) -> dict[str, Any]:
    units = {name: unit for name in table.columns if (unit := unit_in(table, name))}
    return {"title": table.title, "note": table.note, "rows": len(table), "units": units}


def write_csv(table: Table, path: Path) -> None:
    """One table as RFC 4180: CRLF, quotes doubled, nothing as an empty field, numbers in full, units in the header."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow([csv_header(table, name) for name in table.columns])
        for values in zip(*table.columns.values(), strict=True):
            writer.writerow([_field(value) for value in values])


def csv_header(table: Table, name: str) -> str:
    """`capex_usd [USD]`; a column whose unit is said row by row, or in its name already, as it is.

    >>> csv_header(Table("t", {"mw": [1.0], "id": ["a"]}, {"mw": "MW"}), "mw")
    'mw [MW]'
    """
    unit = "" if name in row_units(table) else unit_in(table, name)
    return f"{name} [{unit}]" if unit and not name.endswith(f"[{unit}]") else name


def _field(value: Any) -> str:
    item = plain(value)
    if isinstance(item, bool):
        return "true" if item else "false"
    return repr(item) if isinstance(item, (int, float)) else cell_text(item)


def write_parquet(table: Table, path: Path) -> None:
    """One table with its units, title and note in the file's metadata."""
    about = json.dumps({"table": table.name, **_about(table)}, ensure_ascii=False, sort_keys=True)
    frame_of(table).write_parquet(path, compression="zstd", statistics=False, metadata={"gigawatt": about})


WRITERS = {"csv": write_csv, "parquet": write_parquet}
