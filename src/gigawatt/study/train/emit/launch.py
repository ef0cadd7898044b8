"""Launch settings of a chosen mapping in the words of a framework, checked against its recorded arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gigawatt.core.errors import InputError
from gigawatt.study.emitted import write_files
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.train.emit import maxtext, megatron, torchtitan
from gigawatt.study.train.emit.check import problems
from gigawatt.study.train.emit.refuse import refuse
from gigawatt.study.train.emit.schema import schema
from gigawatt.study.train.emit.settings import Settings

BUILDERS: Mapping[str, Callable[[Settings, Schema], dict[str, str]]] = {
    "megatron": megatron.build,
    "torchtitan": torchtitan.build,
    "maxtext": maxtext.build,
}


@dataclass(frozen=True, slots=True)
class Emitted:
    """Text files by name, and the release whose arguments they were checked against."""

    framework: str
    release: str
    date: str
    files: Mapping[str, str]


def emit(settings: Settings, framework: str) -> Emitted:
    """The files that launch `settings` in a framework: megatron, torchtitan or maxtext.

    Raises:
        InputError: the framework is unknown, can not do what the settings ask (every problem at once), or a value is one that
            its recorded arguments refuse.
    """
    known = schema(framework)
    refuse(settings, framework)
    files = BUILDERS[framework](settings, known)
    found = [p for name, text in files.items() for p in problems(text, framework, name)]
    if found:
        raise InputError(found)
    return Emitted(framework, known.release, known.date, files)


def write(settings: Settings, framework: str, folder: Path | str) -> list[Path]:
    """Writes the files into a folder (made where there is none) and gives their paths; scripts may be run.

    Raises:
        InputError: what `emit` refuses, or a folder that can not be written.
    """
    return write_files(emit(settings, framework).files, folder)
