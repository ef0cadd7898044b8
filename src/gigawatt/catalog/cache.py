"""Parsed records as JSON in the user's cache folder, under a hash of their text. To fail at it is no fault."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def folder() -> Path:
    """`GIGAWATT_CACHE`, else the platform's cache folder."""
    named = os.environ.get("GIGAWATT_CACHE")
    if named:
        return Path(named)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "gigawatt"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "gigawatt" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", home / ".cache")) / "gigawatt"


def read(kind: str, name: str, key: str) -> dict[str, Any] | None:
    """The record kept under `key`, or None."""
    try:
        data = json.loads(_file(kind, name, key).read_bytes())
    except (OSError, ValueError, RuntimeError):
        return None
    return data if isinstance(data, dict) else None


def write(kind: str, name: str, key: str, data: dict[str, Any]) -> None:
    """Keep a record, whole or not at all; older versions of it are dropped."""
    try:
        file = _file(kind, name, key)
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(data, out)
        Path(temporary).replace(file)
        for old in file.parent.glob(f"{name}@*.json"):
            if old != file:
                old.unlink(missing_ok=True)
    except (OSError, RuntimeError):
        return


def _file(kind: str, name: str, key: str) -> Path:
    return folder() / "catalog" / kind / f"{name}@{key}.json"
