"""What a run keeps so that its numbers can be explained later: trees, and the files that their facts stand in.

A tree says where a fact stands by its path in the catalog, not by its line: lines are looked up when someone asks, so that a
run reads no file twice. What the run keeps of each file is a digest of its bytes; `places` compares it, and says so where a
file has changed since.

In a written manifest what several trees share is kept once, under `explain_parts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.catalog.inline import Inline
from gigawatt.catalog.store import DATA
from gigawatt.core.errors import InputError
from gigawatt.study.explain import Node
from gigawatt.study.source import Source

PART = "part"
PACKAGED = "catalog/data"


def kept(
    trees: Mapping[str, Node], catalog: Catalog | None, source: Source | None, folder: Path | None = None
) -> dict[str, Any]:
    """The entries of a manifest: `explain`, `explain_files`, `overlays`.

    Args:
        trees: by the name of the metric.
        catalog: that the run read.
        source: the scenario's file; None where there was none.
        folder: of further files that trees name by their lines.
    """
    if isinstance(catalog, Inline):
        _said_here(trees, catalog)
    files = _records(trees, catalog) if catalog is not None else {}
    if source is not None:
        named = dict.fromkeys([source.file, *(place.file for place in source.places.values())])
        files |= {name: [[name, found]] for name in named if (found := digest_of(Path(name)))}
    for file in sorted(folder.iterdir()) if folder is not None else ():
        files[shown(file)] = [[shown(file), digest_of(file)]]
    overlays = [str(overlay) for overlay in catalog.overlays] if catalog is not None else []
    return {"explain": dict(trees), "explain_files": files} | ({"overlays": overlays} if overlays else {})


def _records(trees: Mapping[str, Node], catalog: Catalog) -> dict[str, list[list[str]]]:
    """The files of every record that a tree names a value of, the topmost layer first, each with its digest."""
    out: dict[str, list[list[str]]] = {}
    for path in dict.fromkeys(one["path"] for one in _each(trees.values()) if one.get("path")):
        try:
            kind, name, _ = catalog.split(path)
        except InputError:
            continue
        if f"{kind}/{name}" not in out:
            layers = catalog.layers(kind, name)
            out[f"{kind}/{name}"] = [[shown(file), digest_of(file)] for file in layers]
    return dict(sorted(out.items()))


def _said_here(trees: Mapping[str, Node], catalog: Inline) -> None:
    """Values of records that the scenario itself says stand in its file, not in the catalog's."""
    for one in _each(trees.values()):
        path = one.get("path")
        if path and catalog.says(path):
            one |= {"where": str(catalog.where(path)), "input": f"catalog.{one.pop('path')}"}


def shown(file: Path) -> str:
    """A file of the packaged catalog relative to the package, any other by its own path."""
    return f"{PACKAGED}/{file.relative_to(DATA)}" if file.is_relative_to(DATA) else str(file)


def file_of(text: str) -> Path:
    """The file that `shown` names."""
    return DATA / text.removeprefix(f"{PACKAGED}/") if text.startswith(f"{PACKAGED}/") else Path(text)


def digest_of(file: Path) -> str:
    """The first 16 digits of SHA-256 of a file's bytes; '' where there is none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _each(trees: Any) -> Iterator[Node]:
    """Every node once, however many trees share it."""
    seen: set[int] = set()
    ahead = list(trees)
    while ahead:
        one = ahead.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            ahead += one["children"]


def packed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with what several trees share kept once: such a child is `{"part": name}`, and stands in `explain_parts`."""
    trees: Mapping[str, Node] = manifest.get("explain", {})
    if not trees or "explain_parts" in manifest:
        return dict(manifest)
    parents: dict[int, int] = {}
    for one in _each(trees.values()):
        for child in one["children"]:
            parents[id(child)] = parents.get(id(child), 0) + 1
    for tree in trees.values():
        parents[id(tree)] = parents.get(id(tree), 0) + 1
    names: dict[int, str] = {}
    parts: dict[str, Node] = {}

    def lean(one: Node) -> Node:
        return {**one, "children": [put(child) for child in one["children"]]}

    def put(one: Node) -> Node:
        if parents[id(one)] < 2:
            return lean(one)
        if id(one) not in names:
            names[id(one)] = f"{len(names) + 1}"
            parts[names[id(one)]] = lean(one)
        return {PART: names[id(one)]}

    made = {name: put(tree) for name, tree in trees.items()}
    return {**manifest, "explain": made, "explain_parts": parts}


def tree_in(manifest: Mapping[str, Any], name: str) -> Node:
    """The whole tree of a metric, from a manifest in memory or a written one.

    Raises:
        KeyError: there is none of that name.
    """
    parts: Mapping[str, Node] = manifest.get("explain_parts", {})
    done: dict[str, Node] = {}

    def whole(one: Node) -> Node:
        key = one.get(PART)
        if key is not None:
            if key not in done:
                done[key] = whole(parts[key])
            return done[key]
        return {**one, "children": [whole(child) for child in one.get("children", [])]}

    return whole(manifest["explain"][name])
