"""Whether a folder holds the same sweep, so that it may go on: else what is other, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.study.executors.versions import differences
from gigawatt.study.sweep.asked import Sweep
from gigawatt.study.sweep.identity import OVERLAYS, digest_of, engine, question
from gigawatt.study.sweep.schema import Schema, inputs_of, schema_of
from gigawatt.study.sweep.store import FORMAT, Store

AGAIN = ("begin again there: --fresh", "or choose another place: -o DIR")
MOST_NAMED = 3


def begun(store: Store, sweep: Sweep, fresh: bool) -> Schema:
    """The columns of a store that this sweep may write into: as it was begun, or begun now.

    Raises:
        InputError: the folder holds another sweep, or one made by another version.
    """
    made, asked = engine(sweep.recipe.overlays), question(sweep.recipe)
    design = sweep.design.as_json()
    digest = digest_of(made, asked, design)
    found = None if fresh else store.asked()
    if fresh:
        store.clear()
    if found is not None and found.get("digest") != digest:
        raise _other(store.folder, found, made, asked, design)
    if found is not None:
        metrics = {str(name): str(unit) for name, unit in found["columns"]["metrics"].items()}
        inputs = inputs_of(sweep.design, sweep.recipe.inputs(), metrics)
        return Schema(inputs, metrics, sweep.design.cases is not None)
    schema = schema_of(sweep.recipe, sweep.design)
    about = {"format": FORMAT, "digest": digest, "name": sweep.name, "title": sweep.title, "made_by": made}
    store.begin(
        {**about, "question": asked, "file": sweep.recipe.source.file, "design": design, "columns": schema.as_json()}
    )
    return schema


def _other(
    folder: Path, found: Mapping[str, Any], made: Mapping[str, str], asked: Mapping[str, Any], design: Mapping[str, Any]
) -> InputError:
    where, before = Where(str(folder)), dict(found.get("made_by", {}))
    if found.get("format") != FORMAT:
        message = f"'{folder}' is of another form, '{found.get('format')}'; this version writes '{FORMAT}'"
        return InputError(Problem("other_version", message, where, AGAIN))
    facts = before.pop(OVERLAYS, "none") != made[OVERLAYS]
    apart = differences({name: said for name, said in made.items() if name != OVERLAYS}, before)
    if apart:
        message = f"'{folder}' was made by another version, whose numbers may differ: {', '.join(apart)}"
        return InputError(Problem("other_version", message, where, ("that version goes on with it", *AGAIN)))
    if facts:
        message = f"'{folder}' was made with other records in --overlay"
        return InputError(Problem("other_facts", message, where, AGAIN))
    told = list(_differences(found, asked, design))
    shown = "; ".join(told[:MOST_NAMED]) + (f"; and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else "")
    message = f"'{folder}' holds another sweep" + (f": {shown}" if shown else "")
    hints: tuple[str, ...] = AGAIN
    old, new = found.get("design", {}), design
    if old.get("axes") == new["axes"] and old.get("chunk") != new["chunk"]:
        hints = (f"go on with parts as they are: --chunk {old.get('chunk')}", *AGAIN)
    return InputError(Problem("other_sweep", message, where, hints))


def _differences(found: Mapping[str, Any], asked: Mapping[str, Any], design: Mapping[str, Any]) -> Iterator[str]:
    """What the folder's sweep has and this one has not, in words."""
    before = found.get("question", {})
    plain = json.loads(json.dumps([asked, design], default=str))
    now, new = plain
    for name, words in (("verb", "verb"), ("as_of", "as of")):
        if before.get(name) != now.get(name):
            yield f"{words} {before.get(name)}, not {now.get(name)}"
    for path, old, value in changes_between(before.get("scenario", {}), now["scenario"]):
        yield f"{path} was {_short(old)} and is {_short(value)}"
    old = found.get("design", {})
    if old.get("chunk") != new["chunk"]:
        yield f"parts of {old.get('chunk')} rows, not {new['chunk']}"
    if old.get("axes") != new["axes"]:
        counts = f": {old.get('rows'):,} scenarios, not {new['rows']:,}" if old.get("rows") != new["rows"] else ""
        yield f"other values{counts}"


def changes_between(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted path, before, now) of what differs between two plain trees."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from changes_between(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (before, now) in enumerate(zip(old, new, strict=True)):
            name = now.get("id", at) if isinstance(now, dict) else at
            yield from changes_between(before, now, f"{path}.{name}")
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    text = "not there" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
