"""Where a headline number comes from: a tree of data, calibrations, formulas and choices.

A node is a plain mapping, so that it goes into a manifest as it is:

| key                    | means                                                                                       |
|------------------------|---------------------------------------------------------------------------------------------|
| kind                   | `datum`, `calibration`, `formula` or `choice`                                               |
| name, value, unit      | what it is; the value in the unit shown                                                     |
| source                 | who says so: a paper, a data sheet, a rule of the engine                                    |
| where                  | file:line:column of the value; 'default of the scenario' or 'definition' where none gives it |
| path                   | of a fact or a fit: where it stands in the catalog ('platform/gb300-nvl72.list_price')      |
| input                  | of an input of the scenario: its dotted path, as `--set` takes it                           |
| si                     | of a fact shown in another unit: its value as the engine holds it                             |
| known, as_of, low, high | how a fact is known (measured, quoted, ...), since when, its 80 % range                     |
| operation              | how the value follows from the operands below                                               |
| operands               | how many children are operands, the first ones; all where it is missing                     |
| scale, scale_of        | a plain number that the result is multiplied by (units), and what it stands for             |
| children               | operands first, then what the value rests on                                                |

Operations: `sum`, `product`, `ratio` (first over second), `difference` (first less the others), `same` (the only
operand), `min`, `max`, and `zero`: the operands sum to nothing where this node's value is the rate that makes it so.
A formula without an operation is a search or a simulation: its children are what went into it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from gigawatt.core.datum import Datum
from gigawatt.core.document import Path_
from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.study.complaints import dotted
from gigawatt.study.source import Source

NodeKind = Literal["datum", "calibration", "formula", "choice"]
Operation = Literal["", "sum", "product", "ratio", "difference", "same", "min", "max", "zero"]
Node = dict[str, Any]
DEFAULT = "default of the scenario"
DEFINITION = "definition"


def node(
    kind: NodeKind,
    name: str,
    value: Any,
    unit: str = "",
    source: str = "",
    children: Sequence[Node] = (),
    *,
    operation: Operation = "",
    rests_on: Sequence[Node] = (),
    scale: float = 1.0,
    scale_of: str = "",
    **more: Any,
) -> Node:
    """One node of a tree.

    Args:
        children: the operands where there is an `operation`, else what went into the value.
        rests_on: further children that are no operands: choices, calibrations, data behind the value.
        scale, scale_of: what the operation's result is multiplied by, and what that number stands for.
        more: other keys (`where`, `path`, `known`, ...); those that are empty are left out.
    """
    out: Node = {"kind": kind, "name": name, "value": value, "unit": unit, "source": source}
    out |= {key: item for key, item in more.items() if item not in (None, "")}
    if operation:
        out["operation"] = operation
        if rests_on:
            out["operands"] = len(children)
        if scale != 1.0:
            out |= {"scale": scale, "scale_of": scale_of}
    out["children"] = [*children, *rests_on]
    return out


def worked(
    operation: Operation,
    name: str,
    unit: str,
    operands: Sequence[Node],
    value: float | None = None,
    *,
    rests_on: Sequence[Node] = (),
    scale: float = 1.0,
    scale_of: str = "",
    source: str = "",
) -> Node:
    """A formula whose value follows from its operands; `value` is the engine's own where it has one."""
    made = node(
        "formula", name, value, unit, source, operands, operation=operation, rests_on=rests_on, scale=scale,
        scale_of=scale_of,
    )  # fmt: skip
    return made if value is not None else made | {"value": recomputed(made)}


def until_even(hole: Node, gain: Node, step_years: float, period: str) -> Node:
    """How far into a period the cumulative flow crosses nothing: what is owed before it over what it brings, of its length."""
    return worked(
        "ratio",
        "time into it until nothing is owed",
        "yr",
        [hole, gain],
        scale=-step_years,
        scale_of=f"less, years of a {period}",
    )


def operands_of(one: Node) -> list[Node]:
    """The children that the value follows from; none where the node says no operation."""
    if not one.get("operation"):
        return []
    children: list[Node] = one["children"]
    return children[: one.get("operands", len(children))]


def recomputed(one: Node) -> float | None:
    """The value that the operands give; None where there is no operation or an operand has no number."""
    values = [operand["value"] for operand in operands_of(one)]
    if not values or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        return None
    scale = float(one.get("scale", 1.0))
    first, rest = float(values[0]), [float(v) for v in values[1:]]
    match one["operation"]:
        case "sum" | "zero":
            return scale * math.fsum([first, *rest])
        case "product":
            return scale * math.prod([first, *rest])
        case "ratio":
            return scale * first / rest[0] if rest[0] else None
        case "difference":
            return scale * math.fsum([first, *(-v for v in rest)])
        case "same":
            return scale * first
        case "min":
            return scale * min(first, *rest) if rest else scale * first
        case "max":
            return scale * max(first, *rest) if rest else scale * first
    return None


def of_datum(name: str, datum: Datum, scale: float = 1.0, unit: str = "") -> Node:
    """A fact as a leaf; `scale` takes its SI value to the unit shown. Its line in the catalog is found when it is asked for."""
    low, high = datum.range
    return node(
        "datum", name, datum.value * scale, unit or datum.unit, datum.source, path=datum.path, known=datum.kind,
        as_of=datum.as_of, low=low * scale, high=high * scale, boundary=datum.boundary, note=datum.note,
        si=datum.value if scale != 1.0 else None,
    )  # fmt: skip


def fact(name: str, record: Any, field: str, value: Any, unit: str = "") -> Node:
    """A plain field of a catalog record (a count, a name) as a leaf, with the record's own source."""
    path = f"{type(record).folder}/{record.id}.{field}"
    return node("datum", name, value, unit, record.source, path=path, known=record.kind, as_of=record.as_of)


def place_of(source: Source, path: Path_) -> str:
    """File, line and column of an input of a scenario, `--set ...` where that gave it, else that it is a default."""
    for length in range(len(path), 0, -1):
        part = path[:length]
        if part in source.places:
            given = _at(source.data, part)
            whole = length == len(path) or not isinstance(
                given, (dict, list)
            )  # a short form stands for all of its parts
            return str(source.places[part]) if whole else DEFAULT
    return source.file if _at(source.data, path) is not None else DEFAULT


def _at(data: Any, path: Path_) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def given(source: Source, path: Path_, name: str, value: Any, unit: str = "", said: str = "") -> Node:
    """An input of the scenario as a leaf: its dotted path and place; `said` is a source that the file itself names."""
    where = place_of(source, path)
    shown = value.isoformat() if isinstance(value, (date, datetime)) else value
    words = said or ("assumed by default" if where == DEFAULT else "the scenario")
    return node("datum", name, shown, unit, words, where=where, input=dotted(path, source.data))


def defined(name: str, value: float, unit: str, source: str) -> Node:
    """A number that is so by definition or by a rule of the engine."""
    return node("datum", name, value, unit, source, where=DEFINITION)


def choice(name: str, value: Any = None, unit: str = "", source: str = "", children: Sequence[Node] = ()) -> Node:
    """What was chosen among others, by an optimisation or by the user."""
    return node("choice", name, value, unit, source, children)


def fitted(record: Any, name: str = "", error: float | None = None, unit: str = "share", of: str = "") -> Node:
    """A calibration as a leaf: what it was fitted to, on how many rows, and its error outside the fit.

    Args:
        record: the catalog's record.
        name: shown beside the record's id.
        error: the measured error of the kind of answer asked for; None where the record states none of a single kind.
        of: what that error is of.
    """
    path = f"calibration/{record.id}"
    shown = f"{path}: {name or record.name}" + (f"; {of}" if of and error is not None else "")
    return node(
        "calibration", shown, error, unit if error is not None else "", record.source, path=path, as_of=record.as_of,
        fitted_to=record.fitted_to, rows=record.rows or None, release=record.release,
    )  # fmt: skip


def walk(one: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield one
    for child in one["children"]:
        yield from walk(child)


def newest_run(asked: Path | None) -> Path:
    """The run folder asked for, or the newest below `runs/`.

    Raises:
        InputError: there is none, or it holds no manifest.
    """
    if asked is not None:
        if not (asked / "manifest.json").is_file():
            hint = "a run folder holds manifest.json; make one: gigawatt run FILE -o DIR"
            raise InputError(Problem("no_run", f"'{asked}' is no run folder", Where(str(asked)), (hint,)))
        return asked
    found = sorted(Path("runs").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InputError(
            Problem(
                "no_run",
                "there is no run below runs/ yet",
                None,
                ("make one: gigawatt run FILE", "or name one: --run DIR"),
            )
        )
    return found[-1].parent
