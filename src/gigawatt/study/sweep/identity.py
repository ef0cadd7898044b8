"""What makes two sweeps the same: the engine that answers, the facts it reads, the question, the design.

Names of files, workers, engines and times are no part of it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from gigawatt.study.evaluate import Recipe
from gigawatt.study.source import digest


@lru_cache(maxsize=8)
def engine(overlays: tuple[str, ...] = ()) -> dict[str, str]:
    """Version, a hash of the code and one of the catalog with these folders over it."""
    import gigawatt
    from gigawatt.catalog.store import DATA

    return {
        "version": gigawatt.__version__,
        "code": _hash(Path(gigawatt.__file__).parent, "*.py"),
        "facts": _hash(DATA, "*.yaml", *(Path(folder) for folder in overlays)),
    }


def _hash(folder: Path, pattern: str, *more: Path) -> str:
    """Of names and contents of all files of a pattern, in the order of their names."""
    made = hashlib.sha256()
    for root in (folder, *more):
        for file in sorted(root.rglob(pattern)):
            made.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return made.hexdigest()[:16]


def question(recipe: Recipe) -> dict[str, Any]:
    """The question by its data; the file's name says where it came from and is no part of the digest."""
    return {
        "verb": recipe.verb,
        "scenario": recipe.source.data,
        "overlays": list(recipe.overlays),
        "as_of": recipe.as_of,
    }


def digest_of(engine_: dict[str, str], question_: dict[str, Any], design: dict[str, Any]) -> str:
    """One hash of all that decides the parts."""
    asked = {key: value for key, value in question_.items() if key != "overlays"}  # their contents are among the facts
    return digest([engine_, asked, design])[:32]
