"""What a design is a product of: values of an input, inputs that move together, named cases, samples.

An axis has a length and says what its k-th level changes; nothing is kept for a level that a formula gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gigawatt.core.errors import Where
from gigawatt.study.sweep.values import Span, Values


class Axis(Protocol):
    """Levels 0 to len - 1 of some inputs."""

    @property
    def paths(self) -> tuple[str, ...]: ...

    def place(self, path: str = "", level: int | None = None) -> Where | None:
        """Where the axis is asked for; one of its inputs, and one value of it, where that is known."""
        ...

    def __len__(self) -> int: ...

    def at(self, k: int) -> dict[str, Any]:
        """What level k changes: dotted path -> value as a file would write it."""
        ...

    def values(self, path: str) -> Values:
        """The levels of one input, without those that leave it as it is."""
        ...

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Columns:
    """Inputs that move together, level by level; one alone is a grid's axis."""

    columns: Mapping[str, Values]
    places: Mapping[str, Sequence[Where]] = field(default_factory=dict, compare=False)

    def place(self, path: str = "", level: int | None = None) -> Where | None:
        """Of an input its own place comes first, then those of its values."""
        found = self.places.get(path or self.paths[0], ())
        at = 0 if level is None or level + 1 >= len(found) else level + 1
        return found[at] if found else None

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def at(self, k: int) -> dict[str, Any]:
        return {path: values[k] for path, values in self.columns.items()}

    def values(self, path: str) -> Values:
        return self.columns[path]

    def as_json(self) -> dict[str, Any]:
        shown = {p: v.as_json() if isinstance(v, Span) else list(v) for p, v in self.columns.items()}
        return {"kind": "grid" if len(shown) == 1 else "zip", "values": shown}


@dataclass(frozen=True, slots=True)
class Cases:
    """Named sets of changes; what a case does not name stays as the file has it."""

    cases: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, Where] = field(default_factory=dict, compare=False)

    def place(self, path: str = "", level: int | None = None) -> Where | None:
        """Of a level the case's; '' is the list's."""
        return self.places.get("" if level is None else self.names[level]) or self.places.get("")

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for changes in self.cases.values() for path in changes))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def at(self, k: int) -> dict[str, Any]:
        return dict(self.cases[self.names[k]])

    def values(self, path: str) -> Values:
        return tuple(changes[path] for changes in self.cases.values() if path in changes)

    def as_json(self) -> dict[str, Any]:
        # A list, since the order of the cases is the order of the rows.
        return {"kind": "cases", "cases": [[name, dict(changes)] for name, changes in self.cases.items()]}
