"""A back-test: a question with its inputs, each with unit, source and boundary, and the evaluator that answers it.

The file holds no answer. What a history needs to be judged by (the quarter that came) is a fact like any other and is
taken from the catalog; a forecast only ever sees what was known before. The class says what agreement can prove:

    history     a forecast or a rule against what happened, failures included
    forward     a forecast whose outcome is still to come
    published   a published answer reproduced from its inputs
    wiring      arithmetic on published inputs: that the rooms are connected rightly, and nothing else
    replay      inputs solved from the published answer: agreement proves nothing, and is never counted
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gigawatt.core.document import Document
from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest, unknown_name
from gigawatt.core.table import Table
from gigawatt.study.backtests.inputs import Inputs, override, read_inputs

CLASSES = ("history", "forward", "published", "wiring", "replay")
# What agreement with rows of a class proves.
PROVES = {
    "history": "a forecast or a rule held against what happened, failures included",
    "forward": "the forecast against the one made before; its outcome is still to come",
    "published": "a published answer reproduced from its own inputs",
    "wiring": "only that the rooms are connected rightly",
    "replay": "nothing: the inputs were solved from the answer",
}


@dataclass(frozen=True, slots=True)
class Evaluator:
    """A pure function from inputs to named outputs.

    inputs:     name -> dimension: one of `units.DIMENSIONS`, or 'years', 'text', 'day', 'data' (plain, read by the evaluator
                itself); '[]' behind it means a list
    boundaries: what an input counts where its file does not say
    optional:   inputs that may be left out

    Output names carry their unit ('_usd_b' is billion USD). Where a name holds an input ('irr_capex_38'), a name that does
    not move when the input does stands beside it ('irr_capex_low').
    """

    name: str
    function: Callable[[Inputs], dict[str, float]]
    inputs: Mapping[str, str]
    boundaries: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A checked back-test.

    kind:    its class; `kinds` gives the outputs that are of another
    outcome: of a forecast: 'pending' with the day it is due, '' for the other classes
    fails:   the output that shows how a model failed, '' where none did
    """

    id: str
    title: str
    kind: str
    reading: str
    evaluator: Evaluator
    inputs: Inputs
    source: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    outcome: str = ""
    fails: str = ""

    @property
    def sources(self) -> dict[str, str]:
        """Source of each input that names one."""
        return {name: given.source for name, given in self.inputs.given.items() if given.source}

    @property
    def proves(self) -> str:
        return PROVES[self.kind]

    def kind_of(self, output: str) -> str:
        """Class of one output."""
        return self.kinds.get(output, self.kind)

    def outputs(self) -> dict[str, float]:
        """Named outputs; a bool is 0 or 1.

        Raises:
            InputError: inputs that do not fit each other, or a zero where one is divided by.
        """
        try:
            made = self.evaluator.function(self.inputs)
        except ZeroDivisionError:
            zeros = [f"inputs.{name}" for name, one in self.inputs.given.items() if _holds_zero(one.value)]
            message = f"'{self.id}' divides by an input that is zero"
            raise InputError(Problem("divided_by_zero", message, None, (f"zero: {', '.join(zeros)}",))) from None
        return {name: float(value) for name, value in made.items()}

    def table(self) -> Table:
        """Outputs as rows of name, value and class; the unit is the end of the name."""
        made = self.outputs()
        rows = [{"output": name, "value": value, "class": self.kind_of(name)} for name, value in made.items()]
        note = " ".join(part for part in (self.reading, f"Outcome: {self.outcome}." if self.outcome else "") if part)
        return Table.from_rows(self.id, rows, ("output", "value", "class"), title=self.title, note=note)

    def inputs_table(self) -> Table:
        """Inputs as rows: value in the engine's unit, source, kind, boundary."""
        rows = [
            {"input": one.name, "value": str(one.value), "unit": one.unit, "kind": one.kind}
            | {"boundary": one.boundary, "source": one.source, "note": one.note}
            for one in self.inputs.given.values()
        ]
        columns = ("input", "value", "unit", "kind", "boundary", "source", "note")
        return Table.from_rows(f"{self.id}_inputs", rows, columns, title=f"Inputs: {self.title}")


def check(doc: Document, evaluators: Mapping[str, Evaluator], overrides: Sequence[str] = ()) -> Case:
    """A case from its document, with `path=value` overrides such as 'inputs.term=6 yr'.

    Raises:
        InputError: every problem found: unknown evaluator, input or path, a missing input, a wrong unit or boundary.
    """
    problems = Problems()
    data = copy.deepcopy(doc.data) if isinstance(doc.data, dict) else {}
    for key in ("id", "title", "class", "evaluator", "inputs"):
        if key not in data:
            problems.add("missing", f"a back-test needs '{key}'", doc.where(()))
    if not isinstance(data.get("inputs", {}), dict):
        problems.add("bad_input", "'inputs' is a mapping of names to values", doc.where(("inputs",)))
    problems.raise_if_any()
    for kind in (data["class"], *(data.get("classes") or {}).values()):
        if kind not in CLASSES:
            problems.extend([unknown_name("class of back-test", str(kind), CLASSES, doc.where(("class",)))])
    evaluator = evaluators.get(str(data["evaluator"]))
    if evaluator is None:
        problems.extend([unknown_name("evaluator", str(data["evaluator"]), evaluators, doc.where(("evaluator",)))])
    problems.raise_if_any()
    assert evaluator is not None
    changed: dict[str, Where] = {}
    for text in overrides:
        changed |= override(data, text, evaluator.inputs, problems)
    inputs = read_inputs(
        doc, data["inputs"], evaluator.inputs, evaluator.boundaries, evaluator.optional, problems, changed
    )
    problems.raise_if_any()
    words = {key: " ".join(str(data.get(key) or "").split()) for key in ("title", "class", "reading", "source")}
    return Case(
        str(data["id"]),
        words["title"],
        words["class"],
        words["reading"],
        evaluator,
        inputs,
        words["source"],
        dict(data.get("classes") or {}),
        str(data.get("outcome") or ""),
        str(data.get("fails") or ""),
    )


def _holds_zero(value: object) -> bool:
    return any(map(_holds_zero, value)) if isinstance(value, list) else value == 0


def near(name: str, known: Sequence[str]) -> tuple[str, ...]:
    """A hint with the nearest name, for evaluators that read rows themselves."""
    close = nearest(name, known)
    return (f"did you mean '{close}'?",) if close else (f"known: {', '.join(known)}",)
