"""The recorded arguments of each serving engine: names, types, choices and defaults of one release, with date and source.

`schema/<engine>.csv` (and `<engine>.router.csv`) hold the facts as `tools/emit/record_arguments.py` reads them out of a
release; those of TensorRT-LLM and of Dynamo's manifests were recorded from the projects' own tables and templates.
`schema/<engine>.yaml` says which release it was and, in our words, what the arguments that a launch could set mean.

Types: int, size (an int that may end in k, m, g), float, str, bool, list, json (a structure), flag (takes no value), switch
(--x and --no-x), open (a structure of which only the recorded fields are checked: a pod template is Kubernetes' own).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from gigawatt.core import document
from gigawatt.core.errors import InputError, unknown_name

ENGINES = ("vllm", "sglang", "trtllm", "dynamo")
FOLDER = Path(__file__).parent / "schema"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as recorded. `means` is blank for what no launch of ours sets; `place`: it says where, how
    wide or in which role, so leaving it out is no choice; `pinned` False: newer than the release that something else pins.
    """

    name: str
    also: tuple[str, ...] = ()
    type: str = "str"
    default: str = ""
    choices: tuple[str, ...] = ()
    pinned: bool = True
    means: str = ""
    place: bool = False
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A program (or a file's layout) with its arguments by name; `spellings` maps every alias to the name.

    `programs` are further ways to start it.
    """

    name: str
    program: tuple[str, ...]
    programs: tuple[tuple[str, ...], ...]
    title: str
    release: str
    date: str
    source_url: str
    positional: int
    arguments: Mapping[str, Argument]
    spellings: Mapping[str, str] = field(default_factory=dict)

    def find(self, spelling: str) -> Argument | None:
        """The argument of that spelling; vLLM and others take `_` for `-` too."""
        name = self.spellings.get(spelling) or self.spellings.get(spelling.replace("_", "-"))
        return self.arguments[name] if name else None


@dataclass(frozen=True, slots=True)
class Schema:
    """The record of one engine's release: its programs and the files that they read."""

    engine: str
    title: str
    release: str
    date: str
    source: str
    source_url: str
    pinned: str
    commands: Mapping[str, Command]
    files: Mapping[str, Command]
    extras: Mapping[str, Any] = field(default_factory=dict)


def schema(engine: str) -> Schema:
    """The record of an engine.

    Raises:
        InputError: no such engine is recorded.
    """
    if engine not in ENGINES:
        raise InputError(unknown_name("serving engine", engine, ENGINES))
    return _schema(engine)


@lru_cache(maxsize=len(ENGINES))
def _schema(engine: str) -> Schema:
    return read_schema(FOLDER, engine)


def read_schema(folder: Path, engine: str) -> Schema:
    """The record of an engine or a framework in a folder of records."""
    head = document.read(folder / f"{engine}.yaml").data
    rows: dict[str, dict[str, Argument]] = {}
    for path in (folder / f"{engine}.csv", *sorted(folder.glob(f"{engine}.*.csv"))):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["command"], {})[row["name"]] = _argument(row, head["means"].get(row["command"], {}))
    return Schema(
        **{name: str(head[name]) for name in ("engine", "title", "release", "date", "source", "source_url")},
        pinned=str(head.get("pinned", "")),
        commands={name: _command(name, rows, about, head) for name, about in head["commands"].items()},
        files={name: _command(name, rows, about, head) for name, about in head.get("files", {}).items()},
        extras={name: head[name] for name in ("engines", "images", "models") if name in head},
    )


def _argument(row: Mapping[str, str], means: Mapping[str, Any]) -> Argument:
    note = means.get(row["name"], {})
    return Argument(
        name=row["name"],
        also=tuple(row["also"].split()),
        type=row["type"],
        default=row["default"],
        choices=tuple(str(c) for c in note["choices"]) if "choices" in note else tuple(row["choices"].split()),
        pinned=row["pinned"] != "no",
        means=str(note.get("means", "")),
        place=bool(note.get("place", False)),
        least=note.get("least"),
        most=note.get("most"),
    )


def _command(name: str, rows: Mapping[str, dict[str, Argument]], about: Mapping[str, Any], head: Any) -> Command:
    own = dict(rows.get(name, {}))
    if "adds" in about:  # a worker takes its engine's arguments as its own, of the release it pins
        engine = _schema(about["adds"]).commands["server"].arguments
        own = {**{key: a for key, a in engine.items() if a.pinned}, **own}
    spellings = {spelling: a.name for a in own.values() for spelling in (*a.also, a.name)}
    return Command(
        name=name,
        program=tuple(str(about.get("program", "")).split()),
        programs=tuple(tuple(str(other).split()) for other in about.get("also", ())),
        title=str(about.get("title", about.get("program", ""))),
        release=str(about.get("release", head["release"])),
        date=str(about.get("date", head["date"])),
        source_url=str(about.get("source_url", head["source_url"])),
        positional=int(about.get("positional", 0)),
        arguments=own,
        spellings=spellings,
    )
