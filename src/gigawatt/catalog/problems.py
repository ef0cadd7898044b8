"""pydantic's complaints about a record in our own words, each with its place in the file."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gigawatt.core.document import Path_
from gigawatt.core.errors import Problem, Where, nearest


def problems_of(error: ValidationError, model: type[BaseModel], place: Callable[[Path_], Where]) -> list[Problem]:
    """One problem for each place that is wrong, with file, line and column."""
    found: dict[Path_, Problem] = {}
    for item in error.errors(include_url=False):
        path = tuple(part for part in item["loc"] if part != "[key]")
        where, shown = place(path), ".".join(str(part) for part in path)
        kind = item["type"]
        hints: tuple[str, ...] = ()
        if kind == "extra_forbidden":
            known = _fields(model, path[:-1])
            near = nearest(str(path[-1]), known)
            code, message = "unknown_field", f"unknown field '{shown}'"
            hints = (f"did you mean '{near}'?",) if near else ("known: " + ", ".join(sorted(known)),)
        elif kind == "missing":
            code, message = "missing_field", f"the field '{shown}' is missing"
        elif kind in ("value_error", "assertion_error"):
            code, message = "bad_value", f"{shown}: {str(item['msg']).removeprefix('Value error, ')}"
        else:
            code, message = "bad_value", f"{shown}: {_lower(str(item['msg']))}"
        found.setdefault(path, Problem(code, message, where, hints))
    return list(found.values())


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _fields(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """The fields of the model that stands at `path`."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel) and str(part) in here.model_fields:
            here = _inner(here.model_fields[str(part)].annotation)
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _inner(annotation: Any) -> Any:
    """The model inside Optional[...], dict[..., ...] or tuple[..., ...]."""
    origin = get_origin(annotation)
    if origin is None:
        return annotation
    arguments = [arg for arg in get_args(annotation) if arg not in (type(None), Ellipsis, str)]
    if origin in (Union, types.UnionType, tuple, list, dict) and arguments:
        return _inner(arguments[-1])
    return annotation
