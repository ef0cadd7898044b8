"""A scenario file before it is checked: what it extends, what `--set` changes, and where each value came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gigawatt.core import document
from gigawatt.core.document import Document, Path_
from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest
from gigawatt.study.complaints import dotted, problems_of

SCHEMA = 1
M = TypeVar("M", bound=BaseModel)


def digest(data: Any) -> str:
    """A hash of plain data that does not depend on the order of its keys."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Source:
    """The merged plain data of a scenario and where each value came from."""

    file: str
    data: dict[str, Any]
    places: Mapping[Path_, Where] = field(default_factory=dict)

    @property
    def manifest(self) -> dict[str, Any]:
        """What a result keeps of the file that asked for it."""
        return {"scenario": self.data, "scenario_file": self.file, "scenario_hash": digest(self.data)}

    def where(self, path: Sequence[str | int]) -> Where:
        whole = tuple(path)
        for length in range(len(whole), -1, -1):
            place = self.places.get(whole[:length])
            if place:
                return place
        return Where(self.file)

    def where_first(self, path: Sequence[str | int]) -> Where:
        """The same; of what is there only because something below it was set, where that was."""
        whole = tuple(path)
        below = (place for known, place in self.places.items() if known[: len(whole)] == whole)
        return self.places.get(whole) or next(below, None) or self.where(whole)


def read(path: Path, seen: tuple[Path, ...] = ()) -> Source:
    """A file with those it extends beneath it; later files win, lists of things with ids are merged by id.

    `replace: [fleet]` takes the lists it names whole instead of merging them.
    """
    resolved = path.resolve()
    if resolved in seen:
        chain = " -> ".join(p.name for p in (*seen, resolved))
        raise InputError(Problem("circular_extends", f"'extends' runs in a circle: {chain}", Where(str(path))))
    doc = document.read(path)
    if not isinstance(doc.data, dict):
        what = "empty" if doc.data is None else f"a {type(doc.data).__name__}, not a mapping"
        raise InputError(
            Problem(
                "not_a_scenario",
                f"'{path}' is {what}; a scenario is a mapping of fields",
                Where(str(path), 1, 1),
                ("start from one that runs: gigawatt new",),
            )
        )
    own = _place(doc)
    base = doc.data.pop("extends", None)
    whole = doc.data.pop("replace", [])
    if base is None:
        return Source(str(path), doc.data, own)
    if not isinstance(base, str):
        raise InputError(Problem("bad_extends", "'extends' names one file", doc.where(("extends",))))
    below = read(path.parent / base, (*seen, resolved))
    unknown = [name for name in whole if name not in doc.data] if isinstance(whole, list) else [whole]
    if unknown:
        message = f"'replace' names what this file does not give: {', '.join(map(str, unknown))}"
        raise InputError(Problem("bad_replace", message, doc.where(("replace",))))
    for name in whole:
        below.data.pop(name, None)
    places = dict(below.places)
    data = _merge(below.data, doc.data, (), places, own)
    return Source(str(path), data, places)


def _place(doc: Document) -> dict[Path_, Where]:
    return {path: Where(doc.file, *mark) for path, mark in doc.places.items()}


def _merge(
    low: Any,
    high: Any,
    path: Path_,
    places: dict[Path_, Where],
    own: Mapping[Path_, Where],
    source: Path_ | None = None,
) -> Any:
    """`high` over `low`, with the places of what `high` brings."""
    mine = path if source is None else source
    if mine in own:
        places[path] = own[mine]
    if isinstance(low, dict) and isinstance(high, dict):
        out = dict(low)
        for key, value in high.items():
            out[key] = _merge(low.get(key), value, (*path, key), places, own, (*mine, key))
        return out
    if isinstance(low, list) and isinstance(high, list) and high and _by_id(low) and _by_id(high):
        out_list = list(low)
        for index, item in enumerate(high):
            at = next((n for n, other in enumerate(out_list) if other["id"] == item["id"]), len(out_list))
            merged = _merge(
                out_list[at] if at < len(out_list) else None, item, (*path, at), places, own, (*mine, index)
            )
            out_list[at : at + 1] = [merged]
        return out_list
    if isinstance(high, (dict, list)):
        for known, place in own.items():
            if known[: len(mine)] == mine:
                places[path + known[len(mine) :]] = place
    return high


def _by_id(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and "id" in item for item in items)


def split_path(text: str, data: Any) -> Path_:
    """A dotted path as a tuple; a list's item is named by its id or its number.

    >>> split_path("fleet.a.supply", {"fleet": [{"id": "a"}]})
    ('fleet', 0, 'supply')
    """
    node: Any = data
    path: list[str | int] = []
    for part in _parts(text, data):
        if isinstance(node, list):
            at = next((n for n, item in enumerate(node) if isinstance(item, dict) and item.get("id") == part), None)
            if at is None and part.isdigit():
                at = int(part)
            if at is None:
                path.append(part)
                node = None
                continue
            path.append(at)
            node = node[at] if at < len(node) else None
        else:
            path.append(part)
            node = node.get(part) if isinstance(node, dict) else None
    return tuple(path)


def _parts(text: str, data: Any) -> list[str]:
    """The parts of a dotted path; ids with a dot in them stay whole.

    >>> _parts("catalog.model/qwen2.5-7b.name", {}), _parts("fleet.v1.5.supply", {"fleet": [{"id": "v1.5"}]})
    (['catalog', 'model/qwen2.5-7b', 'name'], ['fleet', 'v1.5', 'supply'])
    """
    out: list[str] = []
    for part in text.split("."):
        # A record is `kind/id`; after a dot of an id comes a digit, and no field begins with one.
        if out and "/" in out[-1] and part[:1].isdigit():
            out[-1] += f".{part}"
        else:
            out.append(part)
    node, at = data, 0
    while at < len(out) and isinstance(node, (dict, list)):
        names = list(node) if isinstance(node, dict) else [one.get("id") for one in node if isinstance(one, dict)]
        for end in range(len(out), at + 1, -1):
            if ".".join(out[at:end]) in names:
                out[at:end] = [".".join(out[at:end])]
                break
        found = node.get(out[at]) if isinstance(node, dict) else None
        if isinstance(node, list):
            found = next((one for one in node if isinstance(one, dict) and one.get("id") == out[at]), None)
            found = node[int(out[at])] if found is None and out[at].isdigit() and int(out[at]) < len(node) else found
        node, at = found, at + 1
    return out


def override(source: Source, overrides: Sequence[str], problems: Problems) -> Source:
    """The source with `path=value` overrides; what names nothing is added to `problems`."""
    data, places = _copy(source.data), dict(source.places)
    for text in overrides:
        where = Where(f"--set {text}")
        name, equals, raw = text.partition("=")
        if not equals or not name.strip():
            problems.add(
                "bad_set", f"'{text}' is not 'path=value'", where, "for example: --set site.grid_power='500 MW'"
            )
            continue
        _put(data, places, name.strip(), document.parse(raw, f"--set {text}").data, where, problems)
    return Source(source.file, data, places)


def changed(source: Source, changes: Mapping[str, Any], problems: Problems) -> Source:
    """The source with values put at dotted paths, as a file would say them; what names nothing is added to `problems`."""
    data, places = _copy(source.data), dict(source.places)
    for name, value in changes.items():
        _put(data, places, name, _copy(value), Where(f"{name}={value}"), problems)
    return Source(source.file, data, places)


def _put(data: Any, places: dict[Path_, Where], name: str, value: Any, where: Where, problems: Problems) -> None:
    """Put a value at a dotted path of plain data."""
    path = split_path(name, data)
    node: Any = data
    for depth, part in enumerate(path[:-1]):
        if isinstance(node, list):
            if not isinstance(part, int) or part >= len(node):
                ids = [str(item.get("id", n)) for n, item in enumerate(node) if isinstance(item, dict)]
                near = nearest(str(part), ids)
                problems.add(
                    "unknown_path",
                    f"'{name}': there is no '{part}' in {dotted(path[:depth])}",
                    where,
                    *([f"did you mean '{near}'?"] if near else []),
                    "known: " + ", ".join(ids),
                )
                return
            node = node[part]
        elif isinstance(node, dict):
            node = node.setdefault(str(part), {})
        else:
            problems.add("unknown_path", f"'{name}': {dotted(path[:depth])} has no parts", where)
            return
    if isinstance(node, dict):
        node[str(path[-1])] = value
        for known in [p for p in places if p[: len(path)] == path]:
            del places[known]
        places[path] = where
    elif isinstance(node, list) and isinstance(path[-1], int) and path[-1] < len(node):
        node[path[-1]] = value
        places[path] = where
    else:
        problems.add("unknown_path", f"'{name}' names nothing that can be set", where)


def _copy(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node


def check_schema(source: Source, problems: Problems) -> None:
    """Refuse a file of a later schema."""
    written = source.data.setdefault("schema", SCHEMA)
    if isinstance(written, int) and written > SCHEMA:
        problems.add(
            "future_schema",
            f"this scenario has schema {written}; this version reads up to {SCHEMA}",
            source.where(("schema",)),
            "a newer gigawatt reads it: pip install --upgrade gigawatt",
        )


def validated(model: type[M], source: Source, problems: Problems) -> M | None:
    """The source as `model`, or None with every complaint added to `problems`."""
    check_schema(source, problems)
    if any(problem.code == "future_schema" for problem in problems.found):
        return None
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        problems.extend(problems_of(error, source.data, source.where, model))
        return None


def check_duplicates(source: Source, lists: Sequence[str], problems: Problems) -> None:
    """Ids that occur twice in a list of the file."""
    for kind in lists:
        seen: set[str] = set()
        items = source.data.get(kind)
        for index, item in enumerate(items if isinstance(items, list) else []):
            name = item.get("id") if isinstance(item, dict) else item
            if isinstance(name, str):
                if name in seen:
                    problems.add("duplicate_id", f"{kind} has two '{name}'", source.where((kind, index)))
                seen.add(name)
