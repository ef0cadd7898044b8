"""The run folder: manifest.json, one Parquet file a table, report.html, tables.xlsx.

Everything is written into a neighbour with a temporary name and renamed at the end, so that a folder with a manifest is
a whole one. Parquet and manifest depend on the run alone: the same scenario and seed give the same bytes (timings stand
in `timing.json`).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.core.table import Table, plain
from gigawatt.report.grid import unit_in
from gigawatt.report.html import page
from gigawatt.report.workbook import write_workbook
from gigawatt.study.explained.kept import packed
from gigawatt.study.folders import FORMAT, MANIFEST, manifest_of, read_manifest
from gigawatt.study.plugged import with_plugins
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    import polars as pl

PAGE, BOOK, TIMING = "report.html", "tables.xlsx", "timing.json"
LIVE = "project.xlsx"
# Keys of a run's manifest that differ from run to run.
VOLATILE = ("wall_s", "search_s", "simulate_s", "seconds", "timings", "rss_mb", "started_at", "finished_at", "host")
# Left by desktops in any folder that was looked at; no reason to refuse.
IGNORED = {".DS_Store", "Thumbs.db", "desktop.ini"}


def write_run(result: RunResult, folder: Path) -> Path:
    """Write the run folder; an older run folder at the same place is replaced as a whole.

    Returns:
        The folder.

    Raises:
        InputError: a file or a folder that holds anything but a run is there, or it can not be written.
    """
    target = folder.resolve()
    _refuse_foreign(target, folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        try:
            made.chmod(0o755)
            _fill(result, made)
            swap(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        hint = "choose another place: -o DIR"
        raise InputError(
            Problem("not_writable", f"can not write '{folder}': {error.strerror or error}", Where(str(folder)), (hint,))
        ) from None
    return folder


def add_run(result: RunResult, folder: Path) -> Path:
    """Write the files of a run into a folder that holds other things of the same run, such as the parts of a sweep.

    Each takes its name when it is whole, the manifest last. It lists only its own files, so that no later run takes the
    folder's place.

    Returns:
        The folder.

    Raises:
        InputError: it can not be written.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=".run.", suffix=".tmp", dir=folder))
        try:
            _fill(result, made)
            for file in sorted(made.iterdir(), key=lambda file: (file.name == MANIFEST, file.name)):
                file.replace(folder / file.name)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        hint = "what is finished is kept: make room, and the same command goes on from there"
        message = f"can not write '{folder}': {error.strerror or error}"
        raise InputError(Problem("not_writable", message, Where(str(folder)), (hint,))) from None
    return folder


def _fill(result: RunResult, folder: Path) -> None:
    tables = {"metrics": result.metrics, **result.tables}
    for name, table in tables.items():
        frame_of(table).write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=False)
    write_workbook(result, folder / BOOK)
    (folder / PAGE).write_text(page(result), encoding="utf-8", newline="\n")
    timing = {key: value for key, value in result.manifest.items() if key in VOLATILE}
    if timing:
        _write_json(folder / TIMING, timing)
    live = _live_book(result, folder)
    more = [*([TIMING] if timing else []), *([live] if live else [])]
    names = sorted([*(f"{name}.parquet" for name in tables), PAGE, BOOK, MANIFEST, *more])
    # The manifest comes last: a folder that has one is whole.
    _write_json(folder / MANIFEST, _manifest(result, tables, names))


def _live_book(result: RunResult, folder: Path) -> str:
    """The workbook of a project, whose cells are formulas; '' for any other run."""
    from gigawatt.study.project import ProjectRun

    if not isinstance(result, ProjectRun) or result.model is None:
        return ""
    from gigawatt.report.project_workbook import write_project_workbook

    write_project_workbook(result, folder / LIVE, title=result.title)
    return LIVE


def _manifest(result: RunResult, tables: Mapping[str, Table], names: list[str]) -> dict[str, Any]:
    result = with_plugins(result)
    return {
        "format": FORMAT,
        "name": result.name,
        "title": result.title,
        "headline": result.headline,
        **{key: value for key, value in packed(result.manifest).items() if key not in VOLATILE},
        "texts": {key: list(lines) for key, lines in result.texts.items()},
        "tables": {
            name: {
                "title": table.title,
                "note": table.note,
                "rows": len(table),
                "columns": {column: unit_in(table, column) for column in table.columns},
                "units": dict(table.units),
            }
            for name, table in tables.items()
        },
        "files": names,
    }


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False, default=str)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _finite(value: Any) -> Any:
    """The value with NumPy scalars as Python's and NaN or infinity as null, since JSON has neither."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    item = plain(value)
    return None if isinstance(item, float) and not math.isfinite(item) else item


def frame_of(table: Table) -> pl.DataFrame:
    """The table with a type for every column: one with no value at all is a number where it has a unit, else text."""
    import polars as pl

    frame = table.polars()
    empty = [name for name, kind in frame.schema.items() if kind == pl.Null]
    return frame.with_columns(pl.col(name).cast(pl.Float64 if unit_in(table, name) else pl.String) for name in empty)


def swap(made: Path, target: Path) -> None:
    """Put `made` in the place of `target`; the old one goes only when the new one stands."""
    if not target.exists():
        made.rename(target)
        return
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    target.rename(old)
    try:
        made.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _refuse_foreign(target: Path, asked: Path) -> None:
    """Nothing but a run folder (or an empty one) may be replaced."""
    if not target.exists():
        return
    hint = "choose another place: -o DIR"
    if not target.is_dir():
        raise InputError(Problem("not_a_run_folder", f"'{asked}' is a file, not a folder", Where(str(asked)), (hint,)))
    here = {item.name for item in target.iterdir()} - IGNORED
    if not here:
        return
    manifest = read_manifest(target)
    if manifest is None:
        message = f"'{asked}' holds something else than a run; it was left as it is"
        raise InputError(Problem("not_a_run_folder", message, Where(str(asked)), (hint,)))
    foreign = sorted(here - set(manifest.get("files", ())))
    if foreign:
        message = f"'{asked}' holds files that no run wrote ({', '.join(foreign[:3])}); it was left as it is"
        raise InputError(Problem("not_a_run_folder", message, Where(str(asked)), ("move them away", hint)))


def read_run(folder: Path) -> RunResult:
    """The run that a folder holds.

    Raises:
        InputError: it is no run folder, or a table of it is missing.
    """
    import polars as pl

    manifest = manifest_of(folder)
    tables: dict[str, Table] = {}
    for name, about in manifest["tables"].items():
        file = folder / f"{name}.parquet"
        if not file.is_file():
            message = f"'{folder}' is not whole: {file.name} is missing"
            raise InputError(Problem("no_run", message, Where(str(folder)), ("run the scenario again",)))
        columns = pl.read_parquet(file).to_dict(as_series=False)
        tables[name] = Table(name, columns, about.get("units", {}), about.get("title", ""), about.get("note", ""))
    metrics = tables.pop("metrics")
    own = {"format", "name", "title", "headline", "texts", "tables", "files"}
    kept = {key: value for key, value in manifest.items() if key not in own}
    return RunResult(
        manifest["name"], manifest["title"], manifest["headline"], tables, metrics, manifest["texts"], kept
    )


def rewrite_report(folder: Path) -> Path:
    """Make the page of a run folder again from its tables; the path of the page."""
    text = page(read_run(folder))
    made = folder / f".{PAGE}.tmp"
    made.write_text(text, encoding="utf-8", newline="\n")
    made.replace(folder / PAGE)
    return folder / PAGE
