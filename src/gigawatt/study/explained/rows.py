"""One scenario of a sweep, answered again as a whole, so that its numbers can be explained.

A sweep keeps of each scenario its inputs and its metrics, not how they came about. What it asked stands in `sweep.json`, the
row's inputs in its parts; the question is asked once more with these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, Where
from gigawatt.study.result import RunResult
from gigawatt.study.source import SCHEMA, Source, changed, digest, read

ASKED, PARTS, INDEX, STATUS, MESSAGE = "sweep.json", "parts", "index", "status", "message"
Say = Callable[[str], Any]


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds the scenarios of a sweep."""
    return (folder / ASKED).is_file()


def answered_row(folder: Path, row: int, overlays: Sequence[Path] = (), say: Say = lambda text: None) -> RunResult:
    """The whole answer of one scenario of a sweep.

    Args:
        folder: of the sweep.
        row: from 0, in the order of the design: the column `index` of its parts.
        overlays: folders of records that the sweep was asked with; it keeps a hash of them, not where they are.
        say: told what is being done.

    Raises:
        InputError: no sweep, no such row, a row that had no answer, or overlays that it was asked with and are not named.
        Infeasible: the row's scenario has no plan.
    """
    from gigawatt.study.questions import answer_source

    asked = _asked(folder)
    if asked.get("made_by", {}).get("overlays", "none") != "none" and not overlays:
        hint = "name them: --overlay DIR"
        raise InputError(
            Problem("no_overlay", f"'{folder}' was asked with records of the user's own", Where(str(folder)), (hint,))
        )
    question, problems = asked["question"], Problems()
    source = changed(_source(asked), _changes(folder, row, asked), problems)
    problems.raise_if_any()
    return answer_source(question["verb"], source, Catalog.load(tuple(overlays)), question.get("as_of"), say)


def _asked(folder: Path) -> dict[str, Any]:
    try:
        made: dict[str, Any] = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        hint = "a sweep's folder holds sweep.json; make one: gigawatt sweep FILE --grid PATH=VALUES -o DIR"
        raise InputError(
            Problem("no_sweep", f"'{folder}' is no folder of a sweep", Where(str(folder)), (hint,))
        ) from None
    return made


def _source(asked: Mapping[str, Any]) -> Source:
    """The question as its file says it where the file still says the same, with its lines; else its data alone."""
    data, file = dict(asked["question"]["scenario"]), Path(str(asked.get("file", "")))
    if file.is_file():
        try:
            now = read(file)
        except InputError:
            return Source(str(file), data)
        if _same(now.data, data):
            return now
    return Source(f"{file} as the sweep kept it", data)


def _same(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether two files say the same; the schema may be left out."""
    return digest({"schema": SCHEMA, **now}) == digest({"schema": SCHEMA, **then})


def _changes(folder: Path, row: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted path -> value as a file would write it, of one row."""
    import polars as pl

    rows = int(asked["design"]["rows"])
    if not 0 <= row < rows:
        said = f"this sweep has no row {row}; its {rows:,} rows are 0 to {rows - 1:,}"
        raise InputError(Problem("no_row", said, Where(str(folder))))
    file = folder / PARTS / f"part-{row // int(asked['design']['chunk']):06d}.parquet"
    if not file.is_file():
        hint = "finish it: the same gigawatt sweep again"
        raise InputError(
            Problem("no_row", f"row {row} was not reached yet: {file.name} is missing", Where(str(folder)), (hint,))
        )
    found = pl.read_parquet(file).filter(pl.col(INDEX) == row).to_dicts()
    if not found:
        raise InputError(Problem("no_row", f"{file.name} has no row {row}", Where(str(folder))))
    one = found[0]
    if one[STATUS] in ("wrong", "failed"):
        raise InputError(Problem("no_answer", f"row {row} has no answer: {one[MESSAGE]}", Where(str(folder))))
    out: dict[str, Any] = {}
    for column in asked["columns"]["inputs"]:
        text = one.get(column["text"]) if column["text"] else None
        number = one.get(column["number"]) if column["number"] else None
        if text is not None:
            out[column["path"]] = _plain(text)
        elif number is not None:
            out[column["path"]] = f"{number!r} {column['unit']}".strip() if column["unit"] else number
    return out


def _plain(text: str) -> Any:
    """A value as it was written: yes and no, numbers and lists are read again."""
    from gigawatt.core import document

    return document.parse(text).data
