"""What makes two sweeps the same: the engine that answers, the facts it reads, the question, the design.

Names of files, workers, engines and times are no part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gigawatt.study.evaluate import Recipe
from gigawatt.study.executors.versions import versions
from gigawatt.study.source import digest

OVERLAYS = "overlays"


def engine(overlays: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions of what the bytes of a part depend on, and a hash of the user's own records."""
    return {**versions(), OVERLAYS: _hash(overlays) if overlays else "none"}


def _hash(folders: tuple[str, ...]) -> str:
    """Of names and contents of all records, in the order of the folders and of their names."""
    made = hashlib.sha256()
    for folder in map(Path, folders):
        for file in sorted(folder.rglob("*.yaml")):
            made.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return made.hexdigest()[:12]


def question(recipe: Recipe) -> dict[str, Any]:
    """The question by its data; the file's name says where it came from and is no part of it."""
    return {"verb": recipe.verb, "scenario": recipe.source.data, "as_of": recipe.as_of}


def digest_of(engine_: Mapping[str, str], question_: Mapping[str, Any], design: Mapping[str, Any]) -> str:
    """One hash of all that decides the parts."""
    return digest([dict(engine_), dict(question_), dict(design)])[:32]
