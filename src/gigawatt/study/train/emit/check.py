"""Checks emitted files, or a user's own, against the recorded arguments of a release: every problem at once."""

from __future__ import annotations

import tomllib
from typing import Any

from gigawatt.core import document
from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.study.serve.emit.check import check_file, check_words, commands_in
from gigawatt.study.train.emit.schema import schema


def check(text: str, framework: str, file: str = "<text>") -> None:
    """A user's own script or configuration file against the recorded release.

    Raises:
        InputError: with every problem: an unknown argument (and the nearest one), a wrong type, a choice or a range broken.
    """
    found = problems(text, framework, file)
    if found:
        raise InputError(found)


def problems(text: str, framework: str, file: str = "<text>") -> list[Problem]:
    """Everything that the recorded release would refuse in a text."""
    known = schema(framework)
    if text.startswith("#!") or framework == "megatron":
        lines = list(commands_in(text, known)) if known.commands else []
        if known.commands and not lines:
            programs = ", ".join(" ".join(c.program) for c in known.commands.values())
            return [
                Problem("no_command", f"no command of {known.title} was found", Where(file), (f"known: {programs}",))
            ]
        return [p for line, command, words in lines for p in check_words(words, command, known, Where(file, line, 1))]
    read = _toml(text, file) if framework == "torchtitan" else document.parse(text, file)
    if not isinstance(read.data, dict):
        return [Problem("not_a_mapping", "a configuration file maps names to values", read.where(()))]
    data = {name: value for name, value in read.data.items() if name != "base_config"}
    found = check_file(document.Document(file, data, read.places), known.files["config"], known)
    return found + (_flavor(data, file) if framework == "torchtitan" else [])


def _toml(text: str, file: str) -> document.Document:
    """TOML as a document; places are those of the lines that name a value."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem("toml_syntax", f"not valid TOML: {error}", Where(file))) from None
    places: dict[document.Path_, tuple[int, int]] = {(): (1, 1)}
    section: document.Path_ = ()
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("[") and bare.endswith("]"):
            section = tuple(bare.strip("[]").split("."))
            places[section] = (number, 1)
        elif "=" in bare and not bare.startswith("#"):
            places[(*section, bare.partition("=")[0].strip())] = (number, 1)
    return document.Document(file, data, places)


def _flavor(data: dict[str, Any], file: str) -> list[Problem]:
    """The size of a model is one that the release has."""
    model = data.get("model") or {}
    sizes = schema("torchtitan").files["flavors"].arguments.get(str(model.get("name")))
    flavor = str(model.get("flavor"))
    if sizes is None or not sizes.choices or flavor in sizes.choices or flavor.startswith("debug"):
        return []
    text = f"{model.get('name')} has no flavor '{flavor}'"
    return [Problem("unknown_choice", text, Where(file), ("known: " + ", ".join(sizes.choices),))]
