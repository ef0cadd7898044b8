"""Launch settings of a chosen configuration, in the words of an engine, checked against its recorded arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gigawatt.core.errors import InputError
from gigawatt.study.emitted import write_files
from gigawatt.study.serve.emit import dynamo, sglang, trtllm, vllm
from gigawatt.study.serve.emit.check import problems
from gigawatt.study.serve.emit.refuse import refuse
from gigawatt.study.serve.emit.schema import Schema, schema
from gigawatt.study.serve.emit.settings import Settings

BUILDERS: Mapping[str, Callable[[Settings, Schema], dict[str, str]]] = {
    "vllm": vllm.build,
    "sglang": sglang.build,
    "trtllm": trtllm.build,
    "dynamo": dynamo.build,
}


@dataclass(frozen=True, slots=True)
class Emitted:
    """Text files by name, and the release whose arguments they were checked against."""

    engine: str
    release: str
    date: str
    files: Mapping[str, str]


def emit(settings: Settings, engine: str) -> Emitted:
    """The files that launch `settings` on an engine: vllm, sglang, trtllm or dynamo.

    Raises:
        InputError: the engine is unknown, the settings contradict themselves or ask what it can not do (every problem at
            once), or a value is one that its recorded arguments refuse.
    """
    known = schema(engine)
    refuse(settings, engine)
    files = BUILDERS[engine](settings, known)
    found = [p for name, text in files.items() for p in problems(text, engine, name)]
    if found:
        raise InputError(found)
    return Emitted(engine, known.release, known.date, files)


def write(settings: Settings, engine: str, folder: Path | str) -> list[Path]:
    """Writes the files into a folder (made where there is none) and gives their paths; scripts may be run.

    Raises:
        InputError: what `emit` refuses, or a folder that can not be written.
    """
    return write_files(emit(settings, engine).files, folder)
