"""Inputs drawn from laws: an axis whose level k is row k of a Sobol' sequence put through each law's inverse.

    value_j(k) = F_j^-1(u_kj),   u from the seed, k and j alone

A law of bare numbers is one of factors on what the file says (`{dist: lognormal, gsd: 1.2}`); numbers with a unit are values
(`{dist: uniform, low: 30 USD/MWh, high: 90 USD/MWh}`). In one line: `lognormal 1.2`, `uniform 30..90 USD/MWh`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core import document
from gigawatt.core.errors import InputError, Problems, Where, nearest
from gigawatt.study.paths import Input
from gigawatt.study.sampling.laws import Law
from gigawatt.study.sampling.named import DOORS, law_of
from gigawatt.study.sampling.sequence import MOST_ROWS, uniforms
from gigawatt.study.sweep.values import Values, ValuesError, quantity, read_span, split

BLOCK = 256  # rows of the sequence that are worked out at once
_SHAPES = ("gsd", "weight", "weights", "levels", "a", "b")  # numbers of a law that are no values


@dataclass(frozen=True, slots=True)
class Drawn:
    """One input's law: the draw times `scale` (what the file says, for a law of factors), in `unit`."""

    law: Law
    said: Any
    scale: float = 1.0
    unit: str = ""

    def value(self, u: float) -> Any:
        return quantity(float(f"{self.number(u):.12g}"), self.unit)

    def number(self, u: float) -> float:
        return self.scale * float(self.law.quantile(u))


@dataclass(frozen=True, slots=True)
class Sampled:
    """`count` draws of some inputs together."""

    drawn: Mapping[str, Drawn]
    count: int
    seed: int
    places: Mapping[str, Where] = field(default_factory=dict, compare=False)

    def place(self, path: str = "", level: int | None = None) -> Where | None:
        return self.places.get(path or self.paths[0])

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.drawn)

    def __len__(self) -> int:
        return self.count

    def at(self, k: int) -> dict[str, Any]:
        row = _block(self.seed, k // BLOCK, len(self.drawn))[k % BLOCK]
        return {path: one.value(float(u)) for (path, one), u in zip(self.drawn.items(), row, strict=True)}

    def values(self, path: str) -> Values:
        """The least and the largest draw: every law's inverse rises with u."""
        least, most = self._ends()[:, self.paths.index(path)]
        return self.drawn[path].value(float(least)), self.drawn[path].value(float(most))

    def _ends(self) -> NDArray[np.float64]:
        """[2, inputs] smallest and largest u among the draws."""
        step = 2**14
        found = [
            uniforms(self.seed, start, min(start + step, self.count), len(self.drawn))
            for start in range(0, self.count, step)
        ]
        return np.array(
            [np.min([u.min(axis=0) for u in found], axis=0), np.max([u.max(axis=0) for u in found], axis=0)]
        )

    def as_json(self) -> dict[str, Any]:
        laws = {path: {"law": one.said, "scale": one.scale, "unit": one.unit} for path, one in self.drawn.items()}
        return {"kind": "sample", "count": self.count, "seed": self.seed, "laws": laws}


@lru_cache(maxsize=8)
def _block(seed: int, block: int, inputs: int) -> NDArray[np.float64]:
    return uniforms(seed, block * BLOCK, (block + 1) * BLOCK, inputs)


def sampled_of(
    said: Mapping[str, tuple[Any, Where]], count: int, seed: int, known: Mapping[str, Input], problems: Problems
) -> Sampled | None:
    """The axis of laws as they are written, or None with what is wrong with them added to `problems`."""
    if count > MOST_ROWS:
        problems.add("out_of_range", f"a sample has at most {MOST_ROWS:,} rows, not {count:,}", Where("samples"))
        return None
    drawn: dict[str, Drawn] = {}
    for path, (law, where) in said.items():
        if path not in known:
            continue  # told with the other paths
        try:
            drawn[path] = _drawn(law, known[path])
        except ValueError as error:
            problems.add("bad_law", f"{path}: {error}", where, "laws: " + ", ".join(DOORS))
    return Sampled(drawn, count, seed, {path: where for path, (_, where) in said.items()}) if drawn else None


def _drawn(said: Any, of: Input) -> Drawn:
    """The law of one input.

    Raises:
        ValueError: it is none, or none of this input.
    """
    if not of.is_number:
        raise ValueError(f"only numbers are drawn, and this is {_a(of.kind)}; list its values: --grid")
    if of.kind == "whole number":
        raise ValueError("whole numbers are not drawn; list them: --grid")
    numbers = dict(_as_mapping(said))
    name = str(numbers.pop("dist", ""))
    if name not in DOORS:
        near = nearest(name, DOORS)
        raise ValueError(f"'{name}' is no law" + (f" (did you mean '{near}'?)" if near else ""))
    plain, unit = _without_units(numbers)
    if unit is not None:
        return Drawn(law_of(name, plain), said, 1.0, unit)
    base = split(of.value)
    if base is None:
        raise ValueError(
            "a law of bare numbers is of factors on what the file says, which says nothing here; give units"
        )
    return Drawn(law_of(name, plain, 1.0), said, base[0], base[1])


def _a(kind: str) -> str:
    return f"a {kind}" if kind != "yes or no" else "yes or no"


def _as_mapping(said: Any) -> Mapping[str, Any]:
    """A law as a mapping: {dist: ..., ...}, the same as text, or 'NAME low..high unit', 'lognormal 1.2'.

    Raises:
        ValueError: none of these.
    """
    if isinstance(said, str) and said.lstrip().startswith("{"):
        try:
            said = document.parse(said).data
        except InputError as error:
            raise ValueError(error.problems[0].message) from None
    if isinstance(said, Mapping):
        return said
    match = re.match(r"^\s*([a-z]+)[\s(]+(.+?)\)?\s*$", str(said))
    if not match:
        raise ValueError(f"'{said}' is no law; write for example 'lognormal 1.2' or 'uniform 30..90 USD/MWh'")
    name, rest = match[1], match[2]
    if name not in DOORS:
        return {"dist": name}
    if name == "lognormal":
        return {"dist": name, "gsd": _bare(rest)}
    try:
        span = read_span(f"{rest}/2")
    except ValuesError as error:
        raise ValueError(str(error)) from None
    if span is None:
        raise ValueError(f"'{said}' is no law; write for example '{name} 0.8..1.2' or '{name} 30..90 USD/MWh'")
    return {"dist": name, "low": span[0], "high": span[1]}


def _bare(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'{text}' is no geometric standard deviation such as 1.2") from None


def _without_units(numbers: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The numbers of a law, and the one unit that its values have; None where none has any.

    Raises:
        ValueError: units differ, or some values have one and others none.
    """
    plain: dict[str, Any] = {}
    units: set[str] = set()
    for key, said in numbers.items():
        if key in _SHAPES:
            plain[key] = said
            continue
        found = [split(one) for one in (said if isinstance(said, Sequence) and not isinstance(said, str) else [said])]
        if any(one is None for one in found):
            raise ValueError(f"'{key}' is no number, nor a quantity with its unit: {said!r}")
        pairs = [one for one in found if one is not None]
        units |= {unit for _, unit in pairs}
        values = [number for number, _ in pairs]
        plain[key] = values if isinstance(said, Sequence) and not isinstance(said, str) else values[0]
    if len(units) > 1:
        raise ValueError("all values of a law have one unit, not " + " and ".join(sorted(repr(unit) for unit in units)))
    unit = next(iter(units), "")
    return plain, unit or None
