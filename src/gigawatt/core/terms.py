"""Terms at the door: a mapping of a file, with units, to a frozen dataclass of floats; for contracts and cost models.

A door says how each term is written: `{"share": Term("share", "share"), "cap": Term("cap_usd", "money")}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from gigawatt.core import units
from gigawatt.core.dates import first_day
from gigawatt.core.errors import Problem, Problems, nearest

SECONDS_PER_YEAR = 8760 * 3600


@dataclass(frozen=True, slots=True)
class Term:
    """How a term is written at the door: its `field` inside, dimension, and factor from the engine's unit to the
    field's.

    `dimension` is a key of `units.DIMENSIONS`, or 'years' (bare number of years or a time), 'text', 'flag', 'date', or
    'data' (a list or mapping that `reader` reads). `meaning` is for the documentation.
    """

    field: str
    dimension: str
    factor: float = 1.0
    choices: tuple[str, ...] = ()
    meaning: str = ""
    reader: Callable[[Any], Any] | None = None


def read_terms(
    of: str, kind: str, door: Mapping[str, Term], form: type[Any], raw: Mapping[str, Any], problems: Problems
) -> Any:
    """The terms that `raw` says (text with units, or plain numbers in the engine's units); None where something is wrong.

    Args:
        of: whose they are, for the problems: "contract 'offtake'".
        kind: of which kind it is: 'take_or_pay'.
        door: name in a file -> how it is written.
        form: a frozen dataclass; fields without a default must be said.
        raw: what the file says; None counts as not said.
        problems: gets an unknown, a missing and a wrong term, all of them.
    """
    values: dict[str, Any] = {}
    before = len(problems.found)
    for key, value in raw.items():
        if value is None:
            continue
        if key not in door:
            near = nearest(key, door)
            hint = f"did you mean '{near}'?" if near else f"known: {', '.join(door)}"
            problems.add("unknown_term", f"{of}: a {kind} has no '{key}'", None, hint)
            continue
        term = door[key]
        try:
            values[term.field] = value_of(value, term)
        except ValueError as error:
            problems.add("bad_term", f"{of}, {key}: {error}")
    required = {f.name for f in fields(form) if f.default is MISSING and f.default_factory is MISSING}
    for key, term in door.items():
        if term.field in required and term.field not in values and key not in raw:
            problems.add("missing_term", f"{of}: a {kind} needs '{key}'")
    if len(problems.found) > before:
        return None
    try:
        return form(**values)
    except ValueError as error:
        problems.extend([Problem("bad_term", f"{of}: {error}")])
        return None


def value_of(value: Any, term: Term) -> Any:
    """One term as its field holds it.

    Raises:
        ValueError: it is written otherwise than the door asks.
    """
    if term.dimension == "text":
        if term.choices and value not in term.choices:
            raise ValueError(f"'{value}' is none of {', '.join(term.choices)}")
        return str(value)
    if term.dimension == "flag":
        if not isinstance(value, bool):
            raise ValueError(f"'{value}' is neither true nor false")
        return value
    if term.dimension == "data":
        return term.reader(value) if term.reader else value
    if term.dimension == "date":
        return first_day(value)
    if term.dimension == "years":
        if isinstance(value, str):
            return units.parse(value, "time") / SECONDS_PER_YEAR
        return float(value)
    if isinstance(value, str):
        return units.parse(value, term.dimension) * term.factor
    return float(value) * term.factor
