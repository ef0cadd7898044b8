"""Values of records said beside the question: `catalog: {platform/gb300-nvl72: {list_price: 4.2 million USD}}`.

What is said goes over the record of that kind and id as an overlay's `extends` would; its kind is `assumed` and its source the
file that says it, unless the value says its own. Calibrations are not taken: physics reads the packaged ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from gigawatt.catalog.problems import problems_of
from gigawatt.catalog.records import KINDS
from gigawatt.catalog.store import Catalog, along, dumped, merged
from gigawatt.core.errors import InputError, Problem, Problems, Where, unknown_name

Place = Callable[[Sequence[str | int]], Where]
CLOSED = ("calibration",)


class Inline(Catalog):
    """A catalog with some values of its own over another's."""

    def __init__(self, base: Catalog, values: Mapping[str, Mapping[str, Any]], place: Place, source: str) -> None:
        super().__init__(base.folders)
        self._below = base
        self._said = dict(values)
        self._place = place
        told = Problems()
        for name, said in self._said.items():
            self._lay(name, said, source, told)
        told.raise_if_any()

    def get(self, kind: str, name: str) -> Any:
        own = self._records.get((kind, name))
        return own if own is not None else self._below.get(kind, name)

    def says(self, path: str) -> bool:
        """Whether a value, by the path of its datum, is one of its own."""
        return any(
            path.startswith(name + ".") and along(said, path[len(name) + 1 :])[0] for name, said in self._said.items()
        )

    def where(self, path: str) -> Where:
        for name, said in self._said.items():
            if path.startswith(name + "."):
                found, _ = along(said, path[len(name) + 1 :])
                if found:
                    return self._place((name, *found))
        return self._below.where(path)

    def _lay(self, name: str, said: Any, source: str, told: Problems) -> None:
        kind, _, ident = name.partition("/")
        here = self._place((name,))
        if kind not in KINDS or kind in CLOSED:
            known = [one for one in KINDS if one not in CLOSED]
            told.extend([unknown_name("kind of record", kind, known, here)])
            return
        try:
            base = self._below.get(kind, ident)
        except InputError as error:
            told.extend([Problem(p.code, p.message, here, p.hints) for p in error.problems])
            return
        if not isinstance(said, Mapping):
            hint = f"write: {name}: {{FIELD: VALUE}}"
            told.add("bad_value", f"'{name}' needs fields with their values, not {said!r}", here, hint)
            return
        head = {"kind": "assumed", "source": source}
        try:
            self._records[kind, ident] = KINDS[kind].model_validate(merged(dumped(base), {**head, **said}))
        except ValidationError as error:
            told.extend(problems_of(error, KINDS[kind], lambda path: self._place((name, *path))))


def with_values(catalog: Catalog, values: Mapping[str, Mapping[str, Any]], place: Place, source: str) -> Catalog:
    """The catalog with values over its records; `place` says where a path of `values` stands, `source` who says them.

    Raises:
        InputError: an unknown kind, id or field, or a value that a record can not have; all of them.
    """
    return Inline(catalog, values, place, source) if values else catalog
