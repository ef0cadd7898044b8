"""The recorded arguments of each training framework: names, types, choices and defaults of one release, with date and source.

`schema/<framework>.csv` holds the facts as `tools/emit/record_training.py` reads them out of a release, and the YAML beside it
says which release it was, in our words what the arguments that a launch sets mean, and by which name it knows our models.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.study.serve.emit.schema import Schema, read_schema

FRAMEWORKS = ("megatron", "torchtitan", "maxtext")
FOLDER = Path(__file__).parent / "schema"


def schema(framework: str) -> Schema:
    """The record of a framework.

    Raises:
        InputError: no such framework is recorded.
    """
    if framework not in FRAMEWORKS:
        raise InputError(unknown_name("training framework", framework, FRAMEWORKS))
    return _schema(framework)


@lru_cache(maxsize=len(FRAMEWORKS))
def _schema(framework: str) -> Schema:
    return read_schema(FOLDER, framework)
