"""Checks a command line or a configuration file against the recorded arguments of a release, every problem at once.

A script is taken apart as a shell would: continued lines joined, comments left out, words split. Every line that starts one
of the engine's programs is checked word by word; what stands for a variable of the shell ($NODE_RANK) is taken as given.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gigawatt.core import document
from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.study.serve.emit.schema import Argument, Command, Schema, schema

TRUTH = ("true", "false")
_SIZE = re.compile(r"^\d+(\.\d+)?[kKmMgGtT]?$")
_OPTION = re.compile(r"^--?[A-Za-z]")


def check(text: str, engine: str, file: str = "<text>") -> None:
    """A user's own script, command line or configuration file against the recorded release.

    Raises:
        InputError: with every problem: an unknown argument (and the nearest one), a wrong type, a choice or a range broken,
            no program of the engine found.
    """
    found = problems(text, engine, file)
    if found:
        raise InputError(found)


def problems(text: str, engine: str, file: str = "<text>") -> list[Problem]:
    """Everything that the recorded release would refuse in a text."""
    known = schema(engine)
    if _is_script(text):
        lines = list(commands_in(text, known))
        if not lines:
            programs = ", ".join(" ".join(c.program) for c in known.commands.values())
            return [
                Problem("no_command", f"no command of {known.title} was found", Where(file), (f"known: {programs}",))
            ]
        return [p for line, command, words in lines for p in check_words(words, command, known, Where(file, line, 1))]
    if not known.files:
        return _check_arguments(document.parse(text, file), known.commands["server"])
    return [p for kind, read in _documents(text, known, file) for p in check_file(read, known.files[kind], known)]


def _check_arguments(read: document.Document, command: Command) -> list[Problem]:
    """A file of arguments without their dashes (`--config` of vLLM and SGLang): name: value."""
    found: list[Problem] = []
    for key, value in _mapping(read).items():
        name, where = f"--{key}", read.where((key,))
        argument, _ = _named(name, command)
        if argument is None:
            found.append(_unknown(name, command, where))
        elif value is not None:
            found += check_value(argument, value, key, where)
    return found


def _mapping(read: document.Document) -> Mapping[str, Any]:
    if not isinstance(read.data, Mapping):
        raise InputError(Problem("not_a_mapping", "a configuration file maps names to values", read.where(())))
    return read.data


def _is_script(text: str) -> bool:
    """A script or a command line, not a YAML mapping: its first line of substance does not say `name:`."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("#", "---"))]
    return text.startswith("#!") or not (lines and re.match(r"^[\w.\-/]+:(\s|$)", lines[0]))


def commands_in(text: str, known: Schema) -> Iterator[tuple[int, Command, list[str]]]:
    """Line number, program and the words after it, for every line of a script that starts a program of the engine."""
    starts = [(program, c) for c in known.commands.values() for program in (c.program, *c.programs)]
    longest = sorted(starts, key=lambda start: -len(start[0]))
    for number, line in _logical_lines(text):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # an open quote: prose, or a here-document
        for program, command in longest:
            start = _start(words, program)
            if start is not None:
                yield number, command, words[start:]
                break


def _start(words: Sequence[str], program: Sequence[str]) -> int | None:
    """Where the arguments begin, where the program is run: alone, or after assignments, exec or a launcher."""
    for at in range(len(words) - len(program) + 1):
        if tuple(words[at : at + len(program)]) == tuple(program):
            return None if words[0] in ("echo", "printf") else at + len(program)
    return None


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, and the number of the first."""
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        start = start if parts else number
        if line.rstrip().endswith("\\") and not line.lstrip().startswith("#"):
            parts.append(line.rstrip()[:-1])
            continue
        yield start, " ".join([*parts, line])
        parts = []
    if parts:
        yield start, " ".join(parts)


def check_words(words: Sequence[str], command: Command, known: Schema, where: Where) -> list[Problem]:
    """The words after a program against its recorded arguments."""
    found: list[Problem] = []
    rest = list(words)
    seen = 0
    while rest:
        word = rest.pop(0)
        if not _OPTION.match(word):
            seen += 1
            if seen > command.positional and not _opaque(word):
                found.append(_problem("unexpected_word", f"'{word}' belongs to no argument", where))
            continue
        name, equals, value = word.partition("=")
        argument, off = _named(name, command)
        if argument is None:
            found.append(_unknown(name, command, where))
            while rest and not _OPTION.match(rest[0]):
                rest.pop(0)
            continue
        values = [value] if equals else _values(rest, argument)
        wrong = _check_values(argument, values, name, off, where)
        inside = _inside(argument, values, command, where) if argument.type == "json" and not wrong else []
        found += [*wrong, *inside]
    return found


def _inside(argument: Argument, values: Sequence[str], command: Command, where: Where) -> list[Problem]:
    """The fields of a structure, where the record names them (--name.field)."""
    start = f"{argument.name}."
    known = {name: a for name, a in command.arguments.items() if name.startswith(start)}
    found: list[Problem] = []
    for data in [data for value in values if isinstance(data := _read(value, "json"), Mapping)]:
        for key, value in data.items() if known else ():
            field = known.get(start + str(key))
            if field is None:
                near = nearest(str(key), [name.removeprefix(start) for name in known])
                hints = (f"did you mean '{near}'?",) if near else ()
                text = f"'{argument.name}' of {command.title} {command.release} has no field '{key}'"
                found.append(Problem("unknown_argument", text, where, hints))
            elif value is not None:
                found += check_value(field, value, f"{argument.name}.{key}", where)
    return found


def _named(name: str, command: Command) -> tuple[Argument | None, bool]:
    """The argument, and whether it was switched off (--no-x); a field of a structure counts as the structure."""
    argument = command.find(name)
    if argument is None and name.startswith("--no-"):
        argument = command.find("--" + name[5:])
        return (argument, True) if argument and argument.type == "switch" else (None, False)
    if argument is None and "." in name:  # a field below the recorded ones
        outer = command.find(name.rpartition(".")[0])
        return (Argument(name, type="str"), False) if outer and outer.type == "json" else (None, False)
    return argument, False


def _values(rest: list[str], argument: Argument) -> list[str]:
    """Takes the words that are the argument's values."""
    if argument.type in ("flag", "switch"):
        return []
    taken: list[str] = []
    while rest and (argument.type == "list" or not taken):
        if _OPTION.match(rest[0]):
            break
        taken.append(rest.pop(0))
    return taken


def _check_values(argument: Argument, values: Sequence[str], name: str, off: bool, where: Where) -> list[Problem]:
    if argument.type in ("flag", "switch"):
        text = f"'{name}' takes no value, not '{values[0]}'" if values else ""
        return [_problem("wrong_value", text, where)] if values else []
    if not values and argument.type != "list":
        return [_problem("no_value", f"'{name}' needs a value ({_kind(argument)})", where)]
    kind = "str" if argument.type == "list" else argument.type
    return [p for value in values for p in check_value(argument, _read(value, kind), name, where)]


def _read(value: str, kind: str) -> Any:
    """A word as the value that its type makes of it, or the word itself where it makes none."""
    if _opaque(value):
        return value
    try:
        if kind == "int":
            return int(value)
        if kind == "float":
            return float(value)
        if kind == "json":
            return json.loads(value)
    except ValueError:
        return value
    return value


def _opaque(value: str) -> bool:
    return "$" in value


def check_value(argument: Argument, value: Any, name: str, where: Where) -> list[Problem]:
    """One value against type, choices and range."""
    if (isinstance(value, str) and _opaque(value)) or str(value) in argument.choices:
        return []
    if not _is(argument.type, value):
        return [_problem("wrong_type", f"'{name}' takes {_kind(argument)}, not '{_shown(value)}'", where)]
    if argument.choices and argument.type != "list":
        near = nearest(str(value), argument.choices)
        hints = (*((f"did you mean '{near}'?",) if near else ()), "known: " + ", ".join(argument.choices))
        return [_problem("unknown_choice", f"'{name}' has no choice '{_shown(value)}'", where, *hints)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if argument.least is not None and value < argument.least:
            return [_problem("out_of_range", f"'{name}' is at least {argument.least:g}, not {value:g}", where)]
        if argument.most is not None and value > argument.most:
            return [_problem("out_of_range", f"'{name}' is at most {argument.most:g}, not {value:g}", where)]
    return []


def _is(kind: str, value: Any) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool)
    if kind in ("int", "size"):
        return number or (kind == "size" and isinstance(value, str) and bool(_SIZE.match(value)))
    if kind == "float":
        return number or isinstance(value, float)
    if kind in ("bool", "switch", "flag"):
        return isinstance(value, bool) or str(value) in TRUTH
    if kind in ("json", "open"):
        return isinstance(value, Mapping | list) or value is None
    if kind == "list":
        return isinstance(value, list | str)
    return isinstance(value, str) or number or isinstance(value, float)


def _kind(argument: Argument) -> str:
    words = {"int": "a whole number", "size": "a whole number", "float": "a number", "json": "a JSON structure"}
    words |= {"bool": "true or false", "list": "a list"}
    return "one of " + ", ".join(argument.choices) if argument.choices else words.get(argument.type, "text")


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _documents(text: str, known: Schema, file: str) -> Iterator[tuple[str, document.Document]]:
    """Each YAML document of a text and which of the engine's files it is."""
    pieces = re.split(r"^---\s*$", text, flags=re.M)
    line = 0
    for piece in pieces:
        data = document.parse("\n" * line + piece, file)  # so that places are those of the whole file
        line += piece.count("\n")
        if data.data is None:
            continue
        yield _kind_of_file(_mapping(data), known), data


def _kind_of_file(data: Mapping[str, Any], known: Schema) -> str:
    if known.engine == "dynamo":
        return "config-map" if data.get("kind") == "ConfigMap" else "graph"
    return "disaggregated-config" if "context_servers" in data or "generation_servers" in data else "config"


def check_file(read: document.Document, layout: Command, known: Schema) -> list[Problem]:
    """A configuration file against its recorded names; the command lines and files inside a graph are checked too."""
    found: list[Problem] = []
    for path, value in _entries(read.data, layout):
        name, where = _dotted(path), read.where(path)
        argument = layout.find(name)
        if argument is None and any(known_name.startswith(f"{name}.") for known_name in layout.arguments):
            found += [] if value is None else [_problem("wrong_type", f"'{name}' is a structure, not '{value}'", where)]
        elif argument is None:
            found += [] if _open(name, layout) else [_unknown(name, layout, where)]
        elif value is not None:
            found += check_value(argument, value, name, where)
    if layout.name == "graph":
        found += [p for where, words in _containers(read) for p in _check_container(words, known, where)]
    if layout.name == "config-map":
        for name, inner in (read.data.get("data") or {}).items():
            place = read.where(("data", name))
            found += [Problem(p.code, p.message, place, p.hints) for p in problems(str(inner), "trtllm", read.file)]
    return found


def _entries(data: Any, layout: Command, path: document.Path_ = ()) -> Iterator[tuple[document.Path_, Any]]:
    """Paths with values, down to what the record names as one value (a list, a structure that is null)."""
    argument = layout.find(_dotted(path)) if path else None
    whole = argument is not None and argument.type == "json" and not _has_fields(argument, layout)
    if isinstance(data, Mapping) and data and not whole:
        for key, value in data.items():
            yield from _entries(value, layout, (*path, str(key)))
    elif isinstance(data, list) and (argument is None or argument.type != "list"):
        for index, value in enumerate(data):
            yield from _entries(value, layout, (*path, index))
    else:
        yield path, data


def _open(name: str, layout: Command) -> bool:
    """Whether a name lies in a structure of which only the recorded fields are checked."""
    parts = [name[: at.start()] for at in re.finditer(r"\[\]|\.", name)]
    return any((a := layout.arguments.get(part)) is not None and a.type == "open" for part in parts)


def _has_fields(argument: Argument, layout: Command) -> bool:
    return any(name.startswith(f"{argument.name}.") for name in layout.arguments)


def file_names(data: Mapping[str, Any], layout: Command) -> list[str]:
    """The recorded names that a configuration file sets."""
    return [_dotted(path) for path, _ in _entries(data, layout)]


def _dotted(path: document.Path_) -> str:
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _containers(read: document.Document) -> Iterator[tuple[Where, list[str]]]:
    """The command line of every container of a graph."""
    for i, component in enumerate((read.data.get("spec") or {}).get("components") or []):
        containers = ((component.get("podTemplate") or {}).get("spec") or {}).get("containers") or []
        for j, container in enumerate(containers):
            if container.get("name", "main") != "main":
                continue  # a sidecar of the user's own
            words = [str(w) for key in ("command", "args") for w in container.get(key) or []]
            place = ("spec", "components", i, "podTemplate", "spec", "containers", j)
            yield read.where((*place, "args") if container.get("args") else place), words


def _check_container(words: list[str], known: Schema, where: Where) -> list[Problem]:
    for command in known.commands.values():
        for program in (command.program, *command.programs):
            if tuple(words[: len(program)]) == program:
                return check_words(words[len(program) :], command, known, where)
    if len(words) == 3 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1].startswith("-"):  # -c, -lc
        inside = list(commands_in(words[2], known))
        if inside:
            return [p for _, command, rest in inside for p in check_words(rest, command, known, where)]
    programs = tuple(" ".join(c.program) for c in known.commands.values())
    shown = " ".join(words[:3])
    return [_problem("no_command", f"'{shown}' starts no component of {known.title}", where, *programs)]


def _unknown(name: str, command: Command, where: Where) -> Problem:
    near = nearest(name, list(command.spellings))
    hints = (f"did you mean '{near}'?",) if near else ()
    return Problem("unknown_argument", f"{command.title} {command.release} has no argument '{name}'", where, hints)


def _problem(code: str, message: str, where: Where, *hints: str) -> Problem:
    return Problem(code, message, where, hints)
