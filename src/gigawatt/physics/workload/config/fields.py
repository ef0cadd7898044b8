"""Typed reading of a configuration's fields: aliases, text values, every problem told at once.

Values may be typed (a parsed config.json) or text ("4096", "True", "None", "[9, 18, 27]"). None counts as absent, as in
transformers, where a config class fills it in.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from gigawatt.core.errors import Problem, Problems

_WORDS = {"none": None, "null": None, "true": True, "false": False, "": None}


def typed(value: Any) -> Any:
    """The value that a text stands for; what is not text stays.

    >>> typed("4096"), typed("False"), typed("[1, 2]"), typed("silu")
    (4096, False, [1, 2], 'silu')
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    try:
        return float(text)
    except ValueError:
        return text


class Fields:
    """A configuration being read: remembers which fields were understood, and what was wrong or missing."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self.name = name
        self.values = {str(key): value for key, raw in config.items() if (value := typed(raw)) is not None}
        self.read: set[str] = set()
        self.problems = Problems()

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def has(self, *names: str) -> bool:
        return any(name in self.values for name in names)

    def _find(self, names: Sequence[str]) -> tuple[str, Any] | None:
        for name in names:
            if name in self.values:
                self.read.add(name)
                return name, self.values[name]
        return None

    def count(self, *names: str, default: int | None = None, low: int = 1) -> int:
        """A whole number of at least `low`, by the first of `names` that is present."""
        found = self._find(names)
        if found is None:
            if default is None:
                self.problems.add("missing_field", f"model '{self.name}': field '{names[0]}' is missing")
                return max(low, 1)
            return default
        name, value = found
        if isinstance(value, list) and value and all(item == value[0] for item in value):
            value = value[0]  # one number a layer, all the same
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
            self.wrong(name, value, "a whole number")
            return max(low, 1)
        if value < low:
            self.wrong(name, value, f"at least {low}")
            return max(low, 1)
        return int(value)

    def number(self, *names: str, default: float) -> float:
        found = self._find(names)
        if found is None:
            return default
        name, value = found
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            self.wrong(name, value, "a positive number")
            return default
        return float(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        found = self._find(names)
        if found is None:
            return default
        name, value = found
        if value not in (0, 1, True, False):
            self.wrong(name, value, "true or false")
            return default
        return bool(value)

    def text(self, *names: str, default: str = "") -> str:
        found = self._find(names)
        return default if found is None else str(found[1])

    def items(self, *names: str) -> list[Any] | None:
        """A list, or None where absent."""
        found = self._find(names)
        if found is None:
            return None
        name, value = found
        if not isinstance(value, (list, tuple)):
            self.wrong(name, value, "a list")
            return None
        return list(value)

    def mapping(self, name: str) -> Mapping[str, Any] | None:
        """A nested configuration, or None where absent."""
        found = self._find((name,))
        if found is None:
            return None
        if not isinstance(found[1], Mapping):
            self.wrong(name, found[1], "a mapping of fields")
            return None
        return found[1]

    def wrong(self, name: str, value: Any, wanted: str) -> None:
        self.problems.add("wrong_value", f"model '{self.name}': {name} is {value!r}, but must be {wanted}")

    def require(self, holds: bool, message: str, *hints: str) -> None:
        """Note a problem of fields that contradict each other."""
        if not holds:
            self.problems.add("inconsistent_fields", f"model '{self.name}': {message}", None, *hints)

    def finish(self) -> None:
        """Raise all problems at once; where fields were missing, say which were understood.

        Raises:
            InputError: anything was wrong or missing.
        """
        if any(problem.code == "missing_field" for problem in self.problems.found):
            understood = ", ".join(sorted(self.read & set(self.values))) or "none"
            self.problems.found[:] = [
                Problem(p.code, p.message, p.where, (*p.hints, f"understood so far: {understood}"))
                if p.code == "missing_field"
                else p
                for p in self.problems.found
            ]
        self.problems.raise_if_any()
