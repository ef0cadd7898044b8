"""A back-test: a question with its inputs, each with unit and source, and the evaluator that answers it.

The file holds no answer. What a history needs to be judged by (the quarter that came) is a fact like any other and is
taken from the catalog; a forecast only ever sees what was known before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from gigawatt.core import document, units
from gigawatt.core.document import Document
from gigawatt.core.errors import Problem, Problems, Where, nearest, unknown_name
from gigawatt.core.table import Table
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.finance.schedule import Array

CLASSES = ("wiring", "published", "history", "forward")


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of one case in the engine's units (USD, W, s, tokens; a term in years)."""

    values: Mapping[str, Any]

    def number(self, name: str) -> float:
        return float(self.values[name])

    def numbers(self, name: str) -> Array:
        return np.asarray(self.values[name], dtype=np.float64)

    def text(self, name: str) -> str:
        return str(self.values[name])

    def texts(self, name: str) -> list[str]:
        return [str(one) for one in self.values[name]]

    def day(self, name: str) -> date:
        value = self.values[name]
        assert isinstance(value, date)
        return value

    def data(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Evaluator:
    """A pure function from inputs to named outputs.

    `inputs` maps a name to its dimension: one of `units.DIMENSIONS`, or 'years', 'text', 'day', 'data' (plain, read by
    the evaluator itself); '[]' behind it means a list. Output names carry their unit ('_usd_b' is billion USD).
    """

    name: str
    function: Callable[[Inputs], dict[str, float]]
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A checked back-test. `sources` gives the source of each input that names one."""

    id: str
    title: str
    kind: str
    reading: str
    evaluator: Evaluator
    inputs: Inputs
    sources: Mapping[str, str]
    source: str = ""

    def outputs(self) -> dict[str, float]:
        """Named outputs; a bool is 0 or 1."""
        return {name: float(value) for name, value in self.evaluator.function(self.inputs).items()}

    def table(self) -> Table:
        """Outputs as rows of name and value; the unit is the end of the name."""
        made = self.outputs()
        return Table(self.id, {"output": list(made), "value": list(made.values())}, title=self.title, note=self.reading)


def check(doc: Document, evaluators: Mapping[str, Evaluator], overrides: Sequence[str] = ()) -> Case:
    """A case from its document, with `path=value` overrides such as 'inputs.term=6 yr'.

    Raises:
        InputError: every problem found: unknown evaluator, input or path, a missing input, a wrong unit.
    """
    problems = Problems()
    data = copy.deepcopy(doc.data) if isinstance(doc.data, dict) else {}
    for text in overrides:
        _set(data, text, problems)
    for key in ("id", "title", "class", "evaluator", "inputs"):
        if key not in data:
            problems.add("missing", f"a back-test needs '{key}'", doc.where(()))
    problems.raise_if_any()
    if data["class"] not in CLASSES:
        problems.extend([unknown_name("class of back-test", str(data["class"]), CLASSES, doc.where(("class",)))])
    evaluator = evaluators.get(str(data["evaluator"]))
    if evaluator is None:
        problems.extend([unknown_name("evaluator", str(data["evaluator"]), evaluators, doc.where(("evaluator",)))])
    problems.raise_if_any()
    assert evaluator is not None
    values, sources = _read_inputs(doc, data["inputs"], evaluator, problems)
    problems.raise_if_any()
    words = {key: str(data.get(key, "")) for key in ("title", "class", "reading", "source")}
    return Case(
        str(data["id"]),
        words["title"],
        words["class"],
        words["reading"],
        evaluator,
        Inputs(values),
        sources,
        words["source"],
    )


def _read_inputs(
    doc: Document, raw: Mapping[str, Any], evaluator: Evaluator, problems: Problems
) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, given in raw.items():
        where = doc.where(("inputs", name))
        if name not in evaluator.inputs:
            near = nearest(name, evaluator.inputs)
            hint = f"did you mean '{near}'?" if near else f"known: {', '.join(evaluator.inputs)}"
            problems.add("unknown_input", f"'{evaluator.name}' has no input '{name}'", where, hint)
            continue
        if isinstance(given, Mapping) and "value" in given:
            sources[name] = str(given.get("source", ""))
            given = given["value"]
        try:
            values[name] = _value(given, evaluator.inputs[name])
        except ValueError as error:
            problems.add("bad_input", f"input '{name}': {error}", where)
    missing = [name for name in evaluator.inputs if name not in raw]
    if missing:
        problems.add("missing_input", f"'{evaluator.name}' needs {', '.join(missing)}", doc.where(("inputs",)))
    return values, sources


def _value(given: Any, dimension: str) -> Any:
    if dimension == "data":
        return given
    if dimension.endswith("[]"):
        if not isinstance(given, list):
            raise ValueError(f"expected a list, not {given!r}")
        return [_value(one, dimension[:-2]) for one in given]
    if dimension == "text":
        return str(given)
    if dimension == "day":
        return date.fromisoformat(str(given))
    if dimension == "years":
        return units.parse(given, "time") / SECONDS_PER_YEAR if isinstance(given, str) else float(given)
    return units.parse(given, dimension)


def _set(data: dict[str, Any], text: str, problems: Problems) -> None:
    """Apply one override. A sourced input keeps its source line: only its value changes."""
    path, equals, raw = text.partition("=")
    where = Where(f"--set {text}")
    parts = path.strip().split(".")
    if not equals or not all(parts):
        problems.add("bad_set", f"'{text}' is not 'path=value'", where, "for example: --set inputs.term='6 yr'")
        return
    node: Any = data
    for depth, part in enumerate(parts[:-1]):
        node = _child(node, part)
        if node is None:
            known = ".".join(parts[: depth + 1])
            problems.add("unknown_path", f"'{path}': there is no '{known}'", where)
            return
    last = parts[-1]
    value = document.parse(raw, f"--set {text}").data
    if isinstance(node, list) and last.isdigit() and int(last) < len(node):
        node[int(last)] = value
    elif isinstance(node, dict) and last in node:
        old = node[last]
        if isinstance(old, dict) and "value" in old and not isinstance(value, dict):
            node[last] = {**old, "value": value, "source": f"--set {path}"}
        else:
            node[last] = value
    else:
        near = nearest(last, node) if isinstance(node, dict) else None
        hints = (f"did you mean '{near}'?",) if near else ()
        problems.extend([Problem("unknown_path", f"'{path}' names nothing that can be set", where, hints)])


def _child(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        child = node.get(part)
        # 'inputs.capex.0' reaches into a sourced list
        return child["value"] if isinstance(child, dict) and isinstance(child.get("value"), (list, dict)) else child
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    return None
