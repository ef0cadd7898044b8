"""Run folders as they are read: the manifest, and headline metrics as they were kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where

FORMAT = "gigawatt-run/1"
MANIFEST = "manifest.json"
HINT = "a run folder holds manifest.json; make one: gigawatt run FILE -o DIR"
# The verb that answers what a manifest says was asked; any other question is its own verb.
VERBS = {"plan": "run", "network": "net", "project": "deals", "service": "serve"}


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, or None where the folder is none."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder.

    Raises:
        InputError: it is no run folder.
    """
    found = read_manifest(folder)
    if found is None:
        raise InputError(Problem("no_run", f"'{folder}' is no run folder", Where(str(folder)), (HINT,)))
    return found


def kept_metrics(folder: Path) -> dict[str, float]:
    """Headline metrics by name, as the run wrote them.

    Raises:
        InputError: the table is missing.
    """
    import polars as pl

    file = folder / "metrics.parquet"
    if not file.is_file():
        message = f"'{folder}' is not whole: {file.name} is missing"
        raise InputError(Problem("no_run", message, Where(str(folder)), ("run the scenario again",)))
    frame = pl.read_parquet(file, columns=["name", "value"])
    return {name: float(value) for name, value in frame.iter_rows() if isinstance(value, (int, float))}


def verb_asked(manifest: dict[str, Any]) -> str:
    """The verb that made a run folder."""
    asked = str(manifest.get("question") or "plan")
    return VERBS.get(asked, asked)
