"""From a file to a checked scenario: `extends`, `--set`, all problems at once with their places, the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from gigawatt.core import document
from gigawatt.core.document import Document, Path_
from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest
from gigawatt.study.complaints import dotted, problems_of
from gigawatt.study.scenario import SCHEMA, Scenario


@dataclass(frozen=True, slots=True)
class Source:
    """The merged plain data of a scenario and where each value came from."""

    file: str
    data: dict[str, Any]
    places: Mapping[Path_, Where] = field(default_factory=dict)

    def where(self, path: Sequence[str | int]) -> Where:
        whole = tuple(path)
        for length in range(len(whole), -1, -1):
            place = self.places.get(whole[:length])
            if place:
                return place
        return Where(self.file)


@dataclass(frozen=True, slots=True)
class Default:
    """A value that the scenario did not give: its dotted path and what was taken."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario, the text it came from, and what was assumed for it."""

    scenario: Scenario
    source: Source
    defaults: tuple[Default, ...]


def load(path: Path | str, overrides: Sequence[str] = ()) -> Loaded:
    """Read, merge, override and check a scenario file.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check(_read(Path(path), ()), overrides)


def from_data(data: Mapping[str, Any], name: str, overrides: Sequence[str] = ()) -> Loaded:
    """The same from plain data, for scenarios made by the engine itself."""
    return check(Source(name, dict(data)), overrides)


def check(source: Source, overrides: Sequence[str] = ()) -> Loaded:
    """Apply `path=value` overrides and validate.

    Raises:
        InputError: with every problem found.
    """
    problems = Problems()
    merged = _override(source, overrides, problems)
    _check_schema(merged, problems)
    scenario: Scenario | None = None
    if not any(problem.code == "future_schema" for problem in problems.found):
        try:
            scenario = Scenario.model_validate(merged.data)
        except ValidationError as error:
            problems.extend(problems_of(error, merged.data, merged.where))
    _check_names(merged, problems)
    problems.raise_if_any()
    assert scenario is not None
    return Loaded(scenario, merged, tuple(_defaults(scenario, "")))


def _read(path: Path, seen: tuple[Path, ...]) -> Source:
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
    below = _read(path.parent / base, (*seen, resolved))
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
    for part in text.split("."):
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


def _override(source: Source, overrides: Sequence[str], problems: Problems) -> Source:
    data, places = _copy(source.data), dict(source.places)
    for text in overrides:
        where = Where(f"--set {text}")
        name, equals, raw = text.partition("=")
        if not equals or not name.strip():
            problems.add(
                "bad_set", f"'{text}' is not 'path=value'", where, "for example: --set site.grid_power='500 MW'"
            )
            continue
        path = split_path(name.strip(), data)
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
                    node = None
                    break
                node = node[part]
            elif isinstance(node, dict):
                node = node.setdefault(str(part), {})
            else:
                problems.add("unknown_path", f"'{name}': {dotted(path[:depth])} has no parts", where)
                node = None
                break
        if isinstance(node, dict):
            node[str(path[-1])] = document.parse(raw, f"--set {text}").data
            for known in [p for p in places if p[: len(path)] == path]:
                del places[known]
            places[path] = where
        elif isinstance(node, list) and isinstance(path[-1], int) and path[-1] < len(node):
            node[path[-1]] = document.parse(raw, f"--set {text}").data
            places[path] = where
        elif node is not None:
            problems.add("unknown_path", f"'{name}' names nothing that can be set", where)
    return Source(source.file, data, places)


def _copy(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node


def _check_schema(source: Source, problems: Problems) -> None:
    written = source.data.setdefault("schema", SCHEMA)
    if isinstance(written, int) and written > SCHEMA:
        problems.add(
            "future_schema",
            f"this scenario has schema {written}; this version reads up to {SCHEMA}",
            source.where(("schema",)),
            "a newer gigawatt reads it: pip install --upgrade gigawatt",
        )


def _check_names(source: Source, problems: Problems) -> None:
    """Names that refer to other parts of the same file: parties, and ids that occur twice."""
    data = source.data
    for kind in ("fleet", "workloads", "contracts", "companies"):
        seen: dict[str, int] = {}
        for index, item in enumerate(data.get(kind) or [] if isinstance(data.get(kind), list) else []):
            name = item.get("id") if isinstance(item, dict) else item
            if isinstance(name, str):
                if name in seen:
                    problems.add("duplicate_id", f"{kind} has two '{name}'", source.where((kind, index)))
                seen[name] = index
    listed = data.get("companies")
    names = (
        [c.get("id") if isinstance(c, dict) else c for c in listed]
        if isinstance(listed, list)
        else ["operator", "lab", "chip-vendor", "lender"]
    )
    known = [str(name) for name in names if name]
    for index, deal in enumerate(data.get("contracts") or [] if isinstance(data.get("contracts"), list) else []):
        if not isinstance(deal, dict):
            continue
        for side in ("pays", "gets"):
            party = deal.get(side)
            if isinstance(party, str) and party not in known:
                near = nearest(party, known)
                hints = ([f"did you mean '{near}'?"] if near else []) + ["companies: " + ", ".join(known)]
                problems.add(
                    "unknown_party",
                    f"contract '{deal.get('id', index)}' {side} '{party}', which is no company of this scenario",
                    source.where(("contracts", index, side)),
                    *hints,
                )


def _defaults(model: BaseModel, prefix: str) -> Iterator[Default]:
    """Every field that was not written, with the value taken."""
    for name, info in type(model).model_fields.items():
        shown = f"{prefix}{info.alias or name}"
        value = getattr(model, name)
        if name not in model.model_fields_set:
            yield Default(shown, _show(value))
        elif isinstance(value, BaseModel):
            yield from _defaults(value, shown + ".")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _defaults(item, f"{shown}.{getattr(item, 'id', index)}.")


def _show(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, (list, tuple)):
        return [_show(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
