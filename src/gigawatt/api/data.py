"""What Python says as a file would say it: plain values, dotted paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where


def plain_data(value: Any, path: str = "") -> Any:
    """Dictionaries, lists, texts, numbers, booleans and None; dates as text, NumPy's numbers and arrays as Python's.

    Raises:
        InputError: what no file could say, such as a function.

    >>> plain_data({"start": date(2027, 1, 1), "years": (5, 6)})
    {'start': '2027-01-01', 'years': [5, 6]}
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain_data(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
    if hasattr(value, "tolist"):  # NumPy, without importing it
        return plain_data(value.tolist(), path)
    if isinstance(value, (list, tuple, range)):
        return [plain_data(item, f"{path}.{at}".lstrip(".")) for at, item in enumerate(value)]
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):  # a subclass, such as a metric
            return kind(value)
    what = f"a {type(value).__name__} is nothing that a file can say"
    raise InputError(Problem("not_plain", what, Where(path) if path else None, ("texts, numbers, lists, mappings",)))


def changes_of(changes: Mapping[str, Any] | None, words: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted paths -> plain values, of a mapping and of keywords in which two underscores stand for a dot.

    >>> changes_of({"site.grid_power": "1 GW"}, {"site__place": "abilene-texas"})
    {'site.grid_power': '1 GW', 'site.place': 'abilene-texas'}
    """
    given = {**(changes or {}), **{name.replace("__", "."): value for name, value in words.items()}}
    return {path: plain_data(value, path) for path, value in given.items()}


def flat(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of every leaf; an item of a list goes by its id, else by its number."""
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from flat(value, f"{prefix}{key}.")
    elif isinstance(data, list) and any(isinstance(item, (Mapping, list)) for item in data):
        for at, item in enumerate(data):
            name = item.get("id", at) if isinstance(item, Mapping) else at
            below = {key: one for key, one in item.items() if key != "id"} if isinstance(item, Mapping) else item
            yield from flat(below, f"{prefix}{name}.")
    else:
        yield prefix.removesuffix("."), data
