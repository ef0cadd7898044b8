"""Dotted paths of a question: what may be set, in which unit, between which bounds, and what stands there now.

`--set`, sweeps, draws and comparisons name inputs in the same way: `site.energy_price`, `fleet.gb300.list_price`,
`workloads.chat.price.output`. A list's item goes by its id, or by its number where it has none. Fields are read off the models
that check a file, so that no second list of them can grow old.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.core.table import Table
from gigawatt.core.units import DIMENSIONS
from gigawatt.study.door import Measured
from gigawatt.study.source import Source

_MISSING = object()
_BOUNDS = ("gt", "ge", "lt", "le")


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that a file may say.

    Attributes:
        path: dotted.
        kind: 'quantity' (text with a unit), 'number', 'whole number', 'yes or no', 'date', 'choice', 'text', 'list', 'group'.
        dimension: of a quantity, a key of `units.DIMENSIONS`; '' for all others.
        unit: what a number means inside: 'W', 'USD/J', ''.
        bounds: 'gt', 'ge', 'lt', 'le' -> number, in that unit.
        choices: of a choice.
        value: what the file says, or the default; None where it says nothing and nothing is taken.
        written: the file says it.
        optional: it may be left out or be nothing.
        open: names of its parts are the user's own (months, a table of values).
        reader: turns what is written into the number inside; None for a bare number.
    """

    path: str
    kind: str
    dimension: str = ""
    unit: str = ""
    bounds: Mapping[str, float] | None = None
    choices: tuple[str, ...] = ()
    value: Any = None
    written: bool = False
    optional: bool = False
    open: bool = False
    reader: Measured | None = None

    def number(self, written: Any) -> float:
        """What a written value means inside, in `unit`.

        Raises:
            ValueError: it is no number, or of another dimension.
        """
        return float(self.reader(written) if self.reader is not None else written)

    @property
    def is_number(self) -> bool:
        return self.kind in ("quantity", "number", "whole number")

    def holds(self, value: float) -> bool:
        """Whether a number (in `unit`) is within the bounds."""
        tests = {"gt": value.__gt__, "ge": value.__ge__, "lt": value.__lt__, "le": value.__le__}
        return all(tests[name](bound) for name, bound in (self.bounds or {}).items())

    @property
    def range_words(self) -> str:
        """'over 0 and at most 1', '' where anything goes."""
        words = {"gt": "over", "ge": "at least", "lt": "under", "le": "at most"}
        return " and ".join(f"{words[name]} {bound:g}" for name, bound in (self.bounds or {}).items())


def inputs_of(source: Source, model: type[BaseModel]) -> dict[str, Input]:
    """Every input of a file that `model` reads, by dotted path, in the order of the model's fields; groups are among them."""
    return {one.path: one for one in _of_model(model, source.data, "")}


def check_path(path: str, known: Mapping[str, Input], where: Where | None = None) -> Problem | None:
    """What is wrong with a path, with the nearest valid one; None where nothing is.

    Below a mapping or list that is open any path may be right: the whole check of a file tells.
    """
    if path in known:
        return None
    above = next((p for p in _parents(path) if p in known), "")
    if above and known[above].open:
        return None
    near = nearest(path, known)
    inside = [p for p in known if p.rpartition(".")[0] == above]
    hints = [f"did you mean '{near}'?"] if near else []
    hints.append(
        f"known{' in ' + above if above else ''}: " + ", ".join(inside[:24]) + (", ..." if len(inside) > 24 else "")
    )
    return Problem("unknown_path", f"there is no input '{path}'", where, tuple(hints))


def inputs_table(known: Mapping[str, Input], part: str = "") -> Table:
    """What may be set at or below a path, as a table for people: how to write it, what stands there, what is allowed.

    Raises:
        InputError: there is no such path.
    """
    wrong = check_path(part, known) if part else None
    if wrong is not None:
        raise InputError(wrong)
    rows = []
    for one in known.values():
        if one.kind == "group" or not (not part or one.path == part or one.path.startswith(part + ".")):
            continue
        allowed = ", ".join(one.choices) or one.range_words
        like = DIMENSIONS[one.dimension][1] if one.dimension else one.kind
        rows.append({"path": one.path, "now": _short(one.value), "write": like, "allowed": allowed, "from": _from(one)})
    columns = ["path", "now", "write", "allowed", "from"]
    note = "'allowed' is in the engine's own unit (W, USD, s, USD/J); ids are those of 'gigawatt catalog list'."
    return Table.from_rows("inputs", rows, columns, {}, "What may be set", note)


def _from(one: Input) -> str:
    return "the file" if one.written else "default" if one.optional else "missing"


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        return f"{len(value)} of them" if value else "none"
    return str(value) if len(str(value)) <= 40 else str(value)[:37] + "..."


def _parents(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _of_model(model: type[BaseModel], data: Any, prefix: str, written: bool = True) -> Iterator[Input]:
    given = data if isinstance(data, dict) else {}
    for name, info in model.model_fields.items():
        shown = info.alias or name
        value = given.get(shown, given.get(name, _MISSING))
        said = written and value is not _MISSING
        if value is _MISSING:
            value = None if info.is_required() else info.get_default(call_default_factory=True)
        metadata = list(info.metadata)
        yield from _of_type(info.annotation, metadata, value, f"{prefix}{shown}", said, not info.is_required())


def _of_type(
    annotation: Any, metadata: list[Any], value: Any, path: str, written: bool, optional: bool
) -> Iterator[Input]:
    annotation, more, none = _bare(annotation, value)
    metadata = [*metadata, *more]
    optional = optional or none
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield Input(path, "group", value=plain, written=written, optional=optional)
        yield from _of_model(annotation, plain, path + ".", written)
        return
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (list, tuple, set):
        listed = plain if isinstance(plain, (list, tuple)) else []
        items = [one.model_dump(mode="json", by_alias=True) if isinstance(one, BaseModel) else one for one in listed]
        named = bool(args) and isinstance(_bare(args[0], {})[0], type) and issubclass(_bare(args[0], {})[0], BaseModel)
        short = plain is not None and not isinstance(plain, (list, tuple))  # one for a list of one, 'auto'
        is_open = short or not named
        yield Input(path, "list", value=plain if short else items, written=written, optional=optional, open=is_open)
        for at, item in enumerate(items):
            name = item.get("id", at) if isinstance(item, dict) else item if isinstance(item, str) else at
            inner, meta, _ = _bare(args[0], item) if args else (Any, [], False)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _of_type(inner, meta, item, f"{path}.{name}", written, True)
        return
    if origin is dict:
        yield Input(path, "list", value=plain, written=written, optional=optional, open=True)
        for key, item in (plain or {}).items():
            yield from _of_type(args[1], [], item, f"{path}.{key}", written, True)
        return
    yield _leaf(annotation, metadata, plain, path, written, optional)


def _bare(annotation: Any, value: Any) -> tuple[Any, list[Any], bool]:
    """An annotation without `Annotated` and `None`, its metadata, and whether None is allowed.

    Of a union of models the one whose `kind` the value has; of a model and something short for it, the model where a mapping
    is given or nothing.
    """
    metadata: list[Any] = []
    none = False
    while True:
        if hasattr(annotation, "__metadata__"):
            for one in annotation.__metadata__:
                metadata += one.metadata if isinstance(one, FieldInfo) else [one]
            annotation = annotation.__origin__
            continue
        if get_origin(annotation) not in (Union, UnionType):
            return annotation, metadata, none
        options = [one for one in get_args(annotation) if one is not NoneType]
        none = none or len(options) < len(get_args(annotation))
        models = [one for one in options if isinstance(one, type) and issubclass(one, BaseModel)]
        tag = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        tagged = [one for one in models if tag in get_args(getattr(one.model_fields.get("kind"), "annotation", None))]
        short = [one for one in options if one not in models]
        if models and not (value is not None and short and not isinstance(value, (dict, BaseModel))):
            annotation = (tagged or models)[0]
        else:
            annotation = _first_number(short or options, value)


def _first_number(options: list[Any], value: Any) -> Any:
    """Of 'auto' or a number, the number: what one would vary. Where any text may stand, what stands there decides."""
    if str in options and not (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return str
    for one in options:
        bare = one.__origin__ if hasattr(one, "__metadata__") else one
        if bare in (float, int):
            return one
    return options[0]


def _leaf(annotation: Any, metadata: list[Any], value: Any, path: str, written: bool, optional: bool) -> Input:
    dimension, unit = "", ""
    bounds: dict[str, float] = {}
    reader = None
    for one in metadata:
        found = getattr(one, "func", None)
        if isinstance(found, Measured):
            reader, dimension, unit = found, found.dimension, found.unit
            bounds |= found.bounds
    bounds |= {name: float(getattr(one, name)) for one in metadata for name in _BOUNDS if _is_bound(one, name)}
    choices: tuple[str, ...] = ()
    if get_origin(annotation) is Literal:
        kind, choices = "choice", tuple(str(one) for one in get_args(annotation))
    elif dimension:
        kind = "quantity"
    else:
        names = {bool: "yes or no", int: "whole number", float: "number", date: "date"}
        kind = names.get(annotation, "text")
    return Input(path, kind, dimension, unit, bounds or None, choices, value, written, optional, reader=reader)


def _is_bound(one: Any, name: str) -> bool:
    return isinstance(getattr(one, name, None), (int, float))
