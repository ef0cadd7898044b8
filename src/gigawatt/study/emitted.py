"""Launch files of a framework or an engine, written into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gigawatt.core.errors import InputError, Problem, Where


def write_files(files: Mapping[str, str], folder: Path | str) -> list[Path]:
    """Writes texts by name into a folder (made where there is none) and gives their paths; scripts may be run.

    Raises:
        InputError: the folder can not be written.
    """
    place, paths = Path(folder), []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = place / name
            path.write_text(text, encoding="utf-8")
            if name.endswith(".sh"):
                path.chmod(0o755)
            paths.append(path)
    except OSError as error:
        said = f"'{place}' can not be written: {error.strerror}"
        raise InputError(Problem("unwritable", said, Where(str(place)))) from None
    return paths
