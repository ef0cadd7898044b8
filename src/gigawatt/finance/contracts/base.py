"""What every kind of contract is made of: terms with units at the door, columns to look at, flows to hand back.

A kind is one pure function `(terms, deal, columns) -> list[Flow]`; no kind sees another. Kinds that need to know a
company's capital expenditure or the cash available for its debt service find them as plain columns, already summed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

import numpy as np

from gigawatt.core import units
from gigawatt.core.errors import Problem, Problems, nearest
from gigawatt.finance.schedule import Array, Flow, Schedule

SECONDS_PER_YEAR = 8760 * 3600


@dataclass(frozen=True, slots=True)
class Columns:
    """What a contract may look at.

    capex_usd, cfads_usd: by company, period columns of plant bought and of cash available for debt service (revenue
    less running costs and tax, from the flows that are no financing).
    """

    schedule: Schedule
    capex_usd: Mapping[str, Array] = field(default_factory=dict)
    cfads_usd: Mapping[str, Array] = field(default_factory=dict)

    def capex_of(self, company: str) -> Array:
        return self.capex_usd.get(company, np.zeros(self.schedule.periods))

    def cfads_of(self, company: str) -> Array:
        return self.cfads_usd.get(company, np.zeros(self.schedule.periods))


@dataclass(frozen=True, slots=True)
class Deal:
    """The names on a contract: `pays` is who pays first (tenant, investor, lender), `gets` the other side."""

    id: str
    pays: str
    gets: str

    def flow(self, account: str, amount_usd: Array, *, back: bool = False) -> Flow:
        """A flow of this contract: pays -> gets, or the other way for `back`."""
        payer, payee = (self.gets, self.pays) if back else (self.pays, self.gets)
        return Flow(payer, payee, account, amount_usd, self.id)


@dataclass(frozen=True, slots=True)
class Term:
    """How a term is written at the door: its `field` inside, dimension, and factor from the engine's unit to the
    field's.

    `dimension` is a key of `units.DIMENSIONS`, or 'years' (bare number of years or a time), 'text', 'flag' or 'date'.
    """

    field: str
    dimension: str
    factor: float = 1.0
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of contract. Register a third party's as an entry point of the group 'gigawatt.contracts'.

    terms:     a frozen dataclass of floats and words
    door:      name in a scenario -> Term
    postings:  the pure function
    stage:     'operating' kinds come first; 'financing' kinds see what those left as cash for debt service
    """

    name: str
    terms: type[Any]
    door: Mapping[str, Term]
    postings: Callable[[Any, Deal, Columns], list[Flow]]
    stage: Literal["operating", "financing"] = "operating"

    def read(self, name: str, raw: Mapping[str, Any], problems: Problems) -> Any:
        """Terms from what a scenario says (text with units, or plain numbers in the engine's units); None if wrong."""
        values: dict[str, Any] = {}
        before = len(problems.found)
        for key, value in raw.items():
            if value is None:
                continue
            if key not in self.door:
                near = nearest(key, self.door)
                hint = f"did you mean '{near}'?" if near else f"known: {', '.join(self.door)}"
                problems.add("unknown_term", f"contract '{name}': a {self.name} has no '{key}'", None, hint)
                continue
            term = self.door[key]
            try:
                values[term.field] = _value(value, term)
            except ValueError as error:
                problems.add("bad_term", f"contract '{name}', {key}: {error}")
        required = {f.name for f in fields(self.terms) if f.default is MISSING and f.default_factory is MISSING}
        for key, term in self.door.items():
            if term.field in required and term.field not in values and key not in raw:
                problems.add("missing_term", f"contract '{name}': a {self.name} needs '{key}'")
        if len(problems.found) > before:
            return None
        try:
            return self.terms(**values)
        except ValueError as error:
            problems.extend([Problem("bad_term", f"contract '{name}': {error}")])
            return None


def _value(value: Any, term: Term) -> Any:
    if term.dimension == "text":
        if term.choices and value not in term.choices:
            raise ValueError(f"'{value}' is none of {', '.join(term.choices)}")
        return str(value)
    if term.dimension == "flag":
        if not isinstance(value, bool):
            raise ValueError(f"'{value}' is neither true nor false")
        return value
    if term.dimension == "date":
        from datetime import date

        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if term.dimension == "years":
        if isinstance(value, str):
            return units.parse(value, "time") / SECONDS_PER_YEAR
        return float(value)
    if isinstance(value, str):
        return units.parse(value, term.dimension) * term.factor
    return float(value) * term.factor


def quarters_of(years: float) -> int:
    """Quarters in a term of `years`, at least one."""
    return max(1, round(years * 4))
