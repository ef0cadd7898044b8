"""Folders whose tables can be asked: of runs, of sweeps, and of sweeps that are not finished yet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Problems, Where
from gigawatt.study.folders import HINT, read_manifest

RUN = "run"  # the column that says whose row it is
SCENARIOS = "runs"  # the view of a sweep's parts
PARTS, ASKED = "parts", "sweep.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """One folder.

    Attributes:
        name: its own, or as asked where two have the same.
        folder: where it is.
        files: table -> Parquet files, in the order of their rows.
        units: table -> column -> unit.
        about: the manifest; of a sweep that is not finished what it was asked.
    """

    name: str
    folder: Path
    files: Mapping[str, tuple[Path, ...]]
    units: Mapping[str, Mapping[str, str]]
    about: Mapping[str, Any]


def open_folders(asked: Sequence[Path | str]) -> tuple[Kept, ...]:
    """Every folder named, once; a pattern means those that it finds, in the order of their names.

    Raises:
        InputError: one is neither a run nor a sweep, or a pattern finds none.
    """
    problems = Problems()
    found: dict[Path, str] = {}
    for one in map(str, asked):
        if any(sign in one for sign in "*?[") and not Path(one).is_dir():
            pattern = Path(one)
            below = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
            matched = sorted(str(path) for path in below if is_results(path))
            if not matched:
                problems.add("no_run", f"'{one}' finds no run or sweep folder", Where(one), HINT)
            for path in matched:
                found.setdefault(Path(path).resolve(), path)
        elif is_results(Path(one)):
            found.setdefault(Path(one).resolve(), one)
        else:
            problems.add("no_run", f"'{one}' is no run or sweep folder", Where(one), HINT)
    problems.raise_if_any()
    if not found:
        raise InputError(Problem("no_run", "no folder is named", None, ("name one: --run DIR",)))
    own = [path.name for path in found]
    return tuple(_kept(path.name if own.count(path.name) == 1 else shown, path) for path, shown in found.items())


def is_results(folder: Path) -> bool:
    """A run folder, or a sweep's with its first part."""
    return read_manifest(folder) is not None or any(folder.joinpath(PARTS).glob("*.parquet"))


def _kept(name: str, folder: Path) -> Kept:
    manifest = read_manifest(folder)
    files: dict[str, tuple[Path, ...]] = {}
    if manifest:
        files = {file.stem: (file,) for file in sorted(folder.glob("*.parquet"))}
    units = {table: _units(about) for table, about in (manifest or {}).get("tables", {}).items()}
    parts = tuple(sorted(folder.joinpath(PARTS).glob("*.parquet")))
    asked = _asked(folder) if parts else {}
    if parts:
        files[SCENARIOS] = parts
        units[SCENARIOS] = _sweep_units(asked)
    return Kept(name, folder, files, units, manifest or asked)


def _units(about: Mapping[str, Any]) -> dict[str, str]:
    columns, stated = about.get("columns"), about.get("units", {})
    return {**(columns if isinstance(columns, Mapping) else {}), **stated}


def _asked(folder: Path) -> dict[str, Any]:
    """What a sweep was asked; empty where it does not say."""
    try:
        found = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sweep_units(asked: Mapping[str, Any]) -> dict[str, str]:
    columns = asked.get("columns", {})
    inputs = {str(one["number"]): str(one["unit"]) for one in columns.get("inputs", ()) if one.get("number")}
    return {**inputs, **columns.get("metrics", {})}
