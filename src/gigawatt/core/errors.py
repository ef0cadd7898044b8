"""Errors for people: every problem of an input at once, each with its place, its cause and a way out.

An `InputError` (exit code 2) carries all the problems found; an `Infeasible` (exit code 1) is an answer that names
what conflicts and the smallest change that fits. Neither is ever shown as a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file; line and column count from 1, and 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def as_json(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "column": self.column}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a short code, a sentence, where it stands and what would be right."""

    code: str
    message: str
    where: Where | None = None
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hints = "".join(f"\n    {hint}" for hint in self.hints)
        return f"{place}{self.message}{hints}"

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "where": [self.where.as_json()] if self.where else [],
            "hints": list(self.hints),
        }


class GigawattError(Exception):
    """Base of what the engine raises on purpose; `exit_code` is the command's.

    A notebook shows `told()` and no traceback: the place of the mistake is in the input, not in our code.
    """

    exit_code = 3

    def told(self) -> list[str]:
        """What a person reads, line by line."""
        return [f"{type(self).__name__}: {self}"]

    def _render_traceback_(self) -> list[str]:
        """IPython asks an exception for what it shows in place of a traceback."""
        return self.told()

    def as_json(self) -> dict[str, Any]:
        return {"error": {"code": "internal", "message": str(self), "where": [], "hints": []}}


class InputError(GigawattError):
    """The input is wrong. Holds every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        found = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not found:
            raise ValueError("an InputError needs at least one problem")
        self.problems: tuple[Problem, ...] = found
        super().__init__("\n".join(str(problem) for problem in found))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its problems, so that an error of another process says the same here."""
        return _input_error, (type(self), self.problems, self.__dict__)

    def told(self) -> list[str]:
        lines = [line for problem in self.problems for line in f"error: {problem}".splitlines()]
        count = len(self.problems)
        return [*lines, *([f"{count} problems; nothing was run."] if count > 1 else [])]

    def as_json(self) -> dict[str, Any]:
        first = self.problems[0]
        count = len(self.problems)
        message = first.message if count == 1 else f"{count} problems; the first: {first.message}"
        return {
            "error": {
                "code": first.code,
                "message": message,
                "where": [p.where.as_json() for p in self.problems if p.where],
                "hints": list(first.hints),
                "problems": [p.as_json() for p in self.problems],
            }
        }


class UnknownName(InputError, KeyError):
    """A mapping holds nothing of that name; the nearest that it holds is told. Also a `KeyError`, as mappings raise."""

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def _input_error(kind: type[InputError], problems: tuple[Problem, ...], state: dict[str, Any]) -> InputError:
    """An error of this kind as it was pickled, whatever its own constructor takes."""
    made = kind.__new__(kind)
    InputError.__init__(made, problems)
    made.__dict__.update(state)
    return made


@dataclass(frozen=True, slots=True)
class Change:
    """A single change of a limit: what it is now, what it would have to be, in the unit shown."""

    limit: str
    now: float
    needed: float
    unit: str

    def __str__(self) -> str:
        return f"{self.limit}: {self.now:,.6g} -> {self.needed:,.6g} {self.unit}"


class Infeasible(GigawattError):
    """No plan fits: `conflict` names an irreducible set of limits, `changes` the smallest change that fits."""

    exit_code = 1

    def __init__(self, message: str, conflict: Sequence[str] = (), changes: Sequence[Change] = ()) -> None:
        self.message = message
        self.conflict = tuple(conflict)
        self.changes = tuple(changes)
        super().__init__(message)

    def told(self) -> list[str]:
        lines = [f"infeasible: {self.message}"]
        if self.conflict:
            lines += ["These can not all hold:", *(f"  - {limit}" for limit in self.conflict)]
        if self.changes:
            lines += ["The smallest change that fits:", *(f"  - {change}" for change in self.changes)]
        return lines

    def as_json(self) -> dict[str, Any]:
        return {
            "error": {
                "code": "infeasible",
                "message": self.message,
                "where": [],
                "hints": [str(change) for change in self.changes],
                "conflict": list(self.conflict),
                "changes": [{"limit": c.limit, "now": c.now, "needed": c.needed, "unit": c.unit} for c in self.changes],
            }
        }


class Unsupported(GigawattError):
    """Asked for something that this version does not do (yet)."""

    exit_code = 2

    def as_json(self) -> dict[str, Any]:
        return {"error": {"code": "not_in_this_version", "message": str(self), "where": [], "hints": []}}


class Interrupted(GigawattError):
    """The user stopped it; the text says what is kept and how to go on."""

    exit_code = 130

    def as_json(self) -> dict[str, Any]:
        return {"error": {"code": "interrupted", "message": str(self), "where": [], "hints": []}}


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option most like `name`, or None where nothing is near.

    >>> nearest("gb300-nvl27", ["gb300-nvl72", "hgx-h200"])
    'gb300-nvl72'
    """
    choices = list(options)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return close[0]
    lowered = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    return lowered[near[0]] if near else None


def unknown_name(what: str, name: str, options: Iterable[str], where: Where | None = None) -> Problem:
    """The problem of a name that does not exist, with the nearest one that does."""
    choices = sorted(options)
    near = nearest(name, choices)
    hints = [f"did you mean '{near}'?"] if near else []
    if len(choices) <= 12:
        hints.append("known: " + (", ".join(choices) or "none"))
    return Problem("unknown_name", f"there is no {what} '{name}'", where, tuple(hints))


@dataclass(slots=True)
class Problems:
    """Collects problems, so that all of an input's are told at once."""

    found: list[Problem] = field(default_factory=list)

    def add(self, code: str, message: str, where: Where | None = None, *hints: str) -> None:
        self.found.append(Problem(code, message, where, hints))

    def extend(self, problems: Iterable[Problem]) -> None:
        self.found.extend(problems)

    def raise_if_any(self) -> None:
        if self.found:
            raise InputError(self.found)
