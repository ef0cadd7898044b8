"""The line of every fact of a tree, looked up when it is asked for, and a word where a file has changed since the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gigawatt.catalog import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError
from gigawatt.study.explain import Node
from gigawatt.study.explained.kept import digest_of, file_of, shown

SAME, MOVED, GONE = "same", "moved", "gone"


class Places:
    """Finds the places of one run's facts.

    Args:
        manifest: of the run: its files with their digests, its overlays.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._files: Mapping[str, Sequence[Sequence[str]]] = manifest.get("explain_files", {})
        folders = [Path(folder) for folder in manifest.get("overlays", [])]
        self._lost = [str(folder) for folder in folders if not folder.is_dir()]
        self._catalog = Catalog.load([folder for folder in folders if folder.is_dir()])
        self._states: dict[str, str] = {}
        self._done: dict[int, Node] = {}

    def placed(self, one: Node) -> Node:
        """The tree with `where` for every value that has a place, and `changed` where its file is another than the run's."""
        if id(one) in self._done:
            return self._done[id(one)]
        more: dict[str, str] = {}
        if one.get("path"):
            more = self._of_catalog(one)
        elif one.get("where"):
            more = self._of_file(one["where"])
        children = [self.placed(child) for child in one["children"]]
        out = {key: item for key, item in one.items() if key != "children"} | more | {"children": children}
        self._done[id(one)] = out
        return out

    def _of_catalog(self, one: Node) -> dict[str, str]:
        path = str(one["path"])
        try:
            kind, name, words = self._catalog.split(path)
            where = self._catalog.where(path if words else f"{path}.fitted_to")
        except InputError:
            lost = f"; overlay {', '.join(self._lost)} is gone" if self._lost else ""
            return {"changed": f"the catalog has no {path} any more{lost}"}
        place = f"{shown(Path(where.file))}:{where.line}:{where.column}" if where.line else shown(Path(where.file))
        if self._state(f"{kind}/{name}") == SAME:
            return {"where": place}
        now = self._now(kind, name, words)
        was = one["value"] if "si" not in one else one["si"]
        if not words or now == was:
            return {"where": place, "changed": "its file has changed since this run; the value is the same"}
        said = f"{now:.6g}" if isinstance(now, float) else str(now)
        return {
            "where": place,
            "changed": f"its file has changed since this run, which used {was:.6g}; it says {said} now",
        }

    def _state(self, record: str) -> str:
        """Whether the files of a record, all layers, are those of the run."""
        if record not in self._states:
            before = [(file, digest) for file, digest in self._files.get(record, [])]
            kind, _, name = record.partition("/")
            now = [(shown(file), digest_of(file)) for file in self._catalog.layers(kind, name)]
            self._states[record] = SAME if before == now else MOVED
        return self._states[record]

    def _now(self, kind: str, name: str, words: str) -> Any:
        try:
            found = value_at(self._catalog.get(kind, name), words)
        except InputError:
            return None
        return found.value if isinstance(found, Datum) else found

    def _of_file(self, where: str) -> dict[str, str]:
        """A scenario's file; what is no file has no digest and is left as it is."""
        file = where.rsplit(":", 2)[0]
        if file not in self._files:
            return {}
        if file not in self._states:
            now = digest_of(file_of(file))
            self._states[file] = SAME if now == self._files[file][0][1] else MOVED if now else GONE
        words = {MOVED: "this file has changed since the run", GONE: "this file is gone"}
        said = words.get(self._states[file])
        return {"changed": said} if said else {}


def value_at(record: Any, words: str) -> Any:
    """What a record holds at the dotted rest of a path; None where there is nothing."""
    if not words:
        return record
    keys: list[tuple[str, Any]]
    if isinstance(record, BaseModel):
        keys = [(name, getattr(record, name)) for name in type(record).model_fields]
    elif isinstance(record, Mapping):
        keys = [(str(key), item) for key, item in record.items()]
    elif isinstance(record, (list, tuple)):
        keys = [(str(getattr(item, "name", None) or n), item) for n, item in enumerate(record)]
    else:
        return None
    for key, item in sorted(keys, key=lambda pair: -len(pair[0])):
        if f"{words}.".startswith(f"{key}."):
            found = value_at(item, words[len(key) + 1 :])
            if found is not None:
                return found
    return None
