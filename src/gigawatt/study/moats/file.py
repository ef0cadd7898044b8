"""A scenario with what the command line says of the moats beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gigawatt.core.errors import Where
from gigawatt.study.load import Loaded, check
from gigawatt.study.source import read


def load_moats(path: Path | str, overrides: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> Loaded:
    """Read and check a scenario; `given` fields of `moats` come before those of the file.

    `moats: true` or `false` in the file says only whether `run` shows a table: here it means the defaults.

    Raises:
        InputError: with every problem found.
    """
    source, more = read(Path(path)), given or {}
    said = source.data.get("moats")
    fields = dict(said) if isinstance(said, dict) else {}
    places = dict(source.places) | {
        ("moats", name): Where(f"--{name} {_written(value)}") for name, value in more.items()
    }
    return check(replace(source, data={**source.data, "moats": {**fields, **more}}, places=places), overrides)


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
