"""Inputs of a back-test: each with value, unit, source, kind and boundary; and what `--set inputs.NAME=...` changes.

Short or in full, as in the catalog:

    power: 200 MW
    capex: {value: [50 billion USD/GW, 60 billion USD/GW], boundary: "facility, all-in, buyer cost, quoted", source: "..."}

What an input does not say itself it takes from the case (`source`, `kind`), its boundary from the evaluator. An override
replaces the value and names itself as source; unit and boundary stay unless they are set too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from gigawatt.core import document, units
from gigawatt.core.boundary import parse_boundary, parse_power
from gigawatt.core.bounded import Bounded
from gigawatt.core.datum import KINDS
from gigawatt.core.document import Document
from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest, unknown_name
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.finance.schedule import Array

FIELDS = ("value", "source", "kind", "boundary", "as_of", "grade", "note")
OVERRIDE = "--set"


@dataclass(frozen=True, slots=True)
class Given:
    """One input as read: `value` in the engine's unit, the rest as text. `boundary` is '' where none matters."""

    name: str
    value: Any
    unit: str = ""
    source: str = ""
    kind: str = "assumed"
    boundary: str = ""
    as_of: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of one case in the engine's units (USD, W, s, tokens; a term in years)."""

    given: Mapping[str, Given] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        return {name: one.value for name, one in self.given.items()}

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def number(self, name: str) -> float:
        return float(self.given[name].value)

    def positive(self, name: str) -> float:
        """A number above zero.

        Raises:
            InputError: it is not.
        """
        value = self.number(name)
        if not value > 0:
            raise InputError(_bad(name, f"must be above zero, not {value:g}"))
        return value

    def whole(self, name: str, least: int = 1) -> int:
        """A whole number, at least `least`.

        Raises:
            InputError: a fraction, or less.
        """
        value = self.number(name)
        if value != round(value) or value < least:
            raise InputError(_bad(name, f"must be a whole number, at least {least}, not {value:g}"))
        return round(value)

    def optional(self, name: str) -> float | None:
        """A number that may be left out."""
        return self.number(name) if name in self.given else None

    def numbers(self, name: str) -> Array:
        return np.asarray(self.given[name].value, dtype=np.float64)

    def text(self, name: str) -> str:
        return str(self.given[name].value)

    def texts(self, name: str) -> list[str]:
        return [str(one) for one in self.given[name].value]

    def day(self, name: str) -> date:
        value = self.given[name].value
        assert isinstance(value, date)
        return value

    def data(self, name: str) -> Any:
        return self.given[name].value

    def bounded(self, name: str) -> list[Bounded]:
        """Figures with their boundary; a single value is a list of one."""
        one = self.given[name]
        values = one.value if isinstance(one.value, list) else [one.value]
        return [Bounded(float(v), one.unit, parse_boundary(one.boundary), name=f"inputs.{name}") for v in values]

    def counted_as(self, name: str) -> str:
        """Which power an input of power counts: facility, it or unstated."""
        return parse_power(self.given[name].boundary)


def _bad(name: str, why: str) -> Problem:
    return Problem("bad_input", f"inputs.{name} {why}", Where(f"inputs.{name}"))


def read_inputs(
    doc: Document,
    raw: Mapping[str, Any],
    dimensions: Mapping[str, str],
    boundaries: Mapping[str, str],
    optional: Iterable[str],
    problems: Problems,
    places: Mapping[str, Where] | None = None,
) -> Inputs:
    """Inputs of a case; whatever is wrong with them is added to `problems`. `places` are those of overridden inputs."""
    head = doc.data if isinstance(doc.data, dict) else {}
    out: dict[str, Given] = {}
    for name, given in raw.items():
        where = (places or {}).get(name) or doc.where(("inputs", name))
        if name not in dimensions:
            problems.extend([unknown_name("input", str(name), dimensions, where)])
            continue
        full = _full(given)
        # what is assumed here was not said by the source of the rest
        source = str(full.get("source") or ("" if full.get("kind") == "assumed" else head.get("source")) or "")
        unknown = [key for key in full if key not in FIELDS]
        if unknown:
            problems.extend([unknown_name(f"field of input '{name}'", unknown[0], FIELDS, where)])
            continue
        kind = str(full.get("kind") or head.get("kind") or ("quoted" if source else "assumed"))
        if kind not in KINDS:
            problems.extend([unknown_name("kind of source", kind, KINDS, where)])
        boundary = str(full.get("boundary") or boundaries.get(name, ""))
        try:
            value = _value(full["value"], dimensions[name])
            if boundary:
                power = dimensions[name].startswith("power") and not dimensions[name].startswith("power_price")
                parse_power(boundary, where) if power else parse_boundary(boundary, where)
        except ValueError as error:
            problems.add("bad_input", f"input '{name}': {error}", where)
            continue
        except InputError as error:
            problems.extend(error.problems)
            continue
        dimension = dimensions[name].replace("[]", "")
        unit = "yr" if dimension == "years" else units.DIMENSIONS.get(dimension, ("",))[0]
        texts = {key: str(full.get(key) or "") for key in ("as_of", "note")}
        out[name] = Given(name, value, unit, source, kind, boundary, **texts)
    missing = [name for name in dimensions if name not in raw and name not in optional]
    if missing:
        problems.add("missing_input", f"the inputs {', '.join(missing)} are missing", doc.where(("inputs",)))
    return Inputs(out)


def _full(given: Any) -> dict[str, Any]:
    return dict(given) if isinstance(given, Mapping) and "value" in given else {"value": given}


def _value(given: Any, dimension: str) -> Any:
    if dimension == "data":
        if not isinstance(given, list) or not all(isinstance(row, Mapping) for row in given):
            raise ValueError(f"expected a list of mappings, not {given!r}")
        return given
    if dimension.endswith("[]"):
        # one value where a list may stand is a list of one
        return [_value(one, dimension[:-2]) for one in (given if isinstance(given, list) else [given])]
    if isinstance(given, (list, Mapping)) or given is None:
        raise ValueError(f"expected one value, not {given!r}")
    if dimension == "text":
        return str(given)
    if dimension == "day":
        return date.fromisoformat(str(given))
    if dimension == "years":
        return units.parse(given, "time") / SECONDS_PER_YEAR if isinstance(given, str) else float(given)
    return units.parse(given, dimension)


def override(data: dict[str, Any], text: str, dimensions: Mapping[str, str], problems: Problems) -> dict[str, Where]:
    """Apply one 'inputs.NAME[.index or field ...]=value' to the plain data of a case; the input changed and by what.

    `inputs.capex=[...]` replaces a list, `inputs.capex.0=...` one of its values, `inputs.capex.boundary=...` a field;
    rows of a list of things go by their id or number.
    """
    path, equals, raw = text.partition("=")
    where = Where(f"{OVERRIDE} {text}")
    parts = path.strip().split(".")
    if not equals or not all(parts):
        problems.add("bad_set", f"'{text}' is not 'path=value'", where, "for example: --set inputs.term='6 yr'")
        return {}
    if parts[0] != "inputs" or len(parts) < 2:
        near = nearest(parts[0], ["inputs", *dimensions])
        hint = f"did you mean 'inputs.{near}'?" if near in dimensions else "what can be set: inputs.NAME"
        problems.add("unknown_path", f"'{path}' names nothing that can be set", where, hint)
        return {}
    name, rest = parts[1], parts[2:]
    if name not in dimensions:
        problems.extend([_no_such(path, name, dimensions, where)])
        return {}
    try:
        value = document.parse(raw, f"{OVERRIDE} {text}").data
    except InputError as error:
        problems.extend(error.problems)
        return {}
    inputs = data["inputs"]
    own = _full(inputs[name]) if name in inputs else {"value": None}
    if rest and rest[0] in FIELDS:
        # `inputs.capex.value.0` is `inputs.capex.0`
        field_name, rest = rest[0], rest[1:]
        if field_name != "value":
            inputs[name] = {**own, field_name: value}
            return {name: where}
    said = {key: own[key] for key in ("boundary", "note") if key in own}
    if not rest:
        new = _full(value) if isinstance(value, Mapping) and "value" in value else {"value": value}
        inputs[name] = {**said, "source": f"{OVERRIDE} {path}", "kind": "assumed", **new}
        return {name: where}
    changed = _copy(own["value"])
    if _put(changed, rest, value, path, where, problems):
        inputs[name] = {**own, **said, "value": changed, "source": f"{OVERRIDE} {path}"}
    return {name: where}


def _put(node: Any, parts: list[str], value: Any, path: str, where: Where, problems: Problems) -> bool:
    """Set what `parts` name below `node`; False where they name nothing."""
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(node, list):
            ids = [str(row.get("id", k)) if isinstance(row, Mapping) else str(k) for k, row in enumerate(node)]
            at = ids.index(part) if part in ids else (int(part) if part.isdigit() and int(part) < len(node) else -1)
            if at < 0:
                problems.extend([_no_such(path, part, ids, where)])
                return False
            key: Any = at
        elif isinstance(node, dict) and part in node:
            key = part
        else:
            problems.extend([_no_such(path, part, node if isinstance(node, dict) else (), where)])
            return False
        if last:
            node[key] = value
            return True
        node = node[key]
    return False


def _no_such(path: str, part: str, known: Iterable[str], where: Where) -> Problem:
    names = [str(one) for one in known]
    near = nearest(part, names)
    hints = (f"did you mean '{near}'?",) if near else (f"known: {', '.join(names)}",) if names else ()
    return Problem("unknown_path", f"'{path}' names nothing that can be set: there is no '{part}'", where, hints)


def _copy(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node
